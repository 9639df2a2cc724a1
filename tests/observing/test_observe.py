"""One recording, one plan: what was seen and what could not be."""

from __future__ import annotations

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

from detector.core.errors import UnreadableRecording
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


def test_an_error_of_the_reader_reaches_the_caller_and_leaves_no_thread() -> None:
    def broken(at: float) -> Frame:
        if at > 0:
            raise OSError("the disk is gone")
        return frame(at)

    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        observe([0.0, 1.0], broken, Grey(), view)
    assert threading.active_count() == before


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
