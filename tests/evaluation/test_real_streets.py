"""Mechanisms on real clips that show what each is for: right with it, wrong without."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from detector.cli.common import default_model, detector_of
from detector.config.labels import load_labels
from detector.config.settings import default_rules
from detector.core.values import Violation
from detector.evaluation.evaluate import Eyes, Subject
from detector.evaluation.scores import Tally
from detector.evaluation.work import Trial, together, try_all

pytestmark = pytest.mark.slow


@cache
def eyes(threads: int) -> Eyes:
    return Eyes(detector_of(default_model(), threads))


def parking(shared: Path, name: str, *ablations: str) -> Tally:
    """How parking on one clip is scored with some mechanisms switched off."""
    labels = load_labels(shared / "footage" / "streets" / "labels.json")
    (clip,) = (clip for clip in labels.clips if clip.files[0].startswith(name))
    own = replace(clip, events=tuple(e for e in clip.events if e.violation is Violation.ILLEGAL_PARKING))
    trial = Trial(rules=default_rules(), ablations=ablations)
    results = try_all([Subject(own, labels.folder, "streets")], trial, eyes, workers=1)
    return together([one for found in results for one in found], trial).evaluation.overall


@pytest.mark.parametrize(
    ("mechanism", "clip", "found"),
    [
        ("fixtures", "ciechanek", 0),
        ("drift", "ciechanek", 0),
        ("two-wheelers", "uvhnael", 0),
        ("crowd", "manjurya", 2),
        ("whole-stay", "helix", 1),
    ],
)
def test_a_real_clip_is_right_with_a_mechanism_and_wrong_without(
    shared: Path, weights: Path, mechanism: str, clip: str, found: int
) -> None:
    assert weights.is_file()
    whole = parking(shared, clip)
    assert (whole.matched, whole.missed, whole.false_alarms, whole.duplicates) == (found, 0, 0, 0)
    without = parking(shared, clip, mechanism)
    assert without.missed or without.false_alarms or without.duplicates


@pytest.mark.parametrize("clip", ["iacv_foreste", "tungpham", "porsche", "jamcam"])
def test_each_vehicle_that_stands_is_found_once_and_nothing_else_is(
    shared: Path, weights: Path, clip: str
) -> None:
    assert weights.is_file()
    scored = parking(shared, clip)
    assert (scored.missed, scored.false_alarms, scored.duplicates) == (0, 0, 0)
