"""camera_fault: a view that cannot be judged is never all clear."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from judged import CADENCE_S, START, VIEW, camera, car, look, point, rules

from detector.core.values import SIGNATURE_WH, Observation, Violation
from detector.judging.camera_fault import view_faults
from detector.judging.judge import Judgement, judge

SHAPE = SIGNATURE_WH[::-1]
LOOKS = 40


def scene(seed: int) -> np.ndarray:
    """A view of its own, coarse as streets are."""
    coarse = np.random.default_rng(seed).integers(20, 235, (3, 4))
    return np.kron(coarse, np.ones((6, 8))).astype(np.uint8)


def filmed(views: list[np.ndarray], every_s: float = CADENCE_S) -> list[Observation]:
    return [look(START + timedelta(seconds=i * every_s), [car()], view) for i, view in enumerate(views)]


def judged(observations: list[Observation]) -> Judgement:
    seen_by = camera()
    return judge(observations, point(seen_by), seen_by, rules())


def violations(judgement: Judgement) -> list[Violation]:
    return [incident.violation for incident in judgement.incidents]


def noisy(view: np.ndarray, seed: int, share: float) -> np.ndarray:
    """The view with traffic: boxes that fill about a share of it, elsewhere each time; light and noise change."""
    chance = np.random.default_rng(seed)
    picture = view.astype(float) * chance.uniform(0.6, 1.2) + chance.normal(0, 4, SHAPE)
    while share > 0:
        y, x = chance.integers(0, SHAPE[0] - 4), chance.integers(0, SHAPE[1] - 6)
        picture[y : y + 4, x : x + 6] = chance.integers(0, 255)
        share -= 24 / (SHAPE[0] * SHAPE[1])
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("traffic", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("seed", range(4))
def test_a_fixed_view_with_traffic_light_and_noise_is_no_fault(seed: int, traffic: float) -> None:
    views = [noisy(scene(seed), 100 * seed + i, traffic) for i in range(LOOKS)]
    assert view_faults(filmed(views), CADENCE_S) == []


@pytest.mark.parametrize("seed", range(4))
def test_shadows_of_clouds_that_pass_over_a_fixed_view_are_no_fault(seed: int) -> None:
    """Their large dark areas change the grey values of most of the picture, and none of its structure."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    street = 90 + 25 * chance.normal(size=SHAPE)
    views = []
    for _ in range(LOOKS):
        angle, phase = chance.uniform(0, 2 * np.pi, 2)
        shade = 0.6 + 0.4 * np.sin((x * np.cos(angle) + y * np.sin(angle)) / 4 + phase)
        views.append(np.clip(street * shade + chance.normal(0, 3, SHAPE), 0, 255).astype(np.uint8))
    assert view_faults(filmed(views), CADENCE_S) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_montage_is_one_fault_over_all_of_it_and_nothing_else_is_judged(seed: int) -> None:
    judgement = judged(filmed([scene(1000 * seed + i) for i in range(LOOKS)]))
    assert violations(judgement) == [Violation.CAMERA_FAULT]
    (fault,) = judgement.faults
    assert fault.what == "unsteady"
    assert fault.interval.duration_s == LOOKS * CADENCE_S
    (incident,) = judgement.incidents
    assert (incident.zone_id, incident.box) == (None, None)


def test_a_dark_stretch_is_a_fault_and_the_rest_is_judged() -> None:
    dark = np.full(SHAPE, 3, np.uint8)
    judgement = judged(filmed([VIEW] * 10 + [dark] * 10 + [VIEW] * 10))
    assert [fault.what for fault in judgement.faults] == ["dark"]
    assert judgement.faults[0].interval.start == START + timedelta(seconds=10 * CADENCE_S)
    assert judgement.faults[0].interval.duration_s == 10 * CADENCE_S
    assert Violation.ILLEGAL_PARKING in violations(judgement)


def test_a_few_looks_say_nothing_of_a_view() -> None:
    assert view_faults(filmed([scene(i) for i in range(3)]), CADENCE_S) == []


def test_another_view_after_a_break_is_no_montage() -> None:
    evening = [look(o.at + timedelta(hours=4), [], scene(7)) for o in filmed([scene(7)] * 15)]
    assert view_faults([*filmed([VIEW] * 15), *evening], CADENCE_S) == []


def test_no_looks_have_no_fault() -> None:
    assert view_faults([], CADENCE_S) == []
    assert judged([]) == Judgement((), ())


def test_a_view_of_one_grey_is_not_taken_for_a_montage() -> None:
    assert view_faults(filmed([np.full(SHAPE, 128, np.uint8)] * LOOKS), CADENCE_S) == []
