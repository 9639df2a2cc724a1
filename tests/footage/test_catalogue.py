"""The catalogue, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from detector.core.timeline import Break, Piece, Timeline
from detector.core.times import Interval
from detector.core.values import MediaInfo, Recording, RecordingState
from detector.database import Database
from detector.footage.catalogue import BlindStretch, Catalogue, ObservedPart, SizeSeen, Survey

pytest_plugins = ["database_fixture"]

NOW = datetime(2026, 1, 9, 1, tzinfo=UTC)
DAY = datetime(2026, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai"))


def hours(start: float, end: float) -> Interval:
    return Interval(DAY + timedelta(hours=start), DAY + timedelta(hours=end))


def recording(hour: int, *, camera_id: str = "p001", size_bytes: int = 1000) -> Recording:
    return Recording(
        camera_id=camera_id,
        path=f"{camera_id}/夜市 {hour:04d}.mp4",
        size_bytes=size_bytes,
        modified_ns=1_767_800_000_123_456_789,
        interval=hours(hour, hour + 1),
        state=RecordingState.READABLE,
        resolution_wh=(1920, 1080),
    )


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    return Catalogue(database)


def mark(catalogue: Catalogue, of: Recording, plan_key: str = "plan", **changes: object) -> None:
    values = {
        "model_id": "yolov8n", "file": f"{of.id}.parquet", "samples": 60, "failed": 0, "observed": of.interval
    }  # fmt: skip
    catalogue.mark_observed(of, plan_key, **(values | changes))


def test_recordings_come_back_as_they_were_found(catalogue: Catalogue) -> None:
    broken = replace(recording(1), state=RecordingState.TRUNCATED, reason="breaks off after 12 s")
    catalogue.remember("p001", [recording(0), broken], NOW)
    catalogue.remember("p002", [recording(0, camera_id="p002")], NOW)
    assert catalogue.known("p001") == {each.path: each for each in (recording(0), broken)}


def test_how_a_recording_got_its_times_comes_back_as_it_was_found(catalogue: Catalogue) -> None:
    media = MediaInfo("h264", (640, 360), 1.4, 239.92, breaks=(Break(39.92, -40.0),), stated_hz=12.5)
    pieces = (Piece(0.0, 0.0, 39.92, 1.1), Piece(60.1, 39.92, 200 / 3))
    mapped = replace(recording(0), media=media, timeline=Timeline(1.4, pieces, media.breaks))
    catalogue.remember("p001", [mapped], NOW)
    assert catalogue.known("p001") == {mapped.path: mapped}
    assert mapped.id != recording(0).id
    assert mapped.file_id == recording(0).id


def test_what_was_observed_by_other_times_does_not_count(catalogue: Catalogue) -> None:
    catalogue.remember("p001", [recording(0)], NOW)
    mark(catalogue, recording(0))
    mapped = replace(recording(0), timeline=Timeline(0.0, (Piece(0.0, 0.0, 3600.0, 1.25),)))
    catalogue.remember("p001", [mapped], NOW)
    assert catalogue.observed_parts("p001", hours(0, 24)) == []


def test_remembering_twice_changes_nothing_but_when_it_was_seen(catalogue: Catalogue) -> None:
    catalogue.remember("p001", [recording(0), recording(1)], NOW)
    catalogue.remember("p001", [recording(0)], NOW + timedelta(days=1))
    catalogue.remember("p001", [], NOW + timedelta(days=2))
    assert list(catalogue.known("p001").values()) == [recording(0), recording(1)]
    assert catalogue.last_seen("p001") == {
        recording(0).path: NOW + timedelta(days=1), recording(1).path: NOW
    }  # fmt: skip


def test_a_recording_of_another_camera_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(ValueError, match="p002"):
        catalogue.remember("p001", [recording(0, camera_id="p002")], NOW)


def test_what_was_observed_comes_back_exactly(catalogue: Catalogue) -> None:
    of, blind = recording(3), (BlindStretch(hours(3.25, 3.5), "dark"),)
    catalogue.remember("p001", [of], NOW)
    mark(catalogue, of, samples=58, failed=2, observed=hours(3, 3.9), blind=blind)
    part = ObservedPart(
        camera_id="p001",
        recording_id=of.id,
        recording=of.interval,
        plan_key="plan",
        model_id="yolov8n",
        file=f"{of.id}.parquet",
        samples=58,
        failed=2,
        observed=hours(3, 3.9),
        blind=blind,
    )
    assert catalogue.observed_file(of.id, "plan") == part
    assert catalogue.observed_of_camera("p001", "plan") == {of.id: part}
    assert catalogue.observed_parts("p001", hours(0, 24)) == [part]
    assert catalogue.observed_file(of.id, "another plan") is None
    assert catalogue.observed_of_camera("p001", "another plan") == {}
    assert catalogue.observed_of_camera("p002", "plan") == {}


def test_a_recording_of_which_no_sample_could_be_taken_is_observed_nowhere(catalogue: Catalogue) -> None:
    catalogue.remember("p001", [recording(0)], NOW)
    mark(catalogue, recording(0), samples=0, failed=60, observed=None)
    part = catalogue.observed_file(recording(0).id, "plan")
    assert part is not None
    assert part.observed is None


def test_marking_twice_leaves_one_part(catalogue: Catalogue) -> None:
    catalogue.remember("p001", [recording(0)], NOW)
    mark(catalogue, recording(0))
    before = catalogue.observed_parts("p001", hours(0, 24))
    mark(catalogue, recording(0))
    assert catalogue.observed_parts("p001", hours(0, 24)) == before
    assert len(before) == 1


def test_what_was_observed_of_a_file_counts_no_more_once_it_has_changed(catalogue: Catalogue) -> None:
    catalogue.remember("p001", [recording(0)], NOW)
    mark(catalogue, recording(0))
    grown = recording(0, size_bytes=2000)
    catalogue.remember("p001", [grown], NOW)
    mark(catalogue, recording(0), plan_key="of a run that still holds the old file")
    assert catalogue.known("p001") == {grown.path: grown}
    assert catalogue.observed_parts("p001", hours(0, 24)) == []


def test_what_was_observed_of_a_vanished_recording_still_counts(catalogue: Catalogue) -> None:
    catalogue.remember("p001", [recording(0), recording(1)], NOW)
    mark(catalogue, recording(0))
    catalogue.remember("p001", [recording(1)], NOW + timedelta(days=1))
    assert [part.recording_id for part in catalogue.observed_parts("p001", hours(0, 24))] == [recording(0).id]


def test_parts_of_a_period_are_those_that_touch_it_in_order_of_time(catalogue: Catalogue) -> None:
    found = [recording(hour) for hour in (5, 2, 3, 4, 1)]
    catalogue.remember("p001", found, NOW)
    for each in found:
        mark(catalogue, each)
    parts = catalogue.observed_parts("p001", hours(2.5, 4))
    assert [part.recording for part in parts] == [hours(2, 3), hours(3, 4)]


def test_a_repeated_recording_is_not_judged_twice(catalogue: Catalogue) -> None:
    copy = replace(recording(0), path="copy.mp4", state=RecordingState.REPEATED)
    catalogue.remember("p001", [recording(0), copy], NOW)
    mark(catalogue, recording(0))
    mark(catalogue, copy)
    assert [part.recording_id for part in catalogue.observed_parts("p001", hours(0, 24))] == [recording(0).id]


def test_a_month_of_a_camera_takes_one_query(database: Database, catalogue: Catalogue) -> None:
    month = [recording(hour) for hour in range(720)]
    catalogue.remember("p001", month, NOW)
    for each in month[:3]:
        mark(catalogue, each)
    statements: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(catalogue.known("p001")) == 720
    assert len(catalogue.observed_of_camera("p001", "plan")) == 3
    assert len(catalogue.observed_parts("p001", hours(0, 720))) == 3
    assert sum(statement.startswith("SELECT") for statement in statements) == 3


def test_a_survey_moves_on_and_one_that_failed_keeps_the_time_of_the_last(catalogue: Catalogue) -> None:
    catalogue.mark_surveyed("p001", NOW, "no such folder")
    assert catalogue.surveys() == {"p001": Survey(None, "no such folder")}
    catalogue.mark_surveyed("p001", NOW)
    catalogue.mark_surveyed("p001", NOW + timedelta(days=1), "no such folder")
    assert catalogue.surveys() == {"p001": Survey(NOW, "no such folder")}
    catalogue.mark_surveyed("p001", NOW + timedelta(days=2))
    assert catalogue.surveys() == {"p001": Survey(NOW + timedelta(days=2))}


def test_what_is_judged_stays_judged_when_less_of_it_is_judged_again(catalogue: Catalogue) -> None:
    assert not catalogue.ever_judged()
    catalogue.mark_judged("p001", [])
    catalogue.mark_judged("p001", [hours(0, 8), hours(9, 10)])
    catalogue.mark_judged("p001", [hours(0, 3)])
    catalogue.mark_judged("p002", [hours(0, 1)])
    assert catalogue.ever_judged()
    assert catalogue.judged_parts("p001", hours(1, 24)) == [hours(0, 8), hours(9, 10)]
    assert catalogue.judged_parts("p001", hours(10, 24)) == []


def test_picture_sizes_are_counted_with_the_newest_first(catalogue: Catalogue) -> None:
    wide, tall = recording(0), replace(recording(5), resolution_wh=(720, 1280))
    unread = replace(recording(9), resolution_wh=(0, 0))
    catalogue.remember("p001", [wide, recording(1), tall, unread], NOW)
    assert catalogue.sizes() == {"p001": [SizeSeen((720, 1280), 1), SizeSeen((1920, 1080), 2)]}
    known = catalogue.known_in(hours(0.5, 1.5))
    assert {camera: [one.path for one in found] for camera, found in known.items()} == {
        "p001": [wide.path, recording(1).path]
    }
