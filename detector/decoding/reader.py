"""Recordings to pictures at wanted moments, reading and decoding as little as the file allows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import av
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from detector.core.errors import UnreadableRecording
from detector.core.values import Frame, Image, MediaInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

TINY_S = 1e-6
"""Times closer than this are the same moment: sums of fractions of a second are rounded."""

END_MARGIN_S = 2.0
"""A container may claim so much more than its last picture shows without counting as cut short."""

SEEK_BACK_S = (5.0, 60.0, None)
"""Containers without an index may land after the wanted moment; then the seek is tried again so much earlier,
and at last the file is read from its beginning."""

GO_ON_S = 2.0
"""Where the next keyframes are not known, decoding so far forward is cheaper than a seek."""

ROUGH_SCALE = 0.5
"""A picture made so small shows nothing of the codec's blocks, and need not be filtered."""

LOOP_FILTERED = ("h264", "hevc")

MOST_STREAMS = 8
"""Of a recording: a picture or two, sound, text."""

KEPT_DIGESTS = 64
"""More than the pictures that a decoder may hold back to put them in order."""

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
        opened.require_picture()
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


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A picture out of the decoder, and the hash of its group's packets from the keyframe up to its own."""

    at_s: float
    frame: VideoFrame
    sha256: str


class Reader:
    """One open recording: seeks, decodes forward, and remembers where the decoder stands.

    Raises UnreadableRecording if the file cannot be opened, or holds no video; without an index, also if it shows no
    picture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decoded = 0
        """So many pictures were decoded so far, those on the way to a wanted one among them."""
        brief = _open_briefly(path)
        self._is_brief = brief is not None
        self.container = brief or _open(path)
        self._rough: VideoCodecContext | None = None
        self._scalers: dict[tuple[int, int], VideoReformatter] = {}
        try:
            self.stream = self._video_stream()
            self.stream.thread_count = 1
            self._base = self.stream.time_base or Fraction(1, av.time_base)
            self._restart()
            self.first_s = self._first_picture_s()
        except (av.error.FFmpegError, OSError) as error:
            self.container.close()
            raise UnreadableRecording(str(path), f"no picture can be decoded: {error}") from error
        except BaseException:
            self.container.close()
            raise

    def _restart(self) -> None:
        """Forget what was decoded: the packets that come next are read from where the container stands."""
        self._packets = self._from_keyframe()
        self._group = hashlib.sha256()
        self._digests: dict[int, str] = {}
        self._decoded: list[_Decoded] = []
        self._ended = False
        self._lone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the file and the pictures at once: the packets' generator holds this reader in a cycle."""
        self._packets = iter(())
        self._decoded = []
        self.container.close()

    def _video_stream(self) -> VideoStream:
        streams = self.container.streams.video
        # A damaged header may name a codec that nobody knows; then there is no context.
        context = cast("VideoCodecContext | None", streams[0].codec_context) if streams else None
        if context is None or not context.width:
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
        self,
        offset_s: float,
        tolerance_s: float = 0.0,
        fit_wh: tuple[int, int] | None = None,
        large_wh: tuple[int, int] | None = None,
    ) -> Frame | Missed:
        """The picture that shows `offset_s` after the first, or a keyframe at most `tolerance_s` before; any order.

        Where `large_wh` is given, the frame's `large` holds the picture to fit within that width and height besides.

        Raises UnreadableRecording where the file has gone.
        """
        target_s = self.first_s + offset_s
        roughly = large_wh is None and self._is_made_small(fit_wh)
        try:
            if not self._can_go_on(target_s, tolerance_s):
                self._seek(target_s)
            chosen = self._advance(target_s, tolerance_s, roughly=roughly)
            for back_s in SEEK_BACK_S:
                if chosen is not None and chosen.at_s <= target_s + TINY_S:
                    break
                if back_s is None:
                    self._rewind()
                else:
                    self._seek(max(self.first_s, target_s - back_s))
                chosen = self._advance(target_s, tolerance_s, roughly=roughly)
        except (av.error.FFmpegError, OSError) as error:
            self._lone = True
            return self._missed(f"cannot be decoded: {error}")
        if chosen is None or abs(chosen.at_s - target_s) > max(self._longest_show_s, tolerance_s):
            return self._missed("no picture can be decoded here")
        if chosen.frame.is_corrupt:
            return Missed("the picture is damaged")
        large = self._image(chosen.frame, large_wh) if large_wh else None
        return Frame(chosen.at_s - self.first_s, self._image(chosen.frame, fit_wh), chosen.sha256, large)

    def _image(self, frame: VideoFrame, fit_wh: tuple[int, int] | None) -> Image:
        size_wh = (frame.width, frame.height)
        width, height = fitted(size_wh, fit_wh) if fit_wh is not None else size_wh
        # A scaler is kept for each size, with no threads of its own: making one takes a fifth of the time of using it.
        scaler = self._scalers.setdefault((width, height), VideoReformatter())
        scaled = scaler.reformat(frame, width, height, format="bgr24", interpolation="BILINEAR", threads=1)
        return cast("Image", scaled.to_ndarray())

    def _missed(self, reason: str) -> Missed:
        """What is missed of a file that is no longer there is no fault of its own: it may come back, and be read then."""
        try:
            self.path.stat()
        except OSError as error:
            raise UnreadableRecording(
                str(self.path), f"went away while it was read: {error.strerror}"
            ) from error
        return Missed(reason)

    @property
    def _longest_show_s(self) -> float:
        """For so long a picture may show; what is missing for longer is a hole in the recording."""
        rate = self.stream.average_rate
        return max(END_MARGIN_S, 2 / float(rate)) if rate else END_MARGIN_S

    def _keyframe_before_s(self, target_s: float) -> float | None:
        """The keyframe a seek would land on, from the container's index; None where that does not reach so far."""
        entries = self.stream.index_entries
        if not len(entries) or float(entries[-1].timestamp * self._base) < target_s:
            return None
        index = entries.search_timestamp(self._ticks(target_s), backward=True, any_frame=False)
        return float(entries[index].timestamp * self._base) if index >= 0 else None

    def _can_go_on(self, target_s: float, tolerance_s: float) -> bool:
        """Whether decoding forward from where the decoder stands reaches the target with nothing to gain by a seek."""
        if self._lone or not self._decoded or self._decoded[0].at_s > target_s + TINY_S:
            return False
        stands_s = self._decoded[-1].at_s
        key_s = self._keyframe_before_s(target_s)
        if key_s is None:
            return tolerance_s == 0 and target_s - stands_s < GO_ON_S
        return key_s <= stands_s

    def _ticks(self, moment_s: float) -> int:
        return math.floor((moment_s + TINY_S) / self._base)

    def _seek(self, target_s: float) -> None:
        self.stream.codec_context.flush_buffers()
        self.container.seek(self._ticks(target_s), stream=self.stream, backward=True, any_frame=False)
        self._restart()

    def _rewind(self) -> None:
        again = _open(self.path)  # first: where the file has gone, what is open stays so
        self.container.close()
        self.container = again
        self.stream = self._video_stream()
        self.stream.thread_count = 1
        self._restart()

    def _is_made_small(self, fit_wh: tuple[int, int] | None) -> bool:
        context = self.stream.codec_context
        return fit_wh is not None and _scale((context.width, context.height), fit_wh) <= ROUGH_SCALE

    def _advance(self, target_s: float, tolerance_s: float, *, roughly: bool) -> _Decoded | None:
        """Decode until the picture shown at the target is known, or a keyframe near enough is there."""
        if not self._decoded and (tolerance_s > 0 or not self._tells_only_order):
            near = self._lone_keyframe(target_s, max(tolerance_s, TINY_S), roughly=roughly)
            if near is not None:
                return near
        shown = self._let_go_before(target_s)
        while not self._ended and (not self._decoded or self._decoded[-1].at_s <= target_s + TINY_S):
            self._decode_more()
            shown = self._let_go_before(target_s)
        return shown or (self._decoded[0] if self._decoded else None)

    def _let_go_before(self, target_s: float) -> _Decoded | None:
        """The last decoded picture that is not after the target, if any; those before it are not kept, at 3 MB each."""
        shown = [entry for entry in self._decoded if entry.at_s <= target_s + TINY_S]
        self._decoded = self._decoded[max(0, len(shown) - 1) :]
        return shown[-1] if shown else None

    def _lone_keyframe(self, target_s: float, tolerance_s: float, *, roughly: bool) -> _Decoded | None:
        """The keyframe that the seek landed on, decoded alone, if it is near enough before the target."""
        packet = self._read()
        if packet is None:
            return None
        at_s = self._packet_s(packet)
        near = at_s is not None and target_s - tolerance_s <= at_s <= target_s + TINY_S
        if near and roughly:
            self._decoded += self._roughly(packet)
        if not self._decoded:
            self._decoded += self._decode(packet)
        if near and not self._decoded:
            self._decoded = self._decode(None)
        self._lone = near
        return self._decoded[0] if near and self._decoded else None

    def _roughly(self, packet: Packet[Any]) -> list[_Decoded]:
        """A keyframe without the codec's loop filter: a sixth faster, and 0.3 grey levels off in a picture made small.

        By a decoder of its own, for what follows a keyframe is built on the filtered one.
        """
        if self._rough is None and self.stream.codec_context.name in LOOP_FILTERED:
            self._rough = _without_loop_filter(self.stream.codec_context)
        if self._rough is None:
            return []
        decoded = self._decode(packet, self._rough) or self._decode(None, self._rough)
        self._rough.flush_buffers()
        return decoded

    def _decode_more(self) -> None:
        self._decoded += self._decode(self._read())
        del self._decoded[:-32]

    def _read(self) -> Packet[Any] | None:
        """The next packet, added to the digest of its group; None at the end."""
        packet = next(self._packets, None)
        if packet is None:
            self._ended = True
            return None
        if packet.is_keyframe:
            self._group = hashlib.sha256()
        self._group.update(bytes(packet))
        self._digests[_ticks_of(packet) or 0] = self._group.hexdigest()
        if len(self._digests) > KEPT_DIGESTS:
            del self._digests[next(iter(self._digests))]
        return packet

    def _decode(self, packet: Packet[Any] | None, decoder: VideoCodecContext | None = None) -> list[_Decoded]:
        """Pictures that come out for a packet (None: all that are left). A damaged packet gives none."""
        try:
            frames = (decoder or self.stream.codec_context).decode(packet)
        except (av.error.InvalidDataError, av.error.EOFError):
            return []
        self.decoded += len(frames)
        return [
            _Decoded(
                float(self._shown(frame, ticks) * self._base),
                frame,
                self._digests.get(ticks) or self._group.hexdigest(),
            )
            for frame in frames
            if (ticks := _ticks_of(frame)) is not None
        ]

    def _shown(self, frame: VideoFrame, ticks: int) -> int:
        """When a picture shows. AVI stores none but the order of decoding, in which pictures come out one by one."""
        if self._tells_only_order and frame.dts is not None:
            return frame.dts
        return ticks

    def _from_keyframe(self) -> Iterator[Packet[Any]]:
        """The packets from the next keyframe on: what comes before it would decode to a grey ghost."""
        begun = False
        for packet in self._packets_here():
            begun = begun or packet.is_keyframe
            if begun and packet.size:
                yield packet

    def _packets_here(self) -> Iterator[Packet[Any]]:
        """The packets from where the container stands.

        In a damaged transport stream a stream may appear that was not there when it was opened; PyAV then raises
        IndexError at each of its packets, which are not ours.
        """
        while True:
            try:
                yield from self.container.demux(self.stream)
            except IndexError:
                continue
            return

    def _first_picture_s(self) -> float:
        """From the index and the first keyframe's packet, where there is an index: no picture is decoded for it.

        Where that packet is decoded before it shows, pictures do not come in the order of their packets, and a decoder
        must know how far they stray: a file that was opened briefly is opened again, thoroughly.
        """
        if not self._tells_only_order and len(self.stream.index_entries):
            packet = next(self._packets, None)
            if packet is not None and packet.pts is not None:
                if self._is_brief and packet.dts != packet.pts:
                    self._rewind()
                self._lone = True  # it is to be read again
                return float(packet.pts * self._base)
        return self._decode_first().at_s

    @property
    def _tells_only_order(self) -> bool:
        """AVI tells only the order of decoding: which picture a keyframe shows at is not known from it alone."""
        return bool(self.container.format.name == "avi")

    def require_picture(self) -> None:
        """Raises UnreadableRecording where none of the first pictures can be decoded."""
        if self._decoded:
            return
        try:
            self._seek(self.first_s)
            self._decode_first()
        except (av.error.FFmpegError, OSError) as error:
            raise UnreadableRecording(str(self.path), f"no picture can be decoded: {error}") from error

    def _decode_first(self) -> _Decoded:
        for _ in range(256):
            if self._ended:
                break
            self._decode_more()
            if self._decoded:
                return self._decoded[0]
        raise UnreadableRecording(str(self.path), "no picture can be decoded")

    def _last_packet_s(self, from_s: float, stop_after: int | None = None) -> float:
        """The latest packet's time at or after `from_s`, both after the first picture; -1 where there is none."""
        latest = -1.0
        try:
            self._seek(self.first_s + from_s)
            for count, packet in enumerate(self._packets_here()):
                at_s = self._packet_s(packet)
                if packet.size and at_s is not None and not packet.is_corrupt:
                    latest = max(latest, at_s - self.first_s)
                if stop_after is not None and count >= stop_after:
                    break
        except (av.error.FFmpegError, OSError):
            return latest
        finally:
            self._lone = True
        return latest

    def _packet_s(self, packet: Packet[Any]) -> float | None:
        ticks = _ticks_of(packet)
        return float(ticks * self._base) if ticks is not None else None


def _ticks_of(timed: Packet[Any] | VideoFrame) -> int | None:
    """Presentation time in the stream's ticks; the decoding time where a container (AVI) knows no other."""
    return timed.pts if timed.pts is not None else timed.dts


def _open_briefly(path: Path) -> InputContainer | None:
    """An MP4 whose header tells all of its pictures, opened without decoding one, in a sixth of the time; else None."""
    try:
        with path.open("rb") as file:
            if file.read(8)[4:] != b"ftyp":
                return None
        container = av.open(
            str(path),
            "r",
            options={"fflags": "+discardcorrupt", "probesize": "32"},
            stream_options=cast(
                "list[str]", [{"skip_frame": "all"}] * MOST_STREAMS
            ),  # as PyAV's stub wants it
        )
    except (av.error.FFmpegError, OSError, ValueError):
        return None
    streams = container.streams.video
    context = cast("VideoCodecContext | None", streams[0].codec_context) if streams else None
    if context and context.name in LOOP_FILTERED and context.width and len(streams[0].index_entries):
        return container
    container.close()
    return None


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


def _without_loop_filter(context: VideoCodecContext) -> VideoCodecContext:
    rough = av.CodecContext.create(context.name, "r")
    rough.extradata = context.extradata
    rough.options = {"skip_loop_filter": "all"}
    rough.thread_count = 1
    return cast("VideoCodecContext", rough)


def _scale(size_wh: tuple[int, int], fit_wh: tuple[int, int]) -> float:
    return min(1.0, fit_wh[0] / size_wh[0], fit_wh[1] / size_wh[1])


def fitted(size_wh: tuple[int, int], fit_wh: tuple[int, int]) -> tuple[int, int]:
    """The width and height of a picture that is made to fit within others: of its shape, and never enlarged."""
    scale = _scale(size_wh, fit_wh)
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))
