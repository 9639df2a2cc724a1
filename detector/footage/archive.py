"""Recordings in folders: which files a camera has, what time each covers and what is wrong with it."""

from __future__ import annotations

import os
import stat
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from detector.core.barrier import barrier
from detector.core.errors import UnreadableRecording
from detector.core.times import Interval, subtract, union
from detector.core.values import Camera, MediaInfo, Recording, RecordingState
from detector.footage.channels import channels_of, says_channel
from detector.footage.dates import fault_of_date
from detector.footage.ignored import Counted, Ignored, is_recording
from detector.footage.marks import SUFFIXES
from detector.footage.templates import PRESETS, NamedTimes, Unread, parse_template
from detector.footage.timeline import Bounds, Unplaceable, disagrees, reconcile

REPEATED_SHARE = 0.95
REPEATED_REST_S = 10.0
"""A recording of which others cover so much, and leave no more than that, adds nothing."""

SLIVER_S = 2.0
"""A shorter stretch between two recordings of a better picture is not taken from one of a worse."""

LONGEST = timedelta(days=7)
"""A container that claims more has a damaged header."""

__all__ = ["SUFFIXES", "Archive", "Unplaced", "find_recordings", "parts", "true_times"]

LEADS_OUT = "a link that leads out of the archive is not followed (kerbwatch.yaml: archive.links_outside)"

_SETTLED = frozenset((RecordingState.READABLE, RecordingState.TRUNCATED, RecordingState.NOT_VIDEO))
"""States that follow from a file's bytes alone, so that an unchanged file need not be opened again."""

AROUND = timedelta(days=2)
"""A recording that begins so long before a period may reach into it, and one so long after bounds the last in it."""

NEXT_S = 1.0
"""A file whose name begins so shortly after another's is of the same time, as of a second stream; it is not the next."""
_FOREIGN = {
    RecordingState.OTHER_CHANNEL: "a file of another channel of the recorder",
    RecordingState.MIXED: "the files of several channels lie in one folder, and recordings.channel names none",
}

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
    ignored: tuple[Ignored, ...] = ()
    """Folder by folder, the files that do not end as recordings do."""
    mixture: str = ""
    """What to do where the files of several channels lie together; '' where they do not."""
    others: str = ""
    """Which files are those of other channels than the camera's."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of the folder as a whole, in sentences."""
        return (*((self.mixture,) if self.mixture else ()), *map(str, self.ignored))


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
    around: Interval | None = None,
    links_outside: bool = False,
) -> Archive:
    """Walk `root / camera.folder`; never raises for what lies there.

    `known` maps paths to the recordings of an earlier run; a file of the same size and time is not probed again
    if its state follows from its bytes (READABLE, TRUNCATED, NOT_VIDEO). Files and folders whose name begins with
    a dot are left alone; files that do not end in one of SUFFIXES are counted. Intervals are in UTC.

    Where names say of which channel of the recorder a file is, those of other channels than the camera's are
    OTHER_CHANNEL, and where the camera has none configured, all of a mixture are MIXED; neither is opened.

    A complete file is READABLE however new it is. GROWING is a file written within `growing_s` of `now` that
    cannot be read, breaks off, or is not yet as long as a name says whose end has not passed either; it is looked
    at again at the next run. An empty file is EMPTY and a text file NOT_VIDEO at any age. One whose id is among
    `given_up` is UNREADABLE for the reason given there and is not opened.

    With `around`, only files whose names say that they begin within AROUND of it are looked at. Links that lead out of
    `root` are not followed, and reported, unless `links_outside`.

    Raises ValueError if the camera's template is not one (see `detector.footage.templates.parse_template`).
    """
    faults: list[str] = []
    counted = Counted()
    walk = _Walk(root, camera.folder, faults, counted, links_outside=links_outside)
    placed, unplaced = _placed(camera, root, walk.paths(), now.timestamp())
    channels = channels_of(camera, placed)
    if around is not None:
        placed = [one for one in placed if _is_near(true_times(camera, one[1])[0], around)]
    look = _Look(
        camera, root, probe, study or probe, known, now.timestamp(), growing_s, given_up, channels.foreign
    )
    found = [look.at(path, named) for path, named in placed]
    # The files of other channels say nothing of when this camera's end.
    own = [one for one in found if one.recording.path not in channels.foreign]
    recordings = [one.recording for one in found if one.recording.path in channels.foreign]
    recordings += look.place(own)
    ordered = sorted(_without_repeats(recordings), key=lambda r: (r.interval.start, r.path))
    return Archive(
        tuple(ordered),
        (*unplaced, *walk.outside),
        "; ".join(faults) or None,
        counted.all(),
        channels.mixture,
        channels.others,
    )


def _placed(
    camera: Camera, root: Path, paths: Iterable[str], now_s: float
) -> tuple[list[tuple[str, NamedTimes]], list[Unplaced]]:
    """The files whose names give a time that may be right, each with it, and the others with the reason."""
    template = parse_template(camera.template)
    placed: list[tuple[str, NamedTimes]] = []
    unplaced: list[Unplaced] = []
    for path in paths:
        named = template.read(path)
        if not _is_text(path):
            shown = os.fsencode(path).decode(errors="replace")
            unplaced.append(Unplaced(shown, "the name is not valid UTF-8; rename the file"))
        elif isinstance(named, Unread):
            unplaced.append(Unplaced(path, named.reason))
        elif why := _why_not_placed(camera, root, path, named, now_s):
            unplaced.append(Unplaced(path, why))
        else:
            placed.append((path, named))
    return placed, unplaced


def _why_not_placed(camera: Camera, root: Path, path: str, named: NamedTimes, now_s: float) -> str:
    """Why a name that was read gives no recording of this camera all the same; '' where it does."""
    if camera.channel and not says_channel(camera, path, named):
        return f"the name does not say of which channel it is, and recordings.channel is {camera.channel!r}"
    try:
        modified_s = (root / path).stat().st_mtime
    except OSError:
        modified_s = None
    return fault_of_date(camera, true_times(camera, named)[0], modified_s, now_s)


def true_times(camera: Camera, named: NamedTimes) -> tuple[datetime, datetime | None]:
    """The UTC start and end that a name stands for, by the recorder's time zone and clock offset.

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
    """The usable recordings of one camera in time order, each with time that no other answers for.

    Where recordings overlap, the one with the larger picture has the time, and of equally large ones the one that
    started first; so no moment is looked at twice. A recording around one of a better picture has two parts or more.
    """
    usable = sorted((r for r in recordings if r.usable), key=_area, reverse=True)
    found: list[tuple[Recording, Interval]] = []
    taken: list[Interval] = []
    for _, alike in groupby(usable, key=_area):
        swept = list(_one_after_another(alike))
        found += [(r, rest) for r, interval in swept for rest in _rest(interval, taken)]
        taken = union([*taken, *(interval for _, interval in swept)])
    return sorted(found, key=lambda part: (part[1].start, part[0].path))


def _one_after_another(recordings: Iterable[Recording]) -> Iterator[tuple[Recording, Interval]]:
    """Recordings of one picture size, each with the part of its time that no earlier one covers."""
    covered_until: datetime | None = None
    for recording in sorted(recordings, key=lambda r: (r.interval.start, -r.interval.duration_s, r.path)):
        start, end = recording.shown.start, recording.shown.end
        if covered_until is None or end > covered_until:
            yield recording, Interval(start if covered_until is None else max(start, covered_until), end)
            covered_until = end


def _rest(interval: Interval, taken: Sequence[Interval]) -> list[Interval]:
    """What of an interval is not taken, without slivers; `taken` is in order and none of it overlaps."""
    first = bisect_right(taken, interval.start, key=lambda one: one.end)
    last = bisect_left(taken, interval.end, lo=first, key=lambda one: one.start)
    if first == last:
        return [interval]
    return [rest for rest in subtract(interval, taken[first:last]) if rest.duration_s >= SLIVER_S]


def _area(recording: Recording) -> int:
    return recording.resolution_wh[0] * recording.resolution_wh[1]


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
    foreign: Mapping[str, RecordingState]
    """By path, the state of a file that is not of this camera's channel, or not known to be."""

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
        if (unopened := self._unopened(unread, status.st_mode)) is not None:
            return _Found(unopened, end)
        old = self.known.get(path)
        if old is not None and old.state in _SETTLED and old.file_id == unread.id:
            if old.media is not None:
                return _Found(unread, end, old.media)
            if old.state is RecordingState.NOT_VIDEO and old.interval.start == start:
                return _Found(old, end)
        return self._open(unread, end)

    def _unopened(self, unread: Recording, mode: int) -> Recording | None:
        """The recording with the reason why it is not opened; None where it is to be opened."""
        if state := self.foreign.get(unread.path):
            return replace(unread, state=state, reason=_FOREIGN[state])
        if reason := self._not_to_open(unread, mode):
            return replace(unread, reason=reason)
        if unread.size_bytes == 0:
            return replace(unread, state=RecordingState.EMPTY, reason="0 bytes")
        return None

    def _not_to_open(self, unread: Recording, mode: int) -> str | None:
        if not stat.S_ISREG(mode):
            return "not a regular file"
        if not os.access(self.root / unread.path, os.R_OK):
            return "no permission to read it"
        return self.given_up.get(unread.id)

    def _open(self, unread: Recording, named_end: datetime | None, *, studied: bool = False) -> _Found:
        """The recording with what its container says, or with why that cannot be read."""
        try:
            info = self._info(unread, self.study if studied else self.probe)
        except UnreadableRecording as error:
            return _Found(self._failed(unread, error), named_end)
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

    def _info(self, unread: Recording, probe: Probe) -> MediaInfo:
        """What the container says. Raises UnreadableRecording, whatever goes wrong."""
        with barrier(unread.path, partial(UnreadableRecording, unread.path, unexpected=True)):
            try:
                return probe(self.root / unread.path)
            except OSError as error:
                raise UnreadableRecording(unread.path, _words(error)) from error

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


@dataclass(slots=True)
class _Walk:
    """One walk over a camera's folder. Links are followed, loops not; those that lead out of the root only if wanted.

    What cannot be read goes to `faults`, files that do not look like recordings to `counted`, and files behind links that
    are not followed to `outside`.
    """

    root: Path
    folder: str
    faults: list[str]
    counted: Counted
    links_outside: bool
    outside: list[Unplaced] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _inside: str = ""

    def paths(self) -> Iterator[str]:
        """Paths of files that look like recordings, relative to root, in a fixed order."""
        top = self.root / self.folder
        self._inside = os.path.realpath(self.root)
        if self._leads_out(top):
            self.faults.append(f"{top}: {LEADS_OUT}")
            return
        self._is_new(top)
        for place, folders, files in os.walk(top, onerror=self._fault, followlinks=True):
            within = PurePosixPath(self.folder, Path(place).relative_to(top).as_posix())
            folders[:] = [name for name in sorted(folders) if self._is_entered(Path(place, name))]
            yield from self._files(place, within, sorted(files))

    def _files(self, place: str, within: PurePosixPath, names: Sequence[str]) -> Iterator[str]:
        for name in names:
            if name.startswith("."):
                continue
            if not is_recording(name):
                self.counted.add(str(within), name)
            elif self._leads_out(os.path.join(place, name)):  # noqa: PTH118  # as fast as it can be
                self.outside.append(Unplaced(str(within / name), LEADS_OUT))
            else:
                yield str(within / name)

    def _fault(self, error: OSError) -> None:
        self.faults.append(f"cannot read the folder {error.filename}: {_words(error)}")

    def _leads_out(self, path: str | Path) -> bool:
        if self.links_outside or not os.path.islink(path):  # noqa: PTH114  # as above
            return False
        target = os.path.realpath(path)
        return os.path.commonpath((self._inside, target)) != self._inside

    def _is_entered(self, folder: Path) -> bool:
        if self._leads_out(folder) and not folder.name.startswith("."):
            self.faults.append(f"{folder}: {LEADS_OUT}")
            return False
        return self._is_new(folder)

    def _is_new(self, folder: Path) -> bool:
        """Whether a folder has not been walked yet by any name; hidden ones (snapshots, bins) never are."""
        if folder.name.startswith("."):
            return False
        try:
            status = folder.stat()
        except OSError:
            return True  # the walk itself meets the error and tells it
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True


def _is_near(start: datetime, period: Interval) -> bool:
    return period.start - AROUND <= start < period.end + AROUND


def _without_repeats(recordings: Sequence[Recording]) -> Iterator[Recording]:
    """The recordings, with those whose time others of them cover marked as REPEATED.

    The larger picture is kept; of equally large ones the longest (to the second), then the larger file, then the
    first by path.
    """
    usable = [r for r in recordings if r.usable]
    yield from (r for r in recordings if not r.usable)
    if not usable:
        return
    usable.sort(key=lambda r: (-_area(r), -round(r.interval.duration_s), -r.size_bytes, r.path))
    longest = max(r.interval.end - r.interval.start for r in usable)
    kept: list[Recording] = []
    for recording in usable:
        low = bisect_left(kept, recording.interval.start - longest, key=_start)
        high = bisect_right(kept, recording.interval.end, key=_start)
        others = [other for other in kept[low:high] if other.interval.overlaps(recording.interval)]
        if others and _adds_nothing(recording, others):
            yield replace(recording, state=RecordingState.REPEATED, reason=_why_repeated(recording, others))
        else:
            insort(kept, recording, key=_start)
            yield recording


def _start(recording: Recording) -> datetime:
    return recording.interval.start


def _adds_nothing(recording: Recording, others: Sequence[Recording]) -> bool:
    whole_s = recording.interval.duration_s
    rest = subtract(recording.interval, (other.interval for other in others))
    rest_s = sum(stretch.duration_s for stretch in rest)
    return rest_s <= min((1 - REPEATED_SHARE) * whole_s, REPEATED_REST_S)


def _why_repeated(recording: Recording, others: Sequence[Recording]) -> str:
    best = max(others, key=lambda other: (_shared_s(recording, other), other.path))
    names = best.path if len(others) == 1 else f"{best.path} and {len(others) - 1} more"
    covers = "covers" if len(others) == 1 else "cover"
    if _area(best) <= _area(recording):
        return f"{names} {covers} the same time"
    (width, height), (own_width, own_height) = best.resolution_wh, recording.resolution_wh
    return f"{names} {covers} the same time in a better picture, {width}x{height} and not {own_width}x{own_height}"


def _shared_s(recording: Recording, other: Recording) -> float:
    shared = recording.interval.intersection(other.interval)
    return shared.duration_s if shared else 0.0


def _utc(moment: datetime, camera: Camera) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=camera.recorder_clock)
    return aware.astimezone(UTC)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(error: OSError) -> str:
    return error.strerror or str(error)
