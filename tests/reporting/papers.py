"""Rows of a ledger and pictures for the papers' tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from detector.core.values import Category, Violation
from detector.issues import State
from detector.reporting.pictures import Pair, Picture, paper_picture
from detector.reporting.rows import LedgerRow, Named

SHANGHAI = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2026, 1, 8, 8, 0, tzinfo=SHANGHAI)
NOW = datetime(2026, 1, 12, 9, 0, tzinfo=SHANGHAI)

POLICE = Named("traffic_police", "交警大队", "Traffic Police")
STREET = Named("urban_management", "综合执法局", "Urban Management")
LONG = Named(
    "p030",
    "非常长的点位名称：人民路与解放路交叉口东北角农业银行门前人行道及非机动车停放区域" * 3,
    "A long name " * 12,
)


def row(number: int = 1, state: State = State.FLAGGED, **more: Any) -> LedgerRow:
    """A car that stood five minutes at a point's kerb on the eighth of January."""
    start = more.pop("start", MORNING)
    plain = LedgerRow(
        number=number,
        public_id=f"id-{number}",
        state=state,
        violation=Violation.ILLEGAL_PARKING,
        violation_name=Named("0505", "机动车违停", "Illegal parking"),
        point=Named("p001", "人民路东段", "Renmin Road East"),
        category=Category.ARTERIAL,
        grid="W01",
        camera_id="p001",
        zone_id="kerb",
        start=start,
        end=start + timedelta(minutes=5),
        limit_s=180.0,
        explanation=Named("", "停留5分, 时限3分", "stood 5 min, limit 3 min"),
        evidence_folder=f"2026-01-08/p001/{number:032x}",
        filed_at=start + timedelta(hours=1),
    )
    return replace(plain, **more)


def dispatched(number: int = 1, state: State = State.DISPATCHED, **more: Any) -> LedgerRow:
    """One that the police were given at ten, to be put right within a day."""
    given: Mapping[str, Any] = {
        "department": POLICE,
        "order": "JB-20260108-001",
        "confirmed_at": MORNING + timedelta(hours=2),
        "dispatched_at": MORNING + timedelta(hours=2),
        "due_at": MORNING + timedelta(hours=26),
    }
    return row(number, state, **{**given, **more})


def picture(seed: int, width: int = 320, height: int = 180) -> Picture:
    """A JPEG of its own for every seed."""
    image = np.full((height, width, 3), 20 + seed * 7 % 200, np.uint8)
    cv2.putText(image, str(seed), (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 3)
    return paper_picture(image, width)


class Made:
    """Pictures of its own for every issue but those named; remembers what was asked for."""

    def __init__(self, without: frozenset[str] = frozenset()) -> None:
        self.without = without
        self.asked: list[str] = []

    def __call__(self, evidence_folder: str, scene_px: int, closeup_px: int) -> Pair:
        self.asked.append(evidence_folder)
        if evidence_folder in self.without:
            return Pair()
        seed = int(evidence_folder.rpartition("/")[2], 16)
        return Pair(picture(seed), picture(10_000 + seed, 160, 120))
