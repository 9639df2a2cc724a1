"""How alike one place looks in two pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from street import HEIGHT, SPOT, WIDTH, texture

from detector.core.values import Image
from detector.proving.likeness import likeness, paint_apart, place_of, visible_blocks
from detector.proving.prove import ALIKE

seeds = st.integers(0, 10_000)


def scene(seed: int, spot: int | None = None) -> Image:
    """A street whose spot may be filled by something of its own."""
    image = texture(seed, WIDTH, HEIGHT).copy()
    if spot is not None:
        image[72:108, 128:192] = texture(spot, 64, 36)
    return image


def alike(a: Image, b: Image) -> float:
    return likeness(place_of(a, SPOT), place_of(b, SPOT))


@settings(max_examples=25)
@given(seeds)
def test_a_place_is_wholly_like_itself(seed: int) -> None:
    assert alike(scene(seed), scene(seed)) == 1.0


@settings(max_examples=25)
@given(seeds, seeds)
def test_likeness_lies_within_0_and_1(a: int, b: int) -> None:
    assert 0.0 <= alike(scene(a), scene(b)) <= 1.0


@settings(max_examples=25)
@given(seeds, st.floats(0.6, 1.3), st.floats(-10, 10))
def test_other_light_changes_little(seed: int, contrast: float, light: float) -> None:
    picture = scene(seed)
    lit = np.clip((picture * 0.6 + 40) * contrast + light, 0, 255).astype(np.uint8)
    assert alike((picture * 0.6 + 40).astype(np.uint8), lit) >= 0.8


@settings(max_examples=25)
@given(seeds, seeds)
def test_two_objects_are_not_alike(a: int, b: int) -> None:
    if a != b:
        assert alike(scene(1, a), scene(1, b)) < ALIKE / 2


@pytest.mark.parametrize("part", [0.05, 0.15, 0.25])
def test_what_hides_a_quarter_at_most_leaves_a_place_alike(part: float) -> None:
    """No law: of 6,000 scenes of which a fifth was hidden two were not (the shift that suits best was another)."""
    width, height = round(64 * part), round(36 * part)
    strips = [
        (slice(72, 108), slice(128, 128 + width)),
        (slice(72, 108), slice(192 - width, 192)),
        (slice(72, 72 + height), slice(128, 192)),
        (slice(108 - height, 108), slice(128, 192)),
    ]
    unlike = 0
    for seed in range(100):
        for strip in strips:
            hidden = scene(1, seed)
            hidden[strip] = 20
            unlike += alike(scene(1, seed), hidden) < ALIKE
    assert unlike <= 4 * 100 * 0.02


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (-1, -1), (2, 0)])
def test_a_camera_that_sways_by_a_pixel_or_two_sees_the_same(shift: tuple[int, int]) -> None:
    picture = scene(5)
    assert alike(picture, np.roll(picture, shift, (1, 0))) > 0.9


@settings(max_examples=20)
@given(seeds)
def test_noise_changes_little(seed: int) -> None:
    picture = scene(seed)
    noise = np.random.default_rng(seed).normal(0, 6, picture.shape)
    assert alike(picture, np.clip(picture + noise, 0, 255).astype(np.uint8)) > 0.9


def test_a_place_without_any_structure_is_like_nothing() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    assert alike(flat, flat) == 0.0


def test_one_shape_in_another_paint_is_another_object() -> None:
    grey = texture(3, 64, 36).mean(axis=2, keepdims=True) * 0.4 + 40
    red, blue = scene(1), scene(1)
    red[72:108, 128:192] = np.clip(grey * (0.3, 0.3, 2.0), 0, 255).astype(np.uint8)
    blue[72:108, 128:192] = np.clip(grey * (2.0, 0.3, 0.3), 0, 255).astype(np.uint8)
    assert alike(red, blue) < ALIKE


def test_a_place_at_the_edge_of_the_picture_can_be_compared() -> None:
    picture = scene(5)
    corner = (0.9, 0.9, 1.0, 1.0)
    assert likeness(place_of(picture, corner), place_of(picture, corner)) == 1.0


@pytest.mark.parametrize("scale", [0.5, 2.0, 4.0])
def test_a_picture_of_any_size_gives_a_place_of_one_size(scale: float) -> None:
    import cv2

    picture = scene(5)
    resized = np.asarray(
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )
    assert place_of(resized, SPOT).patch.shape == place_of(picture, SPOT).patch.shape
    assert alike(picture, resized) > 0.7


def painted(image: Image, blue: float, red: float) -> Image:
    return np.clip(image * np.array((blue, 1.0, red)), 0, 255).astype(np.uint8)


def test_paint_of_one_vehicle_stays_within_noise_and_that_of_its_twin_in_another_colour_does_not() -> None:
    street = texture(3, 200, 120) // 2 + 40
    noisy = np.clip(street + np.random.default_rng(1).normal(0, 3, street.shape), 0, 255).astype(np.uint8)
    twin = street.copy()
    twin[24:96, 40:160] = painted(twin[24:96, 40:160], 0.8, 1.1)
    box = (0.2, 0.2, 0.8, 0.8)
    same, other = (paint_apart(place_of(street, box), place_of(p, box)) for p in (noisy, twin))
    assert same < 0.6
    assert other > 1.0


def test_a_light_that_tints_the_whole_picture_is_no_paint() -> None:
    street = texture(3, 200, 120) // 2 + 40
    box = (0.2, 0.2, 0.8, 0.8)
    assert paint_apart(place_of(street, box), place_of(painted(street, 0.93, 1.04), box)) < 1.0


@settings(max_examples=25)
@given(seeds, seeds)
def test_the_part_of_a_place_that_a_crowd_leaves_open_tells_that_it_is_itself(seed: int, crowd: int) -> None:
    before, after = scene(seed, 1), scene(seed, 1)
    after[90:108, 128:192] = texture(crowd + 20_000, 64, 18)
    covers = np.array([[0.4, 0.5, 0.6, 0.6]], np.float32)
    visible = visible_blocks(SPOT, covers)
    assert visible.reshape(4, 4)[:2].all()
    assert not visible.reshape(4, 4)[2:].any()
    assert likeness(place_of(before, SPOT), place_of(after, SPOT), visible) >= ALIKE


@settings(max_examples=25)
@given(seeds, seeds)
def test_another_object_behind_a_crowd_is_not_the_same(a: int, b: int) -> None:
    if a != b:
        visible = visible_blocks(SPOT, np.array([[0.4, 0.5, 0.6, 0.6]], np.float32))
        assert likeness(place_of(scene(1, a), SPOT), place_of(scene(1, b), SPOT), visible) < ALIKE
