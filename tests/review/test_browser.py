"""The review page in a real Chromium, by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from made_county import PASSWORD, Chromium, Opens, Served, crowding

from detector.issues import Issue, State
from detector.people import Role
from detector.review.pages import MENU

pytest_plugins = ["review_fixture"]
pytestmark = pytest.mark.timeout(120)


def shown(page: Any) -> str:
    """The issue on the screen, once there is one."""
    return str(page.wait_for_selector("#review[data-shown]").get_attribute("data-shown"))


def wait_for_other(page: Any, issue_id: str) -> None:
    page.wait_for_selector(f"#review:not([data-shown='{issue_id}'])")


def settled(page: Any, served: Served, state: State, number: int) -> None:
    """Until the queue holds so many of a state: decisions are saved behind the reviewer's back."""
    for _ in range(400):
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


def open_review(served: Served, opens: Opens, query: str = "", role: Role = Role.REVIEWER) -> Any:
    page = opens(served, role).page
    page.goto(f"{served.url}/review{query}")
    shown(page)
    return page


def issue_of(served: Served, public_id: str) -> Issue:
    return served.house.desk.queue.by_public_id(public_id)


def wait_for_state(page: Any, served: Served, public_id: str, state: State) -> Issue:
    for _ in range(400):
        issue = issue_of(served, public_id)
        if issue.state is state:
            return issue
        page.wait_for_timeout(50)
    raise AssertionError(f"{issue.state}, not {state}")


def test_undo_brings_the_last_decision_back_onto_the_screen(served: Served, opens: Opens) -> None:
    page = open_review(served, opens)
    first = shown(page)
    page.keyboard.press("2")
    wait_for_other(page, first)
    wait_for_state(page, served, first, State.REJECTED)
    page.keyboard.press("u")
    page.wait_for_selector(f"#review[data-shown='{first}']")
    issue = wait_for_state(page, served, first, State.FLAGGED)
    assert issue.version == 3
    page.keyboard.press("Enter")
    wait_for_state(page, served, first, State.CONFIRMED)


def test_a_rejection_for_another_reason_takes_its_note_in_place(served: Served, opens: Opens) -> None:
    page = open_review(served, opens)
    first = shown(page)
    page.keyboard.press("7")
    page.keyboard.type("1 施工车辆 <b>")
    page.keyboard.press("Enter")
    wait_for_other(page, first)
    issue = wait_for_state(page, served, first, State.REJECTED)
    last = served.house.desk.queue.history(issue.id)[-1]
    assert (last.reason, last.note) == ("other", "1 施工车辆 <b>")


def test_what_is_skipped_comes_back_at_the_end(served: Served, opens: Opens) -> None:
    page = open_review(served, opens, "?point=p003")
    only = shown(page)
    page.keyboard.press("s")
    page.wait_for_selector("#review.finished")
    page.click("#done button")
    assert shown(page) == only
    page.keyboard.press("c")
    page.wait_for_selector("#review.finished")
    assert page.inner_text("#done").split() == ["全部审核完毕", "本次共处理", "1", "件。", "返回队列"]
    wait_for_state(page, served, only, State.CONFIRMED)


def test_look_alikes_of_one_stay_go_with_one_key(served: Served, opens: Opens) -> None:
    last = served.issues[0]
    page = open_review(served, opens, f"?point={last['point']}")
    page.wait_for_selector(".facts:not([hidden]) .alike")
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector("#review.finished")
    settled(page, served, State.CONFIRMED, 3)


def test_a_claim_is_seen_by_others_at_once(served: Served, opens: Opens) -> None:
    """The second reviewer is shown another issue; and when the first decides, the list of the second knows."""
    page = open_review(served, opens)
    first = shown(page)
    for _ in range(400):
        if issue_of(served, first).claimed_by:
            break
        page.wait_for_timeout(20)
    other = open_review(served, opens, role=Role.ADMIN)
    assert shown(other) != first
    queue = opens(served, Role.DISPATCHER).page
    queue.goto(f"{served.url}/queue")
    queue.wait_for_timeout(1000)
    page.keyboard.press("s")  # gives the first back, and takes others in hand
    queue.wait_for_function(
        "(id) => !document.querySelector(`tr[data-issue='${id}'] .claimed`).textContent", arg=first
    )
    second = shown(page)
    queue.wait_for_function(
        "(id) => document.querySelector(`tr[data-issue='${id}'] .claimed`).textContent", arg=second
    )


def test_what_another_decides_leaves_the_screen(served: Served, opens: Opens) -> None:
    page = open_review(served, opens)
    first = shown(page)
    page.wait_for_timeout(1000)
    desk = served.house.desk
    desk.queue.release(issue_of(served, first).id, "reviewer")
    desk.confirm(desk.people.user("admin").actor(), issue_of(served, first).id)
    wait_for_other(page, first)
    assert "admin" in page.inner_text("#toasts")


def test_box_and_zone_can_be_switched_off(served_once: Served, opens: Opens) -> None:
    page = opens(served_once, Role.DISPATCHER).page
    page.goto(f"{served_once.url}/issues/{served_once.issues[4]['id']}")
    shown(page)
    page.wait_for_selector(".sheet:not([hidden]) .zone-mark", state="attached")
    page.keyboard.press("Space")
    page.keyboard.press("v")
    page.keyboard.press("Escape")
    assert page.is_visible(".sheet:not([hidden]) .box-mark")
    page.keyboard.press("b")
    assert not page.is_visible(".sheet:not([hidden]) .box-mark")
    assert not page.is_visible(".sheet:not([hidden]) .zone-mark")
    page.keyboard.press("b")
    assert page.is_visible(".sheet:not([hidden]) .zone-mark")


def test_a_browser_that_died_under_one_test_is_there_for_the_next(
    served_once: Served, chromium: Chromium, opens: Opens
) -> None:
    opens(served_once, Role.ADMIN).page.goto(f"{served_once.url}/queue")
    chromium.context().browser.close()
    assert opens(served_once, Role.ADMIN).page.goto(f"{served_once.url}/queue").status == 200


NEXT_CLIP_MS = 200.0
WATCH = """() => {
  window.times = [];
  const review = document.getElementById("review");
  addEventListener("keydown", (event) => {
    if (event.code !== "Enter") return;
    const began = performance.now(), was = review.dataset.shown;
    const look = () => {
      const video = document.querySelector(".sheet:not([hidden]) video");
      if (!review.dataset.shown || review.dataset.shown === was || !video || video.readyState < 2) return requestAnimationFrame(look);
      video.requestVideoFrameCallback(() => window.times.push(performance.now() - began));
    };
    look();
  }, true);
}"""
"""Measures from the key to the moment at which a picture of the next clip is handed to the screen."""


def test_the_next_clip_is_on_the_screen_within_200_ms(served: Served, opens: Opens) -> None:
    """The middle one of five, and on a machine that others use the best of three fives."""
    page = open_review(served, opens)
    page.evaluate(WATCH)
    middles: list[float] = []
    while len(middles) < 3 and min(middles, default=NEXT_CLIP_MS) >= NEXT_CLIP_MS:
        for _ in range(5):
            page.wait_for_timeout(600)  # nobody decides faster; meanwhile the next one is loaded
            before = page.evaluate("() => window.times.length")
            page.keyboard.press("Enter")
            page.wait_for_function("(n) => window.times.length > n", arg=before)
        middles.append(sorted(page.evaluate("() => window.times.slice(-5)"))[2])
    print("next clip on the screen after ms:", [round(ms) for ms in middles])
    assert min(middles) < NEXT_CLIP_MS * crowding(), middles


SIZES = ((1366, 768), (1024, 768), (768, 1024))
"""An office computer, and a tablet held either way."""

PAGES = (
    "/queue", "/review", "/account", "/issues/{issue}", "/today", "/calendar", "/points/p001?day=2026-01-08", "/points/p035", "/dispatch",
    "/zones/p001", "/spot-checks", "/users", "/log", "/settings",
)  # fmt: skip


def test_every_page_of_the_menu_is_among_those_that_are_looked_at() -> None:
    assert {item.path for item in MENU} <= {page.rsplit("/p001")[0] for page in PAGES}


@pytest.mark.parametrize(("lang", "theme"), [("zh", "light"), ("en", "dark")])
def test_every_page_fits_the_screen(served_once: Served, opens: Opens, lang: str, theme: str) -> None:
    """Nothing runs out to the right, every control has a name, and no page has a fault."""
    page = opens(served_once, Role.ADMIN, lang=lang, theme=theme).page
    issue = served_once.issues[5]["id"]
    for path in PAGES:
        page.goto(served_once.url + path.format(issue=issue))
        page.wait_for_timeout(100)
        assert page.evaluate(NAMELESS) == [], path
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width, (path, width)
            assert page.evaluate(CLIPPED) == [], (path, width)
            assert page.evaluate(MENU_CUT) <= 1, (path, width)


MENU_CUT = "() => { const m = document.querySelector('.menu'); return m.scrollWidth - m.clientWidth; }"
"""By how many pixels the menu is longer than its room."""

CLIPPED = """() => [...document.querySelectorAll(".card")]
  .filter((e) => e.checkVisibility() && !e.querySelector(".table-frame"))
  .filter((card) => [...card.querySelectorAll("*")].some((e) => e.checkVisibility() && !e.closest(".visually-hidden")
    && e.getBoundingClientRect().right > card.getBoundingClientRect().right + 1))
  .map((e) => e.outerHTML.slice(0, 160))"""
"""Cards out of which something sticks to the right."""


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_signing_in_and_the_first_run_fit_the_screen(
    fresh: Served, served_once: Served, opens: Opens, lang: str
) -> None:
    for served, path in ((fresh, "/setup"), (served_once, "/sign-in")):
        page = opens(served, None, lang=lang).page
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(served.url + path)
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width


NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, video, meter, progress")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length || e.getAttribute("aria-hidden") || e.querySelector("img[alt]")))
  .map((e) => e.outerHTML.slice(0, 120))"""
