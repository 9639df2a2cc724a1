"""Each mechanism on the made case that it is for: right with it, wrong without."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from detector.cli.common import default_model, detector_of
from detector.config.settings import default_rules
from detector.demo.cases import make_case
from detector.evaluation.evaluate import Evaluation, Eyes
from detector.evaluation.made import Made
from detector.evaluation.work import Trial, together, try_all


@cache
def eyes(threads: int) -> Eyes:
    return Eyes(detector_of(default_model(), threads))


def tried(case: str, seed: int, folder: Path, *ablations: str) -> Evaluation:
    """A made case scored with some mechanisms switched off; composed once for both."""

    def compose(made: Made, _: Path) -> Path:
        labels = folder / "labels.json"
        return labels if labels.exists() else make_case(made.case, made.seed, folder, fps=1.0)

    trial = Trial(rules=default_rules(), compose=compose, ablations=ablations)
    results = try_all([Made(case, seed, night=False)], trial, eyes, workers=1)
    return together([one for found in results for one in found], trial).evaluation


def right(evaluation: Evaluation) -> bool:
    """Everything found, nothing false and nothing twice, each timed to 3 s at either end."""
    found = evaluation.overall
    errors = [abs(v) for v in (*found.start_errors_s, *found.end_errors_s)]
    return not (found.missed or found.false_alarms or found.duplicates) and max(errors, default=0) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mechanism", "case", "seed"),
    [
        ("appearance", "same-spot", 1),
        ("appearance", "two-cars", 1),
        ("jam", "jam", 1),
        ("occlusion", "occlusion", 1),
        ("ground-contact", "half-on-footway", 1),
        ("bay", "bay", 1),
        ("midnight", "over-midnight", 1),
        ("two-recordings", "two-recordings", 1),
        ("frozen", "frozen", 1),
    ],
)
def test_a_case_is_right_with_its_mechanism_and_wrong_without(
    mechanism: str,
    case: str,
    seed: int,
    tmp_path: Path,
    weights: Path,
) -> None:
    assert weights.is_file()
    assert right(tried(case, seed, tmp_path))
    assert not right(tried(case, seed, tmp_path, mechanism))
