"""SIGTERM and Ctrl-C: heard at once, whatever the program is at, and obeyed within ten seconds."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_WITHIN_S = 9.0
"""Then the process is ended as it stands. Nothing is lost by that: it is what a power cut would do."""

ENDED_EARLY = 75
"""The exit code then (EX_TEMPFAIL): start it again, and it goes on."""


@contextmanager
def asked_to_stop(within_s: float = EXIT_WITHIN_S) -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; a second one, or `within_s` after the first, ends the process at once.

    Python runs a handler between two of its own steps, and a library may be at one for many seconds. So the numbers of
    signals are read from a socket that the system writes them to, in a thread. Only for the main thread.
    """
    event = threading.Event()
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGTERM, signal.SIGINT)}
    old = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, event, within_s), daemon=True).start()
    try:
        yield event
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()


def end_after(within_s: float) -> threading.Timer:
    """Ends the process in so many seconds, unless the timer is cancelled before."""
    timer = threading.Timer(within_s, os._exit, [ENDED_EARLY])
    timer.daemon = True
    timer.start()
    return timer


def _nothing(*_: object) -> None:
    """The thread below hears of it."""


def _listen(heard: socket.socket, event: threading.Event, within_s: float) -> None:
    timer: threading.Timer | None = None
    with heard:
        while numbers := heard.recv(1):
            if numbers[0] not in (signal.SIGTERM, signal.SIGINT):
                continue
            if event.is_set():
                os._exit(128 + numbers[0])
            event.set()
            timer = end_after(within_s)
    if timer is not None:
        timer.cancel()
