"""Working hours, Chinese holidays and make-up days."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.config.loop import Calendar, Duty, Match
from detector.config.settings import Settings, load_settings
from detector.config.template import write_template
from detector.core.errors import BadInput
from detector.core.times import DailyHours
from detector.core.values import Violation
from detector.dispatch.routing import calendar_warning
from detector.dispatch.worktime import WorkTime

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("office")
    write_template(folder)
    return load_settings(folder)


@pytest.fixture(scope="module")
def calendar(settings: Settings) -> Calendar:
    assert settings.loop
    return settings.loop.calendar


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-01-08 09:00", 2, "2026-01-08 11:00"),
        ("2026-01-08 11:00", 2, "2026-01-08 15:00"),  # over the noon break
        ("2026-01-08 03:12", 4, "2026-01-08 14:30"),  # found at night
        ("2026-01-09 16:30", 4, "2026-01-12 11:30"),  # over a weekend
        ("2026-01-02 10:00", 1, "2026-01-04 09:30"),  # New Year, and a Sunday that is worked
        (
            "2026-02-14 16:30",
            2,
            "2026-02-24 09:30",
        ),  # a Saturday that is worked, then nine days of Spring Festival
        ("2026-09-20 17:00", 1, "2026-09-21 09:00"),  # a Sunday that is worked
        ("2026-09-30 17:00", 8, "2026-10-09 09:00"),  # the National Day week: 0.5 + 7 + 0.5 h
        ("2026-10-10 09:00", 1, "2026-10-10 10:00"),
    ],
)
def test_a_deadline_is_counted_in_working_hours(
    calendar: Calendar, start: str, hours: float, due: str
) -> None:
    assert WorkTime(calendar, (), SHANGHAI).after(at(start), hours) == at(due)


def test_the_table_has_the_days_off_of_the_state_councils_notice_for_2026(calendar: Calendar) -> None:
    off = [day for day in calendar.holidays if day.year == 2026]
    assert (len(off), len(calendar.working_days)) == (3 + 9 + 3 + 5 + 3 + 3 + 7, 6)
    assert all(day.weekday() >= 5 and day not in calendar.holidays for day in calendar.working_days)


def test_peak_duty_counts_although_the_office_is_closed(calendar: Calendar) -> None:
    evening = Duty(Match(), (DailyHours.parse("18:00-23:30"),), every_day=True, who="夜市值守")
    peak = Duty(Match(), (DailyHours.parse("07:00-09:00"),), every_day=False, who="交警高峰岗")
    night_market = WorkTime(calendar, (evening,), SHANGHAI)
    assert night_market.after(at("2026-02-17 19:00"), 2) == at("2026-02-17 21:00"), "in the Spring Festival"
    assert night_market.after(at("2026-02-17 23:00"), 1) == at("2026-02-18 18:30")
    traffic = WorkTime(calendar, (peak,), SHANGHAI)
    assert traffic.after(at("2026-01-08 07:30"), 2) == at("2026-01-08 09:30"), "hours that overlap count once"
    assert traffic.after(at("2026-01-10 07:30"), 0.5) == at("2026-01-12 07:30"), "a Saturday is not worked"


def test_duty_over_midnight_counts_on_both_days(calendar: Calendar) -> None:
    night = WorkTime(calendar, (Duty(Match(), (DailyHours.parse("22:00-06:00"),), True, ""),), SHANGHAI)
    assert night.after(at("2026-01-10 23:00"), 6) == at("2026-01-11 05:00")
    assert night.after(at("2026-01-11 01:00"), 6) == at("2026-01-11 22:00") + timedelta(hours=1)


moments = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001  # what is drawn has its zone
    max_value=datetime(2026, 12, 1),  # noqa: DTZ001
    timezones=st.just(SHANGHAI),
)
hours = st.floats(min_value=0.01, max_value=120)


@given(start=moments, wanted=hours)
def test_until_a_deadline_exactly_its_working_hours_go_by(
    calendar: Calendar, start: datetime, wanted: float
) -> None:
    working = WorkTime(calendar, (), SHANGHAI)
    due = working.after(start, wanted)
    assert working.between_h(start, due) == pytest.approx(wanted, abs=1e-6)
    back = working.before(due, wanted)
    assert working.between_h(back, due) == pytest.approx(wanted, abs=1e-6)


@given(start=moments, wanted=hours, later=st.floats(min_value=0, max_value=1e6))
def test_who_starts_later_is_never_due_earlier(
    calendar: Calendar, start: datetime, wanted: float, later: float
) -> None:
    working = WorkTime(calendar, (), SHANGHAI)
    assert working.after(start, wanted) <= working.after(
        start + timedelta(seconds=later), wanted
    ) + timedelta(milliseconds=1)


def test_a_year_that_the_table_does_not_know_is_told(calendar: Calendar) -> None:
    working = WorkTime(calendar, (), SHANGHAI)
    assert working.unknown_year(at("2026-12-31 16:00"), at("2027-01-04 09:00")) == 2027
    assert working.unknown_year(at("2026-12-30 16:00"), at("2026-12-31 09:00")) is None


def test_a_calendar_without_working_hours_is_told_and_not_searched_for_ever(calendar: Calendar) -> None:
    never = replace(calendar, weekdays=frozenset(), working_days=frozenset())
    with pytest.raises(BadInput, match=r"calendar\.yaml"):
        WorkTime(never, (), SHANGHAI).after(at("2026-01-08 09:00"), 1)


def test_the_example_routes_as_the_county_does(settings: Settings) -> None:
    loop = settings.loop
    assert loop
    crossing, arterial, market = (settings.point(p) for p in ("p025", "p001", "p036"))
    assert loop.route(Violation.SIDEWALK_PARKING, crossing).lead == "traffic_police"
    assert loop.route(Violation.SIDEWALK_PARKING, arterial).lead == "urban_management"
    assert loop.route(Violation.STREET_VENDING, arterial).lead == "urban_management"
    assert loop.route(Violation.LITTER, market).assisting == ("urban_management",)
    assert loop.working_h(Violation.LITTER, market) == 4


@pytest.mark.parametrize(
    ("day", "warned"),
    [("2026-06-01", None), ("2026-11-10", None), ("2026-11-20", 2027), ("2027-03-01", 2027)],
)
def test_a_year_that_the_calendar_lacks_is_asked_for_before_a_deadline_falls_into_it(
    settings: Settings, day: str, warned: int | None
) -> None:
    warning = calendar_warning(settings, at(f"{day} 09:00"))
    assert (warning is not None) == (warned is not None)
    assert warning is None or f"no holidays of {warned}" in warning[0]


def test_a_year_that_is_added_is_known_and_no_longer_asked_for(tmp_path: Path) -> None:
    write_template(tmp_path / "office")
    path = tmp_path / "office" / "calendar.yaml"
    more = """\
  2027:
    holidays: [{name: made up, first: 2027-03-01, last: 2027-03-02}]
    working_days: [2027-03-06]
"""
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    office = load_settings(tmp_path / "office")
    assert office.loop
    assert calendar_warning(office, at("2026-12-20 09:00")) is None
    working = WorkTime(office.loop.calendar, (), SHANGHAI)
    assert working.after(at("2027-02-26 17:00"), 1.0) == at("2027-03-03 09:00")
    assert working.after(at("2027-03-05 17:00"), 1.0) == at("2027-03-06 09:00")
