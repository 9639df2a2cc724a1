"""Calls in child processes with limits: what a faulty file can take there is time, memory and descriptors of the child.

For a server's event loop: waiting for a call holds no thread.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final, ParamSpec, TypeVar, cast

from detector.core.errors import KerbwatchError

P = ParamSpec("P")
T = TypeVar("T")

CHILDREN: Final = 2
"""Calls at a time."""

WAITING_MOST: Final = 16
"""Calls that may wait for a child; one more is refused."""

MEMORY_BYTES: Final = 3 << 30
"""Address space of a child."""

DESCRIPTORS: Final = 64
"""Open files of a child."""

STUCK_MOST: Final = 4
"""Killed children that a stalled file system may keep; then calls are refused until one of them is gone."""

_HEAD: Final = struct.Struct(">Q")


class ApartFailed(KerbwatchError):
    """The call did not come back: it took too long, took too much, or there are too many calls."""

    transient = True


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process

    async def call(self, request: bytes) -> Any:  # noqa: ANN401  # whatever the function returns
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(_HEAD.pack(len(request)) + request)
        await self.process.stdin.drain()
        (size,) = _HEAD.unpack(await self.process.stdout.readexactly(_HEAD.size))
        return pickle.loads(await self.process.stdout.readexactly(size))  # noqa: S301  # our own child wrote it


class Apart:
    """Children that are started when they are needed and used again. Lives in one event loop; `stop` ends it."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._stuck: list[_Child] = []
        self._busy = asyncio.Semaphore(CHILDREN)
        self._waiting = 0

    async def call(self, within_s: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a module's function returns for picklable arguments, within so many seconds.

        Raises what the function raises of KerbwatchError and OSError, and ApartFailed.
        """
        request = pickle.dumps((function, args, kwargs))
        async with self._turn(), asyncio.timeout(None) as deadline:
            child = self._idle.pop() if self._idle else await _start()
            deadline.reschedule(asyncio.get_running_loop().time() + within_s)
            done, value = await self._asked(child, request, deadline)
        if done:
            return cast("T", value)
        raise value

    async def _asked(self, child: _Child, request: bytes, deadline: asyncio.Timeout) -> tuple[bool, Any]:
        is_well = False
        try:
            answer = await child.call(request)
            is_well = True
        except asyncio.CancelledError:
            if deadline.expired():
                raise ApartFailed("it took too long") from None
            raise
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ApartFailed("it took more memory or files than it may, or it failed") from error
        finally:
            if is_well:
                self._idle.append(child)
            else:
                self._kill(child)
        return cast("tuple[bool, Any]", answer)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        self._stuck = [child for child in self._stuck if child.process.returncode is None]
        if self._waiting >= WAITING_MOST or len(self._stuck) >= STUCK_MOST:
            raise ApartFailed("too many recordings are being opened; try again in a moment")
        self._waiting += 1
        try:
            async with self._busy:
                yield
        finally:
            self._waiting -= 1

    def _kill(self, child: _Child) -> None:
        with suppress(ProcessLookupError):
            child.process.kill()
        self._stuck.append(child)

    async def stop(self) -> None:
        """Ends the children; one that a stalled file system holds is left to the system."""
        for child in self._idle:
            self._kill(child)
        self._idle = []
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                for child in self._stuck:
                    await child.process.wait()


async def _start() -> _Child:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    return _Child(process)


# The child


def serve_calls(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers calls until there are no more."""
    while head := requests.read(_HEAD.size):
        function, args, kwargs = pickle.loads(requests.read(*_HEAD.unpack(head)))  # noqa: S301  # our parent wrote it
        try:
            answer = pickle.dumps((True, function(*args, **kwargs)))
        except (KerbwatchError, OSError) as error:
            answer = pickle.dumps((False, error))
        answers.write(_HEAD.pack(len(answer)) + answer)
        answers.flush()


def main() -> None:
    """The outermost frame of a child. What libraries print goes to the standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    serve_calls(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
