"""Composed streets in perspective: sizes, places and labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.config.labels import load_labels
from detector.core.errors import BadInput
from detector.core.geometry import contact_share
from detector.demo.lens import Lens, Line, metres
from detector.demo.outdoor import OutdoorStage
from detector.demo.scene import Actor, Stamp, truth
from detector.demo.streets import STREETS, make_play, make_street, of_kinds
from detector.demo.weather import Weather

LENSES = st.builds(Lens, st.floats(0.05, 0.3), st.floats(3, 15), st.floats(1.2, 2.5))
SEED = 5000


@given(lens=LENSES, x_m=st.floats(-10, 10), z_m=st.floats(12, 150))
def test_the_ground_is_as_far_away_as_its_place_in_the_picture_says(lens, x_m, z_m) -> None:
    assert lens.depth_m(lens.foot(x_m, z_m)[1]) == pytest.approx(z_m, rel=1e-6)


@given(lens=LENSES, width_px=st.floats(24, 220), width_m=st.floats(1.5, 3))
def test_something_is_as_wide_as_asked_for_where_its_width_is_asked_for(lens, width_px, width_m) -> None:
    y = lens.y_of(width_px, width_m, 1080)
    assert lens.scale(y) * width_m * 1080 == pytest.approx(width_px, rel=1e-6)


@given(lens=LENSES, near_m=st.floats(14, 60), further_m=st.floats(1, 60), x_m=st.floats(-8, 8))
def test_a_way_straight_away_from_the_camera_is_as_long_as_its_depth(lens, near_m, further_m, x_m) -> None:
    a, b = lens.foot(x_m, near_m), lens.foot(x_m, near_m + further_m)
    if min(a[1], b[1]) > lens.horizon + 0.02:
        assert metres(lens, a, b) == pytest.approx(further_m, rel=1e-3)


def test_a_line_that_comes_back_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="in order of y"):
        Line(((0.1, 0.5), (0.2, 0.4)))


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("name", [name for name, street in STREETS.items() if street.kind == "far"])
def test_a_far_vehicle_stands_beyond_its_limit_inside_its_zone_at_24_to_220_pixels(name, rough) -> None:
    for seed in range(SEED, SEED + 6):
        play, _ = make_play(name, seed, rough=rough)
        events = truth(play.scene)
        assert events
        for event in events:
            box = tuple(v / side for v, side in zip(event.box, 2 * play.scene.resolution_wh, strict=True))
            zone = next(zone for zone in play.scene.camera.zones if zone.id == event.zone)
            assert contact_share(box, zone.polygon) > 0.55
            assert 20 <= event.box[2] - event.box[0] <= 222
            assert event.until_s - event.from_s > 200


def test_a_play_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one, two, other = (make_play("far-1080p", seed)[0].scene for seed in (SEED, SEED, SEED + 1))
    assert one == two
    assert one != other


def test_a_standing_vehicle_changes_the_picture_in_its_box_and_not_far_from_it() -> None:
    play, _ = make_play("far-1080p", SEED)
    (event, *_) = truth(play.scene)
    standing = [a for a in play.scene.actors if a.sprite == event.what][:1]
    at_s = (event.from_s + event.until_s) / 2
    scene = replace(play.scene, actors=tuple(standing), noise=0.0)
    with_it, without = (
        OutdoorStage(replace(play, scene=one)).frame(at_s).astype(int)
        for one in (scene, replace(scene, actors=()))
    )
    changed = np.abs(with_it - without).max(axis=2) > 25
    x1, y1, x2, y2 = event.box
    assert changed[y1:y2, x1:x2].mean() > 0.5
    changed[max(0, y1 - 12) : y2 + 12, max(0, x1 - 30) : x2 + 30] = False
    assert not changed.any()


EVENTS = {
    "red-light-parked": (1, "illegal_parking"),
    "crowd": (1, "illegal_parking"),
    "stall-unnamed": (1, "street_vending"),
    "litter-fence": (1, "litter"),
}


@pytest.mark.parametrize("name", [name for name, street in STREETS.items() if street.kind != "far"])
def test_a_street_case_has_its_events_whatever_the_seed_and_no_others(name) -> None:
    count, violation = EVENTS.get(name, (0, ""))
    for seed in range(SEED, SEED + 4):
        events = truth(make_play(name, seed, rough=bool(seed % 2))[0].scene)
        assert [event.violation for event in events] == [violation] * count


def test_a_queue_at_a_red_light_moves_on_together_before_the_limit() -> None:
    play, _ = make_play("red-light-bikes", SEED)
    limit_s = max(STREETS["red-light-bikes"].limits_s.values())
    stands = [s for actor in play.scene.actors if actor.exempt for s in actor.stands()]
    assert len(stands) > 20
    assert all(until_s - from_s < limit_s for from_s, until_s, *_ in stands)
    assert {actor.sprite.split("-")[0] for actor in play.scene.actors if actor.exempt} >= {"rider", "cyclist"}


def test_a_crowd_stands_before_a_vehicle_for_at_most_half_of_its_stay() -> None:
    for seed in range(SEED, SEED + 6):
        play, _ = make_play("crowd", seed)
        (event,) = truth(play.scene)
        crowd = [actor for actor in play.scene.actors if actor.exempt == "a person"]
        there = [at for at in np.arange(event.from_s, event.until_s) if any(_stands(a, at) for a in crowd)]
        assert 0.15 < len(there) / (event.until_s - event.from_s) <= 0.5


def _stands(actor: Actor, at_s: float) -> bool:
    return actor.path[1].at_s <= at_s < actor.path[-2].at_s


@pytest.mark.parametrize(
    "weather", [Weather(rain=0.8), Weather(clouds=0.9), Weather(sway=1.0), Weather(drift=0.2)]
)
def test_each_weather_changes_the_picture_from_moment_to_moment_and_keeps_its_shape(weather) -> None:
    play, _ = make_play("fixtures", SEED)
    scene = replace(play.scene, noise=0.0, actors=(), stamp=Stamp.NONE)
    stage = OutdoorStage(replace(play, scene=scene, weather=weather))
    one, later = stage.frame(10.0), stage.frame(130.0)
    assert one.shape == later.shape == (1080, 1920, 3)
    assert (one != later).any()
    assert np.array_equal(one, stage.frame(10.0))


def test_an_unknown_kind_or_case_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no such kind: near; there are far"):
        of_kinds(["near"])
    with pytest.raises(BadInput, match="no such case: 'near'; there are far-1080p"):
        make_play("near", 1)


@pytest.mark.slow
def test_a_composed_street_can_be_read_with_its_light_and_how_surely_its_vehicles_are_seen(
    tmp_path: Path, weights: Path
) -> None:
    from detector.cli.common import default_model, detector_of

    sees = detector_of(replace(default_model(), confidence=0.1), 1)
    clip = load_labels(make_street("far-1080p", SEED, tmp_path, rough=True, sees=sees)).clips[0]
    assert (tmp_path / clip.files[0]).is_file()
    assert clip.light in {"day", "night", "rain"}
    assert all(0 <= (event.native_confidence or -1) <= 1 for event in clip.events)
