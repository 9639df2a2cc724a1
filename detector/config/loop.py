"""The closed loop's tables: who puts what right, until when, by which calendar, and who else is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, Strict, ValidationInfo, field_validator

from detector.config.fields import Flag, Hours, Line, Seconds, Text
from detector.config.reading import Part, nearest, read, shown, wrong
from detector.config.rules import RuleSet
from detector.config.schema import Id
from detector.core.errors import Fault
from detector.core.times import DailyHours
from detector.core.values import Category, Point, Violation

ROUTING: Final = "routing.yaml"
DEADLINES: Final = "deadlines.yaml"
CALENDAR: Final = "calendar.yaml"
WEBHOOKS: Final = "webhooks.yaml"

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Match:
    """Which issues an entry of a table is for; an empty tuple asks for nothing."""

    violations: tuple[Violation, ...] = ()
    categories: tuple[Category, ...] = ()
    points: tuple[str, ...] = ()

    def holds(self, violation: Violation, point: Point) -> bool:
        return (
            (not self.violations or violation in self.violations)
            and (not self.categories or point.category in self.categories)
            and (not self.points or point.id in self.points)
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Who leads and who assists; the grid unit of the point is always told."""

    match: Match
    lead: str
    assisting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """How many working hours a department has."""

    match: Match
    working_h: float


@dataclass(frozen=True, slots=True)
class Duty:
    """Hours outside the office's in which somebody is on duty, so that they count for these issues."""

    match: Match
    hours: tuple[DailyHours, ...]
    every_day: bool
    """False: on working days only."""
    who: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How the place is looked at again after a department's answer."""

    look_s: float
    """So much recorded time after the answer is judged."""
    close_by_itself: tuple[Violation, ...]
    """What needs no person where the violation is gone."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which hours of which days are worked. A year that is not in the table is worked by the week alone."""

    hours: tuple[DailyHours, ...]
    weekdays: frozenset[int]
    """0 is Monday."""
    holidays: Mapping[date, str]
    """Days off, and what for."""
    working_days: frozenset[date]
    """Days that are worked although their weekday is not: make-up days (调休上班)."""
    years: frozenset[int]
    """Those that the table knows."""

    def unknown_year(self, first: date, last: date) -> int | None:
        """The first year from one day to another whose holidays the table does not hold; None where it holds all."""
        return next((year for year in range(first.year, last.year + 1) if year not in self.years), None)

    def is_worked(self, day: date) -> bool:
        if day in self.working_days:
            return True
        return day.weekday() in self.weekdays and day not in self.holidays


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Another system that is told of moves. Exactly one of `secret_env` and `secret_file` says where its key is."""

    name: str
    url: str
    secret_env: str | None
    secret_file: str | None
    moves: tuple[str, ...]
    """Which moves it is told of; all where empty."""
    timeout_s: float
    give_up_after: int
    """So many answers of failure (500 and above) to one event, and it is put aside as poison."""


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What dispatching needs beside the departments."""

    routes: tuple[Route, ...]
    limits: tuple[Limit, ...]
    duties: tuple[Duty, ...]
    remind_before_h: tuple[float, ...]
    """Working hours before the deadline at which a department is reminded."""
    escalate_after_h: tuple[float, ...]
    """Working hours after the deadline at which `escalate_to` is told."""
    escalate_to: str
    recurrence_days: int
    acceptance: Acceptance
    calendar: Calendar
    endpoints: tuple[Endpoint, ...] = ()

    def route(self, violation: Violation, point: Point) -> Route | None:
        """The first route that holds; None only for a violation that no rule looked for when this was read."""
        return next((route for route in self.routes if route.match.holds(violation, point)), None)

    def working_h(self, violation: Violation, point: Point) -> float | None:
        return next((limit.working_h for limit in self.limits if limit.match.holds(violation, point)), None)


# The files


@dataclass(slots=True)
class Known:
    """What the tables may name."""

    departments: Sequence[str] | None
    """None where departments.yaml is wrong itself."""
    points: Sequence[str]
    """Empty where the points are."""
    moves: Sequence[str] = ()
    names: set[str] = field(default_factory=set)


def _known(info: ValidationInfo) -> Known:
    assert isinstance(info.context, Known)
    return info.context


def _department(value: object, info: ValidationInfo) -> str:
    known = _known(info).departments
    if known is not None and value not in known:
        raise wrong(f"{shown(value)} is no department of departments.yaml", nearest(value, known))
    return str(value)


def _point(value: object, info: ValidationInfo) -> str:
    known = _known(info).points
    if known and value not in known:
        raise wrong(f"{shown(value)} is no point", nearest(value, known))
    return str(value)


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong(f"{shown(value)} is not a day such as 2026-02-15") from error


Department = Annotated[str, PlainValidator(_department)]
PointId = Annotated[str, PlainValidator(_point)]
Day = Annotated[date, PlainValidator(_day)]
WorkingHours = Annotated[float, Strict(), Field(gt=0, le=2000, allow_inf_nan=False)]


class MatchPart(Part):
    """What an entry is for; what is left out is for all."""

    violation: Annotated[list[Violation], Field(min_length=1)] | None = None
    category: Annotated[list[Category], Field(min_length=1)] | None = None
    point: Annotated[list[PointId], Field(min_length=1)] | None = None

    def match(self) -> Match:
        return Match(tuple(self.violation or ()), tuple(self.category or ()), tuple(self.point or ()))


class RoutePart(MatchPart):
    lead: Department
    assisting: list[Department] = Field(default_factory=list)

    @field_validator("assisting")
    @classmethod
    def _are_others(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if info.data.get("lead") in value:
            raise wrong(f"{shown(info.data['lead'])} leads already")
        return value


class RoutingFile(Part):
    """routing.yaml: the first entry that fits is the one."""

    routes: Annotated[list[RoutePart], Field(min_length=1)]


class LimitPart(MatchPart):
    working_hours: WorkingHours


class DutyPart(MatchPart):
    hours: Annotated[list[Hours], Field(min_length=1)]
    days: Literal["every", "working"] = "every"
    who: str = ""


class AcceptancePart(Part):
    look_min: Annotated[float, Strict(), Field(gt=0, le=1440, allow_inf_nan=False)] = 60.0
    close_by_itself: list[Violation] = Field(default_factory=list)


class DeadlinesFile(Part):
    """deadlines.yaml: how long departments have, and what happens around the deadline."""

    limits: Annotated[list[LimitPart], Field(min_length=1)]
    peak_duty: list[DutyPart] = Field(default_factory=list)
    remind_before_hours: list[WorkingHours] = Field(default_factory=lambda: [1.0])
    escalate_after_hours: list[WorkingHours] = Field(default_factory=lambda: [1.0])
    escalate_to: Department
    recurrence_days: Annotated[int, Strict(), Field(ge=1, le=3660)] = 30
    acceptance: AcceptancePart = AcceptancePart()


class HolidayPart(Part):
    name: Line
    first: Day
    last: Day

    @field_validator("last")
    @classmethod
    def _is_not_before_the_first(cls, value: date, info: ValidationInfo) -> date:
        first = info.data.get("first")
        if first is not None and not first <= value <= first + timedelta(days=31):
            raise wrong(f"{value} does not lie within a month after the first day, {first}")
        return value


class YearPart(Part):
    """One year's notice of the State Council."""

    source: str = ""
    holidays: Annotated[list[HolidayPart], Field(min_length=1)]
    working_days: list[Day] = Field(default_factory=list)

    @field_validator("working_days")
    @classmethod
    def _are_no_holidays(cls, value: list[date], info: ValidationInfo) -> list[date]:
        for day in value:
            for holiday in info.data.get("holidays", ()):
                if holiday.first <= day <= holiday.last:
                    raise wrong(f"{day} cannot be worked: it is a holiday ({holiday.name})")
        return value


def _year(value: object) -> int:
    if type(value) is int and 2000 <= value <= 2200:
        return value
    raise wrong(f"{shown(value)} is not a year such as 2026")


Year = Annotated[int, PlainValidator(_year)]


class CalendarFile(Part):
    """calendar.yaml: office hours, and each year's holidays and make-up days."""

    working_hours: Annotated[list[Hours], Field(min_length=1)]
    working_weekdays: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)
    ]
    years: Annotated[dict[Year, YearPart], Field(min_length=1)]

    @field_validator("years")
    @classmethod
    def _hold_their_own_days(cls, value: dict[int, YearPart], info: ValidationInfo) -> dict[int, YearPart]:
        worked = info.data.get("working_weekdays", ())
        for year, part in value.items():
            days = [day for holiday in part.holidays for day in (holiday.first, holiday.last)]
            if strange := [day for day in (*days, *part.working_days) if abs(day.year - year) > 1]:
                raise wrong(f"{strange[0]} is no day of {year}")
            if strange := [day for day in part.working_days if WEEKDAYS[day.weekday()] in worked]:
                raise wrong(
                    f"{strange[0]} is no make-up day: it is worked anyway ({WEEKDAYS[strange[0].weekday()]})"
                )
        return value

    def value(self) -> Calendar:
        holidays = {
            holiday.first + timedelta(days=k): holiday.name
            for year in self.years.values()
            for holiday in year.holidays
            for k in range((holiday.last - holiday.first).days + 1)
        }
        return Calendar(
            tuple(self.working_hours),
            frozenset(WEEKDAYS.index(day) for day in self.working_weekdays),
            holidays,
            frozenset(day for year in self.years.values() for day in year.working_days),
            frozenset(self.years),
        )


class EndpointPart(Part):
    name: Id
    url: Text
    secret_env: Text | None = None
    secret_file: Text | None = Field(default=None, validate_default=True)
    moves: list[Text] = Field(default_factory=list)
    timeout_s: Seconds = 10.0
    give_up_after: Annotated[int, Strict(), Field(ge=1, le=1000)] = 200
    active: Flag = True

    @field_validator("name")
    @classmethod
    def _is_new(cls, value: str, info: ValidationInfo) -> str:
        if value in _known(info).names:
            raise wrong(f"{shown(value)} is the name of an earlier endpoint")
        _known(info).names.add(value)
        return value

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise wrong(f"{shown(value)} is not a URL such as https://platform.example/events")
        return value

    @field_validator("secret_file")
    @classmethod
    def _has_one_secret(cls, value: str | None, info: ValidationInfo) -> str | None:
        if (value is None) == (info.data.get("secret_env") is None):
            raise wrong("an endpoint needs either secret_env or secret_file")
        return value

    @field_validator("moves")
    @classmethod
    def _are_moves(cls, value: list[str], info: ValidationInfo) -> list[str]:
        known = _known(info).moves
        for move in value:
            if known and move not in known:
                raise wrong(f"{shown(move)} is no move", nearest(move, known))
        return value

    def value(self) -> Endpoint:
        return Endpoint(
            self.name,
            self.url,
            self.secret_env,
            self.secret_file,
            tuple(self.moves),
            self.timeout_s,
            self.give_up_after,
        )


class WebhooksFile(Part):
    """webhooks.yaml: other systems that are told of every move."""

    endpoints: list[EndpointPart] = Field(default_factory=list)


EVENTS: Final = (
    "filed", "extended", "confirm", "reject", "reconsider", "dispatch", "recall", "rectify", "close", "reopen",
    "merge", "withdraw", "inspected", "remind", "escalate",
)  # fmt: skip
"""What an endpoint may ask to be told of."""


def read_loop(
    folder: Path,
    departments: Sequence[str] | None,
    points: Sequence[Point],
    rules: RuleSet | None,
    faults: list[Fault],
) -> LoopSettings | None:
    """The tables of a working folder; None where it has none of them. What is wrong is added to `faults`."""
    names = (ROUTING, DEADLINES, CALENDAR)
    if not any((folder / name).exists() for name in (*names, WEBHOOKS)):
        return None
    known = Known(departments, [point.id for point in points], EVENTS)
    routing = read(folder / ROUTING, RoutingFile, faults, known)
    deadlines = read(folder / DEADLINES, DeadlinesFile, faults, known)
    calendar = read(folder / CALENDAR, CalendarFile, faults, known)
    webhooks = WebhooksFile()
    if (folder / WEBHOOKS).exists():
        webhooks = read(folder / WEBHOOKS, WebhooksFile, faults, known) or webhooks
    if routing is None or deadlines is None or calendar is None:
        return None
    loop = LoopSettings(
        routes=tuple(Route(r.match(), r.lead, tuple(r.assisting)) for r in routing.routes),
        limits=tuple(Limit(part.match(), part.working_hours) for part in deadlines.limits),
        duties=tuple(Duty(d.match(), tuple(d.hours), d.days == "every", d.who) for d in deadlines.peak_duty),
        remind_before_h=tuple(deadlines.remind_before_hours),
        escalate_after_h=tuple(deadlines.escalate_after_hours),
        escalate_to=deadlines.escalate_to,
        recurrence_days=deadlines.recurrence_days,
        acceptance=Acceptance(
            deadlines.acceptance.look_min * 60.0, tuple(deadlines.acceptance.close_by_itself)
        ),
        calendar=calendar.value(),
        endpoints=tuple(part.value() for part in webhooks.endpoints if part.active),
    )
    if rules is not None and points:
        faults += _unserved(folder, loop, points, rules)
    return loop


def _unserved(folder: Path, loop: LoopSettings, points: Sequence[Point], rules: RuleSet) -> Iterator[Fault]:
    """What no route or no deadline is for, entries whose turn never comes, and points whose grid cannot be told."""
    for violation in Violation:
        rule = rules.rules.get(violation)
        found = [p for p in points if rule is not None and rule.at(p.category).enabled]
        for category in Category:
            here = [point for point in found if point.category is category]
            if lost := [p.id for p in here if loop.route(violation, p) is None]:
                what = f"{violation} at {category} points ({_some(lost)}) goes to no department"
                yield Fault(str(folder / ROUTING), "routes", f"{what}: add a route for it, or one for all")
            if lost := [p.id for p in here if loop.working_h(violation, p) is None]:
                what = f"{violation} at {category} points ({_some(lost)}) has no deadline"
                yield Fault(str(folder / DEADLINES), "limits", f"{what}: add a limit for it, or one for all")
    for file, place, matches in (
        (ROUTING, "routes", [route.match for route in loop.routes]),
        (DEADLINES, "limits", [limit.match for limit in loop.limits]),
    ):
        for index in _never_reached(matches, points):
            what = "its turn never comes: earlier entries take all that it is for"
            yield Fault(str(folder / file), f"{place}[{index}]", what)
    for point in points:
        if not point.grid:
            what = f"point {point.id} has no grid, so its grid unit (网格) cannot be told of issues"
            yield Fault(str(folder / "points"), point.id, what)


def _never_reached(matches: Sequence[Match], points: Sequence[Point]) -> Iterator[int]:
    cases = [(violation, point) for violation in Violation for point in points]
    taken = {next((i for i, match in enumerate(matches) if match.holds(*case)), None): case for case in cases}
    for index, match in enumerate(matches):
        if index not in taken and any(match.holds(*case) for case in cases):
            yield index


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
