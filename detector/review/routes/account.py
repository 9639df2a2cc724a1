"""One's own account: the password, and tokens for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from detector.people import PeopleRefusal, SignInRefused, SignInThrottled
from detector.review.access import SESSION_COOKIE, SignedIn, Visitor, address_of, require_password
from detector.review.forms import Fields
from detector.review.house import house_of
from detector.review.pages import page, set_cookie, tongue_of

router = APIRouter(include_in_schema=False)

TOKEN_DAYS: Final = (30, 90, 365)
"""How long a token of one's own may last; the first is chosen where a form says nothing."""


@router.get("/account")
def account(request: Request, visitor: SignedIn) -> Response:
    return _page(request, visitor)


@router.post("/account/password")
def change_password(request: Request, fields: Fields, visitor: SignedIn) -> Response:
    """The old password is asked for again; every other session of the user ends."""
    house, t, login = house_of(request), tongue_of(request), visitor.user.login
    people, address = house.desk.people, address_of(request)
    if fields.get("new") != fields.get("again"):
        return _page(request, visitor, fault=t("setup.differ"), status=422)
    try:
        people.authenticate(login, fields.get("old", ""), address=address)
        people.set_password(visitor.actor, login, fields.get("new", ""))
    except (SignInRefused, SignInThrottled):
        return _page(request, visitor, fault=t("sign_in.wrong"), status=422)
    except PeopleRefusal as refusal:
        return _page(request, visitor, fault=str(refusal), status=422)
    secret, session = people.open_session(people.user(login), address=address)
    answer = _page(request, visitor, told=t("account.changed"), csrf=session.csrf)
    set_cookie(house, answer, SESSION_COOKIE, secret, None)
    return answer


@router.post("/account/tokens")
def make_token(request: Request, fields: Fields, visitor: SignedIn) -> Response:
    """A session alone makes no token, for it may be somebody else's browser: the password is asked for again."""
    desk, t, login = house_of(request).desk, tongue_of(request), visitor.user.login
    require_password(visitor)
    try:
        desk.people.authenticate(login, fields.get("password", ""), address=address_of(request))
    except (SignInRefused, SignInThrottled):
        return _page(request, visitor, fault=t("sign_in.wrong"), status=422)
    chosen = fields.get("days", "")
    days = next((one for one in TOKEN_DAYS if str(one) == chosen), TOKEN_DAYS[0])
    until = desk.now() + timedelta(days=days)
    secret, _ = desk.people.issue_token(visitor.actor, login, fields.get("label", "")[:80], until)
    return _page(request, visitor, secret=secret)


@router.post("/account/tokens/revoke")
def revoke_token(request: Request, fields: Fields, visitor: SignedIn) -> Response:
    people = house_of(request).desk.people
    people.revoke_token(visitor.actor, visitor.user.login, fields.get("prefix", ""))
    return _page(request, visitor)


def _page(
    request: Request,
    visitor: Visitor,
    *,
    fault: str = "",
    told: str = "",
    secret: str = "",
    status: int = 200,
    csrf: str | None = None,
) -> Response:
    tokens = house_of(request).desk.people.tokens(visitor.user.login)
    more = {"csrf": csrf} if csrf else {}
    return page(
        request,
        "account.html",
        status=status,
        fault=fault,
        told=told,
        secret=secret,
        days=TOKEN_DAYS,
        tokens=[token for token in tokens if token.revoked_at is None],
        **more,
    )
