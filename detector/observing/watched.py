"""The part of a picture that is watched: the zones, and what may stand in them as far as it reaches beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence

from detector.core.geometry import Box
from detector.core.values import Zone

ABOVE = 0.2
BELOW = 0.05
BESIDE = 0.08
"""Margins in picture heights and widths. What stands at the upper edge of a zone reaches as far up as it is high; a bus
in the far lane of the example's streets is 0.2 high."""

STEPS = 20
"""Edges lie on a grid of so many steps, rounded outward: a corner dragged a little leaves observations what they are."""

WORTH_IT = 0.9
"""A part larger than this is not worth cutting out."""


def watched(zones: Sequence[Zone]) -> Box | None:
    """The box in [0, 1] that the model looks at; None for the whole picture."""
    if not zones:
        return None
    xs = [x for zone in zones for x, _ in zone.polygon]
    ys = [y for zone in zones for _, y in zone.polygon]
    box = (
        _down(min(xs) - BESIDE),
        _down(min(ys) - ABOVE),
        _up(max(xs) + BESIDE),
        _up(max(ys) + BELOW),
    )
    return box if (box[2] - box[0]) * (box[3] - box[1]) <= WORTH_IT else None


def _down(value: float) -> float:
    return max(0.0, math.floor(round(value * STEPS, 6)) / STEPS)


def _up(value: float) -> float:
    return min(1.0, math.ceil(round(value * STEPS, 6)) / STEPS)
