"""The review page in a real Chromium, by keyboard."""

from __future__ import annotations

from typing import Any

from made_county import PASSWORD, Opens, Served

from detector.issues import State

pytest_plugins = ["review_fixture"]


def shown(page: Any) -> str:
    """The issue on the screen, once there is one."""
    return str(page.wait_for_selector("#review[data-shown]").get_attribute("data-shown"))


def wait_for_other(page: Any, issue_id: str) -> None:
    page.wait_for_selector(f"#review:not([data-shown='{issue_id}'])")


def settled(page: Any, served: Served, state: State, number: int) -> None:
    """Until the queue holds so many of a state: decisions are saved behind the reviewer's back."""
    for _ in range(100):
        if served.house.desk.queue.counts("state").get(state, 0) == number:
            return
        page.wait_for_timeout(50)
    raise AssertionError(served.house.desk.queue.counts("state"))


def test_twenty_issues_are_reviewed_by_keyboard_alone(served: Served, opens: Opens) -> None:
    """From the sign-in to the last decision no mouse is touched; the clip plays; nothing goes wrong on the way."""
    page = opens(served, None).page
    page.goto(f"{served.url}/review")
    page.keyboard.type("reviewer")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    shown(page)
    page.wait_for_function("() => document.querySelector('.sheet:not([hidden]) video').currentTime > 0.3")
    before = page.evaluate("() => document.querySelector('.sheet:not([hidden]) video').currentTime")
    page.wait_for_timeout(200)
    after = page.evaluate("() => document.querySelector('.sheet:not([hidden]) video').currentTime")
    assert after != before
    for number in range(20):
        issue = shown(page)
        page.keyboard.press("Enter" if number % 2 else str(1 + number % 6))
        wait_for_other(page, issue)
    settled(page, served, State.FLAGGED, 10)
    assert served.house.desk.queue.counts("state") == {"confirmed": 10, "rejected": 10, "flagged": 10}
    assert served.house.desk.queue.verify() == []
