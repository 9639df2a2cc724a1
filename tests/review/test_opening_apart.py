"""Whatever lies in the archive, the server answers: recordings are opened in other processes, which have limits."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_archive import place_of
from made_county import Served
from own_loop import run_in_thread
from video_fixture import Made, Maker, make

from detector.core.values import Camera
from detector.engines import apart
from detector.engines.apart import Apart, ApartFailed
from detector.people import Role
from detector.review.days import today_of

__all__ = ["make"]
pytest_plugins = ["review_fixture"]


@pytest.fixture(scope="session")
def clip(make: Maker) -> Made:
    return make()


def in_loop(*calls: Any) -> list[Any]:
    """What these calls, made at the same time, came to."""

    async def run() -> list[Any]:
        children = Apart()
        try:
            return await asyncio.gather(*(children.call(*call) for call in calls), return_exceptions=True)
        finally:
            await children.stop()

    return run_in_thread(run())


def test_a_call_that_takes_too_long_or_too_much_is_ended_and_the_next_is_answered() -> None:
    began = time.monotonic()
    slow, large, dead, limit, refused, well = in_loop(
        (1.0, time.sleep, 60),
        (10.0, bytes, 4 << 30),
        (10.0, os._exit, 3),
        (10.0, resource.getrlimit, resource.RLIMIT_NOFILE),
        (10.0, os.listdir, "/no/such/folder"),
        (10.0, len, "four"),
    )
    assert isinstance(slow, ApartFailed)
    assert isinstance(large, ApartFailed)
    assert isinstance(dead, ApartFailed)
    assert limit == (apart.DESCRIPTORS, apart.DESCRIPTORS)
    assert isinstance(refused, FileNotFoundError)
    assert well == 4
    assert time.monotonic() - began < 30


def test_more_calls_than_may_wait_are_refused_at_once() -> None:
    found = in_loop(*[(20.0, time.sleep, 0.01)] * (apart.WAITING_MOST + 3))
    assert sum(isinstance(one, ApartFailed) for one in found) == 3


def camera_of(served: Served, point: str) -> Camera:
    return served.house.settings.point(point).cameras[0]


def put(served: Served, point: str, at: datetime) -> Path:
    """Where a recording of a point at a time lies; its folder is made."""
    path = place_of(served.house.settings, camera_of(served, point), at, 60.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def noon_of_yesterday(served: Served) -> datetime:
    day = today_of(served.house) - timedelta(days=1)
    return datetime(day.year, day.month, day.day, 12, tzinfo=served.house.settings.timezone)


def test_pipes_playlists_holes_and_links_out_cost_themselves_only(
    served: Served, clip: Made, tmp_path: Path
) -> None:
    noon = noon_of_yesterday(served)
    os.link(clip.path, put(served, "p001", noon))
    os.mkfifo(put(served, "p001", noon + timedelta(minutes=5)))
    loop = put(served, "p001", noon + timedelta(minutes=10))
    loop.write_text(f"ffconcat version 1.0\nfile {loop.name}\nfile {loop.name}\n")
    (tmp_path / "elsewhere.mp4").write_bytes(clip.path.read_bytes())
    put(served, "p001", noon + timedelta(minutes=15)).symlink_to(tmp_path / "elsewhere.mp4")
    holes = put(served, "p001", noon + timedelta(minutes=20))
    holes.write_bytes(clip.path.read_bytes())
    os.truncate(holes, 1 << 40)
    client = served.signed_in(Role.ADMIN)
    began = time.monotonic()
    answer = client.get("/api/v1/cameras/p001/recordings", params={"day": str(noon.date())})
    assert answer.status_code == 200, answer.text
    assert [(one["start"][11:16], one["usable"]) for one in answer.json()] == [
        ("12:00", True), ("12:05", False), ("12:10", False), ("12:20", False),
    ]  # fmt: skip
    picture = client.get("/api/v1/cameras/p001/picture")
    assert picture.content.startswith(b"\xff\xd8")
    assert time.monotonic() - began < 30


def test_a_day_of_a_folder_with_many_files_opens_those_of_that_day_only(served: Served, clip: Made) -> None:
    noon = noon_of_yesterday(served)
    os.link(clip.path, put(served, "p001", noon))
    folder = put(served, "p001", noon - timedelta(days=30)).parent
    for number in range(3000):
        put(served, "p001", noon - timedelta(days=10, minutes=2 * number)).touch()
    assert folder.is_dir()
    client = served.signed_in(Role.ADMIN)
    with ThreadPoolExecutor(8) as asking:
        url = partial(client.get, "/api/v1/cameras/p001/recordings", params={"day": str(noon.date())})
        under_way = [asking.submit(url) for _ in range(6)]
        began = time.monotonic()
        assert client.get("/api/v1/me").status_code == 200
        assert time.monotonic() - began < 30
        assert [len(answer.result().json()) for answer in under_way] == [1] * 6


def test_an_archive_that_does_not_answer_in_time_is_said(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.review.routes.spots.LISTED_WITHIN_S", 0.001)
    client = served.signed_in(Role.ADMIN)
    day = str(noon_of_yesterday(served).date())
    for _ in range(3):
        answer = client.get("/api/v1/cameras/p001/recordings", params={"day": day})
        assert (answer.status_code, answer.json()["error"]) == (503, "busy")


def test_alive_and_ready_are_answered_while_every_thread_waits(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("detector.review.routes.session.to", lambda _: go_on.wait(60))
    client = served.signed_in(Role.ADMIN)
    with ThreadPoolExecutor(60) as asking:
        under_way = [asking.submit(client.get, "/", timeout=60) for _ in range(60)]
        try:
            time.sleep(1)
            assert served.nobody().get("/healthz").status_code == 200
            assert served.nobody().get("/readyz").status_code in (200, 503)
            assert not any(one.done() for one in under_way)
        finally:
            go_on.set()
