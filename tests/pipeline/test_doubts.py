"""What a spot check comes to, and why it could not be judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.config.rules import RuleSet
from detector.config.settings import default_rules
from detector.core.times import Interval
from detector.core.values import (
    NO_DETECTIONS,
    Camera,
    Category,
    Image,
    Observation,
    Point,
    Recording,
    RecordingState,
    Violation,
    Zone,
    ZoneKind,
)
from detector.decoding.view import view_state
from detector.observing.observe import Failed
from detector.pipeline.clips import Checked
from detector.pipeline.doubts import Assessment, DoubtKind, Outcome, Subject, assess

START = datetime(2026, 1, 8, 4, tzinfo=UTC)
ZONE = Zone("kerb", ZoneKind.NO_PARKING, ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
CAMERA = Camera("p001", (ZONE,), UTC, (640, 360))
POINT = Point("p001", "点位", "Point", Category.ARTERIAL, (CAMERA,))


def rules(limit_s: float = 60.0) -> RuleSet:
    rule = replace(default_rules().rules[Violation.ILLEGAL_PARKING], dwell_s=limit_s, by_category={})
    return RuleSet({Violation.ILLEGAL_PARKING: rule})


def street(seed: int) -> Image:
    """A view with structure of its own; the same for the same seed."""
    cells = np.random.default_rng(seed).integers(30, 226, (9, 16), np.uint8)
    return np.ascontiguousarray(np.kron(cells, np.ones((20, 20), np.uint8))[..., None].repeat(3, axis=2))


def looks(count: int, every_s: float, seed: int = 1, *, image: Image | None = None) -> list[Observation]:
    chance = np.random.default_rng(99)
    seen = []
    for n in range(count):
        noisy = (street(seed) if image is None else image).astype(int) + chance.integers(-4, 5, (180, 320, 3))
        view = view_state(noisy.clip(0, 255).astype(np.uint8))
        at = START + timedelta(seconds=n * every_s)
        seen.append(Observation("p001", at, "r", n * every_s, NO_DETECTIONS, view))
    return seen


def checked(
    length_s: float, seen: list[Observation], unseen: tuple[Interval, ...] = (), failed: int = 0
) -> Checked:
    interval = Interval(START, START + timedelta(seconds=length_s))
    recording = Recording("p001", "clip.mp4", 1, 0, interval, RecordingState.READABLE, "", (640, 360))
    return Checked(
        ((recording, interval),), tuple(seen), tuple(Failed(0.0, "damaged") for _ in range(failed)), (), (), (), unseen
    )  # fmt: skip


def assessed(
    one: Checked, *, limit_s: float = 60.0, shape_wh: tuple[int, int] = (640, 360), camera: Camera = CAMERA,
    usual: list[Observation] | None = None, ruleset: RuleSet | None = None,
) -> Assessment:  # fmt: skip
    subject = Subject(POINT, camera, ruleset or rules(limit_s), shape_wh, usual or [])
    return assess(one, subject)


def kinds(one: Assessment) -> tuple[Outcome, list[DoubtKind]]:
    return one.outcome, [doubt.kind for doubt in one.doubts]


def test_a_clip_longer_than_the_limit_in_which_all_can_be_judged_is_clean() -> None:
    assert kinds(assessed(checked(120, looks(6, 20)))) == (Outcome.CLEAN, [])


@pytest.mark.parametrize("length_s", [5.0, 59.9, 60.0])
def test_a_clip_not_longer_than_the_limit_is_not_clean(length_s: float) -> None:
    one = assessed(checked(length_s, looks(3, length_s / 3)))
    assert kinds(one) == (Outcome.NOT_JUDGED, [DoubtKind.TOO_SHORT])
    assert one.too_long == ((Violation.ILLEGAL_PARKING, 60.0),)
    assert "1 min" in one.doubts[0].reason
    assert "1分" in one.doubts[0].reason_zh


def test_a_limit_of_a_zone_goes_first() -> None:
    zone = replace(ZONE, limits_s={Violation.ILLEGAL_PARKING: 30.0})
    camera = replace(CAMERA, zones=(zone,))
    assert assessed(checked(45, looks(5, 9)), limit_s=60, camera=camera).outcome is Outcome.CLEAN


def test_a_rule_that_a_clip_cannot_break_is_named_beside_the_others() -> None:
    vending = replace(default_rules().rules[Violation.STREET_VENDING], dwell_s=300.0, by_category={})
    both = RuleSet({**rules().rules, Violation.STREET_VENDING: vending})
    camera = replace(CAMERA, zones=(ZONE, Zone("market", ZoneKind.NO_VENDING, ZONE.polygon)))
    one = assessed(checked(120, looks(6, 20)), camera=camera, ruleset=both)
    assert kinds(one) == (Outcome.CLEAN, [])
    assert one.too_long == ((Violation.STREET_VENDING, 300.0),)


def test_without_a_rule_in_force_nothing_is_clean() -> None:
    assert kinds(assessed(checked(120, []), ruleset=RuleSet({}))) == (Outcome.NOT_JUDGED, [DoubtKind.NO_RULE])


def test_zones_that_nobody_has_confirmed_judge_nothing() -> None:
    camera = replace(CAMERA, zones_judged=False)
    assert kinds(assessed(checked(120, looks(6, 20)), camera=camera)) == (
        Outcome.NOT_JUDGED,
        [DoubtKind.EXAMPLE_ZONES],
    )


def test_unreadable_moments_are_told_and_many_of_them_are_not_clean() -> None:
    def gap(from_s: float, until_s: float) -> tuple[Interval, ...]:
        return (Interval(START + timedelta(seconds=from_s), START + timedelta(seconds=until_s)),)

    few = assessed(checked(240, looks(11, 20), gap(100, 120), failed=1))
    assert kinds(few) == (Outcome.CLEAN, [])
    assert few.unjudged == gap(100, 120)
    long = assessed(checked(240, looks(9, 20), gap(100, 160), failed=3))
    assert kinds(long) == (Outcome.NOT_JUDGED, [DoubtKind.UNREADABLE])
    most = assessed(checked(240, looks(2, 20), gap(40, 240), failed=10))
    assert "10 of 12 moments are unreadable" in most.doubts[0].reason
    assert kinds(assessed(checked(240, [], gap(0, 240), failed=12)))[0] is Outcome.NOT_JUDGED


@pytest.mark.parametrize("shape_wh", [(640, 480), (704, 576), (360, 640), (800, 800)])
def test_a_picture_of_another_shape_is_not_clean(shape_wh: tuple[int, int]) -> None:
    one = assessed(checked(120, looks(6, 20)), shape_wh=shape_wh)
    assert kinds(one) == (Outcome.NOT_JUDGED, [DoubtKind.OTHER_SHAPE])
    assert f"{shape_wh[0]}x{shape_wh[1]}" in one.doubts[0].reason_zh


@pytest.mark.parametrize("shape_wh", [(640, 360), (1920, 1080), (1920, 1088), (1024, 576)])
def test_another_size_of_the_same_shape_is_judged(shape_wh: tuple[int, int]) -> None:
    assert assessed(checked(120, looks(6, 20)), shape_wh=shape_wh).outcome is Outcome.CLEAN


@pytest.mark.parametrize("seed", range(2, 8))
def test_a_view_unlike_the_usual_one_is_not_clean(seed: int) -> None:
    usual = looks(10, 56)
    assert kinds(assessed(checked(120, looks(6, 20, seed)), usual=usual)) == (
        Outcome.NOT_JUDGED,
        [DoubtKind.OTHER_VIEW],
    )
    assert assessed(checked(120, looks(6, 20)), usual=usual).outcome is Outcome.CLEAN


def test_a_view_is_compared_only_with_looks_that_show_one() -> None:
    dark = looks(10, 56, image=np.zeros((180, 320, 3), np.uint8))
    assert assessed(checked(120, looks(6, 20)), usual=dark).outcome is Outcome.CLEAN
    assert assessed(checked(120, looks(6, 20)), usual=looks(2, 56, seed=5)).outcome is Outcome.CLEAN


@given(length_s=st.integers(1, 400), limit_s=st.integers(1, 400), failed=st.integers(0, 12))
def test_nothing_is_clean_that_is_too_short_or_mostly_unreadable(
    length_s: int, limit_s: int, failed: int
) -> None:
    unseen = (Interval(START, START + timedelta(seconds=length_s * failed / 12)),) if failed else ()
    views = [Observation("p001", START, "r", 0.0, NO_DETECTIONS, VIEW)] * (12 - failed)
    one = assessed(checked(length_s, views, unseen, failed), limit_s=limit_s)
    if length_s <= limit_s or failed >= 6:
        assert one.outcome is Outcome.NOT_JUDGED
    if one.outcome is Outcome.CLEAN:
        assert not one.doubts
        assert all(stretch.duration_s < limit_s for stretch in one.unjudged)


VIEW = looks(1, 1.0)[0].view
