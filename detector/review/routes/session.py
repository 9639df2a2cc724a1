"""Signing in and out, the first run, and the choice of language and theme."""

from __future__ import annotations

import math

from fastapi import APIRouter, Request
from fastapi.responses import Response

from detector.people import Actor, PeopleRefusal, Role, SignInRefused, SignInThrottled, User
from detector.review.access import SESSION_COOKIE, Open, SignedIn, address_of, same
from detector.review.forms import Fields
from detector.review.house import House, house_of
from detector.review.pages import (
    LANGUAGE_COOKIE,
    PREFERENCE_S,
    THEME_COOKIE,
    THEMES,
    local,
    page,
    set_cookie,
    to,
    tongue_of,
)
from detector.review.words import LANGUAGES

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(_: SignedIn) -> Response:
    return to("/queue")


@router.get("/sign-in")
def sign_in_page(request: Request, visitor: Open, back: str = "/") -> Response:
    if not house_of(request).desk.people.any():
        return to("/setup")
    if visitor is not None:
        return to(back)
    return _sign_in_page(request, back)


@router.post("/sign-in")
def sign_in(request: Request, fields: Fields, _: Open) -> Response:
    house, t = house_of(request), tongue_of(request)
    login, back = fields.get("login", ""), local(fields.get("back", "/"))
    try:
        user = house.desk.people.authenticate(login, fields.get("password", ""), address=address_of(request))
    except SignInThrottled as wait:
        fault = t("sign_in.throttled", minutes=math.ceil(wait.wait_s / 60))
        return _sign_in_page(request, back, login, fault, status=429)
    except SignInRefused:
        return _sign_in_page(request, back, login, t("sign_in.wrong"), status=401)
    return _signed_in(house, request, user, back)


def _sign_in_page(
    request: Request, back: str, login: str = "", fault: str = "", *, status: int = 200
) -> Response:
    return page(request, "sign_in.html", status=status, back=local(back), login=login, fault=fault)


def _signed_in(house: House, request: Request, user: User, back: str) -> Response:
    """A new session, whatever the browser had before."""
    people = house.desk.people
    people.close_session(request.cookies.get(SESSION_COOKIE, ""))
    secret, _ = people.open_session(user, address=address_of(request))
    answer = to(back)
    set_cookie(house, answer, SESSION_COOKIE, secret, None)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, _fields: Fields, _: Open) -> Response:
    house_of(request).desk.people.close_session(request.cookies.get(SESSION_COOKIE, ""))
    answer = to("/sign-in")
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


@router.get("/setup")
def setup_page(request: Request, _: Open) -> Response:
    if house_of(request).desk.people.any():
        return to("/sign-in")
    return page(request, "setup.html", login="", fault="")


@router.post("/setup")
def setup(request: Request, fields: Fields, _: Open) -> Response:
    """Makes the first administrator; whoever comes second is refused, also at the same moment."""
    house, t = house_of(request), tongue_of(request)
    login, password = fields.get("login", ""), fields.get("password", "")
    people, address = house.desk.people, address_of(request)
    if people.any():
        return to("/sign-in")
    if not same(fields.get("code", "").strip(), house.setup_code):
        return _setup_fault(request, login, t("setup.code_wrong"))
    if password != fields.get("again"):
        return _setup_fault(request, login, t("setup.differ"))
    founder = Actor(login.strip().casefold(), Role.ADMIN, address=address)
    try:
        user = people.create(
            founder, login, name=login.strip(), role=Role.ADMIN, password=password, only_first=True
        )
    except PeopleRefusal as refusal:
        return _setup_fault(request, login, str(refusal))
    return _signed_in(house, request, user, "/")


def _setup_fault(request: Request, login: str, fault: str) -> Response:
    return page(request, "setup.html", status=422, login=login, fault=fault)


@router.post("/preferences")
def preferences(request: Request, fields: Fields, _: Open) -> Response:
    house, answer = house_of(request), to(fields.get("back", "/"))
    if fields.get("lang") in LANGUAGES:
        set_cookie(house, answer, LANGUAGE_COOKIE, fields["lang"], PREFERENCE_S)
    if fields.get("theme") in THEMES:
        set_cookie(house, answer, THEME_COOKIE, fields["theme"], PREFERENCE_S)
    return answer
