"""Where the clock of a stream jumps or goes back, and how packets are given times that rise all the same."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from detector.core.timeline import Break

if TYPE_CHECKING:
    from av.packet import Packet

LEAST_S = 2.0
"""Seconds. Smaller jumps are not told from pictures that are stored out of order, nor from a low picture rate."""

PERIODS = 4.0
"""A step of more than so many usual steps is a jump."""

USUAL_STEPS = 33
"""Number of steps, spread over an index, whose median is the usual step."""

UNEVEN_S = 0.4
"""Seconds. Pictures come evenly if none is further from its place at the mean rate."""

LEAST_PACED = 8
"""Of fewer pictures no pace is described."""

MOST_KNOTS = 64
"""A pace that changes more often is not described."""

MOST_STEPS = 4096
"""An index of a variable picture rate is searched in so many steps at most."""


def longest_step_s(usual_s: float) -> float:
    """The longest step between two pictures, in seconds, that is not a jump."""
    return max(LEAST_S, PERIODS * usual_s)


@dataclass(frozen=True, slots=True)
class Jump:
    """The picture number `number` lies `step_s` after the one before it; a step below 0 goes back."""

    number: int
    step_s: float


def find_jumps(times_s: Sequence[float]) -> tuple[list[Jump], float]:
    """The jumps in a list of decoding times, and the usual step in seconds."""
    steps = [after - before for before, after in pairwise(times_s)]
    usual_s = _find_usual(steps)
    longest_s = longest_step_s(usual_s)
    jumps = [
        Jump(number, step)
        for number, step in enumerate(steps, 1)
        if step > longest_s or step < -LEAST_S
    ]  # fmt: skip
    return jumps, usual_s


def find_jumps_in_index(time_at: Callable[[int], float], count: int) -> tuple[list[Jump], float]:
    """The forward jumps in an index of `count` rising times, and the usual step; reads few entries of a steady one."""
    if count < 2:
        return [], 0.0
    places = sorted({k * (count - 2) // (USUAL_STEPS - 1) for k in range(USUAL_STEPS)})
    usual_s = _find_usual([time_at(i + 1) - time_at(i) for i in places])
    longest_s = longest_step_s(usual_s)
    jumps: list[Jump] = []
    stack, read = [(0, count - 1)], 0
    while stack and read < MOST_STEPS:
        low, high = stack.pop()
        read += 1
        span_s = time_at(high) - time_at(low)
        if high - low == 1 and span_s > longest_s:
            jumps.append(Jump(high, span_s))
        elif high - low > 1 and span_s - (high - low) * usual_s > longest_s - usual_s:
            middle = (low + high) // 2
            stack += [(low, middle), (middle, high)]
    return sorted(jumps, key=lambda jump: jump.number), usual_s


def describe_pace(times_s: Sequence[float]) -> tuple[tuple[float, int], ...]:
    """Places between which pictures come evenly: seconds after the first picture, and how many pictures lie before.

    `times_s` rise. Empty where the pictures come evenly throughout, and where more than MOST_KNOTS places are needed.
    """
    if len(times_s) < LEAST_PACED or times_s[-1] <= times_s[0]:
        return ()
    after_s = np.asarray(times_s, np.float64) - times_s[0]
    last = len(after_s) - 1
    tolerance = max(1.0, UNEVEN_S * last / float(after_s[-1]))
    knots, stack = {0, last}, [(0, last)]
    while stack:
        low, high = stack.pop()
        off = _find_farthest(after_s, low, high, tolerance)
        if off is not None:
            knots.add(off)
            stack += [(low, off), (off, high)]
        if len(knots) > MOST_KNOTS:
            return ()
    return tuple((float(after_s[k]), k) for k in sorted(knots)) if len(knots) > 2 else ()


def _find_farthest(after_s: npt.NDArray[np.float64], low: int, high: int, tolerance: float) -> int | None:
    """The picture whose number is farthest from what an even pace gives; None where all are within the tolerance."""
    span_s = after_s[high] - after_s[low]
    if high - low < 2 or span_s <= 0:
        return None
    expected = low + (after_s[low : high + 1] - after_s[low]) / span_s * (high - low)
    errors = np.abs(expected - np.arange(low, high + 1))
    farthest = int(errors[1:-1].argmax()) + 1
    return low + farthest if errors[farthest] > tolerance else None


def _find_usual(steps: Sequence[float]) -> float:
    rising = [step for step in steps if step > 0]
    return statistics.median(rising) if rising else 0.0


@dataclass(frozen=True, slots=True)
class Keyframe:
    """Where a keyframe lies: byte, the packet's number, its run, its own ticks and those that rise throughout."""

    pos: int | None
    number: int
    run: int
    raw: int | None
    ticks: int


@dataclass(frozen=True, slots=True)
class Scan:
    """All packets of a stream, read once. Ticks are of the stream's time base.

    `shifts` has one entry for each run, a stretch without a jump: take it from the stream's own ticks, and they rise.
    `hz` is set where packets carry no times: so many are counted as one second.
    """

    keyframes: tuple[Keyframe, ...]
    shifts: tuple[int, ...]
    run_starts: tuple[int, ...]
    """The first shifted ticks of each run."""
    first: int
    last: int
    count: int
    usual_s: float
    hz: Fraction | None = None
    pace: tuple[tuple[float, int], ...] = ()
    """See `describe_pace`; seconds after the first packet."""

    def breaks(self, base: Fraction, origin_s: float) -> tuple[Break, ...]:
        """The jumps between runs, in media time from `origin_s` on."""
        starts = zip(self.run_starts[1:], pairwise(self.shifts), strict=True)
        return tuple(
            Break(float(start * base) - origin_s, float((after - before) * base))
            for start, (before, after) in starts
        )


@dataclass(frozen=True, slots=True)
class _Read:
    pos: int | None
    raw: int | None
    """Decoding time."""
    shown: int | None
    """Presentation time."""
    is_keyframe: bool


def scan(packets: Iterable[Packet[Any]], base: Fraction, hz: Fraction | None = None) -> Scan:
    """Read all packets, without decoding. With `hz`, packets carry no times and are counted.

    Raises ValueError where there is no packet with a time.
    """
    read = [
        _Read(p.pos, p.dts if p.dts is not None else p.pts, p.pts if p.pts is not None else p.dts, p.is_keyframe)
        for p in packets
        if p.size
    ]  # fmt: skip
    return _count_packets(read, base, hz) if hz is not None else _read_times(read, base)


def _count_packets(read: Sequence[_Read], base: Fraction, hz: Fraction) -> Scan:
    if not read:
        raise ValueError("no packets")

    def ticks(number: int) -> int:
        return round(number / (hz * base))

    keyframes = tuple(Keyframe(p.pos, n, 0, None, ticks(n)) for n, p in enumerate(read) if p.is_keyframe)
    return Scan(keyframes, (0,), (0,), 0, ticks(len(read) - 1), len(read), float(1 / hz), hz)


def _read_times(read: Sequence[_Read], base: Fraction) -> Scan:
    timed = [(number, p) for number, p in enumerate(read) if p.raw is not None and p.shown is not None]
    if not timed:
        raise ValueError("no packets with a time")
    jumps, usual_s = find_jumps([float((p.raw or 0) * base) for _, p in timed])
    step = round(usual_s / base)
    begins = [jump.number for jump in jumps]
    shifts = list(
        accumulate((round(jump.step_s / base) - step for jump in jumps), initial=0)
    )  # what lies between two runs is one usual step
    runs = [bisect_right(begins, place) for place in range(len(timed))]
    shown = [(p.shown or 0) - shifts[run] for (_, p), run in zip(timed, runs, strict=True)]
    keyframes = tuple(
        Keyframe(p.pos, number, run, p.raw, ticks)
        for (number, p), run, ticks in zip(timed, runs, shown, strict=True)
        if p.is_keyframe
    )
    starts = (shown[0], *(shown[place] for place in begins))
    pace = describe_pace([float(ticks * base) for ticks in sorted(shown)])
    return Scan(keyframes, tuple(shifts), starts, shown[0], max(shown), len(timed), usual_s, None, pace)


class StreamClock(Protocol):
    """Gives the packets of a stream times that rise."""

    def raw(self, ticks: int) -> int:
        """The stream's own ticks for rising ones, to seek by."""
        ...

    def rise(self, packet: Packet[Any]) -> bool:
        """Change the packet's times to rising ones; False where the packet lies before what was sought."""
        ...


class Steady:
    """The stream's own times rise already."""

    def raw(self, ticks: int) -> int:
        return ticks

    def rise(self, _packet: Packet[Any]) -> bool:
        return True


class Forward:
    """The clock jumps forward only, as in an MP4: a time itself says whether it lies behind a jump."""

    def __init__(self, breaks: Sequence[Break], origin_s: float, base: Fraction) -> None:
        jumps = [round(b.jump_s / base) for b in breaks]
        self._starts = [round((origin_s + b.media_s) / base) for b in breaks]
        self._shifts = list(accumulate(jumps, initial=0))
        self._bounds = [
            start + shift + jump // 2
            for start, shift, jump in zip(self._starts, self._shifts, jumps, strict=False)
        ]

    def raw(self, ticks: int) -> int:
        return ticks + self._shifts[bisect_right(self._starts, ticks)]

    def rise(self, packet: Packet[Any]) -> bool:
        if packet.pts is not None:
            packet.pts -= self._shifts[bisect_right(self._bounds, packet.pts)]
        if packet.dts is not None:
            packet.dts -= self._shifts[bisect_right(self._bounds, packet.dts)]
        return True


class Tabled:
    """The clock goes back, or there is none: times follow from the order of packets, counted from a known keyframe."""

    def __init__(self, table: Scan, base: Fraction) -> None:
        self.table = table
        """All packets, as they were read once."""
        self._base = base
        self._longest_s = longest_step_s(table.usual_s)
        self._ticks = [keyframe.ticks for keyframe in table.keyframes]
        self.restart()

    def restart(self) -> None:
        """The packets that come next are the first of the file."""
        self._sought: Keyframe | None = None
        self._run = self._number = 0
        self._before: int | None = None

    def seek(self, keyframe: Keyframe) -> None:
        """The packets that come next begin at or before the keyframe."""
        self._sought = keyframe

    def before(self, ticks: int) -> Keyframe | None:
        """The last keyframe that is not after some rising ticks; the first where all are."""
        keyframes = self.table.keyframes
        return keyframes[max(0, bisect_right(self._ticks, ticks) - 1)] if keyframes else None

    def raw(self, ticks: int) -> int:
        return ticks

    def rise(self, packet: Packet[Any]) -> bool:
        own = packet.dts if packet.dts is not None else packet.pts
        if self._sought is not None and not self._is_sought(packet, own, self._sought):
            return False
        if self.table.hz is not None:
            packet.pts, packet.dts = None, round(self._number / (self.table.hz * self._base))
            self._number += packet.size > 0
            return True
        if own is None:
            return True
        if self._before is not None:
            step_s = float((own - self._before) * self._base)
            self._run += step_s > self._longest_s or step_s < -LEAST_S
        self._before = own
        shift = self.table.shifts[min(self._run, len(self.table.shifts) - 1)]
        packet.pts = packet.pts - shift if packet.pts is not None else None
        packet.dts = packet.dts - shift if packet.dts is not None else None
        return True

    def _is_sought(self, packet: Packet[Any], own: int | None, sought: Keyframe) -> bool:
        same = packet.pos == sought.pos if sought.pos is not None else own == sought.raw
        if not (packet.is_keyframe and same):
            return False
        self._sought, self._before = None, None
        self._run, self._number = sought.run, sought.number
        return True
