"""How an issue was found: over the API as every role, as a page, and opened on the issue's page in Chromium."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_county import Opens, Served
from made_observations import observed

from detector.people import Role

pytest_plugins = ["review_fixture"]

STAFF = (Role.ADMIN, Role.REVIEWER, Role.DISPATCHER)
NAMES = {"en": "How this was found", "zh": "判定过程"}


def prepared(served: Served) -> tuple[dict[str, Any], Path]:
    """The first issue, and the file with its observations."""
    house, issue = served.house, served.issues[0]
    file = observed(house.settings, house.database, house.desk.queue.get(issue["number"]))
    return issue, Path(house.settings.observations_root) / file


def dispatched(served: Served, issue: dict[str, Any]) -> None:
    """To the department that the fixture's user is of."""
    desk = served.house.desk
    admin = desk.people.user("admin").actor()
    desk.confirm(admin, issue["number"])
    due_at = desk.now() + timedelta(days=1)
    desk.dispatch(admin, [issue["number"]], department="traffic_police", due_at=due_at)


def test_each_role_gets_the_stages_and_only_staff_the_names_of_files(served: Served) -> None:
    issue, _ = prepared(served)
    dispatched(served, issue)
    for role in Role:
        answer = served.signed_in(role).get(f"/api/v1/issues/{issue['id']}/explanation")
        assert answer.status_code == 200, role
        steps = {step["stage"]: step for step in answer.json()["steps"]}
        assert steps["named"]["text"] == {"en": "car 0.80", "zh": "小汽车 0.80"}
        assert steps["stands"]["name"] == {"en": "Stands", "zh": "停留"}
        assert steps["filed"]["passed"] is True
        assert ("made.mp4" in answer.text) == (role in STAFF), role
        shown = served.signed_in(role).get(f"/issues/{issue['id']}/explanation")
        assert shown.status_code == 200
        assert ("made.mp4" in shown.text) == (role in STAFF), role


def test_what_is_no_business_of_a_department_does_not_exist_for_it(served: Served) -> None:
    client, issue = served.signed_in(Role.DEPARTMENT), served.issues[1]
    for path in ("/api/v1/issues/{}/explanation", "/issues/{}/explanation"):
        assert client.get(path.format(issue["id"])).status_code == 404
        assert served.signed_in(Role.ADMIN).get(path.format("nothing")).status_code == 404


def test_a_damaged_file_of_observations_is_told_in_a_sentence(served: Served) -> None:
    issue, path = prepared(served)
    path.write_bytes(b"damaged")
    answer = served.signed_in(Role.REVIEWER).get(f"/api/v1/issues/{issue['id']}/explanation")
    assert answer.status_code == 200
    sampled = next(step for step in answer.json()["steps"] if step["stage"] == "sampled")
    assert sampled["passed"] is None
    assert "cannot be read" in sampled["text"]["en"]
    assert "无法读取" in sampled["text"]["zh"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_section_of_the_issues_page_loads_when_it_is_opened(
    served: Served, opens: Opens, lang: str
) -> None:
    issue, _ = prepared(served)
    page = opens(served, Role.REVIEWER, lang=lang).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.url}/issues/{issue['id']}")
    page.wait_for_selector("#review[data-shown]")
    assert not [url for url in asked if url.endswith("/explanation")]
    bar_y = page.locator(".review-top").bounding_box()["y"]
    page.click(f"summary:has-text('{NAMES[lang]}')")
    page.wait_for_selector(".facts:not([hidden]) .stages li")
    rows = page.locator(".facts:not([hidden]) .stages li").all_inner_texts()
    assert len(rows) == 9
    assert page.locator(".review-top").bounding_box()["y"] == bar_y
    assert ("小汽车 0.80" if lang == "zh" else "car 0.80") in rows[3]
    assert len([url for url in asked if url.endswith("/explanation")]) == 1
    _picture(page, f"issue-{lang}")
    page.click(".found a")
    page.wait_for_selector("main .stages li")
    assert page.inner_text("h1") == NAMES[lang]
    _picture(page, f"page-{lang}")


def _picture(page: Any, name: str) -> None:
    """For whoever wants to look: KERBWATCH_LOOK names a folder."""
    if folder := os.environ.get("KERBWATCH_LOOK"):
        page.screenshot(path=f"{folder}/explanation-{name}.png")
