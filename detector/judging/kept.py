"""What was gathered of a stretch as text and back, to be decided again under other limits and hours.

A line a suspect, those that may have lasted longest first: whoever asks for limits that few reach reads few lines.
Moments and words stand once, in the first line, and everywhere else by their number. Queues that only a closer look can
tell to be queues are left out: no closer look is taken at what was kept, and they would be most of the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import LabelGroup, Sighting, Stay, ViewFault, Violation
from detector.judging.bikes import Cluster
from detector.judging.found import Found
from detector.judging.jam import Jams
from detector.judging.judge import Gathered, reach_s
from detector.judging.litter import Lying
from detector.judging.parking import Parked
from detector.judging.suspects import Suspect
from detector.judging.vending import Stall

Json = Any
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def as_text(gathered: Gathered, key: str) -> str:
    """`key` names all that it was gathered from and by."""
    writer = _Writer()
    lines = []
    for family, suspects in gathered.suspects.items():
        rated = [(reach_s(suspect, gathered.cadence_s), suspect) for suspect in suspects]
        for reach, suspect in sorted(rated, key=lambda pair: -pair[0]):
            lines.append(f"{family}\t{reach!r}\t{_dumped(writer.suspect(suspect))}")
    head = {
        "key": key,
        "families": list(gathered.suspects),
        "suspects": len(lines),
        "looks": gathered.looks,
        "cadence_s": gathered.cadence_s,
        "faults": [_fault_out(fault) for fault in gathered.faults],
        "moments": list(writer.moments),
        "words": list(writer.words),
    }
    return "\n".join([_dumped(head), *lines]) + "\n"


def from_text(text: str, key: str, least_s: Mapping[str, float]) -> Gathered | None:
    """What was kept, of suspects those that may reach `least_s`; None where it was gathered from something else.

    None too where lines are missing. Raises ValueError, KeyError, TypeError for a damaged text.
    """
    head_text, *lines = text.splitlines()
    head = json.loads(head_text)
    if head["key"] != key or head["suspects"] != len(lines):
        return None
    reader = _Reader([_moment(at) for at in head["moments"]], head["words"])
    suspects: dict[str, list[Suspect]] = {family: [] for family in head["families"]}
    done = ""
    for line in lines:
        family, reach, content = line.split("\t", 2)
        if family == done:
            continue
        if float(reach) >= least_s[family]:
            suspects[family].append(reader.suspect(json.loads(content)))
        else:
            done = family
    return Gathered(
        head["looks"],
        head["cadence_s"],
        tuple(_fault_in(fault) for fault in head["faults"]),
        {family: tuple(found) for family, found in suspects.items()},
    )


def _dumped(row: Json) -> str:
    return json.dumps(row, separators=(",", ":"))


STALL_FIELDS = ("zone_id", "share", "beside", "looks", "attended", "wheeled", "mobile", "canopied")


@dataclass(frozen=True, slots=True)
class _Writer:
    """Suspects as rows; the moments, in microseconds since the epoch, and the words that the rows name by number."""

    moments: dict[int, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)

    def suspect(self, suspect: Suspect) -> Json:
        match suspect:
            case Parked(stay, violation, zone_id, share, jams):
                sure = [_interval_out(interval) for interval in jams.sure]
                return ["parked", self._stay(stay), violation, zone_id, share, sure]
            case Cluster(stay, counts, zone_id, share):
                return ["cluster", self._stay(stay), counts, zone_id, share]
            case Lying(stay, zone_id, share, within, abandoned_at):
                return ["lying", self._stay(stay), zone_id, share, within, _at_out(abandoned_at)]
            case Stall(stay):
                rest = [getattr(suspect, name) for name in STALL_FIELDS]
                return ["stall", self._stay(stay), *rest]
            case Found(stay, violation, zone_id, share, note, note_zh):
                return ["found", self._stay(stay), violation, zone_id, share, note, note_zh]
        raise TypeError(f"no text for a {type(suspect).__name__}")

    def _stay(self, stay: Stay) -> Json:
        seen = stay.sightings
        return [
            self._word(stay.camera_id),
            self._word(stay.group),
            self._at(stay.absent_before),
            self._at(stay.absent_after),
            [self._at(s.at) for s in seen],
            [edge for s in seen for edge in s.box],
            [s.confidence for s in seen],
            [self._word(s.label) for s in seen],
        ]

    def _at(self, at: datetime | None) -> int | None:
        return None if at is None else self.moments.setdefault(_at_out(at), len(self.moments))

    def _word(self, word: str) -> int:
        return self.words.setdefault(word, len(self.words))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Rows as suspects again, by the moments and words of the first line."""

    moments: list[datetime]
    words: list[str]

    def suspect(self, row: Json) -> Suspect:
        return _READERS[row[0]](self._stay(row[1]), row[2:])

    def _stay(self, row: Json) -> Stay:
        camera, group, before, after, looks, edges, confidences, labels = row
        moments, words = self.moments, self.words
        seen = map(
            Sighting,
            (moments[i] for i in looks),
            _boxes(edges),
            confidences,
            (words[i] for i in labels),
        )
        return Stay(
            words[camera],
            LabelGroup(words[group]),
            tuple(seen),
            None if before is None else moments[before],
            None if after is None else moments[after],
        )


def _boxes(edges: Iterable[float]) -> Iterator[Box]:
    """Four edges each."""
    every = iter(edges)
    return zip(every, every, every, every, strict=True)


def _parked(stay: Stay, row: Json) -> Suspect:
    violation, zone_id, share, sure = row
    return Parked(stay, Violation(violation), zone_id, share, Jams(tuple(_interval_in(i) for i in sure)))


def _cluster(stay: Stay, row: Json) -> Suspect:
    counts, zone_id, share = row
    return Cluster(stay, tuple(counts), zone_id, share)


def _lying(stay: Stay, row: Json) -> Suspect:
    zone_id, share, within, abandoned_at = row
    return Lying(stay, zone_id, share, tuple(within), _moment(abandoned_at))


def _stall(stay: Stay, row: Json) -> Suspect:
    told = dict(zip(STALL_FIELDS, row, strict=True))
    return Stall(stay, **{**told, "beside": _box(told["beside"])})


def _found(stay: Stay, row: Json) -> Suspect:
    violation, *rest = row
    return Found(stay, Violation(violation), *rest)


_READERS: Mapping[str, Callable[[Stay, Json], Suspect]] = {
    "parked": _parked,
    "cluster": _cluster,
    "lying": _lying,
    "stall": _stall,
    "found": _found,
}


def _fault_out(fault: ViewFault) -> Json:
    unsure = _interval_out(fault.unsure) if fault.unsure else None
    last = _at_out(fault.last) if fault.last else None
    return [_interval_out(fault.interval), fault.what, last, unsure]


def _fault_in(row: Json) -> ViewFault:
    interval, what, last, unsure = row
    return ViewFault(
        _interval_in(interval),
        what,
        None if last is None else _moment(last),
        _interval_in(unsure) if unsure else None,
    )


def _interval_out(interval: Interval) -> Json:
    return [_at_out(interval.start), _at_out(interval.end)]


def _interval_in(row: Json) -> Interval:
    return Interval(_moment(row[0]), _moment(row[1]))


def _at_out(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _box(row: Json) -> Box:
    x1, y1, x2, y2 = row
    return (x1, y1, x2, y2)
