"""The state of a camera's day: not recorded, not scanned, scanned in part, not judged, nothing found, or found. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum

SLACK_S = 2.0
"""Recorders leave seams between files: so much unscanned time does not make a day scanned in part."""

SLACK_SHARE = 0.001
"""And so large a part of what is recorded, where that is more."""

HOUR_S = 3600.0


class DayState(StrEnum):
    """What may be said of a day, or of a part of it. Only NOTHING_FOUND is an all-clear."""

    NOT_RECORDED = "not_recorded"
    """Its folder was looked through after the day, and holds no file of it."""
    NOT_SCANNED = "not_scanned"
    """Recordings that no scan has judged, or a folder that nobody has looked through since."""
    IN_PART = "in_part"
    """Some of what is recorded is judged, the rest is not scanned or could not be judged."""
    NOT_JUDGED = "not_judged"
    """Scanned, but unreadable, without a usable view, or under example zones that nobody has confirmed."""
    NOTHING_FOUND = "nothing_found"
    """All that is recorded was judged; no issue."""
    FOUND = "found"
    """All that is recorded was judged; issues began on the day."""

    @property
    def en(self) -> str:
        return WORDS[self][0]

    @property
    def zh(self) -> str:
        return WORDS[self][1]


WORDS: dict[DayState, tuple[str, str]] = {
    DayState.NOT_RECORDED: ("not recorded", "无录像"),
    DayState.NOT_SCANNED: ("not scanned", "未扫描"),
    DayState.IN_PART: ("scanned in part", "部分扫描"),
    DayState.NOT_JUDGED: ("could not be judged", "无法判定"),
    DayState.NOTHING_FOUND: ("nothing found", "未发现问题"),
    DayState.FOUND: ("issues found", "发现问题"),
}
"""What every page and paper calls each state, in English and Chinese."""


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What is known of one camera's local day, or of the part of it that is over. Durations are in seconds.

    `looked_s`, `blind_s` and `judged_s` are parts of `recorded_s`; `blind_s` and `judged_s` share no time.
    """

    expected_s: float
    """How long the day is, or was until now."""
    recorded_s: float = 0.0
    """Covered by readable recordings."""
    looked_s: float = 0.0
    """Sampled by a scan, usable or not."""
    blind_s: float = 0.0
    """Of that, without a usable view or readable picture."""
    judged_s: float = 0.0
    """Of the rest, judged to the end by a scan."""
    unreadable: int = 0
    """Files of the day that cannot be read, or not yet."""
    surveyed: bool = True
    """Whether the camera's folder was looked through after the day ended."""
    zones_judged: bool = True
    """False where the camera's zones are examples that nobody has confirmed."""

    @property
    def unjudged_s(self) -> float:
        """Scanned, but no scan can judge it: no usable view, or example zones."""
        pending_s = 0.0 if self.zones_judged else self.looked_s - self.blind_s - self.judged_s
        return self.blind_s + max(0.0, pending_s)

    @property
    def unscanned_s(self) -> float:
        """Recorded, and the next scan would judge it."""
        return max(0.0, self.recorded_s - self.judged_s - self.unjudged_s)

    @property
    def slack_s(self) -> float:
        """So much time may be missing from a whole."""
        return max(SLACK_S, SLACK_SHARE * self.recorded_s)


def day_state(facts: DayFacts, issues: int = 0) -> DayState:
    """The state of one camera's day on which so many issues began."""
    if facts.recorded_s <= 0:
        if facts.unreadable:
            return DayState.NOT_JUDGED
        return DayState.NOT_RECORDED if facts.surveyed else DayState.NOT_SCANNED
    nearly_all_s = facts.recorded_s - min(facts.slack_s, facts.recorded_s / 2)
    if facts.unscanned_s >= nearly_all_s:
        return DayState.NOT_SCANNED
    if facts.unjudged_s >= nearly_all_s:
        return DayState.NOT_JUDGED
    whole = facts.judged_s >= nearly_all_s and facts.surveyed and not facts.unreadable
    if not whole:
        return DayState.IN_PART
    return DayState.FOUND if issues else DayState.NOTHING_FOUND


def combined(states: Iterable[DayState]) -> DayState:
    """The state of several cameras or days together; of none, NOT_SCANNED.

    It is NOTHING_FOUND or FOUND only where all of them were wholly judged.
    """
    found = set(states)
    if len(found) == 1:
        return found.pop()
    if found and found <= {DayState.NOTHING_FOUND, DayState.FOUND}:
        return DayState.FOUND
    for nothing_judged in (DayState.NOT_SCANNED, DayState.NOT_JUDGED):
        if found <= {nothing_judged, DayState.NOT_RECORDED}:
            return nothing_judged
    return DayState.IN_PART


def state_of(days: Iterable[DayFacts], issues: int = 0) -> DayState:
    """The state of several cameras or days together on which so many issues began."""
    state = combined(day_state(one) for one in days)
    return DayState.FOUND if issues and state is DayState.NOTHING_FOUND else state


def sum_of(days: Iterable[DayFacts]) -> DayFacts:
    """The facts of several cameras or days added up, for figures; `surveyed` and `zones_judged` where all are."""
    held = list(days)
    amounts = {
        field.name: sum(getattr(one, field.name) for one in held)
        for field in fields(DayFacts)
        if field.name not in ("surveyed", "zones_judged")
    }
    return DayFacts(
        **amounts,
        surveyed=all(one.surveyed for one in held),
        zones_judged=all(one.zones_judged for one in held),
    )


def part_en(facts: DayFacts) -> str:
    """Which part of a day was judged, such as '2.0 of 4.0 h recorded are judged; 1.0 h not scanned'."""
    told = [f"{_h(facts.judged_s)} of {_h(facts.recorded_s)} h recorded are judged"]
    told += [f"{_h(facts.unscanned_s)} h not scanned"] if facts.unscanned_s > facts.slack_s else []
    told += [f"{_h(facts.unjudged_s)} h could not be judged"] if facts.unjudged_s > facts.slack_s else []
    told += [f"{facts.unreadable} files unreadable"] if facts.unreadable else []
    told += [] if facts.surveyed else ["newer recordings not scanned"]
    return "; ".join(told)


def part_zh(facts: DayFacts) -> str:
    """As `part_en`, in Chinese."""
    told = [f"有录像{_h(facts.recorded_s)}小时，已判定{_h(facts.judged_s)}小时"]
    told += [f"未扫描{_h(facts.unscanned_s)}小时"] if facts.unscanned_s > facts.slack_s else []
    told += [f"无法判定{_h(facts.unjudged_s)}小时"] if facts.unjudged_s > facts.slack_s else []
    told += [f"{facts.unreadable}个文件无法读取"] if facts.unreadable else []
    told += [] if facts.surveyed else ["之后的录像未扫描"]
    return "，".join(told)


def _h(seconds: float) -> str:
    """Hours; those of a short stretch to the hundredth, so that it is not 0.0."""
    hours = seconds / HOUR_S
    return f"{hours:.1f}" if hours >= 1 or hours == 0 else f"{hours:.2f}"
