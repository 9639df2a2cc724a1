"""The review page, and the page of one issue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from detector.issues import REJECT_REASONS, State
from detector.people import Action
from detector.review.access import Looking, Reviewing, Seeing, issue_for
from detector.review.days import standing
from detector.review.explanations import explanation_of, mark_of
from detector.review.filters import Filters, page_filters
from detector.review.house import House, house_of
from detector.review.pages import page, tongue_of
from detector.review.views import issue_out
from detector.review.words import Tongue

router = APIRouter(include_in_schema=False)


@router.get("/review")
def review(request: Request, visitor: Reviewing) -> Response:
    """Whatever the filter says of states: what is reviewed is what waits for review."""
    house = house_of(request)
    filters = replace(page_filters(request), state=(State.FLAGGED,))
    filters.wanted(house, visitor)
    chosen = _chosen(house, tongue_of(request), filters)
    return page(
        request,
        "review.html",
        "nav.review",
        deck_url=f"/api/v1/deck{filters.query()}",
        first=request.query_params.get("first", ""),
        query=filters.query(),
        chosen=" · ".join(chosen),
        standing=standing(house, visitor, filters),
        may_decide=True,
        reasons=list(REJECT_REASONS),
    )


@router.get("/issues/{public_id}")
def one_issue(request: Request, public_id: str, visitor: Looking) -> Response:
    """The review page with one issue; it can be decided where it waits for that and the visitor may."""
    issue = issue_for(request, visitor, public_id)
    return page(
        request,
        "review.html",
        "nav.queue",
        deck_url="",
        first=issue.public_id,
        query="",
        chosen=tongue_of(request)("nav.queue"),
        standing=None,
        may_decide=visitor.may(Action.REVIEW) and issue.state is State.FLAGGED,
        reasons=list(REJECT_REASONS),
    )


@router.get("/issues/{public_id}/explanation")
def explanation(request: Request, public_id: str, visitor: Seeing) -> Response:
    """How an issue was found, as a page that needs no script and prints."""
    house, issue = house_of(request), issue_for(request, visitor, public_id)
    return page(
        request,
        "explanation.html",
        "nav.queue",
        issue=issue_out(house, issue),
        explanation=explanation_of(house, visitor, issue),
        mark_of=mark_of,
    )


def _chosen(house: House, t: Tongue, filters: Filters) -> Iterator[str]:
    """The filter in words, for the button that changes it."""
    settings = house.settings
    yield from (t.pick(settings.codes[v].name_en, settings.codes[v].name) for v in filters.violation)
    yield from (t(f"category.{category}") for category in filters.category)
    yield from (t.pick(point.name_en, point.name) for point in map(settings.point, filters.point))
    departments = [settings.departments[department] for department in filters.department]
    yield from (t.pick(department.name_en, department.name) for department in departments)
    days = [day.isoformat() for day in (filters.first, filters.last) if day]
    if days:
        yield " – ".join(dict.fromkeys(days))
    if filters.certainty:
        yield f"{t('queue.certainty')}: {t(f'certainty.{filters.certainty}')}"
