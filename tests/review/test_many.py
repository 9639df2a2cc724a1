"""Many people at once, over real HTTP: no error, and nobody decides what another has in hand.

In the soak it is fifty people for a minute (KERBWATCH_SOAK=1).
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from made_county import Served, copy_of, make_issues, serve, utc_now

from detector.config.settings import load_settings
from detector.database import Database
from detector.people import Actor, People, Role

pytest_plugins = ["review_fixture"]

SOAK = bool(os.environ.get("KERBWATCH_SOAK"))
PEOPLE, SECONDS, ISSUES = (50, 60.0, 4000) if SOAK else (12, 4.0, 300)
FINE = {200, 409}
"""409: another was faster; the page then goes on to the next issue."""


@pytest.fixture
def busy(county_once: Path, tmp_path: Path) -> Iterator[Served]:
    folder = copy_of(county_once, tmp_path / "county")
    settings = load_settings(folder)
    with Database.open(settings.database_url) as database:
        make_issues(settings, database, ISSUES, evidence=False)
        people, program = People(database, utc_now), Actor("kerbwatch", Role.ADMIN)
        for number in range(PEOPLE):
            people.create(program, f"officer{number}", name=f"officer {number}", role=Role.REVIEWER)
    with serve(folder) as running:
        yield running


@dataclass
class Officer(threading.Thread):
    """Looks at the queue, takes issues in hand and decides them, as fast as the server answers."""

    served: Served
    login: str
    until: float
    answers: Counter[str] = field(default_factory=Counter)
    claimed: list[str] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        people = self.served.house.desk.people
        user = people.user(self.login)
        secret, session = people.open_session(user)
        headers = {"X-CSRF-Token": session.csrf, "Cookie": f"kerbwatch_session={secret}"}
        rng = random.Random(self.login)
        with httpx.Client(base_url=self.served.url, headers=headers, timeout=60) as client:
            while time.monotonic() < self.until:
                self._ask(client, "GET", "/queue")
                deck = self._ask(client, "GET", "/api/v1/deck").json()
                left = [entry for entry in deck["issues"] if entry["id"] not in deck["claims"]]
                begin = rng.randrange(2 * PEOPLE)  # near each other, so that they often reach for the same
                for entry in left[begin : begin + rng.randint(3, 8)]:
                    self._review(client, entry["id"], entry["version"], rng)

    def _review(self, client: httpx.Client, issue: str, version: int, rng: random.Random) -> None:
        path = f"/api/v1/issues/{issue}"
        if self._ask(client, "POST", f"{path}/claim", {}).status_code != 200:
            return
        self.claimed.append(issue)
        self._ask(client, "GET", path)
        move = rng.choice(({"move": "confirm"}, {"move": "reject", "reason": "wrong_object"}))
        if self._ask(client, "POST", f"{path}/moves", {**move, "seen_version": version}).status_code == 200:
            self.decided.append(issue)

    def _ask(self, client: httpx.Client, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            answer = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.faults.append(f"{method} {path}: {error!r}")
            raise
        self.answers[f"{method} {answer.status_code}"] += 1
        if answer.status_code not in FINE:
            self.faults.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer


@pytest.mark.slow
def test_many_people_review_at_once_without_an_error_or_a_double_claim(busy: Served) -> None:
    until = time.monotonic() + SECONDS
    officers = [Officer(busy, f"officer{number}", until) for number in range(PEOPLE)]
    for officer in officers:
        officer.start()
    for officer in officers:
        officer.join(SECONDS + 120)
    assert [fault for officer in officers for fault in officer.faults] == []
    answers = sum((officer.answers for officer in officers), Counter[str]())
    print(f"{PEOPLE} people, {SECONDS:.0f} s: {dict(answers)}")
    claimed = Counter(issue for officer in officers for issue in officer.claimed)
    decided = Counter(issue for officer in officers for issue in officer.decided)
    assert len(decided) >= 5
    assert set(claimed.values()) == {1}  # a claim holds until its holder has decided
    assert set(decided.values()) == {1}
    queue = busy.house.desk.queue
    who = {issue: officer.login for officer in officers for issue in officer.decided}
    for public_id, login in who.items():
        rows = queue.history(queue.by_public_id(public_id).id)
        assert [row.who for row in rows] == ["kerbwatch", login]
    assert queue.verify() == []
