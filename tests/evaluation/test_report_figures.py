"""What the scores of clips add up to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored import clip, event, fault, finding, score

from detector.config.labels import LabelledFault, load_labels
from detector.core.errors import BadConfig
from detector.core.values import Violation
from detector.evaluation.evaluate import Evaluation, complaints
from detector.evaluation.scores import Tally


def test_the_design_s_keys_are_all_there() -> None:
    done = Evaluation((score(clip((event(0, 300),)), (finding(1, 302),)),)).to_json()
    assert done["violations"]["illegal_parking"].keys() >= {
        "events", "incidents", "matched", "precision", "recall", "f1", "start_error_s",
    }  # fmt: skip
    assert done["violations"]["illegal_parking"]["start_error_s"].keys() >= {"median", "max"}
    assert done["overall"].keys() >= {
        "events", "incidents", "matched", "precision", "recall", "f1", "false_alarms", "duplicates", "camera_hours",
    }  # fmt: skip
    [one] = done["clips"]
    assert (one["file"], one["view"]) == ("clips/a.mp4", "ok")
    assert one["incidents"][0].keys() >= {"violation", "zone", "from_s", "until_s", "box", "matched"}
    assert one["incidents"][0]["box"] == [192, 270, 384, 432]


def test_false_alarms_are_counted_by_the_hour_and_by_the_day_and_duplicates_by_event() -> None:
    labelled = clip((event(0, 300), event(1000, 1300)))
    found = (finding(0, 300), finding(1000, 1300), finding(1010, 1290), finding(2000, 2300))
    figures = Evaluation((score(labelled, found, duration_s=7200.0),)).figures()
    assert (figures["false_alarms"], figures["duplicates"]) == (1, 1)
    assert figures["false_alarms_per_camera_hour"] == 0.5
    assert figures["false_alarms_per_camera_day"] == 12.0
    assert figures["duplicates_per_event"] == 0.5


def test_a_dwell_is_off_by_the_difference_of_its_ends() -> None:
    figures = Evaluation((score(clip((event(10, 300),)), (finding(12, 296),)),)).figures()
    assert figures["start_error_s"]["max"] == 2
    assert figures["end_error_s"]["max"] == 4
    assert figures["dwell_error_s"] == {"median": 6, "max": 6, "rmse": 6}


def test_a_start_beyond_its_own_tolerance_is_said() -> None:
    labelled = clip((event(10, 300, tolerance_s=3), event(1000, 1300, tolerance_s=3)))
    figures = Evaluation((score(labelled, (finding(12, 300), finding(1004, 1300))),)).figures()
    assert figures["starts_outside_tolerance"] == 1


@pytest.mark.parametrize(
    ("at", "light", "expected"),
    [
        ("2026-01-08T18:59:59+08:00", None, "day"),
        ("2026-01-08T19:00:00+08:00", None, "night"),
        ("2026-01-09T05:59:00+08:00", None, "night"),
        ("2026-01-09T06:00:00+08:00", None, "day"),
        ("2026-01-09T12:00:00+08:00", "night", "night"),
    ],
)
def test_a_clip_belongs_to_the_night_by_its_hour_or_by_its_label(at, light, expected) -> None:
    parts = Evaluation((score(clip(at=at, light=light)),)).by_light()
    assert list(parts) == [expected]


def test_camera_faults_stand_apart_from_the_violations() -> None:
    labelled = clip(faults=(LabelledFault(600, 900, "dark"), LabelledFault(1800, 2000, "frozen")))
    done = Evaluation(
        (score(labelled, (), (fault(590, 930), fault(620, 700, "unsteady"), fault(3000, 3100))),)
    )
    faults = done.camera_faults
    assert (faults.matched, faults.missed, faults.false_alarms, faults.duplicates) == (1, 1, 1, 1)
    assert (faults.start_errors_s, faults.end_errors_s) == ((-10,), (30,))
    assert done.faults_named_right == 1
    assert done.overall == Tally()


def test_a_fault_of_a_view_that_is_labelled_unusable_is_no_false_alarm() -> None:
    done = Evaluation((score(clip(view="unusable"), (), (fault(0, 10, "unsteady"),), view="unusable"),))
    assert done.camera_faults == Tally()
    assert done.views_right


def test_every_miss_false_alarm_duplicate_and_wrong_view_is_named() -> None:
    labelled = clip((event(0, 300), event(1000, 1300)), (LabelledFault(2500, 2600, "frozen"),))
    found = (finding(0, 300), finding(5, 290), finding(2000, 2300, violation=Violation.LITTER))
    done = Evaluation((score(labelled, found, (fault(3000, 3100),), view="unusable"),))
    kinds = [line.split(":")[0] for line in complaints(done)]
    assert kinds == ["missed", "duplicate", "false", "missed fault", "false fault", "view wrong"]


SPANS = st.tuples(st.floats(0, 3000), st.floats(1, 600)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(SPANS, max_size=5), st.lists(SPANS, max_size=5))
def test_everything_found_is_right_or_false_or_double_and_every_event_found_or_missed(true, found) -> None:
    labelled = clip(tuple(event(*span) for span in true))
    tally = Evaluation((score(labelled, tuple(finding(*span) for span in found)),)).overall
    assert tally.matched + tally.false_alarms + tally.duplicates == len(found)
    assert tally.matched + tally.missed == len(true)
    assert min(tally.false_alarms, tally.missed, tally.matched) >= 0


@given(st.lists(SPANS, max_size=4), st.lists(SPANS, max_size=4))
def test_two_clips_together_are_the_sum_of_each(true, found) -> None:
    a = score(clip(tuple(event(*span) for span in true)), tuple(finding(*span) for span in found))
    b = score(clip((event(0, 300),), name="clips/b.mp4", at="2026-01-08T22:00:00+08:00"))
    both = Evaluation((a, b))
    assert both.overall == Evaluation((a,)).overall + Evaluation((b,)).overall
    assert sum((part.overall for part in both.by_light().values()), Tally()) == both.overall


def test_a_labels_file_may_name_the_light(tmp_path: Path) -> None:
    one = {
        "file": "a.mp4", "starts_at": "2026-01-08T16:00:00+08:00", "resolution_wh": [96, 54], "light": "night",
        "zones": [{"id": "kerb", "kind": "no_parking", "polygon": [[0, 0], [96, 0], [96, 54]]}],
    }  # fmt: skip
    (tmp_path / "labels.json").write_text(json.dumps({"clips": [one]}))
    assert load_labels(tmp_path / "labels.json").clips[0].light == "night"
    (tmp_path / "labels.json").write_text(json.dumps({"clips": [{**one, "light": "dim"}]}))
    with pytest.raises(BadConfig, match="light"):
        load_labels(tmp_path / "labels.json")
