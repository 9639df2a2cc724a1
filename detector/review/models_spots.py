"""What the API takes and gives of spot checks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from detector.core.values import RecordingState, Violation
from detector.review.models import Given, Names
from detector.spotting import DoubtKind, Outcome, Phase, SpotState, Why


class RecordingOut(BaseModel):
    """One file of a camera."""

    name: str
    start: datetime
    end: datetime
    state: RecordingState
    usable: bool
    size_bytes: int


class FindingOut(BaseModel):
    violation: Violation
    violation_name: Names
    zone: str | None
    start: datetime
    end: datetime
    dwell_s: float
    limit_s: float
    confidence: float
    explanation: Names
    pictures: list[str] = Field(description="Paths of stills, in time order.")


class DroppedOut(BaseModel):
    """A suspicion that a closer look refuted."""

    violation: Violation
    violation_name: Names
    why: str


class DoubtOut(BaseModel):
    """Why a spot check could not judge, or not wholly."""

    kind: DoubtKind
    reason: Names


class StretchOut(BaseModel):
    start: datetime
    end: datetime


class RuleNotJudgedOut(BaseModel):
    """A rule in force whose limit what was looked at does not exceed."""

    violation: Violation
    violation_name: Names
    limit_s: float


class SpotOut(BaseModel):
    """A spot check and how far it is."""

    id: str
    by: str
    created_at: datetime
    point: str
    point_name: Names
    camera: str
    source: str = Field(description="What people call it: the clip's name, or that of the recordings.")
    uploaded: bool
    start: datetime
    state: SpotState
    state_name: Names
    phase: Phase | None
    progress: float = Field(description="Of the looks, in [0, 1].")
    ahead: int = Field(description="How many are worked on before it.")
    why: Why | None
    why_name: Names | None
    detail: str
    finished_at: datetime | None
    took_s: float | None
    view: str | None = Field(description="'ok', or 'unusable' where most of the looks cannot be judged.")
    duration_s: float | None
    looks: int | None = Field(description="0 where no rule is in force at that time.")
    unreadable: int | None
    findings: list[FindingOut]
    dropped: list[DroppedOut]
    outcome: Outcome | None = Field(description="None until it is done.")
    outcome_name: Names | None
    doubts: list[DoubtOut] = Field(description="Why it could not be judged, or not wholly.")
    not_judged: list[StretchOut] = Field(description="Time of which no picture was had that can be judged.")
    rules_not_judged: list[RuleNotJudgedOut]


class SpotIn(Given):
    """A stretch of a camera's recordings."""

    camera: Annotated[str, StringConstraints(max_length=64)]
    start: datetime = Field(description="The county's own time where no offset is given.")
    length_s: Annotated[float, Field(ge=10, le=4 * 3600, allow_inf_nan=False)]
