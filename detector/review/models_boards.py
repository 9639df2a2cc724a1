"""What the API gives of the boards: days, points, what is out with whom."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from detector.core.values import Category, Violation
from detector.footage.coverage import GapReason
from detector.footage.daystate import DayState
from detector.footage.faulty import RecordingFault
from detector.issues import State
from detector.review.models import Given, IssueOut, Names, NoteText, Seen, Version

Hours = Annotated[float, Field(description="Hours.")]


class CellOut(BaseModel):
    """One point on one local day."""

    issues: int = Field(description="That began on this day; rejected and merged ones are left out.")
    open: int = Field(description="Of these, not closed yet.")
    recorded_h: Hours | None = Field(description="None for whoever has no business with recordings.")
    observed_h: Hours | None
    gap: bool = Field(description="Nothing at all is recorded.")
    less: bool = Field(description="Less is recorded than is usual here, or not all of it was judged.")
    state: DayState | None = Field(description="None for whoever has no business with recordings.")
    state_name: Names | None


class CalendarRowOut(BaseModel):
    point: str
    name: Names
    category: Category
    issues: int
    days: list[CellOut]


class CalendarOut(BaseModel):
    """Points by days."""

    days: list[date]
    rows: list[CalendarRowOut]
    most: int = Field(description="The most issues of any cell.")


class PartOut(BaseModel):
    """Which part of some days of some cameras was judged. Hours are those of all cameras together."""

    expected_h: Hours = Field(description="How long the days are; today until now.")
    recorded_h: Hours
    observed_h: Hours
    judged_h: Hours
    words: Names


class PointDayOut(BaseModel):
    """What of a point was not seen on a day."""

    point: str
    name: Names
    camera: str
    state: DayState
    state_name: Names
    part: PartOut
    recorded_h: Hours
    observed_h: Hours
    gaps: list[GapOut]


class GapOut(BaseModel):
    start: datetime
    end: datetime
    reason: GapReason
    detail: str
    fault: Names | None = Field(None, description="What is wrong with a view that cannot be judged.")


class FaultyOut(BaseModel):
    """A recording that is truncated, short, unusable or unreadable."""

    point: str
    name: Names
    camera: str
    path: str
    fault: RecordingFault
    start: datetime
    end: datetime
    reason: str


class RunOut(BaseModel):
    """One nightly run."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    state: str
    first: date
    last: date
    summary: dict[str, Any]


class DayOut(BaseModel):
    """A day of the county: what was found, what was seen, what went wrong."""

    day: date
    total: int
    states: dict[State, int]
    violations: dict[Violation, int]
    points_with_issues: int
    points_recorded: int
    points_observed: int
    points: int
    recorded_h: Hours
    observed_h: Hours
    state: DayState | None = Field(description="None for whoever has no business with recordings.")
    point_states: dict[DayState, int] = Field(description="How many points have which state.")
    part: PartOut | None
    trouble: list[PointDayOut] = Field(
        description="Cameras of which not all was recorded, scanned and judged."
    )
    faulty: list[FaultyOut] = Field(description="Truncated, short, unusable and unreadable recordings.")
    faulty_counts: dict[RecordingFault, int]
    runs: list[RunOut] = Field(description="The last nightly runs, newest first.")
    running: str | None = Field(description="Who is running now.")


class RecurrenceOut(BaseModel):
    """What comes back at one place."""

    violation: Violation
    violation_name: Names
    zone: str | None
    count: int
    last: datetime


class PointDetailOut(BaseModel):
    id: str
    name: Names
    category: Category
    category_name: Names
    grid: str
    cameras: list[str]
    states: dict[State, int]
    days: list[CellOut]
    dates: list[date]
    recurrence: list[RecurrenceOut]
    issues: list[IssueOut]
    total: int
    trouble: list[PointDayOut]


class AttachmentOut(BaseModel):
    id: str
    kind: str
    name: str
    media_type: str
    path: str
    at: datetime


class CardOut(BaseModel):
    """An issue on the dispatch board."""

    issue: IssueOut
    overdue: bool
    dispatched_at: datetime | None
    rectified_at: datetime | None
    before: str | None = Field(description="Path of a picture from the evidence.")
    after: list[AttachmentOut] = Field(description="What came with answers and acceptance, newest first.")
    answer: str | None
    reason: str | None = Field(description="Why it was reopened.")


class ColumnOut(BaseModel):
    """The issues of one department, or those that are with none yet."""

    department: str | None
    name: Names
    total: int
    overdue: int
    cards: list[CardOut]


class BoardOut(BaseModel):
    columns: list[ColumnOut]


class DispatchIn(Given):
    issues: Annotated[list[Seen], Field(min_length=1, max_length=100)]
    department: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="As the routes say if left out."
    )
    due_at: datetime | None = Field(
        None, description="As the deadlines say if left out; the county's own time where no offset is given."
    )
    note: NoteText | None = None


class OrderOut(BaseModel):
    number: str
    department: str
    due_at: datetime
    issues: list[int]


class AcceptIn(Given):
    seen_version: Version
    note: NoteText | None = None


class ReopenIn(Given):
    seen_version: Version
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class PairIn(Given):
    """Two issues that are suspected of being about one object."""

    seen_version: Version
    other: str = Field(description="The other issue's id.")


PointDayOut.model_rebuild()
