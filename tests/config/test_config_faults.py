"""Every fault of a configuration, at once, with its place and a suggestion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config.settings import load_rules, load_settings, load_zones
from detector.core.errors import BadConfig


@dataclass(frozen=True)
class Break:
    """One thing to break in the example, and the one line that says so."""

    file: str
    old: str
    new: str
    fault: str
    hides_others: bool = False
    """Or is hidden by others: a reader cannot know what else is meant."""

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        text = path.read_text(encoding="utf-8")
        assert self.old in text, f"{self.file} no longer holds {self.old!r}"
        path.write_text(text.replace(self.old, self.new, 1), encoding="utf-8")


P001, P015, P025, P036 = (f"points/{id_}.yaml" for id_ in ("p001", "p015", "p025", "p036"))
KERB_15 = "polygon: [[0, 304], [960, 326], [960, 416], [0, 392]]"
BAY_15 = "polygon: [[635, 322], [895, 328], [895, 410], [635, 404]]"
ROAD_1 = "polygon: [[0, 245], [960, 213], [960, 403], [0, 445]]"
DASHES = "id of letters, digits, '-' and '_' (quote a number)"

BREAKS = [
    Break("rules.yaml", "dwell_s: 180\n", "dwell_s: -5\n", "rules.yaml: illegal_parking.dwell_s: -5 is not above 0"),
    Break("rules.yaml", "dwell_s: 120", "dwell_s: .inf",
          "rules.yaml: illegal_parking.by_category.intersection.dwell_s: inf is not a number with an end"),
    Break("rules.yaml", "dwell_s: 600", "dwell_s: long",
          "rules.yaml: sidewalk_parking.by_category.night_market.dwell_s: 'long' is not a number"),
    Break("rules.yaml", "sidewalk_parking:", "sidewalk_prking:",
          "rules.yaml: sidewalk_prking: unknown key; did you mean 'sidewalk_parking'?", hides_others=True),
    Break("rules.yaml", "zones: [no_parking]", "zones: [no_parkin]",
          "rules.yaml: illegal_parking.zones[0]: 'no_parkin' is none of no_parking, sidewalk, parking_bay, "
          "no_vending, sanitation, carriageway, bin, tactile_path; did you mean 'no_parking'?", hides_others=True),
    Break("rules.yaml", "exempt_zones: [parking_bay]", "exempt_zones: [no_parking]",
          "rules.yaml: illegal_parking.exempt_zones: no_parking cannot be among the rule's zones and exempt from it"),
    Break("rules.yaml", '["07:00-22:00"]', '["07:00-25:00"]',
          "rules.yaml: illegal_parking.by_category.commercial_street.hours[0]: '07:00-25:00' is not hours such as "
          "'07:30-19:00'"),
    Break("rules.yaml", "    commercial_street:", "    comercial_street:",
          "rules.yaml: illegal_parking.by_category.comercial_street: 'comercial_street' is none of arterial, "
          "commercial_street, intersection, night_market; did you mean 'commercial_street'?", hides_others=True),
    Break("rules.yaml", "min_share: 0.5", "min_share: 1.5", "rules.yaml: illegal_parking.min_share: 1.5 is above 1"),
    Break("rules.yaml", "enabled: true", "enabled: yes",
          "rules.yaml: illegal_parking.enabled: 'yes' is neither true nor false"),
    Break("rules.yaml", "  enabled: true\n  dwell_s: 300", "  enabled: true\n  enabled: true\n  dwell_s: 300",
          "rules.yaml: sidewalk_parking.enabled: stands here more than once"),
    Break("kerbwatch.yaml", "timezone: Asia/Shanghai", "timezone: Asia/Shangai",
          "kerbwatch.yaml: timezone: 'Asia/Shangai' is no time zone such as 'Asia/Shanghai'; "
          "did you mean 'Asia/Shanghai'?"),
    Break("kerbwatch.yaml", "name: 示例县", "name: 7",
          "kerbwatch.yaml: name: 7 is not text (put it in quotes if it is meant as text)"),
    Break("kerbwatch.yaml", "name_en: Example County", "name_en:",
          "kerbwatch.yaml: name_en: nothing is not text (put it in quotes if it is meant as text)"),
    Break("kerbwatch.yaml", "period_days: 30", "period_days: 2.5",
          "kerbwatch.yaml: period_days: 2.5 is not a whole number"),
    Break("kerbwatch.yaml", "device: auto", "device: gpu",
          "kerbwatch.yaml: model.device: 'gpu' is none of auto, cpu, cuda; did you mean 'cpu'?"),
    Break("kerbwatch.yaml", "imgsz: [384, 640]", "imgsz: [380, 640]",
          "kerbwatch.yaml: model.imgsz: [380, 640] are not both multiples of 32"),
    Break("kerbwatch.yaml", "batch: 8", "batch: 0", "kerbwatch.yaml: model.batch: 0 is below 1"),
    Break("kerbwatch.yaml", "database: null", "database: postgres://me:secret@db/x",
          "kerbwatch.yaml: storage.database: 'postgres' is neither sqlite nor postgresql; did you mean 'postgresql'?"),
    Break("kerbwatch.yaml", "archive:\n  root: recordings", "archive: recordings",
          "kerbwatch.yaml: archive: 'recordings' is not a mapping of keys to values"),
    Break("codes.yaml", "litter:", "liter:", "codes.yaml: liter: unknown key; did you mean 'litter'?"),
    Break("codes.yaml", 'camera_fault: {code: "-"', 'camera_fault: {code: ""',
          "codes.yaml: camera_fault.code: must not be empty"),
    Break("codes.yaml", "name: 占道经营/流动摊贩, ", "", "codes.yaml: street_vending.name: is missing"),
    Break("departments.yaml", "traffic_police:", "交警:",
          f"departments.yaml: 交警: '交警' is not an {DASHES}"),
    Break("departments.yaml", "grid: {", "grid: [{",
          "departments.yaml: is not YAML: line 7, column 1: expected ',' or ']'", hides_others=True),
    Break(P001, "category: arterial", "category: arterail",
          f"{P001}: category: 'arterail' is none of arterial, commercial_street, intersection, night_market; "
          "did you mean 'arterial'?"),
    Break(P001, "name: 人民路东段", "nmae: 人民路东段", f"{P001}: nmae: unknown key; did you mean 'name'?"),
    Break(P001, "template: hikvision", "template: hikvison",
          f"{P001}: recordings.template: 'hikvison' is neither a preset (hikvision, dahua, iso) nor a template with "
          "{year} ... {minute}; did you mean 'hikvision'?"),
    Break(P001, ROAD_1, "polygon: [[0, 200], [960, 320], [960, 200], [0, 240]]",
          f"{P001}: zones[0].polygon: the outline crosses itself"),
    Break(P001, "kind: no_parking", "knd: no_parking", f"{P001}: zones[1].knd: unknown key; did you mean 'kind'?"),
    Break(P001, "id: stalls", "id: kerb", f"{P001}: zones[3].id: 'kerb' is the id of an earlier zone of this camera"),
    Break(P001, "clock_offset_s: 0", "clock_offset_s: '0'",
          f"{P001}: recordings.clock_offset_s: '0' is not a number"),
    Break(P015, "id: p015", "id: p001", f"{P015}: id: 'p001' is already the id of a camera in {P001}"),
    Break(P015, "folder: p015  ", "folder: p015\n  timezone: Mars/Olympus  ",
          f"{P015}: recordings.timezone: 'Mars/Olympus' is no time zone such as 'Asia/Shanghai'"),
    Break(P015, KERB_15, "polygon: [[0, 304], [960, 326]]",
          f"{P015}: zones[2].polygon: 2 corners, a polygon needs 3 or more"),
    Break(P015, BAY_15, "polygon: [[635, 322], [895, 328], [975, 410], [635, 404]]",
          f"{P015}: zones[3].polygon[2]: [975, 410] lies outside the picture of 960x540 pixels"),
    Break(P015, "kind: sidewalk", "limits: {illegal_parking: {dwell_s: 9}}\n    kind: sidewalk",
          f"{P015}: zones[0].limits: no rule illegal_parking looks at zones of kind sidewalk", hides_others=True),
    Break(P015, "kind: sanitation", "limits: {ilegal_parking: {dwell_s: 9}}\n    kind: sanitation",
          f"{P015}: zones[5].limits.ilegal_parking: 'ilegal_parking' is none of illegal_parking, sidewalk_parking, "
          "disorderly_bikes, street_vending, litter, overflowing_bin, piled_goods, camera_fault; did you mean 'illegal_parking'?"),
    Break(P025, "resolution_wh: [960, 540]", "resolution_wh: 960x540",
          f"{P025}: resolution_wh: '960x540' is not two whole numbers of pixels above 0"),
    Break(P025, "  - id: clean", "  - id: 4", f"{P025}: zones[3].id: 4 is not an {DASHES}"),
    Break(P025, "template: dahua", 'template: "{year}{month}{day}.mp4"',
          f"{P025}: recordings.template: the template '{{year}}{{month}}{{day}}.mp4' lacks {{hour}}, {{minute}}"),
    Break(P036, "folder: p036", "folder: p015",
          f"{P036}: recordings.template: the recordings in 'p015' are already those of a camera in {P015}"),
    Break(P036, '["18:00-23:30"]', "[18]", f"{P036}: zones[4].permitted[0]: 18 is not hours such as '07:30-19:00'"),
    Break(P036, "polygon: [[0, ", "polygon: [[0, x], [0, ",
          f"{P036}: zones[0].polygon[0]: [0, 'x'] is not a corner [x, y] in pixels"),
]  # fmt: skip


def faults_in(folder: Path) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        load_settings(folder)
    return [str(fault).removeprefix(f"{folder}/").replace(f"{folder}/", "") for fault in caught.value.faults]


def test_the_example_has_no_fault(folder: Path) -> None:
    assert len(load_settings(folder).points) == 4


@pytest.mark.parametrize("broken", BREAKS, ids=lambda b: b.fault.split(" ")[0] + b.fault.split(" ")[1])
def test_a_fault_is_told_once_with_its_place_and_a_suggestion(folder: Path, broken: Break) -> None:
    broken.apply(folder)
    assert faults_in(folder) == [broken.fault]


@settings(max_examples=25)
@given(broken=st.sets(st.sampled_from([i for i, b in enumerate(BREAKS) if not b.hides_others]), min_size=1))
def test_whatever_is_broken_together_is_told_together(copies: Callable[[], Path], broken: set[int]) -> None:
    folder = copies()
    for i in broken:
        BREAKS[i].apply(folder)
    assert sorted(faults_in(folder)) == sorted(BREAKS[i].fault for i in broken)


def test_no_route_is_called_idle_where_the_points_it_is_for_cannot_be_read(folder: Path) -> None:
    broken = [b for b in BREAKS if b.file in (P001, P015, P025) and not b.hides_others]
    for one in {b.file: b for b in broken}.values():
        one.apply(folder)
    assert not [fault for fault in faults_in(folder) if fault.startswith("routing.yaml")]


def test_faults_stand_in_the_order_of_files_and_places(folder: Path) -> None:
    zones = "".join(
        f"  - {{id: z{i}, kind: sidewlk, polygon: [[0, 0], [9, 0], [9, 9]]}}\n" for i in range(11)
    )
    (folder / P036).write_text(
        "id: p036\nname: x\nname_en: x\ncategory: arterial\nresolution_wh: [9, 9]\n"
        f"recordings: {{folder: a, template: iso}}\nzones:\n{zones}"
    )
    (folder / "codes.yaml").unlink()
    told = [fault.split(" ")[:2] for fault in faults_in(folder)]
    assert told == [["codes.yaml:", "no"]] + [[f"{P036}:", f"zones[{i}].kind:"] for i in range(11)]


def test_an_empty_folder_lacks_every_file(tmp_path: Path) -> None:
    assert faults_in(tmp_path) == [
        "codes.yaml: no such file",
        "departments.yaml: no such file",
        "kerbwatch.yaml: no such file",
        "points: cannot be read: No such file or directory",
        "rules.yaml: no such file",
    ]


def test_a_missing_folder_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no such folder; `kerbwatch init` writes one"):
        load_settings(tmp_path / "nowhere")


def test_a_folder_without_points_is_a_fault(folder: Path) -> None:
    for path in (folder / "points").iterdir():
        path.unlink()
    assert faults_in(folder) == ["points: holds no point, that is no file such as p001.yaml"]


def test_a_misnamed_file_is_suggested(folder: Path) -> None:
    (folder / "rules.yaml").rename(folder / "rule.yaml")
    assert faults_in(folder) == ["rules.yaml: no such file; did you mean 'rule.yaml'?"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"# a comment only\n", "is empty"),
        ("name: 示例县".encode("gbk"), "is not UTF-8 text (byte 8); save it as UTF-8"),
        (b"- a\n- b\n", "['a', 'b'] is not a mapping of keys to values"),
        (b"a: \x07", "is not YAML: a character that no text file holds (#x0007)"),
        (b"a: &x [*x]", "is not YAML: line 1, column 4: found unconstructable recursive node"),
        (b"[" * 5000, "is nested too deeply, or contains itself"),
        (b"[" * 100_000, "is nested too deeply, or contains itself"),
        (b"- " * 100_000 + b"a", "is nested too deeply, or contains itself"),
        (b"a: *gone", "is not YAML: line 1, column 4: found undefined alias 'gone'"),
        (b"a: !!set2 {}",
         "is not YAML: line 1, column 4: could not determine a constructor for the tag 'tag:yaml.org,2002:set2'"),
        (b"? [a, b]\n: c\n", "is not YAML: line 1, column 3: found unhashable key"),
        (b"illegal_parking:\n", "illegal_parking: has nothing in it; to switch the rule off, say enabled: false"),
        (b"street_parking: {enabled: true}\n",
         "street_parking: unknown key; did you mean 'street_vending'?"),
        (b"street_vending: {dwell_s: 1, things: [person]}",
         "street_vending.things[0]: 'person' is none of goods, vehicle, bike"),
        (b"disorderly_bikes: {dwell_s: 1, min_count: 0}", "disorderly_bikes.min_count: 0 is below 1"),
        (b"disorderly_bikes: {dwell_s: 1, min_count: 2.5}", "disorderly_bikes.min_count: 2.5 is not a whole number"),
        (b"5: x\n", "[5]: the key is not text"),
        (b"camera_fault: {enabled: 1}\n", "camera_fault.enabled: 1 is neither true nor false"),
        (b"illegal_parking: {dwell_s: 1, zones: []}", "illegal_parking.zones: must not be empty"),
        (b"illegal_parking: {dwell_s: 1, hours: []}", "illegal_parking.hours: must not be empty"),
        (b"illegal_parking: {dwell_s: 1, hours: '07:00-08:00'}", "illegal_parking.hours: '07:00-08:00' is not a list"),
        (b"illegal_parking: {dwell_s: 1, hours: [08:00-08:00]}",
         "illegal_parking.hours[0]: hours must lie within 00:00-24:00 and differ, got 08:00-08:00"),
        (b"illegal_parking: {enabled: false}", "illegal_parking.dwell_s: is missing"),
    ],
)  # fmt: skip
def test_what_a_rules_file_may_be_instead(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes(content)
    with pytest.raises(BadConfig) as caught:
        load_rules(path)
    assert [str(f) for f in caught.value.faults] == [f"{path}: {fault}"]


def test_a_file_that_cannot_be_read_is_a_fault(folder: Path) -> None:
    (folder / "codes.yaml").unlink()
    (folder / "codes.yaml").mkdir()
    assert faults_in(folder) == ["codes.yaml: cannot be read: Is a directory"]


def test_a_bad_value_in_the_environment_is_a_fault_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERBWATCH_MODEL_DEVICE", "gpu")
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", "mysql://root:secret@db/x")
    assert faults_in(folder) == [
        "environment: KERBWATCH_DATABASE_URL: 'mysql' is neither sqlite nor postgresql",
        "environment: KERBWATCH_MODEL_DEVICE: 'gpu' is none of auto, cpu, cuda; did you mean 'cpu'?",
    ]


def test_a_second_camera_is_checked_by_its_own_picture(folder: Path) -> None:
    with (folder / P001).open("a", encoding="utf-8") as file:
        file.write(
            "more_cameras:\n"
            "  - id: p001-b\n    resolution_wh: [100, 100]\n    recordings: {folder: b, template: iso}\n"
            "    zones: [{id: kerb, kind: no_parking, polygon: [[0, 0], [200, 0], [9, 9]]}]\n"
            "  - id: p001\n    resolution_wh: [0, 100]\n    recordings: {folder: p001, template: hikvision}\n"
            "    zones: [{id: kerb, kind: no_parking, polygon: [[0, 0], [200, 0], [9, 9]]}]\n"
        )
    assert faults_in(folder) == [
        f"{P001}: more_cameras[0].zones[0].polygon[1]: [200, 0] lies outside the picture of 100x100 pixels",
        f"{P001}: more_cameras[1].id: 'p001' is already the id of a camera in {P001}",
        f"{P001}: more_cameras[1].recordings.template: the recordings in 'p001' are already those of a camera in {P001}",
        f"{P001}: more_cameras[1].resolution_wh: [0, 100] is not two whole numbers of pixels above 0",
    ]


def test_a_zones_file_has_all_its_faults_told(tmp_path: Path) -> None:
    path = tmp_path / "zones.yaml"
    path.write_text(
        "resolution_wh: [10, 10]\nzone: []\nlimits: {illegal_parking: {dwell: 3}}\n", encoding="utf-8"
    )
    with pytest.raises(BadConfig) as caught:
        load_zones(path)
    assert [str(f).removeprefix(f"{path}: ") for f in caught.value.faults] == [
        "limits.illegal_parking.dwell: unknown key; did you mean 'dwell_s'?",
        "zone: unknown key; did you mean 'zones'?",
    ]
