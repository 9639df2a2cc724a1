"""Who asks, and whether they may: every route declares one condition, and the app does not start without it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from detector.issues import Issue
from detector.people import Action, Actor, User, may
from detector.review.house import house_of
from detector.review.refusals import Refused, not_found

SESSION_COOKIE = "kerbwatch_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_KINDS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who asks: by a browser's session, or by a token. Then `csrf` is empty: no other site has the token."""

    user: User
    actor: Actor
    csrf: str = ""
    key: str = ""
    """Names the session or the token in the database."""

    def may(self, action: Action) -> bool:
        return may(self.actor, action)

    def sees(self, issue: Issue) -> bool:
        """Whether an issue is any business of theirs: a department has its own only."""
        bound = self.actor.bound_to
        return bound is None or issue.concerns(bound)


@dataclass(frozen=True, slots=True)
class Needs:
    """A route's condition, as a dependency that gives the visitor. Without an action any signed-in user will do."""

    action: Action | None = None

    def __call__(self, request: Request) -> Visitor:
        visitor = visitor_of(request)
        if visitor is None:
            raise Refused(401, "sign_in", "sign in first, or send a valid token")
        if self.action is not None and not visitor.may(self.action):
            raise Refused(403, "not_allowed", f"{visitor.user.role} may not {self.action.replace('_', ' ')}")
        _refuse_forged(request, visitor)
        return visitor


@dataclass(frozen=True, slots=True)
class Anybody:
    """The condition of the few routes that are open to everybody."""

    def __call__(self, request: Request) -> Visitor | None:
        return visitor_of(request)


@dataclass(frozen=True, slots=True)
class Unasked:
    """The condition of a route that is open to everybody and answers without a thread and without the database."""

    async def __call__(self) -> None:
        return None


SignedIn = Annotated[Visitor, Depends(Needs())]
Seeing = Annotated[Visitor, Depends(Needs(Action.SEE))]
Looking = Annotated[Visitor, Depends(Needs(Action.LOOK))]
"""At masked pictures at least; the route asks what the visitor may see unmasked."""
LookingUnmasked = Annotated[Visitor, Depends(Needs(Action.LOOK_UNMASKED))]
Reviewing = Annotated[Visitor, Depends(Needs(Action.REVIEW))]
Open = Annotated[Visitor | None, Depends(Anybody())]
OpenAtOnce = Annotated[None, Depends(Unasked())]


def visitor_of(request: Request) -> Visitor | None:
    """Whoever asks: the user of the token in the Authorization header, else of the session's cookie.

    It is looked up once a request.
    """
    if not hasattr(request.state, "visitor"):
        request.state.visitor = _look_up(request)
    found: Visitor | None = request.state.visitor
    return found


def _look_up(request: Request) -> Visitor | None:
    people, address = house_of(request).desk.people, address_of(request)
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        user = people.token_user(secret.strip()) if scheme.lower() == "bearer" else None
        return Visitor(user, user.actor(address), key=people.key_of(secret.strip())) if user else None
    secret = request.cookies.get(SESSION_COOKIE, "")
    session = people.session(secret) if secret else None
    if session is None:
        return None
    return Visitor(session.user, session.user.actor(address), session.csrf, session.key)


def address_of(request: Request) -> str | None:
    return request.client.host if request.client else None


class ChecksToken:
    """A dependency that itself looks at the token against forgery, in a field of the form that it reads."""


def _refuse_forged(request: Request, visitor: Visitor) -> None:
    """Raises Refused where another site may have made the browser send this.

    A script sends the session's token in a header. A form sends it in a field, at which `forms` looks: only where the
    route reads the form. A request without a body has the header too.
    """
    if not visitor.csrf or request.method in SAFE_METHODS:
        return
    refuse_other_sites(request)
    sent = request.headers.get(CSRF_HEADER)
    if sent is None and _reads_token(request.scope.get("route")):
        return
    if sent is None or not same(sent, visitor.csrf):
        raise Refused(403, "forged", f"the header {CSRF_HEADER} is missing or is not this session's")


def _reads_token(route: BaseRoute | None) -> bool:
    """Whether a route looks at a form's token by itself."""
    return isinstance(route, APIRoute) and any(
        isinstance(part.call, ChecksToken) for part in route.dependant.dependencies
    )


def require_header(request: Request, visitor: Visitor) -> None:
    """What `forms` does not read, such as files, must carry the token in the header, as a script of ours sends it."""
    if visitor.csrf and CSRF_HEADER not in request.headers:
        raise Refused(403, "forged", f"the header {CSRF_HEADER} is missing")


def require_password(visitor: Visitor) -> None:
    """A token must not make tokens or accounts: whoever finds one would keep it for ever. Raises Refused."""
    if not visitor.csrf:
        raise Refused(403, "not_allowed", "this is for whoever is signed in with a password")


def refuse_other_sites(request: Request) -> None:
    """Browsers say where a request comes from; where one says nothing, the token alone must do."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    here = origin is None or origin.partition("://")[2] == request.headers.get("Host")
    if site not in ("same-origin", "none") or not here:
        raise Refused(403, "forged", "the request comes from another site")


def same(sent: str, kept: str) -> bool:
    return hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), kept.encode())


def is_form(request: Request) -> bool:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() in FORM_KINDS


def issue_for(request: Request, visitor: Visitor, public_id: str) -> Issue:
    """The issue of a public id. Raises Refused 404 where there is none, or none that is the visitor's business."""
    issue = house_of(request).desk.queue.by_public_id(public_id)
    if not visitor.sees(issue):
        raise not_found("there is no such issue")
    return issue


def conditions_of(routers: Iterable[APIRouter]) -> Iterator[tuple[APIRoute, Needs | Anybody | Unasked]]:
    """Every route with its condition. Raises ValueError where one has none or two."""
    for router in routers:
        for route in router.routes:
            yield _condition_of(route)


def _condition_of(route: BaseRoute) -> tuple[APIRoute, Needs | Anybody | Unasked]:
    if not isinstance(route, APIRoute):
        raise TypeError(f"{route} is of a kind that can say no condition")
    found = [
        part.call for part in route.dependant.dependencies if isinstance(part.call, Needs | Anybody | Unasked)
    ]
    changes = bool((route.methods or set()) - SAFE_METHODS)
    if changes and not isinstance(found[0] if found else None, Needs) and not _reads_token(route):
        raise ValueError(f"{route.path} is open to everybody and must look at a form's token")
    if len(found) != 1:
        raise ValueError(f"{route.path} must say once who may use it, and says it {len(found)} times")
    return route, found[0]
