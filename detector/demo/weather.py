"""What weather does to a street's pictures: rain, wet ground, moving cloud shadows, slow light, wind in trees and poles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.values import Image

Floats = npt.NDArray[np.float32]

STREAKS: Final = 9
"""Different pictures of falling rain that follow one another."""


@dataclass(frozen=True, slots=True)
class Weather:
    """`rain`, `clouds` and `sway` in [0, 1] are strengths; 0 is none.

    `drift` is by which part the light rises and falls, over `drift_s` seconds. `seed` draws clouds and streaks.
    """

    rain: float = 0.0
    clouds: float = 0.0
    drift: float = 0.0
    drift_s: float = 600.0
    sway: float = 0.0
    seed: int = 0

    def wetted(self, street: Image, ground_y: float | None) -> Image:
        """The empty street as it looks in this weather; below `ground_y` wet ground mirrors what is above it.

        Darker only where `ground_y` is None.
        """
        if not self.rain:
            return street
        wet = np.asarray(cv2.convertScaleAbs(street, alpha=1 - 0.22 * self.rain), np.uint8)
        if ground_y is None:
            return wet
        edge = round(ground_y * street.shape[0])
        above = street[max(0, 2 * edge - street.shape[0]) : edge][::-1]
        high = min(len(above), street.shape[0] - edge)
        mirrored = cv2.GaussianBlur(above[:high], (0, 0), 9)
        fade = (0.45 * self.rain * np.linspace(1, 0.1, high, dtype=np.float32))[:, None, None]
        wet[edge : edge + high] = (wet[edge : edge + high] * (1 - fade) + mirrored * fade).astype(np.uint8)
        return wet

    def on_ground(self, street: Image, at_s: float) -> Image:
        """A new picture of the empty street at a moment, with clouds' shadows and the wind."""
        picture = _swayed(street, self.sway, at_s, self.seed) if self.sway else street.copy()
        if self.clouds:
            shadow = _cloud_shadow(street.shape[1::-1], self.clouds, at_s, self.seed)
            picture = np.asarray(cv2.multiply(picture, shadow, scale=1 / 255), np.uint8)
        return picture

    def in_front(self, picture: Image, at_s: float) -> Image:
        """What lies between the street and the camera: rain, and the light's slow rise and fall."""
        if self.drift:
            gain = 1 + self.drift * float(np.sin(2 * np.pi * at_s / self.drift_s + self.seed))
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=gain), np.uint8)
        if self.rain:
            index = round(at_s * 7) % STREAKS
            streaks = _streaks(picture.shape[1::-1], self.seed, index, round(self.rain * 10))
            cv2.add(picture, streaks, dst=picture)
        return picture


Fair: Final = Weather()


def _cloud_shadow(wh: tuple[int, int], strength: float, at_s: float, seed: int) -> Image:
    """What clouds leave of the light: 255 for all; they drift to the right."""
    bank = _cloud_bank(seed)
    x = (at_s * 0.55) % (bank.shape[1] - 24)
    window = bank[:13, int(x) : int(x) + 25]
    part = x - int(x)
    window = window[:, :-1] * (1 - part) + window[:, 1:] * part
    level = 255 * (1 - 0.5 * strength * np.clip(window, 0, 1))
    coarse = cv2.resize(level.astype(np.float32), (wh[0] // 8, wh[1] // 8), interpolation=cv2.INTER_CUBIC)
    coarse = np.repeat(np.clip(coarse, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(cv2.resize(coarse, wh, interpolation=cv2.INTER_LINEAR), np.uint8)


@lru_cache(maxsize=4)
def _cloud_bank(seed: int) -> Floats:
    random = np.random.default_rng([seed, 31])
    broad = cv2.GaussianBlur(random.normal(0, 1, (14, 2000)).astype(np.float32), (0, 0), 3)
    return np.asarray(np.clip(broad / broad.std() * 0.6 + 0.2, 0, 1), np.float32)


@lru_cache(maxsize=STREAKS)
def _streaks(wh: tuple[int, int], seed: int, index: int, strength: int) -> Image:
    """Falling drops as thin slanted lines, near ones longer."""
    random = np.random.default_rng([seed, index, 33])
    layer = np.zeros((wh[1], wh[0]), np.uint8)
    for _ in range(60 * strength):
        x, y = int(random.integers(wh[0])), int(random.integers(wh[1]))
        near = float(random.uniform(0.3, 1.0)) * wh[1] / 1080
        end = (x + round(9 * near), y + round(70 * near))
        cv2.line(layer, (x, y), end, int(random.integers(22, 60)), max(1, round(1.6 * near)), cv2.LINE_AA)
    return np.repeat(cv2.GaussianBlur(layer, (3, 3), 0)[..., None], 3, axis=2)


def _swayed(street: Image, strength: float, at_s: float, seed: int) -> Image:
    """The wind moves the picture's upper part, trees and poles, by some pixels; each column by itself."""
    height, width = street.shape[:2]
    reach = strength * 3.5 * height / 1080
    columns = np.arange(width, dtype=np.float32)
    shift = reach * (
        np.sin(columns / width * 25 + at_s * 1.9 + seed) + 0.6 * np.sin(columns / width * 61 + at_s * 3.1)
    )
    rows = np.arange(height, dtype=np.float32)
    part = np.clip(1 - rows / (0.55 * height), 0, 1)
    map_x = columns[None, :] + part[:, None] * shift[None, :].astype(np.float32)
    map_y = np.repeat(rows[:, None], width, axis=1)
    return np.asarray(
        cv2.remap(street, map_x.astype(np.float32), map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
