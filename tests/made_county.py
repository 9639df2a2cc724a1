"""A made working folder with issues that have real evidence, a server on it, and a watched browser's page.

The fixtures are in `review_fixture`.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from detector.cli.common import sight_of
from detector.cli.serve import eyes_of
from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import (
    Camera,
    Evidence,
    Frame,
    Image,
    Incident,
    Point,
    Proof,
    Recording,
    RecordingState,
    Still,
    Violation,
    ZoneKind,
)
from detector.database import Database
from detector.evidence import Scene, write_evidence
from detector.issues import IssueQueue
from detector.people import Actor, People, Role
from detector.review import House, Masks, open_house
from detector.review.access import SESSION_COOKIE
from detector.review.serving import listening, server_of
from detector.spotting import SpotChecks

PASSWORD = "correct horse 9"
LOGINS: dict[Role, str] = {role: str(role) for role in Role}
DEPARTMENT = "traffic_police"
ISSUES = 30
BOX: Box = (0.42, 0.55, 0.6, 0.78)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Every client would load the system's certificates, which takes longer than most answers."""
PATIENCE_MS = 20_000
SETUP_CODE = "a-code-of-the-tests"
CHROMIUM = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def crowding() -> float:
    """How many want a core of this machine: 1 where everybody has one. What takes so long alone takes so much longer."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))


def utc_now() -> datetime:
    return datetime.now(UTC)


# The working folder


def write_county(folder: Path, issues: int) -> Path:
    """A working folder of 39 points with so many flagged issues, and nobody who may sign in."""
    for name, text in template_files(judge_example_zones=True).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "recordings").mkdir()
    settings = load_settings(folder)
    with Database.open(settings.database_url) as database:
        make_issues(settings, database, issues)
    return folder


def copy_of(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("evidence"))
    shutil.copytree(folder / "evidence", target / "evidence", copy_function=os.link)
    return target


def make_users(database: Database) -> None:
    people, program = People(database, utc_now), Actor("kerbwatch", Role.ADMIN)
    for role, login in LOGINS.items():
        department = DEPARTMENT if role is Role.DEPARTMENT else None
        people.create(
            program, login, name=f"{role.zh} {login}", role=role, department=department, password=PASSWORD
        )


def make_issues(settings: Settings, database: Database, number: int, *, evidence: bool = True) -> list[int]:
    """Issues over the points, the last three of them alike; each with evidence of its own, all of the same bytes."""
    queue, ids = IssueQueue(database), []
    first = datetime.now(settings.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    model = _evidence(settings, settings.points[0], first) if evidence else None
    for index in range(number):
        alike = index >= number - 3
        point = settings.points[len(settings.points) - 1 if alike else index % (len(settings.points) - 1)]
        start = first - timedelta(minutes=20 * (index + 1))
        incident = incident_at(point, start, index)
        kept = _linked(settings, model, incident) if model else Evidence("", ())
        filed = queue.file(
            incident, kept,
            explanation=f"stood {incident.dwell_s / 60:.0f} min", explanation_zh=f"停留{incident.dwell_s / 60:.0f}分",
            model_id="yolov8n", rules_version="r1", verdict_key=f"made {index} {start.isoformat()}",
            start_uncertainty_s=1.0, end_uncertainty_s=2.0,
        )  # fmt: skip
        ids.append(filed.issue_id)
    return ids


def incident_at(point: Point, start: datetime, index: int) -> Incident:
    camera = point.cameras[0]
    kind, violation = (
        (ZoneKind.NO_PARKING, Violation.ILLEGAL_PARKING),
        (ZoneKind.SIDEWALK, Violation.SIDEWALK_PARKING),
    )[index % 2 if index < ISSUES - 3 else 0]
    zone = next(zone for zone in camera.zones if zone.kind is kind)
    return Incident(
        violation=violation, point_id=point.id, camera_id=camera.id, zone_id=zone.id,
        interval=Interval(start, start + timedelta(seconds=400 + index)), limit_s=180.0, box=BOX,
        share=0.9, confidence=0.45 + index % 6 * 0.1,
    )  # fmt: skip


def street(seed: int) -> Image:
    """A grey street with a red block inside BOX, and some light that changes."""
    coarse = np.random.default_rng(7).integers(70, 90, (18, 32, 3), dtype=np.uint8) + np.uint8(seed % 40)
    image = coarse.repeat(20, axis=0).repeat(20, axis=1)
    rows = slice(round(BOX[1] * 360), round(BOX[3] * 360))
    image[rows, round(BOX[0] * 640) : round(BOX[2] * 640)] = (30, 30, 190)
    return image


def _evidence(settings: Settings, point: Point, start: datetime) -> Path:
    """The folder of one incident's evidence, with stills and clips."""
    incident = incident_at(point, start - timedelta(minutes=20), 0)
    camera, begins = point.cameras[0], incident.interval.start
    recording = Recording(
        camera.id, "x.mp4", 1, 1, Interval(begins - timedelta(hours=1), begins + timedelta(hours=1)), RecordingState.READABLE
    )  # fmt: skip
    stills = tuple(
        Still(begins + timedelta(seconds=s), recording, Frame(3600.0 + s, street(s), "cd" * 32), BOX)
        for s in (1, 200, 399)
    )
    proof = Proof(incident, stills, 1.0, 2.0, 0.9, "stood", "停留")
    shots = [(begins + timedelta(seconds=s), street(s), BOX if s >= 0 else None) for s in range(-40, 400, 11)]
    written = write_evidence(Path(settings.evidence_root), proof, _scene(point, camera), shots)
    return Path(settings.evidence_root) / written.folder


def _scene(point: Point, camera: Camera) -> Scene:
    return Scene(
        point=point, camera=camera, zone_name="禁停区", code="0505", violation_zh="机动车违停", violation_en="Illegal parking",
        model_id="yolov8n", model_sha256="ab" * 32, rules_version="r1", kerbwatch_version="0.1.0",
    )  # fmt: skip


def _linked(settings: Settings, model: Path, incident: Incident) -> Evidence:
    from detector.evidence.manifest import file_of

    day = incident.interval.start.astimezone(settings.timezone).date()
    folder = f"{day}/{incident.camera_id}/{incident.fingerprint}"
    target = Path(settings.evidence_root) / folder
    if target != model:
        shutil.copytree(model, target, copy_function=os.link)
    return Evidence(folder, tuple(file_of(path) for path in sorted(target.iterdir())))


# The server


@dataclass
class Served:
    """A running server on a working folder."""

    url: str
    house: House
    clients: list[httpx.Client] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None

    def nobody(self) -> httpx.Client:
        """A client that is not signed in."""
        client = httpx.Client(base_url=self.url, timeout=30, verify=NO_TLS)
        self.clients.append(client)
        return client

    def signed_in(self, role: Role) -> httpx.Client:
        """A client with a session of the role's user, that sends the token against forgery in every request."""
        client, people = self.nobody(), self.house.desk.people
        secret, session = people.open_session(people.user(LOGINS[role]))
        client.cookies.set(SESSION_COOKIE, secret)
        client.headers["X-CSRF-Token"] = session.csrf
        return client

    def with_token(self, role: Role) -> httpx.Client:
        client, people = self.nobody(), self.house.desk.people
        actor = people.user(LOGINS[role]).actor()
        secret, _ = people.issue_token(actor, LOGINS[role], "tests", utc_now() + timedelta(hours=1))
        client.headers["Authorization"] = f"Bearer {secret}"
        return client

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Every issue as the API tells an administrator."""
        answer = self.with_token(Role.ADMIN).get("/api/v1/issues", params={"limit": 500, "order": "oldest"})
        return list(answer.json()["issues"])


@contextmanager
def serve(folder: Path, **changes: Any) -> Iterator[Served]:
    """A real server on a port of its own, in a thread."""
    settings = load_settings(folder)
    with (
        Database.open(settings.database_url) as database,
        SpotChecks(settings.state_root, partial(eyes_of, settings.model), utc_now).opened() as checks,
        listening("127.0.0.1", 0) as listener,
    ):
        root = Path(settings.evidence_root)
        masks = Masks(partial(sight_of, settings))
        house = open_house(settings, database, root, utc_now, checks, masks, setup_code=SETUP_CODE)
        house = replace(house, **changes)
        server = server_of(house)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)

        def stop() -> None:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()

        served = Served(f"http://127.0.0.1:{listener.getsockname()[1]}", house, stop=stop)
        try:
            yield served
        finally:
            for client in served.clients:
                client.close()
            stop()


def csrf_in(page: httpx.Response) -> str:
    """The token in a page's form."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text[:300]
    return found[1]


# The browser


class Chromium:
    """A real browser. One that has died, or that a test left in disorder, is started anew for the next."""

    def __init__(self) -> None:
        self._playwright: Any = None
        self._browser: Any = None
        self._contexts: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def context(self, **options: Any) -> Any:
        """A fresh profile, in which nothing waits longer than PATIENCE_MS."""
        try:
            made = self._running().new_context(**options)
        except (PlaywrightError, RuntimeError):
            self._end()
            made = self._running().new_context(**options)
        made.set_default_timeout(PATIENCE_MS)
        self._contexts.append(made)
        return made

    def close_contexts(self) -> None:
        contexts, self._contexts = self._contexts, []
        try:
            for context in contexts:
                context.close()
        except (PlaywrightError, RuntimeError):
            self._end()

    def _running(self) -> Any:
        if self._browser is None or not self._browser.is_connected():
            path = shutil.which("chromium") or shutil.which("chromium-browser")
            assert path, "no chromium; 'make test' installs it, or: apt-get install chromium fonts-noto-cjk"
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        return self._browser

    def _end(self) -> None:
        browser, playwright, self._browser, self._playwright = self._browser, self._playwright, None, None
        self._contexts = []
        for part, end in ((browser, "close"), (playwright, "stop")):
            if part is not None:
                with suppress(PlaywrightError, RuntimeError):
                    getattr(part, end)()


@dataclass
class Watched:
    """A browser's page, and everything that went wrong in it."""

    page: Any
    faults: list[str] = field(default_factory=list)

    def watch(self, url: str) -> None:
        page = self.page
        page.on(
            "console", lambda m: m.type in ("error", "warning") and self.faults.append(f"console: {m.text}")
        )
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on(
            "request", lambda r: r.url.startswith((url, "blob:")) or self.faults.append(f"elsewhere: {r.url}")
        )
        page.on("response", lambda r: r.status >= 400 and self.faults.append(f"{r.status} {r.url}"))


Opens = Callable[..., Watched]
