"""Cut-outs, streets, scenes and their truth."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.config.labels import load_labels
from detector.core.errors import BadInput
from detector.core.geometry import contact_share
from detector.core.values import Violation, ZoneKind
from detector.demo.cases import CAMERA, CASES, make_scene
from detector.demo.play import CARS, spot, traffic, visit
from detector.demo.record import record
from detector.demo.scene import (
    Actor,
    CameraFault,
    FaultKind,
    Photo,
    Scene,
    Stage,
    Waypoint,
    labels,
    light_at,
    render,
    truth,
)
from detector.demo.sprites import Kind, wardrobe
from detector.demo.street import street

CHINA = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 1, 8, 12, tzinfo=CHINA)
SMALL = (320, 180)
KERB = (0.6, 0.79)


def scene(*actors: Actor, start: datetime = NOON, **changes: object) -> Scene:
    made = Scene(CAMERA, start, 300.0, actors, resolution_wh=SMALL)
    return replace(made, **changes)


def test_the_photos_are_found_without_importing_ultralytics() -> None:
    code = (
        "import sys; from detector.demo.sprites import photos; photos(); print('ultralytics' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_cut_out_fills_its_box_and_has_both_seen_and_unseen_parts() -> None:
    for sprite in wardrobe().values():
        alpha = sprite.pixels[..., 3] > 127
        assert sprite.pixels.shape[2] == 4
        assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])), sprite.name
        assert 0.2 < alpha.mean() < 1


def test_there_are_ten_different_cars_and_some_people() -> None:
    looks = [wardrobe()[name].pixels[..., :3].mean(axis=(0, 1)) for name in CARS]
    assert len(CARS) == len({tuple(look.round(2)) for look in looks}) == 10
    assert sum(sprite.kind is Kind.PERSON for sprite in wardrobe().values()) == 4


def test_the_shared_vehicles_join_the_wardrobe_when_asked_for(shared: Path) -> None:
    added = wardrobe(shared).keys() - wardrobe().keys()
    assert len(added) == 16
    actor = Actor(min(added), (Waypoint(0, *KERB), Waypoint(9, *KERB)))
    photo = Photo(shared / "footage" / "stills" / "north_street_petzhold.jpg", (440, 478, 867, 718), 0.6)
    assert render(scene(actor, shared=shared, photo=photo), 1.0).shape == (180, 320, 3)


def test_a_street_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert np.array_equal(street(CAMERA, SMALL, 1), street(CAMERA, SMALL, 1))
    assert not np.array_equal(street(CAMERA, SMALL, 1), street(CAMERA, SMALL, 2))


def test_a_picture_does_not_depend_on_what_was_drawn_before() -> None:
    busy = make_scene("same-spot", 3)
    stage = Stage(busy)
    for at_s in (10.0, 200.0, 40.0):
        stage.frame(at_s)
    assert np.array_equal(stage.frame(61.25), render(busy, 61.25))


def test_an_unknown_cut_out_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="no such cut-out: tank"):
        Stage(scene(Actor("tank", (Waypoint(0, 0, 0), Waypoint(1, 0, 0)))))


def test_a_way_that_goes_back_in_time_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="later than the last"):
        Actor("van-red", (Waypoint(5, 0, 0), Waypoint(5, 1, 0)))


def test_a_vehicle_changes_the_picture_inside_its_box_and_nowhere_far_from_it() -> None:
    empty = scene(noise=0.0)
    car = visit(CAMERA, "minibus-red", KERB, 10.0, 100.0)
    changed = (
        np.abs(render(replace(empty, actors=(car,)), 50.0).astype(int) - render(empty, 50.0)).max(axis=2) > 20
    )
    x1, y1, x2, y2 = empty.box_of(car, *KERB)
    ys, xs = np.nonzero(changed)
    assert abs(xs.min() / 320 - x1) < 0.02
    assert abs(xs.max() / 320 - x2) < 0.02
    assert abs(ys.min() / 180 - y1) < 0.02
    assert changed.sum() > 0.6 * (x2 - x1) * (y2 - y1) * 320 * 180


def test_night_is_darker_than_noon_and_never_too_dark_to_judge() -> None:
    noon, night = (render(scene(start=NOON.replace(hour=hour)), 0.0).mean() for hour in (12, 23))
    assert 25 < night < 0.7 * noon


@given(minute=st.integers(0, 1439))
def test_light_is_in_range_at_every_minute(minute: int) -> None:
    light = light_at(NOON.replace(hour=minute // 60, minute=minute % 60))
    assert all(0.2 < gain <= 1 for gain in light.gain)
    assert 0 <= light.lamps <= 1


def test_a_frozen_picture_does_not_change_although_things_move() -> None:
    fault = CameraFault(FaultKind.FROZEN, 20.0, 60.0)
    stage = Stage(
        scene(*traffic(CAMERA, np.random.default_rng(1), 300, vehicles_per_min=20, people_per_min=5))
    )
    frozen = Stage(replace(stage.scene, faults=(fault,)))
    assert np.array_equal(frozen.frame(20.0), frozen.frame(59.75))
    assert np.array_equal(frozen.frame(60.0), stage.frame(60.0))
    assert not np.array_equal(stage.frame(20.0), stage.frame(59.75))


def test_dark_blocked_and_moved_pictures_are_unlike_the_street() -> None:
    usual = render(scene(), 5.0).astype(float)
    for what in (FaultKind.DARK, FaultKind.BLOCKED, FaultKind.MOVED):
        faulty = render(scene(faults=(CameraFault(what, 0.0, 9.0),)), 5.0)
        assert np.abs(faulty - usual).mean() > 12, what
        assert what is not FaultKind.DARK or faulty.mean() < 12


def test_the_clock_stands_in_the_upper_left_and_moves_on() -> None:
    stage = Stage(scene(noise=0.0))
    differs = np.abs(stage.frame(1.0).astype(int) - stage.frame(2.0)).max(axis=2) > 40
    ys, xs = np.nonzero(differs)
    assert len(ys)
    assert ys.max() < 0.12 * 180
    assert xs.max() < 0.6 * 320


@given(
    from_s=st.floats(-400, 290),
    length_s=st.floats(1, 500),
    limit_s=st.floats(10, 250),
    exempt=st.sampled_from(["", "jam"]),
)
def test_a_stand_is_a_violation_when_it_is_longer_than_the_limit_inside_the_scene(
    from_s: float, length_s: float, limit_s: float, exempt: str
) -> None:
    car = visit(CAMERA, "van-blue", KERB, from_s, from_s + length_s, exempt=exempt)
    limits = {Violation.ILLEGAL_PARKING: limit_s, Violation.SIDEWALK_PARKING: 1.0}
    events = truth(scene(car, limits_s=limits))
    seen = (max(0.0, from_s), min(300.0, from_s + length_s))
    assert bool(events) == (not exempt and seen[1] - seen[0] > limit_s)
    assert all((e.from_s, e.until_s, e.zone) == (*seen, "near-kerb") for e in events)


def test_what_only_passes_is_never_a_violation() -> None:
    others = tuple(traffic(CAMERA, np.random.default_rng(5), 300, vehicles_per_min=20, people_per_min=10))
    none = {Violation.ILLEGAL_PARKING: 0.0, Violation.SIDEWALK_PARKING: 0.0}
    assert len(others) > 50
    assert truth(scene(*others, limits_s=none)) == ()


@pytest.mark.parametrize("kind", [ZoneKind.NO_PARKING, ZoneKind.SIDEWALK, ZoneKind.PARKING_BAY])
def test_a_spot_lies_surely_in_its_zone(kind: ZoneKind) -> None:
    foot = spot([CAMERA], "van-red", kind, np.random.default_rng(2))
    box = scene().box_of(visit(CAMERA, "van-red", foot, 0, 1), *foot)
    assert max(contact_share(box, zone.polygon) for zone in CAMERA.zones if zone.kind is kind) > 0.65


EVENTS = {"two-cars": 2, "parked-row": 5} | dict.fromkeys(
    (
        *("parked", "occlusion", "half-on-footway", "bay", "over-midnight", "two-recordings", "night"),
        *("jam-and-parked", "bikes", "vending-van", "vending-stall"),
        *("litter", "litter-crowd", "litter-night", "litter-removed"),
        *("piled", "piled-tactile", "piled-cleared", "piled-crowd"),
    ),
    1,
)


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_its_events_whatever_the_seed_and_its_labels_can_be_read(
    name: str, tmp_path: Path
) -> None:
    made = [make_scene(name, seed) for seed in range(8)]
    assert [len(truth(one)) for one in made] == [EVENTS.get(name, 0)] * 8
    clips = [labels(one, f"{i}.mp4", CASES[name].what) for i, one in enumerate(made)]
    (tmp_path / "labels.json").write_text(json.dumps({"about": "", "clips": clips}))
    read = load_labels(tmp_path / "labels.json")
    for clip, one in zip(read.clips, made, strict=True):
        assert [e.zone_id for e in clip.events] == [e.zone for e in truth(one)]
        assert len(clip.faults) == len(one.faults)


def test_an_unknown_case_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no such case: 'nothing'; there are parked, short-stop"):
        make_scene("nothing", 1)


def test_half_on_the_footway_falls_on_either_side_as_the_seed_wants() -> None:
    assert {truth(make_scene("half-on-footway", seed))[0].zone for seed in range(12)} == {
        "near-kerb",
        "footway",
    }


def test_a_recording_has_its_rate_its_keyframes_and_the_same_bytes_again(tmp_path: Path) -> None:
    import av

    one, two = (record(scene(), tmp_path / name, until_s=6.0) for name in ("a.mp4", "b.mp4"))
    with av.open(str(one)) as container:
        frames = [(round(f.time, 3), bool(f.key_frame)) for f in container.decode(video=0)]
    assert [at for at, _ in frames] == [i / 4 for i in range(24)]
    assert [at for at, key in frames if key] == [0.0, 2.0, 4.0]
    assert one.read_bytes() == two.read_bytes()
