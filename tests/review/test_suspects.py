"""Two cameras that see one stay are offered as a pair in the browser, and one order results."""

from __future__ import annotations

import pytest
from made_county import Opens, Served
from made_issues import file, incident

from detector.issues import State
from detector.people import Role

pytest_plugins = ["review_fixture"]


def pair(served: Served) -> tuple[str, str]:
    """The ids of two issues of two cameras of one point, from the same ten minutes."""
    queue = served.house.desk.queue
    numbers = [
        file(
            queue,
            incident(0, 10, camera_id=camera, point_id="p001"),
            start_uncertainty_s=1,
            end_uncertainty_s=1,
        )
        for camera in ("p001", "p001-west")
    ]
    first, second = (queue.get(filed.issue_id).public_id for filed in numbers)
    return first, second


def test_a_pair_is_offered_and_merged_into_one(served: Served) -> None:
    first, second = pair(served)
    client = served.signed_in(Role.REVIEWER)
    (offered,) = client.get(f"/api/v1/issues/{first}").json()["suspects"]
    assert (offered["id"], offered["camera"]) == (second, "p001-west")
    body = {"other": first, "seen_version": offered["version"]}
    merged = client.post(f"/api/v1/issues/{second}/merge", json=body)
    assert (merged.status_code, merged.json()["state"]) == (200, State.MERGED)
    assert client.get(f"/api/v1/issues/{first}").json()["suspects"] == []


def test_a_pair_that_is_two_objects_is_not_offered_again(served: Served) -> None:
    first, second = pair(served)
    client = served.signed_in(Role.DISPATCHER)
    version = client.get(f"/api/v1/issues/{first}").json()["version"]
    told = client.post(f"/api/v1/issues/{first}/apart", json={"other": second, "seen_version": version})
    assert told.status_code == 200
    assert client.get(f"/api/v1/issues/{second}").json()["suspects"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lang", "words"), [("zh", "同一目标，并入此件"), ("en", "One object: merge into this")]
)
def test_a_reviewer_merges_a_pair_in_the_browser(served: Served, opens: Opens, lang: str, words: str) -> None:
    first, second = pair(served)
    page = opens(served, Role.REVIEWER, lang=lang).page
    page.goto(f"{served.url}/issues/{first}")
    with page.expect_response(f"**/api/v1/issues/{second}/merge"):
        page.get_by_role("button", name=words).click()
    queue = served.house.desk.queue
    assert (queue.by_public_id(second).state, queue.by_public_id(first).state) == (
        State.MERGED,
        State.FLAGGED,
    )
