"""What stands: what makes a region and what makes none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.observing.standing import (
    BoxPx,
    Found,
    Grey,
    Ground,
    Switches,
    absorbed,
    differing,
    find_standing,
    flattened,
    halvings_of,
    new_ground,
    reduced,
)

WIDTH, HEIGHT = 480, 200


@pytest.fixture(scope="module")
def street() -> Grey:
    """Coarse and fine structure with some sharp edges, as a street has."""
    return made_street()


def made_street() -> Grey:
    random = np.random.default_rng(3)
    coarse = cv2.resize(random.integers(70, 170, (10, 24)).astype(np.float32), (WIDTH, HEIGHT))
    fine = cv2.GaussianBlur(random.normal(0, 12, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.2)
    picture = coarse + fine
    picture[:, 200:203] += 60  # a pole
    picture[120:122] += 50  # a kerb
    return np.clip(picture, 0, 255).astype(np.uint8)


def noisy(picture: Grey, seed: int, strength: float = 1.5) -> Grey:
    noise = np.random.default_rng(seed).normal(0, strength, picture.shape)
    return np.clip(np.round(picture + noise), 0, 255).astype(np.uint8)


def parked(picture: Grey, box: BoxPx, contrast: int = 45) -> Grey:
    """The picture with a vehicle in a box: a bright upper and a dark lower half."""
    x1, y1, x2, y2 = box
    shown = picture.astype(int)
    middle = (y1 + y2) // 2
    ground = shown[y1:y2, x1:x2].mean()
    shown[y1:middle, x1:x2] = ground + contrast
    shown[middle:y2, x1:x2] = ground - contrast
    return np.clip(shown, 0, 255).astype(np.uint8)


def after(*pictures: Grey, switches: Switches | None = None) -> Found:
    """What stands in the last of successive samples."""
    ground: Ground = new_ground(flattened(pictures[0]))
    found = Found((), ground)
    for picture in pictures[1:]:
        found = find_standing(found.ground, flattened(picture), switches or Switches())
    return found


def near(box: BoxPx, other: BoxPx, within: int) -> bool:
    return all(abs(a - b) <= within for a, b in zip(box, other, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 430), st.integers(20, 170), st.integers(10, 40), st.integers(0, 99))
def test_what_arrives_and_stays_is_one_region_with_its_box(x: int, y: int, width: int, seed: int) -> None:
    box = (x, y, x + width, y + max(6, width // 2))
    empty = made_street()
    found = after(
        *(noisy(p, seed + k) for k, p in enumerate([empty, empty, parked(empty, box), parked(empty, box)]))
    )
    assert len(found.regions) == 1
    assert near(found.regions[0], box, 4)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 7).map(lambda k: 20 + 55 * k), min_size=2, max_size=6, unique=True),
    st.integers(0, 99),
)
def test_what_passes_is_no_region(places: list[int], seed: int) -> None:
    empty = made_street()
    shown = [parked(empty, (x, 80, x + 30, 96)) for x in places]
    assert after(*(noisy(p, seed + k) for k, p in enumerate([empty, *shown]))).regions == ()


@pytest.mark.parametrize("gain", [0.8, 0.9, 1.1, 1.2])
def test_light_that_changes_as_a_whole_makes_no_region(street: Grey, gain: float) -> None:
    lit = np.clip(street.astype(float) * gain, 0, 255).astype(np.uint8)
    assert after(noisy(street, 1), noisy(street, 2), noisy(lit, 3), noisy(lit, 4)).regions == ()


def test_light_that_changes_over_the_picture_makes_no_region(street: Grey) -> None:
    slope = np.linspace(-35, 35, WIDTH)[None, :]
    lit = np.clip(street + slope, 0, 255).astype(np.uint8)
    assert after(noisy(street, 1), noisy(lit, 2), noisy(lit, 3)).regions == ()


@pytest.mark.parametrize("strength", [0.5, 2.0, 5.0])
def test_noise_makes_no_region(street: Grey, strength: float) -> None:
    assert after(*(noisy(street, k, strength) for k in range(6))).regions == ()


def test_rain_makes_no_region(street: Grey) -> None:
    def rained(seed: int) -> Grey:
        random, shown = np.random.default_rng(seed), noisy(street, seed)
        for _ in range(300):
            x, y = int(random.integers(WIDTH)), int(random.integers(HEIGHT))
            cv2.line(shown, (x, y), (x + 1, y + 12), int(random.integers(150, 220)), 1)
        return shown

    assert after(*map(rained, range(6))).regions == ()


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, 1), (2, 0), (-2, -2)])
def test_a_view_that_shakes_by_two_pixels_of_the_camera_makes_no_region(
    street: Grey, shift: tuple[int, int]
) -> None:
    large = cv2.resize(street, (WIDTH * 4, HEIGHT * 4), interpolation=cv2.INTER_CUBIC)
    moved = np.roll(large, shift, axis=(1, 0))
    shown = [reduced(p.astype(np.uint8), 2) for p in (large, moved, moved, large, large)]
    assert after(*(noisy(p, k, 0.7) for k, p in enumerate(shown))).regions == ()


def test_a_vehicle_by_night_of_little_contrast_is_a_region(street: Grey) -> None:
    night, box = (street * 0.25).astype(np.uint8), (150, 60, 180, 75)
    dark = parked(night, box, contrast=14)
    found = after(*(noisy(p, k, 0.7) for k, p in enumerate([night, night, dark, dark])))
    assert any(near(region, box, 5) for region in found.regions)


def test_another_view_begins_anew_and_makes_no_region(street: Grey) -> None:
    other = street[::-1, ::-1].copy()
    found = after(street, other)
    assert found.new_scene
    assert found.regions == ()
    assert np.array_equal(found.ground.background, flattened(other))


def test_what_stands_for_long_becomes_background_and_its_leaving_is_then_a_region(street: Grey) -> None:
    box = (300, 60, 330, 76)
    shown = parked(street, box)
    stood = after(street, *[shown] * 60)
    assert stood.regions == ()
    ground = stood.ground
    for _ in range(2):
        left = find_standing(ground, flattened(street))
        ground = left.ground
    assert len(left.regions) == 1


def test_what_is_absorbed_is_no_region_any_more(street: Grey) -> None:
    shown = parked(street, (300, 60, 330, 76))
    found = after(street, shown, shown)
    (region,) = found.regions
    assert find_standing(absorbed(found.ground, region), flattened(shown)).regions == ()


def test_without_the_background_an_arrival_is_not_told_apart(street: Grey) -> None:
    box = (300, 60, 330, 76)
    shown = parked(street, box)
    found = after(street, shown, shown, switches=Switches(background=False))
    assert not any(near(region, box, 4) for region in found.regions)


def test_without_persistence_what_passes_is_a_region(street: Grey) -> None:
    assert after(street, parked(street, (300, 60, 330, 76)), switches=Switches(persistence=False)).regions


def test_two_pictures_differ_where_something_came_and_nowhere_else(street: Grey) -> None:
    box = (300, 60, 330, 76)
    assert differing(flattened(noisy(street, 1)), flattened(noisy(street, 2))) == ()
    (region,) = differing(flattened(street), flattened(parked(street, box)))
    assert near(region, box, 4)


@pytest.mark.parametrize(("width", "halvings"), [(1280, 1), (1920, 2), (2560, 2), (3840, 2)])
def test_large_pictures_are_halved_twice(width: int, halvings: int) -> None:
    assert halvings_of(width) == halvings
    picture = np.zeros((101, 203), np.uint8)
    assert reduced(picture, halvings).shape == (101 >> halvings, 203 >> halvings)
