"""Proof or dismissal of one suspicion.

Boxes from looks a minute apart say only that something stood in a place each time. Here the pictures are
compared: the object must be itself in all of them, and the moments at which it came and went are bisected.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import chain, combinations, repeat
from statistics import fmean

import numpy as np

from detector.core.geometry import Box, box_area, iou_matrix
from detector.core.times import Interval, subtract
from detector.core.values import LABEL_GROUPS, Incident, LabelGroup, Proof, Queue, Stay, Still, Violation
from detector.inference.detector import Detector
from detector.proving.alignment import AlignedPlace
from detector.proving.explain import explanation, explanation_zh
from detector.proving.fault import prove_fault
from detector.proving.likeness import Place, likeness, paint_apart, place_of, visible_blocks
from detector.proving.looker import Looker, Seen
from detector.proving.models import Models
from detector.proving.naming import vehicle_certainty
from detector.proving.swap import EMPTY, Swap, swapped

ALIKE = 0.6
"""Two pictures of a place show the same object when so much of it is found again."""

LOOKS = 48
"""So many looks are spread over a suspicion, beside those at which the model saw the object."""

CLOSEST_LOOKS = 20
"""Looks lie no closer than the limit divided by this."""

NEARBY_SHARE = 0.9
"""A keyframe serves for such a look if it lies no further before it than this part of the time between two."""

MOST_SIGHTINGS = 12
"""Of a long stay so many of the model's own sightings are compared."""

HIDDEN_S = 120.0
"""An object that is hidden for longer is not taken for the same one again."""

BRIDGED_S = 900.0
"""An object that is itself before and after so long a stretch in which the view could not be judged stood through it."""

PARTLY = 0.25
"""Likeness from which on an object may be hidden in part, so that the blocks open to view are compared by themselves."""

FEWEST_VISIBLE = 4
"""Number of blocks, of 16, that must be open to view for such a comparison."""

OWN_BOX_IOU = 0.5
"""A detection that overlaps the object's box by this IoU is the object itself, and does not hide it."""

CROWDED = 0.5
"""A place of which no more than this part is open to view is hidden, such as by a crowd."""

GLIMPSES = 8
"""Where a crowd hides the object at the end of a stay, it is looked for at this many moments, less one, before."""

HIDING_SHARE = 0.3
"""Something that covers so much of a place may hide what stands there."""

RESOLUTION_S = 1.0
"""Arrival and departure are bisected until they are known this well."""

KEYFRAMES_FROM_S = 2.0
"""As long as the two lie so far apart keyframes serve, for decoding up to the very middle costs tenfold."""

EARLY_SHARE = 0.4
"""So large a part of the time between the two a keyframe may lie before the middle."""

GLANCES_S = ((0.0, 0.0), (2.0, 1.8), (5.0, 2.5))
"""Who was there before a moment and after it was there at that moment too, hidden by somebody walking past: how far
from the moment is looked, and how far before that a keyframe serves.
"""

BLINK_S = 1.3
"""Nothing that stands leaves and comes back within four times so long."""

STEPS_S = (60.0, 180.0, 600.0, 1800.0, 7200.0)
"""Where the object already stood before the look that missed it, it is looked for so much earlier, and so on."""

CLEARS_WITHIN_S = 30.0
"""Vehicles of a queue drive on one after the other, some 2 to 3 s apart: so many seconds from the first to the last."""

FORMS_WITHIN_S = 120.0
"""And they came so close to each other, where their leaving was not recorded."""

STILLS = 4

STRONG_CERTAINTY = 0.55
"""A vehicle whose sightings have this mean confidence, in [0, 1], is not shown to the model again."""

MOVED_CERTAINTY = 0.12
"""Certainty in [0, 1] from which an object is a vehicle that was seen to come or to go (see `vehicle_certainty`)."""

STILL_CERTAINTY = 0.18
"""And from which one is that stood there from the first picture to the last."""

FIXTURE_LIMITS = 5.0
FIXTURE_CERTAINTY = 0.6
"""An object that neither came nor went in FIXTURE_LIMITS times its limit is a fixture, such as a guard rail or a board,
unless its certainty reaches FIXTURE_CERTAINTY."""

NAMED_PICTURES = 5
"""Number of pictures in which the model is asked what stands there."""

PARKING = (Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING)


_Gone = Callable[[datetime], bool]
_Partly = Callable[[datetime], bool]
_Swapped = Callable[[datetime, datetime], Swap | None]


class _Edge(IntEnum):
    ARRIVAL = -1
    DEPARTURE = 1


@dataclass(frozen=True, slots=True)
class Dropped:
    """A suspicion that did not withstand the closer look, and why."""

    incident: Incident
    reason: str


@dataclass(frozen=True, slots=True)
class _Stand:
    """One object standing in one place: what it looks like there, and moments at which it was seen to be there."""

    reference: Place
    aligned: AlignedPlace
    detector: Detector
    there: tuple[datetime, ...]
    lowest: float
    left: Mapping[_Edge, datetime]
    """The nearest moments on either side from which on it was not there: the place was open to view, or something
    else stood there for too long to believe that it was only hidden."""
    paint: float = math.inf
    """Painted so differently from the reference (see `paint_apart`) it is one of those that stood there before or after."""

    @property
    def span_s(self) -> float:
        return (self.there[-1] - self.there[0]).total_seconds()

    def shows(self, seen: Seen | None) -> bool:
        place = self.aligned.patch_in(seen)
        if seen is None or place is None:
            return False
        found = likeness(self.reference, place)
        if found >= ALIKE:
            return paint_apart(self.reference, place) < self.paint
        return found >= PARTLY and shows_partly(self.reference, place, seen, self.aligned, self.detector)


def shows_partly(
    reference: Place, place: Place, seen: Seen, aligned: AlignedPlace, detector: Detector
) -> bool:
    """Whether an object that something hides in part is itself where it is open to view."""
    covers = detector.detect([seen.frame.image])[0].clear.boxes
    box = aligned.box_in(seen.frame.image)
    own = iou_matrix(covers, np.array([box], np.float32))[:, 0] < OWN_BOX_IOU
    visible = visible_blocks(box, covers[own])
    return (
        FEWEST_VISIBLE <= int(visible.sum()) < len(visible) and likeness(reference, place, visible) >= ALIKE
    )


def prove_standing(incident: Incident, looker: Looker, models: Models) -> Proof | Dropped:
    """The proof for all that stands, by the general detector."""
    return prove(incident, looker, models.detector)


def prove(incident: Incident, looker: Looker, detector: Detector) -> Proof | Dropped:
    """Look closer at a suspicion; the camera's recordings are seen through `looker`."""
    if incident.stay is None or incident.box is None:
        return prove_fault(incident, looker) or Dropped(incident, "no picture can be had of it")
    stand = _longest_stand(incident, looker, detector)
    if stand is None:
        return Dropped(incident, "different objects in the same place, none of which stands")
    stand = _beside_others(stand, incident.stay)
    timed = _verified(stand, incident, incident.stay, looker, detector)
    if isinstance(timed, Dropped):
        return timed
    stills = _stills(stand, looker, timed.incident)
    if len(stills) < 3 or (stills[-1].at - stills[0].at).total_seconds() <= incident.limit_s:
        return Dropped(timed.incident, "too few pictures show it further apart than the limit")
    return Proof(
        incident=timed.incident,
        stills=stills,
        start_uncertainty_s=timed.start_uncertainty_s,
        end_uncertainty_s=timed.end_uncertainty_s,
        similarity=stand.lowest,
        explanation=explanation(timed.incident),
        explanation_zh=explanation_zh(timed.incident),
    )


@dataclass(frozen=True, slots=True)
class _Timed:
    """An incident from when the object came until it left, and how far off both may be, in seconds."""

    incident: Incident
    start_uncertainty_s: float
    end_uncertainty_s: float


def _verified(
    stand: _Stand, incident: Incident, stay: Stay, looker: Looker, detector: Detector
) -> _Timed | Dropped:
    """Whether the object stood beyond its limit and, under the rules of parking, is a vehicle; what is cheap comes first."""
    if (longest_s := _at_most_s(stand)) <= incident.limit_s:
        return Dropped(
            incident,
            f"the same object stood for at most {longest_s:.0f} s, the limit is {incident.limit_s:.0f} s",
        )
    if incident.violation in PARKING:
        certainty = _certainty(stand, stay, looker, detector)
        if certainty < MOVED_CERTAINTY:
            return Dropped(incident, f"not a vehicle: certainty {certainty:.2f}")
        incident = replace(incident, confidence=certainty)
    return _timed(stand, incident, stay, looker, detector)


def _timed(
    stand: _Stand, incident: Incident, stay: Stay, looker: Looker, detector: Detector
) -> _Timed | Dropped:
    start, start_uncertainty_s = _bisect(stand, looker, stay.absent_before, _Edge.ARRIVAL)
    end, end_uncertainty_s = _bisect(stand, looker, stay.absent_after, _Edge.DEPARTURE)
    moved = is_seen(start, start_uncertainty_s, looker) or is_seen(end, end_uncertainty_s, looker)
    if not moved and (reason := _is_fixture(incident, stay, (end - start).total_seconds())):
        return Dropped(incident, reason)
    stood_s = incident.counted_s(Interval(start, end)) if end > start else 0.0
    if stood_s > incident.limit_s and (queued := _queued(incident, looker, detector)):
        incident = replace(incident, excused=(*incident.excused, *queued), queues=())
        stood_s = incident.counted_s(Interval(start, end))
    if stood_s <= incident.limit_s:
        return Dropped(
            incident, f"the same object stood for {stood_s:.0f} s, the limit is {incident.limit_s:.0f} s"
        )
    return _Timed(replace(incident, interval=Interval(start, end)), start_uncertainty_s, end_uncertainty_s)


def _certainty(stand: _Stand, stay: Stay, looker: Looker, detector: Detector) -> float:
    """How surely the object that stands is a vehicle, in [0, 1]."""
    own = [s.confidence for s in stay.sightings if stand.there[0] <= s.at <= stand.there[-1]]
    sighted = fmean(own) if own else 0.0
    if len(own) > 1 and sighted >= STRONG_CERTAINTY:
        return sighted
    pictures = (seen.frame.image for seen in looker.each(_thinned(stand.there, NAMED_PICTURES)))
    return (sighted + vehicle_certainty(pictures, stand.aligned.box, detector)) / 2


def _is_fixture(incident: Incident, stay: Stay, stood_s: float) -> str:
    """Why an object that neither came nor went is no vehicle; '' if it is one."""
    if incident.violation not in PARKING:
        return ""
    if not _named(stay):
        return "it was never called a vehicle, and neither came nor went"
    if incident.confidence < STILL_CERTAINTY:
        return f"not a vehicle: certainty {incident.confidence:.2f}, and it neither came nor went"
    if stood_s >= FIXTURE_LIMITS * incident.limit_s and incident.confidence < FIXTURE_CERTAINTY:
        return f"a fixture: in its place at all times, certainty {incident.confidence:.2f}"
    return ""


def _named(stay: Stay) -> bool:
    """Whether the model called it a vehicle at a look at least, and not only what a vehicle is mistaken for."""
    return any(LABEL_GROUPS.get(s.label) is LabelGroup.VEHICLE for s in stay.sightings)


def _at_most_s(stand: _Stand) -> float:
    """The time from when the place was seen without the object until it was again; inf where it was not."""
    before, after = stand.left.get(_Edge.ARRIVAL), stand.left.get(_Edge.DEPARTURE)
    return (after - before).total_seconds() if before and after else math.inf


def _beside_others(stand: _Stand, stay: Stay) -> _Stand:
    """What is proven to have stood there before or after was another object, however alike the two are."""
    others = {_Edge.ARRIVAL: stay.other_until, _Edge.DEPARTURE: stay.other_from}
    return replace(stand, left={edge: at for edge, at in others.items() if at} | dict(stand.left))


def _longest_stand(incident: Incident, looker: Looker, detector: Detector) -> _Stand | None:
    """The longest stretch over which one object is itself, of all objects that filled the place in turn."""
    assert incident.stay is not None
    assert incident.box is not None
    box = incident.box
    sightings = _thinned([s.at for s in incident.stay.sightings], MOST_SIGHTINGS)
    aligned: AlignedPlace | None = None
    places: dict[datetime, Place] = {}
    for seen in looker.each(sightings):
        aligned = aligned or AlignedPlace.of(seen.frame.image, box)
        places[seen.at] = place_of(seen.frame.image, aligned.box_in(seen.frame.image))
    if aligned is None:
        return None
    references = _found_again(places)
    views = _views_of(incident, looker, aligned, places)
    best: _Stand | None = None
    while references:
        stand = _stand_of(_most_typical(references, places), views, looker, detector)
        if len(stand.there) > 1 and (best is None or stand.span_s > best.span_s):
            best = stand
        references = [t for t in references if t not in stand.there]
    return best


def _stand_of(at: datetime, views: _Views, looker: Looker, detector: Detector) -> _Stand:
    """How long what a look shows stood there, before that look and after it."""
    reference, aligned = views.places[at], views.aligned

    def gone(t: datetime) -> bool:
        return (
            views.alike(at, t) <= EMPTY
            and views.is_open(t, detector)
            and not _blinks(t, reference, aligned, looker)
        )

    def swap(a: datetime, b: datetime) -> Swap | None:
        return swapped((a, views.places[a]), (b, views.places[b]), aligned, looker)

    def partly(t: datetime) -> bool:
        return views.shows_partly(at, t, detector)

    there, left, swaps = _unbroken(at, views, looker, gone, swap, partly)
    paint = min((swap.apart / 2 for swap in swaps), default=math.inf)
    lowest = min(views.alike(at, t) for t in there)
    return _Stand(reference, aligned, detector, tuple(there), lowest, left, paint)


def _found_again(places: Mapping[datetime, Place]) -> list[datetime]:
    """The model's sightings of what another of them shows, too: of what passes, it saw each only once."""
    pairs = ((a, b) for a, b in combinations(places, 2) if likeness(places[a], places[b]) >= ALIKE)
    found = set(chain.from_iterable(pairs))
    return [at for at in places if at in found]


@dataclass(slots=True)
class _Views:
    """What a place shows at the moments of a suspicion; each is decoded when it is first asked for.

    Most suspicions are of vehicles that come and go, and few looks tell so.
    """

    aligned: AlignedPlace
    looker: Looker
    wanted: Sequence[datetime]
    """In order of time: the model's sightings, and looks spread evenly between them."""
    tolerance_s: float
    """A keyframe so much earlier serves as well: what stands stands there too."""
    places: dict[datetime, Place]
    """By the true moment of a picture."""
    seen: dict[datetime, datetime | None]
    """By a wanted moment, the true one; None where there is no picture."""
    open: dict[datetime, bool] = field(default_factory=dict)
    """Whether the place was open to view, by moments that were asked about: one place is looked at for several objects."""

    @property
    def spacing_s(self) -> float:
        return (self.wanted[-1] - self.wanted[0]).total_seconds() / max(1, len(self.wanted) - 1)

    def alike(self, reference: datetime, at: datetime) -> float:
        return likeness(self.places[reference], self.places[at])

    def is_open(self, at: datetime, detector: Detector) -> bool:
        if at not in self.open:
            seen = self.looker.look(at)
            self.open[at] = seen is not None and not is_hidden(
                seen, self.aligned.box_in(seen.frame.image), detector
            )
        return self.open[at]

    def shows_partly(self, reference: datetime, at: datetime, detector: Detector) -> bool:
        """Whether the object of one look is itself at another where something hides it in part."""
        if self.alike(reference, at) < PARTLY or (seen := self.looker.look(at)) is None:
            return False
        return shows_partly(self.places[reference], self.places[at], seen, self.aligned, detector)

    def beyond(self, at: datetime, edge: _Edge) -> datetime | None:
        """The next moment with a picture after another, or before it."""
        later = bisect_right(self.wanted, at)
        for wanted in self.wanted[later:] if edge is _Edge.DEPARTURE else self.wanted[:later][::-1]:
            true = self._true(wanted)
            if true is not None and (true - at).total_seconds() * edge > 0:
                return true
        return None

    def _true(self, wanted: datetime) -> datetime | None:
        if wanted not in self.seen:
            seen = self.looker.look(wanted, self.tolerance_s)
            self.seen[wanted] = seen.at if seen else None
            if seen is not None and seen.at not in self.places:
                self.places[seen.at] = place_of(seen.frame.image, self.aligned.box_in(seen.frame.image))
        return self.seen[wanted]


def _views_of(
    incident: Incident, looker: Looker, aligned: AlignedPlace, places: Mapping[datetime, Place]
) -> _Views:
    start, duration_s = incident.interval.start, incident.interval.duration_s
    step_s = max(duration_s / LOOKS, incident.limit_s / CLOSEST_LOOKS)
    between = [start + timedelta(seconds=(k + 0.5) * step_s) for k in range(int(duration_s / step_s))]
    wanted = sorted({*between, *places})
    return _Views(aligned, looker, wanted, step_s * NEARBY_SHARE, dict(places), {at: at for at in places})


def _thinned(moments: Sequence[datetime], most: int) -> list[datetime]:
    if len(moments) <= most:
        return list(moments)
    return [moments[round(i * (len(moments) - 1) / (most - 1))] for i in range(most)]


def _most_typical(references: Sequence[datetime], places: Mapping[datetime, Place]) -> datetime:
    """The sighting that most others resemble."""
    return max(references, key=lambda at: sum(likeness(places[at], places[t]) >= ALIKE for t in references))


def _unbroken(
    at: datetime,
    views: _Views,
    looker: Looker,
    gone: _Gone,
    swap: _Swapped,
    partly: _Partly = lambda _: False,
) -> tuple[list[datetime], dict[_Edge, datetime], list[Swap]]:
    """The moments around `at` at which the object was itself, up to where the place was seen to be left, and those.

    Over BRIDGED_S in which the view could not be judged it goes on where the object itself is there again. It ends
    where another of its make took its place, and those swaps are told besides.
    """
    longest_s = max(HIDDEN_S, 2.5 * views.spacing_s)
    there = [at]
    left: dict[_Edge, datetime] = {}
    swaps: list[Swap] = []
    for edge in (_Edge.DEPARTURE, _Edge.ARRIVAL):
        last, hidden_since = at, None
        t = views.beyond(at, edge)
        while t is not None:
            if views.alike(at, t) >= ALIKE:
                if (found := swap(last, t)) and _lasts(swap, views, at, last, t, edge):
                    swaps.append(found)
                    left[edge] = found.at
                    break
                there.append(t)
                last, hidden_since = t, None
            elif partly(t):
                last, hidden_since = t, None
            elif gone(t):
                left[edge] = hidden_since or t
                break
            else:
                hidden_since = hidden_since or t
                if abs((t - last).total_seconds()) - _bridged_s(looker, t, last) > longest_s:
                    left[edge] = hidden_since
                    break
            t = views.beyond(t, edge)
    return sorted(there), left, swaps


def _lasts(swap: _Swapped, views: _Views, at: datetime, last: datetime, t: datetime, edge: _Edge) -> bool:
    """Whether the look after the two that show a swap shows it as well: a headlight's flash is none."""
    following = views.beyond(t, edge)
    return following is None or views.alike(at, following) < ALIKE or swap(last, following) is not None


def _bridged_s(looker: Looker, a: datetime, b: datetime) -> float:
    blind_s = looker.blind_s(a, b)
    return blind_s if blind_s <= BRIDGED_S else 0.0


def is_hidden(seen: Seen, box: Box, detector: Detector) -> bool:
    """Whether something is seen that may hide what stands in a place, or many things that hide half of it together."""
    found = detector.detect([seen.frame.image])[0].clear.boxes
    if visible_blocks(box, found).mean() <= CROWDED:
        return True
    covered = [
        max(0.0, min(b[2], box[2]) - max(b[0], box[0])) * max(0.0, min(b[3], box[3]) - max(b[1], box[1]))
        for b in found.astype(float)
    ]
    return bool(max(covered, default=0.0) >= HIDING_SHARE * box_area(box))


def _blinks(at: datetime, reference: Place, aligned: AlignedPlace, looker: Looker) -> bool:
    """Whether an object is itself right before and right after a moment that does not show it: no vehicle leaves and
    comes back so fast, but somebody whom the model does not see walks past.
    """
    # Keyframes serve where they lie between BLINK_S and twice that from the moment: decoding up to it costs tenfold.
    # After it first: of what has left, that tells at once.
    around = (looker.look(at + timedelta(seconds=side * BLINK_S), BLINK_S) for side in (2, -1))
    return all(
        (place := aligned.patch_in(seen)) is not None and likeness(reference, place) >= ALIKE
        for seen in around
    )


def _bisect(stand: _Stand, looker: Looker, missed_at: datetime | None, edge: _Edge) -> tuple[datetime, float]:
    """When the object came or went, and how far off in seconds that may be; inf where the recordings end before.

    `missed_at` is the look nearest to the stay at which the model did not see the object. It may have stood there
    all the same, so the search begins further out where it did; but not beyond where it is known to have left.
    """
    there = stand.there[0] if edge is _Edge.ARRIVAL else stand.there[-1]
    run = looker.run_of(there)
    if run is None:
        return there, math.inf
    left = stand.left.get(edge)
    border = left or (run.start if edge is _Edge.ARRIVAL else run.end)
    away = left or _clamped(missed_at or border, run)
    for step_s in chain(STEPS_S, repeat(STEPS_S[-1])) if left is None else ():
        if not _was_there(stand, looker, away, edge, border):
            break
        there = away
        if away == border:
            return border, math.inf
        away = _clamped(away + edge * timedelta(seconds=step_s), run)
    return _between(stand, looker, _last_glimpse(stand, looker, there, away), away, edge)


def _last_glimpse(stand: _Stand, looker: Looker, there: datetime, away: datetime) -> datetime:
    """The moment nearest to `away` at which the object is seen between what hides it; `there` where nothing hides it."""
    seen = looker.look(away)
    if seen is None or not is_hidden(seen, stand.aligned.box_in(seen.frame.image), stand.detector):
        return there
    moments = (there + (away - there) * k / GLIMPSES for k in range(GLIMPSES - 1, 0, -1))
    return next((at for at in moments if stand.shows(looker.look(at))), there)


def _between(
    stand: _Stand, looker: Looker, there: datetime, away: datetime, edge: _Edge
) -> tuple[datetime, float]:
    """The last moment at which the object was there, towards one at which it was not, and how far off that may be."""
    without = stand.aligned.patch_in(looker.look(away))
    while (gap_s := abs((there - away).total_seconds())) > RESOLUTION_S:
        middle = there + (away - there) / 2
        tolerance_s = gap_s * EARLY_SHARE if gap_s > KEYFRAMES_FROM_S else 0.0
        # What is known is known of the picture's own time, which may lie before the moment asked for.
        seen = looker.look(middle, tolerance_s)
        at = seen.at if seen is not None else middle
        place = stand.aligned.patch_in(seen)
        was_there = stand.shows(seen)
        # Where the place looks as it did without the object, nothing hides it, and no glance is needed. At `away` and
        # beyond it is known to be gone, so none need go so far.
        if not was_there and not (place and without and likeness(without, place) >= ALIKE):
            short_of_away = away - edge * timedelta(microseconds=1)
            was_there = _was_there(stand, looker, middle, edge, short_of_away, tolerance_s)
        if not min(there, away) < at < max(there, away):
            break  # the recording has no picture between
        if was_there:
            there = at
        else:
            away, without = at, place
    return there, abs((there - away).total_seconds())


def _was_there(
    stand: _Stand, looker: Looker, at: datetime, edge: _Edge, border: datetime, tolerance_s: float = 0.0
) -> bool:
    """Whether the object stood there at a moment, or beyond it: then something only hid it at that moment."""
    for glance_s, early_s in GLANCES_S:
        moment = at + edge * timedelta(seconds=glance_s)
        if (moment - border).total_seconds() * edge > 0:
            break
        if stand.shows(looker.look(moment, max(tolerance_s, early_s))):
            return True
    return False


def _queued(incident: Incident, looker: Looker, detector: Detector) -> list[Interval]:
    """The queues in which the object stood, as closer looks at the others tell: they drove on, or came, together."""
    confirmed: list[Interval] = []
    for queue in incident.queues:
        if subtract(queue.interval, confirmed) and _together(queue, looker, detector):
            confirmed.append(queue.interval)
    return confirmed


def _together(queue: Queue, looker: Looker, detector: Detector) -> bool:
    edge = _Edge.DEPARTURE if queue.clears else _Edge.ARRIVAL
    within = timedelta(seconds=CLEARS_WITHIN_S if queue.clears else FORMS_WITHIN_S)
    moments = sorted(at for stay in queue.stays if (at := _moved(stay, looker, edge, detector)))
    groups = zip(moments, moments[queue.others - 1 :], strict=False)
    return any(last - first <= within for first, last in groups)


def _moved(stay: Stay, looker: Looker, edge: _Edge, detector: Detector) -> datetime | None:
    """When a vehicle of a queue came or left, to a second; None where that cannot be seen."""
    at = stay.sightings[0 if edge is _Edge.ARRIVAL else -1].at
    seen = looker.look(at)
    if seen is None:
        return None
    aligned = AlignedPlace.of(seen.frame.image, stay.box)
    stand = _Stand(place_of(seen.frame.image, stay.box), aligned, detector, (at,), 1.0, {})
    missed_at = stay.absent_before if edge is _Edge.ARRIVAL else stay.absent_after
    moment, uncertainty_s = _bisect(stand, looker, missed_at, edge)
    return moment if is_seen(moment, uncertainty_s, looker) else None


def came_or_left(proof: Proof, looker: Looker) -> bool:
    """Whether the recordings show the place without the object; where they begin or end is no arrival or departure."""
    interval = proof.incident.interval
    edges = ((interval.start, proof.start_uncertainty_s), (interval.end, proof.end_uncertainty_s))
    return any(is_seen(at, uncertainty_s, looker) for at, uncertainty_s in edges)


def is_seen(moment: datetime, uncertainty_s: float, looker: Looker) -> bool:
    """Whether the object came or left at a moment, and not the recordings began or ended there."""
    run = looker.run_of(moment)
    borders = (run.start, run.end) if run else ()
    near = any(abs((border - moment).total_seconds()) <= 2 * RESOLUTION_S for border in borders)
    return not math.isinf(uncertainty_s) and not near


def _clamped(at: datetime, run: Interval) -> datetime:
    return min(max(at, run.start), run.end)


def _stills(stand: _Stand, looker: Looker, incident: Incident) -> tuple[Still, ...]:
    """The first and the last picture of the object, and some between, in order.

    Where somebody walks past as it comes or goes, the nearest moment at which it is to be seen serves.
    """
    start, end = incident.interval.start, incident.interval.end
    inner = [t for t in stand.there if start < t < end]
    wanted = [start + (end - start) * k / (STILLS - 1) for k in range(1, STILLS - 1)]
    middle = {min(inner, key=lambda t: abs((t - w).total_seconds())) for w in wanted} if inner else set()
    stills: dict[datetime, Still] = {}
    for moments in ([start, *inner[:2]], [end, *inner[:-3:-1]], *([at] for at in sorted(middle))):
        shown = (seen for at in moments if stand.shows(seen := looker.look(at)))
        if (seen := next(shown, None)) is not None:
            stills[seen.at] = Still(
                seen.at, seen.recording, seen.frame, stand.aligned.box_in(seen.frame.image)
            )
    return tuple(stills[at] for at in sorted(stills))
