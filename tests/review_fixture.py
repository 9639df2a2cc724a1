"""A served working folder with issues that have real evidence, and a real Chromium.

Use: `pytest_plugins = ["review_fixture"]` in a test module. The folder is made once; each `county` is a copy of it,
and `served` is a real server on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_county import (
    ISSUES,
    LOGINS,
    Chromium,
    Opens,
    Served,
    Watched,
    copy_of,
    make_users,
    serve,
    write_county,
)
from sqlalchemy import delete

from detector.config.settings import load_settings
from detector.database import Database, schema
from detector.people import Role
from detector.review.access import SESSION_COOKIE


@pytest.fixture(scope="session")
def county_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """39 points, 30 flagged issues of today with evidence, one user a role. Nobody changes it."""
    folder = write_county(tmp_path_factory.mktemp("county") / "county", ISSUES)
    with Database.open(load_settings(folder).database_url) as database:
        make_users(database)
    return folder


@pytest.fixture
def county(county_once: Path, tmp_path: Path) -> Path:
    """A copy to do with as a test likes; evidence as hard links."""
    return copy_of(county_once, tmp_path / "county")


@pytest.fixture
def served(county: Path) -> Iterator[Served]:
    with serve(county) as running:
        yield running


@pytest.fixture(scope="session")
def served_once(county_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that change nothing that others look at."""
    with serve(copy_of(county_once, tmp_path_factory.mktemp("served") / "county")) as running:
        yield running


@pytest.fixture
def fresh(county_once: Path, tmp_path: Path) -> Iterator[Served]:
    """A county that nobody has an account in."""
    folder = copy_of(county_once, tmp_path / "fresh")
    with Database.open(load_settings(folder).database_url) as database, database.begin() as connection:
        connection.execute(delete(schema.users))
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with Chromium() as running:
        yield running


@pytest.fixture
def opens(chromium: Chromium) -> Iterator[Opens]:
    """`opens(served, Role.REVIEWER, lang="zh", theme="light")` gives a page of a user who is signed in."""
    watched: list[Watched] = []

    def open_page(
        served: Served,
        role: Role | None,
        *,
        lang: str = "zh",
        theme: str = "light",
        size: tuple[int, int] = (1366, 768),
    ) -> Watched:
        context = chromium.context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
        cookies = {"kerbwatch_lang": lang, "kerbwatch_theme": theme}
        if role is not None:
            people = served.house.desk.people
            cookies[SESSION_COOKIE] = people.open_session(people.user(LOGINS[role]))[0]
        context.add_cookies([{"name": n, "value": v, "url": served.url} for n, v in cookies.items()])
        found = Watched(context.new_page())
        found.watch(served.url)
        watched.append(found)
        return found

    yield open_page
    chromium.close_contexts()
    assert [w.faults for w in watched if w.faults] == []
