"""Two rule sets, made hours, and mechanisms switched off: what is compared and how."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored import BOX, clip, event, finding, score

from detector.config.rules import RuleSet
from detector.config.settings import default_rules
from detector.core.errors import BadInput
from detector.core.times import Interval
from detector.core.values import Incident, Proof, Violation
from detector.demo.cases import CASES, STRETCHES
from detector.evaluation.ablation import ABLATIONS, ablated, judged_apart, without
from detector.evaluation.compare import changed_rules, differences
from detector.evaluation.evaluate import Apart, Evaluation, limits_of
from detector.evaluation.kept import _remembered, _told
from detector.evaluation.made import STRETCH_SHARE, filling
from detector.proving.prove import Dropped

PARKING = Violation.ILLEGAL_PARKING


def _with(**changed) -> RuleSet:
    rules = default_rules().rules
    return RuleSet({**rules, PARKING: replace(rules[PARKING], **changed)})


def test_a_clip_s_own_limits_hold_but_where_the_two_rule_sets_say_different_things() -> None:
    these, labelled = default_rules(), clip(limits={"illegal_parking": {"dwell_s": 30.0}})
    assert limits_of(labelled, these).rules[PARKING].dwell_s == 30
    assert limits_of(labelled, _with(min_share=0.7), these).rules[PARKING].dwell_s == 30
    assert limits_of(labelled, _with(min_share=0.7), these).rules[PARKING].min_share == 0.7
    assert limits_of(labelled, _with(dwell_s=240.0), these).rules[PARKING].dwell_s == 240
    assert not limits_of(labelled, _with(enabled=False), these).rules[PARKING].enabled
    assert not limits_of(labelled, _with(dwell_s=240.0), these).rules[Violation.SIDEWALK_PARKING].enabled


def test_what_two_rule_sets_say_differently_is_named() -> None:
    assert changed_rules(default_rules(), _with(dwell_s=240.0)) == ["illegal_parking.dwell_s: 180 -> 240"]
    assert changed_rules(default_rules(), default_rules()) == []
    fewer = {v: rule for v, rule in default_rules().rules.items() if v is not PARKING}
    assert changed_rules(default_rules(), RuleSet(fewer)) == ["illegal_parking: not in the other rules"]


def test_an_incident_of_one_rule_set_alone_is_a_difference_and_says_whether_it_is_true() -> None:
    labelled = clip((event(0, 300),))
    these = Evaluation((score(labelled, (finding(1, 300),)),))
    other = Evaluation((score(labelled, (finding(2000, 2300),)),))
    assert [(d.appeared, d.true, d.from_s) for d in differences(these, other)] == [
        (False, True, 1),
        (True, False, 2000),
    ]
    assert differences(these, these) == []


START = datetime(2026, 1, 8, tzinfo=UTC)


def _suspicion(limit_s: float) -> Incident:
    interval = Interval(START, START + timedelta(seconds=400))
    return Incident(PARKING, "p", "c", "kerb", interval, limit_s, BOX, 0.9, 0.8)


@given(limit_s=st.floats(1, 1000), other_s=st.floats(1, 1000), dwell_s=st.floats(1, 1000))
def test_a_remembered_proof_holds_up_to_its_own_dwell(limit_s, other_s, dwell_s) -> None:
    if dwell_s <= limit_s:
        return
    refined = replace(_suspicion(limit_s), interval=Interval(START, START + timedelta(seconds=dwell_s)))
    proof = Proof(refined, (), 1.0, 1.0, 0.9, "", "")
    again = _remembered(_suspicion(other_s), _told(proof, limit_s))
    assert isinstance(again, Proof) == (refined.dwell_s > other_s)
    if isinstance(again, Proof):
        assert again.incident == replace(refined, limit_s=other_s)


def test_what_was_dropped_stays_so_under_a_longer_limit_and_is_looked_at_again_under_a_shorter_one() -> None:
    told = _told(Dropped(_suspicion(180), "the same object stood for 100 s"), 180)
    assert isinstance(_remembered(_suspicion(240), told), Dropped)
    assert _remembered(_suspicion(60), told) is None


NAMES = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.floats(60, 3600), min_size=1, max_size=6)


@given(hours=st.floats(0.1, 24), seed=st.integers(0, 10_000), cases=NAMES)
def test_made_hours_are_filled_with_different_seeds_and_a_third_of_quiet(hours, seed, cases) -> None:
    quiet = {"LONG": 3600.0}
    made = filling(hours, seed, cases, quiet)
    durations = {**cases, **quiet}
    total_s = sum(durations[one.case] for one in made)
    assert hours * 3600 <= total_s < hours * 3600 + 3600
    assert [one.seed for one in made] == list(range(seed, seed + len(made)))
    quiet_s = sum(3600.0 for one in made if one.case == "LONG")
    assert abs(quiet_s - STRETCH_SHARE * total_s) <= 3600
    assert made == filling(hours, seed, cases, quiet)


def test_two_rounds_have_every_case_by_day_and_by_night() -> None:
    durations = {name: case.duration_s for name, case in CASES.items()}
    made = filling(2 * sum(durations.values()) / 3600, 0, durations, {})
    assert {(one.case, one.night) for one in made} == {
        (name, night) for name in CASES for night in (True, False)
    }
    assert not CASES.keys() & STRETCHES.keys()


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_switches_off_what_is_there_and_on_again(name: str) -> None:
    switches = ABLATIONS[name].switches
    before = [getattr(import_module(s.module), s.name) for s in switches]
    with ablated([name]):
        off = [getattr(import_module(s.module), s.name) for s in switches]
        assert off == [s.off for s in switches]
        assert all(a != b for a, b in zip(before, off, strict=True))
    assert [getattr(import_module(s.module), s.name) for s in switches] == before
    rules_too = without(default_rules(), [name]) != default_rules()
    assert switches or rules_too or judged_apart([name]) is not Apart.NOT


def test_an_unknown_mechanism_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no mechanism 'luck'; there are appearance"), ablated(["luck"]):
        pass
