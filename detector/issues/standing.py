"""What is said of an object that was seen again after time without recordings, or for days, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from detector.core.times import Interval, subtract
from detector.core.values import Violation
from detector.core.wording import duration_en, duration_zh

LONG_S = 86400.0
"""A vehicle that was seen in one place over more seconds may be abandoned: its explanation says so."""

VEHICLES = frozenset({Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING})


def standing_en(seen: Sequence[Interval], violation: Violation, zone: tzinfo, last: str) -> str:
    """Such as 'a vehicle in one place for more than a day, perhaps abandoned: seen from A to B ...'.

    `seen` is every stretch in which it was seen, in order; `last` the explanation of the newest proof.
    """
    whole = Interval(seen[0].start, seen[-1].end)
    kind = (
        "a vehicle in one place for more than a day, perhaps abandoned: "
        if _is_long(whole, violation)
        else ""
    )
    first, end = _moment(whole.start, zone), _moment(whole.end, zone)
    return f"{kind}first seen {first}, last seen {end}{_gaps_en(seen, whole)}; the last time: {last}"


def standing_zh(seen: Sequence[Interval], violation: Violation, zone: tzinfo, last: str) -> str:
    whole = Interval(seen[0].start, seen[-1].end)
    kind = "同一车辆在原处停放超过一天, 疑似长期停放或废弃车辆: " if _is_long(whole, violation) else ""
    first, end = _moment(whole.start, zone), _moment(whole.end, zone)
    return f"{kind}首次见到{first}, 最后见到{end}{_gaps_zh(seen, whole)}; 最近一次: {last}"


def needs_account(seen: Sequence[Interval], violation: Violation) -> bool:
    """Whether an explanation of one proof would say too little, or too much."""
    return len(seen) > 1 or _is_long(Interval(seen[0].start, seen[-1].end), violation)


def _is_long(whole: Interval, violation: Violation) -> bool:
    return violation in VEHICLES and whole.duration_s > LONG_S


def _moment(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S} UTC{offset[:3]}:{offset[3:]}"


def _gaps_en(seen: Sequence[Interval], whole: Interval) -> str:
    if not (unseen_s := _unseen_s(seen, whole)):
        return ""
    total = duration_en(whole.duration_s - unseen_s)
    return (
        f", in the same place and of the same appearance in {len(seen)} stretches of recordings, {total} in all; for "
        f"{duration_en(unseen_s)} between them there are no recordings, or they do not tell"
    )


def _gaps_zh(seen: Sequence[Interval], whole: Interval) -> str:
    if not (unseen_s := _unseen_s(seen, whole)):
        return ""
    total = duration_zh(whole.duration_s - unseen_s)
    return f", {len(seen)}段录像中位置、外观一致, 累计可见{total}; 其间{duration_zh(unseen_s)}无录像或录像无法判定"


def _unseen_s(seen: Sequence[Interval], whole: Interval) -> float:
    return sum(gap.duration_s for gap in subtract(whole, seen))
