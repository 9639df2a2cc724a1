"""The application: routes, how refusals are told, and what stands around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from detector import __version__
from detector.core.errors import KerbwatchError
from detector.people import Action
from detector.review.access import Needs, conditions_of
from detector.review.appearance import serve_made
from detector.review.bodies import BodyRule
from detector.review.guard import Guard
from detector.review.house import House
from detector.review.pages import page, tongue_of
from detector.review.refusals import Refused, refusal_of
from detector.review.routes import (
    account,
    admin,
    api,
    api_events,
    boards,
    evidence,
    health,
    loop,
    queue,
    review,
    session,
    source,
    spots,
    zones,
)
from detector.review.words import WORDS

ROUTERS: Final = (
    session.router, account.router, queue.router, review.router, evidence.router, api.router, api_events.router,
    boards.router, boards.api, loop.api, zones.router, zones.api,
    spots.router, spots.api, admin.router, admin.api, health.router, source.router,
)  # fmt: skip
LARGER_BODIES: Mapping[str, BodyRule] = {
    loop.ANSWERS: BodyRule(loop.LARGEST_ANSWER, 600.0, 8, Needs(Action.ANSWER), is_large=True),
    spots.UPLOADS: BodyRule(
        spots.LARGEST_UPLOAD, spots.ARRIVES_WITHIN_S, 8, Needs(Action.SPOT_CHECK), is_large=True
    ),
}
"""Path prefixes that take more than a form does."""

THREADS: Final = 20
"""Requests that are computed at a time. More only wait for one another, and each thread keeps megabytes."""

TOLD_WHY: Final = (400, 409, 422, 503)
"""Of these a page gives the reason besides, in English; the others say all in the page's own language."""


def create_app(house: House) -> Guard:
    """The whole of it as an ASGI application. Raises ValueError where a route does not say who may use it."""
    app = create_inner(house)
    return Guard(app, LARGER_BODIES, _refused)


def create_inner(house: House) -> FastAPI:
    """The application without what stands around it; `create_app` is what is served."""
    app = FastAPI(
        title="kerbwatch",
        version=__version__,
        description="Issues that kerbwatch found, and what becomes of them.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.add_exception_handler(KerbwatchError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ClientDisconnect, _on_gone)
    app.add_exception_handler(Exception, _on_unforeseen)
    app.state.house = house
    list(conditions_of(ROUTERS))
    for router in ROUTERS:
        app.include_router(router)
    serve_made(app)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
    await app.state.house.hub.stop()
    await app.state.house.apart.stop()


def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KerbwatchError)
    return _refused(request, refusal_of(error))


def _on_http(request: Request, error: Exception) -> Response:
    """What starlette refuses by itself: no such path, no such method, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    answer = _refused(request, Refused(error.status_code, _one_word(error.status_code), str(error.detail)))
    answer.headers.update(error.headers or {})
    return answer


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return _refused(request, Refused(422, "bad_input", "; ".join(faults)))


def _on_gone(request: Request, _: Exception) -> Response:
    """The sender left, or was cut off, in the middle of a body: nobody reads this answer, and nothing is logged."""
    return _refused(request, Refused(400, "bad_request", "the request did not arrive whole"))


def _on_unforeseen(request: Request, _: Exception) -> Response:
    """The traceback goes to the log and not to the visitor."""
    return _refused(request, Refused(500, "failed"))


def _one_word(status: int) -> str:
    return {
        400: "bad_request",
        404: "not_found",
        405: "no_such_method",
        408: "too_slow",
        413: "too_large",
    }.get(status, "refused")


def _refused(request: Request, refusal: Refused) -> Response:
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = f"{refusal.retry_after_s:.0f}"
    if request.url.path.startswith(("/api/", "/evidence/", "/metrics")):
        content = {"error": refusal.error, "detail": refusal.detail, "who": refusal.who}
        return JSONResponse(content, refusal.status, headers)
    if refusal.status == 401 and request.method == "GET":
        return RedirectResponse(f"/sign-in?back={quote(_path(request))}", 303)
    t = tongue_of(request)
    key = f"error.{refusal.status}"
    what = t(key) if key in WORDS else t("error.400")
    detail = refusal.detail if refusal.status in TOLD_WHY else ""
    answer = page(request, "error.html", status=refusal.status, what=what, detail=detail)
    answer.headers.update(headers)
    return answer


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
