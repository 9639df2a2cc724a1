"""50 people for a minute and 500 event streams, beside 200 slow clients; `make test` runs a smaller crowd.

The server is the real command in a process of its own; clients speak over real sockets.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from made_county import LOGINS, crowding, make_issues, make_users, utc_now
from own_loop import run_in_thread

from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.database import Database
from detector.dispatch import Desk
from detector.issues.errors import SuspectedDuplicate
from detector.people import People, Role
from detector.review.access import SESSION_COOKIE

SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
PEOPLE, STREAMS, SLOW, SECONDS = (50, 500, 200, 60.0) if SOAK else (8, 40, 20, 4.0)
ISSUES = 600 if SOAK else 60
THINKS_S = (1.0, 3.0)
"""Somebody looks at a page so long."""
P99_S = 1.0
"""Of the soak; the smaller crowd is too short to measure a share of a hundred."""
GROWTH_MB = 100.0
PAGES = (
    "/queue", "/today", "/calendar", "/dispatch", "/points/p001", "/api/v1/issues?limit=50", "/api/v1/calendar",
    "/api/v1/board", "/api/v1/me",
)  # fmt: skip


@dataclass
class Seen:
    """What the people saw: seconds by page, and everything that was no answer."""

    taken_s: dict[str, list[float]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def all_s(self) -> list[float]:
        return sorted(s for times in self.taken_s.values() for s in times)


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """39 points with issues of which every second one is with a department."""
    folder = tmp_path_factory.mktemp("crowd")
    for name, text in template_files(judge_example_zones=True).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "recordings").mkdir()
    settings = load_settings(folder)
    with Database.open(settings.database_url) as database:
        make_users(database)
        desk = Desk(database, settings, utc_now)
        admin = desk.people.user("admin").actor()
        for number in make_issues(settings, database, ISSUES, evidence=False)[: ISSUES // 2]:
            desk.confirm(admin, number)
            if number % 2:
                due = utc_now() + timedelta(hours=number)
                with suppress(SuspectedDuplicate):
                    desk.dispatch(admin, [number], department="traffic_police", due_at=due)
    return settings


@contextmanager
def command(folder: Path) -> Iterator[tuple[int, int]]:
    """The port and the process id of `kerbwatch serve`."""
    program = "import sys; from detector.cli.entry import main; main()"
    words = [sys.executable, "-c", program, "serve", "-C", str(folder), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            line = next(line for line in process.stdout if b"http://" in line).decode()
            yield int(line.split("http://")[1].split("/")[0].split(":")[1]), process.pid
        finally:
            process.terminate()


def memory_mb(pid: int) -> float:
    words = Path(f"/proc/{pid}/statm").read_text().split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def ask(port: int, path: str, cookie: str, *, within_s: float = 30.0) -> int:
    """One request over a connection of its own; the status of the whole answer."""
    async with asyncio.timeout(within_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.read(-1)
        finally:
            writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0


async def person(port: int, cookie: str, seen: Seen, ends: float, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0, THINKS_S[1]))
    while time.monotonic() < ends:
        path, began = chance.choice(PAGES), time.monotonic()
        try:
            status = await ask(port, path, cookie)
        except (OSError, TimeoutError) as error:
            seen.faults[f"{path}: {type(error).__name__}"] += 1
        else:
            if status != 200:
                seen.faults[f"{path}: {status}"] += 1
            seen.taken_s.setdefault(path, []).append(time.monotonic() - began)
        await asyncio.sleep(chance.uniform(*THINKS_S))


async def stream(port: int, cookie: str, seen: Seen, ends: float) -> None:
    """An event stream that must stay open until the end."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/v1/events HTTP/1.1\r\nHost: here\r\nCookie: {cookie}\r\n\r\n".encode())
        while time.monotonic() < ends:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, ends - time.monotonic())):
                    if not await reader.read(4096):
                        seen.faults["stream: ended"] += 1
                        break
        writer.close()
    except OSError as error:
        seen.faults[f"stream: {type(error).__name__}"] += 1


async def slow(port: int, ends: float, number: int) -> None:
    """A stranger who drips a head, drips a body, or takes nothing of what is sent; again and again."""
    starts = (
        b"GET /queue HTTP/1.1\r\nHost: h",
        b"POST /sign-in HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nlogin=",
        b"GET /static/css/base.css HTTP/1.1\r\nHost: h\r\n\r\n" * 3,
    )
    while time.monotonic() < ends:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(starts[number % 3])
            while time.monotonic() < ends and not writer.is_closing():
                await asyncio.sleep(0.5)
                if number % 3 < 2:
                    writer.write(b"x")
            writer.close()
        await asyncio.sleep(0.2)


async def crowd(port: int, cookies: list[str], seconds: float) -> Seen:
    seen, ends = Seen(), time.monotonic() + seconds
    tasks = [
        *(stream(port, cookies[n % len(cookies)], seen, ends) for n in range(STREAMS)),
        *(slow(port, ends, n) for n in range(SLOW)),
        *(person(port, cookie, seen, ends, random.Random(n)) for n, cookie in enumerate(cookies)),
    ]
    await asyncio.gather(*tasks)
    return seen


def cookies_of(settings: Settings) -> list[str]:
    """A session each, of staff and departments."""
    logins = [LOGINS[role] for role in Role]
    with Database.open(settings.database_url) as database:
        people = People(database, utc_now)
        return [
            f"{SESSION_COOKIE}={people.open_session(people.user(logins[n % len(logins)]))[0]}"
            for n in range(PEOPLE)
        ]


@pytest.mark.slow
def test_a_crowd_with_event_streams_and_slow_clients_beside_it_is_answered(county: Settings) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if SOAK and hard != resource.RLIM_INFINITY and hard < 4 * (PEOPLE + STREAMS + SLOW):
        pytest.skip(f"the hard limit of open files is {hard}")
    cookies = cookies_of(county)
    with command(county.folder) as (port, pid):
        run_in_thread(warm_up(port, cookies))
        before_mb = memory_mb(pid)
        seen = run_in_thread(crowd(port, cookies, SECONDS))
        growth_mb = memory_mb(pid) - before_mb
    times = seen.all_s
    rate, p50, p99 = len(times) / SECONDS, quantile(times, 0.5), quantile(times, 0.99)
    print(
        f"{len(times)} answers, {rate:.0f} a second; median {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms; {growth_mb:+.0f} MB"
    )
    for path, taken in sorted(seen.taken_s.items()):
        print(f"{path}: p99 {quantile(sorted(taken), 0.99) * 1000:.0f} ms of {len(taken)}")
    assert seen.faults == {}
    assert len(times) >= PEOPLE
    assert growth_mb < GROWTH_MB
    if SOAK:
        assert p99 < P99_S * crowding()


async def warm_up(port: int, cookies: list[str]) -> None:
    """What a server loads once is not growth."""
    for path in PAGES:
        assert await ask(port, path, cookies[0]) == 200
