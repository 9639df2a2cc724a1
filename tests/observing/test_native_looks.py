"""Small things that stand are looked at at the camera's own resolution, and what only passes is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_observe import RECORDING
from test_observe import view as bland

from detector.core.geometry import Box, iou
from detector.core.stopwatch import Stopwatch
from detector.core.values import SKETCH_SIZE, Detections, Frame, Image, ViewState
from detector.observing.gate import LOOKS_OF_A_SCENE
from detector.observing.kept_state import kept, restored
from detector.observing.mosaic import Crop, found_in, pack, sheets_of
from detector.observing.native import Native, NativeLooks, Place, tiles_of
from detector.observing.observe import Job, Observed, PictureAt, Sight, observe_each
from detector.observing.regions import crop_around, joined, once_each
from detector.observing.standing import Grey, Switches

WH = (1920, 1080)
SHEET_WH = (640, 384)
NATIVE = Native()
START = datetime(2026, 1, 8, 9, tzinfo=UTC)
BoxPx = tuple[int, int, int, int]
PLACE: BoxPx = (700, 400, 780, 448)
ELSEWHERE: tuple[BoxPx, ...] = (
    (200, 600, 280, 648),
    (1200, 500, 1280, 548),
    (1500, 700, 1580, 748),
    (400, 480, 480, 528),
)


def street() -> Image:
    random = np.random.default_rng(5)
    coarse = cv2.resize(random.integers(80, 150, (18, 32)).astype(np.float32), WH)
    fine = cv2.resize(random.normal(0, 10, (540, 960)).astype(np.float32), WH)
    return np.repeat(np.clip(coarse + fine, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


STREET = street()


@dataclass(frozen=True)
class Picture:
    """A picture as a decoder holds it."""

    pixels: Image

    @property
    def wh(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    def luma(self) -> Grey:
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY), np.uint8)

    def crop(self, x1: int, y1: int, x2: int, y2: int) -> Image:
        return self.pixels[y1:y2, x1:x2]


@cache
def grained(number: int) -> Image:
    """The street with the grain of a camera."""
    grain = np.random.default_rng(number).integers(-2, 3, (270, 480, 1))
    grain = np.repeat(np.repeat(grain, 4, axis=0), 4, axis=1)
    return np.clip(STREET + grain, 0, 255).astype(np.uint8)


def shown(*vehicles: BoxPx, seed: int = 0) -> Picture:
    """The street with blue vehicles."""
    pixels = grained(seed % 5).copy()
    for x1, y1, x2, y2 in vehicles:
        pixels[y1:y2, x1:x2] = (230, 20, 20)
    return Picture(pixels)


class Blue:
    """A detector of blue things that are 40 pixels wide or wider in what it is given; counts what it is asked for."""

    model_id = "blue"
    sha256 = "0" * 64
    input_hw = (384, 640)

    def __init__(self) -> None:
        self.asked = 0

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        self.asked += len(images)
        return [self._of(image) for image in images]

    def _of(self, image: Image) -> Detections:
        blue = ((image[..., 0] > 150) & (image[..., 2] < 90)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(blue)
        found = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:] if w >= 40 and h >= 10]
        size = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
        boxes = np.array(found, np.float32).reshape(-1, 4) / size
        return Detections(("car",) * len(found), np.full(len(found), 0.8, np.float32), boxes)


def fraction(box: BoxPx) -> Box:
    return (box[0] / WH[0], box[1] / WH[1], box[2] / WH[0], box[3] / WH[1])


def sees(detections: Detections, box: BoxPx) -> bool:
    return any(iou(tuple(float(v) for v in own), fraction(box)) > 0.8 for own in detections.boxes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Run:
    """What was seen at each of some samples, and how many inputs the model was asked for at each."""

    seen: list[Detections]
    asked: list[int]


def looked(samples: Sequence[tuple[BoxPx, ...]], native: Native | None = None, every_s: float = 56) -> Run:
    model, seen, asked = Blue(), [], []
    looks = NativeLooks(native or Native(), None, model, Stopwatch())
    for k, vehicles in enumerate(samples):
        before = model.asked
        found = looks.look(shown(*vehicles, seed=k), START + timedelta(seconds=every_s * k))
        if seen:
            seen[-1] = once_each(seen[-1].with_those_of(found.before))
        seen.append(found.now)
        asked.append(model.asked - before)
    return Run(seen, asked)


def test_what_arrives_is_seen_at_each_sample_from_its_first_to_its_last() -> None:
    run = looked([(), (), (), *[(PLACE,)] * 6, (), (), ()])
    assert [sees(d, PLACE) for d in run.seen] == [False] * 3 + [True] * 6 + [False] * 3
    assert [len(d) for d in run.seen] == [0] * 3 + [1] * 6 + [0] * 3


def test_what_stood_before_the_first_sample_is_seen_at_each() -> None:
    run = looked([(PLACE,)] * 5)
    assert all(sees(d, PLACE) for d in run.seen)


def test_where_nothing_stands_the_model_is_asked_no_more_after_the_surveys() -> None:
    run = looked([()] * 8)
    assert run.asked[0] > 0
    assert run.asked[1:] == [0] * 7


def test_what_a_passing_vehicle_hid_from_the_first_survey_is_found_by_the_second() -> None:
    hiding: BoxPx = (590, 330, 890, 490)
    run = looked([(hiding,), (PLACE,), (PLACE,)])
    assert not sees(run.seen[0], PLACE)
    assert sees(run.seen[2], PLACE)
    assert run.asked[1] < run.asked[0]


def test_grey_levels_that_two_passing_vehicles_share_are_not_asked_about() -> None:
    first: BoxPx = (600, 380, 780, 470)
    second: BoxPx = (740, 380, 920, 470)
    run = looked([(), (), (first,), (second,), (), ()])
    assert run.asked[2:] == [0] * 4


def test_what_passes_is_not_asked_about() -> None:
    passing = [(place,) for place in ELSEWHERE]
    run = looked([(), (), *passing, (), ()])
    assert run.asked[2:] == [0] * (len(passing) + 2)


def test_what_only_passes_is_asked_about_without_persistence() -> None:
    passing = [(place,) for place in ELSEWHERE]
    run = looked([(), (), *passing], Native(Switches(persistence=False)))
    assert sum(run.asked[2:]) > 0


def test_what_arrives_is_not_found_without_the_background() -> None:
    run = looked([(), (), (), *[(PLACE,)] * 4], Native(Switches(background=False)))
    assert not any(sees(d, PLACE) for d in run.seen)


def test_a_standing_vehicle_is_asked_about_three_times_and_then_again_where_something_changes() -> None:
    run = looked([(), (), *[(PLACE,)] * 10])
    assert sum(n > 0 for n in run.asked[2:]) <= LOOKS_OF_A_SCENE + 1
    hidden: BoxPx = (690, 390, 750, 470)
    run = looked([(), (), *[(PLACE,)] * 6, (PLACE, hidden), (PLACE,)])
    assert run.asked[8] > 0
    assert sees(run.seen[9], PLACE)


def test_vehicles_side_by_side_that_arrive_one_after_another_stay_several() -> None:
    second: BoxPx = (800, 400, 880, 448)
    run = looked([(), (), *[(PLACE,)] * 4, *[(PLACE, second)] * 4])
    assert [len(d) for d in run.seen[6:]] == [2] * 4


def test_a_pass_through_the_stored_form_changes_nothing_that_is_seen() -> None:
    samples = [(), (), *[(PLACE,)] * 3, *[(PLACE, ELSEWHERE[0])] * 4, (ELSEWHERE[0],), (ELSEWHERE[0],)]
    for cut in range(1, len(samples), 3):
        model = Blue()
        looks = NativeLooks(Native(), None, model, Stopwatch())
        for k, vehicles in enumerate(samples):
            if k == cut:
                text = kept(looks.state)
                looks = NativeLooks(Native(), None, model, Stopwatch(), restored(text))
            found = looks.look(shown(*vehicles, seed=k), START + timedelta(seconds=56 * k))
            standing = [v for v in vehicles if k and v in samples[k - 1]]
            assert all(sees(found.now, vehicle) for vehicle in standing), (cut, k)


def test_a_survey_is_made_again_where_the_background_changed_and_only_there() -> None:
    run = looked([()] * 4 + [()] * 3, every_s=1500)
    tiles = run.asked[0]
    assert tiles > 0
    assert run.asked[2:] == [0] * 5


def test_pictures_as_small_as_the_models_input_are_not_looked_at_again() -> None:
    model = Blue()
    looks = NativeLooks(Native(), None, model, Stopwatch())
    small = Picture(np.ascontiguousarray(cv2.resize(STREET, (640, 360))))
    assert len(looks.look(small, START).now) == 0
    assert looks.state is None
    assert model.asked == 0


@given(
    st.lists(st.tuples(st.integers(1, 640), st.integers(1, 384)), min_size=1, max_size=40),
)
def test_cells_lie_on_their_sheets_and_apart(sizes: list[tuple[int, int]]) -> None:
    cells = pack([Crop(0, 0, w, h) for w, h in sizes], SHEET_WH)
    for k, cell in enumerate(cells):
        width, height = cell.crop.cell_wh
        assert 0 <= cell.x <= SHEET_WH[0] - width
        assert 0 <= cell.y <= SHEET_WH[1] - height
        for other in cells[:k]:
            w, h = other.crop.cell_wh
            apart = (
                cell.sheet != other.sheet or cell.x >= other.x + w or other.x >= cell.x + width
                or cell.y >= other.y + h or other.y >= cell.y + height
            )  # fmt: skip
            assert apart


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1800), st.integers(0, 1000)), min_size=1, max_size=8))
def test_what_is_found_in_a_crop_is_where_it_is_in_the_picture(corners: list[tuple[int, int]]) -> None:
    boxes: list[BoxPx] = [(x, y, min(WH[0], x + 70), min(WH[1], y + 42)) for x, y in corners]
    for box in boxes:
        if box[2] - box[0] < 45:
            continue
        picture = shown(box)
        cells = pack([crop_around(tuple(map(float, box)), WH, SHEET_WH)], SHEET_WH)  # type: ignore[arg-type]
        found = found_in(cells, Blue().detect(sheets_of(picture, cells, SHEET_WH)), SHEET_WH, WH)
        assert sees(found[0], box)


def test_what_a_crop_cuts_off_is_left_out() -> None:
    cells = pack([Crop(740, 380, 1000, 500)], SHEET_WH)
    assert len(found_in(cells, Blue().detect(sheets_of(shown(PLACE), cells, SHEET_WH)), SHEET_WH, WH)[0]) == 0


@given(st.integers(500, 4000), st.integers(400, 2200), st.integers(0, 3))
def test_tiles_cover_the_watched_part(width: int, height: int, part: int) -> None:
    watched = [None, (0.0, 0.3, 1.0, 1.0), (0.2, 0.1, 0.6, 0.9), (0.5, 0.5, 0.9, 0.8)][part]
    place = Place.of((width, height), watched)
    tiles = tiles_of(place.origin_xy, place.until_xy, SHEET_WH)
    seen = np.zeros((height, width), np.bool_)
    for tile in tiles:
        assert tile.x2 - tile.x1 <= SHEET_WH[0]
        assert tile.y2 - tile.y1 <= SHEET_WH[1]
        seen[tile.y1 : tile.y2, tile.x1 : tile.x2] = True
    (x1, y1), (x2, y2) = place.origin_xy, place.until_xy
    assert seen[y1:y2, x1:x2].all()


def found(*boxes: tuple[str, float, Box]) -> Detections:
    return Detections(
        tuple(label for label, _, _ in boxes),
        np.array([c for _, c, _ in boxes], np.float32),
        np.array([b for _, _, b in boxes], np.float32).reshape(-1, 4),
    )


def test_of_one_object_the_surer_detection_stays_and_a_car_before_a_bus_stays() -> None:
    car, near_it, bus = (0.5, 0.5, 0.54, 0.55), (0.501, 0.5, 0.541, 0.55), (0.45, 0.4, 0.7, 0.6)
    assert len(joined(found(("car", 0.3, car)), found(("truck", 0.8, near_it)))) == 1
    assert joined(found(("car", 0.3, car)), found(("truck", 0.8, near_it))).labels == ("truck",)
    assert joined(found(("car", 0.9, car)), found(("truck", 0.8, near_it))).labels == ("car",)
    assert joined(found(("bus", 0.5, bus)), found(("car", 0.8, car))).labels == ("bus", "car")
    assert joined(found(("bus", 0.5, bus)), found(("car", 0.3, car))).labels == ("bus",)
    assert joined(found(("person", 0.5, car)), found(("car", 0.3, car))).labels == ("person", "car")


def lively(frame: Frame) -> ViewState:
    """A view whose pictures are not those of a frozen camera."""
    sketch = np.random.default_rng(int(frame.offset_s)).normal(0, 5, SKETCH_SIZE).astype(np.float32)
    one = bland(frame)
    return ViewState(one.brightness, one.sharpness, one.signature, one.edges, sketch)


def job(samples: Sequence[bool], first: int, decoded: list[int], **more: object) -> Job:
    @contextmanager
    def opened() -> Iterator[PictureAt]:
        def picture_at(at: float) -> Frame:
            decoded.append(int(at))
            picture = shown(*([PLACE] if samples[int(at)] else []), seed=int(at))
            small = cv2.resize(picture.pixels, (640, 360), interpolation=cv2.INTER_AREA)
            return Frame(at, np.asarray(small, np.uint8), "0" * 64, native=picture)

        yield picture_at

    return Job(RECORDING, [float(k) for k in range(first, len(samples))], opened, **more)  # type: ignore[arg-type]


def observed(*jobs: Job, batch: int = 4, native: Native | None = NATIVE) -> list[Observed]:
    sight = Sight(None, gated=True, native=native)
    seen = [o for _, o in observe_each(jobs, Blue(), lively, batch=batch, sight=sight)]
    return [o for o in seen if isinstance(o, Observed)]


@pytest.mark.parametrize(("before", "stays"), [(4, 3), (5, 3), (6, 3), (7, 4), (9, 5)])
def test_a_small_vehicle_that_stays_for_three_samples_is_seen_at_each_although_samples_are_spared(
    before: int, stays: int
) -> None:
    samples = [False] * before + [True] * stays + [False] * 6
    results = []
    for batch in (1, 4):
        decoded: list[int] = []
        (seen,) = observed(job(samples, 0, decoded), batch=batch)
        assert [sees(o.detections, PLACE) for o in seen.seen] == samples
        results.append([(o.detections.boxes.tolist(), o.reused, o.spared) for o in seen.seen])
    assert results[0] == results[1]
    (without,) = observed(job(samples, 0, []), native=None)
    assert not any(sees(o.detections, PLACE) for o in without.seen)


def test_samples_are_spared_where_nothing_small_moves() -> None:
    decoded: list[int] = []
    (seen,) = observed(job([True] * 30, 0, decoded))
    assert all(sees(o.detections, PLACE) for o in seen.seen)
    assert len(decoded) < 20


@pytest.mark.parametrize("cut", [1, 3, 5, 8, 11])
def test_a_recording_in_two_pieces_shows_the_same_whether_the_second_joins_or_is_told_of_the_first(
    cut: int,
) -> None:
    samples = [False] * 3 + [True] * 6 + [False] * 4
    whole = observed(job(samples[:cut], 0, []), job(samples, cut, [], joins=True))
    (first,) = observed(job(samples[:cut], 0, []))
    told = {"remembered": lambda: first.memory, "native_remembered": lambda: first.native_memory}
    (second,) = observed(job(samples, cut, [], **told))
    assert [essence(o) for o in whole] == [essence(first), essence(second)]


def essence(one: Observed) -> object:
    return one.native_memory, [(o.detections.boxes.tolist(), o.reused, o.spared) for o in one.seen]


@given(st.integers(0, 500), st.integers(1, 3000), st.integers(2, 900))
def test_tiles_of_any_size_cover_every_pixel_and_reach_no_further(low: int, length: int, side: int) -> None:
    tiles = tiles_of((low, low), (low + length, low + 1), (side, side))
    assert (tiles[0].x1, tiles[-1].x2) == (low, low + length)
    assert all(tile.x2 - tile.x1 == min(side, length) for tile in tiles)
    assert all(after.x1 <= before.x2 for before, after in pairwise(tiles))
