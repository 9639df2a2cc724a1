"""What happens to issues, told to open pages as it happens: moves and claims, whoever made them and in which process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool

from detector.core.errors import KerbwatchError
from detector.issues import IssueQueue
from detector.issues.reading import Claim, IssueReader
from detector.people import People, User

_LOG = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
CHECK_EVERY_S = 2.0
"""A stream ends so soon after its session, its token or its account."""
BEAT_S = 15.0
AGAIN_AFTER_S = 2.0
"""A database that does not answer is asked again after so many seconds."""
LARGEST_BACKLOG = 500
"""A page that is so many events behind is dropped; its browser connects again and asks for everything anew."""


class Listener(Protocol):
    """Who listens: the key of a session or a token, and the user as it was when the stream began."""

    @property
    def key(self) -> str: ...

    @property
    def user(self) -> User: ...


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its kind, what is told, and the departments that may know of it."""

    kind: str
    data: dict[str, Any]
    departments: tuple[str, ...]


class Hub:
    """Looks at the queue twice a second while anybody listens. Lives in the server's event loop.

    A busy or lost database is waited for. A stream whose session or token is over, or whose account has changed, ends.
    """

    def __init__(self, queue: IssueQueue, reader: IssueReader, people: People) -> None:
        self._queue = queue
        self._reader = reader
        self._people = people
        self._listeners: dict[asyncio.Queue[Told | None], Listener] = {}
        self._looking: asyncio.Task[None] | None = None
        self._seen: int | None = None
        self._claims: dict[str, Claim] = {}
        self._check_at = 0.0

    async def listen(self, listener: Listener) -> AsyncIterator[Told | None]:
        """Events from now on; None now and then, so that a dead connection is noticed."""
        events: asyncio.Queue[Told | None] = asyncio.Queue(LARGEST_BACKLOG + 1)
        self._listeners[events] = listener
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            while events in self._listeners:
                try:
                    told = await asyncio.wait_for(events.get(), BEAT_S)
                except TimeoutError:
                    yield None
                else:
                    if told is None:
                        return
                    yield told
        finally:
            self._listeners.pop(events, None)

    def _end_all(self) -> None:
        for events in list(self._listeners):
            self._end(events)

    async def stop(self) -> None:
        self._end_all()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        """Until nobody listens. However it ends, the streams end with it, and browsers connect again."""
        self._seen, wait_s = None, 0.0
        try:
            while self._listeners:
                await asyncio.sleep(wait_s)
                wait_s = await self._look_once()
        finally:
            self._end_all()

    async def _look_once(self) -> float:
        """Returns after how many seconds to look again."""
        try:
            for told in await run_in_threadpool(self._news):
                self._tell(told)
            if time.monotonic() >= self._check_at:
                await self._end_those_over()
                self._check_at = time.monotonic() + CHECK_EVERY_S
        except KerbwatchError as error:
            _LOG.warning("live events wait for the database: %s", error)
            return AGAIN_AFTER_S
        return LOOK_EVERY_S

    async def _end_those_over(self) -> None:
        listeners = dict(self._listeners)
        keys = {listener.key for listener in listeners.values()}
        living = await run_in_threadpool(self._people.living, keys)
        for events, listener in listeners.items():
            if living.get(listener.key) != listener.user:
                self._end(events)

    def _end(self, events: asyncio.Queue[Told | None]) -> None:
        """The stream ends once it has sent what waits for it, and drops that where it is far behind."""
        self._listeners.pop(events, None)
        with contextlib.suppress(asyncio.QueueFull):
            events.put_nowait(None)

    def _news(self) -> list[Told]:
        """Claims before moves, for a move ends its claim. The first time nothing is new."""
        if self._seen is None:
            self._claims = {claim.public_id: claim for claim in self._reader.claims()}
            self._seen = self._queue.last_event()
            return []
        claims = {claim.public_id: claim for claim in self._reader.claims()}
        events = self._queue.events_after(self._seen)
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
        for event in events:
            self._seen = event.id
            news.append(_told(event.move, event.version, event.data))
        return news

    def _tell(self, told: Told) -> None:
        for events in list(self._listeners):
            if events.qsize() < LARGEST_BACKLOG:
                events.put_nowait(told)
            else:
                self._end(events)


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
