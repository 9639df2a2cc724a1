"""Accounts, the log and settings, as an administrator has them in the browser and over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from made_county import PASSWORD, Opens, Served, csrf_in

from detector.config.settings import load_settings
from detector.core.values import Violation
from detector.people import Looked, Role

pytest_plugins = ["review_fixture"]
pytestmark = pytest.mark.timeout(120)

SCRIPT = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>"


def test_an_account_is_made_changed_and_closed_in_the_browser(served: Served, opens: Opens) -> None:
    page, people = opens(served, Role.ADMIN).page, served.house.desk.people
    page.goto(f"{served.url}/users")
    page.fill("#new-user input[name=login]", "zhao")
    page.fill("#new-user input[name=name]", SCRIPT)
    page.select_option("#new-user select[name=role]", "reviewer")
    page.fill("#new-user input[name=password]", PASSWORD)
    page.click("#new-user button.main")
    page.wait_for_selector("#u-zhao")
    assert page.inner_text("#u-zhao td:nth-child(2)") == SCRIPT
    page.click("#u-zhao summary")
    page.select_option("#u-zhao select[name=role]", "department")
    page.select_option("#u-zhao select[name=department]", "traffic_police")
    page.click("#u-zhao form:first-child button")
    page.wait_for_selector("#u-zhao td:nth-child(3):has-text('责任部门')")
    assert (people.user("zhao").role, people.user("zhao").department) == (Role.DEPARTMENT, "traffic_police")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#u-zhao summary")
    page.click("#u-zhao button.bad")
    page.wait_for_selector("#u-zhao.closed")
    assert not people.user("zhao").active


def test_no_password_gets_into_an_address_before_the_script_of_its_form_has_run(
    served_once: Served, opens: Opens
) -> None:
    page, held = opens(served_once, Role.ADMIN).page, []
    page.route("**/static/js/forms.js", lambda route: held.extend([route]))
    with page.expect_request("**/static/js/forms.js"):
        page.goto(f"{served_once.url}/users", wait_until="commit")
    page.fill("#new-user input[name=login]", "early")
    page.fill("#new-user input[name=name]", "early")
    page.fill("#new-user input[name=password]", PASSWORD)
    page.press("#new-user input[name=password]", "Enter")
    assert page.is_disabled("#new-user button.main")
    assert page.url == f"{served_once.url}/users"
    held[0].continue_()
    page.wait_for_selector("#new-user button.main:enabled")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"login": "admin", "name": "x", "role": "viewer", "password": PASSWORD}, "already"),
        ({"login": "neu", "name": "x", "role": "viewer", "password": "short"}, "characters"),
        ({"login": "neu", "name": "x", "role": "department", "password": PASSWORD}, "department"),
        ({"login": "neu", "name": "x", "role": "department", "department": "fire", "password": PASSWORD}, "fire"),
        ({"login": "../x", "name": "x", "role": "viewer"}, "login"),
        ({"login": "neu", "name": "x", "role": "king"}, "role"),
    ],
)  # fmt: skip
def test_an_account_that_cannot_be_is_refused_with_its_reason(
    served_once: Served, body: dict[str, str], why: str
) -> None:
    answer = served_once.signed_in(Role.ADMIN).post("/api/v1/users", json=body)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_the_last_administrator_cannot_lock_everybody_out(served_once: Served) -> None:
    client = served_once.signed_in(Role.ADMIN)
    for change in ({"active": False}, {"role": "viewer"}):
        assert client.patch("/api/v1/users/admin", json=change).status_code == 422
    assert client.get("/api/v1/me").json()["role"] == "admin"


def test_a_token_does_not_make_accounts_or_passwords(served_once: Served) -> None:
    program = served_once.with_token(Role.ADMIN)
    account = {"login": "thief", "name": "x", "role": "admin", "password": PASSWORD}
    assert program.post("/api/v1/users", json=account).status_code == 403
    assert program.put("/api/v1/users/viewer/password", json={"password": PASSWORD}).status_code == 403
    assert program.patch("/api/v1/users/viewer", json={"role": "admin"}).status_code == 403
    assert program.put("/api/v1/me/password", json={"old": PASSWORD, "new": "x" * 12}).status_code == 403


def test_a_new_password_ends_every_session_and_the_old_one_is_asked_for(served: Served) -> None:
    client, other = served.signed_in(Role.VIEWER), served.signed_in(Role.VIEWER)
    wrong = client.put("/api/v1/me/password", json={"old": "guess", "new": "another horse 8"})
    assert (wrong.status_code, wrong.json()["error"]) == (422, "wrong_password")
    done = client.put("/api/v1/me/password", json={"old": PASSWORD, "new": "another horse 8"})
    assert done.status_code == 204
    assert [c.get("/api/v1/me").status_code for c in (client, other)] == [401, 401]
    admin = served.signed_in(Role.ADMIN)
    assert admin.put("/api/v1/users/viewer/password", json={"password": PASSWORD}).status_code == 200
    page = served.nobody()
    fields = {"csrf": csrf_in(page.get("/sign-in")), "login": "viewer", "password": PASSWORD}
    assert page.post("/sign-in", data=fields).status_code == 303


def test_the_log_is_read_by_page_and_by_filter(served: Served, opens: Opens) -> None:
    desk = served.house.desk
    viewer = desk.people.user("viewer").actor()
    for number in range(205):
        desk.log.add(viewer, Looked.FOOTAGE, file=f"{SCRIPT}{number}", details={"masked": True})
    client = served.signed_in(Role.ADMIN)
    first = client.get("/api/v1/log", params={"who": "viewer"}).json()
    second = client.get("/api/v1/log", params={"who": "viewer", "before": first["before"]}).json()
    third = client.get("/api/v1/log", params={"who": "viewer", "before": second["before"]}).json()
    found = [row["id"] for part in (first, second, third) for row in part["rows"]]
    assert len(found) == len(set(found)) == 205
    assert third["before"] is None
    tomorrow = (desk.now() + timedelta(days=2)).date().isoformat()
    assert client.get("/api/v1/log", params={"first": tomorrow}).json()["rows"] == []
    assert client.get("/log", params={"what": "nonsense"}).status_code == 422
    page = opens(served, Role.ADMIN).page
    page.goto(f"{served.url}/log?who=viewer")
    assert page.inner_text("tbody tr:first-child td:nth-child(5)") == f"{SCRIPT}204"
    page.click(".pager a")
    page.wait_for_url("**before=**")
    assert page.locator("tbody tr").count() == 100


def test_settings_are_written_into_their_files_and_hold_at_once(served: Served, opens: Opens) -> None:
    folder = served.house.settings.folder
    rules, site = (folder / "rules.yaml", folder / "kerbwatch.yaml")
    before = rules.read_text(encoding="utf-8")
    page = opens(served, Role.ADMIN).page
    page.goto(f"{served.url}/settings")
    page.fill("input[name='illegal_parking.dwell_s']", "240")
    page.uncheck("input[name='litter.enabled']")
    page.click("form[data-file=rules] button.main")
    page.wait_for_function(
        "() => document.querySelector(\"[name='illegal_parking.dwell_s']\").dataset.was === '240'"
    )
    page.fill("input[name=name]", SCRIPT)
    page.click("form[data-file=site] button.main")
    page.wait_for_function("s => document.title.endsWith(s)", arg=SCRIPT)
    after = rules.read_text(encoding="utf-8")
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert changed == [("  dwell_s: 180", "  dwell_s: 240"), ("  enabled: true", "  enabled: false")]
    read = load_settings(folder)
    assert (read.name, read.period_days) == (SCRIPT, 30)
    assert read.rules.rules[Violation.ILLEGAL_PARKING].dwell_s == 240
    assert "# 录像根目录" in site.read_text(encoding="utf-8")
    kept = sorted((read.state_root / "config-history").iterdir())
    assert kept[-1].read_text(encoding="utf-8") == before
    rows = served.house.desk.log.find(what=Looked.SETTINGS)
    assert rows[1].details["before"] == {"illegal_parking.dwell_s": 180, "litter.enabled": True}


@pytest.mark.parametrize(
    ("file", "values", "status"),
    [
        ("rules", {"illegal_parking.dwell_s": -1}, 422),
        ("rules", {"illegal_parking.zones": "road"}, 422),
        ("rules", {"street_vending.by_category.arterial.dwell_s": 5}, 422),
        ("site", {"storage.state": "/"}, 422),
        ("site", {"period_days": 0}, 422),
        ("site", {"name": ""}, 422),
        ("departments", {"x": 1}, 422),
    ],
)
def test_what_is_not_safe_or_not_right_is_not_written(
    served_once: Served, file: str, values: dict[str, object], status: int
) -> None:
    client, folder = served_once.signed_in(Role.ADMIN), served_once.house.settings.folder
    before = [(folder / name).read_bytes() for name in ("rules.yaml", "kerbwatch.yaml")]
    seen = client.get("/api/v1/settings").json()["seen"].get(file, "x")
    assert client.put(f"/api/v1/settings/{file}", json={"seen": seen, "values": values}).status_code == status
    assert [(folder / name).read_bytes() for name in ("rules.yaml", "kerbwatch.yaml")] == before


def test_settings_that_somebody_else_changed_are_not_overwritten(served: Served) -> None:
    client, folder = served.signed_in(Role.ADMIN), served.house.settings.folder
    seen = client.get("/api/v1/settings").json()["seen"]["site"]
    text = (folder / "kerbwatch.yaml").read_text(encoding="utf-8") + "# mine\n"
    (folder / "kerbwatch.yaml").write_text(text, encoding="utf-8")
    answer = client.put("/api/v1/settings/site", json={"seen": seen, "values": {"period_days": 20}})
    assert (answer.status_code, answer.json()["error"]) == (409, "changed_on_disk")
    assert (folder / "kerbwatch.yaml").read_text(encoding="utf-8") == text
