"""Boards: a day, thirty days of all points, one point, and what is out with whom."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from detector.core.values import Category, Point
from detector.dispatch.routing import calendar_warning
from detector.footage.daystate import DayState
from detector.issues import State
from detector.people import Action
from detector.review.access import Seeing, Visitor
from detector.review.boards import board_of, calendar_of, day_of, days_until, point_detail
from detector.review.days import today_of
from detector.review.house import House, house_of
from detector.review.kept import fragment
from detector.review.models_boards import BoardOut, CalendarOut, DayOut, PointDetailOut
from detector.review.pages import page, tongue_of
from detector.review.refusals import Refused, not_found
from detector.review.routes.api import PROBLEMS

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", responses=PROBLEMS)

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2199, 12, 31)
HEATS = (1, 3, 6)
"""More issues than these are one step warmer each."""

DaysAsked = Annotated[int, Query(ge=1, le=92, description="How many days, the last of them `until`.")]
Until = Annotated[date | None, Query(description="The last local day; yesterday if left out.")]


@router.get("/today")
def today_page(request: Request, visitor: Seeing) -> Response:
    house = house_of(request)
    day = _day(house, request.query_params.get("day"))
    key = _key(house, visitor, "today", day, today_of(house))
    return page(
        request,
        "today.html",
        "nav.today",
        board=house.kept.get(key, lambda: day_of(house, visitor, day)),
        kept=_fragment(request, visitor, key),
        before=day - timedelta(days=1),
        after=day + timedelta(days=1) if day < today_of(house) else None,
        states=list(State),
    )


@router.get("/calendar")
def calendar_page(request: Request, visitor: Seeing) -> Response:
    house = house_of(request)
    last = _day(house, request.query_params.get("until"))
    days = days_until(last, house.settings.period_days)
    category = next((c for c in Category if c == request.query_params.get("category")), None)
    key = _key(house, visitor, "calendar", last, len(days), category, today_of(house))
    return page(
        request,
        "calendar.html",
        "nav.calendar",
        calendar=house.kept.get(key, lambda: calendar_of(house, visitor, days, category)),
        kept=_fragment(request, visitor, key),
        category=category,
        categories=list(Category),
        before=days[0] - timedelta(days=1),
        after=last + timedelta(days=len(days)) if last < today_of(house) - timedelta(days=1) else None,
        heat=heat,
        states=[one for one in DayState if one is not DayState.FOUND],
    )


@router.get("/points/{point_id}")
def point_page(request: Request, point_id: str, visitor: Seeing) -> Response:
    house = house_of(request)
    point = point_for(house, point_id)
    asked = request.query_params.get("day")
    day = _day(house, asked) if asked else None
    days = days_until(today_of(house), house.settings.period_days)
    if day is not None and day not in days:
        days = days_until(day, house.settings.period_days)
    key = _key(house, visitor, "point", point_id, days[-1], day)
    return page(
        request,
        "point.html",
        "nav.calendar",
        place=point,
        detail=house.kept.get(key, lambda: point_detail(house, visitor, point, days, day)),
        kept=_fragment(request, visitor, key),
        day=day,
        heat=heat,
        may_look=visitor.may(Action.LOOK),
        may_spot=visitor.may(Action.SPOT_CHECK),
        may_edit=visitor.may(Action.EDIT_ZONES),
    )


@router.get("/dispatch")
def dispatch_page(request: Request, visitor: Seeing) -> Response:
    house = house_of(request)
    closed = request.query_params.get("closed") == "yes"
    key = _key(house, visitor, "dispatch", closed, visitor.actor.role)
    return page(
        request,
        "dispatch.html",
        "nav.dispatch",
        board=house.kept.get(key, lambda: board_of(house, visitor, closed=closed)),
        kept=_fragment(request, visitor, key),
        closed=closed,
        lacking=calendar_warning(house.settings, house.desk.now()),
        may_dispatch=visitor.may(Action.DISPATCH),
        may_answer=visitor.may(Action.ANSWER),
        may_accept=visitor.may(Action.ACCEPT),
        may_look=visitor.may(Action.LOOK),
    )


@api.get("/days/{day}", tags=["boards"])
def one_day(request: Request, day: date, visitor: Seeing) -> DayOut:
    """What a day's scan found and saw, and what went wrong."""
    return day_of(house_of(request), visitor, possible(day))


@api.get("/calendar", tags=["boards"])
def calendar(
    request: Request,
    visitor: Seeing,
    until: Until = None,
    days: DaysAsked = 30,
    category: Category | None = None,
) -> CalendarOut:
    """Issues and what is recorded, by point and day."""
    house = house_of(request)
    last = possible(until) if until else today_of(house) - timedelta(days=1)
    key = _key(house, visitor, "calendar", last, days, category, today_of(house))
    return house.kept.get(key, lambda: calendar_of(house, visitor, days_until(last, days), category))


@api.get("/points/{point_id}", tags=["boards"])
def point(
    request: Request,
    point_id: str,
    visitor: Seeing,
    until: Until = None,
    days: DaysAsked = 30,
    day: Annotated[date | None, Query(description="Issues and gaps of this day only.")] = None,
) -> PointDetailOut:
    """One point: its issues, what comes back there, what is recorded."""
    house = house_of(request)
    last = possible(until) if until else today_of(house)
    shown = days_until(last, days)
    return point_detail(house, visitor, point_for(house, point_id), shown, possible(day) if day else None)


@api.get("/board", tags=["loop"])
def board(request: Request, visitor: Seeing, *, closed: bool = False) -> BoardOut:
    """What waits to be dispatched, and what is out, by department, the most urgent first. Claims may be some seconds old."""
    house = house_of(request)
    key = _key(house, visitor, "dispatch", closed, visitor.actor.role)
    return house.kept.get(key, lambda: board_of(house, visitor, closed=closed))


def point_for(house: House, point_id: str) -> Point:
    """Raises Refused 404."""
    found = next((one for one in house.settings.points if one.id == point_id), None)
    if found is None:
        raise not_found("there is no such point")
    return found


def heat(issues: int) -> int:
    """0 for none, 4 for the most."""
    return 0 if issues == 0 else 1 + sum(issues > step for step in HEATS)


def possible(day: date) -> date:
    """Raises Refused for days beside which there are none."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Refused(422, "bad_input", f"the day must lie between {FIRST_DAY} and {LAST_DAY}")
    return day


def _key(house: House, visitor: Visitor, *what: Hashable) -> Hashable:
    """Names what those of one department, or of none, see of a page after the last move."""
    return (*what, visitor.actor.bound_to, house.desk.queue.last_event())


def _fragment(request: Request, visitor: Visitor, key: Hashable) -> Callable[[Any], str]:
    """For a page's template: the text of its block, which depends on the role and the language besides."""
    language = tongue_of(request).language
    return fragment(house_of(request).kept, (key, visitor.actor.role, language))


def _day(house: House, asked: str | None) -> date:
    """The day of a page's address; yesterday where it names none. Raises Refused."""
    if not asked:
        return today_of(house) - timedelta(days=1)
    try:
        return possible(date.fromisoformat(asked))
    except ValueError as error:
        raise Refused(422, "bad_input", f"{asked[:40]!r} is no day") from error
