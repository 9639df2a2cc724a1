"""Piled goods: objects without a name on a footway, and what only looks like them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from judged import Thing, camera, point, series, zone

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import Box
from detector.core.values import Image, Incident, Violation, ZoneKind
from detector.decoding.view import packed
from detector.judging.judge import judge

EVERY_S = 270.0
RULE = RuleSettings(
    Violation.PILED_GOODS,
    True,
    1800.0,
    (ZoneKind.SIDEWALK, ZoneKind.TACTILE_PATH),
    exempt_zones=(ZoneKind.PARKING_BAY,),
)
FOOTWAY = zone("footway", ZoneKind.SIDEWALK, ((0.1, 0.4), (0.9, 0.4), (0.9, 0.95), (0.1, 0.95)))
PILE: Box = (0.4, 0.55, 0.5, 0.7)
WALKER: Thing = ("person", (0.7, 0.5, 0.75, 0.7), 0.8)
BESIDE: Thing = ("person", (0.51, 0.5, 0.56, 0.7), 0.8)
THERE = range(5, 19)


def ground() -> Image:
    coarse = np.random.default_rng(3).integers(110, 150, (45, 80, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (640, 360), interpolation=cv2.INTER_CUBIC), np.uint8)


GROUND = ground()


def judged(
    there: Collection[int] = THERE,
    box: Box = PILE,
    others: Sequence[Thing] = (),
    *more: object,
    rule: RuleSettings = RULE,
) -> list[Incident]:
    """What is suspected of boxes painted over the ground in some of 24 pictures; `others` are seen in all of them."""
    x1, y1, x2, y2 = (round(v * size) for v, size in zip(box, (640, 360) * 2, strict=True))
    seen = []
    for i, observation in enumerate(series([others] * 24, every_s=EVERY_S)):
        picture = GROUND.copy()
        if i in there:
            picture[y1:y2, x1:x2] = (40, 90, 60)
            picture[y1 : y1 + 12, x1:x2] = (30, 30, 160)
        seen.append(replace(observation, picture=packed(picture)))
    seen_by = camera(*(more or (FOOTWAY,)))  # type: ignore[arg-type]
    return list(judge(seen, point(seen_by), seen_by, RuleSet({rule.violation: rule})).incidents)


def test_goods_that_are_put_on_a_footway_are_found_with_their_size_in_heights_of_a_person() -> None:
    (incident,) = judged(others=[WALKER])
    assert incident.violation is Violation.PILED_GOODS
    assert incident.box == pytest.approx(PILE, abs=0.02)
    assert incident.note == "goods on the footway, 0.8 of a person's height high and 0.9 wide"
    assert "高约为人身高的0.8倍" in incident.note_zh
    assert incident.stay is not None
    assert incident.stay.absent_before is not None


def test_where_nobody_passes_the_size_is_not_told_and_only_what_is_wide_counts() -> None:
    (incident,) = judged()
    assert "nobody passed" in incident.note
    assert judged(box=(0.4, 0.65, 0.44, 0.7)) == []


def test_what_is_of_the_size_of_litter_is_not_piled_goods() -> None:
    assert judged(box=(0.4, 0.65, 0.44, 0.7), others=[WALKER]) == []


def test_goods_that_are_gone_within_the_limit_are_not_found() -> None:
    assert judged(range(8, 13)) == []


@pytest.mark.parametrize(
    "other",
    [
        BESIDE,
        ("car", (0.38, 0.5, 0.52, 0.72), 0.1),
        ("bicycle", (0.4, 0.56, 0.5, 0.71), 0.3),
    ],
)
def test_what_somebody_attends_or_a_vehicle_or_bicycle_covers_is_not(other: Thing) -> None:
    assert judged(others=[other]) == []


def test_a_tactile_path_goes_before_the_footway_around_it() -> None:
    path = zone("blind", ZoneKind.TACTILE_PATH, ((0.47, 0.4), (0.52, 0.4), (0.52, 0.95), (0.47, 0.95)))
    (incident,) = judged(THERE, PILE, [WALKER], FOOTWAY, path)
    assert incident.zone_id == "blind"
    assert incident.note.startswith("goods on the tactile path")
    assert "占用盲道" in incident.note_zh


def test_goods_in_a_bay_are_exempt() -> None:
    bay = zone("bay", ZoneKind.PARKING_BAY, ((0.35, 0.4), (0.6, 0.4), (0.6, 0.95), (0.35, 0.95)))
    assert judged(THERE, PILE, [WALKER], FOOTWAY, bay) == []


def test_goods_that_always_stood_there_are_not_found() -> None:
    assert judged(range(24), others=[WALKER]) == []
