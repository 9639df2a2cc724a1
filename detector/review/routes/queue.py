"""The queue page: every issue, filtered, a page at a time."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from detector.core.values import Category, Violation
from detector.issues import Issue, IssueFilter, IssueOrder, State
from detector.people import Action
from detector.review.access import Seeing
from detector.review.days import standing
from detector.review.filters import Certainty, page_filters
from detector.review.house import House, house_of
from detector.review.pages import page
from detector.review.views import issues_out

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50


@router.get("/queue")
def queue(request: Request, visitor: Seeing) -> Response:
    house, filters = house_of(request), page_filters(request)
    order, wanted = _order(request), filters.wanted(house, visitor)
    counts = house.desk.queue.counts("state", wanted) if wanted else {}
    total = sum(counts.values())
    pages = max(1, -(-total // PAGE_SIZE))
    number = min(max(1, _number(request)), pages)
    return page(
        request,
        "queue.html",
        "nav.queue",
        issues=issues_out(house, _issues(house, wanted, order, number)),
        filters=filters,
        query=filters.query(),
        review_query=replace(filters, state=()).query(),
        to_review=counts.get(State.FLAGGED, 0),
        counts=counts,
        total=total,
        order=order,
        orders=list(IssueOrder),
        number=number,
        pages=pages,
        standing=None if total else standing(house, visitor, filters),
        states=list(State),
        violations=list(Violation),
        categories=list(Category),
        certainties=list(Certainty),
        may_look=visitor.may(Action.LOOK),
        may_review=visitor.may(Action.REVIEW),
    )


def _issues(house: House, wanted: IssueFilter | None, order: IssueOrder, number: int) -> list[Issue]:
    if wanted is None:
        return []
    return house.desk.queue.find(wanted, order=order, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)


def _order(request: Request) -> IssueOrder:
    asked = request.query_params.get("order")
    return next((order for order in IssueOrder if order == asked), IssueOrder.NEWEST)


def _number(request: Request) -> int:
    asked = request.query_params.get("page", "1")
    return int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 8 else 1
