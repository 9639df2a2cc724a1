"""`explain` on a scanned archive: what each stage saw and decided at a place and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made_archive import Made, kerbwatch

from detector.config.settings import Settings, load_settings
from detector.core.geometry import Box
from detector.core.times import Interval
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore

pytest_plugins = ["archive_fixture"]
pytestmark = pytest.mark.slow


def asked(folder: Path, camera: str, at: datetime, box: tuple[float, ...]) -> dict[str, dict[str, Any]]:
    """The steps by stage; `box` is in [0, 1], xyxy."""
    width, height = load_settings(folder).point(camera).cameras[0].resolution_wh
    x1, y1, x2, y2 = box
    place = f"{x1 * width:.1f},{y1 * height:.1f},{(x2 - x1) * width:.1f},{(y2 - y1) * height:.1f}"
    done = kerbwatch(
        "explain", "-C", folder, "--camera", camera, "--at", at.isoformat(), "--box", place, "--json"
    )
    assert done.code == 0, done.err
    return {step["stage"]: step for step in done.json}


def middle(issue: dict[str, Any]) -> datetime:
    start, end = (datetime.fromisoformat(issue[name]) for name in ("start", "end"))
    return start + (end - start) / 2


def test_a_filed_vehicle_passed_every_stage(scanned: Made) -> None:
    (issue, *_) = kerbwatch("issues", "list", "-C", scanned.folder, "--json").json
    steps = asked(scanned.folder, issue["camera"], middle(issue), issue["box"])
    assert [stage for stage, step in steps.items() if step["passed"] is not True] == []
    assert list(steps) == [
        "recorded",
        "sampled",
        "view",
        "named",
        "stands",
        "zone",
        "rules",
        "verified",
        "filed",
    ]
    assert f"issue {issue['id']}" in steps["verified"]["text"]
    assert f"问题 {issue['id']}" in steps["verified"]["text_zh"]


def test_an_empty_place_says_that_nothing_was_named_and_nothing_filed(scanned: Made) -> None:
    (issue, *_) = kerbwatch("issues", "list", "-C", scanned.folder, "--json").json
    steps = asked(scanned.folder, issue["camera"], middle(issue), (0.0, 0.0, 0.05, 0.05))
    assert steps["named"]["passed"] is None
    assert steps["zone"]["passed"] is False
    assert steps["filed"]["passed"] is False


def test_a_time_without_a_recording_says_so_and_nothing_else(scanned: Made) -> None:
    (issue, *_) = kerbwatch("issues", "list", "-C", scanned.folder, "--json").json
    steps = asked(scanned.folder, issue["camera"], middle(issue) + timedelta(hours=5), issue["box"])
    assert list(steps) == ["recorded"]
    assert steps["recorded"]["text_zh"] == "目录中无该时刻的录像"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--camera", "p999", "no camera 'p999'"),
        ("--at", "noon", "is not a time"),
        ("--box", "1,2,3", "is not x,y,width,height"),
        ("--box", "1250,300,100,100", "does not lie in the picture"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(
    scanned: Made, option: str, value: str, said: str
) -> None:
    words = {"--camera": "p001", "--at": "2026-01-08T08:31:00", "--box": "10,10,50,50", option: value}
    done = kerbwatch("explain", "-C", scanned.folder, *(part for pair in words.items() for part in pair))
    assert done.code == 2
    assert said in done.err


def test_an_issue_is_explained_by_its_number_as_by_its_place(scanned: Made) -> None:
    (issue, *_) = kerbwatch("issues", "list", "-C", scanned.folder, "--json").json
    done = kerbwatch("explain", "-C", scanned.folder, "--issue", issue["id"], "--json")
    assert done.code == 0, done.err
    by_number = {step["stage"]: step for step in done.json}
    by_place = asked(scanned.folder, issue["camera"], middle(issue), issue["box"])
    assert list(by_number) == list(by_place)
    for stage in ("recorded", "sampled", "named", "stands", "zone", "filed"):
        assert by_number[stage] == by_place[stage]
    said = kerbwatch("explain", "-C", scanned.folder, "--issue", issue["id"]).out
    assert f"Filed: issue {issue['id']}" in said


def test_a_candidate_that_verification_dropped_is_shown_with_the_reason(scanned: Made) -> None:
    """Three vehicles stand in one place in turn, none of them beyond the limit."""
    settings = scanned.settings
    with Database.open(settings.database_url) as database:
        camera = settings.point("p025").cameras[0]
        period = Interval(datetime(2026, 1, 8, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC))
        (verdict,) = IssueQueue(database).verdicts(camera.id, period).values()
        places = dropped_at(settings, database, camera.id, verdict.interval)
    at = verdict.interval.start + (verdict.interval.end - verdict.interval.start) / 2
    steps = asked(scanned.folder, camera.id, at, places)
    assert steps["rules"]["passed"] is True
    assert steps["verified"]["passed"] is False
    assert verdict.reason in steps["verified"]["text"]
    assert "同一目标最多停留" in steps["verified"]["text_zh"]
    assert steps["filed"]["passed"] is False


def dropped_at(settings: Settings, database: Database, camera_id: str, interval: Interval) -> Box:
    """The box that the model named at the sample nearest to the middle of an interval, the most certain one."""
    middle_at = interval.start + (interval.end - interval.start) / 2
    store = ObservationStore(settings.observations_root)
    looks = [
        look
        for part in Catalogue(database).observed_parts(camera_id, interval)
        for look in store.read(part.file, camera_id, part.recording_id)
    ]
    nearest = min(looks, key=lambda look: abs(look.at - middle_at))
    best = max(range(len(nearest.detections.labels)), key=lambda i: nearest.detections.confidences[i])
    x1, y1, x2, y2 = nearest.detections.boxes[best].tolist()
    return (x1, y1, x2, y2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--issue", "1", "--camera", "p001"), "give the number alone"),
        (("--issue", "99"), "there is no issue 99"),
        (("--camera", "p001"), "missing --at, --box"),
        ((), "or name an issue with --issue NUMBER"),
    ],
)
def test_an_incomplete_question_is_refused(scanned: Made, options: tuple[str, ...], said: str) -> None:
    done = kerbwatch("explain", "-C", scanned.folder, *options)
    assert done.code == 2
    assert said in done.err
