"""Files that people keep are changed where something changed, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.config.editing import (
    ChangedOnDisk,
    checked_point,
    point_file,
    save,
    site_file,
    with_values,
    with_zones,
    zones_in,
)
from detector.config.settings import Settings, load_settings
from detector.config.template import write_template
from detector.core.errors import BadConfig

NOW = datetime(2026, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("editing") / "county"
    write_template(folder)
    return load_settings(folder)


def test_a_moved_corner_changes_one_line_and_no_comment(county: Settings) -> None:
    kept = point_file(county, "p017")
    _, zones = zones_in(kept, "p017")
    zones[2]["polygon"] = [[5, 310], *zones[2]["polygon"][1:]]
    before, after = kept.text.splitlines(), with_zones(kept, "p017", zones).splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.strip() for _, new in changed] == ["polygon: [[5, 310], [960, 323], [960, 413], [0, 389]]"]


def test_zones_come_and_go_and_the_rest_keeps_its_letters(county: Settings) -> None:
    kept = point_file(county, "p017")
    _, zones = zones_in(kept, "p017")
    zones[2] |= {"permitted": ["07:30-19:00"], "limits": {"illegal_parking": {"dwell_s": 600}}}
    del zones[3]
    zones.append({"id": "new", "kind": "no_parking", "polygon": [[1, 1], [50, 1], [50, 60.5]]})
    text = with_zones(kept, "p017", zones)
    assert "kind: sidewalk  # 人行道" in text
    assert "id: bay" not in text
    point = checked_point(county, kept, text)
    assert [zone.id for zone in point.cameras[0].zones] == [
        "footway",
        "road",
        "kerb",
        "stalls",
        "clean",
        "new",
    ]
    assert str(point.cameras[0].zones[2].permitted[0]) == "07:30-19:00"


def test_unchanged_zones_give_the_very_text(county: Settings) -> None:
    for point in county.points:
        kept = point_file(county, point.id)
        assert with_zones(kept, point.id, zones_in(kept, point.id)[1]) == kept.text


def test_a_list_in_brackets_is_written_anew_and_says_the_same(county: Settings) -> None:
    kept = point_file(county, "p017")
    head = kept.text.partition("zones:\n")[0]
    kept = replace(kept, text=head + "zones: [{id: a, kind: sidewalk, polygon: [[0, 0], [9, 0], [9, 9]]}]\n")
    zones = [{"id": "b", "kind": "no_parking", "polygon": [[0, 0], [9, 0], [9, 8]]}]
    assert zones_in(replace(kept, text=with_zones(kept, "p017", zones)), "p017")[1] == zones


def test_every_fault_is_told_with_its_place(county: Settings) -> None:
    kept = point_file(county, "p017")
    _, zones = zones_in(kept, "p017")
    zones[0]["polygon"] = [[1, 1]]
    zones[1]["kind"] = "sidewalks"
    with pytest.raises(BadConfig) as told:
        checked_point(county, kept, with_zones(kept, "p017", zones))
    assert [(fault.file, fault.place) for fault in told.value.faults] == [
        ("points/p017.yaml", "zones[0].polygon"),
        ("points/p017.yaml", "zones[1].kind"),
    ]


def test_the_old_text_is_kept_and_what_somebody_else_wrote_is_not_overwritten(county: Settings) -> None:
    kept = point_file(county, "p018")
    old = save(county, kept, kept.text + "# more\n", NOW)
    assert old.read_text(encoding="utf-8") == kept.text
    with pytest.raises(ChangedOnDisk):
        save(county, kept, "anything", NOW)
    assert point_file(county, "p018").text == kept.text + "# more\n"
    assert [path for path in Path(county.folder / "points").iterdir() if path.name.startswith(".")] == []


def test_a_plain_value_changes_in_its_place(county: Settings) -> None:
    kept = site_file(county)
    text = with_values(kept, {"name": '某县: "x"', "period_days": 14})
    assert 'name: "某县: \\"x\\""' in text
    assert "period_days: 14  # 考核抽查范围" in text
