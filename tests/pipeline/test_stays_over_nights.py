"""One stay is one issue: over midnight, over two recordings, over two nights' scans."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_archive import FPS, LENGTH_S, Made, kerbwatch, parked, place_of, scene_of, settle, write_folder

from detector.core.values import ZoneKind
from detector.demo.record import record

pytest_plugins = ["archive_fixture"]
HALF_S = 160.0


@pytest.fixture(scope="module")
def over_midnight(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Made:
    """A car that comes two minutes before midnight and leaves two minutes after it, in two recordings."""
    folder = tmp_path_factory.mktemp("night") / "county"
    settings = write_folder(folder, points=("p001",))
    (camera,) = settings.point("p001").cameras
    start = datetime(2026, 1, 9, tzinfo=settings.timezone) - timedelta(seconds=HALF_S)
    car = parked(camera, ZoneKind.NO_PARKING, HALF_S - 120, HALF_S + 120)
    scene = scene_of(camera, start, car, length_s=2 * HALF_S)
    for from_s in (0.0, HALF_S):
        path = place_of(settings, camera, start + timedelta(seconds=from_s), HALF_S)
        record(scene, path, fps=FPS, from_s=from_s, until_s=from_s + HALF_S)
        settle(path)
    return Made(folder, ())


def scan(made: Made, until: str, days: int) -> list[dict[str, object]]:
    done = kerbwatch("scan", "-C", made.folder, "--until", until, "--days", days, "--workers", 1, "--json")
    assert done.code == 0, done.err
    return [filed for camera in done.json["cameras"] for filed in camera["filed"]]


def issues(made: Made) -> list[dict[str, object]]:
    found = kerbwatch("issues", "list", "-C", made.folder, "--json").json
    assert isinstance(found, list)
    return found


def check_whole(issue: dict[str, object]) -> None:
    start, end = (datetime.fromisoformat(str(issue[name])) for name in ("start", "end"))
    midnight = datetime.fromisoformat("2026-01-09T00:00:00+08:00")
    assert abs((midnight - start).total_seconds() - 120) <= 2
    assert abs((end - midnight).total_seconds() - 120) <= 2


def test_a_stay_over_midnight_and_two_recordings_is_one_issue(over_midnight: Made, tmp_path: Path) -> None:
    made = over_midnight.copy(tmp_path / "county")
    assert [filed["outcome"] for filed in scan(made, "2026-01-09", 2)] == ["new"]
    (issue,) = issues(made)
    check_whole(issue)


@pytest.mark.parametrize("days", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_the_second_night_extends_the_issue_of_the_first(
    over_midnight: Made, tmp_path: Path, days: int
) -> None:
    made = over_midnight.copy(tmp_path / "county")
    assert [filed["outcome"] for filed in scan(made, "2026-01-08", 1)] == ["new"]
    assert [filed["outcome"] for filed in scan(made, "2026-01-09", days)] == ["extended"]
    (issue,) = issues(made)
    check_whole(issue)
    assert issue["version"] == 2
    assert scan(made, "2026-01-09", days) == []
    assert kerbwatch("issues", "verify", "-C", made.folder).code == 0
    (change,) = kerbwatch("judge", "-C", made.folder, "--until", "2026-01-09", "--days", 2, "--json").json
    assert (change["kept"], change["appeared"], change["vanished"]) == ([1], [], [])


def test_one_place_taken_at_the_same_hour_of_three_days_is_three_issues(
    composed: Made, tmp_path: Path
) -> None:
    """Nobody looked in between: that one car stood for days would be a guess."""
    made = composed.copy(tmp_path / "county")
    (camera,) = made.settings.point("p001").cameras
    first = datetime(2026, 1, 8, 8, 30, tzinfo=camera.timezone)
    source = place_of(made.settings, camera, first, LENGTH_S)
    for later in (4, 5):
        os.link(source, place_of(made.settings, camera, first + timedelta(days=later), LENGTH_S))
    words = ("--until", "2026-01-13", "--days", 6, "--point", "p001", "--workers", 1)
    assert kerbwatch("scan", "-C", made.folder, *words).code == 0
    found = issues(made)
    assert [issue["duration_s"] for issue in found] == pytest.approx([145.0] * 3, abs=4)
