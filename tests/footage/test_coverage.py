"""What of a period has a recording, what was observed, and why the rest was not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.times import Interval, local_day
from detector.core.values import Camera, Recording, RecordingState
from detector.footage.archive import Archive, Unplaced
from detector.footage.catalogue import BlindStretch
from detector.footage.coverage import SEAM_S, Gap, GapReason, PointCoverage, coverage
from detector.footage.daystate import DayState

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 1, 8, tzinfo=SHANGHAI)
HOUR, DAY = 3600.0, 86_400.0
CAMERA = Camera("cam1", (), SHANGHAI, (64, 64), "cam1", "iso")


def span(from_s: float, until_s: float) -> Interval:
    """From and until seconds after midnight of 8 January in Shanghai."""
    start = MIDNIGHT.astimezone(UTC)
    return Interval(start + timedelta(seconds=from_s), start + timedelta(seconds=until_s))


def recording(
    from_s: float, until_s: float, state: RecordingState = RecordingState.READABLE, *, end_in_name: str = ""
) -> Recording:
    interval = span(from_s, until_s)
    name = f"{interval.start.astimezone(SHANGHAI):%Y%m%d%H%M%S}{end_in_name}"
    return Recording(
        "cam1", f"cam1/x_{name}.mp4", 1, 0, interval, state, "" if state == "readable" else "why"
    )


def told(
    recordings: list[Recording],
    observed: list[Interval] | None = None,
    *,
    blind: list[tuple[Interval, str]] | None = None,
    period: Interval | None = None,
    camera: Camera = CAMERA,
) -> PointCoverage:
    seen = [r.interval for r in recordings if r.usable] if observed is None else observed
    return coverage(
        camera,
        "p01",
        period or span(0, DAY),
        Archive(tuple(recordings)),
        seen,
        blind=[BlindStretch(*one) for one in blind or []],
    )


def gaps(covered: PointCoverage) -> list[tuple[float, float, str]]:
    zero = span(0, DAY).start
    return [
        ((g.interval.start - zero).total_seconds(), (g.interval.end - zero).total_seconds(), g.reason.value)
        for day in covered.days
        for g in day.gaps
    ]


def test_a_day_wholly_recorded_and_observed_has_no_gaps() -> None:
    covered = told([recording(hour * HOUR, (hour + 1) * HOUR) for hour in range(24)])
    (day,) = covered.days
    assert (day.day, day.readable_s, day.observed_s, day.gaps) == (date(2026, 1, 8), DAY, DAY, ())
    assert (covered.readable_share, covered.observed_share, covered.complete) == (1.0, 1.0, True)


def test_some_minutes_a_day_are_a_small_share_of_it() -> None:
    covered = told([recording(8 * HOUR, 8 * HOUR + 216)])
    assert covered.readable_share == pytest.approx(0.0025)
    assert gaps(covered) == [(0, 8 * HOUR, "no_recording"), (8 * HOUR + 216, DAY, "no_recording")]


def test_a_day_without_any_recording_is_one_gap_of_24_hours_and_marks_the_point() -> None:
    covered = told([recording(0, DAY), recording(2 * DAY, 3 * DAY)], period=span(0, 3 * DAY))
    assert gaps(covered) == [(DAY, 2 * DAY, "no_recording")]
    assert (covered.days_covered, len(covered.days), covered.complete) == (2, 3, False)


def test_a_gap_over_midnight_is_told_on_both_days() -> None:
    covered = told([recording(0, DAY - HOUR), recording(DAY + HOUR, 2 * DAY)], period=span(0, 2 * DAY))
    assert gaps(covered) == [(DAY - HOUR, DAY, "no_recording"), (DAY, DAY + HOUR, "no_recording")]


@pytest.mark.parametrize(("seam_s", "count"), [(0.5, 0), (1.9, 0), (2.0, 1), (30.0, 1)])
def test_only_gaps_of_two_seconds_and_more_count(seam_s: float, count: int) -> None:
    covered = told([recording(0, HOUR), recording(HOUR + seam_s, DAY)])
    assert len(gaps(covered)) == count
    assert covered.days[0].readable_s == DAY - count * seam_s


@pytest.mark.parametrize("state", ["empty", "not_video", "growing", "unreadable", "repeated"])
def test_a_gap_under_a_file_that_cannot_be_used_has_its_reason(state: str) -> None:
    camera = Camera("cam1", (), SHANGHAI, (64, 64), "cam1", "hikvision")
    broken = recording(HOUR, 2 * HOUR, RecordingState(state), end_in_name="_20260108020000")
    covered = told([recording(0, HOUR), broken, recording(3 * HOUR, DAY)], camera=camera)
    assert gaps(covered) == [(HOUR, 2 * HOUR, state), (2 * HOUR, 3 * HOUR, "no_recording")]
    assert covered.days[0].gaps[0].detail == f"{broken.path}: why"


def test_a_bad_file_without_an_end_in_its_name_is_taken_to_be_as_long_as_the_others() -> None:
    broken = recording(600, 601, RecordingState.EMPTY)
    covered = told([recording(0, 600), broken, recording(3000, 3600)], period=span(0, 3600))
    assert gaps(covered) == [(600, 1200, "empty"), (1200, 3000, "no_recording")]
    alone = told([recording(600, 601, RecordingState.EMPTY)])
    assert (600, 600 + HOUR, "empty") in gaps(alone)


def test_what_a_truncated_recording_lacks_is_a_gap_with_that_reason() -> None:
    camera = Camera("cam1", (), SHANGHAI, (64, 64), "cam1", "hikvision")
    cut = recording(0, 600, RecordingState.TRUNCATED, end_in_name="_20260108010000")
    covered = told([cut, recording(2 * HOUR, DAY)], camera=camera)
    assert gaps(covered) == [(600, HOUR, "truncated"), (HOUR, 2 * HOUR, "no_recording")]


def test_readable_time_that_was_not_observed_is_a_gap_and_so_is_a_view_that_cannot_be_judged() -> None:
    covered = told([recording(0, DAY)], [span(0, 6 * HOUR)], blind=[(span(HOUR, 2 * HOUR), "frozen")])
    assert gaps(covered) == [(HOUR, 2 * HOUR, "unusable_view"), (6 * HOUR, DAY, "not_observed")]
    assert covered.days[0].gaps[0].detail == "frozen"
    assert (covered.days[0].readable_s, covered.days[0].observed_s) == (DAY, 5 * HOUR)


def test_what_was_observed_before_the_recorder_overwrote_it_stays_observed() -> None:
    covered = told([], [span(0, DAY)])
    assert (covered.readable_share, covered.observed_share) == (0.0, 1.0)


def test_a_missing_folder_and_files_without_a_time_are_passed_on() -> None:
    archive = Archive((), (Unplaced("cam1/a.mp4", "no time"),), "cannot read the folder cam1")
    covered = coverage(CAMERA, "p01", span(0, DAY), archive, [])
    assert covered.days[0].gaps == (Gap(span(0, DAY), GapReason.NO_FOLDER, "cannot read the folder cam1"),)
    assert covered.unplaced == ("cam1/a.mp4: no time",)
    assert covered.fault == "cannot read the folder cam1"


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)]
)
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(day: date, hours: int) -> None:
    camera = Camera("cam1", (), BERLIN, (64, 64), "cam1", "iso")
    covered = told([], period=local_day(day, BERLIN), camera=camera)
    assert [(row.day, row.expected_s) for row in covered.days] == [(day, hours * HOUR)]


def test_days_are_those_of_the_cameras_time_zone() -> None:
    covered = told(
        [], period=Interval(datetime(2026, 1, 7, 15, tzinfo=UTC), datetime(2026, 1, 8, 17, tzinfo=UTC))
    )
    assert [(row.day.day, row.expected_s) for row in covered.days] == [(7, HOUR), (8, DAY), (9, HOUR)]


def test_thirty_days_of_recordings_are_complete_and_twenty_nine_are_not() -> None:
    month = [recording(day * DAY + 600, day * DAY + 660) for day in range(30)]
    assert told(month, period=span(0, 30 * DAY)).complete
    assert not told(month[1:], period=span(0, 30 * DAY)).complete
    assert told(month, period=span(-5 * DAY, 30 * DAY)).complete


def test_the_json_is_plain_and_in_local_time() -> None:
    row = told([recording(0, HOUR)], [span(0, HOUR / 2)], blind=[]).to_json()
    assert json.loads(json.dumps(row)) == row
    assert (row["point"], row["camera"], row["complete"], row["days_covered"]) == ("p01", "cam1", True, 1)
    assert row["days"][0]["gaps"][0] == {
        "from": "2026-01-08T00:30:00+08:00",
        "until": "2026-01-08T01:00:00+08:00",
        "duration_s": 1800.0,
        "reason": "not_observed",
        "detail": "",
    }


SPANS = st.tuples(st.integers(-200, 2000), st.integers(1, 900)).map(
    lambda pair: (pair[0] * 100.0, pair[1] * 10.0)
)
RECORDINGS = st.lists(
    st.tuples(SPANS, st.sampled_from([s for s in RecordingState if s is not RecordingState.UNNAMED])),
    max_size=12,
).map(lambda drawn: [recording(start, start + length, state) for (start, length), state in drawn])
STRETCHES = st.lists(SPANS.map(lambda pair: span(pair[0], pair[0] + pair[1])), max_size=8)


@given(recordings=RECORDINGS, observed=STRETCHES, blind=STRETCHES, from_s=st.integers(0, 90_000))
def test_readable_time_and_the_gaps_without_a_recording_make_up_the_period(
    recordings: list[Recording], observed: list[Interval], blind: list[Interval], from_s: int
) -> None:
    period = span(from_s, from_s + 100_000)
    covered = told(recordings, observed, blind=[(b, "dark") for b in blind], period=period)
    assert covered.expected_s == pytest.approx(period.duration_s)
    for day in covered.days:
        absent_s = sum(gap.interval.duration_s for gap in day.gaps if not gap.is_readable)
        assert day.readable_s + absent_s == pytest.approx(day.expected_s)
        assert 0 <= day.observed_s <= day.expected_s
        assert all(a.interval.end <= b.interval.start for a, b in pairwise(day.gaps))
        assert all(
            not gap.interval.overlaps(r) for gap in day.gaps if not gap.is_readable for r in day.readable
        )
        assert all(not gap.interval.overlaps(s) for gap in day.gaps if gap.is_readable for s in day.observed)


@given(recordings=RECORDINGS, observed=STRETCHES)
def test_every_moment_is_observed_or_explained(recordings: list[Recording], observed: list[Interval]) -> None:
    covered = told(recordings, observed)
    for day in covered.days:
        explained = [*day.observed, *(gap.interval for gap in day.gaps)]
        unexplained_s = day.expected_s - union_s(explained)
        assert unexplained_s <= SEAM_S * (len(explained) + 1)


def union_s(intervals: list[Interval]) -> float:
    ends, total = datetime.min.replace(tzinfo=UTC), 0.0
    for interval in sorted(intervals):
        total += max(0.0, (interval.end - max(interval.start, ends)).total_seconds())
        ends = max(ends, interval.end)
    return total


def test_time_of_another_picture_shape_is_observed_and_judged_but_not_clear() -> None:
    whole, half = span(0, DAY), span(0, DAY / 2)
    shape = BlindStretch.of_shape(half, (352, 288))
    covered = told(
        [recording(0, DAY)],
        [whole],
        blind=[(half, shape.reason)],
        camera=replace(CAMERA, resolution_wh=(960, 540)),
    )
    (day,) = covered.days
    (gap,) = day.gaps
    assert (gap.reason, gap.interval, gap.is_readable) == (GapReason.PICTURE_SHAPE, half, True)
    assert gap.detail == "352x288, resolution_wh is 960x540"
    assert day.observed_s == pytest.approx(DAY)
    assert day.facts.judged_s == pytest.approx(DAY / 2)
    assert day.state is not DayState.NOTHING_FOUND
