"""Containers that overflow: what the classifier says at successive samples, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import START, Thing, camera, car, point, series, zone

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import Box
from detector.core.values import Incident, Violation, ZoneKind
from detector.judging.judge import judge

EVERY_S = 270.0
LIMIT_S = 1800.0
BIN: Box = (0.6, 0.5, 0.7, 0.7)
CORNERS = ((0.6, 0.5), (0.7, 0.5), (0.7, 0.7), (0.6, 0.7))
DIRTY, CLEAN = 0.8, 0.1


def judged(
    answers: Sequence[float | None], others: Sequence[Thing] = (), **changes: object
) -> list[Incident]:
    """What is suspected of a container with these probabilities; at None the classifier was not asked."""
    seen = camera(zone("bin", ZoneKind.BIN, CORNERS))
    rule = RuleSettings(Violation.OVERFLOWING_BIN, True, LIMIT_S, (ZoneKind.BIN,), min_confidence=0.5)
    looks = [[*others, *([] if p is None else [("bin", BIN, p)])] for p in answers]
    rules = RuleSet({rule.violation: replace(rule, **changes)})
    return list(judge(series(looks, every_s=EVERY_S), point(seen), seen, rules).incidents)


def test_a_container_that_stays_dirty_beyond_the_limit_is_suspected_until_it_is_emptied() -> None:
    (incident,) = judged([CLEAN] * 3 + [DIRTY] * 10 + [CLEAN] * 4)
    assert incident.violation is Violation.OVERFLOWING_BIN
    assert incident.zone_id == "bin"
    assert incident.box == pytest.approx(BIN)
    assert incident.interval.start == START + timedelta(seconds=3 * EVERY_S)
    assert incident.stay is not None
    assert incident.stay.absent_before == START + timedelta(seconds=2 * EVERY_S)
    assert incident.stay.absent_after == START + timedelta(seconds=13 * EVERY_S)


def test_one_that_is_emptied_within_the_limit_or_is_clean_is_not() -> None:
    assert judged([CLEAN] * 3 + [DIRTY] * 4 + [CLEAN] * 9) == []
    assert judged([CLEAN] * 16) == []


def test_a_single_mistake_of_the_classifier_neither_makes_nor_ends_an_incident() -> None:
    (incident,) = judged([DIRTY] * 6 + [CLEAN] + [DIRTY] * 6)
    assert incident.interval.duration_s == 12 * EVERY_S
    assert judged([CLEAN] * 6 + [DIRTY] + [CLEAN] * 6) == []


def test_two_fillings_with_an_emptying_between_are_two_incidents() -> None:
    assert len(judged([DIRTY] * 9 + [CLEAN] * 3 + [DIRTY] * 9)) == 2


def test_samples_at_which_a_vehicle_hides_the_container_say_nothing() -> None:
    assert judged([DIRTY] * 12, [car((0.58, 0.5, 0.75, 0.75))]) == []


def test_samples_at_which_the_classifier_was_not_asked_are_passed_over() -> None:
    answers = [p for _ in range(10) for p in (DIRTY, None, None)]
    (incident,) = judged(answers)
    assert incident.interval.duration_s == 27 * EVERY_S


def test_answers_about_another_container_do_not_count() -> None:
    assert judged([None] * 12, [("bin", (0.3, 0.5, 0.4, 0.7), DIRTY)]) == []


def test_the_least_probability_of_the_rule_decides_what_is_dirty() -> None:
    assert judged([0.6] * 12)
    assert judged([0.6] * 12, min_confidence=0.7) == []


@given(st.lists(st.sampled_from([DIRTY, CLEAN, None]), max_size=40))
def test_incidents_of_one_container_do_not_overlap_and_begin_and_end_dirty(
    answers: list[float | None],
) -> None:
    found = judged(answers)
    for one, next_one in pairwise(found):
        assert one.interval.end < next_one.interval.start
    for one in found:
        ends = [
            round((at - START).total_seconds() / EVERY_S) for at in (one.interval.start, one.interval.end)
        ]
        assert [answers[i] for i in ends] == [DIRTY, DIRTY]
