"""`explain` on a scanned archive: what each stage saw and decided at a place and time."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made_archive import Made, kerbwatch

from detector.config.settings import load_settings

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
    assert steps["recorded"]["text_zh"] == "该时刻无录像"


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
