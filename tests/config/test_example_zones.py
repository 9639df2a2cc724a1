"""Zones that `init` wrote are judged only after somebody has confirmed them, or where a setting says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.config.settings import load_settings
from detector.config.template import write_template


def test_the_zones_of_the_example_are_not_judged_before_they_are_confirmed(folder: Path) -> None:
    settings = load_settings(folder)
    assert len(settings.unconfirmed) == len(settings.points) == 4
    assert all(camera.zones and camera.example_zones for camera in settings.unconfirmed)


@pytest.mark.parametrize("line", ["", "example_zones: false\n"])
def test_a_file_without_the_mark_counts_as_confirmed(folder: Path, line: str) -> None:
    path = folder / "points" / "p001.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line if one.startswith("example_zones:") else one for one in lines)
    path.write_text(text, encoding="utf-8")
    assert [camera.id for camera in load_settings(folder).unconfirmed] == ["p015", "p025", "p036"]


def test_a_setting_lets_example_zones_judge_and_they_stay_examples(tmp_path: Path) -> None:
    write_template(tmp_path, judge_example_zones=True)
    settings = load_settings(tmp_path)
    assert settings.unconfirmed == ()
    assert all(point.cameras[0].example_zones for point in settings.points)


@pytest.mark.parametrize(("value", "unconfirmed"), [("true", 0), ("false", 4), ("", 4)])
def test_the_environment_goes_before_the_setting(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, unconfirmed: int
) -> None:
    monkeypatch.setenv("KERBWATCH_JUDGE_EXAMPLE_ZONES", value)
    assert len(load_settings(folder).unconfirmed) == unconfirmed
