"""A recording of which no picture decodes is reported by its moments, and nothing about it is unexpected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from detector.core.times import Interval
from detector.core.values import Camera, Recording, RecordingState
from detector.observing.observe import Failed, Observed, Shaped
from detector.pipeline.scan import _misshapen_stretches

START = datetime(2026, 1, 8, tzinfo=UTC)
WHOLE = Interval(START, START + timedelta(seconds=240))
CAMERA = Camera("c1", (), UTC, (960, 540))
RECORDING = Recording("c1", "a.mp4", 1, 1, WHOLE, RecordingState.READABLE)


def stretches(*shapes: Shaped) -> list[Interval]:
    seen = Observed((), (Failed(0.0, "no picture can be decoded here"),), shapes=shapes)
    return [blind.interval for blind in _misshapen_stretches((RECORDING, WHOLE), CAMERA, seen)]


def test_without_a_decoded_picture_no_time_has_another_shape() -> None:
    assert stretches() == []


def test_the_first_shape_counts_from_the_start_and_each_later_one_from_where_it_was_seen() -> None:
    fits, other = Shaped(5.0, (960, 540), 1.0), Shaped(100.0, (352, 288), 1.0)
    changed = START + timedelta(seconds=100)
    assert stretches(fits, other) == [Interval(changed, WHOLE.end)]
    assert stretches(other, fits) == [Interval(START, START + timedelta(seconds=5))]
