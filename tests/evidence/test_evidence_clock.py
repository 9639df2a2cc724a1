"""Evidence shows the county's clock, whatever clock the recorder goes by; only the manifest names that one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detector.core.geometry import Box
from detector.core.values import Camera, Image, Proof, Violation
from detector.evidence import Scene, text, write_evidence
from detector.evidence.acceptance import after_picture

SHANGHAI = ZoneInfo("Asia/Shanghai")
Shots = list[tuple[datetime, Image, Box | None]]
RECORDERS = {
    "county's": (None, 0.0, "2026-01-08T23:58:31.000+08:00"),
    "utc": (ZoneInfo("UTC"), 0.0, "2026-01-08T15:58:31.000+00:00"),
    "utc, 90 s fast": (ZoneInfo("UTC"), -90.0, "2026-01-08T16:00:01.000+00:00"),
    "new york": (ZoneInfo("America/New_York"), 0.0, "2026-01-08T10:58:31.000-05:00"),
}
"""By name the recorder's zone, its camera's clock offset, and what it showed at the first still."""


@pytest.fixture(params=RECORDERS)
def recorder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def camera(scene: Scene, recorder: str) -> Camera:
    zone, offset_s, _ = RECORDERS[recorder]
    return replace(scene.camera, recorder_timezone=zone, clock_offset_s=offset_s)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are drawn, as they are drawn."""
    lines: list[str] = []
    real = text.draw_text

    def noted(image: object, line: str, *rest: object) -> None:
        lines.append(line)
        real(image, line, *rest)

    monkeypatch.setattr(text, "draw_text", noted)
    return lines


def test_every_picture_is_drawn_with_the_countys_time_and_its_offset(
    drawn: list[str], scene: Scene, camera: Camera, proof: Proof, shots: Shots, tmp_path: Path
) -> None:
    evidence = write_evidence(tmp_path, proof, replace(scene, camera=camera), shots)
    assert evidence.folder.startswith("2026-01-08/")
    stamps = [line for line in drawn if line.startswith("2026-")]
    assert len(stamps) >= 2 * len(proof.stills) + len(shots)
    first = proof.stills[0].at.astimezone(SHANGHAI)
    assert stamps[0].startswith(f"{first:%Y-%m-%d %H:%M:%S} +08:00")
    assert all(stamp[19:26] == " +08:00" for stamp in stamps)


def test_the_picture_after_is_drawn_with_the_countys_time(
    drawn: list[str], scene: Scene, camera: Camera
) -> None:
    at = datetime(2026, 1, 8, 0, 5, tzinfo=UTC)
    place = (Violation.ILLEGAL_PARKING, (0.5, 0.4, 0.6, 0.55))
    after_picture(np.full((240, 320, 3), 90, np.uint8), scene.point, camera, camera.zones[0], place, at)
    (stamp,) = [line for line in drawn if line.startswith("2026-")]
    assert stamp.startswith("2026-01-08 08:05:00 +08:00")


def test_the_manifest_has_the_countys_times_and_beside_them_the_recorders(
    scene: Scene, camera: Camera, proof: Proof, shots: Shots, tmp_path: Path, recorder: str
) -> None:
    zone, offset_s, showed = RECORDERS[recorder]
    evidence = write_evidence(tmp_path, proof, replace(scene, camera=camera), shots)
    manifest = json.loads((tmp_path / evidence.folder / "manifest.json").read_bytes())
    assert manifest["interval"]["start"] == "2026-01-08T23:58:30.000+08:00"
    assert manifest["camera"]["timezone"] == "Asia/Shanghai"
    assert manifest["recorder"] == {"timezone": str(zone or SHANGHAI), "clock_offset_s": offset_s}
    still = manifest["stills"][0]
    assert (still["at"], still["recorder_at"]) == ("2026-01-08T23:58:31.000+08:00", showed)
    apart = datetime.fromisoformat(still["at"]) - datetime.fromisoformat(still["recorder_at"])
    assert apart == timedelta(seconds=offset_s)
