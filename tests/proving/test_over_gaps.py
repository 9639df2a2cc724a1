"""One object, one issue, over time that was not recorded: the appearance decides, and where it does not, nothing is merged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import cv2
import numpy as np
import pytest
from street import HEIGHT, LIMIT_S, SPOT, START, WIDTH, texture

from detector.core.errors import UnreadableRecording
from detector.core.times import Interval
from detector.core.values import Frame, Image, Incident, Proof, Recording, RecordingState, Still, Violation
from detector.issues.lifecycle import State
from detector.issues.values import Earlier, Issue
from detector.pipeline.continuity import Neighbours, may_go_on
from detector.proving.continuity import Same, compare
from detector.proving.likeness import place_of
from detector.proving.looker import Looker

LENGTH_S = 200.0
Look = Callable[[Image], Image]


def street(car: int | None) -> Image:
    """A colourful street with a car of that look in its place, or none."""
    image = (texture(0, WIDTH, HEIGHT) // 2 + 60).astype(np.uint8)
    if car is not None:
        x1, y1, x2, y2 = (round(v * side) for v, side in zip(SPOT, (WIDTH, HEIGHT) * 2, strict=True))
        image[y1:y2, x1:x2] = texture(car, x2 - x1, y2 - y1)
    return image


def by_day(image: Image) -> Image:
    return image


def overcast(image: Image) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=0.9), np.uint8)


def by_night(image: Image) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=0.15), np.uint8)


def black_and_white(image: Image) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def repainted(image: Image) -> Image:
    """The same structure in the car's place, in other colours."""
    x1, y1, x2, y2 = (round(v * side) for v, side in zip(SPOT, (WIDTH, HEIGHT) * 2, strict=True))
    other = image.copy()
    other[y1:y2, x1:x2] = image[y1:y2, x1:x2, ::-1]
    return other


@dataclass(frozen=True)
class Shot:
    """What one recording of LENGTH_S shows from an hour after START on."""

    hour: float
    car: int | None
    look: Look = by_day

    @property
    def interval(self) -> Interval:
        start = START + timedelta(hours=self.hour)
        return Interval(start, start + timedelta(seconds=LENGTH_S))

    @property
    def recording(self) -> Recording:
        return Recording("c", f"{self.hour}.mp4", 1, 1, self.interval, RecordingState.READABLE)

    def picture(self, at_s: float) -> Image:
        noise = np.random.default_rng(int(at_s * 10)).integers(0, 4, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        return np.asarray(cv2.add(self.look(street(self.car)), noise), np.uint8)

    def frame_at(
        self, offset_s: float, tolerance_s: float = 0.0, fit_wh: tuple[int, int] | None = None
    ) -> object:
        return Frame(offset_s, self.picture(offset_s), f"{int(offset_s * 1000):064d}")

    def close(self) -> None:
        """Nothing is open."""


def proof_of(shot: Shot, violation: Violation = Violation.ILLEGAL_PARKING, zone: str = "kerb") -> Proof:
    moments = [shot.interval.start + timedelta(seconds=LENGTH_S * k / 3) for k in range(4)]
    stills = tuple(
        Still(at, shot.recording, Frame(0.0, shot.picture(LENGTH_S * k / 3), "0"), SPOT)
        for k, at in enumerate(moments)
    )
    incident = Incident(violation, "p", "c", zone, shot.interval, LIMIT_S, SPOT, 0.9, 0.8)
    return Proof(incident, stills, math.inf, math.inf, 1.0, "stood", "停留")


def issue_of(shots: Sequence[Shot], state: State = State.DISPATCHED, number: int = 1) -> Issue:
    """An issue whose object was seen in some recordings."""
    at = datetime(2026, 1, 1, tzinfo=START.tzinfo)
    seen = tuple(shot.interval for shot in shots)
    return Issue(
        id=number, public_id="p", fingerprint="f", state=state, version=1, violation=Violation.ILLEGAL_PARKING,
        point_id="p", camera_id="c", zone_id="kerb", interval=Interval(seen[0].start, seen[-1].end),
        start_uncertainty_s=math.inf, end_uncertainty_s=math.inf, limit_s=LIMIT_S, box=SPOT, share=0.9,
        confidence=0.8, explanation="", explanation_zh="", model_id="", rules_version="", evidence_folder="",
        claimed_by=None, claimed_until=None, filed_at=at, updated_at=at, seen=seen if len(seen) > 1 else None,
    )  # fmt: skip


def earlier(
    now: Shot,
    *issues: tuple[Issue, Sequence[Shot]],
    between: Sequence[Shot] = (),
    proof: Proof | None = None,
    lost: bool = False,
) -> Earlier:
    shots = sorted({*between, now, *(s for _, shots in issues for s in shots)}, key=lambda shot: shot.hour)
    by_path: Mapping[str, Shot] = {shot.recording.path: shot for shot in shots}

    def opened(recording: Recording) -> Shot:
        if lost:
            raise UnreadableRecording(recording.path, "gone")
        return by_path[recording.path]

    parts = [(shot.recording, shot.interval) for shot in shots]
    with Looker(parts, opened) as looker:
        return Neighbours(looker, parts).earlier(proof or proof_of(now), [issue for issue, _ in issues])


def one(*shots: Shot, state: State = State.DISPATCHED) -> tuple[Issue, Sequence[Shot]]:
    return issue_of(shots, state), shots


def test_the_same_vehicle_in_the_same_light_makes_its_issue_grow() -> None:
    assert earlier(Shot(24, 5, overcast), one(Shot(0, 5))) == Earlier(continues=1)


@pytest.mark.parametrize("seed", [6, 7, 8, 9])
def test_another_vehicle_in_the_place_is_no_part_of_the_issue(seed: int) -> None:
    assert earlier(Shot(24, seed), one(Shot(0, 5))) == Earlier(others=(1,))


@pytest.mark.parametrize("car", [5, 6])
@pytest.mark.parametrize("light", [by_night, black_and_white])
def test_by_night_nothing_is_merged_be_it_the_same_vehicle_or_another(car: int, light: Look) -> None:
    assert earlier(Shot(12, car, light), one(Shot(0, 5))).continues is None


@pytest.mark.parametrize("light", [by_night, black_and_white])
def test_the_same_vehicle_by_night_is_a_suspicion(light: Look) -> None:
    assert earlier(Shot(12, 5, light), one(Shot(0, 5))) == Earlier(suspects=(1,))


def test_two_vehicles_of_one_make_in_two_colours_are_not_merged_by_day() -> None:
    assert earlier(Shot(24, 5, repainted), one(Shot(0, 5))).continues is None


def test_two_vehicles_of_one_make_are_not_merged_in_black_and_white() -> None:
    def both(image: Image) -> Image:
        return black_and_white(repainted(image))

    assert earlier(Shot(24, 5, both), one(Shot(0, 5, black_and_white))) == Earlier(suspects=(1,))


def test_a_morning_is_compared_with_the_morning_before_where_the_night_between_does_not_tell() -> None:
    shots = Shot(0, 5), Shot(12, 5, by_night)
    assert earlier(Shot(24, 5), one(*shots)) == Earlier(continues=1)


def test_a_vehicle_that_was_away_in_a_recording_between_did_not_stand_on() -> None:
    assert earlier(Shot(24, 5), one(Shot(0, 5)), between=[Shot(12, None)]) == Earlier(others=(1,))
    assert earlier(Shot(24, 5), one(Shot(0, 5)), between=[Shot(12, 8)]) == Earlier(others=(1,))
    assert earlier(Shot(24, 5), one(Shot(0, 5)), between=[Shot(12, 5)]) == Earlier(continues=1)


@pytest.mark.parametrize("state", [State.CLOSED, State.REJECTED, State.WITHDRAWN])
def test_an_issue_that_is_done_with_does_not_grow_but_comes_again(state: State) -> None:
    assert earlier(Shot(24, 5), one(Shot(0, 5), state=state)) == Earlier(recurs=(1,))


def test_of_two_issues_about_the_vehicle_one_grows_and_the_other_is_linked() -> None:
    first, second = Shot(0, 5), Shot(8, 5)
    found = earlier(Shot(24, 5), (issue_of([second], number=2), [second]), (issue_of([first]), [first]))
    assert (found.continues, found.suspects) == (2, (1,))


def test_where_the_old_recordings_are_gone_the_issues_are_linked() -> None:
    assert earlier(Shot(24, 5), one(Shot(0, 5)), lost=True) == Earlier(suspects=(1,))


def test_a_stall_that_is_there_again_is_linked_and_not_merged() -> None:
    now = Shot(24, 5)
    proof = proof_of(now, Violation.STREET_VENDING)
    assert earlier(now, one(Shot(0, 5)), proof=proof) == Earlier(suspects=(1,))


def test_a_vehicle_that_was_seen_to_leave_or_to_come_did_not_stand_on() -> None:
    issue, proof = issue_of([Shot(0, 5)]), proof_of(Shot(24, 5))
    assert may_go_on(issue, proof)
    assert not may_go_on(replace(issue, end_uncertainty_s=1.0), proof)
    assert not may_go_on(issue, replace(proof, start_uncertainty_s=1.0))
    assert not may_go_on(replace(issue, box=(0.0, 0.0, 0.2, 0.2)), proof)
    assert not may_go_on(replace(issue, state=State.MERGED), proof)


@pytest.mark.parametrize("seed", range(8))
def test_comparing_is_symmetric_and_a_picture_is_the_same_as_itself(seed: int) -> None:
    a, b = place_of(street(seed), SPOT), place_of(street(seed + 1), SPOT)
    assert compare(a, a) is Same.SAME
    assert compare(a, b) is compare(b, a) is Same.OTHER
