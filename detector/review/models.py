"""What /api/v1 takes and gives, as its OpenAPI document describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from detector.core.values import Category, Violation
from detector.issues import State
from detector.people import Action, Role

NoteText = Annotated[str, StringConstraints(max_length=500)]
Code = Annotated[str, StringConstraints(max_length=64)]
PublicId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Given(BaseModel):
    """What a client sends: nothing that we do not know."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why something was refused."""

    error: str = Field(description="One word for programs.")
    detail: str = Field(description="A sentence for people, in English.")
    who: str | None = Field(None, description="Who has the issue in hand, where that is why.")


class Names(BaseModel):
    """A name in both languages."""

    en: str
    zh: str


class UserOut(BaseModel):
    login: str
    name: str
    role: Role
    department: str | None
    may: list[Action] = Field(description="What this user may do.")


class IssueOut(BaseModel):
    """An issue in a list. Times are local, with their offset; durations are seconds."""

    id: str = Field(description="Unguessable; names the issue in every path.")
    number: int = Field(description="For people; in the order of filing.")
    version: int = Field(description="Grows with every move; send it back as seen_version.")
    state: State
    state_name: Names
    violation: Violation
    violation_name: Names
    point: str
    point_name: Names
    category: Category | None = Field(description="None for a point that is no longer configured.")
    category_name: Names
    camera: str
    zone: str | None
    zone_name: Names | None
    start: datetime
    end: datetime
    dwell_s: float = Field(
        description="For how long it was seen: time without recordings in between is left out."
    )
    start_open: bool = Field(
        description="True where it may have begun earlier than anything that was recorded."
    )
    end_open: bool
    limit_s: float
    share: float
    confidence: float
    explanation: Names
    claimed_by: str | None
    claimed_until: datetime | None
    department: str | None
    due_at: datetime | None
    filed_at: datetime
    updated_at: datetime
    thumb: str | None = Field(description="Path of a small picture.")


class ClipOut(BaseModel):
    """Paths of a clip: without drawing and with it, and of the drawing as data."""

    plain: str | None
    drawn: str
    overlay: str | None


class StillOut(BaseModel):
    at: datetime
    scene: str
    closeup: str | None


class MoveOut(BaseModel):
    """One row of an issue's history."""

    version: int
    at: datetime
    who: str
    move: str
    move_name: Names
    from_state: State | None
    to_state: State
    reason: str | None
    reason_name: Names | None
    note: str | None


class IssueDetail(IssueOut):
    """An issue with all that a decision needs."""

    box: list[float] | None = Field(description="x1, y1, x2, y2 in [0, 1].")
    clip: ClipOut | None
    stills: list[StillOut]
    before: list[IssueOut] = Field(description="Earlier ones of this violation and zone, newest first.")
    before_30_days: int
    alike: list[IssueOut] = Field(description="Others to review that are likely the same object.")
    suspects: list[IssueOut] = Field(
        description="Others that may be about the same object, in another camera or over a gap in the recordings."
    )
    history: list[MoveOut]
    model_id: str
    rules_version: str


class StageOut(BaseModel):
    """One stage of a scan at an issue's place and time."""

    stage: str = Field(description="Such as 'sampled' or 'verified', in the order of a scan.")
    name: Names
    passed: bool | None = Field(description="None where the stage says nothing of it.")
    mark: Names = Field(description="`passed` in words.")
    text: Names = Field(description="What the stage saw and decided.")


class ExplanationOut(BaseModel):
    """How an issue was found: the stages in the middle of its interval and at its box."""

    at: datetime = Field(description="The moment that is explained, local.")
    box: list[float] | None = Field(description="x1, y1, x2, y2 in [0, 1]; None for a fault of the camera.")
    steps: list[StageOut]


class IssuePage(BaseModel):
    total: int
    issues: list[IssueOut]


class DeckEntryOut(BaseModel):
    id: str
    number: int
    version: int


class DeckOut(BaseModel):
    """A list to work through."""

    total: int
    issues: list[DeckEntryOut]
    claims: dict[str, str] = Field(description="Issue id to the login of who has it in hand.")


class PointOut(BaseModel):
    id: str
    name: Names
    category: Category
    grid: str
    cameras: list[str]


class ClaimIn(Given):
    lease_s: Annotated[float, Field(ge=1, le=3600)] = 300.0


class MoveIn(Given):
    move: Literal["confirm", "reject"]
    reason: Code | None = Field(None, description="For reject: one of the codes of GET /api/v1/reasons.")
    note: NoteText | None = None
    seen_version: Version = Field(description="The version that the decision was made on.")


class SeenIn(Given):
    seen_version: Version


class Seen(Given):
    id: PublicId
    seen_version: Version


class MovesIn(Given):
    move: Literal["confirm", "reject"]
    reason: Code | None = None
    note: NoteText | None = None
    issues: Annotated[list[Seen], Field(min_length=1, max_length=100)]


class RefusedMove(Problem):
    id: str


class MovesOut(BaseModel):
    moved: list[IssueOut]
    refused: list[RefusedMove]


class ReasonOut(BaseModel):
    code: str
    name: Names
    needs_note: bool


class TokenIn(Given):
    label: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    days: Annotated[int, Field(ge=1, le=366)] = 90
    password: Annotated[str, StringConstraints(max_length=256)] = Field(description="One's own, once more.")


class TokenOut(BaseModel):
    label: str
    prefix: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


class TokenMade(TokenOut):
    secret: str = Field(description="Shown this once. Send it as 'Authorization: Bearer ...'.")
