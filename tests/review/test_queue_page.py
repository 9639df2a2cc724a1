"""The queue page: filters, pages, and a hundred thousand issues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from made_county import Served, copy_of, crowding, serve
from sqlalchemy import insert

from detector.config.settings import load_settings
from detector.core.values import Violation
from detector.database import Database, schema
from detector.issues import State
from detector.people import Role

pytest_plugins = ["review_fixture"]

MANY = 100_000
SERVER_MS = 300.0


@pytest.fixture(scope="module")
def crowded(county_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A county whose queue has grown for years."""
    folder = copy_of(county_once, tmp_path_factory.mktemp("crowded") / "county")
    settings = load_settings(folder)
    points = [point.id for point in settings.points]
    states, violations = list(State), list(Violation)
    first = datetime(2020, 1, 1, tzinfo=UTC)
    with Database.open(settings.database_url) as database, database.begin() as connection:
        for low in range(0, MANY, 10_000):
            rows = [
                {
                    "public_id": f"public-{n}", "fingerprint": f"fingerprint-{n}", "state": states[n * 7 % len(states)],
                    "version": 1, "violation": violations[n % len(violations)], "point_id": points[n % len(points)],
                    "camera_id": points[n % len(points)], "zone_id": "kerb", "start": first + timedelta(minutes=20 * n),
                    "end": first + timedelta(minutes=20 * n + 9), "start_uncertainty_s": 1.0, "end_uncertainty_s": 1.0,
                    "limit_s": 180.0, "box": [0.1, 0.1, 0.2, 0.2], "share": 0.9, "confidence": n % 100 / 100,
                    "explanation": "stood", "explanation_zh": "停留", "model_id": "m", "rules_version": "r",
                    "evidence_folder": "", "filed_at": first, "updated_at": first,
                }
                for n in range(low, low + 10_000)
            ]  # fmt: skip
            connection.execute(insert(schema.issues), rows)
    with serve(folder) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?state=flagged",
        "?violation=litter&category=night_market",
        "?certainty=low&first=2021-01-01&last=2021-12-31",
        "?order=oldest&page=2000",
        "?point=p017&state=closed&order=last_filed",
    ],
)
def test_the_page_takes_less_than_300_ms_at_the_server_with_100_000_issues(
    crowded: Served, query: str
) -> None:
    client = crowded.signed_in(Role.REVIEWER)
    client.get("/queue")
    times = [_server_ms(client.get(f"/queue{query}")) for _ in range(5)]
    print(f"/queue{query}: {min(times):.0f} ms")
    assert min(times) < SERVER_MS * crowding(), times


def _server_ms(answer: httpx.Response) -> float:
    assert answer.status_code == 200, answer.text
    found = re.fullmatch(r"app;dur=([\d.]+)", answer.headers["server-timing"])
    assert found
    return float(found[1])


@pytest.mark.slow
def test_a_deck_of_a_large_queue_is_cut_and_says_how_many_there_are(crowded: Served) -> None:
    client, took_ms = crowded.signed_in(Role.REVIEWER), []
    for _ in range(4):
        found = client.get("/api/v1/deck", params={"state": "flagged"})
        took_ms.append(_server_ms(found))
    answer = found.json()
    assert min(took_ms) < 1000 * crowding(), took_ms
    assert len(answer["issues"]) == 1000
    assert answer["total"] > 10_000


def rows(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return re.findall(r'<tr data-issue="([^"]+)"', page.text)


def test_filters_cut_the_list_down(served_once: Served) -> None:
    client = served_once.signed_in(Role.REVIEWER)
    every = served_once.issues
    assert set(rows(client.get("/queue"))) == {issue["id"] for issue in every}
    cases = {
        "state=flagged": lambda issue: issue["state"] == "flagged",
        "state=closed": lambda issue: issue["state"] == "closed",
        "violation=sidewalk_parking": lambda issue: issue["violation"] == "sidewalk_parking",
        "category=intersection": lambda issue: issue["category"] == "intersection",
        "point=p003": lambda issue: issue["point"] == "p003",
        "certainty=high": lambda issue: issue["confidence"] >= 0.8,
        "certainty=low": lambda issue: issue["confidence"] < 0.5,
        "category=arterial&violation=illegal_parking&state=": lambda issue: (
            issue["category"] == "arterial" and issue["violation"] == "illegal_parking"
        ),
        "point=p003&category=night_market": lambda _: False,
    }
    for query, fits in cases.items():
        assert set(rows(client.get(f"/queue?{query}"))) == {i["id"] for i in every if fits(i)}, query
        listed = client.get("/api/v1/issues", params=httpx.QueryParams(query.removesuffix("&state="))).json()
        assert {issue["id"] for issue in listed["issues"]} == {i["id"] for i in every if fits(i)}, query


@pytest.mark.parametrize(
    "query",
    ["state=nonsense", "point=p999", "first=yesterday", "first=2026-02-02&last=2026-02-01", "department=x"],
)
def test_a_filter_that_is_none_is_told_and_not_ignored(served_once: Served, query: str) -> None:
    client = served_once.signed_in(Role.REVIEWER)
    assert client.get(f"/queue?{query}").status_code == 422
    answer = client.get(f"/api/v1/issues?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"] == "bad_input"


def test_a_department_finds_what_would_go_to_it(served: Served) -> None:
    """Before dispatch by the table of routes, after it by who got it; a department itself sees no more than it got."""
    house, client = served.house, served.signed_in(Role.REVIEWER)
    loop = house.settings.loop
    assert loop is not None

    def routed(issue: dict[str, str], name: str) -> bool:
        route = loop.route(Violation(issue["violation"]), house.settings.point(issue["point"]))
        return route is not None and name in (route.lead, *route.assisting)

    total = 0
    for name in house.settings.departments:
        found = client.get("/api/v1/issues", params={"department": name}).json()["issues"]
        assert {i["id"] for i in found} == {i["id"] for i in served.issues if routed(i, name)}, name
        total += len(found)
    assert total >= 30
    assert served.signed_in(Role.DEPARTMENT).get("/api/v1/issues").json()["total"] == 0


def test_the_calendar_takes_less_than_300_ms_at_the_server(crowded: Served) -> None:
    """30 days of 39 points among 100,000 issues, two thousand of them within."""
    client, took_ms = crowded.signed_in(Role.VIEWER), []
    for _ in range(4):
        answer = client.get("/calendar", params={"until": "2023-10-14"})
        assert answer.status_code == 200
        took_ms.append(float(answer.headers["Server-Timing"].rpartition("=")[2]))
    assert answer.text.count('class="cell heat-') >= 39 * 30
    assert min(took_ms) < SERVER_MS * crowding(), took_ms
