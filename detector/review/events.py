"""What happens to issues, told to open pages as it happens: moves and claims, whoever made them and in which process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from detector.issues import IssueQueue
from detector.issues.reading import Claim, IssueReader

LOOK_EVERY_S = 0.5
LARGEST_BACKLOG = 500
"""A page that is so many events behind is dropped; its browser connects again and asks for everything anew."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its kind, what is told, and the departments that may know of it."""

    kind: str
    data: dict[str, Any]
    departments: tuple[str, ...]


class Hub:
    """Looks at the queue twice a second while anybody listens. Lives in the server's event loop."""

    def __init__(self, queue: IssueQueue, reader: IssueReader) -> None:
        self._queue = queue
        self._reader = reader
        self._listeners: set[asyncio.Queue[Told]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._seen = 0
        self._claims: dict[str, Claim] = {}

    async def listen(self) -> AsyncIterator[Told | None]:
        """Events from now on; None now and then, so that a dead connection is noticed."""
        events: asyncio.Queue[Told] = asyncio.Queue(LARGEST_BACKLOG)
        self._listeners.add(events)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            while events in self._listeners:
                try:
                    yield await asyncio.wait_for(events.get(), 15)
                except TimeoutError:
                    yield None
        finally:
            self._listeners.discard(events)

    async def stop(self) -> None:
        self._listeners.clear()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        self._seen = await run_in_threadpool(self._queue.last_event)
        self._claims = {claim.public_id: claim for claim in await run_in_threadpool(self._reader.claims)}
        while self._listeners:
            await asyncio.sleep(LOOK_EVERY_S)
            for told in await run_in_threadpool(self._news):
                self._tell(told)

    def _news(self) -> list[Told]:
        """Claims before moves, for a move ends its claim."""
        claims = {claim.public_id: claim for claim in self._reader.claims()}
        before, self._claims = self._claims, claims
        news = [
            Told("claim", {"id": key, "number": claim.id, "who": claim.who}, claim.departments)
            for key, claim in claims.items()
            if key not in before or before[key].who != claim.who
        ]
        news += [
            Told("release", {"id": key, "number": claim.id, "who": claim.who}, claim.departments)
            for key, claim in before.items()
            if key not in claims
        ]
        for event in self._queue.events_after(self._seen):
            self._seen = event.id
            news.append(_told(event.move, event.version, event.data))
        return news

    def _tell(self, told: Told) -> None:
        for events in list(self._listeners):
            try:
                events.put_nowait(told)
            except asyncio.QueueFull:
                self._listeners.discard(events)


def _told(move: str, version: int, data: Any) -> Told:  # noqa: ANN401  # JSON
    issue = data["issue"]
    content = {
        "id": issue["public_id"],
        "number": issue["id"],
        "move": move,
        "state": issue["state"],
        "version": version,
        "who": data["who"],
    }
    lead = (issue["department"],) if issue["department"] else ()
    return Told("filed" if move == "filed" else "moved", content, (*lead, *issue["assisting"]))
