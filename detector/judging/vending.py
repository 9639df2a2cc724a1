"""street_vending 占道经营/流动摊贩: somebody who stays beside things that stay, where vending is forbidden.

Neither alone is vending: walkers pass by standing things, people wait for a bus without things, and a bench stands
there with nobody. A vendor is a person whose place repeats look after look within reach of a thing that stands. The
vendor moves a little, so the incident's place is the thing's, which `proving` can compare.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import Box, contact_share, distance, is_same_object
from detector.core.values import (
    Camera,
    Incident,
    LabelGroup,
    Observation,
    Point,
    Stay,
    Violation,
    Zone,
    ZoneKind,
)
from detector.judging.force import incident_of, parts_in_force, zone_named
from detector.judging.litter import NEW_THING, standing_things
from detector.judging.stays import LOOKS_MISSED, find_stays, one_box_each
from detector.judging.suspects import Looks

BESIDE_HEIGHTS = 0.7
"""A vendor's feet are no further from the thing's foot than so many of the vendor's heights."""

SAME_PLACE_HEIGHTS = 0.75
"""A vendor moves about, but no further than so many heights from one place."""

VENDOR_SHARE = 0.6
"""A vendor is seen beside the thing in at least this part of the looks; others hide him, the model misses him."""

FEWEST_LOOKS = 3

ALWAYS_SHARE = 0.8
"""A thing beside which somebody stays for so much of the time that it stands is not street furniture."""

OWN_SHARE = 0.5
"""A vehicle is a stall when its vendor stays for so much of its stand; else it is parked and people pass it."""

PARASOL_HEIGHTS = 0.8
"""An umbrella narrower than so many heights of a person is one that is carried."""

CARRIED = ("umbrella",)
CANOPY = 0.55
"""The upper part of an umbrella's box is its canopy; below, people come and go."""

NEVER_ALONE = ("suitcase",)
"""Travellers wait beside these as well."""

FURNITURE = ("bench", NEW_THING)
"""These stand in streets; they count only when they were seen to come or to go with the vendor."""

MOBILE_S = 7200.0
"""Who comes and goes within so long is a mobile vendor, with or without wheels."""

BY_SHOPS = 2 / 3
"""A stall so far from the carriageway, of the way across its zone, has grown out of a shop front."""

UNNAMED_WIDTHS = (0.02, 0.4)
"""Widths of a stall that no label names, in picture widths."""

UNNAMED_HEIGHTS = (0.5, 4.0)
"""And in its vendor's heights: what is narrower is luggage."""

AROUND_LOOKS = 12
"""Such a stall is looked for from so many looks before somebody's stay to so many after it."""

WHEELED = (LabelGroup.VEHICLE, LabelGroup.BIKE)


@dataclass(frozen=True, slots=True)
class _Person:
    """A person at one look, by its number; foot and body height in units of the picture's height."""

    look: int
    box: Box
    x: float
    y: float
    height: float


@dataclass(slots=True)
class _Lingerer:
    """Somebody whose place repeats. Whether it is one person boxes cannot tell, so only places count."""

    seen: list[_Person] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    height: float = 0.0
    """The mean of the feet and of the heights."""

    @property
    def looks(self) -> tuple[int, int]:
        return self.seen[0].look, self.seen[-1].look

    @property
    def box(self) -> Box:
        """The box nearest to the usual place."""
        return min(self.seen, key=lambda p: (p.x - self.x) ** 2 + (p.y - self.y) ** 2).box

    def add(self, person: _Person) -> None:
        self.seen.append(person)
        part = 1 / len(self.seen)
        self.x += part * (person.x - self.x)
        self.y += part * (person.y - self.y)
        self.height += part * (person.height - self.height)

    def away(self, person: _Person | _Lingerer) -> float:
        """How far somebody is from this one's usual place, in this one's heights."""
        return float(((person.x - self.x) ** 2 + (person.y - self.y) ** 2) ** 0.5 / self.height)


@dataclass(frozen=True, slots=True)
class _Thing:
    """A stay with what is asked of it again and again: its box, its usual label, its first and last look."""

    stay: Stay
    box: Box
    label: str
    begins: int
    ends: int


@dataclass(frozen=True, slots=True, eq=False)
class _Stall:
    """A thing with its vendor: the part of its stay over which the vendor was there, and at how many of the looks."""

    thing: _Thing
    part: Stay
    vendor: _Lingerer
    looks: int
    attended: int
    share: float
    """The part of the thing's whole stay, by looks, that the vendor's presence spans."""
    before: int
    """Looks at the thing before the vendor was seen at it; `after` likewise."""
    after: int


@dataclass(frozen=True, slots=True)
class Stall:
    """A thing with somebody who stays beside it, before limits and hours are asked."""

    stay: Stay
    """The thing's, as long as the vendor was there."""
    zone_id: str
    share: float
    beside: Box
    """Where the vendor usually is."""
    looks: int
    attended: int
    wheeled: bool
    mobile: bool
    """Whether the thing was seen to come and to go within MOBILE_S."""
    canopied: bool

    def incidents(self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float) -> Iterator[Incident]:
        """The parts of the stay that may have lasted beyond the limit; looks are `cadence_s` apart."""
        zone = zone_named(camera, self.zone_id)
        for part, limit_s in parts_in_force(self.stay, Violation.STREET_VENDING, zone, point, camera, rules):
            # The vendor's own stay is not bisected later, so what the looks show of it must reach the limit itself.
            if part.seen_s > 0 and part.seen_s + cadence_s >= limit_s:
                yield _incident(self, part, zone, limit_s, point, camera)


def find_stalls(looks: Looks) -> Iterator[Stall]:
    """What may be vending."""
    return stalls(looks.observations, looks.point, looks.camera, looks.rules)


def stalls(
    observations: Sequence[Observation], point: Point, camera: Camera, rules: RuleSet
) -> Iterator[Stall]:
    """What may be vending among one camera's observations, in rising order of time."""
    rule = rules.rules[Violation.STREET_VENDING].at(point.category)
    zones = [zone for zone in camera.zones if zone.kind in rule.zones]
    if not zones:
        return
    vendors = _lingerers(_people(observations, camera, rule))
    moments = [o.at for o in observations]
    things = [
        _Thing(stay, stay.box, _usual_label(stay), *(bisect_left(moments, at) for at in stay.seen))
        for group in rule.things
        for stay in find_stays(observations, group, min_confidence=rule.min_confidence)
        if stay.seen_s > 0
    ]
    unnamed = [
        thing for thing in _unnamed(observations, camera, zones, vendors) if not _is_named(thing, things)
    ]
    found = [
        stall
        for thing in (*things, *unnamed)
        for vendor in vendors
        if _beside(thing, vendor, camera)
        and (stall := _stall(thing, vendor, moments))
        and _belongs(stall)
        and not _outlasts(vendor, thing)
    ]
    placed = [stall for stall in found if _place(stall, zones)[1] >= rule.min_share]
    for together in _one_each([stall for stall in placed if not _exempt(stall, camera, rule)], camera):
        stall = together[0]
        zone, share = _place(stall, zones)
        if stall.part.seen_s > 0:
            yield _told(stall, together, zone, share)


def _told(stall: _Stall, together: Sequence[_Stall], zone: Zone, share: float) -> Stall:
    stay = stall.thing.stay
    seen_whole = stay.absent_before is not None and stay.absent_after is not None
    return Stall(
        stall.part,
        zone.id,
        share,
        stall.vendor.box,
        stall.looks,
        stall.attended,
        wheeled=any(s.thing.stay.group in WHEELED for s in together),
        mobile=seen_whole and stay.seen_s <= MOBILE_S,
        canopied=stall.thing.label in CARRIED,
    )


def _people(observations: Sequence[Observation], camera: Camera, rule: RuleSettings) -> list[list[_Person]]:
    """Everybody seen, look by look."""
    aspect = _aspect(camera)
    looks = []
    for look, observation in enumerate(observations):
        found = one_box_each(observation.detections.of(LabelGroup.PERSON))
        seen = []
        for row, confidence in zip(found.boxes, found.confidences, strict=True):
            x1, y1, x2, y2 = (float(v) for v in row)
            if confidence >= rule.min_confidence and y2 > y1:
                seen.append(_Person(look, (x1, y1, x2, y2), (x1 + x2) / 2 * aspect, y2, y2 - y1))
        looks.append(seen)
    return looks


def _lingerers(looks: Sequence[Sequence[_Person]]) -> list[_Lingerer]:
    """The places that are somebody's at VENDOR_SHARE of successive looks and at FEWEST_LOOKS or more."""
    still_open: list[_Lingerer] = []
    done: list[_Lingerer] = []
    for look, people in enumerate(looks):
        pairs = sorted(
            (away, i, k)
            for i, person in enumerate(people)
            for k, lingerer in enumerate(still_open)
            if (away := lingerer.away(person)) <= SAME_PLACE_HEIGHTS
        )
        placed: set[int] = set()
        taken: set[int] = set()
        for _, i, k in pairs:
            if i not in placed and k not in taken:
                still_open[k].add(people[i])
                placed.add(i)
                taken.add(k)
        for person in (person for i, person in enumerate(people) if i not in placed):
            begun = _Lingerer()
            begun.add(person)
            still_open.append(begun)
        done += [lingerer for lingerer in still_open if look - lingerer.looks[1] > LOOKS_MISSED]
        still_open = [lingerer for lingerer in still_open if look - lingerer.looks[1] <= LOOKS_MISSED]
    return [lingerer for lingerer in done + still_open if _lingers(lingerer)]


def _lingers(lingerer: _Lingerer) -> bool:
    first, last = lingerer.looks
    return len(lingerer.seen) >= max(FEWEST_LOOKS, VENDOR_SHARE * (last + 1 - first))


def _unnamed(
    observations: Sequence[Observation], camera: Camera, zones: Sequence[Zone], vendors: Sequence[_Lingerer]
) -> list[_Thing]:
    """Things without a label that came or left around the time at which somebody stayed in or near a zone."""
    aspect = _aspect(camera)
    spans = sorted(
        (max(0, vendor.looks[0] - AROUND_LOOKS), vendor.looks[1] + AROUND_LOOKS + 1)
        for vendor in vendors
        if any(distance((vendor.x / aspect, vendor.y), z.polygon) <= vendor.height for z in zones)
    )
    moments = [o.at for o in observations]
    return [
        _Thing(stay, stay.box, NEW_THING, *(bisect_left(moments, at) for at in stay.seen))
        for first, end in _joined(spans)
        for stay in standing_things(observations[first:end], camera, zones, UNNAMED_WIDTHS)
        if stay.seen_s > 0
    ]


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open spans of looks, in order of their starts; those that overlap as one."""
    joined: list[tuple[int, int]] = []
    for first, end in spans:
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((first, end))
    return joined


def _is_named(thing: _Thing, named: Sequence[_Thing]) -> bool:
    """Whether a label names the thing, or what it is a part of, over some of its stay."""
    return any(
        is_same_object(thing.box, other.box) and thing.begins <= other.ends and other.begins <= thing.ends
        for other in named
    )


def _beside(thing: _Thing, vendor: _Lingerer, camera: Camera) -> bool:
    """Whether somebody's place is at a thing while it stands; a canopy may hang above its owner."""
    if vendor.looks[0] > thing.ends or vendor.looks[1] < thing.begins:
        return False
    aspect = _aspect(camera)
    x1, y1, x2, y2 = thing.box
    reach = BESIDE_HEIGHTS * vendor.height
    across = max(0.0, x1 * aspect - vendor.x, vendor.x - x2 * aspect)
    if thing.label in CARRIED:
        if (x2 - x1) * aspect < PARASOL_HEIGHTS * vendor.height:
            return False
        return across <= reach and y1 < vendor.y <= y2 + vendor.height
    if thing.label == NEW_THING:
        least, most = (heights * vendor.height for heights in UNNAMED_HEIGHTS)
        if not (least <= (x2 - x1) * aspect <= most):
            return False
    return across <= reach and abs(vendor.y - y2) <= reach


def _aspect(camera: Camera) -> float:
    return camera.resolution_wh[0] / camera.resolution_wh[1]


def _stall(thing: _Thing, vendor: _Lingerer, moments: Sequence[datetime]) -> _Stall | None:
    """The looks at which the thing stood and the vendor was there; None where those are too few."""
    begins, ends, stay = thing.begins, thing.ends, thing.stay
    attended = _between(vendor, begins, ends)
    if len(attended) < FEWEST_LOOKS:
        return None
    first, last = attended[0].look, attended[-1].look
    looks = last + 1 - first
    low = bisect_left(stay.sightings, moments[first], key=lambda s: s.at)
    high = bisect_right(stay.sightings, moments[last], key=lambda s: s.at)
    if len(attended) < VENDOR_SHARE * looks or low == high:
        return None
    part = replace(
        stay,
        sightings=stay.sightings[low:high],
        absent_before=stay.absent_before if first == begins else moments[first - 1],
        absent_after=stay.absent_after if last == ends else moments[last + 1],
    )
    share = looks / (ends + 1 - begins)
    return _Stall(thing, part, vendor, looks, len(attended), share, first - begins, ends - last)


def _between(vendor: _Lingerer, first: int, last: int) -> list[_Person]:
    """The looks [first, last] at which the vendor was seen."""
    low = bisect_left(vendor.seen, first, key=lambda p: p.look)
    return vendor.seen[low : bisect_right(vendor.seen, last, key=lambda p: p.look)]


def _outlasts(vendor: _Lingerer, thing: _Thing) -> bool:
    """Whether somebody's place was so both before the thing came and after it went: a bus stop, a picture of a man."""
    before = _between(vendor, 0, thing.begins - 1)
    after = _between(vendor, thing.ends + 1, vendor.looks[1])
    stayed = [
        len(seen) > LOOKS_MISSED and len(seen) >= VENDOR_SHARE * (seen[-1].look + 1 - seen[0].look)
        for seen in (before, after)
    ]
    return any(stayed) if thing.label == NEW_THING else all(stayed)


def _belongs(stall: _Stall) -> bool:
    """Whether the thing is the vendor's own: it came or went with the vendor, or is hardly ever left alone."""
    stay, label = stall.thing.stay, stall.thing.label
    if label in NEVER_ALONE:
        return False
    if stay.group in WHEELED:
        return stall.share >= OWN_SHARE
    came = stay.absent_before is not None and stall.before <= LOOKS_MISSED
    went = stay.absent_after is not None and stall.after <= LOOKS_MISSED
    return came or went or (stall.share >= ALWAYS_SHARE and label not in FURNITURE)


def _usual_label(stay: Stay) -> str:
    labels = [s.label for s in stay.sightings]
    return max(sorted(set(labels)), key=labels.count)


def _parts_of_one(a: _Stall, b: _Stall, camera: Camera) -> bool:
    """Whether two things, one of them without a label, lie so close to each other that they are one stall."""
    if NEW_THING not in (a.thing.label, b.thing.label):
        return False
    reach = BESIDE_HEIGHTS * max(a.vendor.height, b.vendor.height)
    one, other = a.thing.box, b.thing.box
    across = max(0.0, one[0] - other[2], other[0] - one[2]) * _aspect(camera)
    return across <= reach and max(one[1] - other[3], other[1] - one[3]) <= reach


def _one_each(stalls: Sequence[_Stall], camera: Camera) -> Iterator[list[_Stall]]:
    """Stalls of one vendor at one time, together; first the one at which somebody was seen most often, for it stands for
    them all: customers who come one after the other fill a place, too, but not as often as the vendor.
    """
    left = sorted(
        stalls,
        key=lambda s: (
            s.thing.label == NEW_THING,
            -s.attended,
            -s.part.seen_s,
            -len(s.part.sightings),
            s.part.seen[0],
            s.part.box,
        ),
    )
    while left:
        first = left[0]
        same = [
            s
            for s in left
            if s.part.seen[0] <= first.part.seen[1]
            and first.part.seen[0] <= s.part.seen[1]
            and (
                s is first
                or s.thing is first.thing
                or first.vendor.away(s.vendor) <= 2 * SAME_PLACE_HEIGHTS
                or _parts_of_one(first, s, camera)
            )
        ]
        yield same
        left = [s for s in left if s not in same]


def _place(stall: _Stall, zones: Sequence[Zone]) -> tuple[Zone, float]:
    """The zone that holds most of the stall's ground contact, and that part; of goods the vendor's feet count too.

    What hangs above the ground, such as a canopy, touches it where its owner stands.
    """
    boxes = [stall.part.box]
    if stall.thing.stay.group is LabelGroup.GOODS:
        boxes.append(stall.vendor.box)
    shares = [max(contact_share(box, zone.polygon) for box in boxes) for zone in zones]
    best = shares.index(max(shares))
    return zones[best], shares[best]


def _exempt(stall: _Stall, camera: Camera, rule: RuleSettings) -> bool:
    return any(
        zone.kind in rule.exempt_zones and contact_share(stall.part.box, zone.polygon) >= rule.min_share
        for zone in camera.zones
    )


def _incident(stall: Stall, part: Stay, zone: Zone, limit_s: float, point: Point, camera: Camera) -> Incident:
    manner, manner_zh = _manner(stall, part, zone, camera)
    times = f"{stall.attended} of {stall.looks} looks"
    incident = incident_of(part, Violation.STREET_VENDING, point, zone.id, limit_s=limit_s, share=stall.share)
    return replace(
        incident,
        box=_still_part(part.box) if stall.canopied else part.box,
        beside=stall.beside,
        note=f"{manner}, somebody beside it at {times}",
        note_zh=f"{manner_zh}, {stall.looks}次采样中{stall.attended}次有人守摊",
    )


def _still_part(box: Box) -> Box:
    """The part of a canopied thing's box in which nobody moves, for a proof to compare."""
    x1, y1, x2, y2 = box
    return (x1, y1, x2, y1 + CANOPY * (y2 - y1))


def _manner(stall: Stall, part: Stay, zone: Zone, camera: Camera) -> tuple[str, str]:
    """What kind of vending it looks like, in English and in Chinese."""
    if stall.wheeled:
        return "mobile vendor with a vehicle", "流动摊贩(车辆售卖)"
    if stall.mobile:
        return "mobile vendor, came and went", "流动摊贩"
    if _by_the_shops(part, zone, camera):
        return "stall by the shop fronts", "疑似店外经营"
    return "fixed stall", "占道经营(固定摊位)"


def _by_the_shops(part: Stay, zone: Zone, camera: Camera) -> bool:
    """Whether a stall stands on the side of its zone that lies away from the carriageway, where shops are."""
    roads = [z.polygon for z in camera.zones if z.kind is ZoneKind.CARRIAGEWAY]
    if not roads:
        return False
    x1, _, x2, y2 = part.box
    away = min(distance(((x1 + x2) / 2, y2), road) for road in roads)
    across = max(min(distance(corner, road) for road in roads) for corner in zone.polygon)
    return across > 0 and away >= BY_SHOPS * across
