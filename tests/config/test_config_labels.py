"""Labels: what a careful person sees in clips."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.config.labels import LabelledFault, load_labels
from detector.core.errors import BadConfig
from detector.core.values import Violation

ZONE = {"id": "kerb", "kind": "no_parking", "polygon": [[0, 0], [200, 0], [200, 100]]}
EVENT = {
    "violation": "illegal_parking",
    "zone": "kerb",
    "from_s": 1,
    "until_s": 9.5,
    "box": [20, 10, 203, 50],
}
NO_TIME = "is not a time with its offset such as '2026-01-08T08:00:00+08:00'"


def clip(**changes: Any) -> dict[str, Any]:
    made = {
        "file": "a.mp4",
        "starts_at": "2026-01-08T08:00:00+08:00",
        "resolution_wh": [200, 100],
        "zones": [ZONE],
        "limits": {"illegal_parking": {"dwell_s": 30}},
        "events": [EVENT],
    } | changes
    return {key: value for key, value in made.items() if value is not None}


def written(folder: Path, *clips: dict[str, Any]) -> Path:
    path = folder / "labels.json"
    path.write_text(json.dumps({"about": "made", "clips": clips}, indent="\t"), encoding="utf-8")
    return path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        load_labels(path)
    return [str(fault).removeprefix(f"{path}: ") for fault in caught.value.faults]


def test_the_real_labels_are_read(shared: Path) -> None:
    labels = load_labels(shared / "footage" / "labels.json")
    assert labels.folder == (shared / "footage").resolve()
    first, *_, last = labels.clips
    assert (first.files, len(first.zones), len(first.events)) == (("clips/vtest.avi",), 2, 2)
    assert first.limits == {"illegal_parking": {"dwell_s": 30.0}}
    assert first.starts_at.utcoffset() == timedelta(hours=8)
    assert (first.view, last.view) == ("ok", "unusable")
    assert labels.clips[1].events[0].start_tolerance_s == 6.0


def test_boxes_are_normalised_and_cut_at_the_pictures_edge(tmp_path: Path) -> None:
    (read,) = load_labels(written(tmp_path, clip())).clips
    assert read.events[0].box == (0.1, 0.1, 1.0, 0.5)
    assert read.events[0].violation is Violation.ILLEGAL_PARKING
    assert (read.events[0].from_s, read.events[0].until_s) == (1.0, 9.5)


def test_a_clip_may_be_several_recordings_and_list_faults_of_the_camera(tmp_path: Path) -> None:
    faults = [{"from_s": 3000, "until_s": 3600, "what": "frozen"}]
    path = written(tmp_path, clip(file=None, files=["a.mp4", "b.mp4"], faults=faults))
    (read,) = load_labels(path).clips
    assert read.files == ("a.mp4", "b.mp4")
    assert read.faults == (LabelledFault(3000.0, 3600.0, "frozen"),)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"file": None}, "files: a clip needs either file or files"),
        ({"files": ["b.mp4"]}, "files: a clip needs either file or files"),
        ({"files": [], "file": None}, "files: must not be empty"),
        ({"starts_at": "2026-01-08T08:00"}, f"starts_at: '2026-01-08T08:00' {NO_TIME}"),
        ({"starts_at": "today"}, f"starts_at: 'today' {NO_TIME}"),
        ({"evnts": []}, "evnts: unknown key; did you mean 'events'?"),
        ({"events": [EVENT | {"zone": "krb"}]}, "events[0].zone: 'krb' is no zone of this clip; did you mean 'kerb'?"),
        ({"events": [EVENT | {"until_s": 1}]}, "events[0].until_s: 1 is not above from_s, 1"),
        ({"events": [EVENT | {"from_s": -1}]}, "events[0].from_s: -1 is below 0"),
        ({"events": [EVENT | {"box": [5, 5, 5, 9]}]},
         "events[0].box: [5, 5, 5, 9] is not a box [x1, y1, x2, y2] with x1 < x2 and y1 < y2"),
        ({"events": [EVENT | {"box": [5, 5, 300, 9]}]},
         "events[0].box: [5, 5, 300, 9] lies outside the picture of 200x100 pixels"),
        ({"events": [EVENT | {"violation": "camera_fault"}]},
         "events[0].violation: camera_fault is no event; list it under faults"),
        ({"limits": {"illegal_parking": {"dwell_s": 0}}}, "limits.illegal_parking.dwell_s: 0 is not above 0"),
        ({"zones": [ZONE, ZONE]}, "zones[1].id: 'kerb' is the id of an earlier zone of this camera"),
    ],
)  # fmt: skip
def test_a_fault_of_a_label_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], fault: str
) -> None:
    assert faults_of(written(tmp_path, clip(), clip(**changes))) == [f"clips[1].{fault}"]


def test_all_faults_of_labels_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, clip(view=""), clip(resolution_wh=[0, 1]), clip(events=[EVENT | {"form_s": 2}]))
    assert faults_of(path) == [
        "clips[0].view: must not be empty",
        "clips[1].resolution_wh: [0, 1] is not two whole numbers of pixels above 0",
        "clips[2].events[0].form_s: unknown key; did you mean 'from_s'?",
    ]


def test_a_key_that_stands_twice_in_json_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('{"clips": [' + json.dumps(clip())[:-1] + ', "file": "b.mp4"}]}')
    assert faults_of(path) == ["clips[0].file: stands here more than once"]


def test_what_is_no_json_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('{"clips": [')
    assert faults_of(path) == ["cannot be read: Expecting value: line 1 column 12 (char 11)"]
