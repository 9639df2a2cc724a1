"""What sends much, slowly or not at all is given up, and those who are signed in are answered meanwhile."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx
import pytest
from made_county import Served, serve

from detector.people import Role
from detector.review.access import SESSION_COOKIE

pytest_plugins = ["review_fixture"]

ANSWER = "/api/v1/answers/anything"
BOUNDARY = b"limit"
TCP_ESTABLISHED = 1
"""The state of an open connection in Linux' TCP_INFO."""


def address_of(served: Served) -> tuple[str, int]:
    parts = urlsplit(served.url)
    return str(parts.hostname), int(parts.port or 0)


@contextmanager
def raw(served: Served, *pieces: bytes) -> Iterator[socket.socket]:
    """A connection of its own, on which these bytes were sent."""
    with socket.create_connection(address_of(served), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        yield connection


def head(path: str, length: int, *more: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {length}", *more)
    return "\r\n".join((*lines, "", "")).encode()


def status_of(connection: socket.socket) -> int:
    """The status of the answer that is there, or 0 where the connection was closed without one."""
    try:
        line = connection.recv(4096).split(b"\r\n")[0].split()
    except ConnectionResetError:
        return 0
    return int(line[1]) if len(line) > 1 else 0


def upload(size: int) -> tuple[bytes, bytes]:
    """The kind of an answer with one file, and its body's beginning."""
    opening = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n"
    )
    return b"multipart/form-data; boundary=" + BOUNDARY, opening + b"x" * size


def test_an_anonymous_body_above_the_small_size_is_refused_before_it_is_received(served_once: Served) -> None:
    kind, body = upload(3_000_000)
    for path in (ANSWER, "/sign-in", "/api/v1/dispatch", "/api/v1/spot-checks/clips?camera=p001"):
        with raw(served_once, head(path, 100_000_000, f"Content-Type: {kind.decode()}")) as connection:
            assert status_of(connection) in (401, 413), path
    before = set(Path(f"/proc/{os.getpid()}/fd").iterdir())
    with raw(served_once, head(ANSWER, 100_000_000, f"Content-Type: {kind.decode()}")) as connection:
        with suppress(OSError):
            connection.sendall(body)
        time.sleep(0.3)
        temporary = tempfile.gettempdir()
        held = [link for link in Path(f"/proc/{os.getpid()}/fd").iterdir() if link not in before]
        targets = [str(link.readlink()) for link in held if link.is_symlink()]
    assert [target for target in targets if target.startswith(temporary) and "deleted" in target] == []


def test_a_body_without_a_length_is_received_up_to_the_small_size_from_a_stranger(
    served_once: Served,
) -> None:
    start = b"POST /sign-in HTTP/1.1\r\nHost: here\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    with raw(served_once, start, *[piece] * 4) as connection:
        assert status_of(connection) == 401


def test_whoever_may_not_answer_sends_no_file(served_once: Served) -> None:
    client = served_once.signed_in(Role.VIEWER)
    cookie = f"Cookie: {SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
    token = f"X-CSRF-Token: {client.headers['X-CSRF-Token']}"
    with raw(served_once, head(ANSWER, 50_000_000, cookie, token)) as connection:
        assert status_of(connection) == 403


def test_a_small_body_that_does_not_arrive_is_given_up(
    served_once: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.review.bodies.SMALL_WITHIN_S", 0.5)
    with raw(served_once, head("/sign-in", 1000), b"login=") as connection:
        assert status_of(connection) == 408


def test_the_slowest_small_bodies_make_room_for_the_next(
    served_once: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.review.bodies.SMALL_MOST", 3)
    slow = [socket.create_connection(address_of(served_once), timeout=10) for _ in range(6)]
    for connection in slow:
        connection.sendall(head("/sign-in", 1000) + b"login=")
        time.sleep(0.05)
    assert [status_of(connection) for connection in slow[:3]] == [408] * 3
    answer = served_once.nobody().post("/sign-in", data={"login": "a"})
    assert answer.status_code == 403
    for connection in slow:
        connection.close()


def test_a_larger_body_that_stalls_is_given_up(served_once: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.review.bodies.STALL_S", 0.5)
    client = served_once.signed_in(Role.ADMIN)
    cookie = f"Cookie: {SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
    token = f"X-CSRF-Token: {client.headers['X-CSRF-Token']}"
    kind, body = upload(100_000)
    words = (cookie, token, f"Content-Type: {kind.decode()}")
    with raw(served_once, head(ANSWER, 1_000_000, *words), body) as connection:
        assert status_of(connection) == 408


def test_one_user_sends_a_few_large_bodies_at_a_time(served_once: Served) -> None:
    client = served_once.signed_in(Role.ADMIN)
    cookie = f"Cookie: {SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
    words = (
        cookie,
        f"X-CSRF-Token: {client.headers['X-CSRF-Token']}",
        f"Content-Type: {upload(0)[0].decode()}",
    )
    held = [socket.create_connection(address_of(served_once), timeout=10) for _ in range(3)]
    for connection in held:
        connection.sendall(head(ANSWER, 1_000_000, *words))
    time.sleep(0.3)
    try:
        with raw(served_once, head(ANSWER, 1_000_000, *words)) as one_more:
            assert status_of(one_more) == 503
    finally:
        for connection in held:
            connection.close()


def test_half_requests_neither_stop_answers_nor_stay(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many more connections than there may be, none of which ends its head."""
    monkeypatch.setattr("detector.review.connections.CONNECTIONS_MOST", 60)
    with serve(county) as served:
        client = served.signed_in(Role.REVIEWER)
        halves: list[socket.socket] = []
        try:
            for _ in range(200):
                halves.append(socket.create_connection(address_of(served), timeout=5))
                halves[-1].sendall(b"GET /queue HTTP/1.1\r\nHost: h")
            began = time.monotonic()
            assert client.get("/api/v1/me").status_code == 200
            assert time.monotonic() - began < 5
            assert sum(is_closed(half) for half in halves) >= 140
        finally:
            for half in halves:
                half.close()


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_head_and_an_answer_have_deadlines(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detector.review.connections import ConnectionLimits

    tight = ConnectionLimits(100, 100, head_s=0.5, keep_alive_s=1, write_s=0.5)
    monkeypatch.setattr(ConnectionLimits, "of_process", lambda *, behind_proxy: tight)
    with serve(county) as served:
        with raw(served, b"GET /queue HTTP/1.1\r\n") as dripping:
            began = time.monotonic()
            while not is_closed(dripping) and time.monotonic() - began < 5:
                try:
                    dripping.sendall(b"X: y\r\n")
                except OSError:
                    break
                time.sleep(0.1)
            assert time.monotonic() - began < 3
        issue = served.issues[0]
        client = served.signed_in(Role.ADMIN)
        cookie = f"Cookie: {SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
        path = client.get(f"/api/v1/issues/{issue['id']}").json()["clip"]["plain"]
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.settimeout(5)
            slow.connect(address_of(served))
            request = f"GET {path} HTTP/1.1\r\nHost: h\r\n{cookie}\r\n\r\n".encode()
            slow.sendall(request * 400)  # answers of many megabytes, none of which is read
            deadline = time.monotonic() + 60
            while not is_reset(slow) and time.monotonic() < deadline:
                time.sleep(0.2)
                with suppress(OSError):  # a reset outside a closed window is sent again in answer to this
                    slow.send(b"x")
            assert is_reset(slow)


def is_reset(connection: socket.socket) -> bool:
    """Whether the other side has cut a connection off."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED


SHORT_OF_DESCRIPTORS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
from detector.cli.entry import main
sys.argv = ["kerbwatch", "serve", "-C", sys.argv[1], "--port", "0"]
main()
"""


@pytest.mark.slow
def test_at_a_low_descriptor_limit_the_server_answers_and_logs_little(county: Path, tmp_path: Path) -> None:
    log = (tmp_path / "log").open("wb")
    words = [sys.executable, "-c", SHORT_OF_DESCRIPTORS, str(county)]
    flood: list[socket.socket] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout
        try:
            port = port_of(process.stdout)
            for _ in range(900):
                flood.append(socket.create_connection(("127.0.0.1", port), timeout=5))
                with suppress(OSError):
                    flood[-1].sendall(b"GET / HTTP/1.1\r\n")
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200
        finally:
            for connection in flood:
                connection.close()
            process.terminate()
            log.close()
    assert (tmp_path / "log").stat().st_size < 20_000


def port_of(said: IO[bytes]) -> int:
    """The port that the command says it serves at."""
    address = next(line for line in said if b"http://" in line).decode().split("http://")[1]
    return int(address.split("/")[0].split(":")[1])


def test_lines_of_one_kind_are_counted_after_the_first_ten() -> None:
    from detector.review.seldom import Seldom

    at = [0.0]
    seldom = Seldom(lambda: at[0])
    record = logging.LogRecord("asyncio", logging.ERROR, "f", 1, "no more of %s", ("files",), None)
    assert sum(seldom.filter(record) for _ in range(1000)) == 10
    at[0] = 61.0
    assert seldom.filter(record)
    assert record.getMessage() == "no more of files (990 more like this were left out)"


def test_a_sender_who_leaves_in_mid_body_leaves_no_traceback(
    served_once: Served, caplog: pytest.LogCaptureFixture
) -> None:
    client = served_once.signed_in(Role.ADMIN)
    cookie = f"Cookie: {SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
    token = f"X-CSRF-Token: {client.headers['X-CSRF-Token']}"
    kinds = ("application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=limit")
    paths = (
        "/sign-in",
        "/account/password",
        "/api/v1/dispatch",
        ANSWER,
        "/api/v1/spot-checks/clips?camera=p001",
    )
    for kind in kinds:
        for path in paths:
            for length, part in ((500, b"login=a"), (900_000, b"x" * 100_000)):
                with raw(served_once, head(path, length, cookie, token, f"Content-Type: {kind}"), part):
                    pass
    time.sleep(0.5)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
