"""Not recorded, not scanned, nothing found: three words, the right one on every page, in both languages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from made_archive import kerbwatch
from made_county import Chromium, Opens, Served, make_users, serve, write_county
from playwright.sync_api import Page

from detector.config.settings import load_settings
from detector.core.times import Interval
from detector.core.values import Camera, MediaInfo, Recording, RecordingState
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.footage.daystate import WORDS, DayState
from detector.people import Role

pytest_plugins = ["review_fixture"]
pytestmark = pytest.mark.timeout(180)

LANGUAGES = ("en", "zh")
THREE = (DayState.NOT_RECORDED, DayState.NOT_SCANNED, DayState.NOTHING_FOUND)
BACK = {
    DayState.NOTHING_FOUND: 1,
    DayState.IN_PART: 2,
    DayState.NOT_SCANNED: 3,
    DayState.NOT_RECORDED: 4,
    DayState.NOT_JUDGED: 5,
}
"""How many days ago each state is made; another state is that of no day."""


@dataclass(frozen=True)
class Days:
    """A county of one camera with a day of each state, and a server on it."""

    served: Served
    folder: Path

    def day(self, state: DayState) -> date:
        now = self.served.house.desk.now().astimezone(self.served.house.settings.timezone)
        return now.date() - timedelta(days=BACK[state])


def small_county(folder: Path) -> Path:
    """A county of one point, with users and without anything recorded."""
    write_county(folder, 0)
    for path in (folder / "points").iterdir():
        if path.name != "p001.yaml":
            path.unlink()
    (folder / "recordings" / "p001").mkdir()
    with Database.open(load_settings(folder).database_url) as database:
        make_users(database)
    return folder


def record(folder: Path, camera: Camera, start: datetime, end: datetime) -> Recording:
    """A file that the catalogue knows: it is not opened again while its size and time stay."""
    place = camera.timezone
    name = f"ch01_{start.astimezone(place):%Y%m%d%H%M%S}_{end.astimezone(place):%Y%m%d%H%M%S}.mp4"
    path = folder / "recordings" / camera.folder / name
    media = MediaInfo("h264", (640, 360), 0.0, (end - start).total_seconds(), complete=True, studied=True)
    path.write_bytes(b"a recording" * 100)
    os.utime(path, ns=(1_767_800_000_123_456_789, 1_767_800_000_123_456_789))
    return Recording(
        camera.id, f"{camera.folder}/{name}", path.stat().st_size, path.stat().st_mtime_ns, Interval(start, end),
        RecordingState.READABLE, resolution_wh=(640, 360), media=media,
    )  # fmt: skip


def fill(folder: Path) -> None:
    """A day of each state: wholly judged, half of it, only recorded, nothing at all, an unreadable file."""
    settings = load_settings(folder)
    (camera,) = settings.points[0].cameras
    midnight = datetime.now(settings.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    with Database.open(settings.database_url) as database:
        catalogue = Catalogue(database)
        for state in (DayState.NOTHING_FOUND, DayState.IN_PART, DayState.NOT_SCANNED, DayState.NOT_JUDGED):
            start = midnight - timedelta(days=BACK[state], hours=-8)
            one = record(folder, camera, start, start + timedelta(hours=4))
            if state is DayState.NOT_JUDGED:
                (folder / "recordings" / one.path).write_bytes(b"")
            catalogue.remember(camera.id, [one], midnight)
            if state in (DayState.NOTHING_FOUND, DayState.IN_PART):
                seen = Interval(start, start + timedelta(hours=4 if state is DayState.NOTHING_FOUND else 2))
                catalogue.mark_observed(
                    one, "plan", model_id="m", file=one.id, samples=9, failed=0, observed=seen
                )
                catalogue.mark_judged(camera.id, [seen])
    assert kerbwatch("coverage", "-C", folder).code == 0  # which looks through the folder


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    folder = small_county(tmp_path_factory.mktemp("days") / "county")
    fill(folder)
    with serve(folder) as served:
        yield Days(served, folder)


@pytest.fixture(scope="module")
def new_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(small_county(tmp_path_factory.mktemp("new") / "county")) as served:
        yield served


def word(state: DayState, language: str) -> str:
    return WORDS[state][language == "zh"]


def wanted_only(text: str, state: DayState, language: str) -> None:
    """The word of a state stands in a text, and of the three words no other."""
    text = text.lower()
    assert word(state, language) in text
    others = [word(one, language) for one in THREE if one is not state]
    # What a day in part lacks is named by the word for it.
    if state is DayState.IN_PART:
        others = [word(DayState.NOTHING_FOUND, language)]
    assert [other for other in others if other in text] == []


Text = Callable[[str, str], str]


@pytest.fixture
def text_of(opens: Opens) -> Callable[[Served, str, str], str]:
    """`text_of(served, path, language)`: what a reviewer reads on a page. A language keeps its page of the browser."""
    pages: dict[tuple[str, str], Page] = {}

    def read(served: Served, path: str, language: str, part: str = "main") -> str:
        if (served.url, language) not in pages:
            pages[served.url, language] = opens(served, Role.REVIEWER, lang=language).page
        page = pages[served.url, language]
        page.goto(f"{served.url}{path}")
        if path.startswith("/review"):
            page.wait_for_selector("#review.finished")
            part = "#done"
        if folder := os.environ.get("KERBWATCH_SCREENSHOTS"):
            name = f"{path.strip('/').replace('/', '-').replace('?', '-')}-{language}.png"
            page.screenshot(
                path=str(Path(folder) / f"{'new-' if 'p001' not in path else ''}{name}"), full_page=True
            )
        return str(page.inner_text(part))

    return read


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", BACK)
def test_the_board_the_point_the_review_and_the_queue_say_the_state_of_a_day(
    days: Days, text_of: Callable[..., str], state: DayState, language: str
) -> None:
    day = days.day(state)
    board = text_of(days.served, f"/today?day={day}", language)
    assert word(state, language) in board.lower()
    wanted_only(text_of(days.served, f"/today?day={day}", language, "#standing"), state, language)
    wanted_only(text_of(days.served, f"/review?first={day}&last={day}", language), state, language)
    wanted_only(text_of(days.served, f"/queue?first={day}&last={day}", language, ".empty"), state, language)
    point = text_of(days.served, f"/points/p001?day={day}", language)
    assert word(state, language) in point.lower()
    if state is not DayState.NOTHING_FOUND:
        for text in (board, point):
            assert word(DayState.NOTHING_FOUND, language) not in text.lower()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_calendar_names_each_day_by_its_state(days: Days, opens: Opens, language: str) -> None:
    page = opens(days.served, Role.REVIEWER, lang=language).page
    page.goto(f"{days.served.url}/calendar")
    for state in BACK:
        cell = page.locator(f"a.cell[href='/points/p001?day={days.day(state)}']")
        wanted_only(str(cell.get_attribute("title")), state, language)
        assert f"day-{state}" in str(cell.get_attribute("class"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_system_is_not_scanned_and_nothing_is_all_reviewed(
    new_system: Served, text_of: Callable[..., str], language: str
) -> None:
    yesterday = new_system.house.desk.now().astimezone(new_system.house.settings.timezone).date() - timedelta(
        days=1
    )
    review = text_of(new_system, "/review", language)
    wanted_only(review, DayState.NOT_SCANNED, language)
    assert {"en": "Nothing scanned yet", "zh": "尚未扫描"}[language] in review
    assert {"en": "kerbwatch scan", "zh": "kerbwatch scan"}[language] in review
    assert "全部审核完毕" not in review
    assert "Nothing left to review" not in review
    wanted_only(text_of(new_system, "/queue", language, ".empty"), DayState.NOT_SCANNED, language)
    board = text_of(new_system, f"/today?day={yesterday}", language)
    assert word(DayState.NOT_SCANNED, language) in board.lower()
    assert word(DayState.NOTHING_FOUND, language) not in board.lower()
    assert word(DayState.NOTHING_FOUND, language) not in text_of(
        new_system, f"/points/p001?day={yesterday}", language
    )


@pytest.mark.parametrize("state", BACK)
def test_the_brief_says_the_state_of_its_day(
    days: Days, chromium: Chromium, tmp_path: Path, state: DayState
) -> None:
    """The brief is Chinese alone."""
    out = tmp_path / "brief.html"
    done = kerbwatch(
        "report",
        "brief",
        "-C",
        days.folder,
        "--day",
        days.day(state),
        "--out",
        out,
        "--no-pictures",
        "--as",
        "admin",
    )
    assert done.code == 0, done.err
    page = chromium.context().new_page()
    page.goto(out.as_uri())
    text = page.inner_text("body")
    chromium.close_contexts()
    assert f"当日录像状态：{state.zh}。" in text
    assert ("未发现问题" in text) == (state is DayState.NOTHING_FOUND)


def test_the_coverage_command_and_the_morning_summary_use_the_same_words(days: Days) -> None:
    shown = kerbwatch("coverage", "-C", days.folder, "--days", 5)
    for state in BACK:
        assert f"{state.en} 1" in shown.out
    found = {
        day["day"]: day["state"]
        for day in kerbwatch("coverage", "-C", days.folder, "--days", 5, "--json").json[0]["days"]
    }
    assert found == {days.day(state).isoformat(): state.value for state in BACK}
    told = kerbwatch("morning", "-C", days.folder)
    assert "未发现问题1路" in told.out
    assert "nothing found 1" in told.out
    assert "Recorded 4.0 of 24.0 h" in told.out
    assert "Waiting for review: 0; overdue: 0" in told.out


def test_the_board_counts_hours_and_lists_recordings_to_look_after(days: Days, opens: Opens) -> None:
    page = opens(days.served, Role.REVIEWER, lang="en").page
    page.goto(f"{days.served.url}/today?day={days.day(DayState.IN_PART)}")
    assert "4.0 of 24 h" in page.inner_text("main")
    assert "2.0 of 4.0 h recorded are judged; 2.0 h not scanned" in page.inner_text("#standing")
    page.goto(f"{days.served.url}/today?day={days.day(DayState.NOT_JUDGED)}")
    assert page.inner_text("#faulty h2").split()[-2:] == ["unusable", "1"]
    assert "0 bytes" in page.inner_text("#faulty")
