"""What happens is told to open pages as it happens, to those whose business it is."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from made_county import Served

from detector.database import DatabaseBusy
from detector.people import Role
from detector.review.access import SESSION_COOKIE

pytest_plugins = ["review_fixture"]

SOON_S = 20.0


class Ear(threading.Thread):
    """Listens to /api/v1/events until it is closed."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.listening = threading.Event()
        self.start()
        assert self.listening.wait(SOON_S)

    def run(self) -> None:
        kind = ""
        try:
            with self.client.stream("GET", "/api/v1/events", timeout=30) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                for line in answer.iter_lines():
                    if line.startswith(":"):
                        time.sleep(0.3)  # until the server has taken note of where it begins
                        self.listening.set()
                    elif line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        self.heard.append((kind, json.loads(line.removeprefix("data: "))))
        except httpx.TransportError:
            return  # the test is over

    def wait_for(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        until = time.monotonic() + SOON_S
        while len(self.heard) < number and time.monotonic() < until:
            time.sleep(0.02)
        return self.heard


def test_claims_and_moves_are_heard_whoever_makes_them(served: Served) -> None:
    issue = served.issues[0]
    ear = Ear(served.signed_in(Role.VIEWER))
    client = served.signed_in(Role.REVIEWER)
    client.post(f"/api/v1/issues/{issue['id']}/claim", json={})
    ear.wait_for(1)
    client.post(f"/api/v1/issues/{issue['id']}/release")
    ear.wait_for(2)
    desk = served.house.desk  # as the command line would
    desk.confirm(desk.people.user("admin").actor(), issue["number"])
    heard = ear.wait_for(3)
    assert [kind for kind, _ in heard] == ["claim", "release", "moved"]
    assert heard[0][1] == {"id": issue["id"], "number": issue["number"], "who": "reviewer"}
    assert heard[2][1] == {
        "id": issue["id"], "number": issue["number"], "move": "confirm", "state": "confirmed", "version": 2, "who": "admin",
    }  # fmt: skip


def test_a_department_hears_of_its_own_issues_only(served: Served) -> None:
    mine, other = served.issues[:2]
    desk = served.house.desk
    admin = desk.people.user("admin").actor()
    desk.confirm(admin, mine["number"])
    ear = Ear(served.signed_in(Role.DEPARTMENT))
    desk.confirm(admin, other["number"])
    desk.dispatch(admin, [mine["number"]], department="traffic_police", due_at=desk.now() + timedelta(days=1))
    heard = ear.wait_for(1)
    time.sleep(1)
    assert [(data["number"], data["move"]) for _, data in heard] == [(mine["number"], "dispatch")]


def test_a_server_stops_although_pages_listen(served: Served) -> None:
    Ear(served.signed_in(Role.VIEWER))
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 20  # 3 s of grace, on a machine that others use


def test_a_stream_ends_with_its_session_its_token_and_its_account(served: Served) -> None:
    people = served.house.desk.people
    admin = people.user("admin").actor()
    leaving, closed, token = (
        served.signed_in(Role.VIEWER), served.signed_in(Role.REVIEWER), served.with_token(Role.DISPATCHER),
    )  # fmt: skip
    ears = [Ear(client) for client in (leaving, closed, token)]
    staying = Ear(served.signed_in(Role.ADMIN))
    people.close_session(leaving.cookies[SESSION_COOKIE])
    people.set_active(admin, "reviewer", active=False)
    (issued,) = people.tokens("dispatcher")
    people.revoke_token(admin, "dispatcher", issued.prefix)
    for ear in ears:
        ear.join(SOON_S)
        assert not ear.is_alive()
    assert staying.is_alive()


def test_live_events_go_on_after_the_database_was_busy(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.review.events.AGAIN_AFTER_S", 0.2)
    issue, desk = served.issues[0], served.house.desk
    ear = Ear(served.signed_in(Role.VIEWER))
    real, failures = served.house.hub._news, []

    def busy() -> Any:
        if len(failures) < 3:
            failures.append(1)
            raise DatabaseBusy("the database is busy")
        return real()

    monkeypatch.setattr(served.house.hub, "_news", busy)
    desk.confirm(desk.people.user("admin").actor(), issue["number"])
    assert [kind for kind, _ in ear.wait_for(1)] == ["moved"]
    assert len(failures) == 3
