"""One camera's pictures looked at at their own resolution, sample after sample: what stands is found, then named.

It runs in the thread that reads, and asks the model at once, so what one sample showed decides what is looked at in the
next, however samples are batched. Where a recording ends, what is known goes through its stored form (`kept`), so that a
scan in one go and one that was resumed see the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Final

import numpy as np

from detector.core.geometry import Box
from detector.core.stopwatch import Stopwatch
from detector.core.values import (
    LABEL_GROUPS_MISTAKEN,
    NO_DETECTIONS,
    Detections,
    LabelGroup,
    NativePicture,
)
from detector.inference.detector import STRIDE, Detector, part_input_hw
from detector.observing.mosaic import Crop, found_in, pack, sheets_of
from detector.observing.regions import (
    COVERED,
    MOST_REGIONS,
    NAMED,
    Region,
    chosen,
    covered,
    crop_around,
    is_named,
    mark_standing,
    of_region,
    once_each,
)
from detector.observing.standing import (
    BoxPx,
    Grey,
    Ground,
    Switches,
    absorbed,
    differing,
    find_standing,
    flattened,
    halvings_of,
    new_ground,
    reduced,
)

NATIVE_VERSION: Final = 2
"""Changes when pictures would be looked at otherwise: what was seen by another is observed again."""

WORTH_SCALE: Final = 0.9
"""Pictures that the model sees at this scale, or larger, are not looked at again."""

SEEN_WHOLE_PX: Final = 90
"""What is wider than this in the model's input is seen in the whole picture; narrower, it is looked at in a crop."""

MOST_SHEETS: Final = 3
"""The area of so many whole inputs of the model, at most, is asked about for a sample's regions. Regions that find no place
wait for the next sample; those that waited longest come first."""

SHEET_SHARE: Final = 0.5
"""Regions are packed into inputs of this part of the model's width and of its height: few regions do not fill a whole input,
and the model's time follows the area."""

SURVEYS: Final = 2
"""At so many successive samples the watched part is surveyed where nothing is known of it: at the first one all of it, then
what differs from the one before."""

SURVEY_EVERY_S: Final = 3600.0
"""Where the background has changed since it was surveyed, it is surveyed again so often."""

MOST_CHANGED: Final = 16
"""Of the places that have changed the largest ones, so many, are surveyed."""

SURVEY_ALL_EVERY_S: Final = 6 * 3600.0
"""The whole watched part is, so often."""

TILES_OVERLAP_PX: Final = 160
"""Tiles of a survey overlap by so much in pixels of the picture: what is no wider is whole in one of them."""


WHOLE_INPUT: Final[Box] = (0.0, 0.0, 1.0, 1.0)

AROUND_CHANGED_PX: Final = 60
"""A place that has changed is surveyed with so many pixels of the picture around it."""


@dataclass(frozen=True, slots=True)
class Native:
    """That pictures are looked at at their own resolution, and with which parts of the mechanism."""

    switches: Switches = field(default_factory=Switches)
    surveys: int = SURVEYS

    @property
    def id(self) -> str:
        """Another may see something else."""
        s = self.switches
        off = [name for name, on in (("background", s.background), ("persistence", s.persistence)) if not on]
        return (
            f"native {NATIVE_VERSION}"
            + "".join(f" without {name}" for name in off)
            + ("" if self.surveys == SURVEYS else f" surveys {self.surveys}")
        )


@dataclass(slots=True, eq=False)
class State:
    """What is known of a camera's view. `surveyed` is its background when it was last surveyed."""

    ground: Ground
    surveyed: Grey
    surveys_left: int
    survey_slot: int = 0
    """The last stretches of SURVEY_EVERY_S and SURVEY_ALL_EVERY_S, counted from 1970, in which a survey was made."""
    survey_all_slot: int = 0
    regions: list[Region] = field(default_factory=list)
    arriving: bool = False
    """Whether something new was in the last sample that the next one may show standing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands at a sample and is too small for the whole picture, and what of it stood at the sample before already.

    Boxes are in [0, 1] of the picture.
    """

    now: Detections = NO_DETECTIONS
    before: Detections = NO_DETECTIONS


@dataclass(frozen=True, slots=True)
class Place:
    """How the working scale lies on the picture. `origin_xy` is the watched part's corner in pixels of the picture."""

    picture_wh: tuple[int, int]
    origin_xy: tuple[int, int]
    until_xy: tuple[int, int]
    halvings: int

    @classmethod
    def of(cls, picture_wh: tuple[int, int], part: Box | None) -> Place:
        width, height = picture_wh
        x1, y1, x2, y2 = part or (0.0, 0.0, 1.0, 1.0)
        origin = (int(x1 * width), int(y1 * height))
        return cls(picture_wh, origin, (round(x2 * width), round(y2 * height)), halvings_of(width))

    def cut(self, luma: Grey) -> Grey:
        (x1, y1), (x2, y2) = self.origin_xy, self.until_xy
        return reduced(luma[y1:y2, x1:x2], self.halvings)

    def pixels(self, box: BoxPx) -> Box:
        """A box of the working scale in pixels of the picture."""
        step, (x, y) = 1 << self.halvings, self.origin_xy
        return (box[0] * step + x, box[1] * step + y, box[2] * step + x, box[3] * step + y)

    def around(self, box: BoxPx) -> tuple[tuple[int, int], tuple[int, int]]:
        """A box of the working scale with its surroundings: its corners in pixels of the picture."""
        x1, y1, x2, y2 = self.pixels(box)
        width, height = self.picture_wh
        low = (max(0, int(x1) - AROUND_CHANGED_PX), max(0, int(y1) - AROUND_CHANGED_PX))
        return low, (min(width, int(x2) + AROUND_CHANGED_PX), min(height, int(y2) + AROUND_CHANGED_PX))

    def fraction(self, box: BoxPx) -> Box:
        """A box of the working scale in [0, 1] of the picture."""
        (width, height), (x1, y1, x2, y2) = self.picture_wh, self.pixels(box)
        return (x1 / width, y1 / height, x2 / width, y2 / height)

    def working(self, box: Sequence[float], shape: tuple[int, ...]) -> BoxPx:
        """A box in [0, 1] of the picture at the working scale, of `shape`, and at least one pixel large."""
        step, (x, y), (width, height) = 1 << self.halvings, self.origin_xy, self.picture_wh
        x1 = min(max(0, int((box[0] * width - x) // step)), shape[1] - 1)
        y1 = min(max(0, int((box[1] * height - y) // step)), shape[0] - 1)
        x2 = min(shape[1], int(-(-(box[2] * width - x) // step)))
        y2 = min(shape[0], int(-(-(box[3] * height - y) // step)))
        return (x1, y1, max(x1 + 1, x2), max(y1 + 1, y2))


class NativeLooks:
    """Looks at one camera's samples in their order."""

    def __init__(
        self,
        native: Native,
        part: Box | None,
        detector: Detector,
        watch: Stopwatch,
        state: State | None = None,
    ) -> None:
        """`part` in [0, 1] is watched, None: the whole picture. `state` is what is known of the view so far."""
        self._native = native
        self._part = part
        self._detector = detector
        self._watch = watch
        self._input_wh = (detector.input_hw[1], detector.input_hw[0])
        self._sheet_wh = sheet_of(self._input_wh)
        self.state = state
        self._before: NativePicture | None = None

    def look(self, picture: NativePicture | None, at: datetime) -> Seen:
        """What is seen at a sample. Raises what the detector does.

        Something is known to stand only from its second sample on; it is then looked for in the first one, too.
        """
        if picture is None or not self._is_worth_it(picture.wh):
            return Seen()
        with self._watch.stage("standing"):
            place = Place.of(picture.wh, self._part)
            luma = place.cut(picture.luma())
            state, new = self._next_state(flattened(luma), place)
            before = self._ask_regions(state, new, picture, place, luma)
            self._survey(state, picture, place, luma, at)
            self._end_regions(state)
            self._before = picture
            return Seen(once_each(_together(region.found for region in state.regions)), once_each(before))

    def _is_worth_it(self, wh: tuple[int, int]) -> bool:
        return min(self._input_wh[0] / wh[0], self._input_wh[1] / wh[1]) < WORTH_SCALE

    @property
    def serves(self) -> int | None:
        """For how many samples what stands needs no picture as long as `lasts`; None where nothing limits it."""
        if self.state is None:
            return None
        if self.state.surveys_left or self.state.arriving:
            return 0
        return min((region.serves for region in self.state.regions), default=None)

    def lasts(self, picture: NativePicture | None) -> bool:
        """Whether a later picture shows what the last one did."""
        if self.state is None or picture is None:
            return True
        flat = flattened(Place.of(picture.wh, self._part).cut(picture.luma()))
        before = self.state.ground.before
        return flat.shape == before.shape and not differing(before, flat)

    def spare(self, samples: int) -> None:
        """So many samples are taken to show what the last one did."""
        for region in self.state.regions if self.state else ():
            if region.scene is not None:
                region.scene.reused += samples

    def _next_state(self, flat: Grey, place: Place) -> tuple[State, list[Region]]:
        """The state with the sample's picture added, and its regions that are new."""
        state = self.state
        if state is None or state.ground.before.shape != flat.shape:
            self.state = State(new_ground(flat), flat, self._native.surveys)
            return self.state, []
        found = find_standing(state.ground, flat, self._native.switches)
        state.ground = found.ground
        if found.new_scene:
            state.surveyed, state.surveys_left = flat, self._native.surveys
        small, alone, new = (
            [box for box in boxes if self._is_small(place.pixels(box), place)]
            for boxes in (found.regions, found.alone, found.new)
        )
        state.arriving = bool(new)
        return state, mark_standing(state.regions, small, alone)

    def _is_small(self, box: Box, place: Place) -> bool:
        """Whether the whole picture shows it too small. A row of vehicles is as large as one of them is."""
        scale = min(side / full for side, full in zip(self._input_wh, place.picture_wh, strict=True))
        return min(box[2] - box[0], 2 * (box[3] - box[1])) * scale < SEEN_WHOLE_PX

    def _ask_regions(
        self, state: State, new: Sequence[Region], picture: NativePicture, place: Place, luma: Grey
    ) -> Detections:
        """Ask the model about the regions that need it, and let the others' answers stand.

        Returns what the new ones show at the sample before.
        """
        asked: list[tuple[Region, Crop]] = []
        left_px = MOST_SHEETS * 0.8 * self._input_wh[0] * self._input_wh[1]
        waiting = []
        for region in list(state.regions):
            crop = crop_around(place.pixels(region.box), place.picture_wh, self._sheet_wh)
            cost_px = crop.cell_wh[0] * crop.cell_wh[1]
            if cost_px > left_px:
                region.found = NO_DETECTIONS
                waiting.append(region)
            elif region.admit(luma):
                left_px -= cost_px
                asked.append((region, crop))
            else:
                region.answer_again()
        answers = self._ask(picture, [crop for _, crop in asked], self._sheet_wh)
        for (region, _), found in zip(asked, answers, strict=True):
            region.answered(of_region(found, place.fraction(region.box)))
        before = self._ask_before([(r, crop) for r, crop in asked if r in new and is_named(r.found)], place)
        for region, _ in asked:
            if not region.fitted and is_named(region.found):
                best = region.found.boxes[int(region.found.confidences.argmax())]
                region.fit(place.working(best, luma.shape), luma)
        if waiting:
            state.regions = [*waiting, *(r for r in state.regions if r not in waiting)]
        return before

    def _ask_before(self, named: Sequence[tuple[Region, Crop]], place: Place) -> Detections:
        """What regions show at the sample before, which are new and named at this one."""
        if self._before is None:
            return NO_DETECTIONS
        answers = self._ask(self._before, [crop for _, crop in named], self._sheet_wh)
        return _together(
            of_region(found, place.fraction(region.box))
            for (region, _), found in zip(named, answers, strict=True)
        )

    def _ask(
        self, picture: NativePicture, crops: Sequence[Crop], sheet_wh: tuple[int, int]
    ) -> list[Detections]:
        """What each crop of the picture shows, in [0, 1] of the picture; crops are packed into inputs of `sheet_wh`."""
        if not crops:
            return []
        cells = pack(crops, sheet_wh)
        part = (0.0, 0.0, sheet_wh[0] / self._input_wh[0], sheet_wh[1] / self._input_wh[1])
        sheets = sheets_of(picture, cells, self._input_wh)
        found = self._detector.detect(sheets, None if part == WHOLE_INPUT else part)
        return found_in(cells, found, self._input_wh, picture.wh)

    def _end_regions(self, state: State) -> None:
        for region in state.regions:
            if region.is_nothing:
                state.ground = absorbed(state.ground, region.box)
        state.regions = [r for r in state.regions if not r.is_over and not r.is_nothing]

    def _survey(self, state: State, picture: NativePicture, place: Place, luma: Grey, at: datetime) -> None:
        """Look for small vehicles where nothing is known, or where the background has changed."""
        hour, hours = (int(at.timestamp() // every_s) for every_s in (SURVEY_EVERY_S, SURVEY_ALL_EVERY_S))
        if not self._native.surveys or not (state.surveys_left or hour != state.survey_slot):
            return
        tile_wh = tile_of(self._input_wh, self._part, place.picture_wh)
        first = state.surveys_left == self._native.surveys
        if first or (not state.surveys_left and hours != state.survey_all_slot):
            crops = tiles_of(place.origin_xy, place.until_xy, tile_wh)
        else:
            now = state.ground.before if state.surveys_left else state.ground.background
            changed = differing(state.surveyed, now)[:MOST_CHANGED]
            crops = [crop for box in changed for crop in tiles_of(*place.around(box), tile_wh)]
        state.surveys_left = max(0, state.surveys_left - 1)
        state.survey_slot, state.survey_all_slot = hour, hours
        state.surveyed = state.ground.background
        answers = self._ask(picture, crops, tile_wh)
        found = _together(chosen(seen, self._small_vehicles(seen, place)) for seen in answers)
        self._begin_surveyed(state, once_each(found), place, luma)

    def _small_vehicles(self, found: Detections, place: Place) -> list[int]:
        """Those that may be vehicles, and that the whole picture shows too small."""
        return [
            k
            for k, label in enumerate(found.labels)
            if LABEL_GROUPS_MISTAKEN.get(label) is LabelGroup.VEHICLE
            and found.confidences[k] >= NAMED
            and self._is_small(_pixels(found.boxes[k], place.picture_wh), place)
        ]

    def _begin_surveyed(self, state: State, found: Detections, place: Place, luma: Grey) -> None:
        """Make a region of each small vehicle that no region covers."""
        known = [region.box for region in state.regions]
        for k in np.argsort(-found.confidences, kind="stable"):
            box = place.working(found.boxes[k], luma.shape)
            if covered(box, known) >= COVERED:
                continue
            if len(state.regions) >= MOST_REGIONS:
                return
            region = Region(box, fitted=True, not_stood=1)
            region.admit(luma)
            region.answered(chosen(found, [k]))
            state.regions.append(region)
            known.append(box)


def _together(found: Iterable[Detections]) -> Detections:
    return reduce(Detections.with_those_of, found, NO_DETECTIONS)


def sheet_of(input_wh: tuple[int, int]) -> tuple[int, int]:
    """The size in pixels of the inputs that regions are packed into: SHEET_SHARE of the model's, in whole strides."""
    width, height = (max(STRIDE, round(SHEET_SHARE * side / STRIDE) * STRIDE) for side in input_wh)
    return min(width, input_wh[0]), min(height, input_wh[1])


def tile_of(input_wh: tuple[int, int], part: Box | None, picture_wh: tuple[int, int]) -> tuple[int, int]:
    """The size in pixels of a survey's inputs: that of the watched part's, so that one compiled network serves both.

    A side that is too short for the overlap of tiles is the model's own.
    """
    if part is None:
        return input_wh
    height, width = part_input_hw(part, picture_wh, (input_wh[1], input_wh[0]))
    least = 2 * TILES_OVERLAP_PX
    return width if width >= least else input_wh[0], height if height >= least else input_wh[1]


def tiles_of(origin_xy: tuple[int, int], until_xy: tuple[int, int], tile_wh: tuple[int, int]) -> list[Crop]:
    """The pixels from `origin_xy` to before `until_xy` in tiles at the picture's own resolution, of `tile_wh` at most."""
    spans = [_spans(low, high, side) for low, high, side in zip(origin_xy, until_xy, tile_wh, strict=True)]
    return [Crop(x1, y1, x2, y2) for y1, y2 in spans[1] for x1, x2 in spans[0]]


def _spans(low: int, high: int, side: int) -> list[tuple[int, int]]:
    """[low, high) in stretches of `side`, evenly spread, that overlap by TILES_OVERLAP_PX or half a side or more."""
    if high - low <= side:
        return [(low, high)]
    overlap = min(TILES_OVERLAP_PX, side // 2)
    count = -(-(high - low - overlap) // (side - overlap))
    starts = [low + round(k * (high - low - side) / (count - 1)) for k in range(count)]
    return [(start, start + side) for start in starts]


def _pixels(box: Sequence[float], wh: tuple[int, int]) -> Box:
    return (box[0] * wh[0], box[1] * wh[1], box[2] * wh[0], box[3] * wh[1])
