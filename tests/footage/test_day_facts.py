"""The calendar of all cameras and the coverage of one come to the same state of a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.core.times import Interval
from detector.core.values import Camera, Recording, RecordingState, Zone, ZoneKind
from detector.database import Database
from detector.footage.archive import Archive
from detector.footage.calendar import facts_by_day
from detector.footage.catalogue import BlindStretch, Catalogue
from detector.footage.coverage import DayCoverage, GapReason, coverage
from detector.footage.daystate import DayFacts, DayState, day_state
from detector.footage.faulty import RecordingFault, faulty

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 1, 8, tzinfo=SHANGHAI).astimezone(UTC)
ZONE = Zone("kerb", ZoneKind.NO_PARKING, ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
NOW = MIDNIGHT + timedelta(days=3)
DAYS = 2
numbers = count(1)


def minutes(start: float, end: float) -> Interval:
    return Interval(MIDNIGHT + timedelta(minutes=start), MIDNIGHT + timedelta(minutes=end))


def camera_of(name: str, *, judged: bool = True) -> Camera:
    return Camera(name, (ZONE,), SHANGHAI, (640, 360), name, zones_judged=judged)


def recording(
    camera: Camera, start: float, end: float, state: RecordingState = RecordingState.READABLE
) -> Recording:
    return Recording(camera.id, f"{camera.id}/{start:g}.mp4", 9, 9, minutes(start, end), state)


@pytest.fixture(scope="module")
def catalogue_database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database.open(f"sqlite:///{tmp_path_factory.mktemp('days')}/kerbwatch.db")


def by_both(database: Database, camera: Camera) -> list[tuple[DayFacts, DayCoverage]]:
    """The facts of two days by the calendar, and by the coverage of the camera."""
    catalogue = Catalogue(database)
    period = minutes(0, DAYS * 1440)
    cuts = [MIDNIGHT + timedelta(days=n) for n in range(DAYS + 1)]
    quick = facts_by_day(database, [camera], cuts, NOW)
    parts = catalogue.observed_parts(camera.id, period)
    survey = catalogue.surveys().get(camera.id)
    covered = coverage(
        camera,
        "p1",
        period,
        Archive(tuple(catalogue.known(camera.id).values())),
        [part.observed for part in parts if part.observed],
        blind=[stretch for part in parts for stretch in part.blind],
        judged=catalogue.judged_parts(camera.id, period),
        surveyed_until=survey.until if survey and survey.until else period.start,
    )
    return [(quick[camera.id, n], covered.days[n]) for n in range(DAYS)]


STATES = st.sampled_from(
    [RecordingState.READABLE] * 4 + [RecordingState.TRUNCATED, RecordingState.UNREADABLE]
)
SHARES = st.sampled_from([None, (0.0, 1.0), (0.0, 0.5), (0.25, 1.0)])


@given(
    held=st.lists(
        st.tuples(st.integers(0, 95), st.integers(5, 30), STATES, SHARES, SHARES, SHARES), max_size=6
    ),
    surveyed=st.sampled_from([None, 700, 1440, 5000]),
    judged=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_the_calendar_and_the_coverage_agree_on_every_day(
    catalogue_database: Database, held: list[tuple], surveyed: int | None, judged: bool
) -> None:
    camera = camera_of(f"c{next(numbers)}", judged=judged)
    catalogue = Catalogue(catalogue_database)
    done = []
    for slot, length, state, *parts in {entry[0]: entry for entry in held}.values():
        one = recording(camera, slot * 30, slot * 30 + length, state)
        catalogue.remember(camera.id, [one], NOW)
        looked, blind, judged_part = (
            part and minutes(slot * 30 + part[0] * length, slot * 30 + part[1] * length) for part in parts
        )
        if one.usable and looked:
            stretches = (
                [BlindStretch(shared, "dark")] if blind and (shared := blind.intersection(looked)) else []
            )
            catalogue.mark_observed(
                one, "plan", model_id="m", file=one.id, samples=9, failed=0, observed=looked, blind=stretches
            )
        done += [judged_part] if judged_part else []
    catalogue.mark_judged(camera.id, done)
    if surveyed is not None:
        catalogue.mark_surveyed(camera.id, MIDNIGHT + timedelta(minutes=surveyed))
    for quick, day in by_both(catalogue_database, camera):
        slow = day.facts
        for name in ("expected_s", "recorded_s", "looked_s", "blind_s", "judged_s", "unreadable"):
            assert getattr(quick, name) == pytest.approx(getattr(slow, name), abs=1e-3), name
        assert (quick.surveyed, quick.zones_judged) == (slow.surveyed, slow.zones_judged)
        assert day_state(quick) is day.state


def test_a_folder_that_nobody_looked_through_is_not_scanned_and_an_empty_one_not_recorded(
    tmp_path: Path,
) -> None:
    with Database.open(f"sqlite:///{tmp_path}/k.db") as database:
        camera, catalogue = camera_of("c"), Catalogue(database)
        assert {day.state for _, day in by_both(database, camera)} == {DayState.NOT_SCANNED}
        catalogue.mark_surveyed("c", MIDNIGHT + timedelta(days=1, hours=1))
        (_, first), (_, second) = by_both(database, camera)
        assert (first.state, second.state) == (DayState.NOT_RECORDED, DayState.NOT_SCANNED)
        assert [gap.reason for gap in first.gaps] == [GapReason.NO_RECORDING]
        assert [gap.reason for gap in second.gaps] == [GapReason.NO_RECORDING, GapReason.NOT_SURVEYED]
        catalogue.mark_surveyed("c", NOW, "cannot read the folder")
        assert by_both(database, camera)[1][1].state is DayState.NOT_SCANNED


@pytest.mark.parametrize(
    ("judged", "reason"), [(True, GapReason.NOT_JUDGED), (False, GapReason.EXAMPLE_ZONES)]
)
def test_what_was_observed_and_not_judged_is_a_gap_with_its_reason(
    tmp_path: Path, judged: bool, reason: GapReason
) -> None:
    with Database.open(f"sqlite:///{tmp_path}/k.db") as database:
        camera, catalogue = camera_of("c", judged=judged), Catalogue(database)
        one = recording(camera, 0, 60)
        catalogue.remember("c", [one], NOW)
        catalogue.mark_surveyed("c", NOW)
        catalogue.mark_observed(one, "p", model_id="m", file="f", samples=9, failed=0, observed=one.interval)
        day = by_both(database, camera)[0][1]
        assert [gap.reason for gap in day.gaps] == [reason, GapReason.NO_RECORDING]
        assert day.state is (DayState.NOT_SCANNED if judged else DayState.NOT_JUDGED)


def test_faulty_recordings_are_truncated_short_unusable_or_unreadable() -> None:
    camera = camera_of("c")
    whole = [recording(camera, hour * 60, hour * 60 + 60) for hour in range(4)]
    odd = [
        recording(camera, 300, 310),  # short, and nothing follows
        recording(camera, 360, 370),  # short, but another begins where it ends
        recording(camera, 370, 420),
        recording(camera, 430, 440, RecordingState.TRUNCATED),
        recording(camera, 450, 451, RecordingState.EMPTY),
        recording(camera, 460, 461, RecordingState.UNREADABLE),
        recording(camera, 470, 480, RecordingState.REPEATED),
        recording(camera, 1500, 1510),  # of the next day
    ]
    found = faulty([*odd, *whole], Interval(MIDNIGHT, MIDNIGHT + timedelta(days=1)))
    assert [(one.recording.path, one.fault) for one in found] == [
        ("c/300.mp4", RecordingFault.SHORT),
        ("c/430.mp4", RecordingFault.TRUNCATED),
        ("c/450.mp4", RecordingFault.UNUSABLE),
        ("c/460.mp4", RecordingFault.UNREADABLE),
    ]
