"""Limits on connections: how many there are, and how long a head may take to arrive and an answer to be read."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

KEEP_ALIVE_S = 30
"""A connection that is idle between two requests is closed after so many seconds."""

HEAD_S = 20.0
"""A request's head must be complete within so many seconds."""

WRITE_S = 60.0
"""A client that takes nothing of an answer for so many seconds is cut off."""

BACKLOG = 128
"""So many connections may wait to be accepted, and are accepted in one go."""

CONNECTIONS_MOST = 2048
"""Connections at a time, where the descriptor limit allows them."""

DESCRIPTORS_WANTED = 16_384
"""The soft descriptor limit is raised to this number, or to the hard limit where that is lower."""

DESCRIPTORS_KEPT = 128 + BACKLOG
"""Descriptors that connections leave to the database, to files and to processes."""

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`total` connections at a time, and `per_address` of one address; times in seconds."""

    total: int
    per_address: int
    head_s: float = HEAD_S
    keep_alive_s: int = KEEP_ALIVE_S
    write_s: float = WRITE_S

    @classmethod
    def of_process(cls, *, behind_proxy: bool) -> ConnectionLimits:
        """What this process's descriptor limit allows; raises that limit first.

        Behind a proxy all connections come from one address, and the proxy limits its own clients.
        """
        soft = raise_descriptor_limit()
        total = max(16, min(CONNECTIONS_MOST, 3 * (soft - DESCRIPTORS_KEPT) // 4))
        return cls(total, total if behind_proxy else total // 2)


def raise_descriptor_limit() -> int:
    """Raises the soft limit of open files as far as allowed and useful; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft


@dataclass(slots=True)
class Connections:
    """The open connections of a server. Those without a request under way wait, the one that waits longest first.

    Lives in the server's event loop.
    """

    limits: ConnectionLimits
    open: dict[BoundedProtocol, str] = field(default_factory=dict)
    _waiting: dict[str, dict[BoundedProtocol, None]] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)

    def admit(self, connection: BoundedProtocol, address: str) -> bool:
        """Whether a new connection may stay. Where there are too many, one that waits is cut off for it."""
        if self._held[address] >= self.limits.per_address and not self._cut_off_one_of(address):
            return False
        if len(self.open) >= self.limits.total and not self._cut_off_one_of(self._most_waiting()):
            return False
        self.open[connection] = address
        self._held[address] += 1
        return True

    def wait(self, connection: BoundedProtocol) -> None:
        if connection in self.open:
            self._waiting.setdefault(self.open[connection], {})[connection] = None

    def work(self, connection: BoundedProtocol) -> None:
        self._waiting.get(self.open.get(connection, ""), {}).pop(connection, None)

    def remove(self, connection: BoundedProtocol) -> None:
        self.work(connection)
        address = self.open.pop(connection, None)
        if address is not None:
            self._held[address] -= 1
            if not self._held[address]:
                del self._held[address]
                self._waiting.pop(address, None)

    def _most_waiting(self) -> str:
        return max(self._waiting, key=lambda address: len(self._waiting[address]), default="")

    def _cut_off_one_of(self, address: str) -> bool:
        oldest = next(iter(self._waiting.get(address, {})), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.cut_off()
        return True


class BoundedProtocol(H11Protocol):
    """A connection of uvicorn's that keeps to the limits."""

    def __init__(self, *args: Any, known: Connections, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._known = known
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._known.admit(self, address):
            transport.write(BUSY)
            self._close_soon()
            return
        self._limit_silence(transport)
        self._wait(self._known.limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._known.remove(self)
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._note_progress()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._close_soon()
        elif self._is_idle:
            self._wait(self._known.limits.keep_alive_s + self._known.limits.head_s)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._known.limits.write_s, self.cut_off)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None

    def cut_off(self) -> None:
        """Ends the connection at once; what the other side has not taken yet is dropped, by the system too."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered: its head has not arrived whole yet."""
        return self.cycle is None or self.cycle.response_complete

    def _note_progress(self) -> None:
        if self.transport.is_closing():
            self._close_soon()
        elif not self._is_idle:
            self._known.work(self)
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    def _wait(self, within_s: float) -> None:
        """For a head, which must be there in time: the data that arrives meanwhile changes nothing of that."""
        self._known.wait(self)
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(within_s, self.cut_off)

    def _close_soon(self) -> None:
        """Closes; a client that does not read the rest is cut off."""
        self.transport.close()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._known.limits.write_s, self.cut_off)

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._write_timer = None

    def _limit_silence(self, transport: asyncio.Transport) -> None:
        """The system ends a connection whose other side has gone without a word."""
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            with suppress(OSError):
                timeout_ms = round(self._known.limits.write_s * 1000)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
