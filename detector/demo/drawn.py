"""Bicycles and a parasol, drawn: no photo that other packages ship shows any.

A bicycle is drawn half as large again as it would look beside a van, and the parasol is a market's: yolov8n knows
them from some 80 px of width on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.values import Image

Colour = tuple[int, int, int]
Spot = tuple[float, float]
_Layer = npt.NDArray[np.uint8]

FINE: Final = 4
"""Drawn so much larger and shrunk, for smooth edges."""

BLACK: Final[Colour] = (22, 22, 24)
STEEL: Final[Colour] = (132, 132, 136)
GREY: Final[Colour] = (66, 66, 70)

BIKE_PAINTS: Final[Mapping[str, Colour]] = MappingProxyType(
    {
        "red": (40, 40, 170), "blue": (150, 90, 30), "green": (40, 120, 40), "yellow": (30, 160, 200),
        "silver": (160, 160, 165),
    }
)  # fmt: skip


class Pen:
    """Draws on colours and on alpha alike; units are pixels of the finished cut-out."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.colours = np.zeros((height * FINE, width * FINE, 3), np.uint8)
        self.alpha = np.zeros((height * FINE, width * FINE), np.uint8)

    def line(self, a: Spot, b: Spot, colour: Colour, thick: float) -> None:
        wide = max(1, int(thick * FINE))
        self._both(colour, lambda layer, c: cv2.line(layer, _at(a), _at(b), c, wide, cv2.LINE_AA))

    def arc(
        self, centre: Spot, axes: Spot, colour: Colour, thick: float = 0, turn: tuple[float, float] = (0, 360)
    ) -> None:
        """A part of an ellipse in degrees, filled where `thick` is 0."""
        wide = int(thick * FINE) or -1
        self._both(
            colour,
            lambda layer, c: cv2.ellipse(
                layer, _at(centre), _at(axes), 0, turn[0], turn[1], c, wide, cv2.LINE_AA
            ),
        )

    def shape(self, corners: Sequence[Spot], colour: Colour) -> None:
        outline = np.array([_at(corner) for corner in corners], np.int32)
        self._both(colour, lambda layer, c: cv2.fillPoly(layer, [outline], c, cv2.LINE_AA))

    def done(self, seed: int) -> Image:
        """The cut-out, BGRA, with a coarse grain so that no part is one flat colour."""
        width, height = self.size
        colours, alpha = (
            cv2.resize(v, self.size, interpolation=cv2.INTER_AREA) for v in (self.colours, self.alpha)
        )
        random = np.random.default_rng(seed)
        coarse = random.normal(0, 8, (height // 3, width // 3)).astype(np.float32)
        grain = cv2.resize(coarse, self.size)[..., None]
        return np.dstack([np.clip(colours + grain, 0, 255).astype(np.uint8), alpha.astype(np.uint8)])

    def _both(self, colour: Colour, draw: Callable[[_Layer, Colour], object]) -> None:
        draw(self.colours, colour)
        draw(self.alpha, (255, 255, 255))


def _at(spot: Spot) -> tuple[int, int]:
    return int(spot[0] * FINE), int(spot[1] * FINE)


def bicycle(paint: Colour, seed: int) -> Image:
    """A bicycle with a basket from its side, facing left."""
    pen = Pen(360, 230)
    dark: Colour = (int(paint[0] * 0.6), int(paint[1] * 0.6), int(paint[2] * 0.6))
    front, back, crank = (75, 158), (282, 158), (180, 166)
    for hub in (front, back):
        _wheel(pen, hub, dark)
    pen.line(back, crank, dark, 7)
    pen.line(back, (210, 66), dark, 7)
    pen.line(crank, (205, 78), paint, 10)
    pen.line((112, 66), (205, 80), paint, 10)
    pen.line((108, 80), crank, paint, 12)
    pen.line(front, (104, 70), GREY, 8)
    pen.line((104, 70), (114, 34), GREY, 8)
    pen.line((114, 34), (84, 28), GREY, 7)
    pen.line((114, 34), (140, 44), BLACK, 10)
    pen.line((210, 66), (213, 48), GREY, 7)
    pen.arc((214, 42), (32, 10), BLACK)
    pen.shape([(190, 40), (244, 34), (246, 50), (210, 56)], BLACK)
    pen.arc(crank, (19, 19), GREY, 6)
    pen.line(crank, (194, 196), GREY, 6)
    pen.line((180, 197), (208, 197), BLACK, 8)
    pen.shape([(48, 36), (104, 36), (96, 84), (58, 84)], GREY)
    for x in (60, 74, 88):
        pen.line((x, 38), (x + 2, 82), STEEL, 2)
    pen.line((222, 92), (302, 86), GREY, 6)
    pen.line(back, (286, 86), GREY, 4)
    return pen.done(seed)


def _wheel(pen: Pen, hub: Spot, mudguard: Colour) -> None:
    pen.arc(hub, (64, 64), BLACK, 9)
    pen.arc(hub, (57, 57), STEEL, 3)
    for turn in np.arange(6) * np.pi / 6:
        x, y = 58 * float(np.cos(turn)), 58 * float(np.sin(turn))
        pen.line((hub[0] - x, hub[1] - y), (hub[0] + x, hub[1] + y), (140, 140, 146), 1.2)
    pen.arc(hub, (8, 8), GREY)
    pen.arc(hub, (73, 73), mudguard, 5, (195, 325))


def parasol(paint: Colour, seed: int) -> Image:
    """A parasol on its pole."""
    pen = Pen(300, 300)
    dark: Colour = (int(paint[0] * 0.6), int(paint[1] * 0.6), int(paint[2] * 0.6))
    light: Colour = tuple(min(255, int(v * 1.25) + 20) for v in paint)  # type: ignore[assignment]
    pen.line((150, 60), (150, 296), (94, 90, 90), 6)
    for half, colour in ((140, paint), (94, light), (40, paint)):
        pen.arc((150, 130), (half, 118), colour, turn=(180, 360))
    for k in range(6):
        pen.arc((33.3 + 46.7 * k, 130), (23.3, 13), dark, turn=(180, 360))
    pen.line((150, 6), (150, 20), GREY, 6)
    return pen.done(seed)
