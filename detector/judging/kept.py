"""What was gathered of a stretch as text and back, to be decided again under other limits and hours.

A line a suspect, those that may have lasted longest first: whoever asks for limits that few reach reads few lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import LabelGroup, Queue, Sighting, Stay, ViewFault, Violation
from detector.judging.bikes import Cluster
from detector.judging.jam import Jams
from detector.judging.judge import Family, Gathered, Suspect, reach_s
from detector.judging.litter import Lying
from detector.judging.parking import Parked
from detector.judging.vending import Stall

Json = Any
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def as_text(gathered: Gathered, key: str) -> str:
    """`key` names all that it was gathered from and by."""
    head = {
        "key": key,
        "families": list(gathered.suspects),
        "looks": gathered.looks,
        "cadence_s": gathered.cadence_s,
        "faults": [_fault_out(fault) for fault in gathered.faults],
    }
    lines = [json.dumps(head)]
    for family, suspects in gathered.suspects.items():
        rated = [(reach_s(suspect, gathered.cadence_s), suspect) for suspect in suspects]
        for reach, suspect in sorted(rated, key=lambda pair: -pair[0]):
            lines.append(f"{family}\t{reach!r}\t{json.dumps(_suspect_out(suspect))}")
    return "\n".join(lines) + "\n"


def from_text(text: str, key: str, least_s: Mapping[Family, float]) -> Gathered | None:
    """What was kept, of suspects those that may reach `least_s`; None where it was gathered from something else."""
    head_text, *lines = text.splitlines()
    head = json.loads(head_text)
    if head["key"] != key:
        return None
    suspects: dict[Family, list[Suspect]] = {Family(family): [] for family in head["families"]}
    done = ""
    for line in lines:
        family, reach, content = line.split("\t", 2)
        if family == done:
            continue
        if float(reach) >= least_s[Family(family)]:
            suspects[Family(family)].append(_suspect_in(json.loads(content)))
        else:
            done = family
    return Gathered(
        head["looks"],
        head["cadence_s"],
        tuple(_fault_in(fault) for fault in head["faults"]),
        {family: tuple(found) for family, found in suspects.items()},
    )


def _suspect_out(suspect: Suspect) -> Json:
    match suspect:
        case Parked(stay, violation, zone_id, share, jams):
            queues = [_queue_out(queue) for queue in jams.unsure]
            sure = [_interval_out(interval) for interval in jams.sure]
            return ["parked", _stay_out(stay), violation, zone_id, share, sure, queues]
        case Cluster(stay, counts, zone_id, share):
            return ["cluster", _stay_out(stay), counts, zone_id, share]
        case Lying(stay, zone_id, share, within, abandoned_at):
            return ["lying", _stay_out(stay), zone_id, share, within, _at_out(abandoned_at)]
        case Stall(stay):
            rest = [getattr(suspect, name) for name in STALL_FIELDS]
            return ["stall", _stay_out(stay), *rest]
    raise TypeError(f"no text for a {type(suspect).__name__}")


STALL_FIELDS = ("zone_id", "share", "beside", "looks", "attended", "wheeled", "mobile", "canopied")


def _suspect_in(row: Json) -> Suspect:
    return _READERS[row[0]](_stay_in(row[1]), row[2:])


def _parked(stay: Stay, row: Json) -> Suspect:
    violation, zone_id, share, sure, queues = row
    jams = Jams(tuple(_interval_in(i) for i in sure), tuple(_queue_in(q) for q in queues))
    return Parked(stay, Violation(violation), zone_id, share, jams)


def _cluster(stay: Stay, row: Json) -> Suspect:
    counts, zone_id, share = row
    return Cluster(stay, tuple(counts), zone_id, share)


def _lying(stay: Stay, row: Json) -> Suspect:
    zone_id, share, within, abandoned_at = row
    return Lying(stay, zone_id, share, tuple(within), _moment(abandoned_at))


def _stall(stay: Stay, row: Json) -> Suspect:
    told = dict(zip(STALL_FIELDS, row, strict=True))
    return Stall(stay, **{**told, "beside": _box(told["beside"])})


_READERS: Mapping[str, Callable[[Stay, Json], Suspect]] = {
    "parked": _parked,
    "cluster": _cluster,
    "lying": _lying,
    "stall": _stall,
}


def _stay_out(stay: Stay) -> Json:
    seen = [[_at_out(s.at), s.box, s.confidence, s.label] for s in stay.sightings]
    return [stay.camera_id, stay.group, seen, _at_out(stay.absent_before), _at_out(stay.absent_after)]


def _stay_in(row: Json) -> Stay:
    camera_id, group, seen, before, after = row
    sightings = tuple(_sightings_in(seen))
    return Stay(camera_id, LabelGroup(group), sightings, _at_in(before), _at_in(after))


def _sightings_in(seen: Iterable[Json]) -> Iterator[Sighting]:
    for at, box, confidence, label in seen:
        yield Sighting(_moment(at), _box(box), confidence, label)


def _queue_out(queue: Queue) -> Json:
    stays = [_stay_out(stay) for stay in queue.stays]
    return [_interval_out(queue.interval), queue.others, stays, queue.clears]


def _queue_in(row: Json) -> Queue:
    interval, others, stays, clears = row
    return Queue(_interval_in(interval), others, tuple(_stay_in(stay) for stay in stays), clears)


def _fault_out(fault: ViewFault) -> Json:
    unsure = _interval_out(fault.unsure) if fault.unsure else None
    return [_interval_out(fault.interval), fault.what, _at_out(fault.last), unsure]


def _fault_in(row: Json) -> ViewFault:
    interval, what, last, unsure = row
    return ViewFault(_interval_in(interval), what, _at_in(last), _interval_in(unsure) if unsure else None)


def _interval_out(interval: Interval) -> Json:
    return [_at_out(interval.start), _at_out(interval.end)]


def _interval_in(row: Json) -> Interval:
    return Interval(_moment(row[0]), _moment(row[1]))


def _at_out(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // MICROSECOND


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _at_in(at: int | None) -> datetime | None:
    return None if at is None else _moment(at)


def _box(row: Json) -> Box:
    x1, y1, x2, y2 = row
    return (x1, y1, x2, y2)
