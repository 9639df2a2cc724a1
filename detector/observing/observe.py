"""Recordings and their plans to observations: pictures are read ahead in a thread while the model looks at those before.

One stream runs over all recordings of a camera, so that reading never waits for the model at the end of one, nor
batches run half empty. All queues are bounded; memory does not grow with the recordings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import islice, pairwise
from threading import Lock
from typing import TypeVar

from detector.core.barrier import barrier
from detector.core.errors import KerbwatchError, UnexpectedFault, UnreadableRecording
from detector.core.geometry import Box
from detector.core.stopwatch import Stopwatch
from detector.core.values import (
    NO_DETECTIONS,
    Detections,
    Frame,
    Image,
    Observation,
    Recording,
    ViewState,
)
from detector.decoding.view import picture_distance
from detector.inference.detector import Detector
from detector.observing.containers import Containers
from detector.observing.gate import GATE_VERSION, Gate, Grey, Memory, Scene, Standing, changed, small
from detector.observing.kept_state import kept, restored
from detector.observing.native import Native, NativeLooks, Seen
from detector.observing.regions import joined, once_each

T = TypeVar("T")
PictureAt = Callable[[float], Frame | str]
"""The picture at an offset in seconds, in any order, or, as text, why there is none."""

SPARED_AT_MOST = 2
"""With three moments in a stay as long as its limit, no such stay falls between two pictures."""

FROZEN_RMS = 0.8
"""Two pictures that lie no further apart, in grey levels, may be of a frozen camera; see `judging.camera_fault`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A moment that could not be observed, and why."""

    offset_s: float
    reason: str
    recording_id: str = ""
    """Of which recording, where several are told of together."""


@dataclass(frozen=True, slots=True)
class SlowLooks:
    """What only some looks are for: litter moves slowly. A picture is kept of them, and `detector` looks besides.

    `every_s` is the longest time between two of them, as far as the plan has looks so close. `decoded_every_s` is the
    same for looks that are taken only where a picture is decoded: what is large shows in the gate, so a moment that
    the gate spares needs no picture.
    """

    every_s: float
    packed: Callable[[Image], bytes]
    detector: Detector | None = None
    decoded_every_s: float = math.inf
    containers: Containers | None = None
    """What is asked about street containers at the looks of `every_s`."""

    def large_at(self, offsets_s: Sequence[float]) -> dict[float, tuple[int, int]]:
        """At which of the looks `detector` wants the picture large, and to fit within which width and height."""
        if self.detector is None:
            return {}
        height, width = self.detector.input_hw
        return dict.fromkeys(self.kept(offsets_s), (width, height))

    def chosen(self, offsets_s: Sequence[float]) -> set[float]:
        """As few of the looks, at rising offsets, as keep the time; the first and the last among them."""
        return _as_few(offsets_s, self.every_s)

    def kept(self, offsets_s: Sequence[float]) -> set[float]:
        """The looks of which a picture is kept if it is decoded."""
        return self.chosen(offsets_s) | _as_few(offsets_s, self.decoded_every_s)


def _as_few(offsets_s: Sequence[float], every_s: float) -> set[float]:
    """As few of rising offsets as lie at most `every_s` apart, in seconds; none where that is infinite."""
    if math.isinf(every_s):
        return set()
    chosen = [*offsets_s[:1]]
    for offset_s, next_s in pairwise([*offsets_s, math.inf]):
        if next_s - chosen[-1] > every_s + 1e-3 and offset_s > chosen[-1]:
            chosen.append(offset_s)
    return set(chosen)


@dataclass(frozen=True, slots=True)
class Sight:
    """How a camera's pictures are looked at.

    `part` in [0, 1] is all that the model sees, None: the whole picture. Where `gated`, what the model saw serves
    again as long as nothing moves there. With `native`, what stands and is too small for the whole picture is looked at at
    the camera's own resolution.
    """

    part: Box | None = None
    gated: bool = False
    native: Native | None = None

    @property
    def id(self) -> str:
        """Another sight may see something else."""
        part = ",".join(f"{edge:g}" for edge in self.part) if self.part else "whole"
        gate = f" gate {GATE_VERSION}" if self.gated else ""
        return f"{part}{gate} {self.native.id}" if self.native else f"{part}{gate}"


WHOLE = Sight()


@dataclass(frozen=True, slots=True)
class Shaped:
    """From `offset_s` on, in seconds after the first picture, the pictures have this shape."""

    offset_s: float
    resolution_wh: tuple[int, int]
    pixel_aspect: float


@dataclass(frozen=True, slots=True)
class Observed:
    """What a recording showed, which moments could not be seen, and what the gate remembers at its end."""

    seen: tuple[Observation, ...]
    failed: tuple[Failed, ...]
    memory: Memory = ()
    shapes: tuple[Shaped, ...] = ()
    """The shapes of its pictures, one entry for each change, in order of time."""
    native_memory: str = ""
    """What is known of the view at its end, as `kept_state` stores it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to be observed at `offsets_s`, in rising order.

    `opened` opens it, in the reading thread; it raises UnreadableRecording. One that `joins` goes on where the job
    before it ended; of what came before another, `remembered` gives the gate's memory, and `native_remembered` what was
    known of the view.
    """

    recording: Recording
    offsets_s: Sequence[float]
    opened: Callable[[], AbstractContextManager[PictureAt]]
    slow: SlowLooks | None = None
    joins: bool = False
    remembered: Callable[[], Memory] = tuple
    native_remembered: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class _Look:
    """A moment with its picture, all that can be told of it without the model, and whether the model must look."""

    shown_s: float
    frame: Frame | None
    """None where none was decoded: the looks before and after show one scene."""
    view: ViewState
    packed: bytes | None
    scene: Scene | None
    asks_model: bool
    native: Detections = NO_DETECTIONS
    """What was seen at the camera's own resolution."""
    containers: Detections = NO_DETECTIONS
    """What was said about street containers."""


@dataclass(frozen=True, slots=True)
class _End:
    """A recording has been read, or could not be; and how the gate stands."""

    error: UnreadableRecording | None = None
    standing: tuple[Standing, ...] = ()
    native_memory: str = ""


@dataclass(slots=True)
class _Unfinished:
    """What of a recording has come in so far."""

    job: Job
    seen: list[Observation] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    shapes: list[Shaped] = field(default_factory=list)
    end: _End | None = None
    broken: UnreadableRecording | None = None
    """An unexpected error at one of its pictures."""

    def result(self) -> Observed | UnreadableRecording:
        """What the recording showed, once it has been read to its end."""
        assert self.end is not None
        if error := self.broken or self.end.error:
            return error
        memory = tuple(one.remembered() for one in self.end.standing if one.scene.is_answered)
        native_memory = self.end.native_memory
        return Observed(tuple(self.seen), tuple(self.failed), memory, tuple(self.shapes), native_memory)

    def note_shape(self, frame: Frame) -> None:
        shape = Shaped(frame.offset_s, frame.source_wh, frame.pixel_aspect)
        if not self.shapes or replace(self.shapes[-1], offset_s=frame.offset_s) != shape:
            self.shapes.append(shape)


def observe_each(
    jobs: Iterable[Job],
    detector: Detector,
    view_state: Callable[[Frame], ViewState],
    *,
    batch: int = 4,
    sight: Sight = WHOLE,
    closer: Detector | None = None,
    watch: Stopwatch | None = None,
) -> Iterator[tuple[Job, Observed | UnreadableRecording]]:
    """Observe recordings one after another; each is given as soon as it is done, in their order.

    The model is asked about `batch` pictures at a time, across recordings; twice as many are read ahead. `closer`, or
    else the same model, is asked at the camera's own resolution, by the thread that reads.
    """
    one_at_a_time = Lock()
    native = _Shared(closer or detector, one_at_a_time)
    model = _Shared(detector, one_at_a_time)
    read = _read_each(jobs, view_state, sight, native, watch or Stopwatch())
    waiting: list[tuple[_Unfinished, _Look]] = []
    unfinished: list[_Unfinished] = []
    for chunk in _ahead(read, batch):
        for job, item in chunk:
            if not unfinished or unfinished[-1].job is not job:
                unfinished.append(_Unfinished(job))
            own = unfinished[-1]
            if isinstance(item, _Look):
                waiting.append((own, item))
            elif isinstance(item, Failed):
                own.failed.append(item)
            else:
                own.end = item
        if sum(look.asks_model for _, look in waiting) >= batch or len(waiting) >= 4 * batch:
            _infer(waiting, model, sight)
            yield from _finished(unfinished, waiting)
    _infer(waiting, model, sight)
    yield from _finished(unfinished, waiting)


def _finished(
    unfinished: list[_Unfinished], waiting: list[tuple[_Unfinished, _Look]]
) -> Iterator[tuple[Job, Observed | UnreadableRecording]]:
    """Take the recordings that have been read to their end off the list."""
    assert not waiting
    while unfinished and unfinished[0].end:
        own = unfinished.pop(0)
        yield own.job, own.result()


def _unexpected(job: Job) -> Callable[[str], KerbwatchError]:
    return partial(UnreadableRecording, job.recording.path, unexpected=True)


@dataclass(frozen=True, slots=True)
class _Shared:
    """A detector that two threads ask, one at a time: a compiled network serves one call after another."""

    inner: Detector
    lock: Lock

    @property
    def model_id(self) -> str:
        return self.inner.model_id

    @property
    def sha256(self) -> str:
        return self.inner.sha256

    @property
    def input_hw(self) -> tuple[int, int]:
        return self.inner.input_hw

    @property
    def verifier(self) -> Detector:
        return self.inner.verifier

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        with self.lock:
            return self.inner.detect(images, part) if part else self.inner.detect(images)


def _read_each(
    jobs: Iterable[Job],
    view_state: Callable[[Frame], ViewState],
    sight: Sight,
    detector: Detector,
    watch: Stopwatch,
) -> Iterator[tuple[Job, _Look | Failed | _End]]:
    """What recordings show at their moments, and what can be told of it without the model for the whole picture."""
    gate: Gate | None = None
    known: str | None = None
    for job in jobs:
        native = None
        try:
            with barrier(job.recording.path, _unexpected(job)):
                if sight.gated and (gate is None or not job.joins):
                    gate = Gate.of(job.remembered())
                if known is None or not job.joins:
                    known = job.native_remembered()
                if sight.native:
                    native = NativeLooks(sight.native, sight.part, detector, watch, restored(known))
                for look in _looks_of(job, view_state, sight, gate, native):
                    yield job, look
        except UnreadableRecording as error:
            gate = known = None
            yield job, _End(error)
        else:
            known = kept(native.state) if native else ""
            yield job, _End(standing=gate.standing() if gate else (), native_memory=known)


def _looks_of(
    job: Job,
    view_state: Callable[[Frame], ViewState],
    sight: Sight,
    gate: Gate | None,
    native: NativeLooks | None,
) -> Iterator[_Look | Failed]:
    with job.opened() as picture_at:
        yield from _Looks(job, picture_at, view_state, sight.part, gate, native).each()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture, what was measured of it, and, where there is a gate, what the gate sees of it."""

    frame: Frame
    view: ViewState
    small: Grey | None


class _Looks:
    """One recording's moments, looked at in their order, but for those that are spared.

    Where a scene lasts, the next moment but SPARED_AT_MOST is looked at first: if it shows the scene too, the moments
    between are taken to show it without a picture. A stay as long as its limit covers three moments, so at least one
    of them is looked at in any case; where that shows something new, so are those on either side.
    """

    def __init__(
        self,
        job: Job,
        picture_at: PictureAt,
        view_state: Callable[[Frame], ViewState],
        part: Box | None,
        gate: Gate | None,
        native: NativeLooks | None,
    ) -> None:
        self._job = job
        self._picture_at = picture_at
        self._view_state = view_state
        self._part = part
        self._gate = gate
        self._native = native
        self._slowly = job.slow.chosen(job.offsets_s) if job.slow else set()
        self._kept = job.slow.kept(job.offsets_s) if job.slow else set()
        self._early: dict[int, _Seen | Failed] = {}

    def each(self) -> Iterator[_Look | Failed]:
        """The looks in order. Each waits for the next one, which tells what already stood in it."""
        waiting: list[_Look | Failed] = []
        for look, stood in self._each():
            if len(stood) and waiting and isinstance(last := waiting[-1], _Look):
                waiting[-1] = replace(last, native=once_each(last.native.with_those_of(stood)))
            yield from waiting
            waiting = [look]
        yield from waiting

    def _each(self) -> Iterator[tuple[_Look | Failed, Detections]]:
        """The looks in order, and what stood at the one before."""
        index = 0
        while index < len(self._job.offsets_s):
            seen = self._early.pop(index, None) or self._look_at(index)
            index += 1
            if isinstance(seen, Failed):
                yield seen, NO_DETECTIONS
                continue
            look, stood = self._admitted(index - 1, seen)
            yield look, stood
            for _ in range(self._spared(index, look)):
                shown_s = self._job.offsets_s[index]
                yield (
                    replace(
                        look,
                        shown_s=shown_s,
                        frame=None,
                        packed=None,
                        asks_model=False,
                        containers=NO_DETECTIONS,
                    ),
                    NO_DETECTIONS,
                )
                index += 1

    def _look_at(self, index: int) -> _Seen | Failed:
        offset_s = self._job.offsets_s[index]
        frame = self._picture_at(offset_s)
        if isinstance(frame, str):
            return Failed(offset_s, frame)
        return _Seen(frame, self._view_state(frame), small(frame.image, self._part) if self._gate else None)

    def _admitted(self, index: int, seen: _Seen) -> tuple[_Look, Detections]:
        """The look, and what stood at the one before already."""
        slow = self._job.slow
        packed = slow.packed(seen.frame.image) if slow and self._job.offsets_s[index] in self._kept else None
        scene, asks = (None, True)
        if self._gate is not None and seen.small is not None:
            scene, asks = self._gate.admit(seen.small)
        frame, native = seen.frame, Seen()
        containers = NO_DETECTIONS
        if slow and slow.containers and self._job.offsets_s[index] in self._slowly:
            containers = slow.containers.look(frame)
        if self._native is not None:
            at = self._job.recording.interval.start + timedelta(seconds=frame.offset_s)
            native = self._native.look(frame.native, at)
            frame = replace(frame, native=None)  # it waits for the model, and would hold the decoder's memory
        return _Look(
            frame.offset_s, frame, seen.view, packed, scene, asks, native.now, containers
        ), native.before

    def _spared(self, index: int, before: _Look) -> int:
        """How many moments from this one on need no picture, for those before and after them show one scene."""
        scene, offsets_s = before.scene, self._job.offsets_s
        if scene is None or self._early:
            return 0
        most = min(SPARED_AT_MOST, scene.serves, len(offsets_s) - 1 - index)
        if self._native is not None and (serves := self._native.serves) is not None:
            most = min(most, serves)
        spared = next((n for n in range(most) if offsets_s[index + n] in self._slowly), most)
        if spared < 1:
            return 0
        after = self._early[index + spared] = self._look_at(index + spared)
        if isinstance(after, Failed) or after.small is None or changed(scene.picture, after.small):
            return 0
        if picture_distance(before.view, after.view) <= FROZEN_RMS:
            return 0
        if self._native is not None:
            if not self._native.lasts(after.frame.native):
                return 0
            self._native.spare(spared)
        scene.reused += spared
        return spared


def _infer(waiting: list[tuple[_Unfinished, _Look]], detector: Detector, sight: Sight) -> None:
    """Ask the model about the pictures that need it, and add all that waited to their recordings, in order."""
    asking = [(own.job, look.frame.image) for own, look in waiting if look.asks_model and look.frame]
    answers = iter(_answers(asking, detector, sight))
    for own, look in waiting:
        answer = next(answers) if look.asks_model else None
        if own.broken is not None:
            continue
        try:
            with barrier(own.job.recording.path, _unexpected(own.job)):
                _add(own, look, answer)
        except UnreadableRecording as error:
            own.broken = error
    waiting.clear()


def _add(own: _Unfinished, look: _Look, answer: Detections | UnreadableRecording | None) -> None:
    """Add a look to its recording. Raises UnreadableRecording where the model gave no answer to it."""
    scene = look.scene
    if isinstance(answer, UnreadableRecording):
        if scene is not None:
            scene.failed = answer.reason
        raise answer
    if scene is not None and answer is not None:
        scene.answers.append(answer)
    elif scene is not None:
        if not scene.is_answered:
            raise UnreadableRecording(own.job.recording.path, scene.failed, unexpected=True)
        answer = scene.answer()
    assert answer is not None
    own.seen.append(_observation(own.job, look, joined(answer, look.native)))
    if look.frame is not None:
        own.note_shape(look.frame)


def _answers(
    asking: Sequence[tuple[Job, Image]], detector: Detector, sight: Sight
) -> Sequence[Detections | UnreadableRecording]:
    """The model's answers to pictures; where it fails at them together, it is asked about each by itself."""

    def ask(images: Sequence[Image]) -> list[Detections]:
        return detector.detect(images, sight.part)

    try:
        with barrier("the model at several pictures", UnexpectedFault):
            return ask([image for _, image in asking])
    except UnexpectedFault:
        return [_answer(job, image, ask) for job, image in asking]


def _answer(
    job: Job, image: Image, ask: Callable[[Sequence[Image]], list[Detections]]
) -> Detections | UnreadableRecording:
    try:
        with barrier(job.recording.path, _unexpected(job)):
            return ask([image])[0]
    except UnreadableRecording as error:
        return error


def _observation(job: Job, look: _Look, detections: Detections) -> Observation:
    recording, slow = job.recording, job.slow
    if look.packed is not None and slow is not None and slow.detector is not None and look.frame is not None:
        large = look.frame.image if look.frame.large is None else look.frame.large
        detections = detections.with_those_of(slow.detector.detect([large])[0])
    detections = detections.with_those_of(look.containers)
    return Observation(
        recording.camera_id,
        recording.interval.start + timedelta(seconds=look.shown_s),
        recording.id,
        look.shown_s,
        detections,
        look.view,
        look.packed,
        reused=not look.asks_model,
        spared=look.frame is None,
    )


def _ahead(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in chunks; one chunk is read in a thread while that before is worked on."""
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:

        def ahead() -> Future[list[T]]:
            return pool.submit(lambda: list(islice(iterator, size)))

        coming = ahead()
        while chunk := coming.result():
            coming = ahead()
            yield chunk
