"""How fast somebody can work through a list who decides at once: three hundred issues in less than 300 s.

In `make test` it is a shorter list (KERBWATCH_SOAK=1 for all of it).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_county import Opens, Served, crowding, make_users, serve, write_county

from detector.config.settings import load_settings
from detector.database import Database
from detector.issues import State
from detector.people import Role

pytest_plugins = ["review_fixture"]
pytestmark = pytest.mark.timeout(400)

ISSUES = 300 if os.environ.get("KERBWATCH_SOAK") else 20
SECONDS_EACH = 1.0


@pytest.fixture
def long_list(tmp_path: Path) -> Iterator[Served]:
    folder = write_county(tmp_path / "county", ISSUES)
    with Database.open(load_settings(folder).database_url) as database:
        make_users(database)
    with serve(folder) as running:
        yield running


@pytest.mark.slow
def test_a_long_list_is_reviewed_by_keyboard_in_time(long_list: Served, opens: Opens) -> None:
    """Each decision waits until the clip of the issue has shown a picture, as somebody who looks would."""
    page = opens(long_list, Role.REVIEWER).page
    page.goto(f"{long_list.url}/review")
    began = time.monotonic()
    allowed_s = ISSUES * SECONDS_EACH * crowding()
    for number in range(ISSUES):
        page.wait_for_function(
            """() => {
              const video = document.querySelector(".sheet:not([hidden]) video");
              return document.getElementById("review").dataset.shown && video && video.readyState >= 2;
            }"""
        )
        issue = page.get_attribute("#review", "data-shown")
        page.keyboard.press(("Enter", "1", "Enter", "3")[number % 4])
        page.wait_for_selector(f"#review:not([data-shown='{issue}'])")
    page.wait_for_selector("#review.finished")
    counts = long_list.house.desk.queue.counts("state")
    while counts.get(State.FLAGGED) and time.monotonic() - began < allowed_s:
        page.wait_for_timeout(50)
        counts = long_list.house.desk.queue.counts("state")
    taken_s = time.monotonic() - began
    print(f"{ISSUES} issues in {taken_s:.1f} s, {taken_s / ISSUES:.2f} s each")
    assert counts == {"confirmed": -(-ISSUES // 2), "rejected": ISSUES // 2}
    assert taken_s < allowed_s
    assert long_list.house.desk.queue.verify() == []
