"""For those who watch over the program: alive, ready, and figures."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from detector.review.access import OpenAtOnce, Seeing
from detector.review.house import house_of
from detector.review.refusals import Refused
from detector.runs.metrics import CONTENT_TYPE, metrics_text

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def health(request: Request, _: OpenAtOnce) -> Response:
    """Alive: this program answers, and the nights' service in it goes on where there is one. Waits for no thread."""
    alive = house_of(request).alive()
    return JSONResponse({"alive": alive}, 200 if alive else 503)


@router.get("/readyz")
async def ready(request: Request, _: OpenAtOnce) -> Response:
    """Ready: database, disk and folders. Says what is wrong, and not where it lies. One question at a time is under way."""
    house = house_of(request)
    faults = await house.ready.ask(partial(house.probes.faults, house.settings))
    return JSONResponse({"ready": not faults, "faults": sorted(faults)}, 503 if faults else 200)


@router.get("/metrics")
def metrics(request: Request, visitor: Seeing) -> Response:
    """Prometheus' text form, for a token of anybody who sees all issues."""
    if visitor.actor.bound_to is not None:
        raise Refused(403, "not_allowed", "the figures are of all departments")
    house = house_of(request)
    return Response(metrics_text(house.database, house.desk.now()), media_type=CONTENT_TYPE)
