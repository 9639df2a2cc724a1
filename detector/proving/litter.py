"""Proof or dismissal of a suspicion of litter.

The place is compared, at full size, with what it was before: a thing must have come, not a shadow; it must lie there
at moments close together, passers-by aside; and a detector trained for bags is asked at some of them. A thing that
was always there counts only where that detector names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import cv2
import numpy as np

from detector.core.geometry import Box, iou, is_same_object, within_reach
from detector.core.times import Interval
from detector.core.values import Image, Incident, LabelGroup, Proof, Still
from detector.core.wording import duration_en, duration_zh
from detector.decoding.change import Blob, Compared, blobs_of, changes, is_light, median_of, relit, stands_out
from detector.inference.detector import Detector
from detector.proving.likeness import likeness, place_of
from detector.proving.looker import Looker, Seen
from detector.proving.models import Models
from detector.proving.prove import (
    ALIKE,
    LOOKS,
    NEARBY_SHARE,
    RESOLUTION_S,
    STEPS_S,
    STILLS,
    Dropped,
    is_hidden,
)

CLOSEST_LOOKS = 40
"""Looks lie no closer than the limit, which is ten minutes and more, divided by this."""

AROUND = 2.5
"""A place is looked at with so many of its widths and heights on every side."""

SIGHTINGS = 5
"""Medians are over so many pictures."""

STEP_SHARE = 0.05
LONGEST_STEP_S = 20.0
"""Pictures of the place before the thing came lie the limit times this apart, and at most so far."""

LEAST_OVERLAP = 0.15
WIDEST = 0.14
"""In picture widths: a suspicion is of a thing up to 0.11 wide, and the full picture may show a little more of it. What is
wider is none, such as a line of words that the camera writes over its picture, of which looks showed a part."""

WIDER = 1.3
"""A change may be so many times as wide as a suspicion that a detector named; larger ones than WIDEST are only named."""

GLANCES_S = (0.0, 1.3, 5.0)
"""Who was there before a moment and after it was there at that moment too, hidden by somebody walking past."""

OWNER_LOOKS = 8
OWNED_SHARE = 0.75
OWNER_MOVES = 0.3
OWNER_S = 5.0
"""Who is within reach in so many of some looks since it came, over so many seconds or more and within so many of his
heights of one spot, stood by. Who only brought it is soon gone, and of people who pass one after the other none stands."""

MOST_GONE = 0.15
"""Of the looks at which nothing hides the place so many may fail to show the thing: the codec, a cat, a leaf."""

CROP_WIDTHS = 6.0
"""The detector for bags is given a crop so many widths of the thing wide, and at least as large as its input: what
is enlarged looks like no bag it was trained on."""

NAMED = 0.35
NAMED_ALONE = 0.5
"""Mean confidence from which the detector's word confirms a new thing, and from which it suffices by itself."""

NEW_CONFIDENCE = 0.6
"""Of a thing that is new and stays but that no detector names."""


_Person = tuple[float, float, float]


class _State(Enum):
    THERE = "there"
    HIDDEN = "hidden"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class _Thing:
    """What lies in a place and how to tell from a picture that it lies there."""

    box: Box
    new: bool
    why_not_new: str
    shows: Callable[[Image], bool]


@dataclass(frozen=True, slots=True)
class _Eyes:
    """The camera's recordings, the detector for what moves, and one for bags if there is one."""

    looker: Looker
    detector: Detector
    litter: Detector | None


def prove_lying(incident: Incident, looker: Looker, models: Models) -> Proof | Dropped:
    """The proof for litter, with the detector for bags where there is one."""
    return prove_litter(incident, looker, models.detector, models.second.litter)


def prove_litter(
    incident: Incident, looker: Looker, detector: Detector, litter: Detector | None
) -> Proof | Dropped:
    """Look closer at a suspicion of litter; the camera's recordings are seen through `looker`."""
    assert incident.stay is not None
    eyes = _Eyes(looker, detector, litter)
    thing = _thing(incident, looker)
    if thing is None:
        return Dropped(incident, "no picture can be had of it")
    run = _unbroken(_readings(incident, thing, eyes))
    if len(run) < 2:
        return Dropped(incident, "nothing stays there")
    start, start_uncertainty_s = _arrival(incident, thing, run[0], eyes)
    if thing.new and math.isinf(start_uncertainty_s):
        # What was taken for the empty place was something that hid it for a while.
        thing = replace(thing, new=False, why_not_new="it was there at the start of the recording")
    end, end_uncertainty_s = _departure(incident, thing, run[-1], looker)
    if (end - start).total_seconds() <= incident.limit_s:
        lay_s = max(0.0, (end - start).total_seconds())
        return Dropped(incident, f"it lay for {lay_s:.0f} s, the limit is {incident.limit_s:.0f} s")
    score = _named(thing, run, eyes)
    named = score >= (NAMED if thing.new else NAMED_ALONE)
    if not (named or (thing.new and _width(thing.box) <= WIDEST)):
        why_not = thing.why_not_new or "it is new, but larger than a bag"
        return Dropped(incident, f"{why_not}, and no detector of bags names it ({score:.2f})")
    confidence = max(NEW_CONFIDENCE if thing.new else 0.0, score)
    refined = replace(incident, interval=Interval(start, end), box=thing.box, confidence=confidence)
    stills = _stills(thing, run, looker, refined)
    if len(stills) < 3 or (stills[-1].at - stills[0].at).total_seconds() <= incident.limit_s:
        return Dropped(incident, "too few pictures show it further apart than the limit")
    why, why_zh = _why(thing.new, score)
    return Proof(
        incident=refined,
        stills=stills,
        start_uncertainty_s=start_uncertainty_s,
        end_uncertainty_s=end_uncertainty_s,
        similarity=1.0,
        explanation=f"lay {duration_en(refined.dwell_s)}, {_percent(refined.share)} of its ground contact inside, "
        f"limit {duration_en(refined.limit_s)}; {why}",
        explanation_zh=f"弃置{duration_zh(refined.dwell_s)}, 接地部分{refined.share:.0%}位于区域内, "
        f"时限{duration_zh(refined.limit_s)}; {why_zh}",
    )


def _width(box: Box) -> float:
    """In picture widths."""
    return box[2] - box[0]


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _why(new: bool, score: float) -> tuple[str, str]:
    """Which of the two ways tells of it, in English and in Chinese."""
    if new and score >= NAMED:
        return (
            f"new and still, and the detector names it rubbish ({score:.2f})",
            f"新出现且静止, 垃圾检测模型确认 ({score:.2f})",
        )
    if new:
        return "new and still, left by nobody who stays", "新出现且静止, 无人看管"
    return f"the detector names it rubbish ({score:.2f})", f"垃圾检测模型识别 ({score:.2f})"


# --- what lies there


def _thing(incident: Incident, looker: Looker) -> _Thing | None:
    """The thing as full pictures show it: against the place before it came, or by itself where that is not known."""
    assert incident.stay is not None
    assert incident.box is not None
    region = _region(incident.box)
    sightings = [s.at for s in incident.stay.sightings]
    first, last = (_scene(looker, part, region) for part in (sightings[:SIGHTINGS], sightings[-SIGHTINGS:]))
    if first is None or last is None:
        return None
    why_not = "it was always there"
    for before in _scenes_before(incident, looker, region):
        # Of scenes of several sizes the smallest: one that is enlarged has no texture to compare by.
        smallest = min((before, first, last), key=lambda scene: scene.size)
        empty, *shown = (_like(scene, smallest) for scene in (before, first, last))
        blob, why_not = _new_blob(empty, shown[0], region, incident.box)
        if blob is not None:
            places = [Compared.of(empty, scene, blob.xyxy, blob.mask) for scene in shown]
            return _Thing(_box_of(blob, empty, region), True, "", _held_by(places, region, empty))
    reference = looker.look(sightings[len(sightings) // 2])
    if reference is None:
        return None
    around = _grown(incident.box, 0.3)
    known = place_of(reference.frame.image, around)
    return _Thing(
        incident.box, False, why_not, lambda image: likeness(known, place_of(image, around)) >= ALIKE
    )


def _held_by(places: Sequence[Compared], region: Box, scene: Image) -> Callable[[Image], bool]:
    """Whether a picture of any size shows the thing; `scene` is the region as `places` know it."""

    def holds(image: Image) -> bool:
        cut = _like(_cut(image, region), scene)
        return any(place.holds(cut) for place in places)

    return holds


def _scenes_before(incident: Incident, looker: Looker, region: Box) -> list[Image]:
    """The place before the thing came: at the look that missed it, and where that shows it too, ever earlier."""
    assert incident.stay is not None
    absent = incident.stay.absent_before or incident.stay.seen[0]
    run = looker.run_of(incident.stay.seen[0])
    if run is None:
        return []
    step_s = min(LONGEST_STEP_S, STEP_SHARE * incident.limit_s)
    scenes: list[Image] = []
    for back_s in (0.0, *STEPS_S):
        at = absent - timedelta(seconds=back_s)
        if at < run.start:
            break
        moments = [m for k in range(SIGHTINGS) if (m := at - timedelta(seconds=k * step_s)) >= run.start]
        scene = _scene(looker, moments, region)
        scenes += [scene] if scene is not None else []
    return scenes


def _scene(looker: Looker, moments: Sequence[datetime], region: Box) -> Image | None:
    """What stands still in a region over some moments."""
    cuts = [_cut(seen.frame.image, region) for seen in looker.each(moments)]
    if not cuts:
        return None
    smallest = min(cuts, key=lambda cut: cut.size)
    return median_of([_like(cut, smallest) for cut in cuts])


def _like(cut: Image, other: Image) -> Image:
    """The region's picture at the size of another: recordings of one camera may differ in size."""
    if cut.shape == other.shape:
        return cut
    size_wh = (other.shape[1], other.shape[0])
    method = cv2.INTER_AREA if cut.size > other.size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, size_wh, interpolation=method), np.uint8)


def _new_blob(before: Image, after: Image, region: Box, box: Box) -> tuple[Blob | None, str]:
    """The part of the change that is the suspicion, if it is a thing that came; else None, and what it is instead."""
    after = relit(after, before)
    found = [
        (_overlap(_box_of(blob, before, region), box), blob) for blob in blobs_of(changes(before, after))
    ]
    overlap, blob = max(found, key=lambda pair: pair[0], default=(0.0, None))
    if blob is None or overlap < LEAST_OVERLAP:
        return None, "it was always there"
    x1, y1, x2, y2 = blob.xyxy
    left, _, right, _ = _box_of(blob, before, region)
    cut = x1 == 0 or y1 == 0 or x2 == before.shape[1] or y2 == before.shape[0]
    if cut or right - left > max(WIDEST, WIDER * (box[2] - box[0])):
        return None, "the change is larger than a thing or cut by the picture's edge"
    if is_light(before, after, blob.xyxy, blob.mask):
        return None, "only the light changed"
    if not stands_out(before, after, blob.xyxy, blob.mask):
        return None, "something was taken away there"
    return blob, ""


def _overlap(a: Box, b: Box) -> float:
    return iou(a, b)


def _region(box: Box) -> Box:
    x1, y1, x2, y2 = _grown(box, AROUND)
    return max(0.0, x1), max(0.0, y1), min(1.0, x2), min(1.0, y2)


def _grown(box: Box, part: float) -> Box:
    dx, dy = part * (box[2] - box[0]), part * (box[3] - box[1])
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def _pixels(region: Box, image: Image) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    return (
        max(0, round(region[0] * width)),
        max(0, round(region[1] * height)),
        min(width, round(region[2] * width)),
        min(height, round(region[3] * height)),
    )


def _cut(image: Image, region: Box) -> Image:
    x1, y1, x2, y2 = _pixels(region, image)
    return image[y1:y2, x1:x2]


def _box_of(blob: Blob, scene: Image, region: Box) -> Box:
    """A blob of a region's picture as a box in [0, 1] of the whole picture."""
    across, down = (region[2] - region[0]) / scene.shape[1], (region[3] - region[1]) / scene.shape[0]
    x1, y1, x2, y2 = blob.xyxy
    return region[0] + x1 * across, region[1] + y1 * down, region[0] + x2 * across, region[1] + y2 * down


# --- whether it stays


def _readings(incident: Incident, thing: _Thing, eyes: _Eyes) -> list[tuple[datetime, _State]]:
    """Whether the thing is there, at moments close together and at the suspicion's own."""
    assert incident.stay is not None
    start, duration_s = incident.interval.start, incident.interval.duration_s
    step_s = max(duration_s / LOOKS, incident.limit_s / CLOSEST_LOOKS)
    moments = [start + timedelta(seconds=(k + 0.5) * step_s) for k in range(int(duration_s / step_s))]
    seen = {one.at: one for one in eyes.looker.each(moments, step_s * NEARBY_SHARE)}
    # To the very moment: an earlier keyframe in the place of the last sighting would be taken for its end.
    own = (incident.stay.sightings[0].at, incident.stay.sightings[-1].at)
    seen |= {one.at: one for one in eyes.looker.each(own)}
    return [(at, _state(seen[at], thing, eyes.detector)) for at in sorted(seen)]


def _state(seen: Seen, thing: _Thing, detector: Detector) -> _State:
    if thing.shows(seen.frame.image):
        return _State.THERE
    return _State.HIDDEN if is_hidden(seen, thing.box, detector) else _State.GONE


def _unbroken(readings: Sequence[tuple[datetime, _State]]) -> list[datetime]:
    """The moments at which it is there, of the longest stretch that it is not gone from for two looks in a row."""
    best: list[datetime] = []
    there: list[datetime] = []
    gone = in_a_row = 0
    for at, state in [*readings, *[(readings[-1][0], _State.GONE)] * 2] if readings else []:
        if state is _State.THERE:
            there.append(at)
            in_a_row = 0
        elif state is _State.GONE:
            gone += 1
            in_a_row += 1
        if in_a_row == 2:
            if gone - 2 <= MOST_GONE * (len(there) + gone - 2) and len(there) > len(best):
                best = there
            there, gone, in_a_row = [], 0, 1
    return best


def _arrival(incident: Incident, thing: _Thing, first: datetime, eyes: _Eyes) -> tuple[datetime, float]:
    """When it was left there, and how far off, in seconds, that may be; inf where the recordings begin later."""
    assert incident.stay is not None
    run = eyes.looker.run_of(first)
    if first > incident.stay.seen[0] or run is None:
        return first, 0.0
    if incident.stay.absent_before is None:
        return first, 0.0
    there, away = first, incident.stay.absent_before
    for step_s in STEPS_S:
        if not _at_a_glance(away, thing, eyes.looker, run, -1):
            break
        if away == run.start:
            return away, math.inf
        there, away = away, max(run.start, away - timedelta(seconds=step_s))
    arrived, apart_s = _bisected(there, away, lambda at: _at_a_glance(at, thing, eyes.looker, run, -1))
    return _abandoned(arrived, first, thing, eyes), apart_s


def _abandoned(arrived: datetime, first: datetime, thing: _Thing, eyes: _Eyes) -> datetime:
    """When an owner who stood by since it came left it, before the first sighting without him; else its arrival."""
    step = (first - arrived) / OWNER_LOOKS
    if step * OWNER_LOOKS < timedelta(seconds=OWNER_S):
        return arrived
    looks = [
        (seen.at, _who_reach(seen, thing, eyes.detector))
        for seen in eyes.looker.each([arrived + step * (k + 0.5) for k in range(OWNER_LOOKS)])
    ]
    owned = max(
        ([at for at, others in looks if any(_one_spot(who, o) for o in others)] for _, people in looks for who in people),
        key=len,
        default=[],
    )  # fmt: skip
    if len(owned) < OWNED_SHARE * OWNER_LOOKS:
        return arrived
    return min(first, owned[-1] + step)


def _at_a_glance(at: datetime, thing: _Thing, looker: Looker, run: Interval, side: int) -> bool:
    """Whether it lies there at a moment, or beyond it on one side: then something only hid it at that moment."""
    for glance_s in GLANCES_S:
        moment = at + timedelta(seconds=side * glance_s)
        if not run.start <= moment <= run.end:
            break
        seen = looker.look(moment)
        if seen is not None and thing.shows(seen.frame.image):
            return True
    return False


def _who_reach(seen: Seen, thing: _Thing, detector: Detector) -> list[_Person]:
    """The people who have the thing within reach: foot x and y and height, in heights of the picture.

    The thing itself under the name `person` is not one of them.
    """
    height, width = seen.frame.image.shape[:2]
    aspect = width / height
    people = detector.detect([seen.frame.image])[0].of(LabelGroup.PERSON).boxes.astype(float).tolist()
    return [
        ((x1 + x2) / 2 * aspect, y2, y2 - y1)
        for x1, y1, x2, y2 in people
        if within_reach(thing.box, (x1, y1, x2, y2), aspect=aspect)
        and not is_same_object(thing.box, (x1, y1, x2, y2))
    ]


def _one_spot(a: _Person, b: _Person) -> bool:
    return math.hypot(a[0] - b[0], a[1] - b[1]) <= OWNER_MOVES * a[2]


def _departure(incident: Incident, thing: _Thing, last: datetime, looker: Looker) -> tuple[datetime, float]:
    assert incident.stay is not None
    run = looker.run_of(last)
    if last < incident.stay.seen[1] or run is None:
        return last, 0.0
    absent = incident.stay.absent_after or run.end
    if _at_a_glance(absent, thing, looker, run, 1):
        return (run.end, math.inf) if absent == run.end else (incident.interval.end, 0.0)
    return _bisected(last, absent, lambda at: _at_a_glance(at, thing, looker, run, 1))


def _bisected(there: datetime, away: datetime, holds: Callable[[datetime], bool]) -> tuple[datetime, float]:
    while (gap_s := abs((there - away).total_seconds())) > RESOLUTION_S:
        middle = there + (away - there) / 2
        if holds(middle):
            there = middle
        else:
            away = middle
    return there, gap_s


def _named(thing: _Thing, run: Sequence[datetime], eyes: _Eyes) -> float:
    """How sure the detector for bags is of the thing, in [0, 1]: the mean over some looks at it."""
    if eyes.litter is None:
        return 0.0
    moments = [run[round(i * (len(run) - 1) / (SIGHTINGS - 1))] for i in range(SIGHTINGS)]
    scores = [_score(seen, thing.box, eyes.litter) for seen in eyes.looker.each(moments)]
    return float(np.mean(scores)) if scores else 0.0


def _score(seen: Seen, box: Box, litter: Detector) -> float:
    image = seen.frame.image
    height, width = image.shape[:2]
    least = CROP_WIDTHS * max((box[2] - box[0]) * width, (box[3] - box[1]) * height)
    high, wide = (max(least, size) for size in litter.input_hw)
    x1, x2 = _around((box[0] + box[2]) / 2 * width, wide, width)
    y1, y2 = _around((box[1] + box[3]) / 2 * height, high, height)
    found = litter.detect([np.ascontiguousarray(image[y1:y2, x1:x2])])[0].of(LabelGroup.RUBBISH)
    size = np.array([x2 - x1, y2 - y1] * 2)
    wanted = (box[0] * width - x1, box[1] * height - y1, box[2] * width - x1, box[3] * height - y1)
    return max(
        (
            float(confidence)
            for confidence, (a, b, c, d) in zip(found.confidences, (found.boxes * size).tolist(), strict=True)
            if iou((a, b, c, d), wanted) >= 0.3
        ),
        default=0.0,
    )


def _around(middle: float, length: float, size: int) -> tuple[int, int]:
    """A stretch of whole pixels of a length around a middle, moved to lie within [0, size)."""
    start = min(max(0.0, middle - length / 2), max(0.0, size - length))
    return round(start), round(min(size, start + length))


def _stills(thing: _Thing, run: Sequence[datetime], looker: Looker, incident: Incident) -> tuple[Still, ...]:
    """The first and the last picture of it, and some between, in order."""
    start, end = incident.interval.start, incident.interval.end
    inner = [at for at in run if start < at < end]
    wanted = [start + (end - start) * k / (STILLS - 1) for k in range(1, STILLS - 1)]
    middle = {min(inner, key=lambda t: abs((t - w).total_seconds())) for w in wanted} if inner else set()
    stills: dict[datetime, Still] = {}
    for at in sorted({start, end, *middle, *inner[:1], *inner[-1:]}):
        seen = looker.look(at)
        if seen is not None and thing.shows(seen.frame.image):
            stills[seen.at] = Still(seen.at, seen.recording, seen.frame, thing.box)
    return tuple(stills[at] for at in sorted(stills))
