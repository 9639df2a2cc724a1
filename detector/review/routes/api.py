"""The API under /api/v1: everything that the pages do with issues."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from detector.core.errors import KerbwatchError
from detector.issues import REJECT_REASONS, Issue, IssueFilter, IssueOrder, State
from detector.issues.reading import DeckOrder
from detector.people import Action, Token
from detector.review.access import Reviewing, Seeing, SignedIn, Visitor, issue_for, require_password
from detector.review.explanations import explanation_of
from detector.review.filters import Filters, filters_of
from detector.review.house import House, house_of
from detector.review.models import (
    ClaimIn,
    DeckEntryOut,
    DeckOut,
    ExplanationOut,
    IssueDetail,
    IssueOut,
    IssuePage,
    MoveIn,
    MovesIn,
    MovesOut,
    Names,
    PointOut,
    Problem,
    ReasonOut,
    RefusedMove,
    SeenIn,
    TokenIn,
    TokenMade,
    TokenOut,
    UserOut,
)
from detector.review.refusals import Refused, refusal_of
from detector.review.views import detail_out, issue_out, issues_out

_REFUSALS: Mapping[int, str] = {
    400: "The request could not be understood.",
    401: "Nobody is signed in.",
    403: "The user may not.",
    404: "There is no such thing, or it is none of the user's business.",
    409: "It has moved on, or somebody else has it in hand.",
    413: "The request is too large.",
    415: "It is of a kind that is not taken.",
    422: "What was sent is wrong.",
    429: "Too many attempts; wait.",
    503: "Busy; the same call may succeed in a moment.",
    507: "The disk is full.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text} for status, text in _REFUSALS.items()
}
router = APIRouter(prefix="/api/v1", responses=PROBLEMS)

DECK_MOST = 1000
UNDONE = "undone by the reviewer"
"""The reason that the history gives for an undo."""

Asked = Annotated[Filters, Depends(filters_of)]


@router.get("/me", tags=["people"])
def me(visitor: SignedIn) -> UserOut:
    """Who asks, and what this user may do."""
    user = visitor.user
    may = [action for action in Action if visitor.may(action)]
    return UserOut(login=user.login, name=user.name, role=user.role, department=user.department, may=may)


@router.get("/points", tags=["issues"])
def points(request: Request, _: Seeing) -> list[PointOut]:
    """The monitored points."""
    return [
        PointOut(
            id=point.id,
            name=Names(en=point.name_en, zh=point.name),
            category=point.category,
            grid=point.grid,
            cameras=[camera.id for camera in point.cameras],
        )
        for point in house_of(request).settings.points
    ]


@router.get("/reasons", tags=["issues"])
def reasons(_: Seeing) -> list[ReasonOut]:
    """Why an issue may be rejected."""
    return [
        ReasonOut(code=code, name=Names(en=reason.en, zh=reason.zh), needs_note=code == "other")
        for code, reason in REJECT_REASONS.items()
    ]


@router.get("/issues", tags=["issues"])
def issues(
    request: Request,
    visitor: Seeing,
    filters: Asked,
    order: IssueOrder = IssueOrder.NEWEST,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> IssuePage:
    """Issues of a filter."""
    house = house_of(request)
    wanted = filters.wanted(house, visitor)
    if wanted is None:
        return IssuePage(total=0, issues=[])
    found = house.desk.queue.find(wanted, order=order, limit=limit, offset=offset)
    return IssuePage(total=_total(house, wanted), issues=issues_out(house, found))


def _total(house: House, wanted: IssueFilter) -> int:
    return sum(house.desk.queue.counts("state", wanted).values())


@router.get("/deck", tags=["review"])
def deck(request: Request, visitor: Seeing, filters: Asked, order: DeckOrder = DeckOrder.PLACE) -> DeckOut:
    """The issues of a filter in working order, at most 1000, with who has which in hand."""
    house = house_of(request)
    wanted = filters.wanted(house, visitor)
    if wanted is None:
        return DeckOut(total=0, issues=[], claims={})
    entries = house.reader.deck(wanted, order, DECK_MOST, uncertain_below=house.settings.uncertain_below)
    listed = {entry.public_id for entry in entries}
    claims = {claim.public_id: claim.who for claim in house.reader.claims() if claim.public_id in listed}
    return DeckOut(
        total=_total(house, wanted),
        issues=[DeckEntryOut(id=e.public_id, number=e.id, version=e.version) for e in entries],
        claims=claims,
    )


@router.get("/issues/{public_id}", tags=["issues"])
def issue(request: Request, public_id: str, visitor: Seeing) -> IssueDetail:
    """One issue with stills, clip, history, and what happened in its place before."""
    found = issue_for(request, visitor, public_id)
    return detail_out(house_of(request), visitor, found)


@router.get("/issues/{public_id}/explanation", tags=["issues"])
def explanation(request: Request, public_id: str, visitor: Seeing) -> ExplanationOut:
    """How an issue was found: what each stage saw and decided in the middle of its interval and at its box.

    Read from what scans have stored; no recording is opened.
    """
    found = issue_for(request, visitor, public_id)
    return explanation_of(house_of(request), visitor, found)


@router.post("/issues/{public_id}/claim", tags=["review"])
def claim(request: Request, public_id: str, body: ClaimIn, visitor: Reviewing) -> IssueOut:
    """Take an issue in hand for a while, so that nobody else decides it; claiming it again renews the lease.

    Refused for one that no longer waits for review.
    """
    house, found = house_of(request), issue_for(request, visitor, public_id)
    claimed = house.desk.claim(visitor.actor, found.id, body.lease_s)
    if claimed.state is not State.FLAGGED:
        house.desk.release(visitor.actor, found.id)
        raise Refused(409, "decided", f"issue {found.id} is {claimed.state}")
    return issue_out(house, claimed)


@router.post("/issues/{public_id}/release", tags=["review"])
def release(request: Request, public_id: str, visitor: Reviewing) -> IssueOut:
    """Give one's claim back; nothing happens where there is none."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    return issue_out(house, house.desk.release(visitor.actor, found.id))


@router.post("/issues/{public_id}/moves", tags=["review"])
def move(request: Request, public_id: str, body: MoveIn, visitor: Reviewing) -> IssueOut:
    """Confirm or reject an issue."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    return issue_out(house, _moved(house, visitor, found, body, body.seen_version))


@router.post("/moves", tags=["review"])
def moves(request: Request, body: MovesIn, visitor: Reviewing) -> MovesOut:
    """Confirm or reject several issues at once; each is moved or refused by itself."""
    house = house_of(request)
    moved, refused = [], []
    for seen in body.issues:
        try:
            found = issue_for(request, visitor, seen.id)
            moved.append(issue_out(house, _moved(house, visitor, found, body, seen.seen_version)))
        except KerbwatchError as error:
            refusal = refusal_of(error)
            if refusal.status >= 500:
                raise
            refused.append(
                RefusedMove(id=seen.id, error=refusal.error, detail=refusal.detail, who=refusal.who)
            )
    return MovesOut(moved=moved, refused=refused)


def _moved(house: House, visitor: Visitor, found: Issue, body: MoveIn | MovesIn, version: int) -> Issue:
    if body.move == "confirm":
        return house.desk.confirm(visitor.actor, found.id, note=body.note, seen_version=version)
    return house.desk.reject(visitor.actor, found.id, body.reason or "", note=body.note, seen_version=version)


@router.post("/issues/{public_id}/undo", tags=["review"])
def undo(request: Request, public_id: str, body: SeenIn, visitor: Reviewing) -> IssueOut:
    """Take a confirmation or rejection back: the issue waits for review again."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    back = house.desk.reconsider(visitor.actor, found.id, UNDONE, seen_version=body.seen_version)
    return issue_out(house, back)


@router.get("/tokens", tags=["people"])
def tokens(request: Request, visitor: SignedIn) -> list[TokenOut]:
    """One's own tokens."""
    return [token_out(token) for token in house_of(request).desk.people.tokens(visitor.user.login)]


@router.post("/tokens", tags=["people"], status_code=201)
def make_token(request: Request, body: TokenIn, visitor: SignedIn) -> TokenMade:
    """A new token of one's own, with its secret. It needs one's password again; a token cannot make tokens."""
    require_password(visitor)
    desk = house_of(request).desk
    desk.people.authenticate(visitor.user.login, body.password, address=visitor.actor.address)
    until = desk.now() + timedelta(days=body.days)
    secret, token = desk.people.issue_token(visitor.actor, visitor.user.login, body.label, until)
    return TokenMade(**token_out(token).model_dump(), secret=secret)


@router.delete("/tokens/{prefix}", tags=["people"], status_code=204)
def revoke_token(request: Request, prefix: str, visitor: SignedIn) -> Response:
    """End a token of one's own."""
    people, login = house_of(request).desk.people, visitor.user.login
    if prefix not in {token.prefix for token in people.tokens(login) if token.revoked_at is None}:
        raise Refused(404, "not_found", "you have no such token")
    people.revoke_token(visitor.actor, login, prefix)
    return Response(status_code=204)


def token_out(token: Token) -> TokenOut:
    return TokenOut(
        label=token.label,
        prefix=token.prefix,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        used_at=token.used_at,
    )


@router.get("/openapi.json", tags=["people"])
def document(request: Request, _: SignedIn) -> dict[str, Any]:
    """The API, described by itself."""
    found: dict[str, Any] = request.app.openapi()
    return found
