"""One recording, one plan: pictures are read ahead in a thread while the model looks at those before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from detector.core.values import Frame, Observation, Recording, ViewState
from detector.inference.detector import Detector

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failed:
    """A moment that could not be observed, and why."""

    offset_s: float
    reason: str


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
) -> Observed:
    """Observe a recording at `offsets_s`; `frames` gives for each the picture or, as text, why there is none.

    `frames` is read ahead in one thread, `batch` pictures at most, so memory does not grow with the recording.
    """
    seen: list[Observation] = []
    failed: list[Failed] = []
    for chunk in _batches_ahead(zip(offsets_s, frames, strict=True), batch):
        pictures = [(offset_s, frame) for offset_s, frame in chunk if isinstance(frame, Frame)]
        failed += [Failed(offset_s, frame) for offset_s, frame in chunk if isinstance(frame, str)]
        found = detector.detect([frame.image for _, frame in pictures])
        for (_, frame), detections in zip(pictures, found, strict=True):
            at = recording.interval.start + timedelta(seconds=frame.offset_s)
            seen.append(
                Observation(
                    recording.camera_id, at, recording.id, frame.offset_s, detections, view_state(frame)
                )
            )
    return Observed(tuple(seen), tuple(failed))


def _batches_ahead(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:

        def ahead() -> Future[list[T]]:
            return pool.submit(lambda: list(islice(iterator, size)))

        coming = ahead()
        while chunk := coming.result():
            coming = ahead()
            yield chunk
