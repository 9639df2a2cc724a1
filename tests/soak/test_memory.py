"""The memory of a scan does not grow with the length of the footage."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from made_archive import Job, kerbwatch, make_all, parked, place_of, scene_of, write_folder
from processes import peak_mb

from detector.core.values import ZoneKind

pytest_plugins = ["archive_fixture"]
SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
SHORT_H, LONG_H = (1.0, 20.0) if SOAK else (0.2, 2.0)
LENGTH_S = 360.0
BOUND_MB = 60.0
"""What a scan of the longer footage may need more; what is kept of a sample is some kilobytes."""


def county(folder: Path, hours: float, clips: tuple[Path, Path]) -> None:
    """One camera with `hours` of recordings one after another, the first with a parked car and the others without."""
    settings = write_folder(folder, points=("p001",))
    (camera,) = settings.point("p001").cameras
    midnight = datetime(2026, 1, 8, tzinfo=settings.timezone)
    for number in range(round(hours * 3600 / LENGTH_S)):
        path = place_of(settings, camera, midnight + timedelta(seconds=number * LENGTH_S), LENGTH_S)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(clips[min(number, 1)], path)


def test_the_peak_memory_of_a_scan_does_not_grow_with_the_length_of_the_footage(
    tmp_path: Path, weights: Path
) -> None:
    settings = write_folder(tmp_path / "scene", points=("p001",))
    (camera,) = settings.point("p001").cameras
    noon = datetime(2026, 1, 8, 12, tzinfo=settings.timezone)
    clips = (tmp_path / "parked.mp4", tmp_path / "traffic.mp4")
    car = parked(camera, ZoneKind.NO_PARKING, 60, 200)
    make_all(
        [
            Job(scene_of(camera, noon, *actors, length_s=LENGTH_S), path)
            for path, actors in zip(clips, ((car,), ()), strict=True)
        ]
    )
    peaks = {}
    for hours in (SHORT_H, LONG_H):
        folder = tmp_path / f"{hours}"
        county(folder, hours, clips)
        words = ("scan", "-C", folder, "--until", "2026-01-08", "--days", 1, "--workers", 1, "--json")
        code, peaks[hours] = peak_mb(words)
        assert code == 0
        assert len(kerbwatch("issues", "list", "-C", folder, "--json").json) >= 1
    print({f"{hours:g} h": f"{peak:.0f} MB" for hours, peak in peaks.items()})
    assert peaks[LONG_H] - peaks[SHORT_H] < BOUND_MB
