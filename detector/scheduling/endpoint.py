"""A small HTTP endpoint for the nightly service: /metrics, /healthz and /readyz."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from detector.config.settings import Settings
from detector.core.errors import KerbwatchError
from detector.database import Database
from detector.runs.metrics import CONTENT_TYPE, metrics_text
from detector.runs.readiness import Probes


@contextmanager
def endpoint(settings: Settings, alive: Callable[[], bool], now: Callable[[], datetime]) -> Iterator[str]:
    """Listens at `nightly.listen` while open, and says where; port 0 is any free one. '' where none is configured."""
    if settings.nightly.listen is None:
        yield ""
        return
    host, _, port = settings.nightly.listen.rpartition(":")
    handler = partial(_Handler, settings, Probes(), alive, now)
    with ThreadingHTTPServer((host, int(port)), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def __init__(
        self,
        settings: Settings,
        probes: Probes,
        alive: Callable[[], bool],
        now: Callable[[], datetime],
        *args: Any,  # noqa: ANN401  # the server's own
    ) -> None:
        self._settings, self._probes, self._alive, self._now = settings, probes, alive, now
        super().__init__(*args)

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._metrics()
        elif self.path == "/healthz":
            self._say(200 if self._alive() else 503, {"alive": self._alive()})
        elif self.path == "/readyz":
            faults = self._probes.faults(self._settings)
            self._say(503 if faults else 200, {"ready": not faults, "faults": faults})
        else:
            self._say(404, {"error": "there are /metrics, /healthz and /readyz"})

    def _metrics(self) -> None:
        try:
            with Database.open(self._settings.database_url, migrate=False, busy_timeout_s=2.0) as database:
                text = metrics_text(database, self._now())
        except KerbwatchError as error:
            self._say(503, {"error": str(error)})
        else:
            self._send(200, CONTENT_TYPE, text)

    def _say(self, code: int, value: object) -> None:
        self._send(code, "application/json", json.dumps(value).encode())

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prometheus asks four times a minute: that is no event."""
