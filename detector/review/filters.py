"""Which issues somebody wants to see: the same filters for pages, lists and the API."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

from detector.config.settings import Settings
from detector.core.times import Interval, local_day
from detector.core.values import Category, Violation
from detector.issues import IssueFilter, State
from detector.review.access import Visitor
from detector.review.house import House
from detector.review.refusals import Refused

T = TypeVar("T")


class Certainty(StrEnum):
    """How sure the model was of the object."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_BELOW_HALF, _BELOW_HIGH = math.nextafter(0.5, 0), math.nextafter(0.8, 0)
CONFIDENCES: Mapping[Certainty, tuple[float, float]] = {
    Certainty.HIGH: (0.8, 1.0),
    Certainty.MEDIUM: (0.5, _BELOW_HIGH),
    Certainty.LOW: (0.0, _BELOW_HALF),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """An empty tuple or None asks for nothing. `first` and `last` are local days, both included."""

    state: tuple[State, ...] = ()
    violation: tuple[Violation, ...] = ()
    category: tuple[Category, ...] = ()
    point: tuple[str, ...] = ()
    department: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    certainty: Certainty | None = None

    def wanted(self, house: House, visitor: Visitor) -> IssueFilter | None:
        """For the queue, cut down to what is the visitor's business; None where nothing can fit.

        Raises Refused for points and departments that there are not, and for days the wrong way round.
        """
        settings = house.settings
        known = {point.id for point in settings.points}
        _refuse_unknown("point", self.point, known)
        _refuse_unknown("department", self.department, settings.departments)
        points = self.point
        if self.category:
            of_category = set(house.desk.points_of(*self.category))
            points = (
                tuple(p for p in self.point if p in of_category) if self.point else tuple(sorted(of_category))
            )
            if not points:
                return None
        return house.desk.scope(
            visitor.actor,
            IssueFilter(
                states=self.state,
                violations=self.violation,
                points=points,
                departments=self.department,
                routed=tuple(self._routed(house, visitor)),
                period=period_of(house.settings, self.first, self.last),
                confidence=CONFIDENCES[self.certainty] if self.certainty else None,
            ),
        )

    def _routed(self, house: House, visitor: Visitor) -> Iterator[tuple[Violation, str]]:
        """What would go to the departments asked for, by the table of routes; nothing for who is bound to one."""
        loop = house.settings.loop
        if loop is None or not self.department or visitor.actor.bound_to is not None:
            return
        for point in house.settings.points:
            for violation in Violation:
                route = loop.route(violation, point)
                if route is not None and {route.lead, *route.assisting}.intersection(self.department):
                    yield violation, point.id

    def query(self) -> str:
        """'?state=flagged&point=p017', or nothing."""
        pairs = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                pairs += [(field.name, str(v)) for v in (value if isinstance(value, tuple) else (value,))]
        return f"?{urlencode(pairs)}" if pairs else ""


def period_of(settings: Settings, first: date | None, last: date | None) -> Interval | None:
    """From a local day to another, both included; None where neither is given. Raises Refused."""
    if first is None and last is None:
        return None
    try:
        start = local_day(first or date(2000, 1, 1), settings.timezone).start
        end = local_day(last or date(2200, 1, 1), settings.timezone).end
        return Interval(start, end)
    except (ValueError, OverflowError) as error:
        raise Refused(422, "bad_input", "the first day must not come after the last") from error


def _refuse_unknown(what: str, asked: Iterable[str], known: Iterable[str]) -> None:
    for name in asked:
        if name not in known:
            raise Refused(422, "bad_input", f"there is no {what} {name!r}")


def filters_of(
    state: Annotated[list[State] | None, Query(description="Only in these states.")] = None,
    violation: Annotated[list[Violation] | None, Query(description="Only these violations.")] = None,
    category: Annotated[list[Category] | None, Query(description="Only at points of these kinds.")] = None,
    point: Annotated[list[str] | None, Query(description="Only at these points, by id.")] = None,
    department: Annotated[list[str] | None, Query(description="Only of these departments, by id.")] = None,
    first: Annotated[date | None, Query(description="Not before this local day.")] = None,
    last: Annotated[date | None, Query(description="Not after this local day.")] = None,
    certainty: Annotated[Certainty | None, Query(description="How sure the model was.")] = None,
) -> Filters:
    """The filters of a request to the API."""
    return Filters(
        tuple(state or ()), tuple(violation or ()), tuple(category or ()), tuple(point or ()),
        tuple(department or ()), first, last, certainty,
    )  # fmt: skip


def page_filters(request: Request) -> Filters:
    """The filters of a page's address, in which a form leaves fields empty. Raises Refused for what is none."""

    def many(name: str, read: Callable[[str], T]) -> tuple[T, ...]:
        return tuple(_read(name, value, read) for value in request.query_params.getlist(name) if value)

    def one(name: str, read: Callable[[str], T]) -> T | None:
        return next(iter(many(name, read)), None)

    return Filters(
        many("state", State), many("violation", Violation), many("category", Category), many("point", str),
        many("department", str), one("first", date.fromisoformat), one("last", date.fromisoformat),
        one("certainty", Certainty),
    )  # fmt: skip


def _read(name: str, value: str, read: Callable[[str], T]) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise Refused(422, "bad_input", f"{value[:40]!r} is no {name}") from error
