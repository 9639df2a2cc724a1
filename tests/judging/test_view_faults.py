"""Each kind of camera fault is told apart by its word, and what only looks like one is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.core.times import Interval
from detector.core.values import (
    NO_DETECTIONS,
    Detections,
    Image,
    Observation,
    Recording,
    RecordingState,
    ViewState,
)
from detector.decoding.view import picture_distance, structure_likeness, view_state
from detector.judging import camera_fault
from detector.judging.camera_fault import view_faults
from detector.proving.looker import Looker

START = datetime(2026, 1, 8, 2, tzinfo=UTC)
CADENCE_S = 54.0
Change = Callable[[Image, int], Image]


@cache
def street(seed: int) -> Image:
    """A view of its own with edges at all scales: rectangles of all sizes and shades."""
    chance = np.random.default_rng(seed)
    picture = np.full((180, 320, 3), 120, np.uint8)
    for _ in range(140):
        x, y = int(chance.integers(320)), int(chance.integers(180))
        w, h = (int(v) for v in chance.integers(4, 60, 2))
        picture[y : y + h, x : x + w] = chance.integers(10, 245)
    return picture


def live(picture: Image, i: int, sigma: float = 2.0) -> Image:
    noise = np.random.default_rng(i).normal(0, sigma, picture.shape)
    return np.clip(picture.astype(np.float32) + noise, 0, 255).astype(np.uint8)


def same(picture: Image, _: int) -> Image:
    return picture


def dark(picture: Image, i: int) -> Image:
    return live((picture * 0.03).astype(np.uint8), i, 1.0)


def blurred(picture: Image, i: int) -> Image:
    return live(np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8), i, 1.0)


def blocked(picture: Image, i: int) -> Image:
    covered = picture.copy()
    covered[20:, 30:] = 70
    return live(np.asarray(cv2.GaussianBlur(covered, (0, 0), 2), np.uint8), i, 1.0)


def moved(picture: Image, i: int) -> Image:
    return live(np.roll(picture, (14, 45), (0, 1)), i)


def no_signal(picture: Image, _: int) -> Image:
    return np.full_like(picture, 60)


def frozen(picture: Image, _: int) -> Image:
    return live(picture, 7)


CHANGES: dict[str, Change] = {
    "dark": dark, "blurred": blurred, "blocked": blocked, "moved": moved, "no_picture": no_signal, "frozen": frozen,
}  # fmt: skip


def observed(pictures: Sequence[Image], boxes: Sequence[Sequence[float]] = ()) -> list[Observation]:
    found = NO_DETECTIONS
    if boxes:
        n = len(boxes)
        found = Detections(("bus",) * n, np.full(n, 0.9, np.float32), np.array(boxes, np.float32))
    return [
        Observation(
            "c", START + timedelta(seconds=CADENCE_S * i), "r", CADENCE_S * i, found, view_state(picture)
        )
        for i, picture in enumerate(pictures)
    ]


def changed(change: Change, first: int, last: int, looks: int = 20, seed: int = 1) -> list[Observation]:
    view = street(seed)
    return observed([change(view, i) if first <= i <= last else live(view, i) for i in range(looks)])


def told(observations: Sequence[Observation]) -> list[tuple[str, int, int]]:
    """Each fault with the first and the last look that it covers."""
    found = []
    for fault in view_faults(observations, CADENCE_S):
        inside = [i for i, o in enumerate(observations) if o.at in fault.interval]
        found.append((fault.what, inside[0], inside[-1]))
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("what", CHANGES)
def test_a_fault_is_told_by_its_word_over_the_looks_that_show_it(what: str, seed: int) -> None:
    assert told(changed(CHANGES[what], 6, 12, seed=seed)) == [(what, 6, 12)]


@pytest.mark.parametrize("what", ["blocked", "moved", "frozen"])
def test_a_fault_for_more_than_half_of_the_time_is_told_against_what_was_before(what: str) -> None:
    assert told(changed(CHANGES[what], 5, 18)) == [(what, 5, 18)]


@pytest.mark.parametrize(
    ("what", "name", "off"),
    [
        ("dark", "DARK_BRIGHTNESS", -1.0),
        ("blurred", "BLURRED_PART", 0.0),
        ("blocked", "BLOCKED_SHARE", 1.1),
        ("moved", "SAME_VIEW", -1.1),
        ("no_picture", "FLAT_SHARPNESS", -1.0),
        ("frozen", "FROZEN_RMS", -1.0),
    ],
)
def test_without_its_mechanism_a_fault_is_not_told(
    what: str, name: str, off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_fault, name, off)
    assert what not in [word for word, _, _ in told(changed(CHANGES[what], 6, 12))]


@pytest.mark.parametrize("what", CHANGES)
def test_one_odd_look_is_no_fault(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    observations = changed(CHANGES[what], 8, 8)
    assert told(observations) == []
    if what in {"dark", "no_picture", "blurred"}:
        monkeypatch.setattr(camera_fault, "FAULT_LOOKS", 1)
        monkeypatch.setattr(camera_fault, "FAULT_S", 0.0)
        assert told(observations) == [(what, 8, 8)]


def test_a_camera_that_turns_back_at_the_end_is_told_for_the_time_between() -> None:
    assert told(changed(moved, 10, 14)) == [("moved", 10, 14)]


def test_a_camera_that_was_turned_the_night_before_is_told_by_what_it_showed_before_that() -> None:
    before = [
        replace(o, at=o.at - timedelta(hours=3)) for o in observed([live(street(1), i) for i in range(8)])
    ]
    today = observed([moved(street(1), i) for i in range(10)])
    assert view_faults(today, CADENCE_S) == []
    assert [f.what for f in view_faults(today, CADENCE_S, earlier=before)] == ["moved"]


@pytest.mark.parametrize("what", ["lamps", "night", "pumping", "noise", "sway"])
def test_light_weather_and_wind_are_no_fault(what: str) -> None:
    view = street(2).astype(np.float32)
    pool = np.exp(-(((np.arange(320) - 100) / 70.0) ** 2))[None, :, None]
    changes: dict[str, Callable[[int], np.ndarray]] = {
        "lamps": lambda i: view * (0.15 + 0.8 * pool) if i > 8 else view * 0.4,
        "night": lambda i: view * max(0.25, 1 - i / 20),
        "pumping": lambda i: view * (0.6, 1.0, 1.25)[i % 3],
        "noise": lambda i: (
            view + np.random.default_rng(i).normal(0, 12 if i in range(5, 12) else 1, view.shape)
        ),
        "sway": lambda i: np.roll(view, i % 2, 1),
    }
    pictures = [live(np.clip(changes[what](i), 0, 255).astype(np.uint8), i) for i in range(20)]
    assert told(observed(pictures)) == []


def test_buses_that_fill_much_of_the_picture_are_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [(0.0, 0.25, 0.88, 1.0)]
    plain = observed([live(street(1), i) for i in range(20)])
    bus = street(1).copy()
    bus[45:, :280] = 70
    stands = observed([live(bus, i) for i in range(20)], boxes)
    looks = [*plain[:8], *stands[8:14], *plain[14:]]
    assert told(looks) == []
    monkeypatch.setattr(camera_fault, "_visible", lambda _: np.ones((36, 64), np.bool_))
    assert [word for word, _, _ in told(looks)] == ["blocked"]


@pytest.mark.parametrize("sigma", [0.8, 2.0])
def test_a_still_street_at_night_has_noise_and_is_not_frozen(sigma: float) -> None:
    night = (street(3) * 0.25).astype(np.uint8)
    quiet = observed([live(night, i, 3 * sigma) for i in range(20)])
    assert told(quiet) == []
    assert told(observed([live(night, 1, 3 * sigma)] * 20)) == [("frozen", 0, 19)]


def test_a_clock_that_goes_on_tells_a_live_picture_without_any_noise() -> None:
    pictures = []
    for i in range(12):
        picture = street(1).copy()
        cv2.putText(
            picture, f"10:{i:02d}:{17 * i % 60:02d}", (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255,) * 3
        )
        pictures.append(picture)
    assert told(observed(pictures)) == []
    assert told(observed([pictures[0]] * 12)) == [("frozen", 0, 11)]


def test_the_distance_of_two_pictures_is_told_by_their_sketches_within_a_half() -> None:
    for sigma in (1.0, 4.0, 16.0):
        a, b = street(5), live(street(5), 1, sigma)
        grey = [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY).astype(float) for p in (a, b)]
        true = float(np.sqrt(np.mean((grey[0] - grey[1]) ** 2)))
        assert picture_distance(view_state(a), view_state(b)) == pytest.approx(true, rel=0.5)
    assert picture_distance(view_state(street(5)), view_state(street(5))) == 0.0


def test_other_streets_agree_by_chance_only() -> None:
    edges = [view_state(street(seed)).edges for seed in range(8)]
    visible = np.ones_like(edges[0])
    pairs = [(i, j) for i in range(8) for j in range(i)]
    assert max(structure_likeness(edges[i].astype(np.float32), edges[j], visible) for i, j in pairs) < 0.2


def test_observations_of_before_edges_and_sketches_were_kept_are_judged_as_they_were() -> None:
    def old(o: Observation) -> Observation:
        return replace(o, view=ViewState(o.view.brightness, o.view.sharpness, o.view.signature))

    assert told([old(o) for o in changed(moved, 6, 12)]) == []
    assert told([old(o) for o in changed(dark, 6, 12)]) == [("dark", 6, 12)]


def test_recorded_time_without_a_picture_is_a_fault_once_it_lasts() -> None:
    def unseen(looks: int) -> list[Interval]:
        return [
            Interval(START + timedelta(seconds=CADENCE_S * i), START + timedelta(seconds=CADENCE_S * (i + 1)))
            for i in range(looks)
        ]

    (fault,) = view_faults([], CADENCE_S, unseen=unseen(5))
    assert (fault.what, fault.interval.duration_s) == ("no_picture", 5 * CADENCE_S)
    assert view_faults([], CADENCE_S, unseen=unseen(1)) == []


def test_where_a_view_cannot_be_judged_nothing_is_seen() -> None:
    whole = Interval(START, START + timedelta(hours=1))
    blind = Interval(START + timedelta(minutes=10), START + timedelta(minutes=20))
    recording = Recording("c", str(Path("r.mp4")), 1, 1, whole, RecordingState.READABLE)
    looker = Looker([(recording, whole)], lambda _: pytest.fail("looked"), blind=[blind])
    assert looker.look(START + timedelta(minutes=15)) is None
    assert list(looker.each([START + timedelta(minutes=12)])) == []
    assert looker.blind_s(START, START + timedelta(minutes=15)) == 300.0
