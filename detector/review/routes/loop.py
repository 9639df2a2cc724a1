"""The closed loop over the API: dispatch, answer, accept, send back, recall; and the files that came with answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import FileResponse

from detector.core.errors import BadInput
from detector.dispatch.attachments import LARGEST_BYTES, Upload
from detector.people import Action
from detector.review.access import LookingUnmasked, Needs, Visitor, issue_for, require_header
from detector.review.house import house_of
from detector.review.models import IssueOut
from detector.review.models_boards import AcceptIn, DispatchIn, OrderOut, PairIn, ReopenIn
from detector.review.refusals import Refused, not_found
from detector.review.routes.api import PROBLEMS
from detector.review.views import issue_out

api = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["loop"])

ANSWERS = "/api/v1/answers/"
ONE_OBJECT = "同一目标 one object"
"""The reason of a merger in the history."""

FILES_MOST = 6
LARGEST_ANSWER = FILES_MOST * LARGEST_BYTES + 1_000_000
"""Bytes of an answer with all its files."""

Dispatching = Annotated[Visitor, Depends(Needs(Action.DISPATCH))]
Merging = Annotated[Visitor, Depends(Needs(Action.MERGE))]
Answering = Annotated[Visitor, Depends(Needs(Action.ANSWER))]
Accepting = Annotated[Visitor, Depends(Needs(Action.ACCEPT))]


@api.post("/dispatch")
def dispatch(request: Request, body: DispatchIn, visitor: Dispatching) -> list[OrderOut]:
    """Give confirmed issues to a department, all or none, in one order for each department."""
    house = house_of(request)
    desk, due_at = house.desk, body.due_at
    if due_at is not None and due_at.utcoffset() is None:
        due_at = due_at.replace(tzinfo=house.settings.timezone)
    seen = {issue_for(request, visitor, one.id).id: one.seen_version for one in body.issues}
    orders = desk.dispatch(
        visitor.actor,
        list(seen),
        department=body.department,
        due_at=due_at,
        note=body.note,
        seen_versions=seen,
    )
    return [
        OrderOut(number=o.number, department=o.department, due_at=o.due_at, issues=list(o.issue_ids))
        for o in orders
    ]


@api.post("/answers/{public_id}")
def answer(
    request: Request,
    public_id: str,
    visitor: Answering,
    text: Annotated[str, Form(min_length=1, max_length=2000)],
    seen_version: Annotated[int, Form(ge=1, le=2**31 - 1)],
    files: Annotated[list[UploadFile] | None, File(description="JPEG, PNG or PDF, at most 6.")] = None,
) -> IssueOut:
    """A department's report that an issue is put right, with pictures."""
    require_header(request, visitor)
    house, found = house_of(request), issue_for(request, visitor, public_id)
    uploads = _read([file for file in files or [] if file.filename])
    done = house.desk.rectify(visitor.actor, found.id, text.strip(), files=uploads, seen_version=seen_version)
    return issue_out(house, done)


@api.post("/issues/{public_id}/accept")
def accept(request: Request, public_id: str, body: AcceptIn, visitor: Accepting) -> IssueOut:
    """It is put right: the issue is closed."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    done = house.desk.close(visitor.actor, found.id, note=body.note, seen_version=body.seen_version)
    return issue_out(house, done)


@api.post("/issues/{public_id}/reopen")
def reopen(request: Request, public_id: str, body: ReopenIn, visitor: Accepting) -> IssueOut:
    """It is not put right: back to the department."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    done = house.desk.reopen(visitor.actor, found.id, body.reason, seen_version=body.seen_version)
    return issue_out(house, done)


@api.post("/issues/{public_id}/recall")
def recall(request: Request, public_id: str, body: ReopenIn, visitor: Dispatching) -> IssueOut:
    """It went to the wrong department: it can be dispatched anew."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    done = house.desk.recall(visitor.actor, found.id, body.reason, seen_version=body.seen_version)
    return issue_out(house, done)


@api.post("/issues/{public_id}/merge")
def merge(request: Request, public_id: str, body: PairIn, visitor: Merging) -> IssueOut:
    """Both are about one object: the issue becomes part of the other, which lives on."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    other = issue_for(request, visitor, body.other)
    done = house.desk.merge(visitor.actor, found.id, other.id, ONE_OBJECT, seen_version=body.seen_version)
    return issue_out(house, done)


@api.post("/issues/{public_id}/apart")
def apart(request: Request, public_id: str, body: PairIn, visitor: Merging) -> IssueOut:
    """They are about two objects: both may be dispatched."""
    house, found = house_of(request), issue_for(request, visitor, public_id)
    house.desk.tell_apart(visitor.actor, found.id, issue_for(request, visitor, body.other).id)
    return issue_out(house, found)


@api.get(
    "/attachments/{public_id}",
    response_class=FileResponse,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
def attachment(request: Request, public_id: str, visitor: LookingUnmasked) -> FileResponse:
    """A file that came with an answer or an acceptance. The log tells that it was looked at."""
    desk = house_of(request).desk
    try:
        found, path = desk.attached(visitor.actor, public_id)
    except BadInput as error:
        raise not_found("there is no such file") from error
    if not path.is_file():
        raise not_found("the file is no longer there")
    shown = found.media_type.startswith("image/")
    return FileResponse(
        path,
        media_type=found.media_type,
        filename=found.name,
        content_disposition_type="inline" if shown else "attachment",
        headers={"Cache-Control": "private, no-store"},
    )


def _read(files: list[UploadFile]) -> list[Upload]:
    if len(files) > FILES_MOST:
        raise Refused(422, "bad_input", f"at most {FILES_MOST} files")
    return [Upload(file.filename or "", file.file.read(LARGEST_BYTES + 1)) for file in files]
