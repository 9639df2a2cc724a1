"""Perspective of a fixed camera over flat ground: where something stands in the picture and how large it looks.

Lengths are metres. Picture coordinates are in [0, 1] of width and height; `aspect` is the picture's height by its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from detector.core.geometry import Polygon

Foot = tuple[float, float]
"""A place on the ground: x and y in [0, 1] of the picture; may lie outside."""

ASPECT: Final = 9 / 16
"""Height by width of every picture that this module is used for."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera that looks along level ground.

    `horizon` is the y of the horizon, `height_m` how high the camera hangs, `focal` the focal length in picture heights.
    """

    horizon: float
    height_m: float
    focal: float = 1.7

    def foot(self, x_m: float, z_m: float) -> Foot:
        """The picture's place of a point on the ground, `x_m` to the right of the camera and `z_m` in front of it."""
        return 0.5 + ASPECT * self.focal * x_m / z_m, self.horizon + self.focal * self.height_m / z_m

    def depth_m(self, y: float) -> float:
        """The distance of ground at `y`; `y` lies below the horizon."""
        return self.focal * self.height_m / (y - self.horizon)

    def scale(self, y: float) -> float:
        """Picture heights a metre of something that stands upright at `y`; 0 at the horizon and above."""
        return max(0.0, y - self.horizon) / self.height_m

    def y_of(self, width_px: float, width_m: float, height_px: int) -> float:
        """The y at which something `width_m` wide is `width_px` wide in a picture of `height_px`."""
        return self.horizon + width_px / height_px / width_m * self.height_m


@dataclass(frozen=True, slots=True)
class Line:
    """A way on the ground: points of the picture in order of y, from far to near, or level from left to right."""

    points: tuple[Foot, ...]

    def __post_init__(self) -> None:
        if len(self.points) < 2 or any(b[1] < a[1] for a, b in pairwise(self.points)):
            raise ValueError(f"a line needs two points or more in order of y, got {self.points}")

    @property
    def level(self) -> bool:
        """Whether it runs from left to right at about one distance."""
        return self.points[-1][1] - self.points[0][1] < 0.08

    @property
    def range_y(self) -> tuple[float, float]:
        return self.points[0][1], self.points[-1][1]

    def at(self, y: float) -> Foot:
        """The point of the line at `y`; beyond its ends the last piece goes on straight."""
        a, b = self.points[0], self.points[1]
        for a, b in pairwise(self.points):  # noqa: B007  # the last piece serves beyond the end
            if y <= b[1]:
                break
        part = (y - a[1]) / max(1e-6, b[1] - a[1])
        return a[0] + part * (b[0] - a[0]), y


def strip(lens: Lens, line: Line, half_m: float) -> Polygon:
    """The ground within `half_m` of a line that leads away from the camera; cut at the picture's edges."""
    left, right = [], []
    for x, y in line.points:
        half = half_m * lens.scale(y) * ASPECT
        left.append((_inside(x - half), _inside(y)))
        right.append((_inside(x + half), _inside(y)))
    return (*left, *reversed(right))


def _inside(value: float) -> float:
    return min(1.0, max(0.0, value))


def metres(lens: Lens, a: Foot, b: Foot) -> float:
    """The distance over the ground between two feet."""
    floor = lens.horizon + 0.01
    (xa, ya), (xb, yb) = ((x, max(floor, y)) for x, y in (a, b))
    za, zb = lens.depth_m(ya), lens.depth_m(yb)
    across = [(x - 0.5) * z / (ASPECT * lens.focal) for x, z in ((xa, za), (xb, zb))]
    return float(np.hypot(zb - za, across[1] - across[0]))
