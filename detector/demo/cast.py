"""Which cut-outs play vehicles and people on a street in perspective: how wide they are and which side they show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from detector.demo.play import CARS, PEOPLE
from detector.demo.sprites import METRES, wardrobe
from detector.demo.views import Facing

TRUCK_M, VAN_M, CAR_M = 3.0, 2.3, 2.0
"""Widths of vehicles seen from the front or the rear, a part of their side included."""

REAL: Final[Mapping[str, tuple[Facing, float]]] = MappingProxyType(
    {
        "00": (Facing.REAR, TRUCK_M), "01": (Facing.FRONT, TRUCK_M), "02": (Facing.FRONT, VAN_M),
        "03": (Facing.REAR, VAN_M), "04": (Facing.REAR, CAR_M), "05": (Facing.FRONT, CAR_M),
        "06": (Facing.REAR, CAR_M), "07": (Facing.REAR, CAR_M), "08": (Facing.REAR, CAR_M),
        "09": (Facing.FRONT, TRUCK_M), "10": (Facing.REAR, VAN_M), "11": (Facing.REAR, CAR_M),
        "12": (Facing.FRONT, CAR_M), "13": (Facing.FRONT, VAN_M), "14": (Facing.FRONT, CAR_M),
        "15": (Facing.FRONT, CAR_M),
    }
)  # fmt: skip
"""The vehicles of `footage/sprites` by number."""

ENLARGED: Final = 1.3
"""A cut-out is shown at most so many times as wide as it is: beyond that it is a blur."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A cut-out of a vehicle with the width in metres at which it is shown."""

    sprite: str
    facing: Facing
    width_m: float
    size: float
    widest_px: float
    """Where it is shown wider, it is a blur."""


def vehicles(shared: Path | None) -> tuple[Vehicle, ...]:
    """Those that the program draws, from their sides, and the real ones of `footage/sprites` where `shared` holds them."""
    sprites = wardrobe(shared)
    found = [(name, Facing.SIDE, METRES * sprites[name].span) for name in CARS]
    found += [
        (f"shared-{number}", facing, width_m)
        for number, (facing, width_m) in REAL.items()
        if f"shared-{number}" in sprites
    ]
    return tuple(
        Vehicle(
            name, facing, width_m, width_m / (METRES * sprites[name].span),
            ENLARGED * sprites[name].pixels.shape[1],
        )
        for name, facing, width_m in found
    )  # fmt: skip


WALKERS: Final = PEOPLE
