"""What the gate remembers goes on from one recording to the next, in one scan or in several."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from made_archive import FPS, LIMIT_S, SIZE_WH, Made, kerbwatch, place_of, results_of, settle, write_folder

from detector.core.times import Interval
from detector.core.values import Camera, Recording, RecordingState, Violation
from detector.demo.record import record
from detector.demo.scene import Scene
from detector.observing.gate import LOOKS_OF_A_SCENE, REUSED_AT_MOST
from detector.observing.store import ObservationStore
from detector.pipeline.flow import JOIN_GAP_S, goes_on

pytest_plugins = ["archive_fixture"]
PIECES, PIECE_S = 3, 126.0
"""Seven looks of 18 s each."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Made:
    """A street on which nothing happens, in three recordings."""
    folder = tmp_path_factory.mktemp("quiet") / "county"
    settings = write_folder(folder, points=("p001",))
    (camera,) = settings.point("p001").cameras
    start = datetime(2026, 1, 8, 9, tzinfo=settings.timezone)
    limits = {Violation.ILLEGAL_PARKING: LIMIT_S, Violation.SIDEWALK_PARKING: LIMIT_S}
    scene = Scene(camera, start, PIECES * PIECE_S, (), seed=5, resolution_wh=SIZE_WH, limits_s=limits)
    for from_s in (PIECE_S * k for k in range(PIECES)):
        path = place_of(settings, camera, start + timedelta(seconds=from_s), PIECE_S)
        record(scene, path, fps=FPS, from_s=from_s, until_s=from_s + PIECE_S)
        settle(path)
    return Made(folder, ())


def scan(made: Made) -> None:
    done = kerbwatch(
        "scan", "-C", made.folder, "--until", "2026-01-08", "--days", 1, "--workers", 1, "--json"
    )
    assert done.code == 0, done.err


@pytest.mark.slow
def test_a_scan_in_one_go_and_recording_by_recording_see_the_same_and_ask_the_model_as_often(
    quiet: Made, tmp_path: Path
) -> None:
    at_once, by_steps = quiet.copy(tmp_path / "at-once"), quiet.copy(tmp_path / "by-steps")
    scan(at_once)
    recordings = sorted((by_steps.folder / "recordings").rglob("*.*"), reverse=True)
    hidden = [(path, path.rename(tmp_path / path.name)) for path in recordings if path.is_file()]
    assert len(hidden) == PIECES
    while hidden:
        place, path = hidden.pop()
        path.rename(place)
        scan(by_steps)
    assert results_of(by_steps) == results_of(at_once)
    root = Path(at_once.settings.observations_root)
    names = sorted(str(file.relative_to(root)) for file in root.rglob("*.parquet"))
    asked = [sum(not o.reused for o in ObservationStore(root).read(name, "", "")) for name in names]
    # One scene all along: thrice at first, and again after its answer has served so often.
    assert asked == [LOOKS_OF_A_SCENE, 0, 1]
    assert LOOKS_OF_A_SCENE + REUSED_AT_MOST < 21


def part(start_s: float, length_s: float) -> tuple[Recording, Interval]:
    start = datetime(2026, 1, 8, 12, tzinfo=UTC) + timedelta(seconds=start_s)
    interval = Interval(start, start + timedelta(seconds=length_s))
    return Recording("p001", f"{start_s}.mp4", 1, 1, interval, RecordingState.READABLE), interval


def test_a_recording_goes_on_after_another_of_the_same_day_that_ended_just_before() -> None:
    camera = Camera("p001", (), ZoneInfo("Asia/Shanghai"), (1920, 1080))
    first = part(0, 1800)
    assert goes_on(first, part(1800, 1800), camera)
    assert goes_on(first, part(1800 + JOIN_GAP_S, 1800), camera)
    assert not goes_on(first, part(1801 + JOIN_GAP_S, 1800), camera)
    assert not goes_on(first, part(1790, 1800), camera)
    before_midnight = part(3 * 3600, 3600)  # 23:00 to midnight
    assert goes_on(part(2 * 3600, 3600), before_midnight, camera)
    assert not goes_on(before_midnight, part(4 * 3600, 3600), camera)
    assert not goes_on(part(2 * 3600, 3600), part(3 * 3600, 3601), camera)
