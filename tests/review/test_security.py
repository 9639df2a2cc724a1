"""What somebody tries who means no good: refused, or harmless."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from made_county import PASSWORD, SETUP_CODE, Served, csrf_in, serve

from detector.config.settings import load_settings
from detector.core.values import Image
from detector.database import Database, schema
from detector.evidence import jpeg
from detector.people import Looked, Role
from detector.review.access import FORM_KINDS, SESSION_COOKIE
from detector.review.bodies import LARGEST_BODY
from detector.review.looks import ONE_LOOK_S, Looks
from detector.review.pages import local

pytest_plugins = ["review_fixture", "model_fixture"]

SCRIPT = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{7*7}}"


def sign_in(
    client: httpx.Client, login: str = "reviewer", password: str = PASSWORD, **more: str
) -> httpx.Response:
    fields = {
        "csrf": csrf_in(client.get("/sign-in")),
        "login": login,
        "password": password,
        "back": "/queue",
        **more,
    }
    return client.post("/sign-in", data=fields)


# Signing in


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(served: Served) -> None:
    answer = sign_in(served.nobody())
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
    cookie = SimpleCookie(answer.headers["set-cookie"])[SESSION_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert not cookie["max-age"]
    assert len(cookie.value) >= 40


def test_behind_https_cookies_go_nowhere_else(county: object) -> None:
    with serve(county, secure_cookies=True) as served:
        answer = served.nobody().get("/sign-in")
        assert "secure" in answer.headers["set-cookie"].lower()


def test_signing_in_makes_a_new_session_and_ends_the_old_one(served: Served) -> None:
    client = served.nobody()
    sign_in(client)
    old = client.cookies[SESSION_COOKIE]
    client.cookies.set(SESSION_COOKIE, old)
    page = client.get("/queue")
    answer = client.post("/sign-out", data={"csrf": csrf_in(page)})
    assert answer.headers["location"] == "/sign-in"
    thief = served.nobody()
    thief.cookies.set(SESSION_COOKIE, old)
    assert thief.get("/api/v1/me").status_code == 401


def test_wrong_passwords_must_wait_and_say_nothing_of_who_exists(served: Served) -> None:
    client = served.nobody()
    known = [sign_in(client, password="wrong") for _ in range(2)]
    unknown = sign_in(client, login="nobody-of-that-name", password="wrong")
    assert {answer.status_code for answer in (*known, unknown)} == {401}
    strip = re.compile(r'value="[^"]*"')
    assert strip.sub("", known[0].text) == strip.sub("", unknown.text)
    later = [sign_in(client, password="wrong").status_code for _ in range(6)]
    assert later[-1] == 429
    assert sign_in(client).status_code == 429  # the right one must wait as well


def test_a_session_ends_when_it_was_idle_for_long(served: Served) -> None:
    from sqlalchemy import update

    client = served.signed_in(Role.REVIEWER)
    assert client.get("/api/v1/me").status_code == 200
    settings = load_settings(served.house.settings.folder)
    with Database.open(settings.database_url) as database, database.begin() as connection:
        long_ago = served.house.desk.now() - timedelta(hours=3)
        connection.execute(update(schema.sessions).values(last_seen_at=long_ago))
    assert client.get("/api/v1/me").status_code == 401
    page = client.get("/review?point=p003")
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?back=/review%3Fpoint%3Dp003")


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "",
    ],
)
def test_after_the_sign_in_nobody_is_sent_to_another_site(served_once: Served, path: str) -> None:
    assert local(path) == "/"
    answer = sign_in(served_once.nobody(), back=path)
    assert answer.headers["location"] == "/"


# The first run


def test_the_first_run_makes_one_administrator_and_no_second(fresh: Served) -> None:
    client = fresh.nobody()
    assert client.get("/queue").headers["location"].startswith("/sign-in")
    assert client.get("/sign-in").headers["location"] == "/setup"
    fields = {
        "login": "chief",
        "password": PASSWORD,
        "again": PASSWORD,
        "csrf": csrf_in(client.get("/setup")),
    }
    assert client.post("/setup", data=fields | {"code": "guess"}).status_code == 422
    assert client.post("/setup", data=fields | {"code": SETUP_CODE, "again": "other"}).status_code == 422
    assert (
        client.post("/setup", data=fields | {"code": SETUP_CODE, "password": "x", "again": "x"}).status_code
        == 422
    )
    assert not fresh.house.desk.people.any()
    assert client.post("/setup", data=fields | {"code": SETUP_CODE}).headers["location"] == "/"
    assert client.get("/api/v1/me").json()["role"] == "admin"
    second = fresh.nobody()
    replayed = second.post(
        "/setup",
        data=fields | {"code": SETUP_CODE, "login": "thief", "csrf": csrf_in(second.get("/sign-in"))},
    )
    assert replayed.headers["location"] == "/sign-in"
    assert [user.login for user in fresh.house.desk.people.users()] == ["chief"]


# Forged requests


def test_every_form_and_every_change_wants_its_token(served: Served) -> None:
    issue = served.issues[0]
    client = served.signed_in(Role.ADMIN)
    right = client.headers.pop("X-CSRF-Token")
    forms = (
        "/sign-out",
        "/preferences",
        "/account/password",
        "/account/tokens",
        "/account/tokens/revoke",
        "/sign-in",
        "/setup",
    )
    for path in forms:
        for token in (None, "", "guess", right[:-1]):
            fields = {"label": "x"} | ({} if token is None else {"csrf": token})
            assert client.post(path, data=fields).status_code == 403, (path, token)
    move = f"/api/v1/issues/{issue['id']}/moves"
    body = {"move": "confirm", "seen_version": issue["version"]}
    assert client.post(move, json=body).status_code == 403
    assert client.post(move, json=body, headers={"X-CSRF-Token": "guess"}).status_code == 403
    # a form of another site cannot send JSON, and what it can send is not taken
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post(
            move, content='{"move":"confirm","seen_version":1}', headers={"Content-Type": kind}
        )
        assert answer.status_code in (403, 415, 422), kind
    assert served.house.desk.queue.counts("state") == {"flagged": 30}


def test_a_request_without_a_body_wants_the_token_too_whatever_kind_it_names(served: Served) -> None:
    """A form of another site chooses the kind; where nothing reads the form, nothing looks at its token."""
    issue, client = served.issues[0], served.signed_in(Role.ADMIN)
    client.headers.pop("X-CSRF-Token")
    own = f"/api/v1/issues/{issue['id']}"
    served.signed_in(Role.ADMIN).post(f"{own}/claim", json={})
    for kind in FORM_KINDS:
        for method, path in (
            ("POST", f"{own}/release"),
            ("POST", "/api/v1/users/admin/unlock"),
            ("DELETE", "/api/v1/tokens/kw_x"),
            ("DELETE", "/api/v1/spot-checks/none"),
        ):
            answer = client.request(method, path, headers={"Content-Type": kind})
            assert (answer.status_code, answer.json()["error"]) == (403, "forged"), (path, kind)
    assert served.house.reader.claims()


def test_a_request_that_comes_from_another_site_is_refused_even_with_the_token(served: Served) -> None:
    client = served.signed_in(Role.ADMIN)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert client.post("/api/v1/tokens", json={"label": "x"}, headers=headers).status_code == 403
        form = {"csrf": client.headers["X-CSRF-Token"], "label": "x"}
        assert client.post("/account/tokens", data=form, headers=headers).status_code == 403


def test_a_replayed_decision_changes_nothing(served: Served) -> None:
    issue, client = served.issues[0], served.signed_in(Role.REVIEWER)
    body = {"move": "reject", "reason": "wrong_object", "seen_version": issue["version"]}
    path = f"/api/v1/issues/{issue['id']}/moves"
    assert client.post(path, json=body).status_code == 200
    assert client.post(path, json=body).status_code == 409
    undone = client.post(f"/api/v1/issues/{issue['id']}/undo", json={"seen_version": 2})
    assert undone.status_code == 200
    assert client.post(path, json=body).status_code == 409  # it is flagged again, and yet not what was seen
    assert served.house.desk.queue.get(issue["number"]).version == 3


def test_whatever_is_sent_twice_is_done_once(served: Served) -> None:
    """Every change names what it was made on: a version, a text of a file, or a name that is taken then."""
    desk, admin = served.house.desk, served.signed_in(Role.ADMIN)
    issue = served.issues[0]
    desk.confirm(desk.people.user("admin").actor(), issue["number"])

    def version() -> int:
        return desk.queue.get(issue["number"]).version

    def twice(method: str, path: str, second: int, **sent: Any) -> None:
        answers = [admin.request(method, path, **sent) for _ in range(2)]
        assert answers[0].status_code in (200, 201), (path, answers[0].text)
        assert answers[1].status_code == second, (path, answers[1].text)

    own = f"/api/v1/issues/{issue['id']}"
    seen = [{"id": issue["id"], "seen_version": version()}]
    twice("POST", "/api/v1/dispatch", 409, json={"issues": seen, "department": "traffic_police"})
    recalled = {"seen_version": version(), "reason": SCRIPT}
    twice("POST", f"{own}/recall", 409, json=recalled)
    seen = [{"id": issue["id"], "seen_version": version()}]
    twice(
        "POST", "/api/v1/dispatch", 409, json={"issues": seen, "department": "traffic_police", "note": SCRIPT}
    )
    answer = {"text": SCRIPT, "seen_version": str(version())}
    twice("POST", f"/api/v1/answers/{issue['id']}", 409, data=answer)
    twice("POST", f"{own}/reopen", 409, json={"seen_version": version(), "reason": SCRIPT})
    twice("POST", f"/api/v1/answers/{issue['id']}", 409, data=answer | {"seen_version": str(version())})
    board = admin.get("/dispatch").text
    assert "<script>alert" not in board
    assert "&lt;script&gt;alert" in board
    twice("POST", f"{own}/accept", 409, json={"seen_version": version(), "note": SCRIPT})
    zones = admin.get("/api/v1/cameras/p001/zones").json()
    zones["zones"][0]["permitted"] = ["01:00-02:00"]
    changed = {"seen": zones["seen"], "zones": zones["zones"]}
    twice("PUT", "/api/v1/cameras/p001/zones", 409, json=changed)
    texts = admin.get("/api/v1/settings").json()["seen"]
    twice("PUT", "/api/v1/settings/site", 409, json={"seen": texts["site"], "values": {"period_days": 20}})
    twice("POST", "/api/v1/users", 422, json={"login": "neu", "name": SCRIPT, "role": "viewer"})
    assert desk.queue.verify() == []


@pytest.mark.parametrize("secret", ["kw_", "kw_" + "A" * 43, "x" * 5000, "ÿþ", "null", "' OR 1=1 --"])
def test_a_forged_token_opens_nothing(served_once: Served, secret: str) -> None:
    client = served_once.nobody()
    header = f"Bearer {secret}".encode("latin-1")
    assert client.get("/api/v1/me", headers=[(b"Authorization", header)]).status_code == 401
    raw = f"{SESSION_COOKIE}={secret}".encode("latin-1")
    assert client.get("/api/v1/me", headers=[(b"Cookie", raw)]).status_code == 401


def test_a_wrong_token_is_not_made_good_by_a_session(served_once: Served) -> None:
    client = served_once.signed_in(Role.ADMIN)
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer kw_wrong"}).status_code == 401


def test_a_token_cannot_make_tokens(served: Served) -> None:
    asked = {"label": "x", "days": 1, "password": PASSWORD}
    assert served.with_token(Role.ADMIN).post("/api/v1/tokens", json=asked).status_code == 403
    made = served.signed_in(Role.ADMIN).post("/api/v1/tokens", json=asked)
    assert made.status_code == 201
    program = served.nobody()
    program.headers["Authorization"] = f"Bearer {made.json()['secret']}"
    assert program.get("/api/v1/me").json()["login"] == "admin"
    served.signed_in(Role.ADMIN).delete(f"/api/v1/tokens/{made.json()['prefix']}")
    assert program.get("/api/v1/me").status_code == 401


def test_a_session_alone_makes_no_token(served: Served) -> None:
    client = served.signed_in(Role.REVIEWER)
    form = {"csrf": client.headers["X-CSRF-Token"], "label": "x", "days": "365"}
    assert client.post("/account/tokens", data=form).status_code == 422
    assert client.post("/account/tokens", data=form | {"password": "guess"}).status_code == 422
    assert client.post("/api/v1/tokens", json={"label": "x"}).status_code == 422
    wrong = client.post("/api/v1/tokens", json={"label": "x", "password": "guess"})
    assert (wrong.status_code, wrong.json()["error"]) == (422, "wrong_password")
    assert client.get("/api/v1/tokens").json() == []
    assert "kw_" in client.post("/account/tokens", data=form | {"password": PASSWORD}).text
    (token,) = client.get("/api/v1/tokens").json()
    days = datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(token["created_at"])
    assert round(days.total_seconds() / 86_400) == 365


def test_an_administrator_sees_and_ends_the_tokens_of_others_but_not_by_a_token(served: Served) -> None:
    asked = {"label": "ledger", "password": PASSWORD}
    secret = served.signed_in(Role.REVIEWER).post("/api/v1/tokens", json=asked).json()["secret"]
    program = served.nobody()
    program.headers["Authorization"] = f"Bearer {secret}"
    admin, path = served.signed_in(Role.ADMIN), "/api/v1/users/reviewer/tokens"
    (token,) = admin.get(path).json()
    assert f"DELETE {path}/{token['prefix']}" in admin.get("/users").text
    assert served.with_token(Role.ADMIN).delete(f"{path}/{token['prefix']}").status_code == 403
    assert served.signed_in(Role.REVIEWER).get(path).status_code == 403
    assert program.get("/api/v1/me").status_code == 200
    assert admin.delete(f"{path}/{token['prefix']}").status_code == 204
    assert program.get("/api/v1/me").status_code == 401
    assert admin.delete(f"{path}/{token['prefix']}").status_code == 404


# Files


TRICKS = (
    "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/kerbwatch.yaml", "....//....//etc/passwd",
    "..\\..\\kerbwatch.yaml", "/etc/passwd", "%00", "clip.mp4%00.jpg", "con", "clip.mp4/",
)  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_out_of_an_issues_own_evidence(served_once: Served, trick: str) -> None:
    issue = served_once.issues[0]
    client = served_once.signed_in(Role.ADMIN)
    folder = issue["thumb"].split("/")[-2]
    for path in (
        f"/evidence/{issue['id']}/{folder}/{trick}", f"/evidence/{issue['id']}/{trick}/clip.mp4",
        f"/evidence/{trick}/{folder}/clip.mp4", f"/evidence/{trick}", f"/static/{trick}", f"/{trick}",
    ):  # fmt: skip
        answer = client.get(httpx.URL(served_once.url + path.replace("?", "%3f")))
        assert answer.status_code in (404, 405), (path, answer.status_code)
        assert b"root:" not in answer.content


def test_a_file_of_one_issue_is_not_served_under_another(served_once: Served) -> None:
    mine, other = served_once.issues[:2]
    client = served_once.signed_in(Role.ADMIN)
    assert client.get(mine["thumb"]).status_code == 200
    assert client.get(mine["thumb"].replace(mine["id"], other["id"])).status_code == 404


def test_ids_cannot_be_guessed(served_once: Served) -> None:
    ids = [issue["id"] for issue in served_once.issues]
    assert all(len(one) >= 22 for one in ids)
    client = served_once.signed_in(Role.ADMIN)
    for guess in ("1", "0", "-1", ids[0][:-1], ids[0] + "A", ids[0].swapcase()):
        assert client.get(f"/api/v1/issues/{guess}").status_code == 404


def test_every_look_at_footage_is_logged_once(served: Served) -> None:
    issue, client = served.issues[0], served.signed_in(Role.REVIEWER)
    clip = client.get(f"/api/v1/issues/{issue['id']}").json()["clip"]["plain"]
    whole = client.get(clip)
    part = client.get(clip, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    client.get(issue["thumb"])
    rows = list(served.house.desk.log.find(what=Looked.FOOTAGE))
    assert [(row.who, row.issue_id, row.file) for row in rows] == [
        ("reviewer", issue["number"], "clip_plain.mp4")
    ]
    served.signed_in(Role.ADMIN).get(issue["thumb"])
    assert len(served.house.desk.log.find(what=Looked.FOOTAGE)) == 2


def test_a_look_is_logged_before_anybody_is_shown_the_picture(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ask for the same at the same time, and the first one's row is slow."""
    house, issue = served.house, served.house.desk.queue.get(served.issues[0]["number"])
    actor = house.desk.people.user("reviewer").actor()
    real, began = house.desk.look, threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        began.set()
        time.sleep(0.3)
        return real(*args, **kwargs)

    looks = Looks(house.desk)
    monkeypatch.setattr(type(house.desk), "look", lambda _, *args, **kwargs: slow(*args, **kwargs))
    first = threading.Thread(target=looks.tell, args=(actor, issue, "clip.mp4"))
    first.start()
    assert began.wait(5)
    looks.tell(actor, issue, "clip.mp4")
    assert len(house.desk.log.find(what=Looked.FOOTAGE)) == 1
    first.join()


def test_a_clock_that_is_set_back_leaves_no_look_unlogged(served: Served) -> None:
    house, issue = served.house, served.house.desk.queue.get(served.issues[0]["number"])
    actor, at = house.desk.people.user("reviewer").actor(), [0.0]
    looks = Looks(house.desk, lambda: at[0])
    for seconds in (0.0, ONE_LOOK_S - 1, ONE_LOOK_S + 1):
        at[0] = seconds
        looks.tell(actor, issue, "clip.mp4")
    assert len(house.desk.log.find(what=Looked.FOOTAGE)) == 2


def test_a_department_reads_what_is_said_to_it_and_no_note_of_the_review(served: Served) -> None:
    desk, issue = served.house.desk, served.issues[0]
    admin = desk.people.user("admin").actor()
    desk.confirm(admin, issue["number"], note="the owner is known to us")
    desk.dispatch(
        admin,
        [issue["number"]],
        department="traffic_police",
        due_at=desk.now() + timedelta(days=1),
        note="urgent",
    )
    path = f"/api/v1/issues/{issue['id']}"
    told = {role: served.signed_in(role).get(path).text for role in (Role.DEPARTMENT, Role.REVIEWER)}
    assert "the owner is known to us" in told[Role.REVIEWER]
    assert "the owner is known to us" not in told[Role.DEPARTMENT]
    assert "urgent" in told[Role.DEPARTMENT]


def test_a_viewer_sees_stills_with_people_blurred_and_no_clip(served: Served, bus: Image) -> None:
    """The picture has people in it; whoever may see them gets the file as it is."""
    issue, house = served.issues[0], served.house
    still = house.evidence_root / house.desk.queue.get(issue["number"]).evidence_folder / "still_1_scene.jpg"
    still.unlink()
    still.write_bytes(jpeg(bus))
    path = issue["thumb"].replace("closeup", "scene")
    reviewer, viewer = served.signed_in(Role.REVIEWER), served.signed_in(Role.VIEWER)
    assert reviewer.get(path).content == still.read_bytes()
    answer = viewer.get(path)
    assert answer.status_code == 200, answer.text
    blurred = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    person = (slice(440, 860), slice(70, 220))
    assert (
        cv2.Laplacian(blurred[person], cv2.CV_64F).var() < 0.1 * cv2.Laplacian(bus[person], cv2.CV_64F).var()
    )
    detail = reviewer.get(f"/api/v1/issues/{issue['id']}").json()
    for file in detail["clip"].values():
        assert viewer.get(file).status_code == 403
    assert viewer.get(f"/api/v1/issues/{issue['id']}").json()["clip"] is None
    looks = house.desk.log.find(who="viewer", what=Looked.FOOTAGE)
    assert [row.details for row in looks] == [{"masked": True}]


def test_nothing_of_footage_is_kept_by_a_browser_or_a_proxy(served_once: Served) -> None:
    client = served_once.signed_in(Role.REVIEWER)
    for path in ("/queue", "/api/v1/issues", served_once.issues[0]["thumb"]):
        assert "no-store" in client.get(path).headers["cache-control"]


# What stands around every answer


@pytest.mark.parametrize(
    "path", ["/sign-in", "/queue", "/nothing-here", "/static/css/base.css", "/api/v1/me", "/evidence/x/y/z"]
)
def test_every_answer_carries_the_security_headers(served_once: Served, path: str) -> None:
    for client in (served_once.nobody(), served_once.signed_in(Role.ADMIN)):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


def test_pages_hold_no_inline_script_and_no_inline_style(served_once: Served) -> None:
    client = served_once.signed_in(Role.ADMIN)
    for path in ("/queue", "/review", "/account", "/nothing", f"/issues/{served_once.issues[0]['id']}"):
        text = client.get(path).text
        assert (
            re.findall(r"<script(?! type=\"(?:module\" src=\"/static/|application/json\"))[^>]*>", text) == []
        )
        assert re.findall(r"\sstyle=|<style|\son[a-z]+=|javascript:|https?://", text) == []


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/moves", "/account/tokens"])
def test_a_body_that_is_too_large_is_not_read(served_once: Served, path: str) -> None:
    client = served_once.signed_in(Role.ADMIN)
    body = b"x" * (LARGEST_BODY + 1)
    assert client.post(path, content=body, headers={"Content-Type": "application/json"}).status_code == 413

    def pieces() -> Iterator[bytes]:  # without a declared length
        for _ in range(30):
            yield b"x" * (LARGEST_BODY // 20)

    try:
        status = client.post(path, content=pieces(), headers={"Content-Type": "application/json"}).status_code
    except httpx.TransportError:
        status = 413  # cut off
    assert status in (400, 413, 415, 422)


def test_scripts_in_every_text_field_stay_text(served: Served) -> None:
    """Wherever a text comes back, it comes back escaped."""
    issue, client = served.issues[0], served.signed_in(Role.REVIEWER)
    token = client.headers["X-CSRF-Token"]
    pages = [
        served.nobody().get("/sign-in", params={"back": SCRIPT}),
        sign_in(served.nobody(), login=SCRIPT),
        client.get("/queue", params={"point": SCRIPT}),
        client.get("/queue", params={"order": SCRIPT, "page": SCRIPT}),
        client.get("/review", params={"first": SCRIPT}),
        client.get("/review", params={"point": SCRIPT}),
        client.get(f"/{SCRIPT}"),
        client.post("/account/tokens", data={"csrf": token, "label": SCRIPT, "password": PASSWORD}),
        client.get("/account"),
        client.post("/preferences", data={"csrf": token, "lang": SCRIPT, "theme": SCRIPT, "back": SCRIPT}),
    ]
    note = {"move": "reject", "reason": "other", "note": SCRIPT, "seen_version": issue["version"]}
    assert client.post(f"/api/v1/issues/{issue['id']}/moves", json=note).status_code == 200
    pages.append(client.get(f"/issues/{issue['id']}"))
    for page in pages:
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert (
            "49" not in re.sub(r"[^{}49]|\d{3,}", "", page.text)
            or "{{7*7}}" in page.text
            or "7*7" not in page.text
        )
    history = client.get(f"/api/v1/issues/{issue['id']}").json()["history"]
    assert history[-1]["note"] == SCRIPT  # as text, which a page's script shows as text


def test_a_method_that_is_not_there_is_told_so(served_once: Served) -> None:
    client = served_once.signed_in(Role.ADMIN)
    answer = client.delete("/api/v1/issues")
    assert (answer.status_code, answer.json()["error"], answer.headers["allow"]) == (
        405,
        "no_such_method",
        "GET",
    )
    assert client.get("/api/v1/nothing").json()["error"] == "not_found"


def test_what_fails_inside_is_not_shown(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("detector.review.routes.queue.page_filters", fail)
    answer = served.signed_in(Role.ADMIN).get("/queue")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers
