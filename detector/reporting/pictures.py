"""Pictures for papers: an issue's evidence, masked unless full pictures are asked for, at the size a paper needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from detector.core.files import write_atomically
from detector.core.geometry import Box
from detector.core.values import Detections, Image
from detector.evidence.drawing import fit_width
from detector.evidence.manifest import MANIFEST, stills_in
from detector.evidence.masking import (
    Placed,
    closeup_placed,
    joined,
    masked,
    picture_rows,
    scene_placed,
    tiles,
)
from detector.inference.detector import Detector
from detector.storage import BadName, Root, open_store

PAPER_QUALITY = 82
THUMBNAIL_PX = 640
"""Up to this width, whom a detector finds only in a quarter of the picture is a speck of some pixels."""
MASK_VERSION = 1
"""Changed with any change that makes a detector's answer for masking another one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG for a paper."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pair:
    """What proves an issue, in two pictures: the whole scene, and the object from near; None where there is none."""

    scene: Picture | None = None
    closeup: Picture | None = None


NO_PICTURES = Pair()

ReadEvidence = Callable[[str, str], bytes | None]
"""A file of the evidence by its folder and name; None where it is missing or cannot be read."""


class Pictures(Protocol):
    """Gives an issue's pictures, none wider than so many pixels."""

    def __call__(self, evidence_folder: str, scene_px: int, closeup_px: int) -> Pair: ...


def evidence_in(root: Root) -> ReadEvidence:
    """Reads evidence from its store. Names that would lead out of it are as good as missing."""
    store = open_store(root)

    def read(folder: str, name: str) -> bytes | None:
        try:
            return store.read(f"{folder}/{name}")
        except (OSError, BadName):
            return None

    return read


def no_pictures(evidence_folder: str, scene_px: int, closeup_px: int) -> Pair:  # noqa: ARG001  # a `Pictures`
    """For papers without any."""
    return NO_PICTURES


class Sight:
    """Masks pictures by what a detector sees in them, which is kept under `cache` by the picture's hash, so that an
    export costs its inference once.
    """

    def __init__(self, detector: Detector, cache: Path | None = None) -> None:
        self._detector = detector
        self._cache = cache

    def masked(self, image: Image, file: bytes, placed: Placed, *, in_tiles: bool) -> Image:
        """A new picture; `file` is the bytes that `image` was decoded from."""
        return masked(image, self._seen(image[slice(*placed.rows)], file, in_tiles=in_tiles), placed)

    def look(self, image: Image) -> Detections:
        """Who and what is in a camera's picture; nothing is kept."""
        return look(image, self._detector, in_tiles=image.shape[1] > THUMBNAIL_PX)

    def _seen(self, image: Image, file: bytes, *, in_tiles: bool) -> Detections:
        if self._cache is None:
            return look(image, self._detector, in_tiles=in_tiles)
        key = file + f"{MASK_VERSION} {self._detector.model_id} {in_tiles}".encode()
        name = hashlib.sha256(key).hexdigest()[:32]
        kept = self._cache / name[:2] / f"{name}.json"
        seen = _kept(kept)
        if seen is None:
            seen = look(image, self._detector, in_tiles=in_tiles)
            _keep(kept, seen)
        return seen


class EvidencePictures:
    """The middle still of an issue's evidence.

    With a sight, people and vehicles but the concerned one are blurred. Without one, pictures are full: whoever asks
    for that must have been allowed to.
    """

    def __init__(self, read: ReadEvidence, sight: Sight | None) -> None:
        self._read = read
        self._sight = sight

    def __call__(self, evidence_folder: str, scene_px: int, closeup_px: int) -> Pair:
        number, box = self._middle_still(evidence_folder)
        whole = self._read(evidence_folder, f"still_{number}_scene.jpg")
        near = self._read(evidence_folder, f"still_{number}_closeup.jpg")
        scene = decoded(whole)
        if scene is None or whole is None:
            return NO_PICTURES
        closeup = decoded(near)
        pair_scene = self._paper(
            scene, whole, scene_placed(scene, box), scene_px, in_tiles=scene_px > THUMBNAIL_PX
        )
        if closeup is None or near is None:
            return Pair(pair_scene)
        placed = closeup_placed(closeup, scene, box) if box else Placed(picture_rows(closeup), None)
        return Pair(pair_scene, self._paper(closeup, near, placed, closeup_px, in_tiles=False))

    def _middle_still(self, folder: str) -> tuple[int, Box | None]:
        """The number of the still in the middle of the stay, and where the object is in it."""
        stills = stills_in(self._read(folder, MANIFEST))
        number = max(1, (len(stills) + 1) // 2)
        return number, stills[number - 1].box if stills else None

    def _paper(self, image: Image, file: bytes, placed: Placed, most_px: int, *, in_tiles: bool) -> Picture:
        if self._sight is not None:
            image = self._sight.masked(image, file, placed, in_tiles=in_tiles)
        # Captions would be too small to read on paper, which says the same in its own words.
        return paper_picture(image[slice(*placed.rows)], most_px)


def look(image: Image, detector: Detector, *, in_tiles: bool) -> Detections:
    """What must be masked in a camera's picture: seen in the whole of it, and in its quarters if `in_tiles`."""
    parts = list(tiles(image)) if in_tiles else [(image, (0.0, 0.0, 1.0, 1.0))]
    seen = detector.detect([part for part, _ in parts])
    return joined([(found, place) for found, (_, place) in zip(seen, parts, strict=True)])


def paper_picture(image: Image, most_px: int) -> Picture:
    """The picture as a JPEG no wider than so many pixels."""
    small = fit_width(image, most_px)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, PAPER_QUALITY])
    return Picture(encoded.tobytes(), small.shape[1], small.shape[0])


def decoded(file: bytes | None) -> Image | None:
    """A picture's file as a picture, turned as its camera says; None where it is none."""
    if not file:
        return None
    image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, np.uint8)


def _kept(path: Path) -> Detections | None:
    try:
        read = json.loads(path.read_bytes())
        boxes = np.array(read["boxes"], np.float32).reshape(-1, 4)
        return Detections(tuple(read["labels"]), np.array(read["confidences"], np.float32), boxes)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, seen: Detections) -> None:
    values = {
        "labels": list(seen.labels),
        "confidences": [round(float(c), 4) for c in seen.confidences],
        "boxes": [[round(float(side), 5) for side in box] for box in seen.boxes],
    }
    write_atomically(path, json.dumps(values).encode())
