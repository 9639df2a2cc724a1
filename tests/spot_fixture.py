"""A short made clip in which a vehicle stands too long, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_archive import Job, make, parked, scene_of
from made_clip import LENGTH_S, STANDS_S, STARTS

from detector.config.settings import load_settings
from detector.config.template import template_files
from detector.core.values import ZoneKind


@pytest.fixture(scope="session")
def parked_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the camera p001: a minibus in the no-parking zone for 80 s."""
    folder = tmp_path_factory.mktemp("clip")
    for name, text in template_files(judge_example_zones=True).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    camera = load_settings(folder).point("p001").cameras[0]
    scene = scene_of(camera, STARTS, parked(camera, ZoneKind.NO_PARKING, *STANDS_S), length_s=LENGTH_S)
    path = folder / "clip.mp4"
    make(Job(scene, path))
    return path
