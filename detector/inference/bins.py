"""Is a street container clean, or does rubbish lie in its opening, on it or around it: one probability a picture.

A network gives log-odds for the container and what is around it; a head makes them a probability. The head is a JSON file
that names the network by its SHA-256.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.core.errors import BadInput, BadWeights
from detector.core.geometry import Box, widened
from detector.core.values import Image
from detector.inference.backbone import BinNetwork
from detector.inference.second import BIN_MARGIN
from detector.inference.weights import sha256_of

LEAST_SIDE_PX = 24
"""A part of a picture whose shorter side is less shows too little to say anything."""


@dataclass(frozen=True, slots=True)
class BinHead:
    """How a network's log-odds become a probability: 1 / (1 + exp(-(offset + slope * log-odds)))."""

    network: str
    """Name in the manifest."""
    network_sha256: str
    side_px: int
    """The side of the network's square input."""
    threshold: float
    """The probability from which a container counts as dirty, in [0, 1]."""
    slope: float
    offset: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.offset)):
            raise ValueError(f"slope and offset must be finite numbers, got {self.slope} and {self.offset}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold {self.threshold} does not lie in [0, 1]")

    def probability(self, log_odds: float) -> float:
        """How probable it is that a container with these log-odds is dirty, in [0, 1]."""
        return float(sigmoid(self.offset + self.slope * log_odds))

    def write(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> BinHead:
        """Raises BadWeights where the file is missing or is not such a head."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadWeights(f"{file} is no head of a bin classifier: {error}") from error


def sigmoid(values: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(values, np.float64))))


class BinClassifier:
    """The head and its network, on a processor."""

    @property
    def model_id(self) -> str:
        """Names the head, which names the network."""
        return self._id

    @property
    def threshold(self) -> float:
        """The probability in [0, 1] from which on a container counts as dirty."""
        return self.head.threshold

    def __init__(self, head: Path, network: Path, cache: Path, *, threads: int = 0) -> None:
        """`head` and `network` are files; `threads` bounds what is used of the processor, 0 is all of it.

        Raises BadWeights where the network is not the one that the head is for.
        """
        self.head = BinHead.read(head)
        self._id = sha256_of(head)[:16]
        self._network = BinNetwork(network, cache, side_px=self.head.side_px, threads=threads)
        if self._network.sha256 != self.head.network_sha256:
            raise BadWeights(
                f"{head} is for a network of SHA-256 {self.head.network_sha256}, {network} has "
                f"{self._network.sha256}: take both from one training"
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
        return self.head.probability(self._network.log_odds(part))


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
