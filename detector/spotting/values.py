"""What is asked of a spot check, how far it is, and what it found: frozen, and kept as JSON."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from detector.config.rules import RuleSet
from detector.core.times import Interval
from detector.core.values import Camera, Observation, Point, Recording, Violation
from detector.pipeline.doubts import Doubt, DoubtKind, Outcome
from detector.pipeline.flow import Part


class SpotState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        return self in (SpotState.DONE, SpotState.FAILED)


class Phase(StrEnum):
    """What is being done to one that runs."""

    OPENING = "opening"
    LOOKING = "looking"
    CLOSER = "closer"


class Why(StrEnum):
    """Why one failed."""

    UNREADABLE = "unreadable"
    TOO_LONG = "too_long"
    TOO_LARGE_PICTURE = "too_large_picture"
    TOOK_TOO_LONG = "took_too_long"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    """The program ended meanwhile, or somebody gave it up."""
    DISK_FULL = "disk_full"
    NO_MODEL = "no_model"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that withstood the closer look. `pictures` are names of files in the check's folder, in time order."""

    violation: Violation
    zone_id: str | None
    start: datetime
    end: datetime
    limit_s: float
    confidence: float
    explanation: str
    explanation_zh: str
    pictures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return values | {"start": self.start.isoformat(), "end": self.end.isoformat()}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Finding:
        return cls(
            **values
            | {
                "violation": Violation(values["violation"]),
                "start": datetime.fromisoformat(values["start"]),
                "end": datetime.fromisoformat(values["end"]),
                "pictures": tuple(values["pictures"]),
            }
        )


def _outcome_before(values: dict[str, Any]) -> Outcome:
    """Of a result that was kept by a release without outcomes."""
    if values["findings"]:
        return Outcome.FOUND
    judged = values["looks"] > values["unreadable"] and values["view"] == "ok"
    return Outcome.CLEAN if judged else Outcome.NOT_JUDGED


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check that was done. `dropped` are suspicions that a closer look refuted: which, and why."""

    view: str
    """'ok', or 'unusable' where most of the looks cannot be judged."""
    duration_s: float
    looks: int
    """0 where no rule is in force at that time."""
    unreadable: int
    findings: tuple[Finding, ...]
    dropped: tuple[tuple[Violation, str], ...]
    outcome: Outcome = Outcome.CLEAN
    doubts: tuple[Doubt, ...] = ()
    """Why it could not be judged, or not wholly."""
    unjudged: tuple[Interval, ...] = ()
    """Time of which no picture was had that can be judged."""
    too_long: tuple[tuple[Violation, float], ...] = ()
    """Rules whose limit, in seconds, what was looked at does not exceed."""

    def to_json(self) -> dict[str, Any]:
        return {
            "view": self.view,
            "duration_s": self.duration_s,
            "looks": self.looks,
            "unreadable": self.unreadable,
            "findings": [finding.to_json() for finding in self.findings],
            "dropped": [list(one) for one in self.dropped],
            "outcome": self.outcome,
            "doubts": [[doubt.kind, doubt.reason, doubt.reason_zh] for doubt in self.doubts],
            "unjudged": [[stretch.start.isoformat(), stretch.end.isoformat()] for stretch in self.unjudged],
            "too_long": [list(one) for one in self.too_long],
        }

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Result:
        return cls(
            **values
            | {
                "findings": tuple(Finding.of_json(one) for one in values["findings"]),
                "dropped": tuple((Violation(violation), why) for violation, why in values["dropped"]),
                "outcome": Outcome(values.get("outcome") or _outcome_before(values)),
                "doubts": tuple(
                    Doubt(DoubtKind(kind), reason, reason_zh)
                    for kind, reason, reason_zh in values.get("doubts", ())
                ),
                "unjudged": tuple(
                    Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
                    for start, end in values.get("unjudged", ())
                ),
                "too_long": tuple(
                    (Violation(violation), limit_s) for violation, limit_s in values.get("too_long", ())
                ),
            }
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """One spot check. `source` is what people call what is looked at: the name of the clip, or of the recordings."""

    id: str
    """Cannot be guessed."""
    by: str
    created_at: datetime
    point_id: str
    camera_id: str
    source: str
    uploaded: bool
    start: datetime
    """When the clip begins, or the stretch."""
    state: SpotState = SpotState.WAITING
    phase: Phase | None = None
    progress: float = 0.0
    """In [0, 1]; of the looks at the clip."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    why: Why | None = None
    detail: str = ""
    result: Result | None = None

    @classmethod
    def new(
        cls,
        by: str,
        at: datetime,
        point_id: str,
        camera_id: str,
        source: str,
        start: datetime,
        *,
        uploaded: bool,
    ) -> Spot:
        return cls(secrets.token_urlsafe(16), by, at, point_id, camera_id, source, uploaded, start)

    def to_json(self) -> dict[str, Any]:
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        for name in ("created_at", "start", "started_at", "finished_at"):
            values[name] = values[name].isoformat() if values[name] else None
        return values | {"result": self.result.to_json() if self.result else None}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Spot:
        def moment(name: str) -> datetime | None:
            return datetime.fromisoformat(values[name]) if values[name] else None

        return cls(
            **values
            | {name: moment(name) for name in ("created_at", "start", "started_at", "finished_at")}
            | {
                "state": SpotState(values["state"]),
                "phase": Phase(values["phase"]) if values["phase"] else None,
                "why": Why(values["why"]) if values["why"] else None,
                "result": Result.of_json(values["result"]) if values["result"] else None,
            }
        )

    def failed(self, why: Why, at: datetime, detail: str = "") -> Spot:
        return replace(self, state=SpotState.FAILED, why=why, detail=detail, finished_at=at, phase=None)


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker needs to look at one spot check. Either a clip, or parts of recordings with whole paths."""

    folder: Path
    """Where pictures of findings go."""
    point: Point
    camera: Camera
    rules: RuleSet
    start: datetime
    clip: Path | None = None
    parts: tuple[Part, ...] = field(default=())
    clip_name: str | None = None
    """What the clip was called where it comes from: a recorder's name says when it starts and ends."""
    usual: tuple[Observation, ...] = ()
    """Stored looks that say what the camera's view usually is."""

    def __post_init__(self) -> None:
        if (self.clip is None) == (not self.parts):
            raise ValueError("a spot check looks at a clip or at recordings, and at one of the two")

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return tuple(recording for recording, _ in self.parts)
