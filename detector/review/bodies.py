"""Limits on requests' bodies: how large, how slow and how many; and nothing large is received from a stranger.

A body of at most SMALL_BYTES is read whole before the application runs. One that may be larger is received only from a
user who is signed in, and where a rule names a condition, from a user who meets it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.core.errors import KerbwatchError
from detector.review.access import Needs, Visitor
from detector.review.refusals import Refused, refusal_of

SMALL_BYTES: Final = 64 << 10
"""A body up to so many bytes is received from anybody."""

LARGEST_BODY: Final = 1_000_000
"""Bytes of a body where no rule says otherwise."""

SMALL_WITHIN_S: Final = 20.0
"""A small body must have arrived within so many seconds."""

SMALL_MOST: Final = 256
"""So many small bodies may be under way; for one more, the one that has been under way longest is given up."""

STALL_S: Final = 60.0
"""Of a larger body something must arrive within so many seconds."""

SLOT_WITHIN_S: Final = 20.0
"""A larger body waits so long for others to end; then its sender is asked to try again."""

OF_ONE_USER: Final = 3
"""Larger bodies of one user at a time."""

DRAINED_S: Final = 2.0
DRAINED_BYTES: Final = 16 << 20
"""After a refusal so much more is read and thrown away: a browser that is cut off while it sends shows no answer."""

DeclineBody = Callable[[Request, Refused], Response]


@dataclass(frozen=True, slots=True)
class BodyRule:
    """`most_bytes` of a body, which must have arrived `within_s` seconds, `at_once` of them at a time.

    `condition` is checked before any of it is received.
    """

    most_bytes: int = LARGEST_BODY
    within_s: float = 120.0
    at_once: int = 32
    condition: Needs = field(default_factory=Needs)
    is_large: bool = False
    """True where also small bodies wait for the condition."""


USUAL: Final = BodyRule()


def has_body(scope: Scope) -> bool:
    """Whether a request says that it has a body."""
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


class Bodies:
    """An ASGI application around another, for requests with a body. Lives in the server's event loop."""

    def __init__(self, app: ASGIApp, rules: Mapping[str, BodyRule], decline: DeclineBody) -> None:
        self._app = app
        self._rules = rules
        self._decline = decline
        self._small: dict[asyncio.Timeout, None] = {}
        """The deadlines of the small bodies under way, the oldest first."""
        self._slots: dict[BodyRule, asyncio.Semaphore] = {}
        self._of_user: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rule, sent = self._rule(scope["path"]), _Sent(receive)
        try:
            await self._pass_on(scope, rule, sent, send)
        except Refused as refused:
            scope["app"] = self._app
            answer = await run_in_threadpool(self._decline, Request(scope), refused)
            await _answer_and_drain(answer, scope, sent, send)

    async def _pass_on(self, scope: Scope, rule: BodyRule, sent: _Sent, send: Send) -> None:
        length = _declared(scope)
        if length is not None and length > rule.most_bytes:
            raise _too_large(rule)
        if not rule.is_large and (length is None or length <= SMALL_BYTES):
            await self._read_small(sent)
        if sent.is_whole or sent.is_gone:
            await self._app(scope, sent.again, send)
            return
        visitor = await self._visitor(scope, rule)
        async with self._slot(rule, visitor.user.login):
            limited = _Limited(sent, rule, send)
            await self._app(scope, limited.receive, limited.send)
        if limited.refused is not None:
            raise limited.refused

    def _rule(self, path: str) -> BodyRule:
        return next((rule for prefix, rule in self._rules.items() if path.startswith(prefix)), USUAL)

    async def _read_small(self, sent: _Sent) -> None:
        """Reads up to SMALL_BYTES. Raises Refused where they take too long."""
        while len(self._small) >= SMALL_MOST:
            oldest = next(iter(self._small))
            self._small.pop(oldest)
            oldest.reschedule(0.0)
        timeout = asyncio.timeout(SMALL_WITHIN_S)
        try:
            async with timeout:
                self._small[timeout] = None
                await sent.read(SMALL_BYTES)
        except TimeoutError as error:
            raise Refused(408, "too_slow", "the request took too long to arrive") from error
        finally:
            self._small.pop(timeout, None)

    async def _visitor(self, scope: Scope, rule: BodyRule) -> Visitor:
        """Who sends a larger body. Raises Refused where they may not."""
        scope["app"] = self._app
        try:
            return await run_in_threadpool(rule.condition, Request(scope))
        except KerbwatchError as error:
            raise refusal_of(error) from error

    @asynccontextmanager
    async def _slot(self, rule: BodyRule, login: str) -> AsyncIterator[None]:
        """One of the larger bodies that may be under way. Raises Refused where there are too many for long."""
        busy = Refused(503, "busy", "too much is being sent at the moment; try again", retry_after_s=5)
        if self._of_user[login] >= OF_ONE_USER:
            raise busy
        self._of_user[login] += 1
        try:
            slots = self._slots.setdefault(rule, asyncio.Semaphore(rule.at_once))
            try:
                await asyncio.wait_for(slots.acquire(), SLOT_WITHIN_S)
            except TimeoutError as error:
                raise busy from error
            try:
                yield
            finally:
                slots.release()
        finally:
            self._of_user[login] -= 1
            self._of_user += Counter()  # forgets those at zero


class _Sent:
    """What was received of a request. `again` gives it once more, and then what comes after it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[Message] = []
        self.count = 0
        """Bytes of the body so far."""
        self.is_whole = False
        self.is_gone = False

    async def read(self, count: int) -> None:
        """Receives and keeps the body, until it is whole or longer than `count` bytes."""
        while not (self.is_whole or self.is_gone or self.count > count):
            self._kept.append(await self._next())

    async def skip(self) -> None:
        """Receives some more and throws it away."""
        await self._next()

    async def again(self) -> Message:
        return self._kept.pop(0) if self._kept else await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.count += len(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
        else:
            self.is_gone = True
        return message


class _Limited:
    """A larger body on its way to the application, which sees the sender leave where the body breaks a limit.

    The application's answer is not sent then; `refused` says why.
    """

    def __init__(self, sent: _Sent, rule: BodyRule, send: Send) -> None:
        self._sent = sent
        self._rule = rule
        self._send = send
        self._ends = asyncio.get_running_loop().time() + rule.within_s
        self._has_answered = False
        self.refused: Refused | None = None

    async def receive(self) -> Message:
        if self._sent.is_whole or self._has_answered:
            return await self._sent.again()
        left_s = self._ends - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self._sent.again(), min(STALL_S, max(0.0, left_s)))
        except TimeoutError:
            return self._refuse(Refused(408, "too_slow", "the request took too long to arrive"))
        if self._sent.count > self._rule.most_bytes:
            return self._refuse(_too_large(self._rule))
        return message

    async def send(self, message: Message) -> None:
        if self.refused is not None:
            return
        if message["type"] == "http.response.start":
            self._has_answered = True
            if not self._sent.is_whole:
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    def _refuse(self, refused: Refused) -> Message:
        self.refused = refused
        return {"type": "http.disconnect"}


def _declared(scope: Scope) -> int | None:
    """The body's length as its sender says; None where they do not say. uvicorn refuses what is no number."""
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else None


def _too_large(rule: BodyRule) -> Refused:
    most_mb = rule.most_bytes / 1_000_000
    return Refused(413, "too_large", f"the request is too large; at most {most_mb:g} MB are taken here")


async def _answer_and_drain(answer: Response, scope: Scope, sent: _Sent, send: Send) -> None:
    """Sends the answer, reads on for a moment, and closes the connection."""
    answer.headers["Connection"] = "close"

    async def send_first(message: Message) -> None:
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        await send({**message, "more_body": True} if is_end else message)

    await answer(scope, sent.again, send_first)
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAINED_S):
            while not (sent.is_whole or sent.is_gone or sent.count > DRAINED_BYTES):
                await sent.skip()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
