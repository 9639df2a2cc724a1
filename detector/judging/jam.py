"""Queues and jams: vehicles that stand because the others stand. The time that a vehicle spends in one is excused.

What tells a jam from a row of parked cars: most vehicles of the carriageway stand at the same time; they came within
minutes of each other; and they drive on within half a minute of each other, which parked cars do not. Looks a minute
apart say that surely only where all left between the same two looks; otherwise the queue is handed on as `unsure`, and
`proving` times who left when. A jam that has not cleared when the recordings end, or that stood when they began, is
known by its other end alone, and then only if nobody drives past. One that has neither end is a jam where it fills the
lanes beside the no-parking strips. A vehicle that stood before the others came and still stands when they have gone is
no part of their queue.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from detector.core.geometry import Box, contact_share, is_same_object
from detector.core.times import Interval, subtract, union
from detector.core.values import Camera, LabelGroup, Observation, Queue, Stay, Zone, ZoneKind

ROADWAY = (ZoneKind.CARRIAGEWAY, ZoneKind.NO_PARKING)
"""Where queues and jams stand. A bay on it is none of it."""

ON_ROADWAY_SHARE = 0.3
IN_BAY_SHARE = 0.5
IN_LANE_SHARE = 0.5

CLEARS_WITHIN_S = 30.0
"""Those who stood in a jam drive on within so long of each other: one after the other, 2 to 3 s apart. They may so be
last seen at two looks in a row; where others drove past meanwhile, who stood is last seen at the same look."""

FORMS_WITHIN_S = 600.0
"""And came within so long of each other."""

MOST_SHARE = 0.6
"""Most vehicles of the roadway: so large a part of those to be seen stands, at half the looks or more."""

MOST_TIMED = 8
"""So many vehicles of a queue are looked at closer."""

RODE_ON = 3
"""A crowd of two-wheelers has ridden on when it is this many times smaller than at the sample before."""

PASSING_SHARE = 0.15
"""Vehicles that drive past at more of the looks say that the road is free. A lane may still be queued up, beside which
the opposite traffic flows: that is believed only of those whose leaving was recorded, and shows them to leave together."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The vehicles of a roadway: those that stand, the moments of all looks in rising order, and what each look shows."""

    roadway: tuple[Zone, ...]
    lanes: tuple[Zone, ...]
    strips: tuple[Zone, ...]
    """The carriageway, where it is drawn, and the no-parking strips on it."""
    standing: tuple[Stay, ...]
    looks: tuple[datetime, ...]
    cadence_s: float
    full: tuple[int, ...]
    """At how many of the looks before each, and of all, most vehicles stood."""
    passed: tuple[int, ...]
    """And at how many somebody drove past, which is who was seen there once only."""
    gathered: tuple[int, ...] = ()
    """The number of two-wheelers at each of the looks, without those on footways and in bays."""

    def within(self, start: datetime, end: datetime) -> tuple[int, int]:
        """The looks at the moments [start, end], as a slice."""
        return bisect_left(self.looks, start), bisect_right(self.looks, end)


def traffic_of(
    vehicles: Sequence[Stay],
    looks: Sequence[datetime],
    camera: Camera,
    cadence_s: float,
    *,
    gathered: Sequence[int] = (),
) -> Traffic:
    """What stands and what passes on the carriageway and its no-parking strips, outside bays.

    `gathered` is the number of two-wheelers at each of the `looks` (see `count_two_wheelers`); without it no vehicle waits
    among them.
    """
    roadway = tuple(zone for zone in camera.zones if zone.kind in ROADWAY)
    bays = [zone for zone in camera.zones if zone.kind is ZoneKind.PARKING_BAY]
    there = [
        s for s in vehicles if _on(s.box, roadway, ON_ROADWAY_SHARE) and not _on(s.box, bays, IN_BAY_SHARE)
    ]
    standing = tuple(stay for stay in there if len(stay.sightings) > 1)
    passing = Counter(stay.sightings[0].at for stay in there if len(stay.sightings) == 1)
    lanes, strips = (
        tuple(zone for zone in camera.zones if zone.kind is kind)
        for kind in (ZoneKind.CARRIAGEWAY, ZoneKind.NO_PARKING)
    )
    full = (share >= MOST_SHARE for share in _standing_shares(standing, passing, looks))
    return Traffic(
        roadway,
        lanes,
        strips,
        standing,
        tuple(looks),
        cadence_s,
        full=(0, *accumulate(full)),
        passed=(0, *accumulate(at in passing for at in looks)),
        gathered=tuple(gathered),
    )


def count_two_wheelers(observations: Sequence[Observation], camera: Camera) -> list[int]:
    """The number of two-wheelers at each sample outside footways and bays; those beside the zones wait at the same light."""
    off_road = [zone for zone in camera.zones if zone.kind in (ZoneKind.SIDEWALK, ZoneKind.PARKING_BAY)]
    return [
        sum(
            not _on((x1, y1, x2, y2), off_road, IN_BAY_SHARE)
            for x1, y1, x2, y2 in observation.detections.of(LabelGroup.BIKE).boxes.astype(float).tolist()
        )
        for observation in observations
    ]


def _standing_shares(
    standing: Sequence[Stay], passing: Counter[datetime], looks: Sequence[datetime]
) -> Iterator[float]:
    """Which part of the vehicles stands at each look."""
    came, left = sorted(stay.seen[0] for stay in standing), sorted(stay.seen[1] for stay in standing)
    for at in looks:
        there = bisect_right(came, at) - bisect_left(left, at)
        yield there / max(1, there + passing[at])


@dataclass(frozen=True, slots=True)
class Jams:
    """What excuses a vehicle, and what may excuse it when looked at closer."""

    sure: tuple[Interval, ...] = ()
    unsure: tuple[Queue, ...] = ()


def jams_around(stay: Stay, traffic: Traffic, others: int) -> Jams:
    """The queues and jams in which a vehicle stood together with `others` more at the least.

    Each reaches half a look beyond the moments at which it was seen. A vehicle off the roadway is in none.
    """
    if not _on(stay.box, traffic.roadway, ON_ROADWAY_SHARE):
        return Jams()
    companions = [
        other
        for other in traffic.standing
        if not is_same_object(other.box, stay.box)
        and other.seen[0] <= stay.seen[1]
        and stay.seen[0] <= other.seen[1]
    ]
    sure: list[Interval] = []
    unsure: list[Queue] = []
    for group in _groups(companions, traffic):
        if len(group) < others or _leaves_before(stay, group, traffic):
            continue
        jam = _jam(group, others, traffic)
        if jam is None or _outlasts(stay, jam, traffic):
            continue
        if _told_by_looks(stay, group, traffic):
            sure.append(jam)
        else:
            queue = Queue(jam, others, tuple(group[:MOST_TIMED]), clears=all(s.absent_after for s in group))
            unsure += [queue] if queue not in unsure else []
    if (among := _among_two_wheelers(stay, others, traffic)) is not None:
        sure.append(among)
    told = tuple(union(sure))
    return Jams(told, tuple(queue for queue in unsure if subtract(queue.interval, told)))


def _among_two_wheelers(stay: Stay, others: int, traffic: Traffic) -> Interval | None:
    """The time for which a vehicle waited among two-wheelers that rode on when it did; None where it did not.

    In a crowd at a red light the boxes of two-wheelers change from sample to sample, so their number counts: at least
    `others` at two samples or more up to the vehicle's last, and a third of that at the sample after it.
    """
    last = bisect_right(traffic.looks, stay.seen[1]) - 1
    if stay.absent_after is None or last + 1 >= len(traffic.gathered):
        return None
    first = last
    while first >= 0 and traffic.gathered[first] >= others:
        first -= 1
    first += 1
    if last - first < 1 or traffic.gathered[last + 1] * RODE_ON > traffic.gathered[last]:
        return None
    half = timedelta(seconds=traffic.cadence_s / 2)
    return Interval(traffic.looks[first] - half, traffic.looks[last] + half)


def _groups(companions: Sequence[Stay], traffic: Traffic) -> list[list[Stay]]:
    """Those who drove on together, having come together; those whose leaving, or coming, was not recorded; and those
    who stood in the lanes from the first look to the last.
    """
    left = sorted((s for s in companions if s.absent_after), key=lambda s: s.seen[1])
    stayed = [s for s in companions if not s.absent_after]
    groups = [
        [s for s in left if first.seen[1] <= s.seen[1] <= first.seen[1] + timedelta(seconds=within_s)]
        for within_s in (CLEARS_WITHIN_S, CLEARS_WITHIN_S + traffic.cadence_s)
        for first in left
    ]
    groups = [part for group in _each_once(groups) for part in _came_together(group)]
    groups += [
        group
        for group in _came_together(stayed)
        if all(s.absent_before for s in group)
        and (not traffic.lanes or any(_in_lane(s, traffic) for s in group))
    ]
    return _each_once([*groups, [s for s in stayed if not s.absent_before and _in_lane(s, traffic)]])


def _each_once(groups: Iterable[list[Stay]]) -> list[list[Stay]]:
    """The groups in order, of those with the same vehicles the first: whoever came with them begins the same group."""
    return list({tuple(map(id, group)): group for group in groups}.values())


def _in_lane(stay: Stay, traffic: Traffic) -> bool:
    """Whether a vehicle stands where nobody parks: on the carriageway beside the strips along its kerbs."""
    return _on(stay.box, traffic.lanes, IN_LANE_SHARE) and not _on(stay.box, traffic.strips, IN_LANE_SHARE)


def _came_together(group: Sequence[Stay]) -> list[list[Stay]]:
    """The parts of a group that came within FORMS_WITHIN_S of each other; whose coming was not recorded fits any."""
    unknown = [s for s in group if not s.absent_before]
    known = sorted((s for s in group if s.absent_before), key=lambda s: s.seen[0])
    within = timedelta(seconds=FORMS_WITHIN_S)
    parts = [[s for s in known if first.seen[0] <= s.seen[0] <= first.seen[0] + within] for first in known]
    return [part + unknown for part in parts] or ([unknown] if unknown else [])


def _jam(group: Sequence[Stay], others: int, traffic: Traffic) -> Interval | None:
    """The time for which a group stood that a vehicle stood among, if that was a jam."""
    starts = sorted(s.seen[0] for s in group)
    ends = sorted((s.seen[1] for s in group), reverse=True)
    start, end = starts[others - 1], ends[others - 1]
    if end <= start or not _most_stand(start, end, traffic):
        return None
    # Who has left is timed by a closer look; a queue whose end was not recorded is believed only on an empty road.
    timed = all(s.absent_after for s in group)
    if not timed and _passed(start, end, traffic) > PASSING_SHARE:
        return None
    half = timedelta(seconds=traffic.cadence_s / 2)
    return Interval(starts[0] - half, ends[0] + half)


def _at_once(stay: Stay, group: Sequence[Stay]) -> bool:
    """Whether all of a group came and left before the recordings' eyes, and left together with the vehicle in question."""
    ends = [s.seen[1] for s in group]
    together = (max(ends) - min(*ends, stay.seen[1])).total_seconds() <= CLEARS_WITHIN_S
    return together and all(s.absent_before and s.absent_after for s in group)


def _told_by_looks(stay: Stay, group: Sequence[Stay], traffic: Traffic) -> bool:
    """Whether no closer look is needed: they left at once, or stood in the lanes all the time."""
    return _at_once(stay, group) or all(
        not s.absent_before and not s.absent_after and _in_lane(s, traffic) for s in group
    )


def _most_stand(start: datetime, end: datetime, traffic: Traffic) -> bool:
    first, last = traffic.within(start, end)
    return (traffic.full[last] - traffic.full[first]) * 2 >= last - first


def _passed(start: datetime, end: datetime, traffic: Traffic) -> float:
    """At which part of the looks somebody drove past."""
    first, last = traffic.within(start, end)
    return (traffic.passed[last] - traffic.passed[first]) / max(1, last - first)


def _leaves_before(stay: Stay, group: Sequence[Stay], traffic: Traffic) -> bool:
    """Whether a vehicle left while the others still stood: it was not they who held it."""
    reach = timedelta(seconds=CLEARS_WITHIN_S + traffic.cadence_s)
    return stay.seen[1] + reach < max(other.seen[1] for other in group)


def _outlasts(stay: Stay, jam: Interval, traffic: Traffic) -> bool:
    """Whether a vehicle stood before a jam formed and stands when it has cleared: then it is parked."""
    reach = timedelta(seconds=traffic.cadence_s)
    return stay.seen[0] < jam.start - reach and stay.seen[1] > jam.end + reach


def _on(box: Box, zones: Sequence[Zone], share: float) -> bool:
    return any(contact_share(box, zone.polygon) >= share for zone in zones)
