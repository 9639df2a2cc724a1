"""One recording, one plan: what was seen and what could not be."""

from __future__ import annotations

import math
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_fixture import Maker, index_of

from detector.core.errors import BadInput, StorageFull, UnreadableRecording
from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import (
    NO_DETECTIONS,
    SIGNATURE_WH,
    Detections,
    Frame,
    Image,
    Recording,
    RecordingState,
    ViewState,
)
from detector.decoding.reader import Reader
from detector.decoding.view import view_state
from detector.inference.detector import Detector
from detector.observing.observe import WHOLE, Failed, Job, Observed, PictureAt, Sight, SlowLooks, observe_each

START = datetime(2026, 1, 8, tzinfo=UTC)
RECORDING = Recording(
    "p001", "a.mp4", 1, 1, Interval(START, START + timedelta(hours=1)), RecordingState.READABLE
)


def observe(
    offsets_s: Sequence[float],
    picture_at: PictureAt,
    detector: Detector,
    view_state: Callable[[Frame], ViewState],
    *,
    batch: int = 4,
    slow: SlowLooks | None = None,
    sight: Sight = WHOLE,
) -> Observed:
    """One recording, of which `picture_at` gives the pictures."""

    @contextmanager
    def opened() -> Iterator[PictureAt]:
        yield picture_at

    job = Job(RECORDING, offsets_s, opened, slow)
    ((_, observed),) = observe_each([job], detector, view_state, batch=batch, sight=sight)
    assert not isinstance(observed, UnreadableRecording)
    return observed


class Grey:
    """A detector that sees one car, as confident as the picture is bright, and remembers how it was asked."""

    model_id = "grey"
    sha256 = "0" * 64
    input_hw = (384, 640)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        self.batches.append(len(images))
        return [
            Detections(
                ("car",), np.array([image.mean() / 255], np.float32), np.array([[0, 0, 1, 1]], np.float32)
            )
            for image in images
        ]


def frame(offset_s: float, grey: int = 100) -> Frame:
    return Frame(offset_s, np.full((18, 32, 3), grey, np.uint8), "0" * 64)


def view(_: Frame) -> ViewState:
    return ViewState(1.0, 1.0, np.zeros(SIGNATURE_WH[::-1], np.uint8))


def seen_by(frames: Sequence[Frame | str], batch: int) -> Observed:
    return observe(
        [float(i) for i in range(len(frames))], lambda at: frames[int(at)], Grey(), view, batch=batch
    )


def essence(observed: Observed) -> list[tuple[datetime, float, float]]:
    return [(o.at, o.offset_s, float(o.detections.confidences[0])) for o in observed.seen]


@given(st.lists(st.one_of(st.integers(0, 255), st.just("damaged")), max_size=20), st.integers(1, 7))
def test_batches_give_what_one_by_one_gives(kinds: list[int | str], batch: int) -> None:
    frames = [k if isinstance(k, str) else frame(i - 0.25, k) for i, k in enumerate(kinds)]
    together, alone = seen_by(frames, batch), seen_by(frames, 1)
    assert essence(together) == essence(alone)
    assert together.failed == alone.failed


@given(st.lists(st.booleans(), max_size=20))
def test_a_moment_without_a_picture_costs_only_itself(good: list[bool]) -> None:
    observed = seen_by([frame(float(i)) if ok else "damaged" for i, ok in enumerate(good)], 4)
    assert [o.offset_s for o in observed.seen] == [i for i, ok in enumerate(good) if ok]
    assert list(observed.failed) == [Failed(float(i), "damaged") for i, ok in enumerate(good) if not ok]


def test_the_time_of_an_observation_is_that_of_its_picture_and_not_that_it_was_asked_for() -> None:
    (observation,) = seen_by([frame(-0.0 + 0.75)], 4).seen
    assert observation.at == START + timedelta(seconds=0.75)
    assert (observation.camera_id, observation.recording_id) == ("p001", RECORDING.id)


def test_a_plan_without_looks_observes_nothing() -> None:
    assert seen_by([], 4) == Observed((), ())


def jobs_of(*pictures: PictureAt, offsets_s: Sequence[float] = (0.0, 1.0)) -> list[Job]:
    """A recording for each way to give pictures, one behind the other."""

    def job(index: int, picture_at: PictureAt) -> Job:
        @contextmanager
        def opened() -> Iterator[PictureAt]:
            yield picture_at

        recording = replace(RECORDING, path=f"{index}.mp4")
        return Job(recording, offsets_s, opened, joins=index > 0)

    return [job(index, picture_at) for index, picture_at in enumerate(pictures)]


@pytest.mark.parametrize(
    "error", [OSError("the disk is gone"), ValueError("shapes"), IndexError(), MemoryError()]
)
@pytest.mark.parametrize("gated", [False, True])
def test_an_unexpected_error_of_the_reader_costs_its_recording_and_leaves_no_thread(
    error: Exception, gated: bool
) -> None:
    def broken(at: float) -> Frame:
        if at > 0:
            raise error
        return frame(at)

    before = threading.active_count()
    jobs = jobs_of(frame, broken, frame)
    results = [seen for _, seen in observe_each(jobs, Grey(), view, sight=Sight(gated=gated))]
    assert [isinstance(seen, UnreadableRecording) for seen in results] == [False, True, False]
    assert isinstance(results[1], UnreadableRecording)
    assert results[1].unexpected
    assert type(error).__name__ in results[1].reason
    assert threading.active_count() == before


@pytest.mark.parametrize("error", [StorageFull(), BadInput("x"), KeyboardInterrupt()])
def test_what_must_end_the_run_passes_the_barrier_around_a_recording(error: BaseException) -> None:
    def ending(at: float) -> Frame:
        raise error

    with pytest.raises(type(error)):
        list(observe_each(jobs_of(frame, ending, frame), Grey(), view))


class FailsAt(Grey):
    """A detector that fails at pictures whose first value is a certain one."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self.value = value

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        if any(image[0, 0, 0] == self.value for image in images):
            raise ValueError("the model cannot look at this")
        return super().detect(images, part)


def street(index: int) -> PictureAt:
    """A still street that is unlike the others; the first value of its pictures is its number."""
    image = np.random.default_rng(index).integers(0, 255, (90, 160, 3), np.uint8)
    image[0, 0] = index
    return lambda at: Frame(at, image, "0")


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("broken", [0, 2, 4])
def test_a_picture_at_which_the_model_fails_costs_its_recording_whatever_the_batches(
    batch: int, gated: bool, broken: int
) -> None:
    jobs = jobs_of(*(street(index) for index in range(5)), offsets_s=[k * 20.0 for k in range(5)])
    sight = Sight(gated=gated)
    results = [seen for _, seen in observe_each(jobs, FailsAt(broken), view, batch=batch, sight=sight)]
    assert [isinstance(seen, UnreadableRecording) for seen in results] == [k == broken for k in range(5)]
    assert all(len(seen.seen) == 5 for seen in results if isinstance(seen, Observed))


def test_a_scene_that_the_model_never_answered_says_nothing_of_the_recording_that_goes_on() -> None:
    jobs = jobs_of(street(1), street(1), street(2), offsets_s=[k * 20.0 for k in range(5)])
    results = [seen for _, seen in observe_each(jobs, FailsAt(1), view, sight=Sight(gated=True))]
    assert [isinstance(seen, UnreadableRecording) for seen in results] == [True, True, False]


def test_the_shapes_of_a_recordings_pictures_are_told_where_they_change() -> None:
    sizes = {0.0: (640, 360), 1.0: (640, 360), 2.0: (352, 288), 3.0: (640, 360)}

    def picture_at(at: float) -> Frame:
        return replace(frame(at), source_wh=sizes[at], pixel_aspect=1.0)

    seen = observe(list(sizes), picture_at, Grey(), view)
    assert [(shape.offset_s, shape.resolution_wh) for shape in seen.shapes] == [
        (0.0, (640, 360)),
        (2.0, (352, 288)),
        (3.0, (640, 360)),
    ]


def test_pictures_go_to_the_model_in_batches() -> None:
    model = Grey()
    observe([float(i) for i in range(10)], frame, model, view, batch=4)
    assert model.batches == [4, 4, 2]


class Wide(Grey):
    """A detector for litter, with a large input; it remembers the width of what it was shown."""

    input_hw = (736, 1280)

    def __init__(self) -> None:
        super().__init__()
        self.widths: list[int] = []

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.widths += [image.shape[1] for image in images]
        return super().detect(images)


def test_the_detector_for_litter_looks_seldom_and_at_the_large_picture() -> None:
    litter, offsets_s = Wide(), [float(i) for i in range(10)]
    slow = SlowLooks(4.0, lambda image: bytes([image.shape[1]]), litter)
    wanted = slow.large_at(offsets_s)
    assert wanted == {0.0: (1280, 736), 4.0: (1280, 736), 8.0: (1280, 736), 9.0: (1280, 736)}

    def picture_at(at: float) -> Frame:
        return replace(frame(at), large=np.zeros((36, 64, 3), np.uint8) if at in wanted else None)

    observed = observe(offsets_s, picture_at, Grey(), view, slow=slow)
    assert litter.widths == [64] * 4
    assert {o.offset_s: o.picture for o in observed.seen if o.picture} == dict.fromkeys(wanted, bytes([32]))


def test_without_a_detector_for_litter_no_picture_is_wanted_large() -> None:
    assert SlowLooks(4.0, lambda _: b"").large_at([0.0, 1.0]) == {}


def test_pictures_for_stalls_are_kept_besides_and_no_moment_is_looked_at_for_them_alone() -> None:
    offsets_s = [float(i) for i in range(7)]
    slow = SlowLooks(math.inf, lambda _: b"", decoded_every_s=3.0)
    assert slow.chosen(offsets_s) == set()
    assert slow.kept(offsets_s) == {0.0, 3.0, 6.0}
    assert SlowLooks(6.0, lambda _: b"", decoded_every_s=3.0).chosen(offsets_s) == {0.0, 6.0}


def test_memory_does_not_grow_with_the_length_of_a_recording() -> None:
    class Blind(Grey):
        def detect(self, images: Sequence[Image]) -> list[Detections]:
            return [NO_DETECTIONS] * len(images)

    def peak(looks: int) -> int:
        def picture_at(at: float) -> Frame:
            return Frame(at, np.zeros((180, 320, 3), np.uint8), "0" * 64)

        tracemalloc.start()
        try:
            observe([float(i) for i in range(looks)], picture_at, Blind(), view)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    picture = 180 * 320 * 3
    assert peak(2000) - peak(50) < 20 * picture  # what is kept of 2,000 looks is about 1 kB each


def test_a_made_recording_is_observed_at_the_moments_of_its_plan(make: Maker) -> None:
    made = make()
    offsets_s = [0.0, 1.55, 3.0, 5.9, 30.0]
    indices: list[int] = []

    def look(shown: Frame) -> ViewState:
        indices.append(index_of(shown))
        return view_state(shown.image)

    with Reader(made.path) as opened:

        def picture_at(at: float) -> Frame | str:
            shown = opened.frame_at(at)
            return shown if isinstance(shown, Frame) else shown.reason

        observed = observe(offsets_s, picture_at, Grey(), look)
    assert indices == [0, 15, 30, 59]
    assert [f.offset_s for f in observed.failed] == [30.0]
    assert observed.seen[3].view.brightness > observed.seen[0].view.brightness
