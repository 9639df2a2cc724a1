"""A suspicion looked at closer: one object or several, since when, until when."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from street import LIMIT_S, SPOT, START, Street, Thing, moment, seconds

from detector.core.times import Interval
from detector.core.values import Frame, Incident, Proof, Violation
from detector.proving import prove as proving
from detector.proving.looker import Looker
from detector.proving.prove import Dropped, prove
from detector.proving.verdict import verdicts_on

PASSER = (0.38, 0.3, 0.62, 0.7)


def looked_at(street: Street, incident: Incident | None = None) -> Proof | Dropped:
    with street.looker() as looker:
        return prove(incident or street.suspicion(), looker, street)


def proven(street: Street, incident: Incident | None = None) -> Proof:
    verdict = looked_at(street, incident)
    assert isinstance(verdict, Proof), verdict
    return verdict


def dropped(street: Street, incident: Incident | None = None) -> Dropped:
    verdict = looked_at(street, incident)
    assert isinstance(verdict, Dropped), verdict
    return verdict


@settings(
    max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # each takes a tenth of a second
@example(60.0, 539.0, 19.0)
@example(59.0, 200.0, 19.0)
@example(20.0, 239.0, 3.0)
@given(st.floats(20, 300), st.floats(200, 800), st.floats(0, 53))
def test_arrival_and_departure_are_found_to_a_second(
    arrives_s: float, stands_s: float, first_s: float
) -> None:
    leaves_s = min(arrives_s + stands_s, 1150)
    street = Street([Thing(1, arrives_s, leaves_s)])
    proof = proven(street, street.suspicion(first_s=first_s))
    start_s, end_s = seconds(proof.incident.interval.start), seconds(proof.incident.interval.end)
    assert arrives_s - 0.11 <= start_s <= arrives_s + 1.1
    assert leaves_s - 1.1 <= end_s <= leaves_s + 0.11
    assert proof.start_uncertainty_s <= 1.0
    assert proof.end_uncertainty_s <= 1.0
    assert proof.similarity >= 0.6


def test_a_recording_with_a_picture_every_five_seconds_is_as_sure_as_it_can_be() -> None:
    street = Street([Thing(1, 102, 698)], fps=0.2, keyframe_s=5.0)
    proof = proven(street)
    assert seconds(proof.incident.interval.start) == 105
    assert seconds(proof.incident.interval.end) == pytest.approx(695, abs=5)
    assert 1 < proof.start_uncertainty_s <= 5


def test_an_object_that_stood_for_hours_before_it_was_noticed_is_followed_all_the_way_back() -> None:
    street = Street([Thing(1, 100, 30_000)], duration_s=30_000)
    late = street.suspicion()
    assert late.stay is not None
    stay = replace(late.stay, sightings=late.stay.sightings[-6:], absent_before=late.stay.sightings[-7].at)
    proof = proven(street, replace(late, stay=stay, interval=Interval(*stay.seen)))
    assert seconds(proof.incident.interval.start) == pytest.approx(100, abs=1.2)


def test_a_proof_takes_few_pictures() -> None:
    street = Street([Thing(1, 100, 700)])
    proven(street)
    assert street.decoded < 120


@pytest.mark.parametrize("stands_s", [200.0, 400.0, 900.0])
def test_the_stills_show_it_three_times_and_more_further_apart_than_the_limit(stands_s: float) -> None:
    proof = proven(Street([Thing(1, 100, 100 + stands_s)]))
    moments = [still.at for still in proof.stills]
    assert len(moments) >= 3
    assert moments == sorted(set(moments))
    assert (moments[-1] - moments[0]).total_seconds() > LIMIT_S
    assert all(100 <= seconds(at) < 100 + stands_s for at in moments)
    assert all(still.box == pytest.approx(SPOT) for still in proof.stills)
    assert all(isinstance(still.frame, Frame) for still in proof.stills)


def test_where_somebody_walks_past_as_it_leaves_the_last_picture_is_the_nearest_that_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    street = Street([Thing(1, 250, 530), Thing(2, 527, 529, box=PASSER, label="")])
    ends = {-1: (moment(250), 1.0), 1: (moment(528), 1.0)}
    monkeypatch.setattr(proving, "_bisect", lambda _stand, _looker, _missed_at, edge: ends[edge])
    stills = proven(street).stills
    assert stills[0].at == moment(250)
    assert 490 <= seconds(stills[-1].at) < 527


def test_a_stay_over_the_whole_recording_starts_and_ends_with_it_and_says_that_more_is_not_known() -> None:
    street = Street([Thing(1, -100, 5000)])
    proof = proven(street)
    assert proof.incident.interval.start == START
    assert seconds(proof.incident.interval.end) == pytest.approx(street.duration_s, abs=1.0)
    assert proof.start_uncertainty_s == math.inf


def test_an_object_that_leaves_before_the_limit_is_dropped_and_the_reason_kept() -> None:
    street = Street([Thing(1, 100, 250)])
    reason = dropped(street).reason
    assert reason.startswith("the same object stood for 1")
    assert reason.endswith("the limit is 180 s")


def test_different_objects_one_after_the_other_in_one_place_are_dropped() -> None:
    row = [Thing(i + 1, 100 + 40 * i, 139 + 40 * i) for i in range(15)]
    assert "object" in dropped(Street(row)).reason


def called_a_boat(street: Street) -> list[Proof | Dropped]:
    suspicion = street.suspicion()
    assert suspicion.stay is not None
    sightings = tuple(replace(s, label="boat") for s in suspicion.stay.sightings)
    with street.looker() as looker:
        boat = replace(suspicion, stay=replace(suspicion.stay, sightings=sightings))
        return [verdict for _, verdict in verdicts_on(boat, looker, street)]


def test_what_is_never_called_a_vehicle_must_have_come_or_gone() -> None:
    (never,) = called_a_boat(Street([Thing(1, 0, 1200)]))
    assert isinstance(never, Dropped)
    assert "never called a vehicle" in never.reason
    for came in (Thing(1, 0, 700), Thing(1, 500, 1200)):
        assert isinstance(called_a_boat(Street([came]))[0], Proof)
    in_turn = called_a_boat(Street([Thing(1, 0, 500), Thing(2, 500, 1200)]))
    assert [isinstance(one, Proof) for one in in_turn] == [True, True]


def test_of_two_objects_one_after_the_other_only_the_one_that_stands_counts() -> None:
    proof = proven(Street([Thing(1, 100, 200), Thing(2, 201, 700)]))
    assert seconds(proof.incident.interval.start) == pytest.approx(201, abs=1.2)
    assert seconds(proof.incident.interval.end) == pytest.approx(700, abs=1.2)


def test_two_objects_of_which_neither_stands_beyond_the_limit_are_dropped() -> None:
    assert "limit" in dropped(Street([Thing(1, 100, 240), Thing(2, 242, 380)])).reason


@pytest.mark.parametrize("hidden_s", [(300.0, 330.0), (300.0, 360.0), (300.0, 390.0)])
def test_an_object_hidden_for_up_to_90_seconds_is_one(hidden_s: tuple[float, float]) -> None:
    hidden = Thing(99, *hidden_s, box=PASSER, label="bus")
    proof = proven(Street([Thing(1, 100, 700), hidden]))
    assert seconds(proof.incident.interval.start) == pytest.approx(100, abs=1.2)
    assert seconds(proof.incident.interval.end) == pytest.approx(700, abs=1.2)


def test_an_object_that_leaves_and_is_replaced_by_another_behind_a_passer_by_is_not_one() -> None:
    hidden = Thing(99, 298, 305, box=PASSER, label="bus")
    proof = proven(Street([Thing(1, 100, 300), Thing(2, 300, 800), hidden]))
    assert seconds(proof.incident.interval.start) >= 299
    assert seconds(proof.incident.interval.end) == pytest.approx(800, abs=1.2)


@pytest.mark.parametrize("at_s", [99.0, 104.0])
def test_a_passer_by_at_the_moment_of_arrival_does_not_move_it_far(at_s: float) -> None:
    walker = Thing(99, at_s, at_s + 4, box=PASSER, label="person")
    start_s = seconds(proven(Street([Thing(1, 100, 700), walker])).incident.interval.start)
    assert 99.8 <= start_s <= at_s + 6


def test_an_object_that_stood_before_the_first_look_that_missed_it_is_followed_back() -> None:
    street = Street([Thing(1, 100, 1000)])
    late = street.suspicion()
    assert late.stay is not None
    stay = replace(late.stay, sightings=late.stay.sightings[6:], absent_before=late.stay.sightings[5].at)
    proof = proven(street, replace(late, stay=stay, interval=Interval(*stay.seen)))
    assert seconds(proof.incident.interval.start) == pytest.approx(100, abs=1.2)


def test_a_stay_over_two_recordings_with_a_short_gap_is_one() -> None:
    street = Street([Thing(1, 100, 1000)])
    whole = street.recording()
    cut, gap = moment(600), timedelta(seconds=2)
    first = replace(whole, path="a.mp4", interval=Interval(whole.interval.start, cut))
    second = replace(whole, path="b.mp4", interval=Interval(cut + gap, whole.interval.end))

    class Second:
        def frame_at(
            self, offset_s: float, tolerance_s: float = 0.0, fit_wh: tuple[int, int] | None = None
        ) -> object:
            frame = street.frame_at(offset_s + 602, tolerance_s)
            return replace(frame, offset_s=frame.offset_s - 602) if isinstance(frame, Frame) else frame

        def close(self) -> None:
            """Nothing is open."""

    parts = [(first, first.interval), (second, second.interval)]
    with Looker(parts, lambda recording: street if recording.path == "a.mp4" else Second()) as looker:
        proof = prove(street.suspicion(), looker, street)
    assert isinstance(proof, Proof)
    assert seconds(proof.incident.interval.start) == pytest.approx(100, abs=1.2)
    assert seconds(proof.incident.interval.end) == pytest.approx(1000, abs=1.2)
    assert {still.recording.path for still in proof.stills} == {"a.mp4", "b.mp4"}


def test_what_no_picture_shows_is_dropped() -> None:
    street = Street([Thing(1, 100, 700)])
    incident = street.suspicion()
    with Looker([], lambda _: street) as looker:
        assert isinstance(prove(incident, looker, street), Dropped)


def test_a_fault_of_the_view_is_shown_by_pictures_without_a_box() -> None:
    street = Street([])
    fault = Incident(
        Violation.CAMERA_FAULT, "p001", "c1", None, Interval(START, moment(600)), 0.0, None, 0.0, 1.0
    )
    proof = proven(street, fault)
    assert len(proof.stills) == 4
    assert [still.box for still in proof.stills] == [None] * 4
    assert proof.explanation.endswith("the view could not be judged for 10 min")


def test_an_explanation_says_how_long_and_how_much() -> None:
    proof = proven(Street([Thing(1, 100, 532)]))
    assert "90 % of its ground contact inside, limit 3 min" in proof.explanation
    assert "接地部分90%位于区域内, 时限3分" in proof.explanation_zh


@pytest.mark.parametrize("at_s", [302.0, 303.5])
def test_somebody_whom_the_model_does_not_see_walks_past_for_a_second_and_ends_no_stay(at_s: float) -> None:
    passes = [Thing(9, at_s + k * 4.0, at_s + k * 4.0 + 1.2, PASSER, "") for k in range(30)]
    proof = proven(Street([Thing(1, 60.0, 640.0), *passes]))
    assert seconds(proof.incident.interval.start) == pytest.approx(60.0, abs=1.1)
    assert seconds(proof.incident.interval.end) == pytest.approx(640.0, abs=1.1)


def test_a_place_that_is_open_to_view_for_longer_ends_a_stay() -> None:
    verdict = looked_at(Street([Thing(1, 60.0, 200.0), Thing(1, 206.0, 340.0)]))
    assert isinstance(verdict, Dropped)


def test_a_vehicle_half_hidden_by_what_the_model_does_not_see_stands_on() -> None:
    half = (0.4, 0.3, 0.51, 0.7)
    proof = proven(Street([Thing(1, 60.0, 640.0), Thing(9, 280.0, 330.0, half, "")]))
    assert proof.incident.dwell_s == pytest.approx(580.0, abs=2.2)
