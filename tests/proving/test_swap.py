"""One vehicle after another of the same make, in another colour or in the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from street import Street, Thing, seconds

from detector.core.values import Image, Proof
from detector.proving import prove as proving
from detector.proving.prove import Dropped, prove
from detector.proving.verdict import verdicts_on


@dataclass
class Repainted(Street):
    """A street where what stands in SPOT is of one make, painted anew from a second on, as another or by light alone."""

    again_s: float = 396.0
    paint: tuple[float, float, float] = (0.88, 1.0, 1.08)

    def picture(self, at_s: float) -> Image:
        image = super().picture(at_s)
        if at_s >= self.again_s and any(t.is_there(at_s) for t in self.things):
            x1, y1, x2, y2 = self.things[0].pixels()
            painted = image[y1:y2, x1:x2] * np.array(self.paint)
            image[y1:y2, x1:x2] = np.clip(painted, 0, 255).astype(np.uint8)
        return image


def verdict(*things: Thing) -> Proof | Dropped:
    street = Repainted(things)
    with street.looker() as looker:
        return prove(street.suspicion(), looker, street)


def test_two_of_one_make_neither_beyond_the_limit_are_dropped() -> None:
    assert isinstance(verdict(Thing(1, 230, 394), Thing(1, 398, 560)), Dropped)


def test_of_two_of_one_make_the_one_that_stands_longer_is_timed_for_itself() -> None:
    found = verdict(Thing(1, 250, 394), Thing(1, 398, 800))
    assert isinstance(found, Proof)
    assert seconds(found.incident.interval.start) == pytest.approx(398, abs=1.2)
    assert seconds(found.incident.interval.end) == pytest.approx(800, abs=1.2)


def test_one_vehicle_on_which_the_light_changes_is_one() -> None:
    found = verdict(Thing(1, 250, 700))
    assert isinstance(found, Proof)
    assert seconds(found.incident.interval.start) == pytest.approx(250, abs=1.2)
    assert seconds(found.incident.interval.end) == pytest.approx(700, abs=1.2)


def test_without_looking_at_paint_the_two_would_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "swapped", lambda *_: None)
    found = verdict(Thing(1, 230, 394), Thing(1, 398, 560))
    assert isinstance(found, Proof)


@pytest.mark.parametrize(
    "paint", [(0.88, 1.0, 1.08), (1.0, 1.0, 1.0)], ids=["in another colour", "in the same"]
)
def test_two_of_one_make_that_both_stand_too_long_are_two(paint: tuple[float, float, float]) -> None:
    street = Repainted((Thing(1, 250, 462), Thing(1, 476, 700)), again_s=470, paint=paint)
    with street.looker() as looker:
        found = [verdict for _, verdict in verdicts_on(street.suspicion(), looker, street)]
    proofs = sorted((v.incident.interval for v in found if isinstance(v, Proof)), key=lambda i: i.start)
    times = [(seconds(interval.start), seconds(interval.end)) for interval in proofs]
    assert times == [pytest.approx((250, 462), abs=1.2), pytest.approx((476, 700), abs=1.2)]


def test_one_that_came_before_the_first_look_and_went_before_a_twin_came_is_found_too() -> None:
    street = Repainted((Thing(1, 10, 222), Thing(1, 228, 700)), again_s=225)
    with street.looker() as looker:
        found = [v for _, v in verdicts_on(street.suspicion(first_s=50), looker, street)]
    proofs = sorted((v.incident.interval for v in found if isinstance(v, Proof)), key=lambda i: i.start)
    times = [(seconds(interval.start), seconds(interval.end)) for interval in proofs]
    assert times == [pytest.approx((10, 222), abs=1.2), pytest.approx((228, 700), abs=1.2)]
