"""A real receiver of webhooks on a port of its own, which checks signatures by itself and answers as it is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a key of sixteen characters or more"


@dataclass
class Receiver:
    url: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    """Every event that was posted and signed rightly, in order, with repetitions."""
    wrong: list[str] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], int] = lambda _event: 204
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.got]

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        parts = dict(
            part.split("=", 1) for part in headers.get("X-Kerbwatch-Signature", "t=0,v1=").split(",")
        )
        expected = hmac.new(KEY.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, parts["v1"]):
            self.wrong.append(parts["v1"])
            return 401
        event = json.loads(body)
        status = self.answer(event)
        self.got.append(event | {"answered": status})
        self.headers.append(headers)
        return status


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                status = receiver.take(body, dict(self.headers.items()))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", receiver.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
