"""Single pictures of one camera at any moment of its recordings, at full size, each decoded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, Self

import cv2
import numpy as np

from detector.core.errors import UnreadableRecording
from detector.core.times import Interval, union
from detector.core.values import Frame, Image, Recording
from detector.decoding.reader import fitted

COPIES = 48
COPY_WH = (960, 960)
"""Of so many looks at full size a copy is kept that fits this size (1.5 MB each at 1080p): a clip shows what the proof saw."""

KEPT_PICTURES = 10
"""So many looks are kept in memory as they are (6 MB each at 1080p); of a suspicion's looks, too, before they are made small."""

JOIN_GAP_S = 3.0
"""Recorder segments follow each other with gaps of up to so many seconds."""


class OpenRecording(Protocol):
    """One recording being read; offsets in any order."""

    def frame_at(
        self, offset_s: float, tolerance_s: float = 0.0, fit_wh: tuple[int, int] | None = None
    ) -> object:
        """A Frame, made to fit within a width and height, or anything else where there is no picture."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture at a moment of true time."""

    at: datetime
    recording: Recording
    frame: Frame


class Looker:
    """Looks at one camera. `parts` are its usable recordings with the time that each answers for, in order.

    In a `blind` stretch the view cannot be judged, and is not looked at.

    One recording is open at a time; use it as a context manager, or `close` it.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Recording, Interval]],
        opener: Callable[[Recording], OpenRecording],
        *,
        blind: Sequence[Interval] = (),
    ) -> None:
        self._blind = union(blind)
        self._parts = list(parts)
        self._opener = opener
        self._open: tuple[Recording, OpenRecording] | None = None
        self._kept: OrderedDict[tuple[datetime, float], Seen | None] = OrderedDict()
        self._copies: OrderedDict[datetime, Seen] = OrderedDict()
        self._runs = union((part for _, part in self._parts), join_gap_s=JOIN_GAP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def forget_copies(self) -> None:
        """What is shown of one suspicion must not depend on which others were looked at before it."""
        self._copies.clear()

    def run_of(self, at: datetime) -> Interval | None:
        """The unbroken stretch of recordings around a moment."""
        return next((run for run in self._runs if run.start <= at <= run.end), None)

    def recorded_s(self, interval: Interval) -> float:
        """How much of an interval was recorded, in seconds."""
        return sum(part.duration_s for run in self._runs if (part := run.intersection(interval)))

    def blind_s(self, a: datetime, b: datetime) -> float:
        """For how much of the time between two moments the view cannot be judged, in seconds."""
        if a == b:
            return 0.0
        between = Interval(min(a, b), max(a, b))
        return sum(part.duration_s for blind in self._blind if (part := blind.intersection(between)))

    def look(self, at: datetime, tolerance_s: float = 0.0) -> Seen | None:
        """The picture that shows at a moment, or a keyframe at most `tolerance_s` earlier.

        None where there is none, and where the view cannot be judged: such a picture proves nothing.
        """
        if any(blind.start < at < blind.end for blind in self._blind):
            return None
        return self.look_anyway(at, tolerance_s)

    def look_anyway(self, at: datetime, tolerance_s: float = 0.0) -> Seen | None:
        """The picture that shows at a moment, be the view as it may."""
        key = (at, tolerance_s)
        if key not in self._kept:
            seen = self._kept[key] = self._see(at, tolerance_s)
            if seen is not None:
                self._kept[seen.at, 0.0] = seen
            while len(self._kept) > KEPT_PICTURES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        self._copy(self._kept[key])
        return self._kept[key]

    def each(
        self,
        moments: Iterable[datetime],
        tolerance_s: float = 0.0,
        fit_wh: tuple[int, int] | None = None,
    ) -> Iterator[Seen]:
        """The pictures at many moments, best given in rising order, each once; moments without one are left out.

        At full size, or to fit within `fit_wh`; a copy of a look at full size serves where it is near enough.
        """
        last: datetime | None = None
        for at in moments:
            if any(blind.start < at < blind.end for blind in self._blind):
                continue
            copy = self._copy_at(at, tolerance_s) if fit_wh == COPY_WH else None
            seen = copy or self._see(at, tolerance_s, fit_wh)
            if fit_wh is None:
                self._copy(seen)
            if seen is not None and seen.at != last:
                last = seen.at
                yield seen

    def _see(self, at: datetime, tolerance_s: float, fit_wh: tuple[int, int] | None = None) -> Seen | None:
        recording = next((r for r, part in self._parts if part.start <= at <= part.end), None)
        if recording is None:
            return None
        try:
            frame = self._reader(recording).frame_at(
                max(0.0, (at - recording.interval.start).total_seconds()), tolerance_s, fit_wh
            )
        except UnreadableRecording:
            return None
        if not isinstance(frame, Frame):
            return None
        return Seen(recording.interval.start + timedelta(seconds=frame.offset_s), recording, frame)

    def _copy(self, seen: Seen | None) -> None:
        """The newest stay as they are, for most suspicions are dropped after few looks, and nobody asks for copies."""
        if seen is None or seen.at in self._copies:
            return
        self._copies[seen.at] = seen
        if len(self._copies) > KEPT_PICTURES:
            self._make_small(list(self._copies)[-KEPT_PICTURES - 1])
        if len(self._copies) > COPIES:
            self._copies.popitem(last=False)

    def _make_small(self, at: datetime) -> Seen:
        seen = self._copies[at]
        self._copies[at] = replace(seen, frame=replace(seen.frame, image=_made_small(seen.frame.image)))
        return self._copies[at]

    def _copy_at(self, at: datetime, tolerance_s: float) -> Seen | None:
        """The latest copy from shortly before a moment, so near that hardly a keyframe is nearer."""
        near = [t for t in self._copies if 0 <= (at - t).total_seconds() <= tolerance_s / 2]
        return self._make_small(max(near)) if near else None

    def _reader(self, recording: Recording) -> OpenRecording:
        if self._open is None or self._open[0] != recording:
            self.close()
            self._open = (recording, self._opener(recording))
        return self._open[1]


def _made_small(image: Image) -> Image:
    own_wh = (image.shape[1], image.shape[0])
    size_wh = fitted(own_wh, COPY_WH)
    if size_wh == own_wh:
        return image
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
