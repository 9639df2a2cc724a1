"""Who may what: one table of routes, and every route tried as everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from fastapi import APIRouter
from made_county import Served, copy_of, csrf_in, serve

from detector.people import Role
from detector.review.access import conditions_of
from detector.review.app import ROUTERS

pytest_plugins = ["review_fixture"]

ANYBODY: Final = frozenset({None, *Role})
SIGNED_IN: Final = frozenset(Role)
STAFF: Final = frozenset({Role.ADMIN, Role.REVIEWER, Role.DISPATCHER})
SEES_FOOTAGE: Final = STAFF | {Role.DEPARTMENT}
ADMIN: Final = frozenset({Role.ADMIN})
DISPATCHERS: Final = ADMIN | {Role.DISPATCHER}

WHO_MAY: Mapping[str, frozenset[Role | None]] = {
    "GET /": SIGNED_IN,
    "GET /sign-in": ANYBODY,
    "POST /sign-in": ANYBODY,
    "POST /sign-out": ANYBODY,
    "GET /setup": ANYBODY,
    "POST /setup": ANYBODY,
    "POST /preferences": ANYBODY,
    "GET /account": SIGNED_IN,
    "POST /account/password": SIGNED_IN,
    "POST /account/tokens": SIGNED_IN,
    "POST /account/tokens/revoke": SIGNED_IN,
    "GET /queue": SIGNED_IN,
    "GET /review": STAFF,
    "GET /issues/{public_id}": SIGNED_IN,
    "GET /evidence/{public_id}/{folder}/{name}": SIGNED_IN,
    "GET /api/v1/me": SIGNED_IN,
    "GET /api/v1/points": SIGNED_IN,
    "GET /api/v1/reasons": SIGNED_IN,
    "GET /api/v1/issues": SIGNED_IN,
    "GET /api/v1/deck": SIGNED_IN,
    "GET /api/v1/issues/{public_id}": SIGNED_IN,
    "GET /api/v1/issues/{public_id}/explanation": SIGNED_IN,
    "GET /issues/{public_id}/explanation": SIGNED_IN,
    "POST /api/v1/issues/{public_id}/claim": STAFF,
    "POST /api/v1/issues/{public_id}/release": STAFF,
    "POST /api/v1/issues/{public_id}/moves": STAFF,
    "POST /api/v1/moves": STAFF,
    "POST /api/v1/issues/{public_id}/undo": STAFF,
    "GET /api/v1/tokens": SIGNED_IN,
    "POST /api/v1/tokens": SIGNED_IN,
    "DELETE /api/v1/tokens/{prefix}": SIGNED_IN,
    "GET /api/v1/openapi.json": SIGNED_IN,
    "GET /api/v1/events": SIGNED_IN,
    "GET /today": SIGNED_IN,
    "GET /calendar": SIGNED_IN,
    "GET /points/{point_id}": SIGNED_IN,
    "GET /dispatch": SIGNED_IN,
    "GET /api/v1/days/{day}": SIGNED_IN,
    "GET /api/v1/calendar": SIGNED_IN,
    "GET /api/v1/points/{point_id}": SIGNED_IN,
    "GET /api/v1/board": SIGNED_IN,
    "POST /api/v1/dispatch": DISPATCHERS,
    "POST /api/v1/answers/{public_id}": DISPATCHERS | {Role.DEPARTMENT},
    "POST /api/v1/issues/{public_id}/accept": DISPATCHERS,
    "POST /api/v1/issues/{public_id}/reopen": DISPATCHERS,
    "POST /api/v1/issues/{public_id}/recall": DISPATCHERS,
    "POST /api/v1/issues/{public_id}/merge": STAFF,
    "POST /api/v1/issues/{public_id}/apart": STAFF,
    "GET /api/v1/attachments/{public_id}": SEES_FOOTAGE,
    "GET /zones": ADMIN,
    "GET /zones/{camera_id}": ADMIN,
    "GET /api/v1/cameras/{camera_id}/zones": ADMIN,
    "PUT /api/v1/cameras/{camera_id}/zones": ADMIN,
    "POST /api/v1/cameras/{camera_id}/zones/preview": ADMIN,
    "POST /api/v1/cameras/{camera_id}/resolution": ADMIN,
    "GET /api/v1/cameras/{camera_id}/picture": STAFF,
    "GET /spot-checks": STAFF,
    "GET /spot-checks/{spot_id}": STAFF,
    "GET /api/v1/spot-checks": STAFF,
    "GET /api/v1/spot-checks/{spot_id}": STAFF,
    "POST /api/v1/spot-checks": STAFF,
    "POST /api/v1/spot-checks/clips": STAFF,
    "DELETE /api/v1/spot-checks/{spot_id}": STAFF,
    "GET /api/v1/spot-checks/{spot_id}/pictures/{name}": STAFF,
    "GET /api/v1/cameras/{camera_id}/recordings": STAFF,
    "GET /users": ADMIN,
    "GET /log": ADMIN,
    "GET /settings": ADMIN,
    "GET /api/v1/users": ADMIN,
    "POST /api/v1/users": ADMIN,
    "PATCH /api/v1/users/{login}": ADMIN,
    "PUT /api/v1/users/{login}/password": ADMIN,
    "POST /api/v1/users/{login}/unlock": ADMIN,
    "GET /api/v1/users/{login}/tokens": ADMIN,
    "DELETE /api/v1/users/{login}/tokens/{prefix}": ADMIN,
    "PUT /api/v1/me/password": SIGNED_IN,
    "GET /api/v1/log": ADMIN,
    "GET /api/v1/settings": ADMIN,
    "PUT /api/v1/settings/{file}": ADMIN,
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /source": ANYBODY,
    "GET /metrics": SIGNED_IN - {Role.DEPARTMENT},
}
"""Every route, and who gets past its door. None is nobody: a browser that is not signed in."""

REFUSED: Final = (401, 403)


def routes() -> list[str]:
    return [
        f"{method} {route.path}"
        for route, _ in conditions_of(ROUTERS)
        for method in sorted(route.methods or ())
    ]


def test_the_table_names_every_route_and_no_other() -> None:
    assert sorted(routes()) == sorted(WHO_MAY)


@pytest.fixture(scope="module")
def walked(county_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(copy_of(county_once, tmp_path_factory.mktemp("walked") / "county")) as running:
        yield running


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_every_route_opens_for_those_of_the_table_only(walked: Served, role: Role | None) -> None:
    """A door that opens may still lead to 'no such issue' or 'that is wrong'; one that is shut says 401 or 403."""
    issue = walked.issues[0]
    for route, allowed in WHO_MAY.items():
        client = walked.signed_in(role) if role else walked.nobody()
        status = _knock(client, route, issue)
        assert (status not in REFUSED) == (role in allowed), f"{route} as {role}: {status}"
        assert status < 500, f"{route} as {role}: {status}"


def _knock(client: httpx.Client, route: str, issue: dict[str, str]) -> int:
    method, path = route.split(" ")
    folder, name = issue["thumb"].split("/")[-2:]
    path = path.format(
        public_id=issue["id"],
        folder=folder,
        name=name,
        prefix="kw_nothing",
        day="2026-01-08",
        point_id="p001",
        camera_id="p001",
        spot_id="nothing",
        login="nobody",
        file="site",
    )
    if path == "/api/v1/events":
        with client.stream("GET", path) as answer:
            return answer.status_code
    if method == "POST" and not path.startswith("/api/"):
        return _send_form(client, path)
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    answer = client.request(method, path, **body)
    sent_away = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?")
    return 401 if sent_away else answer.status_code


def _send_form(client: httpx.Client, path: str) -> int:
    """As a page of ours would: with its token. A wrong password at the sign-in is past the door all the same."""
    token = client.headers.pop("X-CSRF-Token", None) or csrf_in(client.get("/sign-in"))
    fields = {"csrf": token, "login": "nobody", "password": "x", "new": "x", "again": "y", "label": "x"}
    answer = client.post(path, data=fields)
    return 200 if path == "/sign-in" and answer.status_code == 401 else answer.status_code


def test_a_department_sees_its_own_issues_only(served: Served) -> None:
    mine, other = served.issues[:2]
    assert served.signed_in(Role.DEPARTMENT).get("/api/v1/issues").json() == {"total": 0, "issues": []}
    admin = served.house.desk.people.user("admin").actor()
    desk = served.house.desk
    desk.confirm(admin, mine["number"])
    desk.dispatch(admin, [mine["number"]], department="traffic_police", due_at=desk.now() + timedelta(days=1))
    client = served.signed_in(Role.DEPARTMENT)
    assert [one["id"] for one in client.get("/api/v1/issues").json()["issues"]] == [mine["id"]]
    assert client.get(mine["thumb"]).status_code == 200
    assert client.get(other["thumb"]).status_code == 404
    for path in ("/issues/{}", "/api/v1/issues/{}"):
        assert client.get(path.format(mine["id"])).status_code == 200
        assert client.get(path.format(other["id"])).status_code == 404


def test_a_route_that_does_not_say_who_may_use_it_is_refused_at_the_start() -> None:
    router = APIRouter()

    @router.get("/open-by-mistake")
    def forgotten() -> None: ...

    with pytest.raises(ValueError, match="/open-by-mistake must say once"):
        list(conditions_of([router]))


def test_a_closed_account_is_out_at_once(served: Served) -> None:
    client, token = served.signed_in(Role.REVIEWER), served.with_token(Role.REVIEWER)
    people = served.house.desk.people
    people.set_active(people.user("admin").actor(), "reviewer", active=False)
    assert client.get("/api/v1/me").status_code == 401
    assert token.get("/api/v1/me").status_code == 401
