"""Copies of what a proof looked at, for the clip."""

from __future__ import annotations

import numpy as np
from street import Street, Thing, moment

from detector.proving.looker import COPIES, COPY_WH


def test_a_copy_of_a_look_at_full_size_serves_a_clip_where_it_is_near() -> None:
    street = Street([Thing(1, 100, 700)])
    with street.looker() as looker:
        looked = looker.look(moment(200.0))
        assert looked is not None
        (shown,) = looker.each([moment(203.0)], 8.0, COPY_WH)
        assert shown.at == looked.at
        assert np.array_equal(shown.frame.image, looked.frame.image), "no larger than a copy may be"
        (shown,) = looker.each([moment(205.0)], 8.0, COPY_WH)
        assert shown.at > looked.at, "too far: a keyframe within the tolerance is nearer"
        (shown,) = looker.each([moment(199.0)], 8.0, COPY_WH)
        assert shown.at < looked.at


def test_what_was_looked_at_for_another_suspicion_is_not_shown() -> None:
    street = Street([Thing(1, 100, 700)])
    with street.looker() as looker:
        looker.look(moment(200.0))
        looker.forget_copies()
        (shown,) = looker.each([moment(203.0)], 8.0, COPY_WH)
        assert shown.at != moment(200.0)


def test_a_picture_kept_from_another_suspicion_is_copied_when_it_is_asked_for_again() -> None:
    street = Street([Thing(1, 100, 700)])
    with street.looker() as looker:
        looker.look(moment(200.0))
        looker.forget_copies()
        looker.look(moment(200.0))
        assert street.decoded == 1
        (shown,) = looker.each([moment(203.0)], 8.0, COPY_WH)
        assert (shown.at, street.decoded) == (moment(200.0), 1)


def test_copies_are_bounded_and_the_newest_stay() -> None:
    street = Street([Thing(1, 100, 700)])
    with street.looker() as looker:
        for second in range(COPIES + 1):
            looker.look(moment(100.0 + second))
        decoded = street.decoded
        assert [s.at for s in looker.each([moment(101.4)], 2.0, COPY_WH)] == [moment(101.0)]
        assert street.decoded == decoded
        list(looker.each([moment(100.4)], 2.0, COPY_WH))
        assert street.decoded == decoded + 1
