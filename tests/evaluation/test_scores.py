"""Laws of matching and of the figures that follow."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from detector.config.labels import LabelledEvent
from detector.core.geometry import Box
from detector.core.values import Violation
from detector.evaluation.scores import Finding, Tally, match, tally

VIOLATIONS = (Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING)
BOXES = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 4), st.integers(1, 4)).map(
    lambda b: (b[0] / 12, b[1] / 12, (b[0] + b[2]) / 12, (b[1] + b[3]) / 12)
)
SPANS = st.tuples(st.integers(0, 90), st.integers(1, 60)).map(lambda s: (float(s[0]), float(s[0] + s[1])))


def event(violation: Violation, zone: str, span: tuple[float, float], box: Box) -> LabelledEvent:
    return LabelledEvent(
        violation=violation,
        zone_id=zone,
        from_s=span[0],
        until_s=span[1],
        box=box,
        start_tolerance_s=0.5,
        what="",
    )


def finding(violation: Violation, zone: str, span: tuple[float, float], box: Box) -> Finding:
    return Finding(violation=violation, zone_id=zone, from_s=span[0], until_s=span[1], box=box)


PARTS = st.tuples(st.sampled_from(VIOLATIONS), st.sampled_from(["kerb", "footway"]), SPANS, BOXES)
EVENTS = st.lists(PARTS.map(lambda p: event(*p)), max_size=6)
FINDINGS = st.lists(PARTS.map(lambda p: finding(*p)), max_size=6)


def total(findings: Sequence[Finding], events: Sequence[LabelledEvent]) -> Tally:
    matching = match(findings, events)
    return sum((tally(v, findings, events, matching) for v in VIOLATIONS), Tally())


@given(findings=FINDINGS, events=EVENTS)
def test_no_more_is_matched_than_there_are_events_or_incidents_and_figures_are_shares(
    findings: list[Finding], events: list[LabelledEvent]
) -> None:
    figures = total(findings, events)
    assert (figures.events, figures.incidents) == (len(events), len(findings))
    assert figures.matched + figures.duplicates <= len(findings)
    assert figures.matched <= min(len(findings), len(events))
    assert all(0 <= share <= 1 for share in (figures.precision, figures.recall, figures.f1))


@given(findings=FINDINGS, events=EVENTS)
def test_only_what_agrees_in_violation_zone_and_time_is_matched_and_each_once(
    findings: list[Finding], events: list[LabelledEvent]
) -> None:
    pairs = match(findings, events).pairs
    assert len({f for f, _ in pairs}) == len({e for _, e in pairs}) == len(pairs)
    for f, e in pairs:
        found, true = findings[f], events[e]
        assert (found.violation, found.zone_id) == (true.violation, true.zone_id)
        assert max(found.from_s, true.from_s) < min(found.until_s, true.until_s)


@given(findings=FINDINGS, events=EVENTS, chance=st.randoms(use_true_random=False))
def test_the_order_of_findings_and_events_changes_no_count(
    findings: list[Finding], events: list[LabelledEvent], chance: object
) -> None:
    figures = total(findings, events)
    mixed, shuffled = list(findings), list(events)
    chance.shuffle(mixed)
    chance.shuffle(shuffled)
    other = total(mixed, shuffled)
    assert (other.matched, other.events, other.incidents) == (
        figures.matched,
        figures.events,
        figures.incidents,
    )


@given(events=EVENTS)
def test_perfect_findings_have_an_f1_of_one_and_no_error_of_time(events: list[LabelledEvent]) -> None:
    perfect = [finding(e.violation, e.zone_id, (e.from_s, e.until_s), e.box) for e in events]
    figures = total(perfect, events)
    assert (figures.precision, figures.recall, figures.f1, figures.duplicates) == (1, 1, 1, 0)
    assert figures.matched == len(events)


@given(events=EVENTS.filter(len))
def test_finding_nothing_has_a_recall_of_zero_and_raises_no_false_alarm(events: list[LabelledEvent]) -> None:
    figures = total([], events)
    assert (figures.recall, figures.precision, figures.f1, figures.matched) == (0, 1, 0, 0)


@given(findings=FINDINGS, events=EVENTS, more=FINDINGS)
def test_more_findings_never_match_less(
    findings: list[Finding], events: list[LabelledEvent], more: list[Finding]
) -> None:
    assert total([*findings, *more], events).matched >= total(findings, events).matched


def test_the_second_finding_of_one_event_is_a_duplicate_and_a_far_one_a_false_alarm() -> None:
    place, elsewhere = (0.1, 0.1, 0.3, 0.3), (0.7, 0.7, 0.9, 0.9)
    true = event(VIOLATIONS[0], "kerb", (0, 60), place)
    findings = [finding(VIOLATIONS[0], "kerb", (0, 60), box) for box in (place, place, elsewhere)]
    figures = total(findings, [true])
    assert (figures.matched, figures.duplicates, figures.incidents) == (1, 1, 3)
