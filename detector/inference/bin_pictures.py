"""Labelled pictures of street containers, and how a surveillance camera would show them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from detector.config.bin_training import Seen
from detector.core.errors import BadInput
from detector.core.values import Image


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture of a container."""

    path: Path
    dirty: bool


def read_labelled(folder: Path) -> list[Labelled]:
    """The pictures of the folders `clean` and `dirty`, by name. Raises BadInput where one of them holds none."""
    found = []
    for name in ("clean", "dirty"):
        files = sorted((folder / name).glob("*.jpg"))
        if not files:
            raise BadInput(f"{folder / name}: no pictures (*.jpg)")
        found += [Labelled(path, name == "dirty") for path in files]
    return found


def chance_of(seed: int, name: str) -> np.random.Generator:
    """Chance that depends on the seed and the picture's name alone."""
    return np.random.default_rng([seed, int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)])


def as_seen(image: Image, seen: Seen, rng: np.random.Generator) -> Image:
    """A picture of a container as a surveillance camera might show it: cut, small, at times dark, blurred, noisy."""
    height, width = image.shape[:2]
    left, right, top, bottom = rng.uniform(0, seen.crop, 4) if seen.crop else np.zeros(4)
    cut = image[
        int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)
    ]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    scale = rng.uniform(seen.from_px, seen.until_px) / max(cut.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    light = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=method), np.float32)
    if rng.random() < seen.night:  # lamps give little light, and less of blue than of red
        colour = np.array([rng.uniform(0.6, 1), rng.uniform(0.8, 1), 1], np.float32)
        light *= np.float32(rng.uniform(0.15, 0.6)) * colour
    else:
        light = (light - light.mean()) * rng.uniform(0.75, 1.2) + light.mean() * rng.uniform(0.75, 1.2)
    if rng.random() < seen.blur:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, 1.2)))
    light += np.float32(rng.uniform(0, 8)) * rng.standard_normal(light.shape, np.float32)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 93))]
    written = cv2.imencode(".jpg", np.clip(light, 0, 255).astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)
