"""The flow over a few files, without an archive, a database or a queue: for `check` and `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from detector.config.rules import RuleSet
from detector.core.errors import UnreadableRecording
from detector.core.times import Interval
from detector.core.values import Camera, Observation, Point, Proof, Recording, RecordingState
from detector.decoding.reader import probe
from detector.inference.detector import Detector
from detector.judging.camera_fault import ViewFault
from detector.observing.observe import Failed
from detector.pipeline.flow import Part, judge_and_prove, observe_part, plan_part
from detector.proving.prove import Dropped


@dataclass(frozen=True, slots=True)
class Checked:
    """What a spot check found in one camera's files."""

    parts: tuple[Part, ...]
    observations: tuple[Observation, ...]
    failed: tuple[Failed, ...]
    proofs: tuple[Proof, ...]
    dropped: tuple[Dropped, ...]
    faults: tuple[ViewFault, ...]

    @property
    def start(self) -> datetime:
        return self.parts[0][1].start

    @property
    def view(self) -> str:
        """'ok', or 'unusable' where most of the looks cannot be judged."""
        looks = len(self.observations)
        bad = sum(any(o.at in fault.interval for fault in self.faults) for o in self.observations)
        return "unusable" if not looks or bad > looks / 2 else "ok"

    @property
    def duration_s(self) -> float:
        return sum(interval.duration_s for _, interval in self.parts)


def check_files(
    files: Sequence[Path], start: datetime, point: Point, camera: Camera, rules: RuleSet, detector: Detector
) -> Checked:
    """Run the flow over consecutive files of one camera. Raises UnreadableRecording: a spot check needs its file."""
    parts = _parts(files, start, camera)
    observations: list[Observation] = []
    failed: list[Failed] = []
    for part in parts:
        seen = observe_part(part, plan_part(part, point, camera, rules), Path(), detector)
        observations += seen.seen
        failed += seen.failed
    judgement, verdicts = judge_and_prove(observations, parts, point, camera, rules, Path(), detector)
    return Checked(
        parts=tuple(parts),
        observations=tuple(observations),
        failed=tuple(failed),
        proofs=verdicts.proofs,
        dropped=verdicts.dropped,
        faults=judgement.faults,
    )


def _parts(files: Sequence[Path], start: datetime, camera: Camera) -> list[Part]:
    parts: list[Part] = []
    for file in files:
        info = probe(file)
        if info.duration_s <= 0:
            raise UnreadableRecording(str(file), "holds no time")
        interval = Interval(start, start + timedelta(seconds=info.duration_s))
        status = file.stat()
        recording = Recording(
            camera_id=camera.id,
            path=str(file),
            size_bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            interval=interval,
            state=RecordingState.TRUNCATED if info.truncated else RecordingState.READABLE,
            resolution_wh=info.resolution_wh,
        )
        parts.append((recording, interval))
        start = interval.end
    return parts
