"""Spot checks: a clip that somebody uploads, or a stretch of recordings; progress, findings, and their pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from detector.core.errors import KerbwatchError
from detector.core.times import Interval, local_day
from detector.core.values import Camera, Point, Recording, Violation
from detector.footage.archive import AROUND, parts
from detector.footage.catalogue import Catalogue
from detector.footage.troubles import Troubles
from detector.observing.store import ObservationStore
from detector.people import Action, Looked
from detector.pipeline.doubts import Doubt
from detector.pipeline.flow import Part
from detector.pipeline.showing import recordings_around
from detector.pipeline.usual import stored_looks
from detector.review.access import Visitor, require_header
from detector.review.days import today_of
from detector.review.house import House, house_of
from detector.review.models import Names
from detector.review.models_spots import (
    DoubtOut,
    DroppedOut,
    FindingOut,
    RecordingOut,
    RuleNotJudgedOut,
    SpotIn,
    SpotOut,
    StretchOut,
)
from detector.review.pages import page
from detector.review.refusals import Refused, not_found
from detector.review.routes.api import PROBLEMS
from detector.review.routes.boards import possible
from detector.review.routes.zones import SpotChecker, camera_for
from detector.review.views import local, named
from detector.spotting import Finding, Order, Spot
from detector.spotting.checks import LARGEST_CLIP
from detector.spotting.values import Result

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["spot checks"])

UPLOADS: Final = "/api/v1/spot-checks/clips"
LARGEST_UPLOAD: Final = LARGEST_CLIP + 1_000_000
BLOCK: Final = 1_000_000
DRAINED: Final = 100_000_000
ARRIVES_WITHIN_S: Final = 3600.0
"""What is on its way holds a place in the line."""
LISTED_WITHIN_S: Final = 60.0
"""A camera's folder must have been looked through within so many seconds."""
LONGEST_NAME: Final = 120
NOON: Final = time(12)
"""When a clip begins of which nobody says so: every usual rule is in force."""

_VIDEO = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.get("/spot-checks")
def spots_page(request: Request, _: SpotChecker) -> Response:
    house = house_of(request)
    return page(
        request,
        "spots.html",
        "nav.spots",
        spots=[spot_out(house, spot) for spot in house.spot_checks.all()],
        camera=request.query_params.get("camera", ""),
        day=today_of(house) - timedelta(days=1),
        largest=LARGEST_CLIP,
    )


@router.get("/spot-checks/{spot_id}")
def spot_page(request: Request, spot_id: str, visitor: SpotChecker) -> Response:
    house = house_of(request)
    spot = house.spot_checks.get(spot_id)
    return page(
        request,
        "spot.html",
        "nav.spots",
        spot=spot_out(house, spot),
        may_remove=_may_remove(visitor, spot.by),
    )


@api.get("/spot-checks")
def spots(request: Request, _: SpotChecker) -> list[SpotOut]:
    """Every spot check that is kept, newest first."""
    house = house_of(request)
    return [spot_out(house, spot) for spot in house.spot_checks.all()]


@api.get("/spot-checks/{spot_id}")
def one_spot(request: Request, spot_id: str, _: SpotChecker) -> SpotOut:
    """One spot check: how far it is, and what it found."""
    house = house_of(request)
    return spot_out(house, house.spot_checks.get(spot_id))


@api.post("/spot-checks", status_code=202)
async def check_recordings(request: Request, body: SpotIn, visitor: SpotChecker) -> SpotOut:
    """Look at a stretch of a camera's recordings; it is done later, one after another."""
    house = house_of(request)
    point, camera = camera_for(house, body.camera)
    start = body.start if body.start.utcoffset() is not None else body.start.replace(tzinfo=camera.timezone)
    possible(start.date())
    stretch = Interval(start, start + timedelta(seconds=body.length_s))
    held = _parts(house, await found_in(house, camera, stretch), stretch)
    if not held:
        raise Refused(422, "bad_input", "nothing is recorded at that time")
    return await run_in_threadpool(_submitted, house, visitor, point, camera, held)


def _submitted(house: House, visitor: Visitor, point: Point, camera: Camera, held: Sequence[Part]) -> SpotOut:
    source = ", ".join(PurePath(recording.path).name for recording, _ in held)[:LONGEST_NAME]
    begins = held[0][1].start
    spot = Spot.new(visitor.actor.who, house.desk.now(), point.id, camera.id, source, begins, uploaded=False)
    house.spot_checks.submit(spot, _order(house, spot, point, camera, parts=tuple(held)))
    house.desk.log.add(
        visitor.actor, Looked.FOOTAGE, file=source, details={"spot_check": spot.id, "masked": False}
    )
    return spot_out(house, spot)


@api.post(
    "/spot-checks/clips",
    status_code=202,
    openapi_extra={"requestBody": {"required": True, **_VIDEO}},
)
async def check_clip(
    request: Request,
    visitor: SpotChecker,
    camera: Annotated[str, Query(max_length=64, description="By whose zones it is judged.")],
    name: Annotated[str, Query(max_length=255, description="The file's name.")] = "",
    start: Annotated[
        datetime | None, Query(description="When it begins; yesterday noon if left out.")
    ] = None,
) -> SpotOut:
    """Look at a clip, which is the request's body; it is done later, one after another, and the clip then removed."""
    require_header(request, visitor)
    house = house_of(request)
    point, view = camera_for(house, camera)
    begins = start or datetime.combine(today_of(house) - timedelta(days=1), NOON)
    begins = begins if begins.utcoffset() is not None else begins.replace(tzinfo=view.timezone)
    possible(begins.date())
    spot = Spot.new(
        visitor.actor.who, house.desk.now(), point.id, view.id, _plain(name), begins, uploaded=True
    )
    pieces = request.stream()
    try:
        async with asyncio.timeout(ARRIVES_WITHIN_S):
            await _receive(request, pieces, house, spot)
    except TimeoutError as error:
        raise Refused(400, "bad_request", "the clip took too long to arrive") from error
    except KerbwatchError:
        await _drain(pieces)
        raise
    except ClientDisconnect as error:
        raise Refused(400, "bad_request", "the clip did not arrive whole") from error
    clip = house.spot_checks.shelf.clip(spot.id)
    order = await run_in_threadpool(partial(_order, house, spot, point, view, clip=clip))
    await run_in_threadpool(house.spot_checks.submit, spot, order)
    return spot_out(house, spot)


async def _receive(request: Request, pieces: AsyncIterator[bytes], house: House, spot: Spot) -> None:
    """The body into the check's folder, in blocks: a thread writes each while others are served."""
    size = request.headers.get("Content-Length", "0")
    block = bytearray()
    with house.spot_checks.receiving(spot, int(size) if size.isdecimal() else 0) as take:
        async for piece in pieces:
            block += piece
            if len(block) >= BLOCK:
                await run_in_threadpool(take, bytes(block))
                block.clear()
        await run_in_threadpool(take, bytes(block))


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Reads on for a while: a browser that is cut off while it sends shows no answer."""
    left = DRAINED
    with suppress(ClientDisconnect):
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                return


@api.delete("/spot-checks/{spot_id}", status_code=204)
def remove(request: Request, spot_id: str, visitor: SpotChecker) -> Response:
    """End a spot check that is not over, and remove what was found. For whoever asked for it, and administrators."""
    checks = house_of(request).spot_checks
    if not _may_remove(visitor, checks.get(spot_id).by):
        raise Refused(403, "not_allowed", "it was asked for by somebody else")
    checks.remove(spot_id)
    return Response(status_code=204)


@api.get(
    "/spot-checks/{spot_id}/pictures/{name}",
    response_class=FileResponse,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
def picture(request: Request, spot_id: str, name: str, visitor: SpotChecker) -> FileResponse:
    """A still of a finding. The log tells that the check was looked at."""
    house = house_of(request)
    path = house.spot_checks.picture(spot_id, name)
    if not path.is_file():
        raise not_found("the picture is no longer there")
    house.looks.tell_file(visitor.actor, f"spot check {spot_id}")
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


@api.get("/cameras/{camera_id}/recordings")
async def recordings(
    request: Request,
    camera_id: str,
    _: SpotChecker,
    day: Annotated[date, Query(description="A local day.")],
) -> list[RecordingOut]:
    """What a camera has recorded on a day, as it lies in the archive now."""
    house = house_of(request)
    _point, camera = camera_for(house, camera_id)
    return [
        RecordingOut(
            name=PurePath(one.path).name,
            start=local(house.settings, one.interval.start),
            end=local(house.settings, one.interval.end),
            state=one.state,
            usable=one.usable,
            size_bytes=one.size_bytes,
        )
        for one in await found_in(house, camera, local_day(possible(day), camera.timezone))
    ]


async def found_in(house: House, camera: Camera, period: Interval) -> list[Recording]:
    """A camera's recordings that touch a period. What is found is kept, so that it is not opened again.

    Raises ApartFailed where the archive does not answer in time.
    """
    settings, now = house.settings, house.desk.now()
    known, given_up = await run_in_threadpool(_known_near, house, camera, period)
    archive = await house.apart.call(
        LISTED_WITHIN_S,
        recordings_around,
        camera=camera,
        root=settings.archive_root,
        period=period,
        known=known,
        now=now,
        given_up=given_up,
        links_outside=settings.links_outside,
    )
    await run_in_threadpool(Catalogue(house.database).remember, camera.id, archive.recordings, now)
    return [one for one in archive.recordings if one.interval.overlaps(period)]


def _known_near(
    house: House, camera: Camera, period: Interval
) -> tuple[dict[str, Recording], Mapping[str, str]]:
    """What is known of the files that will be looked at, and which of them are given up."""
    around = Interval(period.start - AROUND, period.end + AROUND)
    known = Catalogue(house.database).known_in(around).get(camera.id, ())
    return {one.path: one for one in known}, Troubles(house.database).given_up(camera.id)


def _parts(house: House, found: Sequence[Recording], stretch: Interval) -> list[Part]:
    """What of a stretch is recorded, with whole paths, each moment in the recording with the best picture of it."""
    root = house.settings.archive_root
    return [
        (replace(recording, path=str(root / recording.path)), part)
        for recording, held in parts(found)
        if (part := held.intersection(stretch))
    ]


def spot_out(house: House, spot: Spot) -> SpotOut:
    settings, result = house.settings, spot.result
    point = next((point for point in settings.points if point.id == spot.point_id), None)
    took_s = (
        (spot.finished_at - spot.started_at).total_seconds() if spot.finished_at and spot.started_at else None
    )
    return SpotOut(
        id=spot.id,
        by=spot.by,
        created_at=local(settings, spot.created_at),
        point=spot.point_id,
        point_name=Names(en=point.name_en, zh=point.name) if point else named("app.unknown"),
        camera=spot.camera_id,
        source=spot.source,
        uploaded=spot.uploaded,
        start=local(settings, spot.start),
        state=spot.state,
        state_name=named(f"spot_state.{spot.state}"),
        phase=spot.phase,
        progress=spot.progress,
        ahead=house.spot_checks.ahead_of(spot) if not spot.state.over else 0,
        why=spot.why,
        why_name=named(f"spot_why.{spot.why}") if spot.why else None,
        detail=spot.detail,
        finished_at=local(settings, spot.finished_at) if spot.finished_at else None,
        took_s=took_s,
        view=result.view if result else None,
        duration_s=result.duration_s if result else None,
        looks=result.looks if result else None,
        unreadable=result.unreadable if result else None,
        findings=[_finding_out(house, spot, finding) for finding in result.findings] if result else [],
        dropped=[
            DroppedOut(violation=violation, violation_name=_name(house, violation), why=why)
            for violation, why in (result.dropped if result else ())
        ],
        **_outcome_out(house, result),
    )


def _outcome_out(house: House, result: Result | None) -> dict[str, Any]:
    """What a check came to, as SpotOut has it."""
    if result is None:
        return {"outcome": None, "outcome_name": None, "doubts": [], "not_judged": [], "rules_not_judged": []}
    return {
        "outcome": result.outcome,
        "outcome_name": named(f"spot_outcome.{result.outcome}"),
        "doubts": [DoubtOut(kind=doubt.kind, reason=_sentence(doubt)) for doubt in result.doubts],
        "not_judged": [
            StretchOut(start=local(house.settings, stretch.start), end=local(house.settings, stretch.end))
            for stretch in result.unjudged
        ],
        "rules_not_judged": [
            RuleNotJudgedOut(violation=violation, violation_name=_name(house, violation), limit_s=limit_s)
            for violation, limit_s in result.too_long
        ],
    }


def _sentence(doubt: Doubt) -> Names:
    return Names(en=f"{doubt.reason[:1].upper()}{doubt.reason[1:]}.", zh=f"{doubt.reason_zh}。")


def _finding_out(house: House, spot: Spot, finding: Finding) -> FindingOut:
    return FindingOut(
        violation=finding.violation,
        violation_name=_name(house, finding.violation),
        zone=finding.zone_id,
        start=local(house.settings, finding.start),
        end=local(house.settings, finding.end),
        dwell_s=(finding.end - finding.start).total_seconds(),
        limit_s=finding.limit_s,
        confidence=finding.confidence,
        explanation=Names(en=finding.explanation, zh=finding.explanation_zh),
        pictures=[f"/api/v1/spot-checks/{spot.id}/pictures/{name}" for name in finding.pictures],
    )


def _order(
    house: House,
    spot: Spot,
    point: Point,
    camera: Camera,
    *,
    clip: Path | None = None,
    parts: tuple[Part, ...] = (),
) -> Order:
    folder, rules = house.spot_checks.shelf.folder(spot.id), house.settings.rules
    name = spot.source if spot.uploaded else None
    store = ObservationStore(house.settings.observations_root)
    usual = stored_looks(Catalogue(house.database), store, camera, house.desk.now())
    return Order(folder, point, camera, rules, spot.start, clip, parts, name, usual)


def _plain(name: str) -> str:
    """A file's name as people may read it; it is never made a path of."""
    last = PurePath(name.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[-LONGEST_NAME:] or "clip"


def _may_remove(visitor: Visitor, by: str) -> bool:
    return visitor.actor.who == by or visitor.may(Action.MANAGE_USERS)


def _name(house: House, violation: Violation) -> Names:
    code = house.settings.codes[violation]
    return Names(en=code.name_en, zh=code.name)
