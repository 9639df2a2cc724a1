"""Made litter: what is true of each case, and that the whole flow finds just that."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.cli.common import default_model, detector_of
from detector.config.labels import load_labels
from detector.config.rules import rules_with_limits
from detector.config.settings import default_rules
from detector.core.values import Violation
from detector.demo.bags import BAGS, drawn_bag
from detector.demo.cases import CASES, make_case, make_scene
from detector.demo.rubbish import LIMITS_S
from detector.demo.scene import truth
from detector.demo.sprites import Kind, wardrobe
from detector.evaluation.evaluate import point_of
from detector.pipeline.clips import check_files

LEFT = ("litter", "litter-crowd", "litter-night", "litter-removed")
NONE_LEFT = tuple(name for name in CASES if name.startswith("litter-") and name not in LEFT)


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize("seed", range(5))
def test_a_bag_that_is_left_is_one_event_longer_than_the_limit(name: str, seed: int) -> None:
    (event,) = truth(make_scene(name, seed))
    assert event.violation is Violation.LITTER
    assert event.zone == "clean"
    assert event.until_s - event.from_s > LIMITS_S[Violation.LITTER]


@pytest.mark.parametrize("name", NONE_LEFT)
@pytest.mark.parametrize("seed", range(5))
def test_what_only_looks_like_litter_is_no_event(name: str, seed: int) -> None:
    assert not truth(make_scene(name, seed))


def test_drawn_bags_are_different_and_real_ones_take_their_places(shared: Path) -> None:
    assert len({drawn_bag(index).tobytes() for index in range(BAGS)}) == BAGS
    drawn, real = wardrobe()["bag-0"], wardrobe(shared)["bag-0"]
    assert drawn.kind is real.kind is Kind.RUBBISH
    assert drawn.pixels.shape != real.pixels.shape


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param("litter-removed", 3, marks=pytest.mark.soak),
        ("litter-shadow", 3),
        ("litter-crowd", 1252),  # people pass one after the other while it falls: none of them owns it
    ],
)
def test_the_flow_finds_what_is_true_of_a_case_and_nothing_else(
    name: str, seed: int, tmp_path: Path, checkout: Path
) -> None:
    if not (checkout / "models" / "yolov8n.pt").is_file():
        pytest.skip("no weights (run 'kerbwatch models fetch yolov8n')")
    labels = load_labels(make_case(name, seed, tmp_path, fps=1.0))
    (clip,) = labels.clips
    point = point_of(clip)
    rules = rules_with_limits(default_rules(), clip.limits)
    files = [labels.folder / file for file in clip.files]
    detector = detector_of(default_model())
    checked = check_files(files, clip.starts_at, point, point.cameras[0], rules, detector)
    intervals = [proof.incident.interval for proof in checked.proofs]
    spans = [
        ((i.start - checked.start).total_seconds(), (i.end - checked.start).total_seconds())
        for i in intervals
    ]
    assert spans == [pytest.approx((event.from_s, event.until_s), abs=3.0) for event in clip.events]
    for proof in checked.proofs:
        assert "new and still" in proof.explanation
        assert "新出现且静止" in proof.explanation_zh
        assert len(proof.stills) >= 3
