"""litter 暴露垃圾: what was not there before, stays, and is neither person, vehicle nor shadow; or what a detector names.

Two ways, joined. New and still: the pictures kept of the looks are compared as medians over several looks before
and several after, so that whatever moves, and noise, drops out; a small compact difference that stays is a thing
put down. Named: a detector of rubbish bags saw it again and again in one place, even if it always lay there.
Both are suspicions; `proving` compares them at full size.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import hypot
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from detector.config.rules import RuleSet
from detector.core.geometry import ASPECT, Box, box_area, contact_share, iou, is_same_object, within_reach
from detector.core.values import (
    Camera,
    Image,
    Incident,
    LabelGroup,
    Observation,
    Point,
    Sighting,
    Stay,
    Violation,
    Zone,
)
from detector.decoding.change import (
    CHANGED_GREYS,
    GAP_PX,
    LIGHT_CELL_PX,
    Blob,
    Compared,
    Mask,
    blobs_of,
    changes,
    is_light,
    median_of,
    relit,
    stands_out,
)
from detector.decoding.view import size_of, unpacked
from detector.judging.force import incident_of, longest_possible_s, zone_named
from detector.judging.stays import find_stays
from detector.judging.suspects import Looks

NEW_THING = "object"
"""The label of a sighting that only its being new and still tells of."""

BEFORE_LOOKS = 5
AFTER_LOOKS = 3
"""A stay as long as its limit is looked at three times: the median of three shows it."""

FEWEST_BEFORE = 2
AGREEING = 2
FARTHEST_BEFORE = 60
FARTHEST_AFTER = 6
"""How far away looks may lie that stand in for those at which something hides the place."""

NO_VOTE = 1000
BREAK_S = 900.0
"""Over a longer break between looks light and street may change: nothing is compared across it."""

BREAK_LOOKS = 3.5

WIDTHS = (0.0125, 0.11)
HEIGHTS_OF_WIDTH = (0.3, 3.0)
"""A thing left on the street: its width in picture widths (16 to 140 px of 1280), and its height in its widths."""

LARGE_CELL_PX = 192
LARGE_GAP_PX = 13
"""For things larger than WIDTHS: the cell in pixels by which light is evened out, wider than the thing; and the width in
pixels below which a gap between two parts of a change is closed."""

FILLED = 0.4
"""The part of its box that a compact thing fills."""

VIEW_CHANGED = 0.25
"""Where so much of the zones' surroundings changed at once, the light or the view did."""

COVERED = 0.3
"""A place is hidden when a person or vehicle covers so much of it."""

INSIDE = 0.7
PART_OF_SHARE = 0.25
"""A thing that lies to INSIDE in a vehicle's box in so many of the looks that show it is part of that vehicle."""

WHEELS_CONFIDENCE = 0.4
"""What is called a vehicle or bike with less may be a stall: a cargo tricycle is called a bicycle now and then."""

MARGIN = 0.1
CARRIED = 0.5
"""A box of something that moves is taken so much larger, in its own sizes: the detector cuts feet and wheels, and
people carry bags at their sides."""

STANDING_SHARE = 0.6
"""Who is seen in one place in so many of the looks stands there."""

OWNER_CONFIDENCE = 0.35
"""And is a person by so much: what the model takes for one again and again with less is a post or a parked bike."""

SHIFTS_HEIGHTS = 0.3
"""Who put a thing down may step so many of his heights aside before he stands: he stood by from the look before, too."""

UNNAMED_CONFIDENCE = 0.5
"""What a sighting that no detector confirms counts."""

CAME_CONFIDENCE = 0.35
"""The detector for rubbish counts from here on for what an earlier look does not show; for what always lay there it counts
from the rule's `min_confidence`. Below it a suspicion would be dropped by the proof (`NAMED`)."""

SAME_THING_IOU = 0.25
SURE_SHARE = 0.4
"""A named thing is seen in at least so many of the looks over its stay."""


Mover = tuple[Box, float]
"""Box and confidence of a person, vehicle or bike."""


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the picture that is judged: pixels [y1, y2) x [x1, x2) of a picture of `wh`; where zones lie in it."""

    wh: tuple[int, int]
    x1: int
    y1: int
    x2: int
    y2: int
    zones: Mask

    def cut(self, image: Image) -> Image:
        return image[self.y1 : self.y2, self.x1 : self.x2]

    def pixels(self, box: Box) -> tuple[int, int, int, int]:
        """A box in [0, 1] of the whole picture in whole pixels of the window, clipped to it."""
        w, h = self.wh
        x1, x2 = (int(np.clip(round(v * w) - self.x1, 0, self.x2 - self.x1)) for v in (box[0], box[2]))
        y1, y2 = (int(np.clip(round(v * h) - self.y1, 0, self.y2 - self.y1)) for v in (box[1], box[3]))
        return x1, y1, x2, y2

    def box(self, blob: Blob) -> Box:
        x1, y1, x2, y2 = blob.xyxy
        w, h = self.wh
        return (self.x1 + x1) / w, (self.y1 + y1) / h, (self.x1 + x2) / w, (self.y1 + y2) / h


@dataclass(frozen=True, slots=True)
class _Plate:
    """One look: its picture within the window, and where something that moves hides the ground."""

    at: datetime
    image: Image
    hidden: Mask
    movers: tuple[Box, ...]
    """Boxes of what moves, as they were seen."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """A new and still thing as the medians before and after look `t` show it."""

    t: int
    box: Box
    blob: Blob
    before: Image
    after: Image


@dataclass(frozen=True, slots=True)
class _Found:
    """One thing as several medians show it: whole where all looks after hold it, in parts at either end."""

    shapes: list[_Shape]

    @property
    def last(self) -> int:
        return max(shape.t for shape in self.shapes)

    def is_of(self, box: Box) -> bool:
        return any(_one_place(shape.box, box) for shape in self.shapes)

    def typical(self) -> _Shape:
        """The shape that agrees best with the others, the larger of two."""
        agrees = {id(a): sum(iou(a.box, b.box) for b in self.shapes) for a in self.shapes}
        return max(self.shapes, key=lambda a: (round(agrees[id(a)], 3), box_area(a.box)))


@dataclass(frozen=True, slots=True)
class _Track:
    """The looks, by index, at which a thing is there, and the moments next to them at which it is not."""

    box: Box
    there: tuple[int, ...]
    seen: tuple[datetime, ...]
    """The moments of these looks."""
    absent_before: datetime | None
    absent_after: datetime | None


@dataclass(frozen=True, slots=True)
class Lying:
    """A thing that lies on the rule's ground, before limits and hours are asked."""

    stay: Stay
    zone_id: str
    share: float
    within: tuple[str, ...]
    """The zones that hold it."""
    abandoned_at: datetime
    """The first sighting at which nobody who owns it has it within reach."""

    def incidents(self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float) -> Iterator[Incident]:
        """The parts of the stay that may have lasted beyond the limit; looks are `cadence_s` apart."""
        for part, limit_s in _parts_in_force(self, point, camera, rules):
            if part.seen_s > 0 and longest_possible_s(part, cadence_s) > limit_s:
                yield incident_of(
                    part, Violation.LITTER, point, self.zone_id, limit_s=limit_s, share=self.share
                )


def find_lying(looks: Looks) -> Iterator[Lying]:
    """What may be litter."""
    return lying(looks.observations, looks.camera, looks.rules)


def lying(observations: Sequence[Observation], camera: Camera, rules: RuleSet) -> Iterator[Lying]:
    """What may be litter among one camera's observations, in rising order of time."""
    zones = _zones(camera, rules)
    if not zones:
        return
    named = _named_things(observations, rules)
    owners = _owners(observations, named)
    stays = join_stays(_new_things(observations, camera, zones), named)
    for stay in stays:
        zone, share = _place(stay.box, zones, rules)
        if zone is None:
            continue
        least = rules.rules[Violation.LITTER].min_share
        within = tuple(z.id for z in zones if contact_share(stay.box, z.polygon) >= least)
        if stay.seen_s > 0:
            yield Lying(stay, zone.id, share, within, _abandoned_at(stay, owners))


def join_stays(new: Sequence[Stay], named: Sequence[Stay]) -> list[Stay]:
    """Both ways as one list: what both tell of is one stay, with the sightings of both."""
    joined: list[Stay] = []
    left = list(named)
    for stay in new:
        same = [s for s in left if _one_place(s.box, stay.box) and _meet(s, stay)]
        left = [s for s in left if s not in same]
        sightings = {s.at: s for s in stay.sightings}
        for sighting in (x for other in same for x in other.sightings):
            sightings[sighting.at] = sighting
        joined.append(replace(stay, sightings=tuple(sightings[at] for at in sorted(sightings))))
    return sorted([*joined, *left], key=lambda stay: (stay.sightings[0].at, stay.sightings[0].box))


def _one_place(a: Box, b: Box) -> bool:
    """Whether two boxes are of one thing; what is new is cut closer than what a detector names."""
    return iou(a, b) >= SAME_THING_IOU or max(_share_inside(a, b), _share_inside(b, a)) >= INSIDE


def _meet(a: Stay, b: Stay) -> bool:
    return a.seen[0] <= b.seen[1] and b.seen[0] <= a.seen[1]


def _share_inside(box: Box, other: Box) -> float:
    """Which part of a box another covers, in [0, 1]."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return width * height / box_area(box) if width > 0 and height > 0 else 0.0


# --- where and when the rule holds


def _zones(camera: Camera, rules: RuleSet) -> list[Zone]:
    rule = rules.rules[Violation.LITTER]
    return [zone for zone in camera.zones if zone.kind in rule.zones]


def _place(box: Box, zones: Sequence[Zone], rules: RuleSet) -> tuple[Zone | None, float]:
    """The zone that holds the largest part of the thing's ground contact, and that part."""
    shares = [(contact_share(box, zone.polygon), zone) for zone in zones]
    share, zone = max(shares, key=lambda pair: pair[0])
    return (zone, share) if share >= rules.rules[Violation.LITTER].min_share else (None, share)


def _parts_in_force(
    thing: Lying, point: Point, camera: Camera, rules: RuleSet
) -> Iterator[tuple[Stay, float]]:
    """The stretches in which the rule holds and nobody stands by, each with its limit in seconds.

    Where its owner left it, the stay keeps the moment before it came: `proving` asks whether he stood there all along.
    Wherever a zone of the rule permits it at that hour (a collection point), a larger zone around does not forbid it.
    """
    stay, abandoned_at = thing.stay, thing.abandoned_at
    zone, inside = zone_named(camera, thing.zone_id), [zone_named(camera, name) for name in thing.within]
    in_force = rules.in_force(Violation.LITTER, point.category, zone)
    if in_force is None:
        return
    run: list[Sighting] = []
    run_limit_s: float | None = None
    before = stay.absent_before
    for sighting in stay.sightings:
        local = sighting.at.astimezone(camera.timezone)
        allowed = any(h.holds_at(local) for z in inside for h in z.permitted)
        now_s = None if allowed or sighting.at < abandoned_at else in_force.limit_at(local)
        if run and now_s != run_limit_s:
            if run_limit_s is not None:
                yield (
                    replace(stay, sightings=tuple(run), absent_before=before, absent_after=sighting.at),
                    run_limit_s,
                )
            before = stay.absent_before if sighting.at == abandoned_at else None
            run = []
        run_limit_s = now_s
        run.append(sighting)
    if run and run_limit_s is not None:
        yield replace(stay, sightings=tuple(run), absent_before=before), run_limit_s


def _owners(observations: Sequence[Observation], named: Sequence[Stay]) -> list[Stay]:
    """People who stand still, without what the detector for rubbish names with more confidence than `person`."""
    return [
        person
        for person in _who_stand(observations)
        if not any(is_same_object(person.box, thing.box) and _meet(person, thing) for thing in named)
    ]


def _who_stand(observations: Sequence[Observation]) -> list[Stay]:
    """People who stand still: seen in one place in most of the looks over their stay, and not two who passed there.

    A stay begins at the look before where somebody stood a step aside then.
    """
    times = [o.at for o in observations]
    return [
        _from_a_step_aside(stay, observations[: bisect_left(times, stay.seen[0])])
        for stay in find_stays(observations, LabelGroup.PERSON)
        if len(stay.sightings) > 1
        and median(s.confidence for s in stay.sightings) >= OWNER_CONFIDENCE
        and len(stay.sightings)
        >= STANDING_SHARE * (bisect_right(times, stay.seen[1]) - bisect_left(times, stay.seen[0]))
    ]


def _from_a_step_aside(stay: Stay, earlier: Sequence[Observation]) -> Stay:
    """The stay, with the look before it where that shows a person so near that it is the same who stands."""
    if not earlier:
        return stay
    look = earlier[-1]
    people = look.detections.of(LabelGroup.PERSON)
    for box, confidence in zip(people.boxes.astype(float).tolist(), people.confidences, strict=True):
        across, deep = (a - b for a, b in zip(_foot(stay.box), _foot(box), strict=True))
        shifted = hypot(across * ASPECT, deep) / (stay.box[3] - stay.box[1])
        if confidence >= OWNER_CONFIDENCE and shifted <= SHIFTS_HEIGHTS:
            before = Sighting(look.at, (box[0], box[1], box[2], box[3]), float(confidence), "person")
            return replace(stay, sightings=(before, *stay.sightings))
    return stay


def _foot(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, box[3]


def _abandoned_at(stay: Stay, owners: Sequence[Stay]) -> datetime:
    """The first sighting at which nobody who stood by from the first on has the thing within reach.

    Who comes later and stands beside it, waiting for a bus, does not own it.
    """
    near = [owner for owner in owners if within_reach(stay.box, owner.box)]
    for sighting in stay.sightings:
        if not any(owner.seen[0] <= sighting.at <= owner.seen[1] for owner in near):
            return sighting.at
    return stay.seen[1] + timedelta(microseconds=1)


# --- named by a detector


def _named_things(observations: Sequence[Observation], rules: RuleSet) -> list[Stay]:
    """Stays of what a detector names rubbish, seen in a good part of the looks that it was asked at.

    What came after an earlier look needs less confidence: the proof asks then whether it is new, too.
    Not counted: parts of a vehicle or of a person, and what the general model names a vehicle, bike or person with more
    confidence.
    """
    min_confidence = rules.rules[Violation.LITTER].min_confidence
    asked = [o for o in observations if o.picture is not None]
    moving = {o.at: _movers(o) for o in asked}
    named = []
    for stay in find_stays(asked, LabelGroup.RUBBISH, min_confidence=min(CAME_CONFIDENCE, min_confidence)):
        looks = [o.at for o in asked if stay.seen[0] <= o.at <= stay.seen[1]]
        sure = sum(sighting.confidence >= min_confidence for sighting in stay.sightings)
        enough = max(2.0, SURE_SHARE * len(looks))
        came = stay.absent_before is not None and len(stay.sightings) >= enough
        if not came and sure < enough:
            continue
        inside = sum(_is_part(s.box, _other_objects(s.box, moving[s.at])) for s in stay.sightings)
        part = inside > PART_OF_SHARE * len(stay.sightings)
        if not part and _is_named_best(stay, [moving[at] for at in looks]):
            named.append(stay)
    return named


def _is_named_best(stay: Stay, looks: Sequence[Sequence[Mover]]) -> bool:
    """Whether the detector for rubbish names the object with more confidence than the general model does.

    A bag alone may be named `person` or `car` with little confidence, and under a new name at each look: the medians over
    all looks are compared, a look without the name as 0.
    """
    others = [
        max((confidence for box, confidence in movers if is_same_object(stay.box, box)), default=0.0)
        for movers in looks
    ]
    own = [sighting.confidence for sighting in stay.sightings]
    return median([*own, *[0.0] * (len(looks) - len(own))]) > median(others)


def _is_part(box: Box, movers: Sequence[Box]) -> bool:
    return any(_share_inside(box, mover) >= INSIDE for mover in movers)


def _other_objects(box: Box, movers: Sequence[Mover]) -> list[Box]:
    """The boxes of what moves, without those of the object itself under another name."""
    return [mover for mover, _ in movers if not is_same_object(box, mover)]


def _movers(observation: Observation) -> list[Mover]:
    """Boxes of persons, vehicles and bikes, each with its confidence in [0, 1]."""
    return [
        mover
        for group in (LabelGroup.PERSON, LabelGroup.VEHICLE, LabelGroup.BIKE)
        for mover in _named_boxes(observation, group)
    ]


# --- new and still


def _new_things(observations: Sequence[Observation], camera: Camera, zones: Sequence[Zone]) -> list[Stay]:
    stays: list[Stay] = []
    for run in _runs(observations):
        plates, window = _plates(run, zones)
        stays += [_stay_of(track, camera, LabelGroup.RUBBISH) for track in _tracks(plates, window)]
    return stays


def standing_things(
    observations: Sequence[Observation],
    camera: Camera,
    zones: Sequence[Zone],
    widths: tuple[float, float] = WIDTHS,
) -> list[Stay]:
    """Stays of unnamed things that came or left: stays of GOODS, labelled NEW_THING.

    `observations` are one camera's in rising order of time; those without a picture are passed over. A thing's width
    lies within `widths`, in picture widths. Of a thing that only left, `absent_before` is None.
    """
    stays: list[Stay] = []
    for run in _runs(observations):
        plates, window = _plates(run, zones, WHEELS_CONFIDENCE)
        came = _tracks(plates, window, widths)
        # What leaves is new in the reversed order of the pictures.
        left = [_reversed(track, len(plates)) for track in _tracks(plates[::-1], window, widths)]
        whole: list[_Track] = []
        for track in sorted([*came, *left], key=lambda track: box_area(track.box), reverse=True):
            if not any(_same_track(track, other) for other in whole):
                whole.append(track)
        stays += [_stay_of(track, camera, LabelGroup.GOODS) for track in whole]
    return stays


def _reversed(track: _Track, count: int) -> _Track:
    """A track among `count` reversed pictures as one in the order of time."""
    there = tuple(count - 1 - i for i in reversed(track.there))
    return replace(
        track,
        there=there,
        seen=track.seen[::-1],
        absent_before=track.absent_after,
        absent_after=track.absent_before,
    )


def _stay_of(track: _Track, camera: Camera, group: LabelGroup) -> Stay:
    sightings = tuple(Sighting(at, track.box, UNNAMED_CONFIDENCE, NEW_THING) for at in track.seen)
    return Stay(camera.id, group, sightings, track.absent_before, track.absent_after)


def _runs(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """The looks with a picture, in runs of one size without a longer break.

    Looks of one size are one run although looks of another lie between them: medians need pictures of one size.
    """
    sizes: dict[tuple[int, int], list[Observation]] = {}
    for observation in observations:
        if observation.picture is not None:
            sizes.setdefault(size_of(observation.picture), []).append(observation)
    for kept in sizes.values():
        yield from _runs_of_one_size(kept)


def _runs_of_one_size(kept: Sequence[Observation]) -> Iterator[list[Observation]]:
    times = np.array([o.at.timestamp() for o in kept])
    usual_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    longest_s = max(BREAK_S, BREAK_LOOKS * usual_s)
    run: list[Observation] = []
    for observation in kept:
        if run and (observation.at - run[-1].at).total_seconds() > longest_s:
            yield run
            run = []
        run.append(observation)
    if run:
        yield run


def _plates(
    run: Sequence[Observation], zones: Sequence[Zone], wheels_confidence: float = 0.0
) -> tuple[list[_Plate], _Window]:
    """The pictures of looks, all of one size, cut to where the zones lie; wheels below a confidence are no movers."""
    plates: list[_Plate] = []
    window: _Window | None = None
    for observation in run:
        assert observation.picture is not None
        image = unpacked(observation.picture)
        window = window or _window(zones, (image.shape[1], image.shape[0]))
        people = _boxes(observation, LabelGroup.PERSON)
        wheels = [
            box
            for group in (LabelGroup.VEHICLE, LabelGroup.BIKE)
            for box in _boxes(observation, group, wheels_confidence)
        ]
        covers = [_grown(b, CARRIED) for b in people] + [_grown(b, MARGIN) for b in wheels]
        cut = np.ascontiguousarray(window.cut(image))
        plates.append(_Plate(observation.at, cut, _hidden(covers, window), (*people, *wheels)))
    assert window is not None
    return plates, window


def _boxes(observation: Observation, group: LabelGroup, min_confidence: float = 0.0) -> list[Box]:
    return [box for box, confidence in _named_boxes(observation, group) if confidence >= min_confidence]


def _named_boxes(observation: Observation, group: LabelGroup) -> list[Mover]:
    """The boxes of one group, each with its confidence in [0, 1]."""
    found = observation.detections.of(group)
    rows = zip(found.boxes.astype(float).tolist(), found.confidences.tolist(), strict=True)
    return [((b[0], b[1], b[2], b[3]), confidence) for b, confidence in rows]


def _grown(box: Box, across: float) -> Box:
    dx, dy = across * (box[2] - box[0]), MARGIN * (box[3] - box[1])
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def _hidden(movers: Sequence[Box], window: _Window) -> Mask:
    hidden = np.zeros((window.y2 - window.y1, window.x2 - window.x1), np.bool_)
    for box in movers:
        x1, y1, x2, y2 = window.pixels(box)
        hidden[y1:y2, x1:x2] = True
    return hidden


def _window(zones: Sequence[Zone], wh: tuple[int, int]) -> _Window:
    w, h = wh
    corners = np.array([corner for zone in zones for corner in zone.polygon])
    (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0)
    left, right = max(0, int((x1 - 0.06) * w)), min(w, int((x2 + 0.06) * w) + 1)
    top, bottom = max(0, int((y1 - 0.06) * h)), min(h, int((y2 + 0.06) * h) + 1)
    mask = np.zeros((h, w), np.uint8)
    for zone in zones:
        cv2.fillPoly(mask, [np.round(np.array(zone.polygon) * wh).astype(np.int32)], 1)
    return _Window(wh, left, top, right, bottom, mask[top:bottom, left:right] > 0)


def _tracks(plates: Sequence[_Plate], window: _Window, widths: tuple[float, float] = WIDTHS) -> list[_Track]:
    """Every new and still thing, with the looks at which it is there, in order of its arrival."""
    tracks: list[_Track] = []
    still_open: list[_Found] = []
    for t in range(FEWEST_BEFORE, len(plates) - AFTER_LOOKS + 1):
        before, known = background(plates[max(0, t - FARTHEST_BEFORE) : t][::-1], BEFORE_LOOKS)
        after, still = background(plates[t : t + FARTHEST_AFTER], AFTER_LOOKS)
        for blob in new_blobs(before, after, known & still, window, widths):
            box = window.box(blob)
            shape = _Shape(t, box, blob, before, after)
            same = [found for found in still_open if found.is_of(box)]
            still_open = [found for found in still_open if found not in same]
            still_open.append(_Found([shape, *(s for found in same for s in found.shapes)]))
        ended = [found for found in still_open if found.last < t - 1 or t == len(plates) - AFTER_LOOKS]
        still_open = [found for found in still_open if found not in ended]
        for found in ended:
            track = _followed(found.typical(), plates, window)
            if track is not None and not any(_same_track(track, other) for other in tracks):
                tracks.append(track)
    return tracks


def _same_track(a: _Track, b: _Track) -> bool:
    return _one_place(a.box, b.box) and a.there[0] <= b.there[-1] and b.there[0] <= a.there[-1]


def background(plates: Sequence[_Plate], count: int) -> tuple[Image, Mask]:
    """What looks show behind what moves, value by value the median of `count` of them; and where it is known.

    The looks come nearest first; where something hides a pixel, looks further off vote in the place of those. It is
    known where AGREEING votes or more agree with the median: there it stands still.
    """
    near = plates[:count]
    images = [plate.image for plate in near]
    middle = median_of(images).copy()
    agree = _pictures_agreeing(images, middle)
    some: Mask = np.logical_or.reduce([plate.hidden for plate in near])
    if some.any():
        votes, cast = _votes(plates, some, count)
        index = np.maximum(0, (cast - 1) // 2)
        ranked = _ranked(votes)
        middle[some] = np.minimum(255, np.take_along_axis(ranked, index[None, :, None], axis=0)[0])
        agree[some] = _agreeing(votes, middle[some])
    return middle, agree >= AGREEING


def _pictures_agreeing(images: Sequence[Image], middle: Image) -> npt.NDArray[np.uint8]:
    """As `_agreeing`, of whole pictures, at a tenth of the time."""
    count = np.zeros(middle.shape[:2], np.uint8)
    for image in images:
        count += cv2.inRange(cv2.absdiff(image, middle), (0, 0, 0), (CHANGED_GREYS,) * 3) > 0
    return count


def _agreeing(votes: npt.NDArray[np.int16], middle: Image) -> npt.NDArray[np.uint8]:
    near = np.abs(votes - middle.astype(np.int16)) <= CHANGED_GREYS
    return np.asarray((near[..., 0] & near[..., 1] & near[..., 2]).sum(axis=0, dtype=np.uint8))


def _ranked(votes: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """The votes of each pixel in rising order; comparing whole rows takes a fifth of the time that sorting pixels does."""
    rows = list(votes)
    for end in range(len(rows) - 1, 0, -1):
        for i in range(end):
            rows[i], rows[i + 1] = np.minimum(rows[i], rows[i + 1]), np.maximum(rows[i], rows[i + 1])
    return np.stack(rows)


def _votes(
    plates: Sequence[_Plate], some: Mask, count: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.intp]]:
    """Of some pixels the values of the first `count` looks that see each, NO_VOTE where there are fewer; how many."""
    where = np.flatnonzero(some)
    votes = np.full((count, len(where), 3), NO_VOTE, np.int16)
    cast = np.zeros(len(where), np.intp)
    wanting = np.arange(len(where))
    for plate in plates:
        free = wanting[~plate.hidden.ravel()[where[wanting]]]
        votes[cast[free], free] = plate.image.reshape(-1, 3).take(where[free], axis=0)
        cast[free] += 1
        wanting = wanting[cast[wanting] < count]
        if not len(wanting):
            break
    return votes, cast


def new_blobs(
    before: Image, after: Image, known: Mask, window: _Window, widths: tuple[float, float] = WIDTHS
) -> list[Blob]:
    """Small compact things that stand out of the picture after and not out of the one before; neither shadow nor light."""
    large = widths[1] > WIDTHS[1]
    after = relit(after, before, LARGE_CELL_PX if large else LIGHT_CELL_PX)
    changed = changes(before, after) & known
    found = [
        blob
        for blob in blobs_of(changed, LARGE_GAP_PX if large else GAP_PX)
        if _sized(blob, window.wh[0], widths)
    ]
    if _share_of_zones(changed, found if large else (), window) > VIEW_CHANGED:
        return []
    return [
        blob
        for blob in found
        if not is_light(before, after, blob.xyxy, blob.mask)
        and stands_out(before, after, blob.xyxy, blob.mask)
    ]


def _share_of_zones(changed: Mask, found: Sequence[Blob], window: _Window) -> float:
    """The part of the zones that changed, in [0, 1], without the largest thing found."""
    inside = changed & window.zones
    if found:
        largest = max(found, key=lambda blob: int(blob.mask.sum()))
        x1, y1, x2, y2 = largest.xyxy
        inside[y1:y2, x1:x2] &= ~largest.mask
    return float(inside.sum() / max(1, window.zones.sum()))


def _sized(blob: Blob, picture_width: int, widths: tuple[float, float]) -> bool:
    height, width = blob.mask.shape
    low, high = (v * picture_width for v in widths)
    flat, tall = HEIGHTS_OF_WIDTH
    return low <= width <= high and flat * width <= height <= tall * width and blob.filled >= FILLED


def _followed(shape: _Shape, plates: Sequence[_Plate], window: _Window) -> _Track | None:
    """The looks at which a thing is there; None where it is not seen twice, or belongs to a vehicle or person."""
    place = Compared.of(shape.before, shape.after, shape.blob.xyxy, shape.blob.mask)
    start = shape.t + AFTER_LOOKS // 2
    there: list[int] = []
    before = after = None
    for i in range(start, -1, -1):
        if place.shows(plates[i].image):
            there.append(i)
        elif not _covered(shape.box, plates[i], window):
            before = plates[i].at
            break
    for i in range(start + 1, len(plates)):
        if place.shows(plates[i].image):
            there.append(i)
            after = None
        elif not _covered(shape.box, plates[i], window):
            if after is not None:
                break
            after = plates[i].at
    inside = sum(_is_part(shape.box, plates[i].movers) for i in there)
    if len(there) < 2 or before is None or inside > PART_OF_SHARE * len(there):
        return None
    there.sort()
    return _Track(shape.box, tuple(there), tuple(plates[i].at for i in there), before, after)


def _covered(box: Box, plate: _Plate, window: _Window) -> bool:
    """Whether something that moves may hide the place at a look."""
    x1, y1, x2, y2 = window.pixels(box)
    return bool(plate.hidden[y1:y2, x1:x2].mean() >= COVERED)
