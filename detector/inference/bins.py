"""Is a street container clean, or does rubbish lie in its opening, on it or around it: one probability a picture.

A backbone gives features of the container and what is around it; a logistic head of one weight a feature says how
probable `dirty` is. The head is a JSON file that names the backbone by its SHA-256.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.core.errors import BadInput, BadWeights
from detector.core.geometry import Box, widened
from detector.core.values import Image
from detector.inference.backbone import Backbone, Features
from detector.inference.second import BIN_MARGIN
from detector.inference.weights import sha256_of

LEAST_SIDE_PX = 24
"""A part of a picture whose shorter side is less shows too little to say anything."""


@dataclass(frozen=True, slots=True)
class BinHead:
    """A logistic head: dirty with probability 1 / (1 + exp(-(bias + weights . features)))."""

    backbone: str
    """Name in the manifest."""
    backbone_sha256: str
    side_px: int
    """The longer side of the backbone's input."""
    threshold: float
    """The probability from which a container counts as dirty, in [0, 1]."""
    bias: float
    weights: npt.NDArray[np.float64]
    """Shape (n,), one for each feature of the backbone."""

    def __post_init__(self) -> None:
        if self.weights.ndim != 1 or not np.isfinite(self.weights).all() or not math.isfinite(self.bias):
            raise ValueError(f"the weights must be finite numbers of shape (n,), got {self.weights.shape}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold {self.threshold} does not lie in [0, 1]")

    def probability(self, features: Features) -> float:
        """How probable it is that a container with these features is dirty, in [0, 1]. Features of shape (n,)."""
        if features.shape != self.weights.shape:
            raise ValueError(f"features need shape {self.weights.shape}, got {features.shape}")
        return float(sigmoid(self.bias + features.astype(np.float64) @ self.weights))

    def write(self, file: Path) -> None:
        fields = {
            "backbone": self.backbone,
            "backbone_sha256": self.backbone_sha256,
            "side_px": self.side_px,
            "threshold": self.threshold,
            "bias": _short(self.bias),
            "weights": [_short(weight) for weight in self.weights],
        }
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()]
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> BinHead:
        """Raises BadWeights where the file is missing or is not such a head."""
        try:
            fields = json.loads(file.read_text(encoding="utf-8"))
            return cls(**{**fields, "weights": np.array(fields["weights"], np.float64)})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadWeights(f"{file} is no head of a bin classifier: {error}") from error


def _short(value: float) -> float:
    """Six digits: more than the features are exact to, and half the file."""
    return float(f"{value:.6g}")


def sigmoid(values: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(values, np.float64))))


class BinClassifier:
    """The head and its backbone, on a processor."""

    @property
    def model_id(self) -> str:
        """Names the head, which names the backbone."""
        return self._id

    @property
    def threshold(self) -> float:
        """The probability in [0, 1] from which on a container counts as dirty."""
        return self.head.threshold

    def __init__(self, head: Path, backbone: Path, cache: Path, *, threads: int = 0) -> None:
        """`head` and `backbone` are files; `threads` bounds what is used of the processor, 0 is all of it.

        Raises BadWeights where the backbone is not the one that the head was trained with.
        """
        self.head = BinHead.read(head)
        self._id = sha256_of(head)[:16]
        self._backbone = Backbone(backbone, cache, side_px=self.head.side_px, threads=threads)
        if self._backbone.sha256 != self.head.backbone_sha256:
            raise BadWeights(
                f"{head} was trained with a backbone of SHA-256 {self.head.backbone_sha256}, {backbone} has "
                f"{self._backbone.sha256}; run 'kerbwatch models fetch {self.head.backbone}'"
            )

    def dirty(self, image: Image, container: Box | None = None) -> float:
        """How probable it is that the container is dirty, in [0, 1].

        `image` is height x width x 3, BGR. `container` is its box in [0, 1] of the picture, to which a MARGIN is
        added; without it the whole picture is looked at. Raises BadInput where that part is too small.
        """
        part = image if container is None else around(image, container)
        if min(part.shape[:2]) < LEAST_SIDE_PX:
            raise BadInput(
                f"a container must be {LEAST_SIDE_PX} px wide and high to be judged, "
                f"got {part.shape[1]}x{part.shape[0]} px"
            )
        return self.head.probability(self._backbone.features(part))


class LazyBins:
    """A classifier that is opened when it is first asked: most cameras show no container."""

    def __init__(self, model_id: str, opened: Callable[[], BinClassifier]) -> None:
        self.model_id = model_id
        self._opened = opened
        self._open: BinClassifier | None = None

    def open(self) -> BinClassifier:
        """Raises BadWeights where a file is missing or another one."""
        self._open = self._open or self._opened()
        return self._open

    @property
    def threshold(self) -> float:
        """The probability in [0, 1] from which on a container counts as dirty."""
        return self.open().threshold

    def dirty(self, image: Image, container: Box | None = None) -> float:
        """As `BinClassifier.dirty`."""
        return self.open().dirty(image, container)


def around(image: Image, container: Box) -> Image:
    """The part of a picture that shows a container (a box in [0, 1]) and BIN_MARGIN around it, as far as the picture goes."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = widened(container, BIN_MARGIN)
    left, right = (round(float(np.clip(x, 0, 1)) * width) for x in (x1, x2))
    top, bottom = (round(float(np.clip(y, 0, 1)) * height) for y in (y1, y2))
    return image[top:bottom, left:right]
