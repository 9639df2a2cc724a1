"""Figures of real and composed footage, by width, light and camera."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored import clip, event, finding, score

from detector.core.values import Violation
from detector.evaluation.apart import apart, camera_of, markdown_of, width_of
from detector.evaluation.evaluate import Evaluation
from detector.evaluation.scores import Tally


def box_of(width_px: float) -> tuple[float, float, float, float]:
    """A box of that width in a picture of 960 pixels."""
    return (0.1, 0.5, 0.1 + width_px / 960, 0.6)


@pytest.mark.parametrize(
    ("width_px", "name"),
    [(39, "< 40 px"), (40.01, "40-64 px"), (63, "40-64 px"), (65, "64-150 px"), (151, "> 150 px")],
)
def test_a_width_is_measured_in_pixels_of_the_recording(width_px, name) -> None:
    assert width_of(box_of(width_px), clip()) == name


def test_a_match_counts_at_the_event_s_width_and_a_false_alarm_at_its_own() -> None:
    labelled = clip((event(0, 300, box=box_of(50)), event(1000, 1300, box=box_of(100))))
    found = (finding(0, 300, box=box_of(90)), finding(2000, 2300, box=box_of(30)))
    (footage,) = apart(Evaluation((score(labelled, found),)))
    figures = {part.name: part.tally for part in footage.by_width}
    assert (figures["40-64 px"].matched, figures["40-64 px"].incidents) == (1, 1)
    assert (figures["64-150 px"].missed, figures["64-150 px"].incidents) == (1, 0)
    assert figures["< 40 px"].false_alarms == 1


def test_real_and_composed_footage_stand_apart_and_real_comes_first() -> None:
    real, made = clip((event(0, 300),)), replace(clip(name="b.mp4"), composed=True)
    footages = apart(Evaluation((score(made), score(real, (finding(0, 300),)))))
    assert [(f.name, f.whole.tally.events) for f in footages] == [("real", 1), ("composed", 0)]
    assert markdown_of(Evaluation((score(real),))).startswith("### Real footage (1.00 camera-hours)")


def test_an_event_that_no_native_crop_sees_does_not_count_for_that_recall() -> None:
    unseen = replace(event(0, 300), native_confidence=0.2)
    seen = replace(event(1000, 1300), native_confidence=0.7)
    (footage,) = apart(Evaluation((score(clip((unseen, seen)), (finding(1000, 1300),)),)))
    assert (footage.whole.seen, footage.whole.seen_found, footage.whole.seen_recall) == (1, 1, 1.0)
    assert footage.whole.tally.recall == 0.5


@pytest.mark.parametrize(
    ("wh", "kind"),
    [((640, 480), "below 720p"), ((1280, 720), "720p"), ((1920, 1080), "1080p"), ((3840, 2160), "4K")],
)
def test_the_kind_of_camera_follows_from_the_picture_s_width_unless_it_is_labelled(wh, kind) -> None:
    assert camera_of(replace(clip(), resolution_wh=wh)) == kind
    assert camera_of(replace(clip(), resolution_wh=wh, camera="dome")) == "dome"


SPANS = st.tuples(st.floats(0, 3000), st.floats(1, 600), st.floats(5, 400))


@given(st.lists(SPANS, max_size=5), st.lists(SPANS, max_size=5))
def test_the_widths_together_are_the_whole(true, found) -> None:
    labelled = clip(tuple(event(a, a + s, box=box_of(w)) for a, s, w in true))
    findings = tuple(
        finding(a, a + s, box=box_of(w), violation=Violation.ILLEGAL_PARKING) for a, s, w in found
    )
    (footage,) = apart(Evaluation((score(labelled, findings),)))
    together = sum((part.tally for part in footage.by_width), Tally())
    whole = footage.whole.tally
    for name in ("events", "incidents", "matched", "duplicates", "false_alarms"):
        assert getattr(together, name) == getattr(whole, name)
    assert sum(part.seen for part in footage.by_width) == footage.whole.seen


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (("--made-set", "towns"), "no such set: 'towns'; there are cases, streets"),
        (("--kinds", "far,near"), "no such kind: near; there are far, two_wheelers"),
        (("--kinds", "far", "--cases", "far-4k"), "give one of them"),
        (
            ("--made-set", "streets", "--cases", "parked"),
            "--cases: no such case: parked; there are far-1080p",
        ),
    ],
)
def test_a_set_kind_or_case_that_is_none_is_answered_with_those_there_are(options, answer) -> None:
    from made_archive import kerbwatch

    done = kerbwatch("evaluate", "--made", "0.1", *options)
    assert done.code == 2
    assert answer in " ".join(done.err.split())


@pytest.mark.slow
def test_a_composed_street_is_scored_apart_with_its_width_light_and_camera(tmp_path, weights) -> None:
    import json

    from made_archive import kerbwatch

    out, tables = tmp_path / "scores.json", tmp_path / "scores.md"
    done = kerbwatch(
        "evaluate", "--made", "0.05", "--made-set", "streets", "--cases", "litter-fence-owned", "--seed", "5000",
        "--json", out, "--markdown", tables,
    )  # fmt: skip
    assert done.code == 0, done.err
    (name,) = json.loads(out.read_text(encoding="utf-8"))["by_footage"]
    assert name == "composed"
    assert "| 720p | 0 |" in tables.read_text(encoding="utf-8")
    assert "composed footage" in done.out
