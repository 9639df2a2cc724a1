"""The API keeps to its own description, whatever it is sent and whoever sends it."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from made_county import Served
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from detector.people import Role
from detector.review.access import CSRF_HEADER, SESSION_COOKIE
from detector.review.app import create_inner

pytest_plugins = ["review_fixture"]

EXAMPLES = 40 if os.environ.get("KERBWATCH_SOAK") else 3
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
ENDLESS = "/api/v1/events"
"""A stream of events never ends; `test_events` looks at it."""
SPARE = "spare"
"""An account that may be closed."""


@pytest.mark.slow
def test_whatever_is_sent_by_whomever_the_answer_is_as_described(served: Served) -> None:
    """No 5xx, no status and no body that the OpenAPI document does not tell of; every case is sent as every role."""
    people = served.house.desk.people
    people.create(people.user("admin").actor(), SPARE, name="Spare", role=Role.VIEWER)
    schema = schemathesis.openapi.from_dict(create_inner(served.house).openapi())
    schema.config.update(base_url=served.url)
    senders = {str(role): _sender(served, role) for role in (None, *Role)}
    known = {
        "public_id": served.issues[0]["id"],
        "camera_id": "p001",
        "point_id": "p001",
        "login": SPARE,
        "day": "2026-01-08",
    }
    answers: Counter[str] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path != ENDLESS:
            _try(operation, senders, known, answers)
    print(f"{sum(answers.values())} answers: {dict(sorted(answers.items()))}")
    assert answers["2xx"] > 80
    assert answers["4xx"] > 300


def _sender(served: Served, role: Role | None) -> dict[str, str]:
    """The headers of a browser in which the role's user is signed in."""
    if role is None:
        return {}
    client = served.signed_in(role)
    return {
        "Cookie": f"{SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}",
        CSRF_HEADER: client.headers[CSRF_HEADER],
    }


def _try(
    operation: Any, senders: dict[str, dict[str, str]], known: dict[str, str], answers: Counter[str]
) -> None:
    turn = itertools.count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        if next(turn) % 2:  # every other time, of things that are there
            for name in known.keys() & (case.path_parameters or {}).keys():
                case.path_parameters[name] = known[name]
        for headers in senders.values():
            answer = case.call_and_validate(headers=headers, checks=CHECKS)
            answers[f"{answer.status_code // 100}xx"] += 1

    send()


def test_the_document_names_every_operation_and_what_may_refuse_it(served_once: Served) -> None:
    document = served_once.signed_in(Role.VIEWER).get("/api/v1/openapi.json").json()
    operations = {
        f"{method} {path}": o for path, methods in document["paths"].items() for method, o in methods.items()
    }
    assert len(operations) >= 15
    for name, operation in operations.items():
        assert name.split(" ")[1].startswith("/api/v1/")
        assert {"401", "403"} <= operation["responses"].keys(), name
        assert operation["summary"], name
        assert operation["description"], name


def test_an_issue_is_told_with_all_that_a_decision_needs(served_once: Served) -> None:
    client = served_once.signed_in(Role.REVIEWER)
    last = served_once.issues[0]  # the oldest is one of three alike
    detail = client.get(f"/api/v1/issues/{last['id']}").json()
    assert len(detail["alike"]) == 2
    assert [still["closeup"] is not None for still in detail["stills"]] == [True] * 3
    assert detail["start"].endswith("+08:00")
    assert detail["dwell_s"] > detail["limit_s"]
    assert [row["move"] for row in detail["history"]] == ["filed"]
    for path in (*detail["clip"].values(), *(still["scene"] for still in detail["stills"])):
        assert client.get(path).status_code == 200
    overlay = client.get(detail["clip"]["overlay"]).json()
    assert len(overlay["frames"]) == 40
    assert any(frame["box"] for frame in overlay["frames"])


def test_look_alikes_are_decided_at_once_and_each_by_itself(served: Served) -> None:
    client, issue = served.signed_in(Role.REVIEWER), served.issues[0]
    alike = client.get(f"/api/v1/issues/{issue['id']}").json()["alike"]
    stale = {"id": alike[1]["id"], "seen_version": 7}
    seen = [{"id": one["id"], "seen_version": one["version"]} for one in (issue, alike[0])]
    answer = client.post("/api/v1/moves", json={"move": "confirm", "issues": [*seen, stale]}).json()
    assert [one["id"] for one in answer["moved"]] == [issue["id"], alike[0]["id"]]
    assert [(one["id"], one["error"]) for one in answer["refused"]] == [(alike[1]["id"], "stale")]
    assert served.house.desk.queue.counts("state") == {"confirmed": 2, "flagged": 28}


def test_what_one_has_in_hand_another_cannot_decide(served: Served) -> None:
    issue = served.issues[0]
    path = f"/api/v1/issues/{issue['id']}"
    mine, other = served.signed_in(Role.REVIEWER), served.signed_in(Role.ADMIN)
    assert mine.post(f"{path}/claim", json={"lease_s": 60}).json()["claimed_by"] == "reviewer"
    for refused in (
        other.post(f"{path}/claim", json={}),
        other.post(f"{path}/moves", json={"move": "confirm", "seen_version": 1}),
    ):
        assert (refused.status_code, refused.json()["error"], refused.json()["who"]) == (
            409,
            "claimed",
            "reviewer",
        )
    assert other.get("/api/v1/deck").json()["claims"] == {issue["id"]: "reviewer"}
    mine.post(f"{path}/release")
    assert other.post(f"{path}/moves", json={"move": "confirm", "seen_version": 1}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"move": "reject", "seen_version": 1}, 422, "reason_needed"),
        ({"move": "reject", "reason": "nonsense", "seen_version": 1}, 422, "reason_needed"),
        ({"move": "reject", "reason": "other", "seen_version": 1}, 422, "reason_needed"),
        ({"move": "confirm", "seen_version": 2}, 409, "stale"),
        ({"move": "close", "seen_version": 1}, 422, "bad_input"),
        ({"move": "confirm", "seen_version": 1, "note": "x" * 501}, 422, "bad_input"),
        ({"move": "confirm", "seen_version": 1, "note": "\x00"}, 422, "bad_input"),
        ({"move": "confirm", "seen_version": 1, "more": 1}, 422, "bad_input"),
        ({"move": "confirm"}, 422, "bad_input"),
    ],
)
def test_a_wrong_decision_is_refused_with_its_reason(
    served_once: Served, body: dict[str, Any], status: int, error: str
) -> None:
    issue = served_once.issues[3]
    answer: httpx.Response = served_once.signed_in(Role.REVIEWER).post(
        f"/api/v1/issues/{issue['id']}/moves", json=body
    )
    assert (answer.status_code, answer.json()["error"]) == (status, error)
