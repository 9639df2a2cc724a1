"""The change gate: what wakes the model and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_observe import RECORDING, observe, view

from detector.core.geometry import Box
from detector.core.values import SKETCH_SIZE, Detections, Frame, Image, ViewState
from detector.observing.gate import (
    LOOKS_OF_A_SCENE,
    REUSED_AT_MOST,
    Gate,
    Grey,
    Memory,
    changed,
    common,
    small,
)
from detector.observing.observe import SPARED_AT_MOST, Job, Observed, PictureAt, Sight, observe_each
from detector.sampling.plan import LOOKS_PER_LIMIT

SIZE = (90, 160)
View = Callable[[Frame], ViewState]


@pytest.fixture(scope="module")
def ground() -> Grey:
    random = np.random.default_rng(5)
    return np.kron(random.integers(60, 180, (9, 16)), np.ones((10, 10))).astype(np.uint8)


def noisy(grey: Grey, seed: int, strength: float = 1.0) -> Grey:
    noise = np.random.default_rng(seed).normal(0, strength, grey.shape)
    return np.clip(np.round(grey + noise), 0, 255).astype(np.uint8)


def with_thing(
    grey: Grey, width: int, height: int, contrast: int = 30, at: tuple[int, int] = (70, 50)
) -> Grey:
    x, y = at
    picture = grey.copy()
    picture[y : y + height, x : x + width] = np.clip(
        picture[y : y + height, x : x + width].astype(int) - contrast, 0, 255
    )
    return picture


@given(st.integers(0, 1000))
def test_noise_alone_is_no_change(seed: int) -> None:
    grey = np.full(SIZE, 90, np.uint8)
    assert not changed(noisy(grey, seed, 0.7), noisy(grey, seed + 1, 0.7))


@pytest.mark.parametrize("gain", [0.85, 0.95, 1.1, 1.2])
def test_a_change_of_light_as_a_whole_is_no_change(ground: Grey, gain: float) -> None:
    assert not changed(ground, np.clip((ground.astype(float) + 8) * gain - 8, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(20, 12), (4, 9), (2, 4)])
def test_a_car_a_person_and_a_bag_are_changes_by_day_and_by_night(
    ground: Grey, width: int, height: int
) -> None:
    assert changed(noisy(ground, 1), noisy(with_thing(ground, width, height), 2))
    night = (ground * 0.3).astype(np.uint8)
    assert changed(noisy(night, 1, 0.5), noisy(with_thing(night, width, height, 12), 2, 0.5))


SIDES = st.integers(8, 160)


@given(SIDES, SIDES, SIDES, SIDES)
def test_pictures_of_two_shapes_are_a_change_and_never_an_error(h1: int, w1: int, h2: int, w2: int) -> None:
    one, other = np.full((h1, w1), 90, np.uint8), np.full((h2, w2), 90, np.uint8)
    assert changed(one, other) is ((h1, w1) != (h2, w2))


def test_a_remembered_scene_of_another_shape_does_not_answer(ground: Grey) -> None:
    before = Gate()
    for _ in range(LOOKS_OF_A_SCENE):
        scene, _ = before.admit(ground)
        scene.answers.append(Detections((), np.zeros(0, np.float32), np.zeros((0, 4), np.float32)))
    gate = Gate.of(tuple(standing.remembered() for standing in before.standing()))
    _, asks = gate.admit(ground[:80])
    assert asks
    _, asks = gate.admit(ground)
    assert not asks


def test_another_view_and_a_street_by_day_after_one_by_night_are_changes(ground: Grey) -> None:
    assert changed(ground, np.roll(ground, 25, axis=1))
    lamps = np.where(np.arange(SIZE[1]) < SIZE[1] // 2, 0.4, 0.1)
    assert changed((ground * lamps).astype(np.uint8), with_thing(ground, 20, 12))


def test_another_car_in_the_same_place_is_a_change(ground: Grey) -> None:
    assert changed(with_thing(ground, 20, 12, 30), with_thing(ground, 20, 12, 45))


def test_a_scene_is_looked_at_thrice_and_then_its_answer_serves_for_a_while(ground: Grey) -> None:
    gate = Gate()
    asked = [gate.admit(noisy(ground, seed, 0.5))[1] for seed in range(LOOKS_OF_A_SCENE + REUSED_AT_MOST + 1)]
    assert asked == [True] * LOOKS_OF_A_SCENE + [False] * REUSED_AT_MOST + [True]


def test_what_passes_does_not_make_the_model_look_thrice_again(ground: Grey) -> None:
    gate = Gate()
    for _ in range(LOOKS_OF_A_SCENE):
        gate.admit(ground)
    assert gate.admit(with_thing(ground, 20, 12))[1]
    assert not gate.admit(ground)[1]


def boxes(*found: Box) -> Detections:
    return Detections(
        ("car",) * len(found),
        np.full(len(found), 0.5, np.float32),
        np.array(found, np.float32).reshape(-1, 4),
    )


CAR, PHANTOM = (0.1, 0.5, 0.3, 0.7), (0.6, 0.5, 0.8, 0.7)


def test_what_most_looks_saw_is_there_and_what_one_saw_is_not() -> None:
    answer = common([boxes(CAR, PHANTOM), boxes(), boxes(CAR)])
    assert answer.boxes.tolist() == boxes(CAR).boxes.tolist()
    assert common([boxes(CAR), boxes(), boxes()]).labels == ()


@given(st.permutations([boxes(CAR), boxes(CAR, PHANTOM), boxes(CAR)]))
def test_one_object_is_answered_once(answers: list[Detections]) -> None:
    assert len(common(answers)) == 1


def test_the_gate_sees_only_the_part_that_is_watched() -> None:
    image: Image = np.full((360, 640, 3), 90, np.uint8)
    other = image.copy()
    other[:40, :300] = 255
    part = (0.0, 0.25, 1.0, 1.0)
    assert not changed(small(image, part), small(other, part))
    assert changed(small(image, None), small(other, None))


class Counting:
    """A detector that sees a car where the picture is dark, and counts its looks."""

    model_id = "counting"
    sha256 = "0" * 64
    input_hw = (384, 640)

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, images: list[Image], part: Box | None = None) -> list[Detections]:
        self.looks += len(images)
        return [boxes(CAR) if image[200, 100, 0] < 80 else boxes() for image in images]


def street(car: bool, seed: int) -> Image:
    grey = np.full((360, 640), 100, np.uint8)
    if car:
        grey[180:250, 64:192] = 40
    return np.repeat(noisy(grey, seed, 2.0)[..., None], 3, axis=2)


def gated(cars: list[bool], batch: int = 4, view: View = view) -> tuple[Observed, int, list[int]]:
    """What was seen, how often the model looked, and which pictures were decoded, in that order."""
    decoded: list[int] = []

    def picture_at(at: float) -> Frame:
        decoded.append(int(at))
        return Frame(at, street(cars[int(at)], int(at)), "0" * 64)

    model = Counting()
    offsets_s = [float(i) for i in range(len(cars))]
    seen = observe(offsets_s, picture_at, model, view, batch=batch, sight=Sight(None, gated=True))
    return seen, model.looks, decoded


@pytest.mark.parametrize("cars", [
    [False] * 6 + [True] * 7 + [False] * 4,
    ([False] * 3 + [True] * 3) * 4,
    [True] * 20,
])  # fmt: skip
def test_a_gated_recording_shows_the_same_whatever_the_batches_and_costs_fewer_looks(
    cars: list[bool],
) -> None:
    results = [gated(cars, batch) for batch in (1, 4, 32)]
    for seen, looks, _ in results:
        assert [bool(len(o.detections)) for o in seen.seen] == cars
        assert looks == sum(not o.reused for o in seen.seen) < len(cars)
    assert len({looks for _, looks, _ in results}) == 1


@given(st.integers(0, 40), st.integers(3, 12), st.integers(0, 40))
@settings(deadline=None, max_examples=30)
def test_what_stays_for_three_moments_is_seen_at_each_of_them_as_if_all_were_decoded(
    before: int, stays: int, after: int
) -> None:
    cars = [False] * before + [True] * stays + [False] * after
    seen, _, decoded = gated(cars)
    assert [bool(len(o.detections)) for o in seen.seen] == cars
    assert [o.offset_s for o in seen.seen] == [float(i) for i in range(len(cars))]
    assert len(decoded) == len(set(decoded)) == sum(not o.spared for o in seen.seen)
    first, last = before, before + stays - 1
    assert not any(o.spared for o in seen.seen[max(0, first - 1) : first + LOOKS_OF_A_SCENE])
    assert not any(o.spared for o in seen.seen[last : last + 2])


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 60), st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_a_recording_in_two_pieces_shows_the_same_whether_the_second_joins_or_is_told_of_the_first(
    blocks: list[bool], cut: int, batch: int
) -> None:
    cars = [car for car in blocks for _ in range(5)]
    cut = min(cut, len(cars))

    def job(first: int, last: int, *, joins: bool = False, memory: Memory = ()) -> Job:
        @contextmanager
        def opened() -> Iterator[PictureAt]:
            yield lambda at: Frame(at, street(cars[int(at)], int(at)), "0" * 64)

        offsets_s = [float(i) for i in range(first, last)]
        return Job(RECORDING, offsets_s, opened, joins=joins, remembered=lambda: memory)

    def observed(*jobs: Job) -> list[Observed]:
        sight = Sight(None, gated=True)
        found = [o for _, o in observe_each(jobs, Counting(), view, batch=batch, sight=sight)]
        return [o for o in found if isinstance(o, Observed)]

    joined = observed(job(0, cut), job(cut, len(cars), joins=True))
    (first,) = observed(job(0, cut))
    (second,) = observed(job(cut, len(cars), memory=first.memory))
    assert [essence(o) for o in joined] == [essence(first), essence(second)]
    assert [len(o.memory) for o in joined] == [len(first.memory), len(second.memory)]


def essence(observed: Observed) -> list[tuple[object, ...]]:
    return [(o.at, o.detections.boxes.tolist(), o.reused, o.spared) for o in observed.seen]


def test_where_nothing_moves_two_pictures_of_three_are_spared() -> None:
    seen, looks, decoded = gated([False] * 100)
    assert len(decoded) <= 42
    assert looks <= 10
    in_a_row = [len(list(run)) for spared, run in groupby(seen.seen, key=lambda o: o.spared) if spared]
    assert max(in_a_row) == SPARED_AT_MOST < LOOKS_PER_LIMIT


def test_pictures_that_may_be_frozen_are_all_decoded() -> None:
    def still(_: Frame) -> ViewState:
        return replace(view(_), sketch=np.ones(SKETCH_SIZE, np.float32))

    seen, _, decoded = gated([False] * 30, view=still)
    assert sorted(decoded) == list(range(30))
    assert not any(o.spared for o in seen.seen)
