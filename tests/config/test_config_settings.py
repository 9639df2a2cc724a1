"""A working folder as one value, and the example that `kerbwatch init` writes."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detector.config.schema import PRESETS
from detector.config.settings import Settings, default_rules, load_rules, load_settings, load_zones
from detector.config.template import LAYOUTS, points, template_files, write_template
from detector.core.errors import BadInput
from detector.core.geometry import contact_share
from detector.core.values import Category, Violation, Zone, ZoneKind
from detector.footage import templates

CAR_WH = (130 / 960, 90 / 540)


@pytest.fixture(scope="module")
def settings(example: Path) -> Settings:
    return load_settings(example)


def test_the_example_has_39_points_in_four_categories(settings: Settings) -> None:
    assert Counter(point.category for point in settings.points) == {
        Category.ARTERIAL: 14, Category.COMMERCIAL_STREET: 10, Category.INTERSECTION: 11, Category.NIGHT_MARKET: 4
    }  # fmt: skip
    assert [point.id for point in settings.points] == [f"p{n:03d}" for n in range(1, 40)]
    assert len({point.name for point in settings.points}) == 39


def test_the_example_says_what_every_room_needs(settings: Settings, example: Path) -> None:
    assert settings.timezone == ZoneInfo("Asia/Shanghai")
    assert settings.period_days == 30
    assert settings.archive_root == example / "recordings"
    assert settings.database_url == f"sqlite:///{example}/state/kerbwatch.db"
    assert settings.observations_root == example / "state" / "observations"
    assert settings.evidence_root == example / "evidence"
    assert settings.model.imgsz_hw == (384, 640)
    assert set(settings.codes) == set(Violation)
    assert settings.codes[Violation.ILLEGAL_PARKING].code == "0505"
    assert settings.departments["traffic_police"].name == "交警大队"
    assert settings.rules.version == default_rules().version == load_rules(example / "rules.yaml").version


def test_settings_are_frozen_and_travel_to_other_processes(settings: Settings) -> None:
    with pytest.raises(FrozenInstanceError):
        settings.name = "x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_point_and_a_camera_are_found_by_id(settings: Settings) -> None:
    point, camera = settings.camera("p017")
    assert settings.point("p017") is point
    assert camera in point.cameras
    with pytest.raises(BadInput, match=r"no point 'p17' among 39; did you mean 'p017'\?"):
        settings.point("p17")
    with pytest.raises(BadInput, match=r"no camera '' among 39$"):
        settings.camera("")


def test_configs_is_exactly_what_init_writes(checkout: Path) -> None:
    for name, text in template_files().items():
        assert (checkout / "configs" / name).read_text(encoding="utf-8") == text, f"write configs/{name} anew"
    written = {path.name for path in (checkout / "configs" / "points").iterdir()}
    assert written == {Path(name).name for name in template_files() if name.startswith("points/")}


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        write_template(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rules.yaml"]


def test_init_into_what_is_no_folder_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        write_template(tmp_path / "file" / "below")


def _share_of_a_car(zone: Zone, x: float, foot_y: float) -> float:
    return contact_share((x, foot_y - CAR_WH[1], x + CAR_WH[0], foot_y), zone.polygon)


@pytest.mark.parametrize("kind", [ZoneKind.NO_PARKING, ZoneKind.SIDEWALK, ZoneKind.PARKING_BAY])
def test_a_parked_car_fits_into_every_strip_of_the_example(settings: Settings, kind: ZoneKind) -> None:
    for point in settings.points:
        for zone in (z for z in point.cameras[0].zones if z.kind is kind):
            middle_x = sum(x for x, _ in zone.polygon) / len(zone.polygon)
            bottom = max(y for _, y in zone.polygon)
            feet = [bottom - step / 200 for step in range(30)]
            best = max(_share_of_a_car(zone, middle_x - CAR_WH[0] / 2, foot) for foot in feet)
            assert best > 0.999, f"{point.id} {zone.id}"


def test_the_points_of_a_category_share_one_layout_within_a_few_pixels(settings: Settings) -> None:
    for point in settings.points:
        for zone, base in zip(point.cameras[0].zones, LAYOUTS[point.category], strict=True):
            assert (zone.id, zone.kind) == (base.id, base.kind)
            for (x, y), (base_x, base_y) in zip(zone.polygon, base.outline, strict=True):
                assert abs(x * 960 - base_x) <= 8.001
                assert abs(y * 540 - base_y) <= 6.001


def test_every_example_of_the_documentation_loads(tmp_path: Path) -> None:
    write_template(tmp_path)
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", template_files()["README.md"], re.DOTALL)
    assert [name for name, _ in blocks] == [
        "points/p040.yaml", "rules.yaml", "kerbwatch.yaml", "codes.yaml", "departments.yaml",
        "routing.yaml", "deadlines.yaml", "calendar.yaml", "webhooks.yaml", "zones.yaml",
    ]  # fmt: skip
    for name, text in blocks:
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path)
    assert len(settings.points) == 40
    assert settings.point("p040").cameras[0].zones[0].limits_s == {Violation.ILLEGAL_PARKING: 60.0}
    assert [camera.id for camera in settings.point("p040").cameras] == ["p040", "p040-b"]
    assert settings.archive_root == Path("/mnt/nvr")
    assert settings.evidence_root == "s3://kerbwatch/evidence"
    zones, resolution_wh, rules = load_zones(tmp_path / "zones.yaml")
    assert (zones[0].id, resolution_wh) == ("car-stand", (768, 576))
    assert rules is not None
    assert rules.rules[Violation.ILLEGAL_PARKING].dwell_s == 30


def test_zones_without_limits_bring_no_rules(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    path.write_text(
        '{"resolution_wh": [10, 20],\t"zones": [{"id": "a", "kind": "sidewalk", "polygon": [[0,0],[10,0],[10,20]]}]}'
    )
    zones, _, rules = load_zones(path)
    assert rules is None
    assert zones[0].polygon == ((0, 0), (1, 0), (1, 1))


def test_the_environment_goes_before_the_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", "postgresql+psycopg://me@db/x")
    monkeypatch.setenv("KERBWATCH_ARCHIVE_ROOT", "/mnt/nvr")
    monkeypatch.setenv("KERBWATCH_STATE_ROOT", "elsewhere")
    monkeypatch.setenv("KERBWATCH_MODEL_DEVICE", "cpu")
    monkeypatch.setenv("KERBWATCH_EVIDENCE_ROOT", "")
    settings = load_settings(folder)
    assert settings.database_url == "postgresql+psycopg://me@db/x"
    assert settings.archive_root == Path("/mnt/nvr")
    assert settings.observations_root == folder / "elsewhere" / "observations"
    assert settings.model.device == "cpu"
    assert settings.evidence_root == folder / "evidence"


def test_a_relative_sqlite_file_lies_below_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", "sqlite:///queue.db")
    assert load_settings(folder).database_url == f"sqlite:///{folder}/queue.db"
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", "sqlite:////var/queue.db")
    assert load_settings(folder).database_url == "sqlite:////var/queue.db"


def test_words_that_yaml_takes_for_something_else_stay_words(folder: Path) -> None:
    codes = folder / "codes.yaml"
    codes.write_text(
        codes.read_text(encoding="utf-8").replace('"0505"', "0505").replace("Litter", "no"), encoding="utf-8"
    )
    settings = load_settings(folder)
    assert settings.codes[Violation.ILLEGAL_PARKING].code == "0505"
    assert settings.codes[Violation.LITTER].name_en == "no"


def test_yaml_merges_and_anchors_work(folder: Path) -> None:
    path = folder / "rules.yaml"
    path.write_text(
        "illegal_parking: &parking {dwell_s: 60, min_share: 0.4}\n"
        "sidewalk_parking:\n  <<: *parking\n  dwell_s: 90\n",
        encoding="utf-8",
    )
    rules = load_rules(path).rules
    assert (rules[Violation.SIDEWALK_PARKING].dwell_s, rules[Violation.SIDEWALK_PARKING].min_share) == (
        90,
        0.4,
    )
    assert rules[Violation.SIDEWALK_PARKING].zones == (ZoneKind.SIDEWALK,)
    assert rules[Violation.CAMERA_FAULT].enabled


def test_a_point_file_is_named_after_its_point() -> None:
    assert [f"points/{point.id}.yaml" for point in points()] == [
        n for n in template_files() if n.startswith("points/")
    ]


def test_the_presets_are_those_that_footage_can_read() -> None:
    assert set(PRESETS) == set(templates.PRESETS)
    for text in (*PRESETS, "{year}-{month}-{day}/*_{hour}{minute}{second}.mp4"):
        assert templates.parse_template(text).text == text
