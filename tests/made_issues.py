"""Incidents, evidence and filings for the queue's tests."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Evidence, EvidenceFile, Incident, Violation
from detector.issues import Filed, IssueQueue
from detector.issues.values import NOTHING_EARLIER, Earlier

NOON = datetime(2026, 1, 8, 12, tzinfo=UTC)
CAR: Box = (0.2, 0.4, 0.4, 0.6)


def moment(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def incident(
    start: float = 0,
    end: float = 10,
    *,
    camera_id: str = "p017",
    point_id: str | None = None,
    zone_id: str | None = "kerb",
    box: Box | None = CAR,
    violation: Violation = Violation.ILLEGAL_PARKING,
) -> Incident:
    """A car at a kerb, from and until minutes after noon."""
    return Incident(
        violation=violation,
        point_id=point_id or camera_id,
        camera_id=camera_id,
        zone_id=zone_id,
        interval=Interval(moment(start), moment(end)),
        limit_s=180.0,
        box=box,
        share=0.9,
        confidence=0.8,
    )


def evidence_of(of: Incident) -> Evidence:
    names = ("manifest.json", "scene-1.jpg")
    folder = f"{of.camera_id}/{of.fingerprint}-{of.interval.duration_s:.0f}"
    return Evidence(folder, tuple(EvidenceFile(name, of.fingerprint * 2, 1000) for name in names))


def file(
    queue: IssueQueue,
    of: Incident,
    *,
    key: str | None = None,
    start_uncertainty_s: float = math.inf,
    end_uncertainty_s: float = math.inf,
    earlier: Earlier = NOTHING_EARLIER,
) -> Filed:
    return queue.file(
        of,
        evidence_of(of),
        explanation=f"parked for {of.dwell_s:.0f} s",
        explanation_zh=f"停放 {of.dwell_s:.0f} 秒",
        model_id="yolov8n",
        rules_version="1",
        verdict_key=key or f"{of.fingerprint}-{of.interval.duration_s:.0f}",
        start_uncertainty_s=start_uncertainty_s,
        end_uncertainty_s=end_uncertainty_s,
        earlier=earlier,
    )
