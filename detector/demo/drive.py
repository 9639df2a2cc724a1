"""Drives along a line of a street in perspective: through, up to a place where something stands, and away from it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from detector.demo.lens import Foot, Lens, Line, metres
from detector.demo.scene import Actor, Waypoint

STEPS: Final = 9
"""Straight pieces of one drive; more follow the perspective more closely."""

NEAREST: Final = 1.12
"""The y beyond the lower edge of the picture at which a drive begins or ends."""

SPEED_M_S: Final = 9.0
"""Of vehicles, unless another is given."""


def through(
    lens: Lens, line: Line, sprite: str, at_s: float, *, reverse: bool, speed_m_s: float = SPEED_M_S,
    size: float = 1.0, mirrored: bool = False,
) -> Actor:  # fmt: skip
    """Something that only passes along a whole line from `at_s` on.

    It goes from the line's first point, the far or the left end, to the last; with `reverse` the other way.
    """
    way = timed(lens, feet_of(lens, line, reverse=reverse), at_s, speed_m_s)
    return Actor(sprite, tuple(way), facing_right=mirrored, size=size)


def halt(
    lens: Lens, line: Line, sprite: str, foot: Foot, from_s: float, until_s: float, *, reverse: bool,
    speed_m_s: float = SPEED_M_S, size: float = 1.0, mirrored: bool = False, exempt: str = "",
) -> Actor:  # fmt: skip
    """Something that comes along a line, stands at `foot` over [from_s, until_s), and goes on along the line."""
    feet = feet_of(lens, line, reverse=reverse)
    come = timed(lens, [*_before(feet, foot, line), foot], 0.0, speed_m_s)
    go = timed(lens, [foot, *_before(feet[::-1], foot, line)[::-1]], until_s, speed_m_s)
    later = from_s - come[-1].at_s
    way = [Waypoint(w.at_s + later, w.x, w.y) for w in come]
    return Actor(sprite, (*way, *go), facing_right=mirrored, size=size, exempt=exempt)


def feet_of(lens: Lens, line: Line, *, reverse: bool) -> list[Foot]:
    """Points along a line in the order of a drive."""
    feet = _level_feet(line) if line.level else _deep_feet(lens, line)
    return feet[::-1] if reverse else feet


def _level_feet(line: Line) -> list[Foot]:
    (x1, y1), (x2, y2) = line.points[0], line.points[-1]
    return [(x1 + (x2 - x1) * i / STEPS, y1 + (y2 - y1) * i / STEPS) for i in range(STEPS + 1)]


def _deep_feet(lens: Lens, line: Line) -> list[Foot]:
    """Points from far to near, evenly spread over the logarithm of their distances."""
    far, near = (lens.depth_m(y) for y in (line.points[0][1], max(NEAREST, line.points[-1][1])))
    depths = np.geomspace(far, near, STEPS + 1)
    return [line.at(lens.horizon + lens.focal * lens.height_m / float(z)) for z in depths]


def _before(feet: Sequence[Foot], place: Foot, line: Line) -> list[Foot]:
    """Those feet of a drive that come before a place beside it; at least the first."""
    axis, margin = (0, 0.04) if line.level else (1, 0.012)
    sign = 1 if feet[-1][axis] > feet[0][axis] else -1
    return [f for f in feet if sign * (place[axis] - f[axis]) > margin] or [feet[0]]


def timed(lens: Lens, feet: Sequence[Foot], at_s: float, speed_m_s: float) -> list[Waypoint]:
    """Feet as waypoints that are passed at one speed over the ground."""
    way = [Waypoint(at_s, *feet[0])]
    for a, b in pairwise(feet):
        way.append(Waypoint(way[-1].at_s + max(0.2, metres(lens, a, b) / speed_m_s), *b))
    return way
