"""Bikes and vending: what is true of their scenes, and that the real model and rules find just that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.config.labels import LabelledClip, load_labels
from detector.config.rules import RuleSet, rules_with_limits
from detector.config.settings import default_rules
from detector.core.times import DailyHours
from detector.core.values import Camera, Category, Point, Violation, Zone, ZoneKind
from detector.demo import market
from detector.demo.cases import make_case, make_scene
from detector.demo.scene import truth
from detector.demo.sprites import Kind, wardrobe
from detector.inference.detector import Detector
from detector.pipeline.clips import Checked, check_files

pytest_plugins = ["model_fixture"]
SEED = 5
soak = pytest.mark.soak


def test_the_street_of_bikes_and_vending_has_room_for_both() -> None:
    kinds = [zone.kind for zone in market.CAMERA.zones]
    assert ZoneKind.NO_VENDING in kinds
    assert ZoneKind.PARKING_BAY in kinds


def test_there_are_five_bikes_of_different_colours_and_a_parasol() -> None:
    bikes = [sprite for sprite in wardrobe().values() if sprite.kind is Kind.BIKE]
    assert len({tuple(bike.pixels.mean(axis=(0, 1)).round(1)) for bike in bikes}) == len(bikes) == 5
    assert wardrobe()["parasol"].kind is Kind.GOODS
    assert np.array_equal(wardrobe()["parasol"].pixels, wardrobe.__wrapped__()["parasol"].pixels)


def test_bikes_are_true_from_the_third_that_comes_to_the_third_last_that_goes() -> None:
    scene = make_scene("bikes", SEED)
    stands = [next(a.stands()) for a in scene.actors if a.sprite.startswith("bike-")]
    (event,) = truth(scene)
    assert event.violation is Violation.DISORDERLY_BIKES
    assert event.zone == "footway"
    assert event.from_s == sorted(stand[0] for stand in stands)[2]
    assert event.until_s == sorted(stand[1] for stand in stands)[-3]


def test_two_bikes_are_no_event() -> None:
    scene = make_scene("bikes", SEED)
    bikes = [a for a in scene.actors if a.sprite.startswith("bike-")]
    assert not truth(replace(scene, actors=tuple(bikes[:2])))


def test_bikes_in_a_bay_are_an_event_where_there_is_no_bay() -> None:
    scene = make_scene("bikes-in-bay", SEED)
    zones = tuple(zone for zone in scene.camera.zones if zone.kind is not ZoneKind.PARKING_BAY)
    assert not truth(scene)
    assert len(truth(replace(scene, camera=replace(scene.camera, zones=zones)))) == 1


def test_vending_in_permitted_hours_is_an_event_where_it_is_not_permitted() -> None:
    scene = make_scene("vending-permitted", SEED)
    zones = tuple(replace(zone, permitted=()) for zone in scene.camera.zones)
    assert not truth(scene)
    (event,) = truth(replace(scene, camera=replace(scene.camera, zones=zones)))
    assert event.violation is Violation.STREET_VENDING


def checked(name: str, detector: Detector, folder: Path, seed: int = SEED) -> tuple[LabelledClip, Checked]:
    clip = load_labels(make_case(name, seed, folder, fps=1.0)).clips[0]
    return clip, check(clip, folder, detector)


def check(clip: LabelledClip, folder: Path, detector: Detector, *, rules: RuleSet | None = None) -> Checked:
    zone = clip.starts_at.tzinfo
    assert zone is not None
    camera = Camera("clip", clip.zones, zone, clip.resolution_wh)
    point = Point("clip", "某街", "Some street", Category.ARTERIAL, (camera,))
    rules = rules_with_limits(rules or default_rules(), clip.limits)
    return check_files([folder / name for name in clip.files], clip.starts_at, point, camera, rules, detector)


def in_daylight(zone: Zone) -> Zone:
    return replace(zone, permitted=(DailyHours.parse("00:00-24:00"),))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bikes", pytest.param("vending-van", marks=soak), "vending-stall"])
def test_the_real_model_finds_what_is_true_within_two_seconds(
    name: str, model: Detector, tmp_path: Path
) -> None:
    clip, found = checked(name, model, tmp_path)
    (event,) = clip.events
    (proof,) = found.proofs
    incident = proof.incident
    assert (incident.violation, incident.zone_id) == (event.violation, event.zone_id)
    assert abs((incident.interval.start - clip.starts_at).total_seconds() - event.from_s) <= 2
    assert abs((incident.interval.end - clip.starts_at).total_seconds() - event.until_s) <= 2
    kind = {
        "bikes": "outside the bays",
        "vending-van": "mobile vendor with a vehicle",
        "vending-stall": "mobile vendor",
    }
    assert kind[name] in proof.explanation
    permitted = replace(clip, zones=tuple(in_daylight(zone) for zone in clip.zones))
    assert not check(permitted, tmp_path, model).proofs


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "bikes-in-bay",
        "vending-rest",
        *(pytest.param(f"vending-{n}", marks=soak) for n in ("walkers", "waiting")),
    ],
)
def test_the_real_model_leaves_alone_what_is_none(name: str, model: Detector, tmp_path: Path) -> None:
    clip, found = checked(name, model, tmp_path)
    assert not clip.events
    assert not found.proofs


@pytest.mark.slow
def test_a_night_market_in_its_hours_is_left_alone_and_would_be_found_without_them(
    model: Detector, tmp_path: Path
) -> None:
    clip, found = checked("vending-permitted", model, tmp_path)
    assert not found.proofs
    forbidden = replace(clip, zones=tuple(replace(zone, permitted=()) for zone in clip.zones))
    assert [p.incident.violation for p in check(forbidden, tmp_path, model).proofs] == [
        Violation.STREET_VENDING
    ]
