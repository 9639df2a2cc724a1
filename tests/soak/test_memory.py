"""The memory of a scan does not grow with the length of the footage."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_archive import LENGTH_S, Made, place_of, write_folder
from processes import run

pytest_plugins = ["archive_fixture"]
SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
SHORT_H, LONG_H = (1.0, 20.0) if SOAK else (0.2, 1.2)
BOUND_MB = 60.0
"""A scan of the longer footage may need so much more; what is kept of a sample is some kilobytes. It was 9 MB when last
measured at full length (docs/soak.md)."""


def county(folder: Path, hours: float, composed: Made) -> None:
    """One camera with `hours` of recordings one after another, the first with a parked car and the others without."""
    settings = write_folder(folder, points=("p001",))
    (camera,) = settings.point("p001").cameras
    clips = [
        next((composed.settings.archive_root / "p001").rglob(f"*_{day}*")) for day in ("20260108", "20260109")
    ]
    midnight = datetime(2026, 1, 8, tzinfo=settings.timezone)
    for number in range(round(hours * 3600 / LENGTH_S)):
        path = place_of(settings, camera, midnight + timedelta(seconds=number * LENGTH_S), LENGTH_S)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(clips[min(number, 1)], path)


@pytest.mark.soak
@pytest.mark.slow
def test_the_peak_memory_of_a_scan_does_not_grow_with_the_length_of_the_footage(
    tmp_path: Path, composed: Made
) -> None:
    peaks = {}
    for hours in (SHORT_H, LONG_H):
        folder = tmp_path / f"{hours}"
        county(folder, hours, composed)
        words = ("scan", "-C", folder, "--until", "2026-01-08", "--days", 1, "--workers", 1, "--json")
        ended = run(words)
        assert ended.code == 0, ended.errors
        peaks[hours] = ended.peak_mb
        (camera,) = json.loads(ended.out)["cameras"]
        assert camera["footage_s"] == pytest.approx(hours * 3600, rel=0.1)
        assert len(camera["filed"]) == 1
        print(
            f"{hours:g} h: {camera['samples']} samples, {ended.peak_mb:.0f} MB, {ended.cpu_s:.0f} s of processor time"
        )
    assert peaks[LONG_H] - peaks[SHORT_H] < BOUND_MB
