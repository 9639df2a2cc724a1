"""`points`: example zones are confirmed once, and a camera gets the picture size of its recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_archive import PERIOD, Made, kerbwatch

from detector.config.settings import load_settings

pytest_plugins = ["archive_fixture"]


@pytest.fixture
def county(tmp_path: Path) -> Path:
    assert kerbwatch("init", tmp_path / "county").code == 0
    return tmp_path / "county"


def test_points_says_which_zones_are_examples_until_they_are_confirmed(county: Path) -> None:
    shown = kerbwatch("points", "-C", county)
    assert shown.code == 0
    assert (
        "39 of 39 cameras have example zones that nobody has confirmed: they could not be judged" in shown.err
    )
    assert not any(
        point["cameras"][0]["zones_judged"] for point in kerbwatch("points", "-C", county, "--json").json
    )
    assert kerbwatch("points", "confirm", "p001", "p017", "-C", county).code == 0
    assert "37 of 39 cameras" in kerbwatch("points", "-C", county).err
    assert "37 cameras confirmed" in kerbwatch("points", "confirm", "--all", "-C", county).out
    assert "example zones" not in kerbwatch("points", "-C", county).err
    assert load_settings(county).unconfirmed == ()


def test_confirm_wants_to_know_which(county: Path) -> None:
    assert kerbwatch("points", "confirm", "-C", county).code == 2
    assert kerbwatch("points", "confirm", "p001", "--all", "-C", county).code == 2
    unknown = kerbwatch("points", "confirm", "p01", "-C", county)
    assert unknown.code == 2
    assert "did you mean" in unknown.err


def test_resize_sets_a_size_and_wants_to_know_what_becomes_of_the_zones(county: Path) -> None:
    resize = ("points", "resize", "p001", "-C", county, "--size", "720x576")
    assert kerbwatch(*resize).code == 2
    assert kerbwatch(*resize[:-1], "wide", "--scale-zones").code == 2
    assert kerbwatch(*resize, "--scale-zones").code == 0
    camera = load_settings(county).point("p001").cameras[0]
    assert camera.resolution_wh == (720, 576)
    assert max(x for zone in camera.zones for x, _ in zone.polygon) == 1


def test_recordings_of_another_shape_are_reported_and_their_size_is_offered(scanned: Made) -> None:
    county = scanned.folder
    assert "shape" not in kerbwatch("points", "-C", county).err
    assert kerbwatch("points", "resize", "p001", "--size", "704x576", "--scale-zones", "-C", county).code == 0
    told = kerbwatch("points", "-C", county)
    assert "p001: 2 of 2 recordings have another picture shape" in told.err
    camera = kerbwatch("points", "-C", county, "--json").json[0]["cameras"][0]
    width, height = camera["other_shape"]["found_wh"]
    said = kerbwatch("scan", "-C", county, *PERIOD, "--point", "p001", "--plan-only")
    assert said.code == 0
    assert kerbwatch("points", "resize", "p001", "--scale-zones", "-C", county).code == 0
    assert load_settings(county).point("p001").cameras[0].resolution_wh == (width, height)
    assert "shape" not in kerbwatch("points", "-C", county).err


def test_unconfirmed_zones_are_scanned_and_not_judged_and_confirming_them_files_without_decoding_again(
    unscanned: Made,
) -> None:
    county = unscanned.folder
    site = county / "kerbwatch.yaml"
    site.write_text(
        site.read_text(encoding="utf-8").replace("judge_example_zones: true", "judge_example_zones: false"),
        encoding="utf-8",
    )
    scan = ("scan", "-C", county, *PERIOD, "--point", "p001", "--workers", 1)
    first = kerbwatch(*scan)
    assert first.code == 4
    assert "1 of 1 cameras have example zones that nobody has confirmed" in first.err
    assert kerbwatch("issues", "list", "-C", county, "--json").json == []
    assert kerbwatch("points", "confirm", "p001", "-C", county).code == 0
    again = kerbwatch(*scan, "--json")
    assert again.code == 0
    (camera,) = again.json["cameras"]
    assert camera["zones_judged"]
    assert camera["samples"] == 0
    assert [issue["violation"] for issue in kerbwatch("issues", "list", "-C", county, "--json").json] == [
        "illegal_parking"
    ]
