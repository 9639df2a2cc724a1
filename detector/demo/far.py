"""Vehicles that stand far from the camera, with and without a crowd before them; fixtures; queues at a red light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from detector.core.geometry import Box
from detector.demo.builder import Builder
from detector.demo.cast import WALKERS
from detector.demo.drive import halt
from detector.demo.lens import ASPECT, Foot
from detector.demo.scene import Actor, Waypoint
from detector.demo.site import HIDDEN_SHARE, TRIES, Place, Site, covered, place_of_width
from detector.demo.things import FIXTURES, RIDER_PAINTS
from detector.demo.views import Facing, Lane

LONG_S: Final = 10_000.0
"""After the end of every case."""

WIDTHS_PX: Final = ((24.0, 40.0), (40.0, 64.0), (64.0, 110.0), (90.0, 150.0), (150.0, 220.0))
"""Widths in source pixels at which vehicles stand in the far cases."""

WIDTH_WEIGHTS: Final = (0.1, 0.3, 0.25, 0.2, 0.15)


def far(builder: Builder) -> Iterator[Actor]:
    """One to three vehicles beyond the limit at different distances, and one that stops briefly."""
    site = builder.site
    random = site.random
    scene = site.scene(())
    taken: list[Box] = []
    count = int(random.integers(2, 5))
    for index in range(count):
        place = _place(site, taken)
        if place is None:
            continue
        from_s = float(random.integers(15, 90))
        brief = bool(taken) and index == count - 1
        until_s = from_s + float(random.integers(50, 130) if brief else random.integers(220, 330))
        actor = builder.sure(place, from_s, until_s)
        taken.append(scene.box_of(actor, *place.foot))
        yield actor


def _place(site: Site, taken: Sequence[Box]) -> Place | None:
    """A place of a width by lot; of any width where this view has none such."""
    width = WIDTHS_PX[int(site.random.choice(len(WIDTHS_PX), p=WIDTH_WEIGHTS))]
    return place_of_width(site, width, taken) or place_of_width(
        site, (WIDTHS_PX[0][0], WIDTHS_PX[-1][1]), taken
    )


def crowd(builder: Builder) -> Iterator[Actor]:
    """A vehicle beyond the limit, before which people stand for up to half of its stay."""
    site, random = builder.site, builder.site.random
    place = place_of_width(site, (56.0, 220.0)) or place_of_width(site, (24.0, 220.0))
    if place is None:
        return
    from_s, lasts_s = float(random.integers(20, 60)), float(random.integers(300, 390))
    vehicle = builder.sure(place, from_s, from_s + lasts_s)
    yield vehicle
    comes_s = from_s + lasts_s * float(random.uniform(0.2, 0.35))
    goes_s = comes_s + lasts_s * float(random.uniform(0.3, 0.45))
    box = site.scene(()).box_of(vehicle, *place.foot)
    for _ in range(int(random.integers(6, 11))):
        spot = (float(random.uniform(box[0], box[2])), place.foot[1] + before(site, place.foot[1], 0.4, 1.6))
        yield bystander(
            site, spot, comes_s + float(random.uniform(0, 15)), goes_s - float(random.uniform(0, 15))
        )


def before(site: Site, y: float, least_m: float, most_m: float) -> float:
    """How far below `y` in the picture somebody's feet are who stands so many metres nearer to the camera."""
    lens = site.view.lens
    nearer_m = float(site.random.uniform(least_m, most_m))
    return lens.foot(0, lens.depth_m(y) - nearer_m)[1] - y


def bystander(site: Site, spot: Foot, from_s: float, until_s: float) -> Actor:
    """Somebody who comes on foot, stays about one place over [from_s, until_s), and goes."""
    random = site.random
    step = site.view.lens.scale(spot[1]) * ASPECT
    side = -1 if random.integers(2) else 1
    way = [
        Waypoint(from_s - 14, spot[0] + side * 18 * step, spot[1]),
        Waypoint(from_s, *spot),
    ]
    at_s = from_s
    while (at_s := at_s + float(random.uniform(15, 45))) < until_s - 8:
        way.append(Waypoint(at_s - 1.5, way[-1].x, way[-1].y))
        way.append(Waypoint(at_s, spot[0] + float(random.uniform(-0.35, 0.35)) * step, spot[1]))
    way += [
        Waypoint(until_s, way[-1].x, way[-1].y),
        Waypoint(until_s + 14, spot[0] - side * 18 * step, spot[1]),
    ]
    sprite = WALKERS[int(random.integers(len(WALKERS)))]
    return Actor(sprite, tuple(way), facing_right=side < 0, exempt="a person")


def fixtures(builder: Builder) -> Iterator[Actor]:
    """Street furniture on no-parking ground, there at all times; vehicles stop briefly beside it."""
    site, random = builder.site, builder.site.random
    taken: list[Box] = []
    for name in [FIXTURES[i] for i in random.permutation(len(FIXTURES))]:
        for _ in range(TRIES):
            foot = _kerb_foot(site)
            actor = Actor(name, (Waypoint(-60.0, *foot), Waypoint(LONG_S, *foot)), exempt="street furniture")
            box = site.scene(()).box_of(actor, *foot)
            if box[0] > 0 and box[2] < 1 and all(covered(box, other) < HIDDEN_SHARE for other in taken):
                taken.append(box)
                yield actor
                break
    for _ in range(2):
        if place := place_of_width(site, (24.0, 220.0), taken):
            from_s = float(random.integers(20, int(site.duration_s) - 200))
            yield place.stand(site, from_s, from_s + float(random.integers(40, 130)))


def _kerb_foot(site: Site) -> Foot:
    """A place by lot on a kerb's line."""
    random = site.random
    line = site.view.kerbs[int(random.integers(len(site.view.kerbs)))].line
    if line.level:
        return float(random.uniform(0.1, 0.9)), line.points[0][1]
    first, last = line.range_y
    return line.at(float(random.uniform(first + 0.2 * (last - first), min(0.92, last))))


def queue(builder: Builder) -> Iterator[Actor]:
    """At each red light vehicles and two-wheelers queue in a lane together and move on together."""
    site, random = builder.site, builder.site.random
    lane = queue_lane(site)
    at_s = float(random.integers(5, 30))
    while at_s < site.duration_s - 60:
        red_s = float(random.integers(45, 90))
        yield from _red_light(site, lane, at_s, at_s + red_s)
        at_s += red_s + float(random.integers(35, 60))


def queue_and_parked(builder: Builder) -> Iterator[Actor]:
    """The same, while one vehicle stands at the kerb beyond the limit."""
    yield from queue(builder)
    if place := place_of_width(builder.site, (48.0, 220.0)) or place_of_width(builder.site, (24.0, 220.0)):
        from_s = float(builder.site.random.integers(20, 60))
        yield builder.sure(place, from_s, from_s + float(builder.site.random.integers(260, 360)))


def queue_lane(site: Site) -> Lane:
    """The lane in which vehicles queue."""
    return site.view.lanes[-1]


def _red_light(site: Site, lane: Lane, red_s: float, green_s: float) -> Iterator[Actor]:
    """One row after another from the stop line back; each leaves a moment after the one before it."""
    random = site.random
    for row, foot in enumerate(_rows(site, lane)):
        comes_s = red_s + 2.2 * row + float(random.uniform(0, 3))
        goes_s = green_s + 0.9 * row + float(random.uniform(0, 1))
        if comes_s > green_s - 8:
            return
        if row % 2:
            vehicle = site.cast(lane.facing)[0]
            yield _waits(site, lane, vehicle.sprite, foot, (comes_s, goes_s), vehicle.size)
            continue
        for side_m in (-1.3, -0.2, 0.9):
            if random.random() < 0.75:
                yield _rider(site, lane, foot, side_m, (comes_s + float(random.uniform(0, 6)), goes_s))


def _rows(site: Site, lane: Lane) -> list[Foot]:
    """Feet of rows from the stop line back, 3.5 m apart."""
    lens = site.view.lens
    if lane.line.level:
        y = lane.line.points[0][1]
        step = 3.6 * lens.scale(y) * ASPECT
        stop = 0.82 if not lane.reverse else 0.18
        feet = [(stop - row * step if not lane.reverse else stop + row * step, y) for row in range(9)]
        return [foot for foot in feet if 0.04 < foot[0] < 0.96]
    nearest, farthest = (
        lens.depth_m(min(0.97, lane.line.range_y[1])) + 2.0,
        lens.depth_m(lane.line.range_y[0] + 0.02),
    )
    rows_m = np.arange(nearest, min(farthest, nearest + 34), 3.6)
    ordered = rows_m if not lane.reverse else rows_m[::-1]
    return [lane.line.at(lens.horizon + lens.focal * lens.height_m / float(z)) for z in ordered]


def _rider(site: Site, lane: Lane, foot: Foot, side_m: float, span_s: tuple[float, float]) -> Actor:
    random, lens = site.random, site.view.lens
    paint = list(RIDER_PAINTS)[int(random.integers(len(RIDER_PAINTS)))]
    if lane.facing is Facing.SIDE:
        what = "cyclist" if random.integers(2) else "rider"
        place = (foot[0], foot[1] + 0.25 * side_m * lens.scale(foot[1]))
        return _waits(site, lane, f"{what}-{paint}-side", place, span_s, 1.0)
    place = (foot[0] + side_m * lens.scale(foot[1]) * ASPECT, foot[1] + float(random.uniform(-0.003, 0.003)))
    return _waits(site, lane, f"rider-{paint}-{lane.facing}", place, span_s, 1.0)


def _waits(
    site: Site, lane: Lane, sprite: str, foot: Foot, span_s: tuple[float, float], size: float
) -> Actor:
    return halt(
        site.view.lens, lane.line, sprite, foot, *span_s, reverse=lane.reverse, size=size, speed_m_s=6.0,
        mirrored=lane.facing is Facing.SIDE and not lane.reverse, exempt="red light",
    )  # fmt: skip
