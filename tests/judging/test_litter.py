"""Litter: new and still things, named things, and what only looks like them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import Box, iou
from detector.core.times import DailyHours
from detector.core.values import (
    NO_DETECTIONS,
    Camera,
    Category,
    Detections,
    Image,
    Incident,
    Observation,
    Point,
    ViewState,
    Violation,
    Zone,
    ZoneKind,
)
from detector.decoding.view import packed, size_of, unpacked
from detector.judging import litter
from detector.judging.litter import lying

CHINA = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 8, 10, tzinfo=CHINA)
CADENCE_S = 270.0
LIMIT_S = 900.0
WH = (640, 360)
WHOLE = ((0.3, 0.35), (0.7, 0.35), (0.7, 0.8), (0.3, 0.8))
CLEAN = Zone("clean", ZoneKind.SANITATION, WHOLE)
VIEW = ViewState(100.0, 10.0, np.zeros((18, 32), np.uint8))
RULES = RuleSet(
    {
        Violation.LITTER: RuleSettings(
            Violation.LITTER, True, LIMIT_S, (ZoneKind.SANITATION,), min_confidence=0.4
        )
    }
)
BAG = (300, 200, 330, 226)
PERSON = (320, 130, 352, 228)
Seen = Mapping[str, tuple[int, int, int, int]]


def ground(seed: int = 0) -> Image:
    """Slabs with joints, and some grain."""
    random = np.random.default_rng(seed)
    picture = np.full((WH[1], WH[0], 3), (140, 146, 150), np.float32)
    picture[::24] *= 0.8
    picture[:, ::40] *= 0.8
    coarse = cv2.resize(random.normal(0, 9, (90, 160)).astype(np.float32), WH)
    return np.clip(picture + coarse[..., None], 0, 255).astype(np.uint8)


GROUND = ground()


def bag(
    picture: Image, box: tuple[int, int, int, int] = BAG, paint: tuple[int, int, int] = (40, 36, 34)
) -> Image:
    """A lumpy thing with folds, in place."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    folds = cv2.resize(np.random.default_rng(5).normal(0, 20, (5, 6)).astype(np.float32), (w, h))
    mask = np.zeros((h, w), np.uint8)
    cv2.ellipse(mask, (w // 2, h // 2), (w // 2, h // 2), 0, 0, 360, 255, -1)
    body = np.clip(np.array(paint, np.float32) + folds[..., None], 0, 255).astype(np.uint8)
    out = picture.copy()
    out[y1:y2, x1:x2][mask > 0] = body[mask > 0]
    return out


def noisy(picture: Image, seed: int) -> Image:
    grain = np.random.default_rng(seed).normal(0, 2, (WH[1], WH[0], 1))
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def unit(box: tuple[int, int, int, int]) -> Box:
    return box[0] / WH[0], box[1] / WH[1], box[2] / WH[0], box[3] / WH[1]


def detections(seen: Sequence[tuple[str, tuple[int, int, int, int]]], confidence: float = 0.8) -> Detections:
    if not seen:
        return NO_DETECTIONS
    boxes = np.array([unit(box) for _, box in seen], np.float32)
    return Detections(tuple(name for name, _ in seen), np.full(len(seen), confidence, np.float32), boxes)


def looks(
    picture: Callable[[int], Image],
    seen: Callable[[int], Sequence[tuple[str, tuple[int, int, int, int]]]] = lambda _: (),
    count: int = 20,
    confidence: float = 0.8,
) -> list[Observation]:
    return [
        Observation(
            "cam",
            START + timedelta(seconds=CADENCE_S * i),
            "r",
            CADENCE_S * i,
            detections(seen(i), confidence),
            VIEW,
            _kept(picture(i).tobytes(), i),
        )
        for i in range(count)
    ]


@lru_cache(maxsize=256)
def _kept(pixels: bytes, seed: int) -> bytes:
    return packed(noisy(np.frombuffer(pixels, np.uint8).reshape(WH[1], WH[0], 3), seed))


def found(observations: Sequence[Observation], *zones: Zone, rules: RuleSet = RULES) -> list[Incident]:
    camera = Camera("cam", zones or (CLEAN,), CHINA, WH)
    point = Point("p", "p", "p", Category.ARTERIAL, (camera,))
    things = lying(observations, camera, rules)
    return [one for thing in things for one in thing.incidents(point, camera, rules, CADENCE_S)]


def left_at_8(i: int) -> Image:
    return bag(GROUND) if i >= 8 else GROUND


def test_a_bag_that_is_left_is_found_once_where_and_when_it_lies() -> None:
    (incident,) = found(looks(left_at_8))
    assert iou(incident.box or (0, 0, 0, 0), unit(BAG)) > 0.6
    assert incident.stay is not None
    first, last = incident.stay.seen
    assert first == START + timedelta(seconds=CADENCE_S * 8)
    assert last == START + timedelta(seconds=CADENCE_S * 19)
    assert incident.stay.absent_before == START + timedelta(seconds=CADENCE_S * 7)


def resized(observation: Observation, size_wh: tuple[int, int]) -> Observation:
    """The look as a recorder would have kept it whose picture has another size."""
    assert observation.picture is not None
    image = cv2.resize(unpacked(observation.picture), size_wh, interpolation=cv2.INTER_AREA)
    return replace(observation, picture=packed(np.asarray(image, np.uint8)))


@pytest.mark.parametrize("odd", [(3,), (12, 13), (2, 7, 9, 15)])
@pytest.mark.parametrize("size_wh", [(352, 288), (320, 180)])
def test_looks_of_another_size_between_the_others_hide_no_bag_and_make_none(
    odd: tuple[int, ...], size_wh: tuple[int, int]
) -> None:
    def mixed(picture: Callable[[int], Image]) -> list[Observation]:
        return [resized(o, size_wh) if i in odd else o for i, o in enumerate(looks(picture))]

    (incident,) = found(mixed(left_at_8))
    assert incident.stay is not None
    assert incident.stay.seen[1] == START + timedelta(seconds=CADENCE_S * 19)
    assert not found(mixed(lambda _: GROUND))


@pytest.mark.parametrize("since", [1, 5, 10, 17])
@pytest.mark.parametrize("size_wh", [(352, 288), (320, 180)])
def test_a_change_of_the_size_for_good_is_no_litter(since: int, size_wh: tuple[int, int]) -> None:
    same = looks(lambda _: GROUND)
    assert not found([*same[:since], *(resized(o, size_wh) for o in same[since:])])


@given(st.integers(1, 500), st.integers(1, 500))
@settings(max_examples=20)
def test_the_size_of_a_kept_picture_is_read_without_decoding_it(width: int, height: int) -> None:
    assert size_of(packed(np.zeros((height, width, 3), np.uint8))) == (width, height)


@pytest.mark.parametrize("paint", [(40, 36, 34), (205, 208, 210), (150, 80, 40), (120, 190, 210)])
def test_bags_of_any_colour_are_found(paint: tuple[int, int, int]) -> None:
    assert len(found(looks(lambda i: bag(GROUND, paint=paint) if i >= 8 else GROUND))) == 1


def test_a_bag_that_is_taken_away_again_ends_the_stay() -> None:
    (incident,) = found(looks(lambda i: bag(GROUND) if 6 <= i < 13 else GROUND))
    assert incident.interval.end == START + timedelta(seconds=CADENCE_S * 12)


def test_a_bag_that_is_fetched_within_the_limit_is_no_litter() -> None:
    assert not found(looks(lambda i: bag(GROUND) if 8 <= i < 10 else GROUND))


def test_what_lay_there_from_the_first_look_is_not_new() -> None:
    assert not found(looks(lambda _: bag(GROUND)))


def test_a_place_that_was_bared_is_not_a_thing_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = looks(lambda i: bag(GROUND) if i < 9 else GROUND)
    assert not found(taken)
    monkeypatch.setattr(litter, "stands_out", lambda *_: True)
    assert found(taken)


def shaded(i: int) -> Image:
    picture = GROUND.copy()
    if i >= 8:
        x1, y1, x2, y2 = BAG
        picture[y1:y2, x1:x2] = (picture[y1:y2, x1:x2] * 0.55).astype(np.uint8)
    return picture


def test_a_shadow_that_stays_is_no_litter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not found(looks(shaded))
    monkeypatch.setattr(litter, "is_light", lambda *_: False)
    assert found(looks(shaded))


def walking(i: int) -> Image:
    """Somebody dark, in another place at every look, whom the model never sees."""
    x = 40 + (i * 97) % 520
    return bag(GROUND, (x, 190, x + 30, 240))


def test_what_moves_leaves_nothing_in_the_backgrounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not found(looks(walking))
    monkeypatch.setattr(litter, "BEFORE_LOOKS", 1)
    monkeypatch.setattr(litter, "AFTER_LOOKS", 1)
    monkeypatch.setattr(litter, "AGREEING", 1)
    monkeypatch.setattr(litter, "FEWEST_BEFORE", 1)
    blobs = []
    original = litter.new_blobs
    monkeypatch.setattr(litter, "new_blobs", lambda *a: blobs.extend(original(*a)) or original(*a))
    found(looks(walking))
    assert blobs


def test_what_looks_show_behind_what_moves_is_the_median_of_the_nearest_that_see_it() -> None:
    random = np.random.default_rng(5)
    pictures = random.integers(0, 255, (7, 8, 9, 3)).astype(np.uint8)
    hidden = random.random((7, 8, 9)) < 0.3
    plates = [litter._Plate(START, *one, ()) for one in zip(pictures, hidden, strict=True)]
    middle, _ = litter.background(plates, 5)
    for y, x in np.ndindex(8, 9):
        seen = np.array([p[y, x] for p, h in zip(pictures, hidden, strict=True) if not h[y, x]][:5])
        if len(seen):
            assert np.array_equal(middle[y, x], np.sort(seen, axis=0)[(len(seen) - 1) // 2])


def test_light_that_changes_all_over_is_no_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    gain = np.linspace(0.35, 1.0, WH[0], dtype=np.float32)[None, :, None]

    def sunny(i: int) -> Image:
        return (GROUND * (gain if i >= 8 else 0.9)).astype(np.uint8)

    def with_bag(i: int) -> Image:
        picture = bag(GROUND) if i >= 8 else GROUND
        return (picture * (gain if i >= 8 else 0.9)).astype(np.uint8)

    assert not found(looks(sunny))
    assert len(found(looks(with_bag))) == 1
    monkeypatch.setattr(litter, "relit", lambda image, *_: image)
    assert len(found(looks(with_bag))) != 1


def test_a_pole_that_sways_by_a_pixel_leaves_nothing_new() -> None:
    def swaying(i: int) -> Image:
        return np.roll(GROUND, (i % 3) - 1, axis=1)

    assert not found(looks(swaying))


def test_a_bag_is_his_who_stands_beside_it_and_litter_once_he_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def owner(until: int) -> list[Observation]:
        return looks(left_at_8, lambda i: [("person", PERSON)] if 8 <= i < until else [], count=24)

    assert not found(owner(24))
    (incident,) = found(owner(14))
    assert incident.interval.start >= START + timedelta(seconds=CADENCE_S * 13)
    monkeypatch.setattr(litter, "within_reach", lambda *_: False)
    assert found(owner(24)) or found(owner(14))[0].interval.start < START + timedelta(seconds=CADENCE_S * 13)


def test_who_steps_aside_after_putting_a_bag_down_owns_it_all_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def beside(px: int) -> tuple[int, int, int, int]:
        return PERSON[0] + px, PERSON[1], PERSON[2] + px, PERSON[3]

    def stepped(px: int) -> list[Observation]:
        return looks(
            left_at_8, lambda i: [("person", beside(20 + px if i == 8 else 20))] if i >= 8 else [], count=24
        )

    assert not found(stepped(24))
    assert found(stepped(60))  # somebody else, who left before the one came who waits there
    monkeypatch.setattr(litter, "SHIFTS_HEIGHTS", 0.0)
    assert found(stepped(24))


def test_who_only_passes_does_not_own_a_bag() -> None:
    def passer(i: int) -> list[tuple[str, tuple[int, int, int, int]]]:
        x = 240 + (i * 37) % 160
        return [("person", (x, 130, x + 32, 228))]

    assert len(found(looks(left_at_8, passer, count=24))) == 1


def test_a_bag_hidden_by_passers_by_stays_one_stay() -> None:
    def seen(i: int) -> list[tuple[str, tuple[int, int, int, int]]]:
        return [("person", (295, 130, 335, 228))] if i % 4 == 0 else []

    def picture(i: int) -> Image:
        return bag(left_at_8(i), (295, 130, 335, 228), (90, 60, 120)) if i % 4 == 0 else left_at_8(i)

    assert len(found(looks(picture, seen, count=28))) == 1


def test_a_parked_car_that_the_model_misses_now_and_then_is_no_litter() -> None:
    car = (200, 150, 380, 250)

    def picture(i: int) -> Image:
        return bag(GROUND, car, (60, 70, 160)) if i >= 8 else GROUND

    assert not found(looks(picture))
    assert not found(looks(picture, lambda i: [("car", car)] if i % 3 == 0 else []))


def test_what_is_inside_a_vehicle_that_stands_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A light-grey lorry on light-grey ground: only its dark window differs."""
    lorry = (220, 120, 420, 260)
    seen = looks(left_at_8, lambda i: [("truck", lorry)] if i >= 8 and i % 3 == 0 else [], count=24)
    assert not found(seen)
    monkeypatch.setattr(litter, "PART_OF_SHARE", 1.0)
    assert found(seen)


def test_a_collection_point_exempts_its_hours_and_nothing_else() -> None:
    def point(hours: str) -> Zone:
        corners = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.8), (0.4, 0.8))
        return Zone("collection", ZoneKind.SANITATION, corners, (DailyHours.parse(hours),))

    observations = looks(left_at_8, count=24)
    assert not found(observations, CLEAN, point("00:00-24:00"))
    assert len(found(observations, CLEAN, point("22:00-23:00"))) == 1


def test_outside_the_zone_nothing_is_litter() -> None:
    elsewhere = replace(CLEAN, polygon=((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)))
    assert not found(looks(left_at_8), elsewhere)


def test_the_rule_needs_pictures_and_a_zone() -> None:
    assert not found([replace(o, picture=None) for o in looks(left_at_8)])
    assert not found(looks(left_at_8), Zone("kerb", ZoneKind.NO_PARKING, WHOLE))
    assert not found([])


def test_what_a_detector_names_inside_a_parked_car_is_a_part_of_the_car() -> None:
    x1, y1, x2, y2 = BAG
    car = ("car", (x1 - 40, y1 - 30, x2 + 40, y2 + 10))
    assert found(looks(lambda _: GROUND, lambda i: [*named(i), car])) == []
    assert len(found(looks(lambda _: GROUND, lambda i: [*named(i), *([car] if i < 3 else [])]))) == 1


def named(i: int) -> list[tuple[str, tuple[int, int, int, int]]]:
    return [("rubbish", BAG)]


def test_what_the_detector_names_again_and_again_counts_even_if_it_always_lay_there() -> None:
    (incident,) = found(looks(lambda _: bag(GROUND), named))
    assert incident.interval.duration_s == pytest.approx(CADENCE_S * 19)
    assert {s.label for s in incident.stay.sightings if incident.stay} == {"rubbish"}


def under_two_names(other: str, confidences: tuple[float, float]) -> list[Observation]:
    """Looks at a bag that always lay there: the second confidence is that of the general model's name, 2 px off."""
    second = (BAG[0], BAG[1] + 2, BAG[2], BAG[3])
    seen = looks(lambda _: bag(GROUND), lambda _: [("rubbish", BAG), (other, second)])
    both = np.array(confidences, np.float32)
    return [replace(one, detections=replace(one.detections, confidences=both)) for one in seen]


@pytest.mark.parametrize("other", ["person", "car", "bicycle"])
def test_of_two_names_of_one_object_the_one_with_more_confidence_decides(other: str) -> None:
    (incident,) = found(under_two_names(other, (0.7, 0.5)))
    assert incident.interval.duration_s == pytest.approx(CADENCE_S * 19)
    assert found(under_two_names(other, (0.7, 0.75))) == []


def test_a_name_that_few_looks_give_does_not_outweigh_rubbish_in_all_looks() -> None:
    sure = replace(
        detections([("person", BAG), ("rubbish", BAG)]), confidences=np.array([0.9, 0.6], np.float32)
    )
    seen = looks(lambda _: bag(GROUND), named)
    assert (
        len(found([replace(one, detections=sure) if i % 4 == 0 else one for i, one in enumerate(seen)])) == 1
    )


def test_a_single_word_of_the_detector_or_an_unsure_one_does_not_count() -> None:
    once = looks(lambda _: GROUND, lambda i: named(i) if i == 5 else [])
    unsure = looks(lambda _: GROUND, named, confidence=0.3)
    assert not found(once)
    assert not found(unsure)


def test_what_came_needs_less_confidence_than_what_always_lay_there() -> None:
    came = looks(lambda _: GROUND, lambda i: named(i) if i >= 6 else [], confidence=0.36)
    assert len(found(came)) == 1
    assert not found(came[6:])


def test_both_ways_tell_of_one_bag_once() -> None:
    (incident,) = found(looks(left_at_8, lambda i: named(i) if i >= 8 and i % 2 else []))
    assert incident.confidence == pytest.approx(0.8)
    assert {s.label for s in incident.stay.sightings if incident.stay} == {"rubbish", "object"}


def test_judging_in_two_halves_finds_no_more_than_judging_once() -> None:
    observations = looks(left_at_8, count=24)
    whole = found(observations)
    halves = found(observations[:14]) + found(observations[14:])
    assert len(whole) == len(halves) == 1
    assert whole[0].box == halves[0].box
    assert whole[0].fingerprint == halves[0].fingerprint
