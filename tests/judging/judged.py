"""Made observations: what a camera saw, look by look, and a street to judge it on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import Box
from detector.core.times import DailyHours
from detector.core.values import (
    SIGNATURE_WH,
    Camera,
    Category,
    Detections,
    Observation,
    Point,
    ViewState,
    Violation,
    Zone,
    ZoneKind,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 8, 0, tzinfo=UTC)
"""08:00 in Shanghai."""
CADENCE_S = 54.0
LIMIT_S = 180.0

Thing = tuple[str, Box, float]
"""Label, box and confidence of one detection."""

KERB: Box = (0.3, 0.4, 0.4, 0.5)
FAR: Box = (0.7, 0.4, 0.8, 0.5)
VIEW = np.linspace(0, 255, SIGNATURE_WH[0] * SIGNATURE_WH[1]).astype(np.uint8).reshape(SIGNATURE_WH[::-1])
RECTANGLE = ((0.0, 0.3), (0.5, 0.3), (0.5, 0.6), (0.0, 0.6))


def car(box: Box = KERB, confidence: float = 0.8, label: str = "car") -> Thing:
    return (label, box, confidence)


def look(
    at: datetime, things: Iterable[Thing] = (), view: np.ndarray = VIEW, recording: str = "rec"
) -> Observation:
    found = list(things)
    detections = Detections(
        tuple(label for label, _, _ in found),
        np.array([confidence for _, _, confidence in found], np.float32),
        np.array([box for _, box, _ in found], np.float32).reshape(-1, 4),
    )
    state = ViewState(float(view.mean()), 20.0, view)
    return Observation("c1", at, recording, (at - START).total_seconds(), detections, state)


def series(
    looks: Sequence[Iterable[Thing]], *, start: datetime = START, every_s: float = CADENCE_S
) -> list[Observation]:
    """One look every `every_s` seconds."""
    return [look(start + timedelta(seconds=i * every_s), things) for i, things in enumerate(looks)]


def zone(
    name: str = "kerb",
    kind: ZoneKind = ZoneKind.NO_PARKING,
    polygon: Sequence[tuple[float, float]] = RECTANGLE,
    permitted: Sequence[str] = (),
    limits_s: Mapping[Violation, float] | None = None,
) -> Zone:
    return Zone(name, kind, tuple(polygon), tuple(DailyHours.parse(h) for h in permitted), limits_s or {})


def camera(*zones: Zone) -> Camera:
    return Camera("c1", zones or (zone(),), SHANGHAI, (1920, 1080))


def point(seen_by: Camera) -> Point:
    return Point("p001", "某路", "Some road", Category.ARTERIAL, (seen_by,))


def rules(dwell_s: float = LIMIT_S, *hours: str) -> RuleSet:
    kept = tuple(DailyHours.parse(h) for h in hours or ("00:00-24:00",))
    bays = (ZoneKind.PARKING_BAY,)
    return RuleSet(
        {
            Violation.ILLEGAL_PARKING: RuleSettings(
                Violation.ILLEGAL_PARKING, True, dwell_s, (ZoneKind.NO_PARKING,), kept, exempt_zones=bays
            ),
            Violation.SIDEWALK_PARKING: RuleSettings(
                Violation.SIDEWALK_PARKING, True, dwell_s, (ZoneKind.SIDEWALK,), kept, exempt_zones=bays
            ),
            Violation.CAMERA_FAULT: RuleSettings(Violation.CAMERA_FAULT, True, 60.0, ()),
        }
    )
