"""The one door to proof, whatever the violation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from detector.config.violations import RULES, function_of
from detector.core.times import Interval
from detector.core.values import Incident, Proof, Stay
from detector.inference.detector import Detector
from detector.inference.second import NO_SECOND_MODELS, SecondModels
from detector.proving.looker import Looker
from detector.proving.models import Models
from detector.proving.prove import Dropped


def verdict_on(
    incident: Incident, looker: Looker, detector: Detector, second: SecondModels = NO_SECOND_MODELS
) -> Proof | Dropped:
    """Look closer at a suspicion, by the proof that the table of rules names for its violation."""
    proof = function_of(RULES[incident.violation].proof)
    verdict: Proof | Dropped = proof(incident, looker, Models(detector, second))
    return verdict


Decide = Callable[[Incident, Looker, Detector, SecondModels], Proof | Dropped]
"""A closer look at one suspicion, such as `verdict_on`."""


def verdicts_on(
    incident: Incident,
    looker: Looker,
    detector: Detector,
    second: SecondModels = NO_SECOND_MODELS,
    decide: Decide = verdict_on,
) -> list[tuple[Incident, Proof | Dropped]]:
    """The suspicion with its verdict, and behind it what is left of it with theirs.

    Boxes alone chain one object to the next that fills its place. When one of them is proven, the sightings before
    and after it are suspicions of their own.
    """
    verdict = decide(incident, looker, detector, second)
    found = [(incident, verdict)]
    if isinstance(verdict, Proof):
        for rest in _rests(incident, verdict.incident.interval):
            found += verdicts_on(rest, looker, detector, second, decide)
    return found


def _rests(incident: Incident, proven: Interval) -> Iterator[Incident]:
    """The suspicion's sightings before and after the proven object, where they may last beyond the limit."""
    stay = incident.stay
    if stay is None:
        return
    before = tuple(s for s in stay.sightings if s.at < proven.start)
    after = tuple(s for s in stay.sightings if s.at > proven.end)
    if len(before) > 1:
        yield from _of(
            incident, replace(stay, sightings=before, absent_after=proven.start, other_from=proven.start)
        )
    if len(after) > 1:
        yield from _of(
            incident, replace(stay, sightings=after, absent_before=proven.end, other_until=proven.end)
        )


def _of(incident: Incident, stay: Stay) -> Iterator[Incident]:
    first, last = stay.seen
    before, after = stay.absent_before, stay.absent_after
    # Where no look says when it was not there yet, or no more, only the closer look can tell how long it stood.
    if before is None or after is None or (after - before).total_seconds() > incident.limit_s:
        yield replace(incident, interval=Interval(first, last), box=stay.box, stay=stay)
