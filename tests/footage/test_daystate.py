"""The state of a day: three words that never stand for each other, and an all-clear only where all was judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.footage.daystate import (
    WORDS,
    DayFacts,
    DayState,
    combined,
    day_state,
    part_en,
    part_zh,
    state_of,
    sum_of,
)

DAY = 86_400.0
HOUR = 3600.0
CLEAN = DayFacts(DAY, recorded_s=4 * HOUR, looked_s=4 * HOUR, judged_s=4 * HOUR)

shares = st.floats(0, 1)


@st.composite
def facts(draw: st.DrawFn) -> DayFacts:
    recorded_s = draw(st.one_of(st.just(0.0), st.floats(1, DAY)))
    looked_s = recorded_s * draw(shares)
    blind_s = looked_s * draw(shares)
    return DayFacts(
        DAY,
        recorded_s,
        looked_s,
        blind_s,
        (looked_s - blind_s) * draw(shares),
        draw(st.integers(0, 2)),
        surveyed=draw(st.booleans()),
        zones_judged=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("known", "issues", "state"),
    [
        (DayFacts(DAY), 0, DayState.NOT_RECORDED),
        (DayFacts(DAY, surveyed=False), 0, DayState.NOT_SCANNED),
        (DayFacts(DAY, unreadable=1), 0, DayState.NOT_JUDGED),
        (DayFacts(DAY, recorded_s=4 * HOUR), 0, DayState.NOT_SCANNED),
        (DayFacts(DAY, recorded_s=4 * HOUR, looked_s=4 * HOUR), 0, DayState.NOT_SCANNED),
        (DayFacts(DAY, 4 * HOUR, 4 * HOUR, zones_judged=False), 0, DayState.NOT_JUDGED),
        (DayFacts(DAY, 4 * HOUR, 2 * HOUR, zones_judged=False), 0, DayState.IN_PART),
        (DayFacts(DAY, 4 * HOUR, 4 * HOUR, blind_s=4 * HOUR), 0, DayState.NOT_JUDGED),
        (DayFacts(DAY, 4 * HOUR, 4 * HOUR, HOUR, 3 * HOUR), 0, DayState.IN_PART),
        (DayFacts(DAY, 4 * HOUR, 3 * HOUR, 0, 3 * HOUR), 0, DayState.IN_PART),
        (DayFacts(DAY, 4 * HOUR, 3 * HOUR, 0, 3 * HOUR), 7, DayState.IN_PART),
        (CLEAN, 0, DayState.NOTHING_FOUND),
        (CLEAN, 1, DayState.FOUND),
        (replace(CLEAN, judged_s=CLEAN.judged_s - 2), 0, DayState.NOTHING_FOUND),
        (replace(CLEAN, unreadable=1), 0, DayState.IN_PART),
        (replace(CLEAN, surveyed=False), 0, DayState.IN_PART),
    ],
)
def test_a_day_has_the_state_that_its_facts_allow(known: DayFacts, issues: int, state: DayState) -> None:
    assert day_state(known, issues) is state


@given(known=facts(), issues=st.integers(0, 3))
def test_an_all_clear_needs_every_recorded_minute_judged(known: DayFacts, issues: int) -> None:
    state = day_state(known, issues)
    if state in (DayState.NOTHING_FOUND, DayState.FOUND):
        assert known.judged_s >= known.recorded_s - known.slack_s
        assert known.recorded_s > 0
        assert known.surveyed
        assert not known.unreadable
        assert (state is DayState.FOUND) == bool(issues)
    if state is DayState.NOT_RECORDED:
        assert known.recorded_s == 0
        assert known.surveyed
    if state is DayState.NOT_SCANNED:
        assert known.judged_s <= max(known.slack_s, known.recorded_s / 2)


@given(days=st.lists(facts(), min_size=1, max_size=4))
def test_several_cameras_are_all_clear_only_where_each_is(days: list[DayFacts]) -> None:
    states = [day_state(one) for one in days]
    whole = combined(states)
    assert (whole is DayState.NOTHING_FOUND) == all(one is DayState.NOTHING_FOUND for one in states)
    assert combined(reversed(states)) is whole
    assert combined([*states, *states]) is whole
    assert state_of(days, issues=1) is (DayState.FOUND if whole is DayState.NOTHING_FOUND else whole)
    assert sum_of(days).recorded_s == pytest.approx(sum(one.recorded_s for one in days))


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([], DayState.NOT_SCANNED),
        (["not_recorded", "not_scanned"], DayState.NOT_SCANNED),
        (["not_recorded", "not_judged"], DayState.NOT_JUDGED),
        (["not_recorded", "nothing_found"], DayState.IN_PART),
        (["nothing_found", "found"], DayState.FOUND),
        (["not_scanned", "found"], DayState.IN_PART),
    ],
)
def test_mixed_days_are_never_called_more_than_they_are(states: list[str], whole: DayState) -> None:
    assert combined(map(DayState, states)) is whole


def test_each_state_has_a_word_of_its_own_in_both_languages() -> None:
    assert set(WORDS) == set(DayState)
    assert len({en for en, _ in WORDS.values()}) == len({zh for _, zh in WORDS.values()}) == len(DayState)
    told = (DayState.NOT_SCANNED, DayState.NOT_RECORDED, DayState.NOTHING_FOUND)
    assert [one.zh for one in told] == ["未扫描", "无录像", "未发现问题"]


def test_a_day_in_part_says_which_part() -> None:
    known = DayFacts(DAY, 4 * HOUR, 3 * HOUR, HOUR, 1.9 * HOUR, unreadable=1, surveyed=False)
    assert part_en(known) == (
        "1.9 of 4.0 h recorded are judged; 1.1 h not scanned; 1.0 h could not be judged; 1 files unreadable; "
        "newer recordings not scanned"
    )
    assert part_zh(known) == (
        "有录像4.0小时，已判定1.9小时，未扫描1.1小时，无法判定1.0小时，1个文件无法读取，之后的录像未扫描"
    )
