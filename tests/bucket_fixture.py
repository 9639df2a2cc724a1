"""A bucket of a real S3 server (moto's, over HTTP on this machine) that fails as often as a test likes.

Use: `pytest_plugins = ["bucket_fixture"]` in a test module.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

BODY = b'<?xml version="1.0"?><Error><Code>%s</Code><Message>on purpose</Message></Error>'
FAULTS = (("500 Internal Server Error", "InternalError"), ("503 Slow Down", "SlowDown"))


@dataclass
class Failing:
    """A WSGI application before which some requests fail: half of them before they were done, half of them after.

    A share of 0.1 is one of every ten requests, at a random place among them, so that a test can count on it.
    """

    app: Callable[..., Iterable[bytes]]
    share: float = 0.0
    chance: Random = field(default_factory=lambda: Random(7))
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    coming: list[bool] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)
    """While it is not set, no request is answered."""
    to_cut: int = 0
    """So many answers that have a body break off in the middle of it."""

    def fail(self, share: float) -> None:
        """From now on, fail this share of the requests."""
        with self.lock:
            self.share, self.coming = share, []

    def fails_next(self) -> bool:
        """Whether the next request is to fail."""
        if not self.share:
            return False
        if not self.coming:
            self.coming = [True] + [False] * (round(1 / self.share) - 1)
            self.chance.shuffle(self.coming)
        return self.coming.pop()

    def cut(self, answer: Iterable[bytes]) -> Iterable[bytes]:
        body = b"".join(answer)
        with self.lock:
            if not body or not self.to_cut:
                return [body]
            self.to_cut -= 1
        return [body[: len(body) // 2]]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self.lock:
            fails, was_done = self.fails_next(), self.chance.random() < 0.5
            status, code = self.chance.choice(FAULTS)
            self.counts["failed" if fails else "served"] += 1
        self.answering.wait(60)
        if not fails:
            return self.cut(self.app(environ, start_response))
        if was_done:
            for _ in self.app(environ, lambda *_: lambda _: None):
                pass
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = BODY % code.encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]


@dataclass(frozen=True)
class Bucket:
    """Where a test may put what it likes."""

    url: str
    failing: Failing


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Failing]:
    """The server; the environment says where it is, to this process and those that it starts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

    failing = Failing(DomainDispatcherApplication(create_backend_app))
    failing.answering.set()
    server = make_server("127.0.0.1", 0, failing, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "kerbwatch",
        "AWS_SECRET_ACCESS_KEY": "of-no-worth",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with patch.dict(os.environ, environment):
        yield failing
    server.shutdown()
    server.server_close()


_numbers = count(1)


@pytest.fixture
def bucket(s3_server: Failing) -> Iterator[Bucket]:
    """A new bucket of the server, which fails never, until `failing.fail` is called."""
    import fsspec

    name = f"county-{next(_numbers)}"
    fsspec.filesystem("s3", use_listings_cache=False).mkdir(name)
    s3_server.counts.clear()
    try:
        yield Bucket(f"s3://{name}/kerbwatch", s3_server)
    finally:
        s3_server.fail(0.0)
        s3_server.to_cut = 0
        s3_server.answering.set()
