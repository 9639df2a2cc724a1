"""One recording, one plan: pictures are read ahead in a thread while the model looks at those before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice, pairwise
from typing import TypeVar

from detector.core.values import Frame, Image, Observation, Recording, ViewState
from detector.inference.detector import Detector

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failed:
    """A moment that could not be observed, and why."""

    offset_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class SlowLooks:
    """What only some looks are for: litter moves slowly. A picture is kept of them, and `detector` looks besides.

    `every_s` is the longest time between two of them, as far as the plan has looks so close.
    """

    every_s: float
    packed: Callable[[Image], bytes]
    detector: Detector | None = None

    def large_at(self, offsets_s: Sequence[float]) -> dict[float, tuple[int, int]]:
        """At which of the looks `detector` wants the picture large, and to fit within which width and height."""
        if self.detector is None:
            return {}
        height, width = self.detector.input_hw
        return dict.fromkeys(self.chosen(offsets_s), (width, height))

    def chosen(self, offsets_s: Sequence[float]) -> set[float]:
        """As few of the looks, at rising offsets, as keep the time; the first and the last among them."""
        chosen = [*offsets_s[:1]]
        for offset_s, next_s in pairwise([*offsets_s, math.inf]):
            if next_s - chosen[-1] > self.every_s + 1e-3 and offset_s > chosen[-1]:
                chosen.append(offset_s)
        return set(chosen)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a recording showed, and which moments could not be seen."""

    seen: tuple[Observation, ...]
    failed: tuple[Failed, ...]


def observe(
    recording: Recording,
    offsets_s: Sequence[float],
    frames: Iterable[Frame | str],
    detector: Detector,
    view_state: Callable[[Frame], ViewState],
    *,
    batch: int = 4,
    slow: SlowLooks | None = None,
) -> Observed:
    """Observe a recording at `offsets_s`; `frames` gives for each the picture or, as text, why there is none.

    `frames` is read ahead in one thread, `batch` pictures at most, so memory does not grow with the recording.
    """
    seen: list[Observation] = []
    failed: list[Failed] = []
    slowly = slow.chosen(offsets_s) if slow else set()
    for chunk in _batches_ahead(zip(offsets_s, frames, strict=True), batch):
        pictures = [(offset_s, frame) for offset_s, frame in chunk if isinstance(frame, Frame)]
        failed += [Failed(offset_s, frame) for offset_s, frame in chunk if isinstance(frame, str)]
        found = detector.detect([frame.image for _, frame in pictures])
        for (offset_s, frame), detections in zip(pictures, found, strict=True):
            at = recording.interval.start + timedelta(seconds=frame.offset_s)
            observation = Observation(
                recording.camera_id, at, recording.id, frame.offset_s, detections, view_state(frame)
            )
            seen.append(_closer(observation, frame, slow) if slow and offset_s in slowly else observation)
    return Observed(tuple(seen), tuple(failed))


def _closer(observation: Observation, frame: Frame, slow: SlowLooks) -> Observation:
    """The observation with its picture, and with what the second detector sees in the larger one."""
    detections = observation.detections
    if slow.detector is not None:
        large = frame.image if frame.large is None else frame.large
        detections = detections.with_those_of(slow.detector.detect([large])[0])
    return replace(observation, detections=detections, picture=slow.packed(frame.image))


def _batches_ahead(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:

        def ahead() -> Future[list[T]]:
            return pool.submit(lambda: list(islice(iterator, size)))

        coming = ahead()
        while chunk := coming.result():
            coming = ahead()
            yield chunk
