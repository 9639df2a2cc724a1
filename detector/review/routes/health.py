"""For those who watch over the program: alive, ready, and figures."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from detector.review.access import Open, Seeing
from detector.review.house import house_of
from detector.review.refusals import Refused
from detector.runs.metrics import CONTENT_TYPE, metrics_text

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def health(request: Request, _: Open) -> Response:
    """Alive: this program answers, and the nights' service in it goes on where there is one."""
    alive = house_of(request).alive()
    return JSONResponse({"alive": alive}, 200 if alive else 503)


@router.get("/readyz")
def ready(request: Request, _: Open) -> Response:
    """Ready: database, disk and folders. Whoever is not signed in hears what is wrong, and not where it lies."""
    house = house_of(request)
    faults = house.probes.faults(house.settings)
    return JSONResponse({"ready": not faults, "faults": sorted(faults)}, 503 if faults else 200)


@router.get("/metrics")
def metrics(request: Request, visitor: Seeing) -> Response:
    """Prometheus' text form, for a token of anybody who sees all issues."""
    if visitor.actor.bound_to is not None:
        raise Refused(403, "not_allowed", "the figures are of all departments")
    house = house_of(request)
    return Response(metrics_text(house.database, house.desk.now()), media_type=CONTENT_TYPE)
