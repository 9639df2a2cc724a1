"""Pictures and clips: to whoever may look, and never without a row in the log."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from detector.people import Action
from detector.review.access import Looking, issue_for
from detector.review.house import house_of
from detector.review.refusals import not_found

router = APIRouter(include_in_schema=False)

NOT_KEPT: Mapping[str, str] = {"Cache-Control": "private, no-store"}

MEDIA_TYPES: Mapping[str, str] = {
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".json": "application/json",
}


@router.get("/evidence/{public_id}/{folder}/{name}")
def evidence(request: Request, public_id: str, folder: str, name: str, visitor: Looking) -> Response:
    """A file that the database names as this issue's; what the address says is never made a path of.

    Whoever may look at masked pictures only gets stills, masked, and no clip.
    """
    house = house_of(request)
    issue = issue_for(request, visitor, public_id)
    rows = house.desk.queue.evidence(issue.id)
    row = next((r for r in rows if r.name == name and PurePosixPath(r.folder).name == folder), None)
    kind = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if row is None or kind is None:
        raise not_found("this issue has no such file")
    with ExitStack() as fetched:
        path = fetched.enter_context(house.evidence.as_folder(row.folder)) / row.name
        if not path.is_file():
            raise not_found("the file is no longer there")
        if visitor.may(Action.LOOK_UNMASKED):
            house.looks.tell(visitor.actor, issue, name)
            sent = BackgroundTask(fetched.pop_all().close)
            # It answers requests for a part, too, as browsers make them for clips.
            return FileResponse(path, media_type=kind, headers=NOT_KEPT, background=sent)
        content = house.masks.still(path.parent, name)
    if content is None:
        raise not_found("the picture cannot be read any more")
    house.looks.tell(visitor.actor, issue, name, masked=True)
    return Response(content, media_type=kind, headers=NOT_KEPT)
