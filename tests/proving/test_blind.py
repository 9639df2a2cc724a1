"""What a stay may be claimed through, and what not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detector.core.times import Interval
from detector.core.values import Recording, RecordingState
from detector.proving import prove
from detector.proving.looker import Looker

START = datetime(2026, 1, 8, 2, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def looker(blind: Interval | None) -> Looker:
    whole = Interval(START, at(3600))
    recording = Recording("c", "r.mp4", 1, 1, whole, RecordingState.READABLE)
    return Looker([(recording, whole)], lambda _: pytest.fail("looked"), blind=[blind] if blind else [])


def views_of(alike: dict[datetime, float], eyes: Looker) -> prove._Views:
    """Views of which it is known how alike they are, instead of pictures."""

    class Views(prove._Views):
        def alike(self, reference: datetime, at: datetime) -> float:
            return alike[at]

    moments = sorted(alike)
    return Views((0, 0, 1, 1), eyes, moments, 0.0, {}, {moment: moment for moment in moments})


def span(
    alike: dict[int, float], blind: Interval | None, empty: frozenset[int] = frozenset()
) -> tuple[float, float]:
    moments = {at(second): value for second, value in alike.items()}
    gone = {at(second) for second in empty}
    views = views_of(moments, looker(blind))
    there, _, _ = prove._unbroken(at(0), views, views.looker, lambda t: t in gone, lambda *_: None)
    return (there[0] - START).total_seconds(), (there[-1] - START).total_seconds()


AROUND = {**dict.fromkeys(range(0, 120, 10), 0.9), 300: 0.3, **dict.fromkeys(range(430, 600, 10), 0.9)}


def test_an_object_that_is_itself_before_and_after_a_blind_stretch_stood_through_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert span(AROUND, Interval(at(115), at(425))) == (0, 590)
    monkeypatch.setattr(prove, "BRIDGED_S", 0.0)
    assert span(AROUND, Interval(at(115), at(425))) == (0, 110)


def test_without_a_reason_to_be_unseen_an_object_is_not_claimed_through_a_gap() -> None:
    assert span(AROUND, None) == (0, 110)


def test_nothing_is_claimed_through_a_blind_stretch_after_which_the_place_is_empty() -> None:
    before = {second: value for second, value in AROUND.items() if second < 120}
    after = dict.fromkeys(range(430, 600, 10), 0.1)
    assert span(before | after, Interval(at(115), at(425)), frozenset(range(430, 600))) == (0, 110)


def test_where_the_place_was_seen_empty_the_object_left_before_that() -> None:
    moments = {at(0): 0.9, at(10): 0.9, at(20): 0.1, at(30): 0.9}
    views = views_of(moments, looker(None))
    there, left, _ = prove._unbroken(at(0), views, views.looker, lambda t: t == at(20), lambda *_: None)
    assert there == [at(0), at(10)]
    assert left == {prove._Edge.DEPARTURE: at(20)}
