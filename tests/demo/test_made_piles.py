"""Made piles of goods: what is true of each case."""

from __future__ import annotations

import pytest

from detector.core.values import Violation
from detector.demo.cases import CASES, make_scene
from detector.demo.piles import LIMITS_S
from detector.demo.scene import truth

PILED = {"piled": "footway", "piled-crowd": "footway", "piled-cleared": "footway", "piled-tactile": "tactile"}
NONE_PILED = tuple(name for name in CASES if name.startswith("piled") and name not in PILED)


@pytest.mark.parametrize("name", PILED)
@pytest.mark.parametrize("seed", range(5000, 5005))
def test_goods_that_are_piled_are_one_event_longer_than_the_limit(name: str, seed: int) -> None:
    (event,) = truth(make_scene(name, seed))
    assert event.violation is Violation.PILED_GOODS
    assert event.zone == PILED[name]
    assert event.until_s - event.from_s > LIMITS_S[Violation.PILED_GOODS]


@pytest.mark.parametrize("name", NONE_PILED)
@pytest.mark.parametrize("seed", range(5000, 5005))
def test_what_only_looks_like_piled_goods_is_no_event(name: str, seed: int) -> None:
    assert not truth(make_scene(name, seed))
