"""The values that pass between rooms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detector.core.errors import BadConfig, Fault, KerbwatchError, StorageFull
from detector.core.times import Interval
from detector.core.values import (
    Detections,
    Incident,
    LabelGroup,
    Recording,
    RecordingState,
    Sighting,
    Stay,
    Violation,
)
from detector.core.wording import duration_en, duration_zh

START = datetime(2026, 1, 8, tzinfo=UTC)


def sighting(after_s: float, x: float = 0.1) -> Sighting:
    return Sighting(START + timedelta(seconds=after_s), (x, 0.1, x + 0.1, 0.2), 0.9, "car")


def incident(stay: Stay, end_s: float = 300) -> Incident:
    return Incident(
        Violation.ILLEGAL_PARKING, "p001", "p001", "kerb", Interval(START, START + timedelta(seconds=end_s)),
        180.0, stay.box, 0.8, 0.9, stay,
    )  # fmt: skip


def stay(*sightings: Sighting) -> Stay:
    return Stay("p001", LabelGroup.VEHICLE, sightings, None, None)


def test_detections_of_a_wrong_shape_cannot_be_built() -> None:
    with pytest.raises(ValueError, match=r"2 labels need boxes of shape \(2, 4\)"):
        Detections(("car", "car"), np.zeros(2, np.float32), np.zeros((1, 4), np.float32))


def test_car_truck_bus_and_van_are_one_group() -> None:
    labels = ("person", "car", "truck", "bus", "van", "kite")
    found = Detections(labels, np.linspace(0.1, 0.6, 6, dtype=np.float32), np.zeros((6, 4), np.float32))
    vehicles = found.of(LabelGroup.VEHICLE)
    assert vehicles.labels == ("car", "truck", "bus", "van")
    assert vehicles.confidences.tolist() == found.confidences[1:5].tolist()


def test_a_stay_without_a_sighting_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="sighting"):
        stay()


def test_one_odd_box_does_not_move_a_stay() -> None:
    assert stay(sighting(0), sighting(60, 0.5), sighting(120)).box == pytest.approx((0.1, 0.1, 0.2, 0.2))


def test_a_stay_that_is_seen_for_longer_keeps_its_fingerprint() -> None:
    short, long = (
        stay(sighting(0), sighting(240)),
        stay(sighting(0), sighting(120), sighting(240), sighting(480)),
    )
    assert incident(short).fingerprint == incident(long, 600).fingerprint


def test_another_start_is_another_fingerprint() -> None:
    assert incident(stay(sighting(0))).fingerprint != incident(stay(sighting(60))).fingerprint


def test_a_file_that_changed_is_another_recording() -> None:
    def recording(size: int, modified: int) -> Recording:
        interval = Interval(START, START + timedelta(hours=1))
        return Recording("p001", "a.mp4", size, modified, interval, RecordingState.READABLE)

    assert recording(1, 1).id == recording(1, 1).id
    assert len({recording(1, 1).id, recording(2, 1).id, recording(1, 2).id}) == 3


def test_an_error_says_what_it_is_and_what_to_do() -> None:
    assert str(StorageFull()).startswith("No space is left")
    assert StorageFull.transient
    assert not KerbwatchError.transient


def test_every_fault_of_a_configuration_is_named_with_its_place() -> None:
    error = BadConfig(
        [Fault("a.yaml", "zones[0].knd", "unknown key", "kind"), Fault("b.yaml", "", "is empty")]
    )
    assert str(error) == "a.yaml: zones[0].knd: unknown key; did you mean 'kind'?\nb.yaml: is empty"
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "0 s", "0秒"),
        (59.6, "1 min", "1分"),
        (432, "7 min 12 s", "7分12秒"),
        (3725, "1 h 2 min 5 s", "1小时2分5秒"),
        (-3, "0 s", "0秒"),
    ],
)
def test_a_duration_is_said_in_words(seconds: float, english: str, chinese: str) -> None:
    assert duration_en(seconds) == english
    assert duration_zh(seconds) == chinese
