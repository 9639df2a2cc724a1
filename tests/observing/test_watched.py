"""Which part of a picture the model looks at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.core.values import Zone, ZoneKind
from detector.observing.watched import ABOVE, BESIDE, watched


def zone(x1: float, y1: float, x2: float, y2: float) -> Zone:
    return Zone("z", ZoneKind.NO_PARKING, ((x1, y1), (x2, y1), (x2, y2), (x1, y2)))


edges = st.tuples(st.floats(0, 0.9), st.floats(0.01, 0.5)).map(lambda e: (e[0], min(1.0, e[0] + e[1])))


@given(st.lists(st.tuples(edges, edges), min_size=1, max_size=4))
def test_the_part_holds_every_zone_with_its_margin(
    where: list[tuple[tuple[float, float], tuple[float, float]]],
) -> None:
    zones = [zone(x[0], y[0], x[1], y[1]) for x, y in where]
    part = watched(zones) or (0.0, 0.0, 1.0, 1.0)
    for one in zones:
        (x1, y1), _, (x2, y2), _ = one.polygon
        assert part[0] <= max(0.0, x1 - BESIDE) + 1e-6
        assert part[1] <= max(0.0, y1 - ABOVE) + 1e-6
        assert part[2] >= min(1.0, x2 + BESIDE) - 1e-6
        assert part[3] >= y2 - 1e-6


def test_a_corner_dragged_a_little_changes_nothing() -> None:
    assert watched([zone(0.2, 0.5, 0.6, 0.8)]) == watched([zone(0.205, 0.51, 0.601, 0.795)])


def test_without_zones_or_with_zones_everywhere_it_is_the_whole_picture() -> None:
    assert watched([]) is None
    assert watched([zone(0, 0.1, 1, 1)]) is None
