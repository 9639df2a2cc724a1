"""Zones: drawn over a picture of their point, tried on a day that was observed, and kept in the point's own file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from detector.config.editing import (
    ChangedOnDisk,
    KeptFile,
    checked_point,
    point_file,
    save,
    with_resolution,
    with_zones,
    without_example_mark,
    zones_in,
)
from detector.core.times import Interval, local_day
from detector.core.values import Camera, Incident, Point, ZoneKind
from detector.footage.catalogue import Catalogue
from detector.footage.shapes import other_shape
from detector.observing.store import ObservationStore
from detector.people import Action, Looked
from detector.pipeline.findings import FindingsStore
from detector.pipeline.rejudge import rejudge
from detector.review.access import Needs, Visitor
from detector.review.house import House, house_of
from detector.review.models import Names
from detector.review.models_zones import (
    IncidentOut,
    OtherShapeOut,
    PreviewIn,
    PreviewOut,
    ResolutionIn,
    VanishedOut,
    ZoneModel,
    ZonesIn,
    ZonesOut,
)
from detector.review.pages import page, to
from detector.review.pictures import view_of
from detector.review.refusals import not_found
from detector.review.routes.api import PROBLEMS
from detector.review.views import issue_out, issues_out, local

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", responses=PROBLEMS)

ZoneEditor = Annotated[Visitor, Depends(Needs(Action.EDIT_ZONES))]
SpotChecker = Annotated[Visitor, Depends(Needs(Action.SPOT_CHECK))]

LOOKED_BACK = timedelta(days=60)


@router.get("/zones")
def zones_first(request: Request, _: ZoneEditor) -> Response:
    return to(f"/zones/{house_of(request).settings.points[0].cameras[0].id}")


@router.get("/zones/{camera_id}")
def zones_page(request: Request, camera_id: str, _: ZoneEditor) -> Response:
    house = house_of(request)
    point, camera = camera_for(house, camera_id)
    rules = house.settings.rules.rules
    limited = {kind: [v for v, rule in rules.items() if kind in rule.zones] for kind in ZoneKind}
    return page(
        request,
        "zones.html",
        "nav.zones",
        point=point,
        camera=camera,
        kinds=list(ZoneKind),
        limited=limited,
        violations=sorted({v for found in limited.values() for v in found}),
    )


@api.get("/cameras/{camera_id}/zones", tags=["zones"])
def zones(request: Request, camera_id: str, _: ZoneEditor) -> ZonesOut:
    """A camera's zones as its point's file has them now."""
    house = house_of(request)
    point, camera = camera_for(house, camera_id)
    kept = point_file(house.settings, point.id)
    # The file may have been changed by hand since the server started.
    return _zones_out(house, checked_point(house.settings, kept, kept.text), camera, kept)


@api.put("/cameras/{camera_id}/zones", tags=["zones"])
def save_zones(request: Request, camera_id: str, body: ZonesIn, visitor: ZoneEditor) -> ZonesOut:
    """Write the zones into the point's file. Comments and everything else in it stay; the old file is kept."""
    return _edited(
        request, visitor, camera_id, body.seen, lambda kept, camera: _confirmed_text(kept, camera, body.zones)
    )


@api.post("/cameras/{camera_id}/resolution", tags=["zones"])
def set_resolution(request: Request, camera_id: str, body: ResolutionIn, visitor: ZoneEditor) -> ZonesOut:
    """Write another picture size into the point's file, with the zones stretched to it or left in their pixels."""
    return _edited(
        request,
        visitor,
        camera_id,
        body.seen,
        lambda kept, camera: with_resolution(
            kept, camera.id, body.resolution_wh, scale_zones=body.scale_zones
        ),
    )


def _edited(
    request: Request,
    visitor: Visitor,
    camera_id: str,
    seen: str,
    text_of: Callable[[KeptFile, Camera], str],
) -> ZonesOut:
    """Write a changed text of a point's file and go by it. Raises ChangedOnDisk, BadInput, BadConfig."""
    with house_of(request).editing:
        house = house_of(request)
        point, camera = camera_for(house, camera_id)
        kept = point_file(house.settings, point.id)
        if seen != kept.seen:
            raise ChangedOnDisk(
                f"{kept.path.name} was changed by somebody else meanwhile; nothing was written"
            )
        text = text_of(kept, camera)
        changed = checked_point(house.settings, kept, text)
        old = save(house.settings, kept, text, house.desk.now())
        points = tuple(changed if one.id == point.id else one for one in house.settings.points)
        request.app.state.house = house.with_settings(replace(house.settings, points=points))
    details = {"camera": camera.id, "before": old.name}
    house.desk.log.add(visitor.actor, Looked.SETTINGS, file=f"points/{kept.path.name}", details=details)
    return _zones_out(house, changed, camera, replace(kept, text=text))


@api.post("/cameras/{camera_id}/zones/preview", tags=["zones"])
def preview(request: Request, camera_id: str, body: PreviewIn, _: ZoneEditor) -> PreviewOut:
    """What these zones would make of a day's stored observations: what appears, what vanishes. Nothing is saved."""
    house = house_of(request)
    point, camera = camera_for(house, camera_id)
    kept = point_file(house.settings, point.id)
    text = _confirmed_text(kept, camera, body.zones)
    changed = checked_point(house.settings, kept, text)
    day = body.day or _last_day(house, camera)
    if day is None:
        return PreviewOut(day=None, observations=0, kept=[], appeared=[], vanished=[])
    change = rejudge(
        Catalogue(house.database),
        ObservationStore(house.settings.observations_root),
        FindingsStore(house.settings.observations_root),
        house.desk.queue,
        changed,
        next(one for one in changed.cameras if one.id == camera.id),
        house.settings.rules,
        local_day(day, camera.timezone),
    )
    return PreviewOut(
        day=day,
        observations=change.observations,
        kept=issues_out(house, change.kept),
        appeared=[incident_out(house, incident) for incident in change.appeared],
        vanished=[
            VanishedOut(issue=issue_out(house, issue), box=list(issue.box) if issue.box else None, why=why)
            for issue, why in change.vanished
        ],
    )


@api.get(
    "/cameras/{camera_id}/picture",
    tags=["points"],
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        204: {"description": "There is no recording of this camera yet."},
    },
)
async def picture(
    request: Request,
    camera_id: str,
    visitor: SpotChecker,
    number: Annotated[int, Query(ge=0, le=1000, description="0 is the newest, 1 the one before.")] = 0,
) -> Response:
    """A picture out of the camera's newest recording. The log tells that it was looked at."""
    house = house_of(request)
    _, camera = camera_for(house, camera_id)
    view = await view_of(house, camera, number)
    if view is None:
        return Response(status_code=204)
    details = {"masked": False}
    await run_in_threadpool(
        house.desk.log.add, visitor.actor, Looked.FOOTAGE, file=view.source, details=details
    )
    return Response(view.content, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def _confirmed_text(kept: KeptFile, camera: Camera, zones: Sequence[ZoneModel]) -> str:
    """The file's text with these zones, which are examples no longer: who saves zones confirms them."""
    text = with_zones(kept, camera.id, [_zone_tree(zone) for zone in zones])
    return without_example_mark(replace(kept, text=text), camera.id)


def camera_for(house: House, camera_id: str) -> tuple[Point, Camera]:
    """Raises Refused 404."""
    for point in house.settings.points:
        for camera in point.cameras:
            if camera.id == camera_id:
                return point, camera
    raise not_found("there is no such camera")


def incident_out(house: House, incident: Incident) -> IncidentOut:
    code = house.settings.codes[incident.violation]
    return IncidentOut(
        violation=incident.violation,
        violation_name=Names(en=code.name_en, zh=code.name),
        zone=incident.zone_id,
        start=local(house.settings, incident.interval.start),
        end=local(house.settings, incident.interval.end),
        dwell_s=incident.interval.duration_s,
        box=list(incident.box) if incident.box else None,
    )


def _zones_out(house: House, point: Point, camera: Camera, kept: KeptFile) -> ZonesOut:
    size, found = zones_in(kept, camera.id)
    own = next(one for one in point.cameras if one.id == camera.id)
    shape = other_shape(own, Catalogue(house.database).sizes().get(camera.id, ()))
    return ZonesOut(
        point=point.id,
        camera=camera.id,
        resolution_wh=size,
        example_zones=own.example_zones,
        other_shape=OtherShapeOut(found_wh=shape.found_wh, recordings=shape.recordings, of=shape.of)
        if shape
        else None,
        seen=kept.seen,
        zones=[_zone_model(zone) for zone in found],
    )


def _zone_model(zone: dict[str, Any]) -> ZoneModel:
    limits = {violation: limit["dwell_s"] for violation, limit in zone.get("limits", {}).items()}
    return ZoneModel(**zone | {"limits": limits})


def _zone_tree(zone: ZoneModel) -> dict[str, Any]:
    limits = {violation: {"dwell_s": dwell_s} for violation, dwell_s in zone.limits.items()}
    return zone.model_dump() | {"limits": limits}


def _last_day(house: House, camera: Camera) -> date | None:
    """Yesterday, or the last day before it that was observed."""
    today = house.desk.now().astimezone(camera.timezone).date()
    until = local_day(today, camera.timezone).start
    parts = Catalogue(house.database).observed_parts(camera.id, Interval(until - LOOKED_BACK, until))
    starts: Sequence[date] = [part.recording.start.astimezone(camera.timezone).date() for part in parts]
    return max((day for day in starts if day < today), default=None)
