"""camera_fault 设备异常: stretches in which a view cannot be judged. Such a stretch is never 'clean'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from detector.core.times import Interval
from detector.core.values import Camera, Incident, Observation, Point, Violation

STEADY_LIKENESS = 0.75
"""A picture of a fixed view resembles the view's middle picture at least so much, unless traffic fills it."""

STEADY_SHARE = 0.35
"""At least this part of a fixed view's pictures is not filled by traffic; of a montage none resembles the middle."""

DARK_BRIGHTNESS = 12.0
"""Below this mean grey level nothing can be told apart."""

WINDOW_LOOKS = 15
FEWEST_LOOKS = 4
BREAK_S = 900.0


@dataclass(frozen=True, slots=True)
class ViewFault:
    """A stretch that cannot be judged, and why: 'unsteady' (cut, edited, moved) or 'dark'."""

    interval: Interval
    what: str


def view_faults(observations: Sequence[Observation], cadence_s: float) -> list[ViewFault]:
    """The stretches of one camera's observations, in order of time, in which the view cannot be judged."""
    faults = []
    for what, bad in (("dark", _dark(observations)), ("unsteady", _unsteady(observations))):
        for first, last in _runs(bad):
            end = observations[last].at + timedelta(seconds=cadence_s)
            faults.append(ViewFault(Interval(observations[first].at, end), what))
    return faults


def fault_incidents(faults: Sequence[ViewFault], point: Point, camera: Camera) -> Iterator[Incident]:
    for fault in faults:
        yield Incident(
            violation=Violation.CAMERA_FAULT,
            point_id=point.id,
            camera_id=camera.id,
            zone_id=None,
            interval=fault.interval,
            limit_s=0.0,
            box=None,
            share=0.0,
            confidence=1.0,
        )


def _dark(observations: Sequence[Observation]) -> list[bool]:
    return [o.view.brightness < DARK_BRIGHTNESS for o in observations]


def _unsteady(observations: Sequence[Observation]) -> list[bool]:
    """For each look, whether the pictures around it belong to no one view.

    The middle picture of a window is its median, grey value by grey value: what moves drops out of it, and of a
    fixed view the still structure remains, which each picture of the window then resembles.
    """
    bad: list[bool] = []
    for run in _unbroken(observations):
        flags = [False] * len(run)
        pictures = np.stack([o.view.signature for o in run]).astype(np.float32)
        for start in range(0, len(run), WINDOW_LOOKS):
            begin = max(0, min(start, len(run) - WINDOW_LOOKS))
            window = pictures[begin : begin + WINDOW_LOOKS]
            middle = np.median(window, axis=0)
            alike = np.array([_likeness(picture, middle) >= STEADY_LIKENESS for picture in window])
            if len(window) >= FEWEST_LOOKS and alike.mean() < STEADY_SHARE:
                flags[begin : begin + len(window)] = [True] * len(window)
        bad += flags
    return bad


def _unbroken(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """The observations in runs without a longer break: light and view may change over a break."""
    run: list[Observation] = []
    for observation in observations:
        if run and (observation.at - run[-1].at).total_seconds() > BREAK_S:
            yield run
            run = []
        run.append(observation)
    if run:
        yield run


def _likeness(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / size) if size > 0 else 1.0


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The first and last index of each unbroken run of true flags."""
    first: int | None = None
    for index, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = index
        elif not flag and first is not None:
            yield first, index - 1
            first = None
