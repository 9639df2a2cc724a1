"""The flow over a few files, without an archive, a database or a queue: for `check` and `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from detector.config.rules import RuleSet
from detector.core.errors import UnreadableRecording
from detector.core.geometry import same_shape
from detector.core.times import Interval
from detector.core.values import (
    Camera,
    MediaInfo,
    Observation,
    Point,
    Proof,
    Recording,
    RecordingState,
    Violation,
)
from detector.decoding.reader import probe, study
from detector.footage.archive import read_named_length_s
from detector.footage.timeline import Bounds, Placed, Unplaceable, disagrees, reconcile
from detector.inference.detector import Detector
from detector.inference.second import NO_SECOND_MODELS, SecondModels
from detector.judging.camera_fault import ViewFault
from detector.judging.judge import Judgement, judge_each
from detector.observing.observe import Failed, Observed
from detector.pipeline.flow import (
    Part,
    closer,
    job_of,
    looker_over,
    observe_jobs,
    plan_part,
    sight_of,
    slow_looks,
    verdicts_on,
)
from detector.proving.prove import Dropped
from detector.proving.verdict import Decide, verdict_on
from detector.sampling.plan import Look


@dataclass(frozen=True, slots=True)
class Checked:
    """What a spot check found in one camera's files."""

    parts: tuple[Part, ...]
    observations: tuple[Observation, ...]
    failed: tuple[Failed, ...]
    proofs: tuple[Proof, ...]
    dropped: tuple[Dropped, ...]
    faults: tuple[ViewFault, ...]
    unseen: tuple[Interval, ...] = ()
    """Time of which no picture was had."""

    @property
    def start(self) -> datetime:
        """Where the clip begins, or the stretch of recordings; a clip's first picture may come later."""
        recording, part = self.parts[0]
        return recording.interval.start if part.start == recording.shown.start else part.start

    @property
    def clock_notes(self) -> tuple[str, ...]:
        """What there is to say of how the files' pictures got their times, each with its file."""
        told = {recording.path: recording.reason for recording, _ in self.parts if recording.reason}
        return tuple(f"{path}: {reason}" for path, reason in told.items())

    @property
    def view(self) -> str:
        """'ok', or 'unusable' where most of the looks cannot be judged."""
        looks = len(self.observations)
        # A closer look knows when a fault began; by looks alone the first of a frozen picture is a good one.
        proven = [p.incident.interval for p in self.proofs if p.incident.violation is Violation.CAMERA_FAULT]
        blind = [*(fault.interval for fault in self.faults), *proven]
        bad = sum(any(o.at in interval for interval in blind) for o in self.observations)
        return "unusable" if not looks or bad > looks / 2 else "ok"

    @property
    def duration_s(self) -> float:
        return sum(interval.duration_s for _, interval in self.parts)


def check_files(
    files: Sequence[Path],
    start: datetime,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    detector: Detector,
    second: SecondModels = NO_SECOND_MODELS,
) -> Checked:
    """Run the flow over consecutive files of one camera. Raises UnreadableRecording: a spot check needs its file."""
    parts = parts_of(files, start, camera)
    plans = [plan_part(part, point, camera, rules) for part in parts]
    seen = observe_files(parts, plans, point, camera, rules, detector, second)
    return judge_files(parts, seen, point, camera, rules, detector, second)


def observe_files(
    parts: Sequence[Part],
    plans: Sequence[Sequence[Look]],
    point: Point,
    camera: Camera,
    rules: RuleSet,
    detector: Detector,
    second: SecondModels = NO_SECOND_MODELS,
) -> Observed:
    """Look at each part by its plan. Raises UnreadableRecording."""
    observations: list[Observation] = []
    failed: list[Failed] = []
    jobs = (
        job_of(part, plan, Path(), detector, slow_looks(part, point, camera, rules, second))
        for part, plan in zip(parts, plans, strict=True)
    )
    for job, seen in observe_jobs(jobs, detector, sight_of(camera)):
        if isinstance(seen, UnreadableRecording):
            raise seen
        observations += seen.seen
        failed += [replace(one, recording_id=job.recording.id) for one in seen.failed]
    return Observed(tuple(observations), tuple(failed))


def judge_files(
    parts: Sequence[Part],
    seen: Observed,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    detector: Detector,
    second: SecondModels = NO_SECOND_MODELS,
) -> Checked:
    """Judge what was seen of the files, and look closer."""
    judgement = judge_files_by(parts, seen, point, camera, [rules])[0]
    return prove_files(parts, seen, judgement, camera, detector, second)


def judge_files_by(
    parts: Sequence[Part], seen: Observed, point: Point, camera: Camera, rule_sets: Sequence[RuleSet]
) -> list[Judgement]:
    """What each rule set makes of what was seen of the files."""
    return judge_each(seen.seen, point, camera, rule_sets, unseen=_unseen(parts, seen))


def prove_files(
    parts: Sequence[Part],
    seen: Observed,
    judgement: Judgement,
    camera: Camera,
    detector: Detector,
    second: SecondModels = NO_SECOND_MODELS,
    decide: Decide = verdict_on,
) -> Checked:
    """Look closer at what was suspected of the files, by `decide`."""
    with looker_over(parts, Path(), judgement.faults) as looker:
        verdicts = verdicts_on(judgement.incidents, looker, closer(detector, camera), second, decide)
    return Checked(
        parts=tuple(parts),
        observations=seen.seen,
        failed=seen.failed,
        proofs=verdicts.proofs,
        dropped=verdicts.dropped,
        faults=judgement.faults,
        unseen=tuple(_unseen(parts, seen)),
    )


def _unseen(parts: Sequence[Part], seen: Observed) -> list[Interval]:
    """The time that failed moments stand for: from each to the next look at its recording, or to the part's end."""
    found: list[Interval] = []
    for recording, whole in parts:
        start = recording.interval.start
        failed = {
            start + timedelta(seconds=f.offset_s) for f in seen.failed if f.recording_id == recording.id
        }
        shown = {o.at for o in seen.seen if o.recording_id == recording.id}
        until = dict(pairwise([*sorted(shown | failed), whole.end]))
        missed = [Interval(at, until[at]) for at in sorted(failed - shown) if until[at] > at]
        found += [shared for stretch in missed if (shared := stretch.intersection(whole))]
    return found


def shape_of(parts: Sequence[Part], camera: Camera) -> tuple[int, int]:
    """Width and height in square pixels of the pictures as they are shown; where several parts differ, of one that has
    another shape than the camera's zones.
    """
    shapes = [
        recording.media.shape_wh
        if recording.media is not None and min(recording.media.shape_wh) > 0
        else recording.resolution_wh
        for recording, _ in parts
    ]
    return next((shape for shape in shapes if not same_shape(shape, camera.resolution_wh)), shapes[0])


def parts_of(
    files: Sequence[Path], start: datetime, camera: Camera, *, names: Sequence[str] | None = None
) -> list[Part]:
    """The files as consecutive recordings from `start` on. Raises UnreadableRecording.

    `names` are what the files were called by their recorder, where that is not their path: a name with a start and an
    end says how long a recording lasts.
    """
    parts: list[Part] = []
    for file, name in zip(files, names or [file.as_posix() for file in files], strict=True):
        info, placed = _place(file, read_named_length_s(name, camera))
        interval = Interval(start, start + timedelta(seconds=placed.covers_s))
        status = file.stat()
        recording = Recording(
            camera_id=camera.id,
            path=str(file),
            size_bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            interval=interval,
            state=RecordingState.TRUNCATED if placed.is_short else RecordingState.READABLE,
            reason=placed.reason,
            resolution_wh=info.resolution_wh,
            timeline=placed.timeline,
            media=info,
        )
        parts.append((recording, recording.shown))
        start = interval.end
    return parts


def _place(file: Path, named_s: float | None) -> tuple[MediaInfo, Placed]:
    """What a file holds, and how its pictures lie in the time that its name gives it, if it gives any."""
    info, bounds = probe(file), Bounds(named_s=named_s)
    if disagrees(info, bounds):
        info = study(file)
    if info.duration_s <= 0:
        raise UnreadableRecording(str(file), "holds no time")
    placed = reconcile(info, bounds)
    if isinstance(placed, Unplaceable):
        raise UnreadableRecording(str(file), placed.reason)
    return info, placed
