"""The work of a spot check, in a process of its own: what somebody uploads is opened nowhere else."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from detector.core.errors import BadInput, StorageFull, UnreadableRecording
from detector.core.files import is_disk_full
from detector.core.values import Camera, Proof
from detector.engines.local import end_with_parent
from detector.evidence import Captions, annotated, jpeg
from detector.inference.detector import Attended, Detector
from detector.inference.second import SecondModels
from detector.pipeline.clips import Checked, judge_files, observe_files, parts_of, shape_of
from detector.pipeline.doubts import Assessment, Subject, assess
from detector.pipeline.flow import Part, plan_part
from detector.spotting.values import Finding, Order, Phase, Result, Why

Eyes = tuple[Detector, SecondModels]
"""What looks: the detector, and the models that are asked at few samples."""

OpenEyes = Callable[[], Eyes]
"""Opens them in the worker's process; picklable. Raises BadInput."""

Tell = Callable[[Phase, float], None]

Failure = tuple[Why, str]
"""Why a check cannot be done, with what the decoder or the model said."""

LONGEST_S = 4 * 3600.0
"""Of a clip, or of a stretch."""
WIDEST_PX = 8192
"""Of a clip's picture, either way: a header may claim what no memory holds."""
NICE = 10


class CheckFailed(BadInput):
    """The spot check cannot be done."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.replace("_", " "))
        self.why = why


def look_at(order: Order, eyes: Eyes, tell: Tell) -> Result:
    """Run the flow over what the order names. Raises CheckFailed, UnreadableRecording."""
    parts = order.parts or _clip_parts(order)
    plans = [plan_part(part, order.point, order.camera, order.rules) for part in parts]
    total, so_far = max(1, sum(map(len, plans))), 0

    def count(number: int) -> None:
        nonlocal so_far
        so_far = min(total, so_far + number)
        tell(Phase.LOOKING, so_far / total)

    detector, second = eyes
    tell(Phase.LOOKING, 0.0)
    place = (order.point, order.camera, order.rules)
    seen = observe_files(parts, plans, *place, Attended(detector, after=count), second)
    tell(Phase.CLOSER, 1.0)
    checked = judge_files(parts, seen, *place, detector, second)
    subject = Subject(*place, shape_of(parts, order.camera), order.usual)
    return _result(checked, assess(checked, subject), order)


def _clip_parts(order: Order) -> Sequence[Part]:
    assert order.clip is not None
    parts = parts_of([order.clip], order.start, order.camera, names=[order.clip_name or order.clip.name])
    if sum(interval.duration_s for _, interval in parts) > LONGEST_S:
        raise CheckFailed(Why.TOO_LONG)
    if any(side > WIDEST_PX for recording, _ in parts for side in recording.resolution_wh):
        raise CheckFailed(Why.TOO_LARGE_PICTURE)
    return parts


def _result(checked: Checked, assessed: Assessment, order: Order) -> Result:
    def say(at: datetime) -> str:
        text = at.astimezone(order.camera.timezone).isoformat(sep=" ", timespec="seconds")
        return f"{text[:19]} {text[19:]}"

    return Result(
        view=checked.view,
        duration_s=checked.duration_s,
        looks=len(checked.observations) + len(checked.failed),
        unreadable=len(checked.failed),
        findings=tuple(
            _finding(proof, write_stills(proof, order.camera, order.folder, number, say))
            for number, proof in enumerate(checked.proofs, 1)
        ),
        dropped=tuple((one.incident.violation, one.reason) for one in checked.dropped),
        outcome=assessed.outcome,
        doubts=assessed.doubts,
        unjudged=assessed.unjudged,
        too_long=assessed.too_long,
    )


def _finding(proof: Proof, pictures: Sequence[Path]) -> Finding:
    incident = proof.incident
    return Finding(
        violation=incident.violation,
        zone_id=incident.zone_id,
        start=incident.interval.start,
        end=incident.interval.end,
        limit_s=incident.limit_s,
        confidence=incident.confidence,
        explanation=proof.explanation,
        explanation_zh=proof.explanation_zh,
        pictures=tuple(path.name for path in pictures),
    )


def write_stills(
    proof: Proof, camera: Camera, folder: Path, number: int, say: Callable[[datetime], str]
) -> list[Path]:
    """The stills of the `number`th finding, with box, zone and captions, in time order; `say` tells their time."""
    incident = proof.incident
    zones = [zone for zone in camera.zones if zone.id == incident.zone_id]
    written = []
    for index, still in enumerate(proof.stills, 1):
        captions = Captions(
            below=(
                (f"{incident.violation} {incident.zone_id or ''}", say(still.at)),
                (proof.explanation_zh,),
                (proof.explanation,),
            ),
            violation=incident.violation,
        )
        boxes = [(incident.violation, still.box)] if still.box else []
        path = folder / f"{number:02d}_{incident.violation}_{index}.jpg"
        path.write_bytes(jpeg(annotated(still.frame.image, boxes, zones, captions)))
        written.append(path)
    return written


def work(pipe: Connection, order: Order, open_eyes: OpenEyes) -> None:
    """The outermost frame of the worker's process: whatever comes of the order goes through the pipe."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.nice(NICE)

    def tell(phase: Phase, progress: float) -> None:
        pipe.send((phase, progress))

    try:
        pipe.send(_done(order, open_eyes, tell))
    except BrokenPipeError:
        os._exit(0)


def _done(order: Order, open_eyes: OpenEyes, tell: Tell) -> Result | Failure:
    tell(Phase.OPENING, 0.0)
    try:
        return look_at(order, open_eyes(), tell)
    except CheckFailed as failure:
        return failure.why, ""
    except BadInput as error:
        return Why.NO_MODEL, str(error)
    except UnreadableRecording as error:
        return Why.UNREADABLE, error.reason
    except StorageFull:
        return Why.DISK_FULL, ""
    except OSError as error:
        if not is_disk_full(error):
            raise
        return Why.DISK_FULL, ""
