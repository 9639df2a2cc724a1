"""Recordings to pictures at wanted moments, reading and decoding as little as the file allows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import av
from av.video.stream import VideoStream

from detector.core.errors import UnreadableRecording
from detector.core.values import Frame, Image, MediaInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

END_MARGIN_S = 2.0
"""A container may claim so much more than its last picture shows without counting as cut short."""

SEEK_BACK_S = (5.0, 60.0, None)
"""Containers without an index may land after the wanted moment; then the seek is tried again so much earlier,
and at last the file is read from its beginning."""

MAGIC = {
    b"ftyp": 4,
    b"moov": 4,
    b"mdat": 4,
    b"RIFF": 0,
    b"\x1a\x45\xdf\xa3": 0,
    b"DHAV": 0,
    b"IMKH": 0,
    b"FLV": 0,
}
"""What video containers begin with, and at which byte."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A wanted moment of which no picture could be had."""

    reason: str


def probe(path: Path) -> MediaInfo:
    """What a recording holds. Reads its head and its tail, not the whole.

    Raises UnreadableRecording: empty, not a video, cut short before any picture, or no permission.
    """
    with Reader(path) as opened:
        claimed_s = opened.claimed_s
        readable_s = opened.readable_s(claimed_s)
        return MediaInfo(
            codec=opened.stream.codec_context.name,
            resolution_wh=(opened.stream.codec_context.width, opened.stream.codec_context.height),
            start_s=opened.first_s,
            duration_s=readable_s,
            truncated=_is_cut(path)
            or (claimed_s is not None and readable_s < claimed_s - max(END_MARGIN_S, 0.01 * claimed_s)),
        )


def frames_at(
    path: Path,
    offsets_s: Sequence[float],
    *,
    tolerance_s: float = 0.0,
    fit_wh: tuple[int, int] | None = None,
) -> Iterator[Frame | Missed]:
    """For each offset, in rising order, the picture that shows there, or why there is none.

    Offsets are seconds after the recording's first picture. A keyframe at most `tolerance_s` before the
    wanted moment is taken instead of it, which saves decoding up to it. Pictures are scaled to fit within
    `fit_wh` (never enlarged), keeping their shape. Raises UnreadableRecording if the file cannot be opened.
    """
    if list(offsets_s) != sorted(offsets_s):
        raise ValueError("offsets must rise")
    with Reader(path) as opened:
        for offset_s in offsets_s:
            yield opened.frame_at(offset_s, tolerance_s, fit_wh)


class Reader:
    """One open recording: seeks, decodes forward, and remembers where the decoder stands.

    Raises UnreadableRecording if the file cannot be opened or shows no picture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.container = _open(path)
        try:
            self.stream = self._video_stream()
            self.stream.thread_count = 1
            self._base = self.stream.time_base or Fraction(1, av.time_base)
            self._packets = self._demux()
            self._digest = hashlib.sha256()
            self._decoded: list[tuple[float, VideoFrame]] = []
            self._key_s: float | None = None
            self._ended = False
            self.first_s = self._first_picture_s()
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.container.close()

    def _video_stream(self) -> VideoStream:
        streams = self.container.streams.video
        if not streams or not streams[0].codec_context.width:
            raise UnreadableRecording(str(self.path), "holds no video stream", not_video=True)
        return streams[0]

    @property
    def claimed_s(self) -> float | None:
        """The duration that the container states, in seconds after the first picture."""
        stream, container = self.stream, self.container
        if stream.duration is not None and stream.duration > 0:
            return float(stream.duration * self._base)
        if container.duration:
            start_s = (container.start_time or 0) / av.time_base
            return float(container.duration / av.time_base + start_s - self.first_s)
        return None

    def readable_s(self, claimed_s: float | None) -> float:
        """Until when pictures can be read, in seconds after the first: looks at the tail, bisects if it is missing."""
        frame_s = float(1 / self.stream.average_rate) if self.stream.average_rate else 0.04
        if claimed_s is None:
            return self._last_packet_s(0.0) + frame_s
        last_s = self._last_packet_s(max(0.0, claimed_s - END_MARGIN_S))
        if last_s >= claimed_s - max(END_MARGIN_S, 0.01 * claimed_s):
            return max(last_s + frame_s, min(claimed_s, last_s + END_MARGIN_S))
        low, high, found = 0.0, claimed_s, self._last_packet_s(0.0, stop_after=64)
        while high - low > END_MARGIN_S:
            middle = (low + high) / 2
            last_s = self._last_packet_s(middle)
            if last_s >= middle:
                low, found = middle, max(found, last_s)
            else:
                high = middle
        return found + frame_s

    def frame_at(
        self, offset_s: float, tolerance_s: float = 0.0, fit_wh: tuple[int, int] | None = None
    ) -> Frame | Missed:
        """The picture that shows `offset_s` after the first, or a keyframe at most `tolerance_s` before; any order."""
        target_s = self.first_s + offset_s
        try:
            if not self._can_go_on(self._keyframe_before_s(target_s), target_s):
                self._seek(target_s)
            chosen = self._advance(target_s, tolerance_s)
            for back_s in SEEK_BACK_S:
                if chosen is not None and chosen[0] <= target_s + 1e-6:
                    break
                if back_s is None:
                    self._rewind()
                else:
                    self._seek(max(self.first_s, target_s - back_s))
                chosen = self._advance(target_s, tolerance_s)
        except (av.error.FFmpegError, OSError) as error:
            self._key_s = None
            return Missed(f"cannot be decoded: {error}")
        if chosen is None or abs(chosen[0] - target_s) > max(END_MARGIN_S, tolerance_s):
            return Missed("no picture can be decoded here")
        shown_s, frame = chosen
        if frame.is_corrupt:
            return Missed("the picture is damaged")
        return Frame(shown_s - self.first_s, _image(frame, fit_wh), self._digest.hexdigest())

    def _keyframe_before_s(self, target_s: float) -> float | None:
        """The keyframe a seek would land on, from the container's index; None where it has none."""
        entries = self.stream.index_entries
        if not len(entries):
            return None
        index = entries.search_timestamp(int(target_s / self._base), backward=True, any_frame=False)
        return float(entries[index].timestamp * self._base) if index >= 0 else None

    def _can_go_on(self, key_s: float | None, target_s: float) -> bool:
        """Whether decoding forward from where the decoder stands reaches the target with nothing to gain by a seek."""
        if self._key_s is None or not self._decoded or self._decoded[0][0] > target_s:
            return False
        return key_s is not None and key_s <= self._decoded[-1][0]

    def _seek(self, target_s: float) -> None:
        self.stream.codec_context.flush_buffers()
        self.container.seek(int(target_s / self._base), stream=self.stream, backward=True, any_frame=False)
        self._packets = self._demux()
        self._digest = hashlib.sha256()
        self._decoded = []
        self._ended = False
        self._key_s = target_s

    def _rewind(self) -> None:
        self.container.close()
        self.container = _open(self.path)
        self.stream = self._video_stream()
        self.stream.thread_count = 1
        self._packets = self._demux()
        self._digest = hashlib.sha256()
        self._decoded = []
        self._ended = False
        self._key_s = self.first_s

    def _advance(self, target_s: float, tolerance_s: float) -> tuple[float, VideoFrame] | None:
        """Decode until the picture shown at the target is known, or a keyframe near enough is there."""
        if not self._decoded and tolerance_s > 0:
            near = self._lone_keyframe(target_s, tolerance_s)
            if near is not None:
                return near
        while not self._ended and (not self._decoded or self._decoded[-1][0] <= target_s):
            self._decode_more()
        shown = [entry for entry in self._decoded if entry[0] <= target_s + 1e-6]
        if shown:
            self._decoded = self._decoded[len(shown) - 1 :]
            return shown[-1]
        return self._decoded[0] if self._decoded else None

    def _lone_keyframe(self, target_s: float, tolerance_s: float) -> tuple[float, VideoFrame] | None:
        """The keyframe that the seek landed on, decoded alone, if it is near enough before the target."""
        packet = next(self._packets, None)
        if packet is None:
            self._ended = True
            return None
        at_s = self._packet_s(packet)
        self._digest.update(bytes(packet))
        frames = self._decode(packet)
        if at_s is None or not (target_s - tolerance_s <= at_s <= target_s + 1e-6) or not packet.is_keyframe:
            self._decoded += frames
            return None
        self._key_s = None
        frames = frames or self._decode(None)
        return frames[0] if frames else None

    def _decode_more(self) -> None:
        packet = next(self._packets, None)
        if packet is None:
            self._ended = True
        else:
            self._digest.update(bytes(packet))
        self._decoded += self._decode(packet)
        del self._decoded[:-32]

    def _decode(self, packet: Packet[Any] | None) -> list[tuple[float, VideoFrame]]:
        """Pictures that come out for a packet (None: all that are left). A damaged packet gives none."""
        try:
            frames = self.stream.codec_context.decode(packet)
        except (av.error.InvalidDataError, av.error.EOFError):
            return []
        return [(at_s, frame) for frame in frames if (at_s := self._frame_s(frame)) is not None]

    def _demux(self) -> Iterator[Packet[Any]]:
        for packet in self.container.demux(self.stream):
            if packet.size:
                yield packet

    def _first_picture_s(self) -> float:
        for _ in range(256):
            if self._ended:
                break
            self._decode_more()
            if self._decoded:
                first_s = self._decoded[0][0]
                self._key_s = first_s
                return first_s
        raise UnreadableRecording(str(self.path), "no picture can be decoded")

    def _last_packet_s(self, from_s: float, stop_after: int | None = None) -> float:
        """The latest packet's time at or after `from_s`, both after the first picture; -1 where there is none."""
        latest = -1.0
        try:
            self._seek(self.first_s + from_s)
            for count, packet in enumerate(self._packets):
                at_s = self._packet_s(packet)
                if at_s is not None and not packet.is_corrupt:
                    latest = max(latest, at_s - self.first_s)
                if stop_after is not None and count >= stop_after:
                    break
        except (av.error.FFmpegError, OSError):
            return latest
        finally:
            self._key_s = None
        return latest

    def _packet_s(self, packet: Packet[Any]) -> float | None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return float(ticks * packet.time_base) if ticks is not None and packet.time_base else None

    def _frame_s(self, frame: VideoFrame) -> float | None:
        ticks = frame.pts if frame.pts is not None else frame.dts
        return float(ticks * self._base) if ticks is not None else None


def _open(path: Path) -> InputContainer:
    try:
        if path.stat().st_size == 0:
            raise UnreadableRecording(str(path), "the file is empty", empty=True)
        return av.open(str(path), "r", options={"fflags": "+discardcorrupt"})
    except PermissionError as error:
        raise UnreadableRecording(str(path), "no permission to read it") from error
    except FileNotFoundError as error:
        raise UnreadableRecording(str(path), "the file is gone") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if _looks_like_video(path):
            reason = "the container breaks off or is damaged; no picture can be read"
            raise UnreadableRecording(str(path), reason) from error
        raise UnreadableRecording(str(path), "not a video file", not_video=True) from error


def _is_cut(path: Path) -> bool:
    """Whether an AVI file is shorter than its header says; FFmpeg then guesses a duration from what is left."""
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == b"RIFF" and int.from_bytes(head[4:8], "little") > path.stat().st_size


def _looks_like_video(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return any(head[at : at + len(magic)] == magic for magic, at in MAGIC.items()) or (
        len(head) > 376 and head[0] == head[188] == head[376] == 0x47
    )


def _image(frame: VideoFrame, fit_wh: tuple[int, int] | None) -> Image:
    width, height = frame.width, frame.height
    if fit_wh is not None:
        scale = min(1.0, fit_wh[0] / width, fit_wh[1] / height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    return cast(
        "Image", frame.to_ndarray(format="bgr24", width=width, height=height, interpolation="BILINEAR")
    )
