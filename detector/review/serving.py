"""The server process."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from detector.core.errors import BadInput
from detector.review.app import create_app
from detector.review.connections import BACKLOG, BoundedProtocol, ConnectionLimits, Connections
from detector.review.house import House
from detector.review.seldom import Seldom

GRACE_S = 3
"""So long a stopped server waits for answers under way; open event streams are then cut."""


def run(
    house: House,
    host: str,
    port: int,
    ready: Callable[[str], None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serves until it is told to stop by a signal; `stopping` is called at once then.

    Raises BadInput where the address cannot be had.
    """
    with listening(host, port) as listener:
        address, bound = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        ready(f"http://{shown}:{bound}/")
        with Seldom().installed():
            server_of(house, stopping).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping()
        super().handle_exit(sig, frame)


def server_of(
    house: House, stopping: Callable[[], None] = lambda: None, limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """A server that is not running yet; its `run` takes the sockets to listen on."""
    limits = limits or ConnectionLimits.of_process(behind_proxy=house.secure_cookies)
    bounded = partial(BoundedProtocol, known=Connections(limits))
    config = uvicorn.Config(
        create_app(house),
        http=cast("Any", bounded),  # uvicorn only calls it
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=limits.keep_alive_s,
        proxy_headers=house.secure_cookies,
    )
    return _Server(config, stopping)


def listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise BadInput(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener
