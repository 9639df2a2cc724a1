"""Server-sent events: new and moved issues, claims taken and given back."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from detector.review.access import Seeing, Visitor
from detector.review.events import Hub, Told
from detector.review.house import house_of
from detector.review.routes.api import PROBLEMS

router = APIRouter(prefix="/api/v1", responses={401: PROBLEMS[401], 403: PROBLEMS[403]})

LONGEST_S = 600.0
"""Then the browser connects again, and is asked again who it is."""


@router.get(
    "/events",
    tags=["issues"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(request: Request, visitor: Seeing) -> StreamingResponse:
    """Events as they happen: `filed`, `moved`, `claim`, `release`, each with JSON: id, number, who, state, version."""
    stream = _stream(house_of(request).hub, visitor)
    return StreamingResponse(
        stream,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(hub: Hub, visitor: Visitor) -> AsyncIterator[str]:
    ends = time.monotonic() + LONGEST_S
    yield "retry: 2000\n\n: listening\n\n"
    async for told in hub.listen(visitor):
        if time.monotonic() > ends:
            return
        if told is None:
            yield ": still here\n\n"
        elif _concerns(visitor, told):
            yield f"event: {told.kind}\ndata: {json.dumps(told.data, ensure_ascii=False)}\n\n"


def _concerns(visitor: Visitor, told: Told) -> bool:
    bound = visitor.actor.bound_to
    return bound is None or bound in told.departments
