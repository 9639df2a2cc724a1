"""What people do on a pavement in perspective: sell from what has no name, and leave bags before busy backgrounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.demo.builder import Builder
from detector.demo.far import LONG_S, bystander
from detector.demo.lens import ASPECT, Foot
from detector.demo.scene import Actor, Waypoint
from detector.demo.site import Site
from detector.demo.things import STALLS

LITTER_LIMIT_S: Final = 240.0
VENDING_LIMIT_S: Final = 300.0


def stall(builder: Builder) -> Iterator[Actor]:
    """A stall that COCO has no name for is brought; two or three people stay beside it for ten minutes and more."""
    site, random = builder.site, builder.site.random
    foot = pavement_foot(site)
    from_s = float(random.integers(30, 120))
    until_s = from_s + float(random.integers(620, 900))
    yield brought(STALLS[int(random.integers(len(STALLS)))], foot, from_s, until_s, vends=True)
    step = site.view.lens.scale(foot[1]) * ASPECT
    for side_m in (-1.9, 1.8, -2.6)[: int(random.integers(2, 4))]:
        spot = (foot[0] + side_m * step, foot[1] + float(random.uniform(-0.006, 0.012)))
        yield bystander(
            site, spot, from_s + float(random.uniform(2, 12)), until_s - float(random.uniform(2, 10))
        )


def unattended(builder: Builder) -> Iterator[Actor]:
    """The same things stand there, but nobody stays beside them; people talk elsewhere for some minutes."""
    site, random = builder.site, builder.site.random
    foot = pavement_foot(site)
    from_s = float(random.integers(30, 120))
    until_s = from_s + float(random.integers(620, 900))
    yield brought(STALLS[int(random.integers(len(STALLS)))], foot, from_s, until_s, vends=False)
    away = foot[0] + (0.4 if foot[0] < 0.5 else -0.4)
    for shift in (0.0, 0.04):
        yield bystander(site, (away + shift, foot[1]), 200.0, 200.0 + float(random.integers(120, 200)))


def litter(builder: Builder) -> Iterator[Actor]:
    """Somebody stands with a bag for a minute or two and leaves without it."""
    site, random = builder.site, builder.site.random
    foot, from_s = pavement_foot(site, fenced=True), float(random.integers(30, 90))
    stays_s = float(random.integers(50, 130))
    yield bag(site, foot, from_s, LONG_S)
    yield owner(site, foot, from_s, from_s + stays_s)


def owned(builder: Builder) -> Iterator[Actor]:
    """Somebody stands with a bag for long, and takes it along."""
    site, random = builder.site, builder.site.random
    foot, from_s = pavement_foot(site, fenced=True), float(random.integers(30, 90))
    until_s = from_s + float(random.integers(400, 600))
    yield bag(site, foot, from_s, until_s, exempt="its owner stays")
    yield owner(site, foot, from_s - 1, until_s + 1)


def pavement_foot(site: Site, *, fenced: bool = False) -> Foot:
    """A place on the pavement before the camera; every other one close to a fence that stands behind it."""
    zone = site.view.camera.zones[-1].polygon
    low, high = min(y for _, y in zone), max(y for _, y in zone)
    close = fenced and bool(site.random.integers(2))
    part = float(site.random.uniform(0.06, 0.16) if close else site.random.uniform(0.35, 0.75))
    return float(site.random.uniform(0.22, 0.78)), low + part * (high - low)


def brought(sprite: str, foot: Foot, from_s: float, until_s: float, *, vends: bool) -> Actor:
    """Something that is wheeled in from the picture's edge, and out again."""
    edge = -0.2 if foot[0] < 0.5 else 1.2
    path = (
        Waypoint(from_s - 25, edge, foot[1]), Waypoint(from_s, *foot), Waypoint(until_s, *foot),
        Waypoint(until_s + 25, edge, foot[1]),
    )  # fmt: skip
    return Actor(sprite, path, vends=vends)


def bag(site: Site, foot: Foot, from_s: float, until_s: float, *, exempt: str = "") -> Actor:
    """A bag that is put down at once."""
    sprite = f"bag-{int(site.random.integers(6))}"
    return Actor(sprite, (Waypoint(from_s, *foot), Waypoint(until_s, *foot)), exempt=exempt)


def owner(site: Site, foot: Foot, from_s: float, until_s: float) -> Actor:
    """Who stands beside the bag."""
    aside = 0.75 * site.view.lens.scale(foot[1]) * ASPECT
    return bystander(site, (foot[0] + aside, foot[1] + 0.004), from_s, until_s)
