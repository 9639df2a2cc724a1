"""Recordings whose clocks are wrong, judged from end to end: a bus stands at the kerb from 9.4 to 229.2 s of 240 s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from timelines_fixture import bare, joined, remade
from video_fixture import Made

from detector.config.settings import load_zones
from detector.core.values import Camera, Category, Point
from detector.inference.detector import OpenVinoDetector
from detector.pipeline.clips import Checked, check_files

pytest_plugins = ["model_fixture"]
pytestmark = pytest.mark.slow

START = datetime(2026, 1, 8, 4, tzinfo=UTC)
CAME_S, LEFT_S = 9.4, 229.2
NAMED = "ch01_20260108080000_20260108080400"

Build = Callable[[Made, Path], Path]


@dataclass(frozen=True)
class Case:
    """A file made of the base recording, and what is right: when the bus stands by the recorder's clock, if too long."""

    name: str
    file: str
    build: Build
    limit_s: float
    stands_s: tuple[float, float] | None
    says: str


def headless(made: Made, path: Path) -> Path:
    """Without the first 2 s: the first keyframe comes after 8 s."""
    return remade(made, path, lambda t: t - 2, from_s=2)


def restarted(made: Made, path: Path) -> Path:
    parts = [
        remade(made, path.with_name("1.ts"), until_s=40),
        remade(made, path.with_name("2.ts"), lambda t: t - 40, from_s=40),
    ]
    return joined(parts, path)


def jumping(made: Made, path: Path) -> Path:
    return remade(made, path, lambda t: t + 36000 if t >= 120 else t)


def faster(made: Made, path: Path) -> Path:
    return remade(made, path, lambda t: t * 1.25)


def slower(made: Made, path: Path) -> Path:
    return remade(made, path, lambda t: t * 0.8)


STANDS = (CAME_S, LEFT_S)
CASES = [
    Case("C01 mp4", "a.mp4", headless, 60, (8.0, LEFT_S - 2), "its first 8.0 s cannot be decoded"),
    Case("C01 ts", "a.ts", headless, 60, (8.0, LEFT_S - 2), "its first 8.0 s cannot be decoded"),
    Case("C03", f"{NAMED}.264", bare, 60, STANDS, "12.5 a second follow from its name"),
    Case("C04", "c.ts", restarted, 60, STANDS, "its clock goes back by 40 s"),
    Case("C05", f"{NAMED}.mp4", jumping, 60, STANDS, "its clock jumps ahead by 36000 s"),
    Case("C06, no false accusation", f"{NAMED}.mp4", faster, 240, None, "300 s by its container"),
    Case("C06, long enough", f"{NAMED}.mp4", faster, 200, STANDS, "300 s by its container"),
    Case("C06 reversed, found", f"{NAMED}.mp4", slower, 200, STANDS, "192 s by its container"),
    Case("C06 reversed, not too long", f"{NAMED}.mp4", slower, 240, None, "192 s by its container"),
]


def checked(base: Path, case: Case, folder: Path, model: OpenVinoDetector) -> Checked:
    text = (base / "zones.yaml").read_text()
    assert "dwell_s: 60" in text
    (folder / "zones.yaml").write_text(text.replace("dwell_s: 60", f"dwell_s: {case.limit_s}"))
    zones, resolution_wh, rules = load_zones(folder / "zones.yaml")
    assert rules is not None
    camera = Camera("clip", zones, UTC, resolution_wh)
    point = Point("clip", "clip", "clip", Category.ARTERIAL, (camera,))
    file = case.build(Made(base / "base.mp4", (), 125), folder / case.file)
    return check_files([file], START, point, camera, rules, model)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stay_is_timed_by_the_recorders_clock(
    shared: Path, case: Case, tmp_path: Path, model: OpenVinoDetector
) -> None:
    base = shared / "cases" / "base"
    if not base.is_dir():
        pytest.skip(f"no base recording at {base}")
    found = checked(base, case, tmp_path, model)
    stays = [
        tuple(
            (at - found.start).total_seconds() for at in (p.incident.interval.start, p.incident.interval.end)
        )
        for p in found.proofs
    ]
    assert [stay == pytest.approx(case.stands_s, abs=2.0) for stay in stays] == [True] * bool(case.stands_s)
    assert not found.failed
    assert any(case.says in note for note in found.clock_notes)
