"""The archive of links for many points and days, and what is true of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detector.config.rules import RuleSet, RuleSettings
from detector.core.errors import BadInput
from detector.core.geometry import contact_share
from detector.core.values import Category, Point, Violation, ZoneKind
from detector.demo.archive import POOL, Shares, Truth, compose_archive, recording_name
from detector.demo.cases import CAMERA, make_case
from detector.footage.templates import PRESETS, parse_template

RULES = RuleSet(
    {
        Violation.ILLEGAL_PARKING: RuleSettings(
            Violation.ILLEGAL_PARKING,
            True,
            25.0,
            (ZoneKind.NO_PARKING,),
            exempt_zones=(ZoneKind.PARKING_BAY,),
        )
    }
)


def point(number: int, template: str, shift: float) -> Point:
    zones = tuple(
        replace(zone, polygon=tuple((x, min(1.0, y + shift)) for x, y in zone.polygon))
        for zone in CAMERA.zones
    )
    camera = replace(CAMERA, id=f"c{number}", zones=zones, folder=f"c{number}", template=template)
    return Point(f"p{number}", "路", "road", Category.ARTERIAL, (camera,))


POINTS = tuple(point(i, template, i * 0.004) for i, template in enumerate(PRESETS))
LONGER = timedelta(seconds=25 + 60)
"""What shows a violation lasts a minute longer than the limit."""

COUNTS = Shares(violations=2 / 6, traps=1 / 6, missing=1 / 6)


def compose(root: Path, seed: int = 1) -> Truth:
    return compose_archive(
        POINTS, root, rules=RULES, days=2, end_day=date(2026, 1, 8), seed=seed, minutes=1.0,
        resolution_wh=(320, 180), fps=1.0, shares=COUNTS, workers=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    root = tmp_path_factory.mktemp("archive")
    return root, compose(root)


def test_every_camera_has_every_day_but_the_gaps_that_are_told(made: tuple[Path, Truth]) -> None:
    root, found = made
    files = [p for camera in ("c0", "c1", "c2") for p in (root / camera).rglob("*.mp4")]
    assert len(files) == found.recordings == 5
    assert sorted(gap.what for gap in found.gaps) == ["empty", "missing", "not_video"]
    assert sum(found.traps.values()) == 1
    for gap in found.gaps:
        assert (gap.what == "missing") == (gap.path == "")
        assert gap.what != "empty" or (root / gap.path).stat().st_size == 0


def test_names_give_the_start_and_end_by_the_camera_s_own_template(made: tuple[Path, Truth]) -> None:
    root, _ = made
    for one in POINTS:
        camera = one.cameras[0]
        for file in (root / camera.folder).rglob("*.mp4"):
            times = parse_template(camera.template).times(file.relative_to(root).as_posix())
            assert times
            assert times.start.date() in (date(2026, 1, 7), date(2026, 1, 8))
            lengths = [timedelta(minutes=1), LONGER]
            assert times.end is None or times.end - times.start in lengths


def test_whole_recordings_are_links_into_the_pool(made: tuple[Path, Truth]) -> None:
    root, found = made
    pool = {file.stat().st_ino for file in (root / POOL).iterdir()}
    damaged = {gap.path for gap in found.gaps}
    assert len(pool) == found.pool
    for camera in ("c0", "c1", "c2"):
        for file in (root / camera).rglob("*.mp4"):
            assert (file.stat().st_ino in pool) == (file.relative_to(root).as_posix() not in damaged)


def test_a_true_event_lies_in_its_recording_and_in_its_point_s_own_zone(made: tuple[Path, Truth]) -> None:
    root, found = made
    cameras = {one.cameras[0].id: one.cameras[0] for one in POINTS}
    assert len(found.events) == 2
    for event in found.events:
        camera = cameras[event.camera_id]
        times = parse_template(camera.template).times(event.recording)
        assert times
        start = times.start.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
        assert (root / event.recording).is_file()
        assert start <= event.interval.start < event.interval.end <= start + LONGER
        assert event.interval.duration_s > 25
        zone = next(zone for zone in camera.zones if zone.id == event.zone)
        assert contact_share(event.box, zone.polygon) > 0.55


def test_truth_is_saved_and_read_back(made: tuple[Path, Truth], tmp_path: Path) -> None:
    root, found = made
    read = Truth.load(root / "truth.json")
    assert read.gaps == found.gaps
    assert [(e.interval, e.zone, e.recording) for e in read.events] == [
        (e.interval, e.zone, e.recording) for e in found.events
    ]
    (tmp_path / "truth.json").write_text("[]")
    with pytest.raises(BadInput, match="not the truth"):
        Truth.load(tmp_path / "truth.json")


def test_composing_again_gives_the_same_and_makes_nothing_anew(made: tuple[Path, Truth]) -> None:
    root, found = made
    before = {file: file.stat().st_mtime_ns for file in (root / POOL).iterdir()}
    assert compose(root) == found
    assert {file: file.stat().st_mtime_ns for file in (root / POOL).iterdir()} == before


def test_a_pool_can_be_composed_by_several_processes(tmp_path: Path) -> None:
    found = compose_archive(
        POINTS[:1], tmp_path, rules=RULES, days=1, end_day=date(2026, 1, 8), seed=3, minutes=1.0,
        resolution_wh=(160, 90), fps=0.5, workers=2,
    )  # fmt: skip
    assert found.pool == len(list((tmp_path / POOL).glob("*.mp4"))) == 6
    assert not list((tmp_path / POOL).glob("*.part*"))


def test_a_name_needs_a_template_that_a_name_can_be_made_by() -> None:
    start = datetime(2026, 1, 8, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
    own = replace(CAMERA, template="{year}{month}{day}/*-{hour}{minute}.mp4")
    assert recording_name(own, start, start) == "20260108/x-0800.mp4"
    with pytest.raises(BadInput, match="no name can be made"):
        recording_name(replace(CAMERA, template="{yaer}.mp4"), start, start)


@pytest.mark.slow
def test_a_case_over_two_recordings_is_written_as_two_files_with_one_label(tmp_path: Path) -> None:
    from detector.config.labels import load_labels

    clip = load_labels(make_case("two-recordings", 1, tmp_path)).clips[0]
    assert len(clip.files) == 2
    assert all((tmp_path / file).is_file() for file in clip.files)
