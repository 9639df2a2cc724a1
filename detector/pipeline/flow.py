"""The steps of the flow for one camera, each used by scan, check and evaluate alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from detector.config.rules import RuleSet
from detector.config.violations import Pictures, with_pictures
from detector.core.errors import UnreadableRecording
from detector.core.geometry import bounds, is_same_object
from detector.core.stopwatch import Stopwatch
from detector.core.times import Interval, days_of
from detector.core.values import (
    Camera,
    Frame,
    Incident,
    Point,
    Proof,
    Recording,
    ViewFault,
    Violation,
)
from detector.decoding.reader import Reader
from detector.decoding.view import packed, view_state
from detector.inference.detector import Attended, Detector
from detector.inference.second import NO_SECOND_MODELS, SecondModels
from detector.observing.containers import Containers
from detector.observing.native import Native
from detector.observing.observe import Job, Observed, PictureAt, Sight, SlowLooks, observe_each
from detector.observing.watched import watched
from detector.proving import verdict
from detector.proving.looker import Looker, OpenRecording
from detector.proving.prove import Dropped
from detector.proving.verdict import Decide, verdict_on
from detector.sampling.plan import Cadence, Look, Stretch, cadence_for, looks, looks_at

Part = tuple[Recording, Interval]
"""A usable recording and the time that it answers for; parts of one camera do not overlap."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of a camera's suspicions."""

    proofs: tuple[Proof, ...]
    dropped: tuple[Dropped, ...]


def stretches_of(point: Point, camera: Camera, rules: RuleSet, part: Interval) -> list[Stretch]:
    """The part cut where the shortest limit in force changes."""
    stretches = []
    for day in days_of(part, camera.timezone):
        for interval, limit_s, why in rules.shortest_limits(
            point.category, camera.zones, day, camera.timezone
        ):
            if shared := interval.intersection(part):
                stretches.append(Stretch(shared, limit_s, why))
    return stretches


def slow_looks(
    part: Part, point: Point, camera: Camera, rules: RuleSet, second: SecondModels
) -> SlowLooks | None:
    """How often pictures of a part are kept, and which models are asked at these samples; None where never."""
    slow, decoded = (
        {v: s for v in with_pictures(kind) if (s := _shortest_s(v, part, point, camera, rules)) is not None}
        for kind in (Pictures.SLOW, Pictures.DECODED)
    )
    if not slow and not decoded:
        return None
    return SlowLooks(
        _every_s(slow.values()),
        packed,
        second.litter if Violation.LITTER in slow else None,
        _every_s(decoded.values()),
        containers_of(camera, rules, second) if Violation.OVERFLOWING_BIN in slow else None,
    )


def _every_s(limits_s: Iterable[float]) -> float:
    """The time between samples that the shortest limit asks for, in seconds; inf without a limit."""
    return min((cadence_for(limit_s).every_s for limit_s in limits_s), default=math.inf)


def containers_of(camera: Camera, rules: RuleSet, second: SecondModels) -> Containers | None:
    """The camera's street containers with what judges them; None where there are none, or no classifier."""
    rule = rules.rules.get(Violation.OVERFLOWING_BIN)
    boxes = tuple(bounds(zone.polygon) for zone in camera.zones if rule and zone.kind in rule.zones)
    return Containers(second.bins, boxes) if second.bins is not None and boxes else None


def _shortest_s(
    violation: Violation, part: Part, point: Point, camera: Camera, rules: RuleSet
) -> float | None:
    """The shortest limit in seconds that a rule has within a part; None where it is not in force."""
    rule = rules.rules.get(violation)
    if rule is None:
        return None
    stretches = stretches_of(point, camera, RuleSet({violation: rule}), part[1])
    limits_s = [stretch.limit_s for stretch in stretches if stretch.limit_s is not None]
    return min(limits_s, default=None)


NATIVE: Native | None = Native()
"""How small things that stand are looked at; None: not at all."""


def sight_of(camera: Camera, *, gated: bool = True) -> Sight:
    """How a camera's pictures are looked at: only where its zones are, and only when something moved there; what stands
    and is small, at the camera's own resolution.
    """
    return Sight(watched(camera.zones), gated, NATIVE if camera.zones else None)


def closer(detector: Detector, camera: Camera) -> Detector:
    """What looks closer at a camera's suspicions: at the same part of the picture, for nothing else counts, and the model
    is ready for its size.
    """
    return Attended(detector, part=watched(camera.zones))


JOIN_GAP_S = 60.0
"""What the gate remembers of a street serves the next recording if that begins so soon after the end of the last."""


def goes_on(before: Part, part: Part, camera: Camera) -> bool:
    """Whether a part goes on where the one before it ended.

    Both on one local day: days are done apart, in any order, and must come out the same.
    """
    gap_s = (part[1].start - before[1].end).total_seconds()
    days = {day for _, interval in (before, part) for day in days_of(interval, camera.timezone)}
    return 0 <= gap_s <= JOIN_GAP_S and len(days) == 1


def job_of(
    part: Part,
    plan: Sequence[Look],
    root: Path,
    detector: Detector,
    slow: SlowLooks | None = None,
    begin: Callable[[Path], None] = lambda _: None,
    watch: Stopwatch | None = None,
) -> Job:
    """One recording to be looked at, at the planned moments. `begin` is told of it before it is opened."""
    watch = watch or Stopwatch()
    recording, _ = part
    offsets_s = [max(0.0, (look.at - recording.interval.start).total_seconds()) for look in plan]
    tolerance_s = min((look.tolerance_s for look in plan), default=0.0)
    height, width = detector.input_hw

    large_at = slow.large_at(offsets_s) if slow else {}

    @contextmanager
    def opened() -> Iterator[PictureAt]:
        begin(root / recording.path)
        with watch.stage("open"):
            reader = Reader(root / recording.path, recording.timeline)
        with reader:

            def picture_at(offset_s: float) -> Frame | str:
                frame = reader.frame_at(
                    offset_s, tolerance_s, (width, height), large_at.get(offset_s), native=True
                )
                return frame if isinstance(frame, Frame) else frame.reason

            yield watch.calls("decode", picture_at)

    return Job(recording, offsets_s, opened, slow)


def observe_jobs(
    jobs: Iterable[Job],
    detector: Detector,
    sight: Sight,
    *,
    batch: int = 4,
    watch: Stopwatch | None = None,
    closer: Detector | None = None,
) -> Iterator[tuple[Job, Observed | UnreadableRecording]]:
    """Look at one camera's recordings; each is given as soon as it is done, or with why it could not be opened.

    `closer`, or else the detector, is asked about crops at the camera's own resolution.
    """
    watch = watch or Stopwatch()
    view = watch.calls("view", view_state)
    return observe_each(
        jobs, detector, lambda frame: view(frame.image), batch=batch, sight=sight, closer=closer, watch=watch
    )


ON_THE_WAY = "decoded on the way"
"""A stage that only counts: pictures from a keyframe up to one that was wanted. Their time is that one's."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A recording for closer looks, whose decoding is a stage of its own: at full size, or made to fit for a clip."""

    inner: Reader
    watch: Stopwatch

    def frame_at(
        self, offset_s: float, tolerance_s: float = 0.0, fit_wh: tuple[int, int] | None = None
    ) -> object:
        before = self.inner.decoded
        with self.watch.stage("decode clip" if fit_wh else "decode closer"):
            frame = self.inner.frame_at(offset_s, tolerance_s, fit_wh)
        if (on_the_way := self.inner.decoded - before - 1) > 0:
            self.watch.count(ON_THE_WAY, on_the_way)
        return frame

    def close(self) -> None:
        self.inner.close()


def looker_over(
    parts: Sequence[Part],
    root: Path,
    faults: Sequence[ViewFault] = (),
    begin: Callable[[Path], None] = lambda _: None,
    watch: Stopwatch | None = None,
) -> Looker:
    """Eyes on one camera's recordings, at full size; blind where its view has a fault. `begin` is told of each."""
    watch = watch or Stopwatch()
    blind = [fault.unsure or fault.interval for fault in faults]

    def opened(recording: Recording) -> OpenRecording:
        begin(root / recording.path)
        return Timed(Reader(root / recording.path, recording.timeline), watch)

    return Looker(parts, opened, blind=blind)


def verdicts_on(
    incidents: Sequence[Incident],
    looker: Looker,
    detector: Detector,
    second: SecondModels = NO_SECOND_MODELS,
    decide: Decide = verdict_on,
) -> Verdicts:
    found = [v for i in incidents for _, v in verdict.verdicts_on(i, looker, detector, second, decide)]
    proofs = once_each([p for p in found if isinstance(p, Proof)])
    return Verdicts(tuple(proofs), tuple(d for d in found if isinstance(d, Dropped)))


def once_each(proofs: Sequence[Proof]) -> list[Proof]:
    """Proofs that turn out to be one object over one time are one; the one judged first stays."""
    kept: list[Proof] = []
    for proof in proofs:
        a = proof.incident
        same = (
            b.violation == a.violation
            and b.zone_id == a.zone_id
            and b.interval.overlaps(a.interval)
            and (a.box is None or b.box is None or is_same_object(a.box, b.box))
            for b in (other.incident for other in kept)
        )
        if not any(same):
            kept.append(proof)
    return kept


def plan_part(
    part: Part,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    cadence: Cadence | None = None,
    *,
    seam: bool = False,
) -> list[Look]:
    """The moments at which a part is looked at: by the limits in force, or all of it at one cadence.

    `seam` says that the part before it is looked at by another cadence.
    """
    if cadence is None:
        return list(looks(stretches_of(point, camera, rules, part[1])))
    return list(looks_at(part[1], cadence, seam=seam))
