"""`scan`: the whole flow over an archive, camera by camera. Stopping it at any moment loses nothing that was done."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from detector import __version__
from detector.config.rules import RuleSet
from detector.config.settings import Settings
from detector.config.violations import Pictures, with_pictures
from detector.core.barrier import barrier
from detector.core.errors import DamagedObservations, UnexpectedFault, UnreadableRecording
from detector.core.geometry import Box, is_same_place, same_shape
from detector.core.memory import give_back_memory
from detector.core.stopwatch import Lap, Stopwatch
from detector.core.times import Interval, days_of, local_day, union
from detector.core.values import (
    Camera,
    Image,
    Incident,
    MediaInfo,
    Point,
    Proof,
    Recording,
    RecordingState,
    Violation,
)
from detector.core.wording import duration_en
from detector.decoding.reader import probe, study
from detector.evidence import Scene, write_evidence
from detector.footage.archive import Archive, Probe, find_recordings, parts
from detector.footage.catalogue import BlindStretch, Catalogue, ObservedPart
from detector.footage.coverage import SEAM_S
from detector.inference.detector import Attended, Detector
from detector.inference.second import NO_SECOND_MODELS, SecondModels
from detector.issues.queue import IssueQueue
from detector.issues.values import NOTHING_EARLIER, Earlier, Filed, Issue, IssueFilter
from detector.judging.camera_fault import ViewFault
from detector.judging.judge import decide
from detector.observing.gate import Memory
from detector.observing.observe import Job, Observed, Shaped
from detector.observing.store import ObservationStore
from detector.pipeline.continuity import Neighbours, blind_times, candidates_of, reach_of
from detector.pipeline.findings import FindingsStore, Ground, every_s, shown
from detector.pipeline.flow import (
    Part,
    closer,
    containers_of,
    goes_on,
    job_of,
    looker_over,
    observe_jobs,
    plan_part,
    sight_of,
    slow_looks,
    stretches_of,
)
from detector.proving.looker import COPY_WH, Looker
from detector.proving.prove import Dropped
from detector.proving.verdict import verdicts_on
from detector.sampling.plan import Cadence, cadence_for
from detector.signing import SigningKey
from detector.storage import Root

PROOF_VERSION = "16"
"""Changes when proving would decide otherwise; a suspicion is then looked at again."""

REFERENCE_REACH_S = 86400.0
WINDOW_S = 8 * 3600.0
"""Observations are judged so many hours at a time: three windows a day, each judged with LOOKBACK_S besides."""

LOOKBACK_S = 3 * 3600.0
"""So many hours before are judged with each window: longer than the limits, so that a stay over its start is whole."""

CLIP_PICTURES = 32
CLIP_LEAD_S = 8.0
"""The clip begins so long before the object came and ends so long after it left."""


Begin = Callable[[Path], None]


def _begin_nothing(_path: Path) -> None:
    """Nobody watches."""


def _nothing_given_up(_camera_id: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Shop:
    """What a scan works with."""

    settings: Settings
    detector: Detector
    catalogue: Catalogue
    store: ObservationStore
    queue: IssueQueue
    evidence_root: Root
    second: SecondModels = NO_SECOND_MODELS
    """The models that are asked at few samples."""
    begin: Begin = _begin_nothing
    """Told of each recording before it is opened, so that whoever watches knows which one broke a worker."""
    given_up: Callable[[str], Mapping[str, str]] = _nothing_given_up
    """By recording of a camera, why it is not to be opened any more."""
    key: SigningKey | None = None
    """What signs the manifests of evidence; None where this machine has no key."""
    gated: bool = True
    """Whether the model's last answer serves again where nothing moved."""
    watch: Stopwatch = field(default_factory=Stopwatch)
    crops: Detector | None = None
    """The detector as it is asked about crops at the camera's own resolution, where that is told apart."""

    def timed(self) -> Shop:
        """With a stopwatch of its own, which tells inference by itself."""
        watch = Stopwatch()
        second = self.second.attended(around=partial(watch.stage, "infer litter"))
        detector = Attended(self.detector, around=partial(watch.stage, "infer"))
        crops = Attended(self.detector, around=partial(watch.stage, "infer crops"))
        return replace(self, detector=detector, second=second, watch=watch, crops=crops)


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What a scan did with one camera."""

    point: Point
    camera: Camera
    archive: Archive
    parts: tuple[Part, ...]
    samples: int = 0
    reused: int = 0
    failed: tuple[tuple[Recording, str], ...] = ()
    """Recordings of which nothing, or not everything, could be observed, and why."""
    undecided: tuple[str, ...] = ()
    """Unexpected errors, a sentence each, that left something undecided; the next scan tries again."""
    notes: tuple[str, ...] = ()
    """What a person should know of recordings that were observed all the same, a sentence each."""
    dropped: tuple[Dropped, ...] = ()
    filed: tuple[tuple[Incident, Filed], ...] = ()
    known: int = 0
    """Suspicions that were decided by an earlier scan."""
    faults: tuple[ViewFault, ...] = ()
    unseen: tuple[Recording, ...] = ()
    """Recordings of which no look is stored after this scan, or of which a suspicion could not be looked at closer."""
    healthy: frozenset[str] = frozenset()
    """The ids of those of them at which the program failed: they may be healthy, and are not put in quarantine."""
    laps: Mapping[str, Lap] = field(default_factory=dict)
    """What each stage took."""

    @property
    def footage_s(self) -> float:
        return sum(interval.duration_s for _, interval in self.parts)


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a scan: a recording observed, or a camera finished."""

    camera_id: str
    done: int
    total: int
    what: str = field(default="observed")


Tell = Callable[[Progress], None]


def scan_camera(
    shop: Shop, point: Point, camera: Camera, period: Interval, *, now: datetime, tell: Tell = lambda _: None
) -> CameraReport:
    """Observe what is owed of one camera's period, judge it, look closer, and file what holds.

    A recording that cannot be read costs its own samples, and an unexpected error costs what it ends: a recording, a
    suspicion, or the rest of this camera. The report says so. Raises StorageFull, DatabaseBusy, DatabaseUnusable,
    StoreAway, and QueueRefusal never.
    """
    shop = shop.timed()
    try:
        with barrier(f"camera {camera.id}", UnexpectedFault):
            return _scanned(shop, point, camera, period, now, tell)
    except UnexpectedFault as error:
        tell(Progress(camera.id, 0, 0, "finished"))
        return CameraReport(point, camera, Archive(), (), undecided=(str(error),), laps=shop.watch.laps)


def _scanned(
    shop: Shop, point: Point, camera: Camera, period: Interval, now: datetime, tell: Tell
) -> CameraReport:
    with shop.watch.stage("survey"):
        archive = archive_of(shop, camera, now)
    usable = parts(archive.recordings)
    whole = [(r, part) for r, part in usable if part.overlaps(period)]
    todo = [(r, shared) for r, part in whole if (shared := part.intersection(period))]
    # A recording over the period's end is observed to its own end: half of it, twice, would be two observations.
    report = _observe(shop, CameraReport(point, camera, archive, tuple(whole)), tell)
    near = _windows_near(shop, camera, usable, period)
    report = replace(report, parts=tuple(near.parts))
    for window in near.windows:
        report = _judge_whole_window(shop, report, window)
        give_back_memory()
    tell(Progress(camera.id, len(todo), len(todo), "finished"))
    report = replace(report, parts=tuple(todo), notes=(*report.notes, *_shape_notes(shop, camera, todo)))
    return replace(report, laps=shop.watch.laps)


def _shape_notes(shop: Shop, camera: Camera, todo: Sequence[Part]) -> Iterator[str]:
    """A sentence for each recording whose pictures change to another shape than that of the camera's zones.

    Recordings that begin with such a picture are counted for the camera as a whole, see `footage.shapes`.
    """
    done = _observed(shop.catalogue, camera, todo)
    zones = "x".join(str(side) for side in camera.resolution_wh)
    for recording, interval in todo:
        if not same_shape(recording.resolution_wh, camera.resolution_wh):
            continue
        blind = (stretch for part in done.get(recording.id, ()) for stretch in part.blind)
        sizes = {
            wh
            for stretch in blind
            if stretch.interval.overlaps(interval)
            and (wh := stretch.shape_wh)
            and not same_shape(wh, camera.resolution_wh)
        }
        for width, height in sorted(sizes):
            yield (
                f"{recording.path}: the pictures change to another shape ({width}x{height}) than the zones "
                f"({zones}), so zones may lie in the wrong places; nothing found there does not mean clean"
            )


def _judge_whole_window(shop: Shop, report: CameraReport, window: Interval) -> CameraReport:
    """Judge a stretch; a damaged file of looks is set aside, its recording observed again, and judged with the rest.

    An unexpected error costs the stretch: the next scan judges it again.
    """
    start, end = (at.astimezone(report.camera.timezone) for at in (window.start, window.end))
    what = f"{start:%Y-%m-%d %H:%M} to {end:%H:%M}"
    while True:
        try:
            with barrier(f"camera {report.camera.id}: judging {what}", UnexpectedFault):
                return _judge_window(shop, report, window)
        except DamagedObservations as error:
            report = _observe_damaged_again(shop, report, error)
        except UnexpectedFault as error:
            return replace(report, undecided=(*report.undecided, f"{what} could not be judged: {error}"))


def _observe_damaged_again(shop: Shop, report: CameraReport, error: DamagedObservations) -> CameraReport:
    note = set_aside(shop.catalogue, shop.store, error)
    usable = parts(report.archive.recordings)
    place = next((index for index, (r, _) in enumerate(usable) if r.id in error.file), None)
    whole = [] if place is None else usable[place : place + 1]
    # What the gate remembers of the recording before it serves again, so that the same is seen as before.
    before = usable[place - 1 : place] if place else []
    if not _observed(shop.catalogue, report.camera, before):
        before = []
    again = _observe(shop, replace(report, parts=(*before, *whole)), lambda _: None)
    lost = () if whole else (f"{note}; its recording is not there any more",)
    return replace(
        report,
        reused=max(0, report.reused - len(whole)),
        samples=report.samples + again.samples,
        failed=(*report.failed, *again.failed),
        unseen=(*report.unseen, *again.unseen),
        healthy=report.healthy | again.healthy,
        undecided=(*report.undecided, *lost),
        notes=(*report.notes, f"{note}; its recording was observed again") if whole else report.notes,
    )


def set_aside(catalogue: Catalogue, store: ObservationStore, error: DamagedObservations) -> str:
    """Move a damaged file of observations out of the way and let its recording count as not observed; a sentence of it.

    The row goes first: a row never names a file that is not whole. Raises StorageFull, StoreAway.
    """
    catalogue.forget_file(error.file)
    aside = store.set_aside(error.file)
    return f"damaged observations {error}{f'; kept as {aside}' if aside else ''}"


@dataclass(frozen=True, slots=True)
class _Near:
    """What a period is judged with: its own recordings, and what earlier scans have observed just beside it."""

    parts: tuple[Part, ...]
    windows: tuple[Interval, ...]


def _windows_near(shop: Shop, camera: Camera, usable: Sequence[Part], period: Interval) -> _Near:
    """The period's windows, and the one after it where that was observed: a stay may reach over the period's end,
    whichever of the two was scanned first.
    """
    reach = Interval(period.start - timedelta(seconds=LOOKBACK_S), period.end + timedelta(seconds=WINDOW_S))
    near = [(r, shared) for r, part in usable if (shared := part.intersection(reach))]
    done = _observed(shop.catalogue, camera, near)
    kept = [(r, part) for r, part in near if part.overlaps(period) or r.id in done]
    windows = [
        window for window in windows_of(kept, camera) if window.overlaps(period) or window.start == period.end
    ]
    ends = max([period.end, *(window.end for window in windows)])
    shown = Interval(reach.start, ends)
    return _Near(tuple((r, s) for r, part in kept if (s := part.intersection(shown))), tuple(windows))


def windows_of(kept: Sequence[Part], camera: Camera) -> Iterator[Interval]:
    """The stretches that hold recordings, judged one by one so that memory does not grow with the period.

    They lie on a grid counted from each local midnight, whatever the period.
    """
    for day in sorted({d for _, part in kept for d in days_of(part, camera.timezone)}):
        whole = local_day(day, camera.timezone)
        cuts = [
            whole.start + timedelta(seconds=k * WINDOW_S)
            for k in range(math.ceil(whole.duration_s / WINDOW_S))
        ]
        for start, end in pairwise([*cuts, whole.end]):
            window = Interval(start, end)
            if any(part.overlaps(window) for _, part in kept):
                yield window


def _judge_window(shop: Shop, report: CameraReport, window: Interval) -> CameraReport:
    """Judge a stretch, look closer and file. The hours before are judged with it, for what stands over its start.

    What begins in those hours and ends there was judged with the stretch before.
    """
    camera, stretch = report.camera, Interval(window.start - timedelta(seconds=LOOKBACK_S), window.end)
    wanted = [(r, shared) for r, part in report.parts if (shared := part.intersection(stretch))]
    model = _short(seen_by(shop, report.point, camera))
    rules = shop.settings.rules
    with shop.watch.stage("judge"):
        day = day_before(stretch)
        before = [(r, s) for r, part in parts(report.archive.recordings) if (s := part.intersection(day))]
        seen = shown(wanted, before, _observed(shop.catalogue, camera, [*before, *wanted]), model)
        gathered = seen.gather(shop.store, report.point, camera, rules)
        findings = FindingsStore(shop.settings.observations_root)
        ground = Ground.of(rules)
        findings.keep(camera, window, ground, seen.key(camera, ground), gathered)
        judgement = decide(gathered, report.point, camera, rules)
    _mark_blind(shop, wanted, camera, judgement.faults)
    report = replace(report, faults=report.faults + judgement.faults)
    incidents = [
        incident
        for incident in judgement.incidents
        if incident.interval.end >= window.start
        and not (incident.interval.start < window.start and _told_by(shop, incident))
    ]
    root, watch = shop.settings.archive_root, shop.watch
    with (
        looker_over(report.parts, root, judgement.faults, shop.begin, watch) as looker,
        watch.stage("prove"),
    ):
        proven = _prove_and_file(shop, report, incidents, looker)
    if camera.is_judged and len(proven.unseen) == len(report.unseen):
        _mark_judged(shop, report, window)
    return proven


def _mark_judged(shop: Shop, report: CameraReport, window: Interval) -> None:
    """Say in the catalogue that what was observed of a window is judged, and all that was found in it is filed."""
    wanted = [(r, shared) for r, part in report.parts if (shared := part.intersection(window))]
    done = _observed(shop.catalogue, report.camera, wanted)
    judged = [shared for r, shared in wanted if r.id in done]
    shop.catalogue.mark_judged(report.camera.id, union(judged, join_gap_s=SEAM_S))


def day_before(stretch: Interval) -> Interval:
    """The time whose looks tell what the view is like."""
    return Interval(stretch.start - timedelta(seconds=REFERENCE_REACH_S), stretch.start)


def seen_by(shop: Shop, point: Point, camera: Camera) -> str:
    """What a camera's recordings are looked at with. Another answer is another observation: for litter pictures are
    kept, at a cadence of their own, and a second detector looks.
    """
    model_id = f"{shop.detector.model_id}|{sight_of(camera, gated=shop.gated).id}"
    models = {Violation.LITTER: shop.second.litter, Violation.OVERFLOWING_BIN: shop.second.bins}
    for violation in with_pictures(Pictures.SLOW):
        limit_s = _least_limit_s(shop.settings.rules, violation, point, camera)
        if limit_s is not None:
            model = models.get(violation)
            model_id += f"|{violation} {limit_s:g} s|{model.model_id if model else ''}"
    if (containers := containers_of(camera, shop.settings.rules, shop.second)) is not None:
        model_id += "|" + ";".join(",".join(f"{edge:.4f}" for edge in box) for box in containers.boxes)
    return model_id


def _least_limit_s(rules: RuleSet, violation: Violation, point: Point, camera: Camera) -> float | None:
    """The shortest limit that a rule has in any zone of a camera, in seconds; None where it has none."""
    rule = rules.rules.get(violation)
    if rule is None or not rule.at(point.category).enabled:
        return None
    own_s = rule.at(point.category).dwell_s
    limits_s = [z.limits_s.get(violation, own_s) for z in camera.zones if z.kind in rule.zones]
    return min(limits_s, default=None)


def archive_of(shop: Shop, camera: Camera, now: datetime) -> Archive:
    """What the camera's folder holds now, kept in the catalogue."""
    known, given_up = shop.catalogue.known(camera.id), shop.given_up(camera.id)
    root = shop.settings.archive_root

    def begun(look: Probe) -> Probe:
        def begin_and_look(path: Path) -> MediaInfo:
            shop.begin(path)
            return look(path)

        return begin_and_look

    archive = find_recordings(
        camera,
        root,
        probe=begun(probe),
        known=known,
        now=now,
        given_up=given_up,
        study=begun(study),
        links_outside=shop.settings.links_outside,
    )
    shop.catalogue.remember(camera.id, archive.recordings, now)
    shop.catalogue.mark_surveyed(camera.id, now, archive.fault)
    return archive


@dataclass(frozen=True, slots=True)
class Needed:
    """How closely a part is to be looked at, and which rule asks for it."""

    cadence: Cadence
    why: str


def cadence_needed(point: Point, camera: Camera, settings: Settings, part: Interval) -> Needed:
    """The closest cadence that any rule in force within the part asks for; the whole part is looked at so."""
    stretches = stretches_of(point, camera, settings.rules, part)
    closest = min(stretches, key=lambda s: s.limit_s or math.inf)
    limit = f", limit {duration_en(closest.limit_s)}" if closest.limit_s else ""
    return Needed(cadence_for(closest.limit_s), f"{closest.why}{limit}")


def _observe(shop: Shop, report: CameraReport, tell: Tell) -> CameraReport:
    """Observe every part that no earlier scan has observed closely enough."""
    model = _short(seen_by(shop, report.point, report.camera))
    owed = _owed(shop, report, model)
    samples, reused = 0, len(hulls(report.parts)) - len(owed)
    failed: list[tuple[Recording, str]] = []
    unseen: list[Recording] = []
    healthy: set[str] = set()
    sight = sight_of(report.camera, gated=shop.gated)
    batch = shop.settings.model.batch
    stream = observe_jobs(
        (one.job for one in owed), shop.detector, sight, batch=batch, watch=shop.watch, closer=shop.crops
    )
    for index, (one, (job, seen)) in enumerate(zip(owed, stream, strict=True), 1):
        if isinstance(seen, Observed):
            seen = _kept(shop, report, one, model, seen)  # noqa: PLW2901
        if isinstance(seen, UnreadableRecording):
            failed.append((job.recording, seen.reason))
            unseen.append(job.recording)
            healthy |= {job.recording.id} if seen.unexpected else set()
        else:
            samples += len(seen.seen)
            if seen.failed:
                reasons = ", ".join(sorted({f.reason for f in seen.failed}))
                failed.append((job.recording, f"{len(seen.failed)} moments: {reasons}"))
        give_back_memory()
        tell(Progress(report.camera.id, reused + index, len(report.parts)))
    return replace(
        report,
        samples=samples,
        reused=reused,
        failed=tuple(failed),
        unseen=tuple(unseen),
        healthy=frozenset(healthy),
    )


def hulls(held: Sequence[Part]) -> list[Part]:
    """Each recording once, from its first part to its last: it is observed in one go, around a better picture too."""
    ends: dict[str, Part] = {}
    for recording, interval in held:
        _, first = ends.get(recording.id, (recording, interval))
        ends[recording.id] = (recording, Interval(first.start, max(first.end, interval.end)))
    return list(ends.values())


@dataclass(frozen=True, slots=True)
class _Owed:
    """A part that is yet to be observed, and how closely."""

    part: Part
    cadence: Cadence
    job: Job


def _owed(shop: Shop, report: CameraReport, model: str) -> list[_Owed]:
    settings, point, camera = shop.settings, report.point, report.camera
    done = _observed(shop.catalogue, camera, report.parts)
    owed: list[_Owed] = []
    before: Cadence | None = None
    whole = hulls(report.parts)
    for last, part in zip((None, *whole), whole, strict=False):
        recording, interval = part
        cadence = cadence_needed(point, camera, settings, interval).cadence
        seam = before not in (None, cadence)
        if not _closely_enough(done.get(recording.id, ()), model, cadence, interval):
            plan = plan_part(part, point, camera, settings.rules, cadence, seam=seam)
            slow = slow_looks(part, point, camera, settings.rules, shop.second)
            job = job_of(part, plan, settings.archive_root, shop.detector, slow, shop.begin, shop.watch)
            if last is not None and before is not None and goes_on(last, part, camera):
                joins = bool(owed) and owed[-1].part == last
                kept = [one.file for one in done.get(last[0].id, ()) if one.plan_key == _key(before, model)]
                job = replace(
                    job,
                    joins=joins,
                    remembered=partial(_remembered, shop.store, kept),
                    native_remembered=partial(_native_remembered, shop.store, kept),
                )
            owed.append(_Owed(part, cadence, job))
        before = cadence
    return owed


def _key(cadence: Cadence, model: str) -> str:
    return f"{cadence.every_s:g}s-{model}"


def _remembered(store: ObservationStore, files: Sequence[str]) -> Memory:
    """What the gate remembered at the end of the recording before, where that was observed by an earlier scan.

    Of a damaged file nothing: the model looks then. Judging comes upon the same file, and sets it aside.
    """
    try:
        return store.memory(files[0]) if files else ()
    except DamagedObservations:
        return ()


def _kept(
    shop: Shop, report: CameraReport, one: _Owed, model: str, seen: Observed
) -> Observed | UnreadableRecording:
    """Store what a recording showed; the error, where that cannot be stored."""
    path = one.part[0].path
    try:
        with (
            shop.watch.stage("store"),
            barrier(path, partial(UnreadableRecording, path, unexpected=True)),
        ):
            _keep(shop, report, one, model, seen)
            return seen
    except UnreadableRecording as error:
        return error


def _native_remembered(store: ObservationStore, files: Sequence[str]) -> str:
    """What was known of the view at the end of the recording before, where that was observed by an earlier scan."""
    return store.native_memory(files[0]) if files else ""


def _keep(shop: Shop, report: CameraReport, one: _Owed, model: str, seen: Observed) -> None:
    """Store what a recording showed, and then say in the catalogue that it is done."""
    recording, interval = one.part
    local = interval.start.astimezone(report.camera.timezone)
    key = _key(one.cadence, model)
    file = shop.store.write(
        report.camera.id, recording.id, key, local, seen.seen, seen.memory, seen.native_memory
    )
    shop.catalogue.mark_observed(
        recording,
        key,
        model_id=shop.detector.model_id,
        file=file,
        samples=len(seen.seen),
        failed=len(seen.failed),
        observed=interval if seen.seen or not one.job.offsets_s else None,
        blind=[
            *_failed_stretches(recording, interval, seen, one.cadence),
            *_misshapen_stretches(one.part, report.camera, seen),
        ],
    )


def _misshapen_stretches(part: Part, camera: Camera, seen: Observed) -> Iterator[BlindStretch]:
    """The time whose pictures have another shape than the camera's zones were drawn on."""
    recording, interval = part
    start = recording.interval.start
    later = [max(interval.start, start + timedelta(seconds=s.offset_s)) for s in seen.shapes[1:]]
    since, until = [interval.start, *later], [*later, interval.end]
    # Where no picture decoded there is no shape, and the one stretch stands for nothing.
    for shape, begin, end in zip(seen.shapes, since, until, strict=False):
        if not _fits(shape, camera) and begin < end:
            yield BlindStretch.of_shape(Interval(begin, end), shape.resolution_wh)


def _fits(shape: Shaped, camera: Camera) -> bool:
    """Whether pictures have the shape of the camera's zones, as they are stored or as players show them."""
    width, height = shape.resolution_wh
    shown_wh = (round(width * shape.pixel_aspect), height)
    return not width or any(same_shape(wh, camera.resolution_wh) for wh in ((width, height), shown_wh))


def _failed_stretches(
    recording: Recording, interval: Interval, seen: Observed, cadence: Cadence
) -> list[BlindStretch]:
    """The time that failed moments stand for, reason by reason."""
    stretches = []
    for reason in sorted({f.reason for f in seen.failed}):
        missed = []
        for failed in seen.failed:
            start = recording.interval.start + timedelta(seconds=failed.offset_s)
            stood_for = Interval(start, start + timedelta(seconds=cadence.every_s))
            if failed.reason == reason and (shared := stood_for.intersection(interval)):
                missed.append(shared)
        stretches += [BlindStretch(stretch, reason) for stretch in union(missed, join_gap_s=1.0)]
    return stretches


def _observed(catalogue: Catalogue, camera: Camera, wanted: Sequence[Part]) -> dict[str, list[ObservedPart]]:
    if not wanted:
        return {}
    whole = Interval(wanted[0][1].start, max(interval.end for _, interval in wanted))
    done: dict[str, list[ObservedPart]] = {}
    for observed in catalogue.observed_parts(camera.id, whole):
        done.setdefault(observed.recording_id, []).append(observed)
    return done


def _closely_enough(
    done: Sequence[ObservedPart], model: str, cadence: Cadence, interval: Interval
) -> ObservedPart | None:
    """The closest earlier look at a part that serves: the same model, no wider cadence, the whole part."""
    serving = [
        part
        for part in done
        if part.plan_key.endswith(model)
        and every_s(part) <= cadence.every_s + 1e-6
        and part.observed is not None
        and part.observed.start <= interval.start
        and part.observed.end >= interval.end
    ]
    return min(serving, key=every_s, default=None)


def _mark_blind(shop: Shop, wanted: Sequence[Part], camera: Camera, faults: Sequence[ViewFault]) -> None:
    """Say in the catalogue which observed time cannot be judged, so that coverage never calls it clean."""
    if not faults:
        return
    for recording, interval in wanted:
        for observed in _observed(shop.catalogue, camera, [(recording, interval)]).get(recording.id, []):
            blind = [BlindStretch(s, f.what) for f in faults if (s := f.interval.intersection(interval))]
            new = [stretch for stretch in blind if stretch not in observed.blind]
            if new:
                shop.catalogue.mark_observed(
                    recording,
                    observed.plan_key,
                    model_id=observed.model_id,
                    file=observed.file,
                    samples=observed.samples,
                    failed=observed.failed,
                    observed=observed.observed,
                    blind=[*observed.blind, *new],
                )


def _prove_and_file(
    shop: Shop, report: CameraReport, incidents: Sequence[Incident], looker: Looker
) -> CameraReport:
    if not incidents:
        return report
    whole = Interval(min(i.interval.start for i in incidents), max(i.interval.end for i in incidents))
    decided = shop.queue.verdicts(report.camera.id, Interval(whole.start - timedelta(days=1), whole.end))
    detector = closer(shop.detector, report.camera)
    for incident in incidents:
        if verdict_key(incident, shop.detector.model_id) in decided:
            report = replace(report, known=report.known + 1)
        else:
            report = _verified(shop, report, incident, looker, detector)
    return report


def _verified(
    shop: Shop, report: CameraReport, incident: Incident, looker: Looker, detector: Detector
) -> CameraReport:
    """Look closer at one suspicion and keep what comes of it; an unexpected error leaves it to the next scan."""
    camera, zone = report.camera, incident.zone_id or "whole picture"
    begins = incident.interval.start.astimezone(camera.timezone).isoformat(sep=" ", timespec="seconds")
    what = f"{incident.violation} in {zone} from {begins}"
    try:
        with barrier(f"camera {camera.id}: {what}", UnexpectedFault):
            return _decided(shop, report, incident, looker, detector)
    except UnexpectedFault as error:
        looker.close()
        return replace(report, undecided=(*report.undecided, f"{what} could not be verified: {error}"))


def _decided(
    shop: Shop, report: CameraReport, incident: Incident, looker: Looker, detector: Detector
) -> CameraReport:
    dropped, filed = list(report.dropped), list(report.filed)
    failed, unseen = list(report.failed), list(report.unseen)
    looker.forget_copies()
    # The whole suspicion's own verdict comes last: once it is kept, all that is left of it is decided too.
    for suspicion, verdict in reversed(verdicts_on(incident, looker, detector, shop.second)):
        key = verdict_key(suspicion, shop.detector.model_id)
        same = _told_by(shop, verdict.incident) if isinstance(verdict, Proof) else None
        if same is not None and same.fingerprint != suspicion.fingerprint:
            verdict = Dropped(suspicion, f"the same object as issue {same.id}")  # noqa: PLW2901
        if isinstance(verdict, Proof):
            with shop.watch.stage("continuity"):
                earlier = _earlier_of(shop, report, verdict)
            with shop.watch.stage("evidence"):
                filed.append((verdict.incident, _file(shop, report, key, verdict, looker, earlier)))
        elif lost := _lost(shop, report, suspicion):
            failed += lost
            unseen += [recording for recording, _ in lost]
        else:
            shop.queue.drop(suspicion, verdict_key=key, reason=verdict.reason)
            dropped.append(verdict)
    return replace(
        report,
        failed=tuple(failed),
        unseen=tuple(unseen),
        dropped=tuple(dropped),
        filed=tuple(filed),
    )


def _earlier_of(shop: Shop, report: CameraReport, proof: Proof) -> Earlier:
    """What the pictures say of issues in the same place from before or after a gap in the recordings."""
    candidates = candidates_of(shop.queue, proof)
    if not candidates:
        return NOTHING_EARLIER
    around = reach_of(proof.incident)
    near = [(r, part) for r, part in parts(report.archive.recordings) if part.overlaps(around)]
    blind = [*blind_times(shop.catalogue, report.camera, around), *(f.interval for f in report.faults)]
    unusable = [ViewFault(stretch, "") for stretch in blind]
    with looker_over(near, shop.settings.archive_root, unusable, shop.begin) as looker:
        return Neighbours(looker, near).earlier(proof, candidates)


def _lost(shop: Shop, report: CameraReport, incident: Incident) -> list[tuple[Recording, str]]:
    """Recordings of a suspicion that can no longer be read: nothing is decided then, and the next scan looks again."""
    concerned = [r for r, interval in report.parts if interval.overlaps(incident.interval)]
    root = shop.settings.archive_root
    return [(r, "could not be read for a closer look") for r in concerned if not _unchanged(r, root)]


def _unchanged(recording: Recording, root: Path) -> bool:
    try:
        status = (root / recording.path).stat()
    except OSError:
        return False
    now = (status.st_size, status.st_mtime_ns)
    return os.access(root / recording.path, os.R_OK) and now == (recording.size_bytes, recording.modified_ns)


def _told_by(shop: Shop, incident: Incident) -> Issue | None:
    """An issue that tells all that this incident would; filing it again would only add pictures."""
    wanted = IssueFilter(
        cameras=(incident.camera_id,), violations=(incident.violation,), period=incident.interval
    )
    for issue in shop.queue.find(wanted):
        own = incident.interval
        covers = any(s.start <= own.start and s.end >= own.end for s in issue.stretches)
        if covers and is_same_place(issue.box, incident.box) and issue.zone_id == incident.zone_id:
            return issue
    return None


def verdict_key(incident: Incident, model_id: str) -> str:
    """Names a suspicion together with all that its proof depends on."""
    depends = (
        incident.fingerprint,
        incident.interval.end.isoformat(),
        f"{incident.limit_s:g}",
        model_id,
        PROOF_VERSION,
    )
    return hashlib.sha256("|".join(depends).encode()).hexdigest()[:40]


def _file(
    shop: Shop, report: CameraReport, key: str, proof: Proof, looker: Looker, earlier: Earlier
) -> Filed:
    evidence = write_evidence(
        shop.evidence_root,
        proof,
        scene_of(shop, report.point, report.camera, proof.incident),
        _clip(proof, looker),
        shop.key,
    )
    return shop.queue.file(
        proof.incident,
        evidence,
        explanation=proof.explanation,
        explanation_zh=proof.explanation_zh,
        model_id=shop.detector.model_id,
        rules_version=shop.settings.rules.version,
        verdict_key=key,
        start_uncertainty_s=proof.start_uncertainty_s,
        end_uncertainty_s=proof.end_uncertainty_s,
        earlier=earlier,
        timezone=shop.settings.timezone,
    )


def scene_of(shop: Shop, point: Point, camera: Camera, incident: Incident) -> Scene:
    code = shop.settings.codes[incident.violation]
    return Scene(
        point=point,
        camera=camera,
        zone_name=incident.zone_id or "",
        code=code.code,
        violation_zh=code.name,
        violation_en=code.name_en,
        model_id=shop.detector.model_id,
        model_sha256=shop.detector.sha256,
        rules_version=shop.settings.rules.version,
        kerbwatch_version=__version__,
    )


def _clip(proof: Proof, looker: Looker) -> Iterator[tuple[datetime, Image, Box | None]]:
    """Pictures from shortly before the object came to shortly after it left, closer together at both ends."""
    interval = proof.incident.interval
    start = interval.start - timedelta(seconds=CLIP_LEAD_S)
    end = interval.end + timedelta(seconds=CLIP_LEAD_S)
    near_s = min(2 * CLIP_LEAD_S, (end - start).total_seconds() / 3)
    quarter = CLIP_PICTURES // 4
    coming = [start + timedelta(seconds=near_s * k / quarter) for k in range(quarter)]
    leaving = [end - timedelta(seconds=near_s * k / quarter) for k in range(quarter, 0, -1)]
    rest_s = (end - start).total_seconds() - 2 * near_s
    middle = [coming[0] + timedelta(seconds=near_s + rest_s * k / (2 * quarter)) for k in range(2 * quarter)]
    last: datetime | None = None
    # Keyframes serve where there is one since the picture before: decoding to the very moment would cost as much as
    # all the rest of the proof.
    ends_s = near_s / quarter
    for moments, tolerance_s in ((coming, ends_s), (middle, rest_s / (4 * quarter)), (leaving, ends_s)):
        for seen in looker.each(moments, tolerance_s, COPY_WH):
            if last is None or seen.at > last:
                last = seen.at
                yield seen.at, seen.frame.image, proof.incident.box if seen.at in interval else None


def unreadable(report: CameraReport) -> bool:
    """Whether the scan of a camera finished with something that could not be read."""
    usable = (
        RecordingState.READABLE,
        RecordingState.REPEATED,
        RecordingState.GROWING,
        RecordingState.OTHER_CHANNEL,
    )
    return bool(
        report.failed
        or report.undecided
        or report.archive.fault
        or report.archive.unplaced
        or report.archive.ignored
        or any(recording.state not in usable for recording in report.archive.recordings)
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
