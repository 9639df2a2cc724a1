"""Labelled clips and scores made by hand, for tests of the figures."""

from __future__ import annotations

from datetime import datetime

from detector.config.labels import LabelledClip, LabelledEvent, LabelledFault
from detector.core.values import Violation, Zone, ZoneKind
from detector.evaluation.evaluate import ClipScore, Drop, Pictured
from detector.evaluation.scores import Finding, match, match_faults

KERB = Zone("kerb", ZoneKind.NO_PARKING, ((0, 0.5), (1, 0.5), (1, 1), (0, 1)))
BOX = (0.2, 0.5, 0.4, 0.8)


def event(from_s: float, until_s: float, *, tolerance_s: float | None = None, box=BOX) -> LabelledEvent:
    return LabelledEvent(Violation.ILLEGAL_PARKING, "kerb", from_s, until_s, box, tolerance_s, "a <red> van")


def finding(
    from_s: float, until_s: float, *, violation=Violation.ILLEGAL_PARKING, zone="kerb", box=BOX
) -> Finding:
    return Finding(violation, zone, from_s, until_s, box, "stood 6 min, limit 3 min")


def fault(from_s: float, until_s: float, what: str = "dark") -> Finding:
    return Finding(Violation.CAMERA_FAULT, None, from_s, until_s, None, what=what)


def clip(
    events: tuple[LabelledEvent, ...] = (),
    faults: tuple[LabelledFault, ...] = (),
    *,
    at: str = "2026-01-08T08:00:00+08:00",
    view: str = "ok",
    light=None,
    limits=None,
    name: str = "clips/a.mp4",
) -> LabelledClip:
    return LabelledClip(
        (name,), datetime.fromisoformat(at), "", (960, 540), (KERB,),
        limits or {"illegal_parking": {"dwell_s": 180.0}}, events, faults, view, light,
    )  # fmt: skip


def score(
    labelled: LabelledClip,
    findings: tuple[Finding, ...] = (),
    faults: tuple[Finding, ...] = (),
    *,
    duration_s: float = 3600.0,
    view: str = "ok",
    pictures: tuple[Pictured, ...] = (),
    dropped: tuple[Drop, ...] = (),
) -> ClipScore:
    return ClipScore(
        clip=labelled, source="made", duration_s=duration_s, looks=60, unreadable_looks=0, every_s=60.0, view=view,
        findings=findings, faults=faults, dropped=dropped, matching=match(findings, labelled.events),
        fault_matching=match_faults(faults, labelled.faults), pictures=pictures,
    )  # fmt: skip
