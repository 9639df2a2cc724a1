"""A card is a fault for as long as it lasts, never the usual view, and costs nothing of the pictures around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from made_cards import CARDS, STREETS

from detector.core.values import NO_CARD, NO_DETECTIONS, Observation, ViewState
from detector.decoding.view import view_state
from detector.judging.camera_fault import view_faults

START = datetime(2026, 1, 8, tzinfo=UTC)
CADENCE_S = 18.0
CARD, STREET = "blue, VIDEO LOSS", "by day"


@cache
def view(name: str, i: int) -> ViewState:
    return view_state((CARDS | STREETS)[name](i))


def looks(names: Sequence[str], begin: datetime = START) -> list[Observation]:
    return [
        Observation(
            "c", begin + timedelta(seconds=CADENCE_S * i), "r", CADENCE_S * i, NO_DETECTIONS, view(name, i)
        )
        for i, name in enumerate(names)
    ]


def told(seen: Sequence[Observation], earlier: Sequence[Observation] = ()) -> list[tuple[str, int, int]]:
    """Each fault with the first and the last look that it covers."""
    found = []
    for fault in view_faults(seen, CADENCE_S, earlier=earlier):
        inside = [i for i, o in enumerate(seen) if o.at in fault.interval]
        found.append((fault.what, inside[0], inside[-1]))
    return found


@pytest.mark.parametrize("name", CARDS)
def test_on_the_first_day_a_card_is_a_fault_and_the_street_after_it_is_the_usual_view(name: str) -> None:
    assert told(looks([name] * 8 + [STREET] * 6)) == [("no_picture", 0, 7)]


@pytest.mark.parametrize("good", [1, 3, 5])
def test_a_card_that_lasts_longer_than_the_street_does_not_make_the_street_another_view(good: int) -> None:
    seen = looks([STREET] * good + [CARD] * 20 + [STREET] * good)
    assert told(seen) == [("no_picture", good, good + 19)]


def test_a_card_that_comes_and_goes_is_a_fault_each_time_and_the_street_between_is_judged() -> None:
    seen = looks(([CARD] * 2 + [STREET] * 2) * 5)
    assert told(seen) == [("no_picture", 4 * k, 4 * k + 1) for k in range(5)]


def test_a_single_look_at_a_card_is_a_fault() -> None:
    assert told(looks([STREET] * 6 + [CARD] + [STREET] * 6)) == [("no_picture", 6, 6)]


def test_a_single_picture_between_two_cards_is_a_picture() -> None:
    assert told(looks([CARD] * 4 + [STREET] + [CARD] * 4)) == [("no_picture", 0, 3), ("no_picture", 5, 8)]


@pytest.mark.parametrize("repaired", ["by day", "noisy at night"])
def test_after_days_of_a_card_the_repaired_camera_shows_its_usual_view(repaired: str) -> None:
    yesterday = looks([CARD] * 30, START - timedelta(hours=12))
    assert told(looks([CARD] * 5 + [repaired] * 8), yesterday) == [("no_picture", 0, 4)]
    before = looks([STREET] * 10 + [CARD] * 30, START - timedelta(hours=12))
    assert told(looks([CARD] * 5 + [STREET] * 8), before) == [("no_picture", 0, 4)]


def test_another_card_after_the_first_is_the_same_fault() -> None:
    assert told(looks(["snow"] * 5 + [CARD] * 5 + ["colour bars"] * 5)) == [("no_picture", 0, 14)]


@pytest.mark.parametrize("name", STREETS)
def test_a_street_that_is_hard_to_see_is_no_card(name: str) -> None:
    assert "no_picture" not in [what for what, _, _ in told(looks([name] * 8))]


def test_looks_of_before_cards_were_told_are_judged_as_they_were() -> None:
    seen = [replace(o, view=replace(o.view, card=NO_CARD)) for o in looks([STREET] * 8 + [CARD] * 5)]
    assert "no_picture" not in [what for what, _, _ in told(seen)]


def test_an_offline_camera_in_the_dark_is_not_told_from_its_black_picture() -> None:
    """A picture without a mark on it is either; both are faults."""
    black = [view_state(np.full((360, 640, 3), 2, np.uint8)) for _ in range(5)]
    seen = [replace(o, view=black[i]) for i, o in enumerate(looks([STREET] * 5))]
    assert told(seen) == [("no_picture", 0, 4)]
