"""Zones drawn, and the loop gone round, in a real Chromium."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made_county import DEPARTMENT, Opens, Served, street

from detector.config.editing import point_file
from detector.config.settings import load_settings
from detector.evidence.drawing import jpeg
from detector.issues import State
from detector.people import Role

pytest_plugins = ["review_fixture"]
pytestmark = pytest.mark.timeout(120)

POINT_OF_ANOTHER = """() => {
  const frame = document.getElementById("drawing").getBoundingClientRect();
  for (let y = frame.top + 3; y < Math.min(frame.bottom, innerHeight); y += 7)
    for (let x = frame.left + 3; x < frame.right; x += 7) {
      const zone = document.elementFromPoint(x, y)?.dataset.zone;
      if (zone !== undefined && zone !== "0") return [x, y, Number(zone)];
    }
}"""


def test_a_zone_is_drawn_by_mouse_moved_by_keyboard_and_saved(served: Served, opens: Opens) -> None:
    page = opens(served, Role.ADMIN).page
    page.goto(f"{served.url}/zones/p001")
    page.wait_for_selector("#drawing polygon")
    page.keyboard.press("n")
    frame = page.locator("#drawing").bounding_box()
    for x, y in ((0.1, 0.1), (0.3, 0.1), (0.3, 0.2)):
        page.mouse.click(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
    page.keyboard.press("Enter")
    page.fill("#zone-id", "new-strip")
    page.fill("#zone-permitted", "18:00-23:30")
    page.locator(".corner").first.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.click("#try")
    page.wait_for_selector("#tried:not([hidden])")
    page.click("#save")
    page.wait_for_function("() => document.getElementById('unsaved').textContent === ''")
    kept = point_file(served.house.settings, "p001")
    assert "kind: no_parking  # 禁停区" in kept.text
    zone = load_settings(served.house.settings.folder).point("p001").cameras[0].zones[-1]
    assert (zone.id, str(zone.permitted[0])) == ("new-strip", "18:00-23:30")
    assert zone.polygon[0] == pytest.approx((0.1 + 10 / 960, 0.1), abs=2 / 540)


def test_what_is_typed_stays_with_its_zone_when_another_is_picked_in_the_picture(
    served: Served, opens: Opens
) -> None:
    page = opens(served, Role.ADMIN).page
    page.goto(f"{served.url}/zones/p001")
    page.wait_for_selector("#drawing polygon")
    page.locator("#list button").first.click()
    before = page.locator("#list button").all_inner_texts()
    page.fill("#zone-id", "renamed")
    x, y, other = page.evaluate(POINT_OF_ANOTHER)
    page.mouse.click(x, y)
    page.wait_for_function(f"() => document.querySelectorAll('#list button')[{other}].ariaPressed === 'true'")
    page.wait_for_function("() => document.querySelector('#list button').innerText.startsWith('renamed')")
    assert page.locator("#list button").all_inner_texts()[1:] == before[1:]
    assert before[other].split()[0] == page.input_value("#zone-id")


def test_a_file_that_somebody_else_changed_is_not_overwritten(served: Served) -> None:
    client, path = served.signed_in(Role.ADMIN), "/api/v1/cameras/p002/zones"
    found = client.get(path).json()
    kept = point_file(served.house.settings, "p002")
    kept.path.write_text(kept.text + "# mine\n", encoding="utf-8")
    answer = client.put(path, json={"seen": found["seen"], "zones": found["zones"]})
    assert (answer.status_code, answer.json()["error"]) == (409, "changed_on_disk")
    assert kept.path.read_text(encoding="utf-8") == kept.text + "# mine\n"


def test_every_fault_of_zones_is_told_and_nothing_is_written(served: Served) -> None:
    client, path = served.signed_in(Role.ADMIN), "/api/v1/cameras/p003/zones"
    found = client.get(path).json()
    kept = point_file(served.house.settings, "p003").text
    found["zones"][0]["polygon"] = [[0, 0]]
    found["zones"][1]["permitted"] = ["<script>"]
    answer = client.put(path, json={"seen": found["seen"], "zones": found["zones"]})
    assert answer.status_code == 422
    assert len(answer.json()["detail"].splitlines()) == 2
    assert point_file(served.house.settings, "p003").text == kept


def test_issues_are_dispatched_answered_with_a_photo_and_accepted(
    served: Served, opens: Opens, tmp_path: Path
) -> None:
    desk = served.house.desk
    admin = desk.people.user("admin").actor()
    number = desk.queue.find(limit=1)[0].id
    desk.confirm(admin, number)
    photo = tmp_path / "after.jpg"
    photo.write_bytes(jpeg(street(1)))
    page = opens(served, Role.DISPATCHER).page
    page.goto(f"{served.url}/dispatch")
    page.check("input[name=issue]")
    page.select_option("#dispatch-form select", DEPARTMENT)
    page.click("#dispatch-form button")
    _until(desk, number, State.DISPATCHED)
    theirs = opens(served, Role.DEPARTMENT).page
    theirs.goto(f"{served.url}/dispatch")
    theirs.click(f"#i{number} summary")
    theirs.fill(f"#i{number} textarea", "<b>已劝离</b>")
    theirs.set_input_files(f"#i{number} input[type=file]", str(photo))
    theirs.click(f"#i{number} form button.main")
    _until(desk, number, State.RECTIFIED)
    page.goto(f"{served.url}/dispatch")
    assert page.inner_text(f"#i{number} .said") == "<b>已劝离</b>"
    after = f"#i{number} figure:nth-child(2) img"
    page.locator(after).scroll_into_view_if_needed()
    page.wait_for_function("s => document.querySelector(s)?.naturalWidth > 0", arg=after)
    page.click(f"#i{number} button.good")
    _until(desk, number, State.CLOSED)
    assert desk.queue.verify() == []


def test_a_year_that_the_calendar_lacks_is_told_to_whoever_dispatches(served: Served) -> None:
    served.house.desk.now = lambda: datetime(2031, 3, 1, tzinfo=UTC)
    assert (
        "calendar.yaml has no holidays of 2031"
        in served.signed_in(Role.DISPATCHER).get("/dispatch", headers={"Accept-Language": "en"}).text
    )
    assert 'id="lacking"' not in served.signed_in(Role.VIEWER).get("/dispatch").text


def _until(desk: Any, number: int, state: State) -> None:
    for _ in range(1000):
        if desk.queue.get(number).state is state:
            return
        time.sleep(0.02)
    raise AssertionError(desk.queue.get(number).state)


def test_an_answer_needs_the_token_in_its_header_and_a_picture_that_is_one(served: Served) -> None:
    desk = served.house.desk
    admin = desk.people.user("admin").actor()
    issue = desk.confirm(admin, desk.queue.find(limit=1)[0].id)
    due = desk.now() + timedelta(days=1)
    desk.dispatch(admin, [issue.id], department=DEPARTMENT, due_at=due)
    client, path = served.signed_in(Role.DEPARTMENT), f"/api/v1/answers/{issue.public_id}"
    fields = {"text": "done", "seen_version": str(desk.queue.get(issue.id).version)}
    false = client.post(path, data=fields, files={"files": ("a.jpg", b"<script>alert(1)</script>")})
    assert (false.status_code, false.json()["error"]) == (422, "bad_input")
    del client.headers["X-CSRF-Token"]
    forged = client.post(path, data=fields, files={"files": ("a.jpg", b"\xff\xd8\xff")})
    assert (forged.status_code, forged.json()["error"]) == (403, "forged")
    assert desk.queue.get(issue.id).state is State.DISPATCHED
