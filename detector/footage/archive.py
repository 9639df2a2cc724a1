"""Recordings in folders: which files a camera has, what time each covers and what is wrong with it."""

from __future__ import annotations

import os
import stat
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from detector.core.errors import UnreadableRecording
from detector.core.times import Interval
from detector.core.values import Camera, MediaInfo, Recording, RecordingState
from detector.footage.templates import PRESETS, NamedTimes, parse_template
from detector.footage.timeline import Bounds, Unplaceable, disagrees, reconcile

# fmt: off
SUFFIXES = frozenset((
    ".264", ".265", ".3gp", ".asf", ".avi", ".dav", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ps", ".ts", ".webm", ".wmv",
))
# fmt: on
"""What recordings' names end in, in any case; a trailing '_' (Dahua, while it writes) does not matter."""

REPEATED_SHARE = 0.95
"""A recording of which another covers so much adds nothing."""

LONGEST = timedelta(days=7)
"""A container that claims more has a damaged header."""

_SETTLED = frozenset((RecordingState.READABLE, RecordingState.TRUNCATED, RecordingState.NOT_VIDEO))
"""States that follow from a file's bytes alone, so that an unchanged file need not be opened again."""

NEXT_S = 1.0
"""A file whose name begins so shortly after another's is of the same time, as of a second stream; it is not the next."""

Probe = Callable[[Path], MediaInfo]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A file that looks like a recording, but whose name gives no time. `path` is relative to the archive's root."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Archive:
    """What a camera's folder holds: recordings in order of their start, files without a time, and what went wrong.

    `fault` says that the folder, or a folder in it, is missing or cannot be read; the rest is told all the same.
    """

    recordings: tuple[Recording, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    fault: str | None = None


def find_recordings(
    camera: Camera,
    root: Path,
    *,
    probe: Probe,
    known: Mapping[str, Recording],
    now: datetime,
    growing_s: float = 120.0,
    given_up: Mapping[str, str] = MappingProxyType({}),
    study: Probe | None = None,
) -> Archive:
    """Walk `root / camera.folder`; never raises for what lies there.

    `known` maps paths to the recordings of an earlier run; a file of the same size and time is not probed again
    if its state follows from its bytes (READABLE, TRUNCATED, NOT_VIDEO). Files and folders whose name begins with
    a dot are left alone, as are files that do not end in one of SUFFIXES. Intervals are in UTC.

    A complete file is READABLE however new it is. GROWING is a file written within `growing_s` of `now` that
    cannot be read, breaks off, or is not yet as long as a name says whose end has not passed either; it is looked
    at again at the next run. An empty file is EMPTY and a text file NOT_VIDEO at any age. One whose id is among
    `given_up` is UNREADABLE for the reason given there and is not opened.

    Raises ValueError if the camera's template is not one (see `detector.footage.templates.parse_template`).
    """
    template = parse_template(camera.template)
    look = _Look(camera, root, probe, study or probe, known, now.timestamp(), growing_s, given_up)
    faults: list[str] = []
    found: list[_Found] = []
    unplaced: list[Unplaced] = []
    for path in _walk(root, camera.folder, faults):
        named = template.times(path)
        if not _is_text(path):
            shown = os.fsencode(path).decode(errors="replace")
            unplaced.append(Unplaced(shown, "the name is not valid UTF-8; rename the file"))
        elif named is None:
            unplaced.append(Unplaced(path, f"the name does not fit the template {camera.template!r}"))
        else:
            found.append(look.at(path, named))
    recordings = look.place(found)
    ordered = sorted(_without_repeats(recordings), key=lambda r: (r.interval.start, r.path))
    return Archive(tuple(ordered), tuple(unplaced), "; ".join(faults) or None)


def true_times(camera: Camera, named: NamedTimes) -> tuple[datetime, datetime | None]:
    """The UTC start and end that a name stands for, by the camera's time zone and clock offset.

    Of a local time that occurs twice the first is taken, for an end the second if only that lies after the start;
    an end that does not lie after the start is None.
    """
    offset = timedelta(seconds=camera.clock_offset_s)
    start = _utc(named.start, camera) + offset
    if named.end is None:
        return start, None
    ends = (_utc(named.end.replace(fold=fold), camera) + offset for fold in (0, 1))
    return start, next((end for end in ends if end > start), None)


def read_named_length_s(name: str, camera: Camera) -> float | None:
    """How many seconds a recording lasts by its name: by the camera's template, or else by a preset that gives an end.

    None where the name gives no end.
    """
    for text in (camera.template, *PRESETS):
        named = parse_template(text).times(name)
        if named is not None and named.end is not None:
            start, end = true_times(camera, named)
            return (end - start).total_seconds() if end is not None else None
    return None


def parts(recordings: Iterable[Recording]) -> list[tuple[Recording, Interval]]:
    """The usable recordings of one camera in time order, each with the part of its time that no earlier one covers.

    Where recordings overlap, the one that started first has the time; so no moment is looked at twice.
    """
    usable = sorted(
        (r for r in recordings if r.usable), key=lambda r: (r.interval.start, -r.interval.duration_s, r.path)
    )
    found: list[tuple[Recording, Interval]] = []
    covered_until: datetime | None = None
    for recording in usable:
        start, end = recording.shown.start, recording.shown.end
        if covered_until is None or end > covered_until:
            start = start if covered_until is None else max(start, covered_until)
            found.append((recording, Interval(start, end)))
            covered_until = end
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    """A file with the times in its name and what its container says; None where `recording` says why that is not known."""

    recording: Recording
    named_end: datetime | None
    info: MediaInfo | None = None

    @property
    def start(self) -> datetime:
        return self.recording.interval.start


@dataclass(frozen=True, slots=True)
class _Look:
    """One run over one camera's files."""

    camera: Camera
    root: Path
    probe: Probe
    study: Probe
    known: Mapping[str, Recording]
    now_s: float
    growing_s: float
    given_up: Mapping[str, str]

    def at(self, path: str, named: NamedTimes) -> _Found:
        start, end = true_times(self.camera, named)
        interval = Interval(start, end or start + timedelta(seconds=1))
        try:
            status = (self.root / path).stat()
        except OSError as error:
            gone = Recording(self.camera.id, path, 0, 0, interval, RecordingState.UNREADABLE, _words(error))
            return _Found(gone, end)
        unread = Recording(
            self.camera.id, path, status.st_size, status.st_mtime_ns, interval, RecordingState.UNREADABLE
        )
        if reason := self._not_to_open(unread, status.st_mode):
            return _Found(replace(unread, reason=reason), end)
        if status.st_size == 0:
            return _Found(replace(unread, state=RecordingState.EMPTY, reason="0 bytes"), end)
        old = self.known.get(path)
        if old is not None and old.state in _SETTLED and old.file_id == unread.id:
            if old.media is not None:
                return _Found(unread, end, old.media)
            if old.state is RecordingState.NOT_VIDEO and old.interval.start == start:
                return _Found(old, end)
        return self._open(unread, end)

    def _not_to_open(self, unread: Recording, mode: int) -> str | None:
        if not stat.S_ISREG(mode):
            return "not a regular file"
        if not os.access(self.root / unread.path, os.R_OK):
            return "no permission to read it"
        return self.given_up.get(unread.id)

    def _open(self, unread: Recording, named_end: datetime | None, *, studied: bool = False) -> _Found:
        """The recording with what its container says, or with why that cannot be read."""
        try:
            info = (self.study if studied else self.probe)(self.root / unread.path)
        except UnreadableRecording as error:
            return _Found(self._failed(unread, error), named_end)
        except OSError as error:
            return _Found(self._failed(unread, UnreadableRecording(unread.path, _words(error))), named_end)
        if not 0 < info.duration_s <= LONGEST.total_seconds():
            reason = f"its container claims to last {info.duration_s:g} s"
            return _Found(self._failed(unread, UnreadableRecording(unread.path, reason)), named_end)
        return _Found(unread, named_end, info)

    def place(self, found: Sequence[_Found]) -> list[Recording]:
        """The recordings on the recorder's clock, each bounded by its name and by the next."""
        ordered = sorted(found, key=lambda one: (one.start, one.recording.path))
        starts = [one.start for one in ordered]
        recordings = []
        for one in ordered:
            after = bisect_right(starts, one.start + timedelta(seconds=NEXT_S))
            following = (
                [other for other in ordered[after:] if other.start == starts[after]]
                if after < len(starts)
                else []
            )
            recordings.append(self._place(one, following))
        return recordings

    def _place(self, one: _Found, following: Sequence[_Found]) -> Recording:
        if one.info is None:
            return one.recording
        bounds = self._find_bounds(one, following)
        if not one.info.studied and disagrees(one.info, bounds):
            one = self._open(one.recording, one.named_end, studied=True)
            if one.info is None:
                return one.recording
            one = replace(one, info=replace(one.info, studied=True))
        return self._reconcile(one, bounds)

    def _find_bounds(self, one: _Found, following: Sequence[_Found]) -> Bounds:
        long_s = [other.info.duration_s for other in following if other.info is not None]
        end = one.named_end
        return Bounds(
            named_s=(end - one.start).total_seconds() if end is not None else None,
            next_s=(following[0].start - one.start).total_seconds() if following else None,
            next_long_s=max(long_s, default=None),
            is_final=not self._is_being_recorded(end),
        )

    def _is_being_recorded(self, named_end: datetime | None) -> bool:
        return named_end is not None and named_end.timestamp() > self.now_s - self.growing_s

    def _reconcile(self, one: _Found, bounds: Bounds) -> Recording:
        assert one.info is not None
        unread, placed = one.recording, reconcile(one.info, bounds)
        if isinstance(placed, Unplaceable):
            return self._failed(unread, UnreadableRecording(unread.path, placed.reason))
        if placed.is_short and (one.info.truncated or not bounds.is_final) and self._is_recent(unread):
            return self._growing(unread, placed.reason)
        return replace(
            unread,
            interval=Interval(one.start, one.start + timedelta(seconds=max(placed.covers_s, 1e-3))),
            state=RecordingState.TRUNCATED if placed.is_short else RecordingState.READABLE,
            reason=placed.reason,
            resolution_wh=one.info.resolution_wh,
            timeline=placed.timeline,
            media=one.info,
        )

    def _failed(self, unread: Recording, error: UnreadableRecording) -> Recording:
        if error.empty:
            return replace(unread, state=RecordingState.EMPTY, reason=error.reason)
        if error.not_video:
            return replace(unread, state=RecordingState.NOT_VIDEO, reason=error.reason)
        if self._is_recent(unread):
            return self._growing(unread, error.reason)
        return replace(unread, reason=error.reason)

    def _growing(self, unread: Recording, reason: str) -> Recording:
        reason = f"written {self._age_s(unread):.0f} s ago, so perhaps not finished: {reason}"
        return replace(unread, state=RecordingState.GROWING, reason=reason)

    def _is_recent(self, recording: Recording) -> bool:
        # The clock of a network share may run ahead of ours.
        return abs(self._age_s(recording)) <= self.growing_s

    def _age_s(self, recording: Recording) -> float:
        return self.now_s - recording.modified_ns / 1e9


def _walk(root: Path, folder: str, faults: list[str]) -> Iterator[str]:
    """Paths of files that look like recordings, relative to root, in a fixed order; links are followed, loops not."""
    top = root / folder
    seen: set[tuple[int, int]] = set()
    _is_new(top, seen)

    def fault(error: OSError) -> None:
        faults.append(f"cannot read the folder {error.filename}: {_words(error)}")

    for place, folders, files in os.walk(top, onerror=fault, followlinks=True):
        within = PurePosixPath(folder, Path(place).relative_to(top).as_posix())
        folders[:] = [name for name in sorted(folders) if _is_new(Path(place, name), seen)]
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower().rstrip("_") in SUFFIXES:
                yield str(within / name)


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder has not been walked yet by any name; hidden ones (snapshots, bins) never are."""
    if folder.name.startswith("."):
        return False
    try:
        status = folder.stat()
    except OSError:
        return True  # the walk itself meets the error and tells it
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _without_repeats(recordings: Sequence[Recording]) -> Iterator[Recording]:
    """The recordings, with those that another one of them covers marked as REPEATED.

    The longest is kept; of equally long ones (to the second) the larger, then the first by path.
    """
    usable = [r for r in recordings if r.usable]
    yield from (r for r in recordings if not r.usable)
    if not usable:
        return
    usable.sort(key=lambda r: (-round(r.interval.duration_s), -r.size_bytes, r.path))
    longest = max(r.interval.end - r.interval.start for r in usable)
    kept: list[Recording] = []
    for recording in usable:
        low = bisect_left(kept, recording.interval.start - longest, key=_start)
        high = bisect_right(kept, recording.interval.end, key=_start)
        shares = ((_share_covered(recording, other), other) for other in kept[low:high])
        original = next((other for share, other in shares if share >= REPEATED_SHARE), None)
        if original is None:
            insort(kept, recording, key=_start)
            yield recording
        else:
            reason = f"{original.path} covers the same time"
            yield replace(recording, state=RecordingState.REPEATED, reason=reason)


def _start(recording: Recording) -> datetime:
    return recording.interval.start


def _share_covered(recording: Recording, other: Recording) -> float:
    shared = recording.interval.intersection(other.interval)
    return shared.duration_s / recording.interval.duration_s if shared else 0.0


def _utc(moment: datetime, camera: Camera) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=camera.timezone)
    return aware.astimezone(UTC)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(error: OSError) -> str:
    return error.strerror or str(error)
