"""Far vehicles of a composed 1080p recording are seen at the camera's own resolution, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from detector.cli.common import default_model, detector_of
from detector.core.geometry import iou, scaled
from detector.core.times import Interval
from detector.core.values import LABEL_GROUPS_MISTAKEN, LabelGroup, Observation, Recording, RecordingState
from detector.demo.outdoor import Encoding, record_play
from detector.demo.scene import truth
from detector.demo.streets import make_play
from detector.inference.detector import Attended
from detector.observing.native import Native
from detector.observing.observe import Observed, Sight
from detector.observing.standing import Switches
from detector.observing.watched import watched
from detector.pipeline.flow import job_of, observe_jobs
from detector.sampling.plan import cadence_for, looks_at

EVERY_S = 14.0
"""Between two pictures of the recording, each a keyframe: a quarter of the cadence for a limit of three minutes."""


@pytest.mark.slow
def test_far_vehicles_are_seen_at_each_sample_and_the_whole_picture_alone_shows_none(
    tmp_path: Path, weights: Path
) -> None:
    play, _ = make_play("far-1080p", 5002)
    path = record_play(
        replace(play, encoding=Encoding(fps=1 / EVERY_S, keyframe_every_s=EVERY_S)), tmp_path / "far.mp4"
    )
    scene = play.scene
    camera = scene.camera
    interval = Interval(scene.start, scene.start + timedelta(seconds=scene.duration_s))
    recording = Recording(camera.id, str(path), 1, 1, interval, RecordingState.READABLE)
    detector, asked = detector_of(default_model(), 1), []

    @contextmanager
    def counted(count: int) -> Iterator[None]:
        asked.append(count)
        yield

    def observed(native: Native | None) -> tuple[list[Observation], int]:
        asked.clear()
        plan = list(looks_at(interval, cadence_for(180.0)))
        job = job_of((recording, interval), plan, Path(), detector)
        sight = Sight(watched(camera.zones), gated=True, native=native)
        ((_, seen),) = observe_jobs([job], detector, sight, closer=Attended(detector, around=counted))
        assert isinstance(seen, Observed)
        return list(seen.seen), sum(asked)

    events = truth(scene)
    assert len(events) == 2
    with_crops, inputs = observed(Native())
    without, none = observed(None)
    _, impatient = observed(Native(Switches(persistence=False)))
    for event in events:
        shown = [o.at for o in with_crops if event.from_s + 1 < o.offset_s < event.until_s - 1]
        assert len(shown) >= 3
        found = partial(
            seen_at, box=scaled(event.box, 1 / scene.resolution_wh[0], 1 / scene.resolution_wh[1])
        )
        assert all(found(o) for o in with_crops if o.at in shown)
        assert not any(found(o) for o in without if o.at in shown)
    assert none == 0
    assert inputs < impatient


def seen_at(observation: Observation, box: tuple[float, float, float, float]) -> bool:
    """Whether a vehicle is seen in a place with the confidence that an observation needs."""
    found = observation.detections
    return any(
        LABEL_GROUPS_MISTAKEN.get(label) is LabelGroup.VEHICLE
        and confidence >= 0.2
        and iou(box, tuple(float(v) for v in own)) >= 0.4  # type: ignore[arg-type]
        for label, confidence, own in zip(found.labels, found.confidences, found.boxes, strict=True)
    )
