"""Files that people keep are changed where something changed, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from detector.config.editing import (
    ChangedOnDisk,
    checked_point,
    point_file,
    save,
    site_file,
    with_resolution,
    with_values,
    with_zones,
    without_example_mark,
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


def test_confirmed_zones_lose_their_mark_and_nothing_else(county: Settings) -> None:
    kept = point_file(county, "p017")
    text = without_example_mark(kept, "p017")
    lost = set(kept.text.splitlines()) - set(text.splitlines())
    assert [line.partition("  #")[0] for line in lost] == ["example_zones: true"]
    assert checked_point(county, kept, kept.text).cameras[0].zones_judged is False
    assert checked_point(county, kept, text).cameras[0].zones_judged is True
    assert without_example_mark(replace(kept, text=text), "p017") == text


@pytest.mark.parametrize(
    "view",
    [
        "{id: p017-b, example_zones: true, resolution_wh: [64, 36], recordings: {folder: b, template: iso}, zones: []}",
        (
            "example_zones: true\n    id: p017-b\n    resolution_wh: [64, 36]\n"
            "    recordings: {folder: b, template: iso}\n    zones: []"
        ),
    ],
    ids=["in brackets", "first of its camera"],
)
def test_the_mark_of_another_camera_becomes_false_where_it_has_no_line_of_its_own(
    county: Settings, view: str
) -> None:
    kept = point_file(county, "p017")
    kept = replace(kept, text=f"{kept.text}more_cameras:\n  - {view}\n")
    one, other = checked_point(county, kept, without_example_mark(kept, "p017-b")).cameras
    assert (one.zones_judged, other.zones_judged) == (False, True)


@pytest.mark.parametrize(("size", "kept_size"), [((720, 576), "[720, 576]"), ((540, 960), "[540, 960]")])
def test_a_new_picture_size_scales_the_zones_to_whole_pixels(
    county: Settings, size: tuple[int, int], kept_size: str
) -> None:
    kept = point_file(county, "p017")
    text = with_resolution(kept, "p017", size, scale_zones=True)
    assert f"resolution_wh: {kept_size}\n" in text
    assert "kind: sidewalk  # 人行道" in text
    before, after = (checked_point(county, kept, one).cameras[0].zones for one in (kept.text, text))
    for old, new in zip(before, after, strict=True):
        assert np.abs(np.array(old.polygon) - np.array(new.polygon)).max() < 1 / min(size)


def test_a_new_picture_size_may_leave_the_zones_where_they_are_unless_they_would_leave_the_picture(
    county: Settings,
) -> None:
    kept = point_file(county, "p017")
    text = with_resolution(kept, "p017", (1280, 960), scale_zones=False)
    assert zones_in(replace(kept, text=text), "p017")[1] == zones_in(kept, "p017")[1]
    small = with_resolution(kept, "p017", (352, 288), scale_zones=False)
    with pytest.raises(BadConfig, match="lies outside the picture of 352x288 pixels"):
        checked_point(county, kept, small)


def test_a_size_that_stands_in_lines_is_written_anew(county: Settings) -> None:
    kept = point_file(county, "p017")
    kept = replace(
        kept, text=kept.text.replace("resolution_wh: [960, 540]", "resolution_wh:\n  - 960\n  - 540")
    )
    text = with_resolution(kept, "p017", (640, 480), scale_zones=False)
    assert zones_in(replace(kept, text=text), "p017")[0] == (640, 480)


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
