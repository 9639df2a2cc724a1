"""Which made cases fill the hours that are asked for: every hard case by day and by night, and long quiet stretches. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

STRETCH_SHARE = 1 / 3
"""Such a part of the hours is long stretches in which nothing happens, where false alarms would show."""


@dataclass(frozen=True, slots=True)
class Made:
    """One case to be composed: its name, seed, light and street."""

    case: str
    seed: int
    night: bool
    photo: bool = False
    """Played on a photographed street with real vehicles, where the case can be."""

    @property
    def name(self) -> str:
        words = [self.case, "seed", str(self.seed), "night" * self.night, "photo" * self.photo]
        return " ".join(word for word in words if word)


def filling(
    hours: float,
    seed: int,
    cases: Mapping[str, float],
    stretches: Mapping[str, float],
    *,
    photos: bool = False,
) -> list[Made]:
    """Cases and stretches, each with a seed of its own from `seed` on, until their durations reach `hours`.

    Both are given by name with their durations in seconds. A round plays every case once, half of them at night, and
    the next round the other way about; with `photos` half of them on photographed streets, changed about every two
    rounds. Raises ValueError where there is no case.
    """
    if not cases:
        raise ValueError("no case to fill the hours with")
    chosen: list[Made] = []
    seeds = count(seed)
    total_s = stretched_s = 0.0
    quiet = _in_turn(tuple(stretches))
    hard = _in_turn(tuple(cases))
    while total_s < hours * 3600:
        lacking = stretches and stretched_s < STRETCH_SHARE * total_s
        name, night, photo = next(quiet if lacking else hard)
        duration_s = stretches[name] if lacking else cases[name]
        stretched_s += duration_s if lacking else 0.0
        total_s += duration_s
        chosen.append(Made(name, next(seeds), night, photo and photos))
    return chosen


def _in_turn(names: tuple[str, ...]) -> Iterator[tuple[str, bool, bool]]:
    """Each name once a round, by day or by night and drawn or photographed in turn.

    The light changes about every round, the street so that four rounds show each name in all four ways.
    """
    for turn in count():
        for index, name in enumerate(names):
            yield name, bool((index + turn) % 2), bool((index // 2 + turn // 2 + turn) % 2)
