"""A made incident: a red block that stands in a zone of a grey street."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import (
    Camera,
    Category,
    Frame,
    Image,
    Incident,
    Point,
    Proof,
    Recording,
    RecordingState,
    Still,
    Violation,
    Zone,
    ZoneKind,
)
from detector.evidence import Scene

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 8, 23, 58, 30, tzinfo=SHANGHAI)
BOX: Box = (0.5, 0.4, 0.6, 0.55)
ZONE = Zone("stand", ZoneKind.NO_PARKING, ((0.4, 0.3), (0.8, 0.3), (0.8, 0.8), (0.4, 0.8)))
Shots = list[tuple[datetime, Image, Box | None]]


def street(width: int = 320, height: int = 240, brightness: int = 120) -> Image:
    """A grey street with some texture and a red block inside BOX."""
    rng = np.random.default_rng(7)
    image = rng.integers(brightness // 2, brightness, (height, width, 3), dtype=np.uint8)
    rows = slice(round(BOX[1] * height), round(BOX[3] * height))
    image[rows, round(BOX[0] * width) : round(BOX[2] * width)] = (20, 20, 200)
    return image


@pytest.fixture
def scene() -> Scene:
    camera = Camera("p017-c1", (ZONE,), SHANGHAI, (320, 240))
    point = Point("p017", "南门大街路口", "South Gate Street", Category.INTERSECTION, (camera,))
    return Scene(
        point=point,
        camera=camera,
        zone_name="东侧禁停区 stand",
        code="0505",
        violation_zh="机动车违停",
        violation_en="Illegal parking",
        model_id="yolov8n",
        model_sha256="ab" * 32,
        rules_version="r1",
        kerbwatch_version="0.1.0",
    )


@pytest.fixture
def make_proof() -> Callable[..., Proof]:
    def make(
        box: Box | None = BOX, size: tuple[int, int] = (320, 240), start_uncertainty_s: float = 1.5
    ) -> Proof:
        fault = box is None
        incident = Incident(
            violation=Violation.CAMERA_FAULT if fault else Violation.ILLEGAL_PARKING,
            point_id="p017",
            camera_id="p017-c1",
            zone_id=None if fault else ZONE.id,
            interval=Interval(START, START + timedelta(seconds=432)),
            limit_s=180.0,
            box=box,
            share=0.83,
            confidence=0.9,
        )
        recording = Recording(
            camera_id="p017-c1",
            path="p017/23.mp4",
            size_bytes=12345,
            modified_ns=1,
            interval=Interval(START - timedelta(hours=1), START + timedelta(hours=1)),
            state=RecordingState.READABLE,
        )
        stills = tuple(
            Still(START + timedelta(seconds=s), recording, Frame(3600.0 + s, street(*size), "cd" * 32), box)
            for s in (1, 216, 431)
        )
        return Proof(incident, stills, start_uncertainty_s, 2.0, 0.91, "stood 7 min 12 s", "停留7分12秒")

    return make


@pytest.fixture
def proof(make_proof: Callable[..., Proof]) -> Proof:
    return make_proof()


@pytest.fixture
def shots() -> Shots:
    """Eight pictures, not evenly spaced; the object is not seen in the first."""
    seconds = (-10, 0, 3, 60, 61, 200, 400, 431)
    return [(START + timedelta(seconds=s), street(), BOX if s >= 0 else None) for s in seconds]
