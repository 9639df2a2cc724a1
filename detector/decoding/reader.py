"""Recordings to pictures at wanted moments, reading and decoding as little as the file allows."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import av
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from detector.core.errors import UnreadableRecording
from detector.core.timeline import Break, Piece, Timeline
from detector.core.values import Frame, Image, MediaInfo
from detector.decoding.breaks import (
    Forward,
    Keyframe,
    Scan,
    Steady,
    StreamClock,
    Tabled,
    describe_pace,
    find_jumps,
    find_jumps_in_index,
    scan,
)
from detector.decoding.edits import has_edit_list
from detector.decoding.native import DecodedPicture
from detector.decoding.opening import READ_WITHIN_S, open_container, require_regular
from detector.decoding.orientation import AS_STORED, HOLDERS, Orientation, orientation_of

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

NO_PICTURE = "no picture can be decoded here"

OUT_OF_ORDER = 16
"""Packets that are stored out of order lie no further apart."""

BYTE_SEEKABLE = frozenset(("mpegts", "mpeg", "h264", "hevc"))
"""Containers that can be read from any byte on."""

CLOSED = frozenset(("matroska,webm", "flv", "asf"))
"""Containers that state a duration only once they are finished."""

PATIENCE = {"analyzeduration": str(300 * 1_000_000), "probesize": str(128 << 20)}
"""How long a keyframe is waited for: microseconds of the stream, and bytes."""

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


UNTIMED = frozenset(("h264", "hevc", "m4v", "mpegvideo", "vvc", "obu", "cavsvideo"))
"""Containers that are none: bare video streams, whose pictures carry no times."""

ASSUMED_HZ = Fraction(25)
"""At so many pictures a second a bare stream is counted that states no rate of its own."""

STATING = frozenset(("h264", "hevc"))
"""Codecs whose stream may state a picture rate of its own, apart from the container's."""

LEAST_LEAD_S = 0.5
"""A recording whose first picture comes so much later than its first packet begins with a gap."""

READ_WHOLE_BYTES = 8 << 20
"""A file without an index is read whole for breaks up to this size; a larger one at SAMPLES places."""

SAMPLES = 64
MOST_SKIPPED = 64
"""Maximum number of packets without a time that are skipped to find one with a time."""

UNEVEN = 8.0
UNEVEN_S = 60.0
"""Samples lie evenly in a file's bytes. If one step between their times is UNEVEN times the usual one and UNEVEN_S more,
the file is read whole."""


def probe(path: Path, *, read_within_s: float = READ_WITHIN_S) -> MediaInfo:
    """What a recording holds. Reads its head and its tail, and of a small file without an index the whole.

    A read that takes longer than `read_within_s` seconds fails.
    Raises UnreadableRecording: empty, not a video, cut short before any picture, or no permission.
    """
    return _probe(path, read_within_s, whole=False)


def study(path: Path, *, read_within_s: float = READ_WITHIN_S) -> MediaInfo:
    """What a recording holds; the whole of it is read for breaks of its clock. Raises as `probe`."""
    return _probe(path, read_within_s, whole=True)


def _probe(path: Path, read_within_s: float, *, whole: bool) -> MediaInfo:
    with Reader(path, read_within_s=read_within_s) as opened:
        opened.require_picture()
        return opened.info(whole=whole)


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
    orientation: Orientation


class Reader:
    """One open recording: seeks, decodes forward, and remembers where the decoder stands.

    Raises UnreadableRecording if the file cannot be opened, or holds no video; without an index, also if it shows no
    picture.
    """

    def __init__(
        self, path: Path, timeline: Timeline | None = None, *, read_within_s: float = READ_WITHIN_S
    ) -> None:
        self.path = path
        self._read_within_s = read_within_s
        self.decoded = 0
        """So many pictures were decoded so far, those on the way to a wanted one among them."""
        require_regular(path)
        brief = _open_briefly(path, read_within_s)
        self._is_brief = brief is not None
        self._patient = False
        self.container = brief or self._open()
        self._rough: VideoCodecContext | None = None
        self._orientation: Orientation | None = None
        """Of the pictures decoded last; None where none was."""
        self._scalers: dict[tuple[int, int], VideoReformatter] = {}
        self._timeline = timeline
        self._clock: StreamClock = Steady()
        self.begins_s: float | None = None
        """Stream time of the first packet, be it decodable or not."""
        try:
            self.stream = self._open_stream()
            self._base = self.stream.time_base or Fraction(1, av.time_base)
            self._restart()
            if self._is_untimed or (timeline is not None and timeline.breaks):
                self._take_out_breaks(timeline)
            self.first_s = self._first_picture_s()
            if timeline is not None:
                self.first_s = timeline.origin_s
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

    def _open(self) -> InputContainer:
        """Patiently: longer for a keyframe, without which the size of a stream's pictures is not known."""
        require_regular(self.path)
        try:
            patience = PATIENCE if self._patient else {}
            return open_container(self.path, patience, read_within_s=self._read_within_s)
        except PermissionError as error:
            raise UnreadableRecording(str(self.path), "no permission to read it") from error
        except FileNotFoundError as error:
            raise UnreadableRecording(str(self.path), "the file is gone") from error
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if _looks_like_video(self.path):
                reason = "the container breaks off or is damaged; no picture can be read"
                raise UnreadableRecording(str(self.path), reason) from error
            raise UnreadableRecording(str(self.path), "not a video file", not_video=True) from error

    def _open_stream(self) -> VideoStream:
        """The video stream, ready to be read. A stream that begins long before its first keyframe is opened patiently."""
        streams = self.container.streams.video
        context = cast("VideoCodecContext | None", streams[0].codec_context) if streams else None
        if context is not None and not context.width and not self._patient:
            self._patient = True
            self.container.close()
            self.container = self._open()
        stream = self._video_stream()
        stream.thread_count = 1
        return stream

    @property
    def _is_untimed(self) -> bool:
        return self.container.format.name in UNTIMED

    @property
    def _has_whole_index(self) -> bool:
        """Whether the container's index names every picture: an MP4 that is not fragmented, or an AVI."""
        format_name, entries = self.container.format.name, len(self.stream.index_entries)
        if format_name == "avi":
            return entries > 1
        return "mp4" in format_name.split(",") and 0 < self.stream.frames <= entries

    def _take_out_breaks(self, timeline: Timeline | None) -> None:
        """Read by times that rise: those of an MP4 jump forward only, all others are counted from the file's start."""
        if self._has_whole_index and timeline is not None:
            self._clock = Forward(timeline.breaks, timeline.origin_s, self._base)
            return
        table = self._scan_packets(timeline)
        self._clock = Tabled(table, self._base)
        self._rewind()

    def _scan_packets(self, timeline: Timeline | None = None) -> Scan:
        """All packets from the file's beginning, read once. Raises UnreadableRecording where none has a time."""
        hz = None
        if self._is_untimed:
            wanted = timeline.picture_hz if timeline is not None else None
            hz = Fraction(wanted).limit_denominator(100_000) if wanted else self._stated_rate or ASSUMED_HZ
        self._clock = Steady()
        self._rewind()
        try:
            return scan(self._packets_here(), self._base, hz)
        except ValueError as error:
            raise UnreadableRecording(str(self.path), f"no picture can be decoded: {error}") from error

    @property
    def _stated_rate(self) -> Fraction | None:
        """Pictures per second that the video stream itself states, if it is a rate of cameras."""
        context = self.stream.codec_context
        rate = context.framerate if context.name in STATING else None
        return rate if rate and Fraction(1, 10) <= rate <= 240 else None

    def _video_stream(self) -> VideoStream:
        streams = self.container.streams.video
        # A damaged header may name a codec that nobody knows; then there is no context.
        context = cast("VideoCodecContext | None", streams[0].codec_context) if streams else None
        if context is None or not context.width:
            raise UnreadableRecording(str(self.path), "holds no video stream", not_video=True)
        return streams[0]

    @property
    def shown_wh(self) -> tuple[int, int]:
        """Width and height of the pictures as they are shown, in pixels, by what was decoded so far."""
        context = self.stream.codec_context
        return (self._orientation or AS_STORED).size((context.width, context.height))

    @property
    def shape_wh(self) -> tuple[int, int]:
        """Width and height as shown in square pixels: recorders squeeze wide pictures into narrow ones."""
        context = self.stream.codec_context
        wide = self.stream.sample_aspect_ratio or Fraction(1)
        stretched = (max(1, round(context.width * wide)), context.height)
        return (self._orientation or AS_STORED).size(stretched)

    @property
    def claimed_s(self) -> float | None:
        """The duration that the container states, in seconds after the first picture."""
        stream, container = self.stream, self.container
        lead_s = self.first_s - self.begins_s if self.begins_s is not None else 0.0
        # FFmpeg gives the streams of a Matroska file the duration of the whole file, whenever they begin.
        whole = container.format.name.startswith("matroska") and container.duration
        if stream.duration is not None and stream.duration > 0 and not whole:
            return float(stream.duration * self._base) - max(0.0, lead_s)
        if container.duration:
            start_s = (container.start_time or 0) / av.time_base
            return float(container.duration / av.time_base + start_s - self.first_s)
        return None

    def readable_s(self, claimed_s: float | None, usual_s: float) -> float:
        """Until when pictures can be read, in seconds after the first: looks at the tail, bisects if it is missing.

        `usual_s` is how long a picture usually shows; 0 where that is not known.
        """
        frame_s = usual_s or (float(1 / self.stream.average_rate) if self.stream.average_rate else 0.04)
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

    def info(self, *, whole: bool) -> MediaInfo:
        """What the file holds. `whole` reads all of it for breaks of its clock. Decodes nothing."""
        context = self.stream.codec_context
        table, breaks, usual_s = self._find_breaks(whole=whole)
        goes_back = any(jump.jump_s < 0 for jump in breaks)
        claimed_s, truncated = self.claimed_s, _is_cut(self.path)
        if table is not None and (goes_back or self._is_untimed):
            duration_s = float(table.last * self._base) + usual_s - self.first_s
        else:
            readable_s = self.readable_s(claimed_s, usual_s)
            duration_s = readable_s - sum(jump.jump_s for jump in breaks)
            truncated = truncated or (
                claimed_s is not None and readable_s < claimed_s - max(END_MARGIN_S, 0.01 * claimed_s)
            )
        begins_s = self.first_s if self.begins_s is None else self.begins_s
        lead_s, late_s = self.first_s - begins_s, self._measure_delay(begins_s)
        stated = self._stated_rate
        return MediaInfo(
            codec=context.name,
            resolution_wh=self.shown_wh,
            shape_wh=self.shape_wh,
            start_s=self.first_s,
            duration_s=duration_s,
            truncated=truncated,
            lead_s=lead_s if lead_s >= LEAST_LEAD_S else 0.0,
            late_s=late_s if late_s >= LEAST_LEAD_S else 0.0,
            breaks=breaks,
            measured_hz=self._measure_rate(table, breaks, usual_s),
            stated_hz=float(stated) if stated else None,
            timed=not self._is_untimed,
            complete=not truncated and (self._has_whole_index or self.container.format.name in CLOSED),
            studied=whole,
            pace=self._describe_pace(table, breaks, whole=whole),
        )

    def _find_breaks(self, *, whole: bool) -> tuple[Scan | None, tuple[Break, ...], float]:
        """The breaks of the stream's clock, the table where all packets were read, and the usual step."""
        if self._is_untimed:
            clock = cast("Tabled", self._clock)
            return clock.table, (), clock.table.usual_s
        if self._has_whole_index:
            return self._find_breaks_in_index(whole=whole)
        small = self.path.stat().st_size <= READ_WHOLE_BYTES
        if not (whole or small) and self._clock_rises():
            return None, (), 0.0
        try:
            table = self._scan_packets()
        except (av.error.FFmpegError, OSError):
            return None, (), 0.0
        finally:
            self._lone = True
        return table, table.breaks(self._base, self.first_s), table.usual_s

    def _find_breaks_in_index(self, *, whole: bool) -> tuple[None, tuple[Break, ...], float]:
        if self._tells_only_order:
            return None, (), 0.0
        entries, base = self.stream.index_entries, self._base

        def time_at(number: int) -> float:
            return float(entries[number].timestamp * base)

        count = len(entries)
        if whole:
            jumps, usual_s = find_jumps([time_at(number) for number in range(count)])
        else:
            jumps, usual_s = find_jumps_in_index(time_at, count)
        taken_s, breaks = 0.0, []
        for jump in jumps:
            extra_s = jump.step_s - usual_s
            taken_s += extra_s
            breaks.append(Break(time_at(jump.number) - taken_s - self.first_s, extra_s))
        return None, tuple(breaks), usual_s

    def _clock_rises(self) -> bool:
        """Whether times rise evenly enough with the file's bytes; True where they cannot be sampled."""
        if self.container.format.name not in BYTE_SEEKABLE:
            return True
        size = self.path.stat().st_size
        # Behind the last picture there may be many bytes without any: they are read once.
        sampled = (self._read_time_at_byte(size * k // SAMPLES) for k in range(SAMPLES))
        times_s = [t for t in takewhile(lambda t: t is not None, sampled) if t is not None]
        self._lone = True
        steps = [after - before for before, after in pairwise(times_s)]
        if not steps:
            return True
        usual_s = statistics.median(steps)
        return min(steps) > -END_MARGIN_S and max(steps) < UNEVEN * max(usual_s, 0.0) + UNEVEN_S

    def _read_time_at_byte(self, byte: int) -> float | None:
        try:
            self._seek_byte(byte)
            for packet in islice(self._packets_here(), MOST_SKIPPED):
                if packet.size and packet.dts is not None:
                    return float(packet.dts * self._base)
        except (av.error.FFmpegError, OSError):
            return None
        return None

    def _measure_rate(self, table: Scan | None, breaks: Sequence[Break], usual_s: float) -> float | None:
        """Pictures per second of media time, those that cannot be decoded among them."""
        entries, rate = self.stream.index_entries, self.stream.average_rate
        if table is not None:
            count, ticks, taken_s = table.count, table.last - table.first, 0.0
        elif self._has_whole_index and len(entries) > 1:
            count, ticks = len(entries), entries[-1].timestamp - entries[0].timestamp
            taken_s = sum(jump.jump_s for jump in breaks)
        else:
            return float(rate) if rate else None
        lasts_s = float(ticks * self._base) - taken_s
        return (count - 1) / lasts_s if lasts_s > usual_s else None

    def _describe_pace(
        self, table: Scan | None, breaks: Sequence[Break], *, whole: bool
    ) -> tuple[tuple[float, int], ...]:
        """See `MediaInfo.pace`. Told only of a clock without breaks that begins with the first picture."""
        entries = self.stream.index_entries
        if breaks or self._is_untimed:
            return ()
        if table is not None:
            return table.pace if abs(float(table.first * self._base) - self.first_s) <= LEAST_LEAD_S else ()
        if not (whole and self._has_whole_index) or self._tells_only_order:
            return ()
        times_s = [float(entry.timestamp * self._base) for entry in entries]
        return describe_pace(times_s) if abs(times_s[0] - self.first_s) <= LEAST_LEAD_S else ()

    def _measure_delay(self, begins_s: float) -> float:
        """For how long the container shows nothing before its first video packet: an empty edit, or sound alone."""
        if self._is_untimed or self.container.start_time is None:
            return 0.0
        late_s = begins_s - self.container.start_time / av.time_base
        if late_s < LEAST_LEAD_S <= begins_s and "mp4" in self.container.format.name.split(","):
            return begins_s if has_edit_list(self.path) else 0.0
        return late_s if len(self.container.streams.audio) else 0.0

    def frame_at(
        self,
        offset_s: float,
        tolerance_s: float = 0.0,
        fit_wh: tuple[int, int] | None = None,
        large_wh: tuple[int, int] | None = None,
        *,
        native: bool = False,
    ) -> Frame | Missed:
        """The picture that shows at an offset, or a keyframe at most `tolerance_s` before; any order.

        Offsets are seconds after the recording's start by its timeline; without one, seconds after the first picture.
        Where `large_wh` is given, the frame's `large` holds the picture to fit within that width and height besides.
        With `native`, its `native` gives the decoded picture at its own resolution.

        Raises UnreadableRecording where the file has gone.
        """
        if self._timeline is None:
            return self._find_picture(offset_s, tolerance_s, fit_wh, large_wh, native=native)
        piece = self._timeline.piece_at(offset_s)
        if piece is None:
            return Missed(NO_PICTURE)
        media_s = min(piece.media_at(offset_s), piece.media_s + piece.length_s)
        near_s = max(0.0, min(tolerance_s * piece.rate, media_s - piece.media_s))
        frame = self._find_picture(media_s, near_s, fit_wh, large_wh, native=native)
        if isinstance(frame, Missed):
            return frame
        shown_s = self._timeline.offset_of(frame.offset_s)
        if shown_s < offset_s - max(tolerance_s, self._longest_show_s / piece.rate):
            return Missed(NO_PICTURE)
        return replace(frame, offset_s=shown_s)

    def _find_picture(
        self,
        offset_s: float,
        tolerance_s: float,
        fit_wh: tuple[int, int] | None,
        large_wh: tuple[int, int] | None,
        *,
        native: bool,
    ) -> Frame | Missed:
        """The picture that shows at a media time."""
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
            return self._missed(NO_PICTURE)
        if chosen.frame.is_corrupt:
            return Missed("the picture is damaged")
        large = self._image(chosen, large_wh) if large_wh else None
        return Frame(
            chosen.at_s - self.first_s,
            self._image(chosen, fit_wh),
            chosen.sha256,
            large,
            native=self._decoded_picture(chosen) if native else None,
            source_wh=(chosen.frame.width, chosen.frame.height),
            pixel_aspect=self._pixel_aspect,
        )

    @property
    def _pixel_aspect(self) -> float:
        """The width of a pixel as players show it, in its heights; 1 where the recording does not say."""
        return float(self.stream.codec_context.sample_aspect_ratio or 1)

    def _decoded_picture(self, decoded: _Decoded) -> DecodedPicture:
        frame = decoded.frame
        return DecodedPicture(frame, self._scaler(frame.width, frame.height), decoded.orientation)

    def _image(self, decoded: _Decoded, fit_wh: tuple[int, int] | None) -> Image:
        frame, turned = decoded.frame, decoded.orientation
        size_wh = (frame.width, frame.height)
        width, height = fitted(size_wh, turned.size(fit_wh)) if fit_wh is not None else size_wh
        scaler = self._scaler(width, height)
        scaled = scaler.reformat(frame, width, height, format="bgr24", interpolation="BILINEAR", threads=1)
        return turned.shown(cast("Image", scaled.to_ndarray()))

    def _scaler(self, width: int, height: int) -> VideoReformatter:
        """The scaler to a size. One is kept for each, without threads: to make one takes a fifth of the time of its use."""
        return self._scalers.setdefault((width, height), VideoReformatter())

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
        if isinstance(self._clock, Forward) and self.stream.frames:
            # The container's average counts the time that its clock jumps over.
            rate = Fraction(self.stream.frames) / max(1, round(self._media_end_s))
        return max(END_MARGIN_S, 2 / float(rate)) if rate else END_MARGIN_S

    @property
    def _media_end_s(self) -> float:
        last = self._timeline.pieces[-1] if self._timeline else Piece(0.0, 0.0, 1.0)
        return last.media_s + last.length_s

    def _keyframe_before_s(self, target_s: float) -> float | None:
        """The keyframe a seek would land on, from an index; None where that does not reach so far."""
        if isinstance(self._clock, Tabled):
            keyframe = self._clock.before(self._ticks(target_s))
            return float(keyframe.ticks * self._base) if keyframe is not None else None
        entries, raw = self.stream.index_entries, self._clock.raw(self._ticks(target_s))
        if not len(entries) or entries[-1].timestamp < raw:
            return None
        index = entries.search_timestamp(raw, backward=True, any_frame=False)
        if index < 0:
            return None
        # The keyframe lies before the target: what the clock jumped over before the target lies before it, too, or
        # the keyframe lies before the jump, where a seek lands as well.
        return float((entries[index].timestamp - raw) * self._base) + target_s

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
        if isinstance(self._clock, Tabled):
            self._seek_keyframe(self._clock, self._clock.before(self._ticks(target_s)))
            return
        self.stream.codec_context.flush_buffers()
        raw = self._clock.raw(self._ticks(target_s))
        self.container.seek(raw, stream=self.stream, backward=True, any_frame=False)
        self._restart()

    def _seek_keyframe(self, clock: Tabled, keyframe: Keyframe | None) -> None:
        """Go to a keyframe whose place is known: by its byte, or else by passing over what lies before it."""
        if keyframe is None or keyframe.pos is None or self.container.format.name not in BYTE_SEEKABLE:
            self._rewind()
        else:
            self._seek_byte(keyframe.pos)
        if keyframe is not None:
            clock.seek(keyframe)

    def _seek_byte(self, byte: int) -> None:
        self.stream.codec_context.flush_buffers()
        self.container.seek(byte, stream=self.stream, unsupported_byte_offset=True)
        self._restart()

    def _rewind(self) -> None:
        again = self._open()  # first: where the file has gone, what is open stays so
        self.container.close()
        self.container = again
        self._is_brief = False
        self.stream = self._open_stream()
        if isinstance(self._clock, Tabled):
            self._clock.restart()
        self._restart()

    def _is_made_small(self, fit_wh: tuple[int, int] | None) -> bool:
        context = self.stream.codec_context
        if fit_wh is None:
            return False
        return _scale((context.width, context.height), self._known_orientation().size(fit_wh)) <= ROUGH_SCALE

    def _known_orientation(self) -> Orientation:
        """How the pictures are turned. One is decoded where none was, for a decoder of its own is not told of it."""
        if self._orientation is None:
            if any(holder in self.container.format.name for holder in HOLDERS):
                self._learn_orientation()
            self._orientation = self._orientation or AS_STORED
        return self._orientation

    def _learn_orientation(self) -> None:
        decoded = self.decoded
        try:
            self._seek(self.first_s)
            self._decode_first()
        except (av.error.FFmpegError, OSError, UnreadableRecording):
            return
        finally:
            self.decoded = decoded
            self._lone = True  # where the decoder stands, it serves nothing that is wanted

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
        near = (
            at_s is not None and target_s - tolerance_s <= at_s <= target_s + TINY_S and not packet.is_discard
        )
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
        if frames and decoder is None:
            self._orientation = orientation_of(frames[-1])
        return [
            _Decoded(
                float(self._shown(frame, ticks) * self._base),
                frame,
                self._digests.get(ticks) or self._group.hexdigest(),
                self._orientation or AS_STORED,
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
            if self.begins_s is None and packet.size and not packet.is_discard:
                self.begins_s = self._packet_s(packet)
            if begun and packet.size:
                yield packet

    def _packets_here(self) -> Iterator[Packet[Any]]:
        """The packets from where the container stands.

        In a damaged transport stream a stream may appear that was not there when it was opened; PyAV then raises
        IndexError at each of its packets, which are not ours.
        """
        while True:
            try:
                yield from filter(self._clock.rise, self.container.demux(self.stream))
            except IndexError:
                continue
            return

    def _first_picture_s(self) -> float:
        """From the index and the first keyframe's packet, where there is an index: no picture is decoded for it.

        Where that packet is decoded before it shows, pictures do not come in the order of their packets, and a decoder
        must know how far they stray: a file that was opened briefly is opened again, thoroughly.
        """
        if not self._tells_only_order and len(self.stream.index_entries):
            packet, *after = self._read_first_shown()
            if packet is not None and packet.pts is not None:
                if self._is_brief and packet.dts != packet.pts:
                    self._rewind()
                self._lone = True  # it is to be read again
                return float(
                    min(p.pts for p in (packet, *after) if p is not None and p.pts is not None) * self._base
                )
        return self._decode_first().at_s

    def _read_first_shown(self) -> list[Packet[Any] | None]:
        """The first packet from the first keyframe on that is not only decoded but shown, by the container's edit list.

        Behind packets that are not shown the next ones may be stored out of order: some of those come with it.
        """
        packet = next(self._packets, None)
        if packet is None or not packet.is_discard:
            return [packet]
        shown = (p for p in self._packets if not p.is_discard)
        return list(islice(shown, OUT_OF_ORDER)) or [None]

    @property
    def _tells_only_order(self) -> bool:
        """AVI and bare streams tell only the order of decoding: when a keyframe shows is not known from it alone."""
        return self._is_untimed or bool(self.container.format.name == "avi")

    def require_picture(self) -> None:
        """Raises UnreadableRecording where none of the first pictures can be decoded.

        Where what the container calls a keyframe is none, the first picture comes later than it says.
        """
        if self._decoded:
            return
        try:
            self._seek(self.first_s)
            first_s = self._decode_first().at_s
            if self._timeline is None and first_s >= self.first_s + LEAST_LEAD_S:
                self.first_s = first_s
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


def _open_briefly(path: Path, read_within_s: float) -> InputContainer | None:
    """An MP4 whose header tells all of its pictures, opened without decoding one, in a sixth of the time; else None."""
    try:
        with path.open("rb") as file:
            if file.read(8)[4:] != b"ftyp":
                return None
        container = open_container(
            path, {"probesize": "32"}, [{"skip_frame": "all"}] * MOST_STREAMS, read_within_s=read_within_s
        )
    except (av.error.FFmpegError, OSError, ValueError):
        return None
    streams = container.streams.video
    context = cast("VideoCodecContext | None", streams[0].codec_context) if streams else None
    if context and context.name in LOOP_FILTERED and context.width and len(streams[0].index_entries):
        return container
    container.close()
    return None


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
