"""Webhooks: the outbox to other systems, as signed CloudEvents. What was not delivered stays in the outbox."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from detector import __version__
from detector.config.loop import Endpoint
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.values import Violation
from detector.database import Database
from detector.issues.deliveries import Deliveries
from detector.issues.values import Event

SIGNATURE = "X-Kerbwatch-Signature"
"""t=SECONDS,v1=HEX: the second at which it was sent, and HMAC-SHA256 of 'SECONDS.BODY' under the shared key."""

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

REFUSALS_BORNE = 10
"""An endpoint that says so often that an event itself is wrong (400 to 499) is not asked again."""

ROUND_S = 60.0
"""An endpoint takes so many seconds of a round at most; the rest waits for the next round."""

LONGEST_ANSWER = 1024
"""Bytes of an endpoint's answer that are read."""

PASSING = frozenset({408, 425, 429})
"""Answers below 500 that say 'later' and not 'never'."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did with one endpoint."""

    endpoint: str
    sent: int
    failed: int
    stopped: str | None
    """Why the round ended early: the endpoint does not answer."""

    def to_json(self) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint,
            "sent": self.sent,
            "failed": self.failed,
            "stopped": self.stopped,
        }


class Refused(Exception):
    """The endpoint answered, and not with success."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"answered {status} {reason}".strip())
        self.status = status


class Unreachable(Exception):
    """The endpoint did not answer."""


Send = Callable[[Endpoint, bytes, Mapping[str, str]], None]


def deliver(
    database: Database,
    settings: Settings,
    now: Callable[[], datetime],
    *,
    clock: Callable[[], float] = time.time,
    only: Sequence[str] = (),
    at_most: int = 10_000,
) -> list[Delivered]:
    """One round: everything that each endpoint is due to be told, oldest first; the endpoints side by side.

    Killed at any moment it loses nothing: an event that was under way is sent again under the same id. Several
    processes may do this at once. Raises BadInput where a key is missing; nothing was sent then.
    """
    endpoints = settings.loop.endpoints if settings.loop else ()
    chosen = [endpoint for endpoint in endpoints if not only or endpoint.name in only]
    keys = {endpoint.name: key_of(endpoint, settings.folder) for endpoint in chosen}
    deliveries = Deliveries(database, now)
    if not chosen:
        return []
    with ThreadPoolExecutor(len(chosen), "webhook") as rounds:
        under_way = [
            rounds.submit(_round, deliveries, endpoint, keys[endpoint.name], settings, clock, at_most)
            for endpoint in chosen
        ]
    return [one.result() for one in under_way]


def _round(
    deliveries: Deliveries,
    endpoint: Endpoint,
    key: bytes,
    settings: Settings,
    clock: Callable[[], float],
    at_most: int,
) -> Delivered:
    sent = failed = 0
    ends = time.monotonic() + ROUND_S
    while sent + failed < at_most and time.monotonic() < ends:
        due = deliveries.take(endpoint.name, endpoint.moves, lease_s=2 * endpoint.timeout_s + 5)
        if due is None:
            break
        try:
            _post(endpoint, *signed(due.event, key, settings, int(clock())))
        except Unreachable as error:
            deliveries.failed(endpoint.name, due, str(error), give_up=False)  # not the event's fault
            return Delivered(endpoint.name, sent, failed + 1, str(error))
        except Refused as error:
            failed += 1
            for_good = 400 <= error.status < 500 and error.status not in PASSING
            give_up = due.attempt >= (REFUSALS_BORNE if for_good else endpoint.give_up_after)
            deliveries.failed(endpoint.name, due, str(error), give_up=give_up)
            if not for_good:
                return Delivered(endpoint.name, sent, failed, str(error))
        else:
            deliveries.delivered(endpoint.name, due)
            sent += 1
    return Delivered(endpoint.name, sent, failed, None)


def key_of(endpoint: Endpoint, folder: Path) -> bytes:
    """The key that an endpoint shares with us. Raises BadInput."""
    if endpoint.secret_env is not None:
        value = os.environ.get(endpoint.secret_env, "")
        where = f"the environment variable {endpoint.secret_env}"
    else:
        path = folder / (endpoint.secret_file or "")
        where = str(path)
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"webhooks.yaml: the key of {endpoint.name}: {path} cannot be read") from error
    if len(value) < 16:
        raise BadInput(f"webhooks.yaml: the key of {endpoint.name}: {where} holds less than 16 characters")
    return value.encode()


def signed(event: Event, key: bytes, settings: Settings, second: int) -> tuple[bytes, dict[str, str]]:
    """An event's body and headers; the body is the same on every try, the signature is the try's own."""
    body = json.dumps(cloud_event(event, settings), ensure_ascii=False, sort_keys=True).encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": f"kerbwatch/{__version__}",
        SIGNATURE: f"t={second},v1={signature(key, second, body)}",
    }
    return body, headers


def signature(key: bytes, second: int, body: bytes) -> str:
    return hmac.new(key, b"%d.%b" % (second, body), hashlib.sha256).hexdigest()


def cloud_event(event: Event, settings: Settings) -> dict[str, Any]:
    """CloudEvents 1.0, structured JSON, with the city-management platform's code of the violation."""
    issue = event.data["issue"]
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/kerbwatch/{settings.name_en.replace(' ', '-').lower()}",
        "type": f"kerbwatch.issue.{event.move}",
        "subject": f"issues/{event.issue_id}",
        "time": event.at.isoformat(),
        "datacontenttype": "application/json",
        "data": {**event.data, "sequence": event.id, **_named(issue, settings)},
    }


def _named(issue: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """What other systems call the violation, the place and the departments."""
    code = settings.codes[Violation(issue["violation"])]
    point = next((point for point in settings.points if point.id == issue["point"]), None)
    names = [issue["department"], *issue["assisting"]]
    known = [settings.departments[name] for name in names if name in settings.departments]
    return {
        "code": {"code": code.code, "name": code.name, "name_en": code.name_en},
        "place": point
        and {
            "id": point.id,
            "name": point.name,
            "category": point.category.value,
            "grid": point.grid,
        },
        "departments": [{"id": one.id, "name": one.name} for one in known],
    }


def _post(endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> None:
    """One request, over after `endpoint.timeout_s` seconds in all: an endpoint may send one byte after another for ever.

    A redirect is an answer like another: what was signed for one address goes to no other. Raises Refused, Unreachable.
    """
    with closing(_connection(endpoint)) as connection, _ended_after(endpoint, connection) as over:
        try:
            connection.connect()
            if over.is_set():
                raise TimeoutError  # nobody was there to shut down
            connection.request("POST", _target(endpoint.url), body, dict(headers))
            answer = connection.getresponse()
            answer.read(LONGEST_ANSWER)
        except (http.client.HTTPException, OSError, ValueError) as error:
            why = (
                f"took longer than {endpoint.timeout_s:g} s" if over.is_set() else f"does not answer: {error}"
            )
            raise Unreachable(why) from error
        if not 200 <= answer.status < 300:
            raise Refused(answer.status, answer.reason)


def _connection(endpoint: Endpoint) -> http.client.HTTPConnection:
    """Raises Unreachable for an invalid address."""
    try:
        parts = urlsplit(endpoint.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=endpoint.timeout_s)
    except (http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"does not answer: {error}") from error


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextmanager
def _ended_after(endpoint: Endpoint, connection: http.client.HTTPConnection) -> Iterator[threading.Event]:
    """Shuts the connection down after the endpoint's time. Gives an event that is set then."""
    over = threading.Event()

    def end() -> None:
        over.set()
        with suppress(OSError, AttributeError):  # it is not connected yet, or no more
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(endpoint.timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
