"""Which time a recording covers: its name, the next file, its container and its pictures' times, reconciled.

Precedence, first to last:

1. **The name's start** is the recording's start. Nothing moves it.
2. **The name's end** bounds the recording. Where the name has no end, the start of the camera's next file stands for
   it if a reading of the container agrees with that to EXACT_S, and bounds a recording whose clock jumps.
3. **Breaks.** Where the stream's clock jumps or goes back, each break is either a hole (no pictures for so long) or an
   error of the clock (the pictures go on at once): whichever makes the recording last as long as its name says. If
   no choice does, the first run begins at the start, the last one ends at the end, and what cannot be placed is a gap.
   Without an end, a forward jump of at most LONGEST_HOLE_S is a hole, and every other break an error of the clock.
4. **The rate.** Where the container lasts longer or shorter than the name and the picture rate that the video stream
   states explains it, or nothing contradicts it, times are spread evenly over the name's interval. Where the stream's
   rate confirms the container's clock, or the container breaks off, what is missing at the end is a gap, and what is
   too much is left out. Pictures without times are counted, and spread over the name's interval.
   Where the clock runs unevenly and the stated rate explains the number of pictures, they are counted.
5. **The beginning.** Pictures that cannot be decoded, an empty edit, or sound before the first picture are a gap at the
   beginning if the name's length agrees, or if there is none to compare with.

Times that agree to EXACT_S are left as they are. All else is reported in `Placed.reason`. Pure: no file, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from detector.core.timeline import TINY_S, Break, Piece, Timeline
from detector.core.values import MediaInfo

EXACT_S = 2.0
"""Names have whole seconds, and recorders cut at keyframes: to so many seconds two lengths are the same."""

OVERLAP_S = 10.0
OVERLAP_SHARE = 0.05
"""A recording that its stream's rate confirms may be longer or shorter than its name by so much (the larger of the two):
recorders begin before and end after what a name says. What is too long is left out."""

MOST_RATE = 2.5
"""A container's clock that runs more than so many times as fast as the recorder's, or as slow, is not believed to: the
container is cut at the name's end, or breaks off before it."""

SAME_RATE = 0.02
"""Two picture rates, or lengths, that differ by at most this share are the same."""

DOUBTFUL_RATE = 0.4
"""Where nothing gives an end, rates that differ by at most this share are told of; twice or half the rate is how streams
count fields, or a camera that drops pictures."""

EXPLAINED = 3.0
"""The rate that a stream states explains a length if it is so many times as near to the name as the container's is."""

LITTLE_SHARE = 0.01
"""A difference of at most this share of the name's interval is no reason to read a file whole, nor, where its stream states
no rate, to spread its times."""

LONGEST_HOLE_S = 300.0
"""Where no end is known, a clock that jumps further ahead was set; pictures are not missing for so long in one file."""

LONGEST_LATE_S = 30.0
"""Where no end is known, video that begins so late at most is late; a clock that begins later begins anywhere."""

MOST_MISSING_SHARE = 0.25
"""If more than this share of the name's interval is missing, the run behind a break is not placed at the name's end."""

MOST_BREAKS = 10
"""Of so many breaks every choice of holes is tried."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a recording's length apart from its container, in seconds after its start.

    `named_s` is its end by its name; `next_s` the start of the camera's next file, and `next_long_s` how long that file
    is by its container. `is_final` is False while the recorder may still be writing.
    """

    named_s: float | None = None
    next_s: float | None = None
    next_long_s: float | None = None
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """A recording on the recorder's clock. It covers [0, `covers_s`) after its start.

    `timeline` is None where offsets are seconds after the first picture, at the container's rate. `reason` says in one
    line where the container disagrees with the name or lacks pictures; '' where nothing is to be said. `is_short` is
    True where a part of the recording is missing.
    """

    covers_s: float
    timeline: Timeline | None = None
    reason: str = ""
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """Why a recording's pictures cannot be given times."""

    reason: str


def reconcile(info: MediaInfo, bounds: Bounds) -> Placed | Unplaceable:
    """Where a container's pictures lie on the recorder's clock."""
    if not info.timed and bounds.named_s is None and info.stated_hz is None:
        return Unplaceable(
            "its pictures carry no times, the stream states no picture rate, and its name gives no end; a name with start "
            "and end, such as ch01_20260108080000_20260108080400.264, gives the rate"
        )
    layout = _place_beginning(info, bounds)
    layout = _place_runs(layout, bounds) if info.breaks else _apply_rate(layout, bounds)
    layout = _cut_at_end(layout, bounds)
    return _finish(layout, bounds)


def disagrees(info: MediaInfo, bounds: Bounds) -> bool:
    """Whether a container is so far from its bounds that it is worth reading whole for breaks."""
    end_s = bounds.named_s if bounds.named_s is not None else bounds.next_s
    if end_s is None or not bounds.is_final:
        return False
    lasts_s, much_s = info.lead_s + info.duration_s, max(OVERLAP_S, LITTLE_SHARE * end_s)
    too_long = lasts_s > end_s + much_s
    return too_long or (bounds.named_s is not None and lasts_s < end_s - much_s)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Pieces so far, and what there is to say of them."""

    info: MediaInfo
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...] = ()
    is_short: bool = False
    keeps_holes: bool = False
    """Whether every break is a hole, so that the stream's own times serve."""

    @property
    def ends_s(self) -> float:
        return self.pieces[-1].until_s

    def noting(self, note: str, *, is_short: bool = False) -> _Layout:
        return replace(self, notes=(*self.notes, note), is_short=self.is_short or is_short)

    def spread(self, rate: float) -> _Layout:
        """All times divided by a rate."""
        pieces = (Piece(p.at_s / rate, p.media_s, p.length_s, p.rate * rate) for p in self.pieces)
        return replace(self, pieces=tuple(pieces))


def _place_beginning(info: MediaInfo, bounds: Bounds) -> _Layout:
    """The container as it is, behind the gap that it begins with."""
    lead_s = info.lead_s + _choose_delay(info, bounds)
    layout = _Layout(info, (Piece(lead_s, 0.0, info.duration_s),))
    if info.lead_s:
        layout = layout.noting(
            f"its first {info.lead_s:.1f} s cannot be decoded: they come before the first keyframe"
        )
    if lead_s > info.lead_s:
        layout = layout.noting(f"its video begins {lead_s - info.lead_s:.1f} s after its start")
    return layout


def _choose_delay(info: MediaInfo, bounds: Bounds) -> float:
    """How much of what the container says of a late beginning is believed."""
    with_s = info.lead_s + info.duration_s + sum(jump.jump_s for jump in info.breaks) + info.late_s
    if bounds.named_s is not None:
        return info.late_s if _is_nearer(with_s, with_s - info.late_s, bounds.named_s) else 0.0
    if bounds.next_s is not None:
        if abs(with_s - bounds.next_s) <= EXACT_S:
            return info.late_s
        if abs(with_s - info.late_s - bounds.next_s) <= EXACT_S:
            return 0.0
    return info.late_s if info.late_s <= LONGEST_LATE_S else 0.0


def _is_nearer(value: float, other: float, wanted: float) -> bool:
    return abs(value - wanted) < abs(other - wanted)


def _apply_rate(layout: _Layout, bounds: Bounds) -> _Layout:
    """Without breaks: at the container's rate, or spread over the interval that the name gives."""
    end_s = bounds.named_s
    if end_s is None:
        return _apply_rate_by_next(layout, bounds)
    if not layout.info.timed:
        return _spread_counted(layout, end_s)
    if paced := _apply_pace(layout, end_s, "its name"):
        return paced
    total_s = layout.ends_s
    if abs(total_s - end_s) <= EXACT_S or (total_s < end_s and not bounds.is_final):
        return layout
    if not _is_spread(layout.info, total_s, end_s):
        return layout
    note = f"it lasts {total_s:.0f} s by its container and {end_s:.0f} s by its name; times are spread over the {end_s:.0f} s"
    if unsure_s := _measure_unevenness_s(layout.info, end_s):
        note += f", but its clock does not run evenly, so that a time may be wrong by up to {unsure_s:.0f} s"
    return layout.spread(total_s / end_s).noting(note)


def _apply_pace(layout: _Layout, end_s: float, what: str) -> _Layout | None:
    """Pictures counted where the clock runs unevenly and their number, at the stated rate, makes the length that is known."""
    info = layout.info
    if not (info.pace and info.stated_hz) or info.lead_s or info.late_s:
        return None
    (before_s, before), (last_s, last) = info.pace[-2:]
    if not _is_same((last + 1) / info.stated_hz, end_s) or _measure_unevenness_s(info, end_s) <= EXACT_S:
        return None
    per_picture_s = end_s / (last + 1)
    ends = [*(media_s for media_s, _ in info.pace[1:-1]), last_s + (last_s - before_s) / (last - before)]
    pieces = tuple(
        Piece(
            number * per_picture_s, media_s, until_s - media_s, (until_s - media_s) / (count * per_picture_s)
        )
        for (media_s, number), until_s, count in zip(info.pace, ends, _count_between(info.pace), strict=False)
        if until_s - media_s > TINY_S
    )
    note = f"its clock does not run evenly; its pictures are counted, and spread over the {end_s:.0f} s as {what} says"
    return replace(layout, pieces=pieces).noting(note)


def _count_between(pace: Sequence[tuple[float, int]]) -> list[int]:
    """How many pictures lie between one place and the next; the last picture belongs to the last stretch."""
    counts = [after - before for (_, before), (_, after) in pairwise(pace)]
    return [*counts[:-1], counts[-1] + 1]


def _measure_unevenness_s(info: MediaInfo, end_s: float) -> float:
    """How far spread times may be wrong where a clock runs unevenly: by how much times and numbers of pictures differ."""
    if not info.pace:
        return 0.0
    last_s, last = info.pace[-1]
    return max(abs(media_s / last_s - number / last) for media_s, number in info.pace) * end_s


def _is_spread(info: MediaInfo, total_s: float, end_s: float) -> bool:
    """Whether the container's clock ran at another rate than the recorder's."""
    rate = total_s / end_s
    stated = info.measured_hz / info.stated_hz if info.measured_hz and info.stated_hz else None
    if stated is not None and _is_explained(total_s, stated, end_s):
        return True
    if not 1 / MOST_RATE <= rate <= MOST_RATE:
        return False
    if stated is None and abs(total_s - end_s) <= LITTLE_SHARE * end_s:
        return False
    confirmed = stated is not None and abs(stated - 1) <= SAME_RATE
    if rate < 1:
        return info.complete and not confirmed
    return not confirmed or total_s - end_s > _allow_overlap_s(end_s)


def _is_explained(total_s: float, stated: float, end_s: float) -> bool:
    """Whether the rate that the stream states makes the length that of the name, and the container's does not."""
    corrected_s = total_s * stated
    return _is_same(corrected_s, end_s) and abs(corrected_s - end_s) < abs(total_s - end_s) / EXPLAINED


def _is_same(length_s: float, other_s: float) -> bool:
    return abs(length_s - other_s) <= max(EXACT_S, SAME_RATE * other_s)


def _allow_overlap_s(length_s: float) -> float:
    return max(OVERLAP_S, OVERLAP_SHARE * length_s)


def _spread_counted(layout: _Layout, end_s: float) -> _Layout:
    """Pictures without times, spread over the name's interval where that gives a rate of cameras."""
    info, total_s = layout.info, layout.ends_s
    rate = total_s / end_s
    if info.stated_hz is not None and not 1 / MOST_RATE <= rate <= MOST_RATE:
        return _note_stated_rate(layout)
    hz = (info.measured_hz or 0.0) * rate
    note = f"its pictures carry no times; {hz:.4g} a second follow from its name"
    return layout.spread(rate).noting(note)


def _note_stated_rate(layout: _Layout) -> _Layout:
    return layout.noting(
        f"its pictures carry no times; they are counted at {layout.info.stated_hz:.4g} a second, as the stream states"
    )


def _apply_rate_by_next(layout: _Layout, bounds: Bounds) -> _Layout:
    """The name gives no end: the container's rate, unless the stream's rate and the next file agree on another."""
    info, next_s, total_s = layout.info, bounds.next_s, layout.ends_s
    if not info.timed:
        return _note_stated_rate(layout)
    if next_s is not None and (paced := _apply_pace(layout, next_s, "the next file")):
        return paced
    if not (info.measured_hz and info.stated_hz) or (next_s is not None and total_s <= next_s + EXACT_S):
        return _note_doubtful_rate(layout)
    stated = info.measured_hz / info.stated_hz
    if next_s is None or not _is_explained(total_s, stated, next_s):
        return _note_doubtful_rate(layout)
    note = f"it lasts {total_s:.0f} s by its container, but the next file begins after {next_s:.0f} s; times are spread over those"
    return layout.spread(total_s / next_s).noting(note)


def _note_doubtful_rate(layout: _Layout) -> _Layout:
    """At the container's rate; where the stream states another and nothing tells which is right, that is said."""
    info, total_s = layout.info, layout.ends_s
    if not (info.measured_hz and info.stated_hz):
        return layout
    apart = abs(info.measured_hz / info.stated_hz - 1)
    if not SAME_RATE < apart <= DOUBTFUL_RATE or apart * total_s <= EXACT_S:
        return layout
    return layout.noting(
        f"its times make {info.measured_hz:.4g} pictures a second and its stream states {info.stated_hz:.4g}; nothing says "
        f"which is right, so times may be up to {apart * total_s:.0f} s off"
    )


def _place_runs(layout: _Layout, bounds: Bounds) -> _Layout:
    """With breaks: as holes and as errors of the clock."""
    for end_s, what in ((bounds.named_s, "its name"), (bounds.next_s, "the next file")):
        if end_s is None or (what == "the next file" and bounds.named_s is not None):
            continue
        holes = _choose_holes(layout, end_s)
        if holes is not None:
            return _lay_runs(layout, holes).noting(_describe_breaks(layout.info, holes, f"as {what} says"))
    if bounds.named_s is not None:
        return _place_runs_by_name(layout, bounds.named_s)
    holes = tuple(0 < jump.jump_s <= LONGEST_HOLE_S for jump in layout.info.breaks)
    return _lay_runs(layout, holes).noting(
        _describe_breaks(layout.info, holes, "nothing says how long the break was")
    )


def _choose_holes(layout: _Layout, end_s: float) -> tuple[bool, ...] | None:
    """Which breaks are holes so that the recording ends at `end_s`: none, all, or the fewest; None where no choice fits."""
    breaks = layout.info.breaks
    forward = [k for k, jump in enumerate(breaks) if jump.jump_s > 0]
    sizes = [0, len(forward), *range(1, len(forward))] if len(breaks) <= MOST_BREAKS else [0, len(forward)]
    for size in sizes:
        for chosen in combinations(forward, size):
            if abs(layout.ends_s + sum(breaks[k].jump_s for k in chosen) - end_s) <= EXACT_S:
                return tuple(k in chosen for k in range(len(breaks)))
    return None


def _lay_runs(layout: _Layout, holes: Sequence[bool]) -> _Layout:
    """The runs one after another, with a hole at each break that is one."""
    pieces: list[Piece] = []
    at_s = layout.pieces[0].at_s
    for jump, (media_s, length_s) in zip([None, *range(len(holes))], _split_runs(layout.info), strict=True):
        at_s += layout.info.breaks[jump].jump_s if jump is not None and holes[jump] else 0.0
        if length_s > TINY_S:
            pieces.append(Piece(at_s, media_s, length_s))
        at_s += length_s
    keeps = all(holes)
    short = layout.is_short or any(holes)
    return replace(layout, pieces=tuple(pieces), keeps_holes=keeps, is_short=short)


def _split_runs(info: MediaInfo) -> Iterator[tuple[float, float]]:
    """Media time and length of each stretch between two breaks."""
    ends = [*(jump.media_s for jump in info.breaks), info.duration_s]
    start_s = 0.0
    for end_s in ends:
        yield start_s, max(0.0, end_s - start_s)
        start_s = max(start_s, end_s)


def _describe_breaks(info: MediaInfo, holes: Sequence[bool], why: str) -> str:
    told = [
        f"{_describe_jump(jump)}, {'pictures are missing for so long' if hole else 'the pictures go on at once'}"
        for jump, hole in zip(info.breaks[:3], holes, strict=False)
    ]
    more = f", and {len(info.breaks) - 3} more breaks" if len(info.breaks) > 3 else ""
    return f"{'; '.join(told)}{more} ({why})"


def _describe_jump(jump: Break) -> str:
    way = "jumps ahead by" if jump.jump_s > 0 else "goes back by"
    return f"its clock {way} {abs(jump.jump_s):.0f} s after {jump.media_s:.0f} s"


def _place_runs_by_name(layout: _Layout, end_s: float) -> _Layout:
    """No choice of holes makes the recording as long as its name: spread, or gaps where nothing can be placed."""
    info = layout.info
    joined = _lay_runs(layout, [False] * len(info.breaks))
    told = _describe_breaks(info, [False] * len(info.breaks), "which its name does not explain")
    if joined.ends_s > end_s:
        if joined.ends_s / end_s > MOST_RATE:
            return joined.noting(told)
        note = f"{told}; it lasts {joined.ends_s:.0f} s without its jumps and {end_s:.0f} s by its name; times are spread over those"
        return joined.spread(joined.ends_s / end_s).noting(note)
    first, last, missing_s = joined.pieces[0], joined.pieces[-1], end_s - joined.ends_s
    kept: tuple[Piece, ...] = (first,)
    if last is not first and missing_s <= MOST_MISSING_SHARE * end_s:
        kept = (first, replace(last, at_s=last.at_s + missing_s))
    lost_s = sum(p.length_s for p in joined.pieces) - sum(p.length_s for p in kept)
    note = f"{_describe_jump(info.breaks[0])}, and {missing_s:.0f} s of the {end_s:.0f} s in its name are missing"
    if lost_s > TINY_S:
        note += f"; {lost_s:.0f} s of pictures cannot be placed"
    return replace(joined, pieces=kept, keeps_holes=False).noting(note, is_short=True)


def _cut_at_end(layout: _Layout, bounds: Bounds) -> _Layout:
    """Nothing lies behind the end of the name, nor, where a clock jumps or runs far over it, behind the next file's start."""
    end_s, note = bounds.named_s, "its name"
    if end_s is None and _is_bound_by_next(layout, bounds):
        end_s, note = bounds.next_s, "the next file's start"
    if end_s is None or layout.ends_s <= end_s + TINY_S:
        return layout
    over_s = layout.ends_s - end_s
    cut = [
        replace(p, length_s=min(p.length_s, (end_s - p.at_s) * p.rate))
        for p in layout.pieces
        if p.at_s < end_s - TINY_S
    ]
    if not cut:
        # All pictures lie behind the end: the container's beginning cannot be believed either.
        first = layout.pieces[0]
        cut = [replace(first, at_s=0.0, length_s=min(first.length_s, end_s * first.rate))]
    layout = replace(layout, pieces=tuple(cut))
    if over_s <= EXACT_S:
        return layout
    return layout.noting(f"it runs {over_s:.0f} s over {note}; what lies behind is left out")


def _is_bound_by_next(layout: _Layout, bounds: Bounds) -> bool:
    next_s = bounds.next_s
    if next_s is None or layout.ends_s <= next_s + EXACT_S:
        return False
    within = bounds.next_long_s is not None and next_s + bounds.next_long_s <= layout.ends_s + EXACT_S
    if within:  # a copy or a part of this recording, unless its clock is known to jump
        return bool(layout.info.breaks) and next_s > layout.ends_s / 2
    return layout.ends_s - next_s > _allow_overlap_s(next_s)


def _finish(layout: _Layout, bounds: Bounds) -> Placed:
    info, pieces, notes = layout.info, layout.pieces, list(layout.notes)
    covers_s, is_short = layout.ends_s, layout.is_short
    if ends := _describe_end(layout, bounds):
        notes.append(ends)
        is_short = is_short or info.truncated or _is_much_short(layout, bounds)
    plain = (
        len(pieces) == 1
        and pieces[0].at_s < TINY_S
        and pieces[0].rate == 1.0
        and info.timed
        and pieces[0].media_s < TINY_S
        and (layout.keeps_holes or not info.breaks)
    )
    if plain:
        return Placed(covers_s, None, "; ".join(notes), is_short)
    return Placed(covers_s, _make_timeline(layout), "; ".join(notes), is_short)


def _make_timeline(layout: _Layout) -> Timeline:
    info, pieces = layout.info, layout.pieces
    hz = None if info.timed else info.measured_hz
    if not layout.keeps_holes:
        return Timeline(info.start_s, pieces, info.breaks, hz)
    # The stream's own times serve: media time with the holes left in.
    ahead = {p: sum(b.jump_s for b in info.breaks if b.media_s <= p.media_s + TINY_S) for p in pieces}
    return Timeline(info.start_s, tuple(replace(p, media_s=p.media_s + ahead[p]) for p in pieces), (), hz)


def _describe_end(layout: _Layout, bounds: Bounds) -> str:
    """What is missing at the end."""
    lasts_s = layout.ends_s
    if bounds.named_s is not None and bounds.named_s - lasts_s > EXACT_S:
        if _is_much_short(layout, bounds):
            return f"breaks off after {lasts_s:.0f} s of the {bounds.named_s:.0f} s in its name"
        return f"ends {bounds.named_s - lasts_s:.0f} s before the end in its name"
    return f"breaks off after {lasts_s:.0f} s" if layout.info.truncated else ""


def _is_much_short(layout: _Layout, bounds: Bounds) -> bool:
    return bounds.named_s is not None and bounds.named_s - layout.ends_s > _allow_overlap_s(bounds.named_s)
