"""What stands in a name beside its date and clock is understood, or the name is refused with that part."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.footage.templates import NamedTimes, Unread, parse_template

EIGHT, HALF_PAST = datetime(2026, 1, 8, 8), datetime(2026, 1, 8, 8, 30)  # noqa: DTZ001 - names give local times
EVENING = EIGHT.replace(hour=20)
BEIJING = timezone(timedelta(hours=8))
UNDERSTOOD = {
    # offsets, as C11 writes them
    "2026-01-08T00-00-00Z": EIGHT.replace(hour=0, tzinfo=UTC),
    "2026-01-08T00_00_00+00_00": EIGHT.replace(hour=0, tzinfo=UTC),
    "2026-01-08T00-00-00.000Z": EIGHT.replace(hour=0, tzinfo=UTC),
    "2026-01-08_00-00-00-123456-+0000": EIGHT.replace(hour=0, microsecond=123456, tzinfo=UTC),
    "2026-01-08_00-00-00_UTC": EIGHT.replace(hour=0, tzinfo=UTC),
    "20260108_080000 (UTC+08:00)": EIGHT.replace(tzinfo=BEIJING),
    "20260108_080000_GMT+8": EIGHT.replace(tzinfo=BEIJING),
    "2026-01-08T08-00-00.250+08_00": EIGHT.replace(microsecond=250_000, tzinfo=BEIJING),
    "20260108T080000+08": EIGHT.replace(tzinfo=BEIJING),
    "20260108_080000 北京时间": EIGHT.replace(tzinfo=BEIJING),
    "2026-01-08T08-00-00-03-30": EIGHT.replace(tzinfo=timezone(-timedelta(hours=3, minutes=30))),
    # hours of half a day
    "2026-01-08 08-00-00 PM": EVENING,
    "2026-01-08 8-00-00 p.m.": EVENING,
    "2026-01-08 下午 08-00-00": EVENING,
    "2026-01-08 08-00-00下午": EVENING,
    "2026年01月08日 下午08时00分00秒": EVENING,
    "2026-01-08 20-00-00 PM": EVENING,
    "2026-01-08 12-00-00 AM": EIGHT.replace(hour=0),
    "2026-01-08 12-00-00 PM": EIGHT.replace(hour=12),
    "2026-01-08 上午08-00-00": EIGHT,
    # parts of a second
    "2026-01-08T08-00-00.123456": EIGHT.replace(microsecond=123456),
    "2026-01-08T08-00-00-123": EIGHT.replace(microsecond=123_000),
    "2026-01-08_08-00-00_050ms": EIGHT.replace(microsecond=50_000),
    # what says nothing of time
    "20260108_080000_main_1080p_30fps_H264 (1)": EIGHT,
    "NVR_192.168.1.64_20260108_080000[M][0@0][0]": EIGHT,
    "2026-01-08_08-00-00-0001": EIGHT,
    "2026_01_08_08_00_00": EIGHT,
}
ENDS = (
    "RecM01_20260108_080000_083000_6D2C800_1D3B5E5",
    "2026-01-08_08-00-00_08-30-00",
    "2026-01-08 08.00.00-08.30.00",
    "2026-01-08T08-00-00_2026-01-08T08-30-00",
    "x_20260108080000_20260108083000",
    "2026年1月8日8时00分00秒至2026年1月8日8时30分00秒",
)
REFUSED = {
    "2026-01-08 20-00-00 AM": "20 am",
    "2026-01-08 00-30-00 PM": "0 pm",
    "2026-01-08 08-00-00 晚上": "晚上",
    "PM_2026-01-08_08-00-00": "PM",
    "2026-01-08T08-00-00a": "a",
    "2026-01-08 08-00-00 - 08-30-00 PM": "pm",
    "20260108_080000+0812": "+0812",
    "20260108_080000_CST": "CST",
    "20260108_080000 UTC 8": "UTC 8",
    "2026-01-08_08-00-00-0500": "-0500",
    "2026-01-08_00-00-00-08-00": "-08-00",
    "20260108_080000-083000": "-083000",
    "20260108_080000_1767830400": "1767830400",
    "20260108_080000_x_20260109": "20260109",
    "RecM01_DST20260108_080000_083000": "DST",
    "20260108T080000Z_2026-01-08T08-00-00+0900_+0800": "+0800",
}


@pytest.mark.parametrize(("name", "start"), UNDERSTOOD.items(), ids=UNDERSTOOD.keys())
def test_what_says_something_of_time_is_understood(name: str, start: datetime) -> None:
    named = parse_template("iso").times(f"cam/{name}.mp4")
    assert named == NamedTimes(start)
    assert named.start.utcoffset() == start.utcoffset()


@pytest.mark.parametrize("name", ENDS)
def test_a_second_time_is_the_end(name: str) -> None:
    assert parse_template("iso").read(f"{name}.mp4") == NamedTimes(EIGHT, HALF_PAST)


@pytest.mark.parametrize(("name", "part"), REFUSED.items(), ids=REFUSED.keys())
def test_what_cannot_be_understood_is_refused_and_named(name: str, part: str) -> None:
    refused = parse_template("iso").read(f"{name}.mp4")
    assert isinstance(refused, Unread)
    assert refused.reason.startswith(f"'{part}' in its name is not understood: ")


@pytest.mark.parametrize(
    ("template", "name", "start"),
    [
        ("hikvision", "ch01_20260108000000_20260108003000_UTC.mp4", EIGHT.replace(tzinfo=BEIJING)),
        ("hikvision", "ch01_20260108080000_20260108083000+0800.mp4", EIGHT.replace(tzinfo=BEIJING)),
        ("hikvision", "ch01_20260108080000_20260108083000.264", EIGHT),
        ("{year}-{month}-{day}T{hour}-{minute}-{second}Z.*", "2026-01-08T00-00-00Z.mp4", EIGHT.replace(tzinfo=BEIJING)),
        ("{year}{month}{day}_{hour}{minute}{second}_{meridiem}.*", "20260108_080000_PM.mp4", EVENING),
        ("{year}{month}{day}_{hour}-{minute}{meridiem}.*", "20260108_8-00下午.mp4", EVENING),
        ("{year}{month}{day}{hour}{minute}{second}.{fraction}{offset}.*", "20260108080000.5+08_00.mp4",
         EIGHT.replace(microsecond=500_000, tzinfo=BEIJING)),
        ("{year}{month}{day}{hour}{minute}{second}*", "20260108000000+0000.mp4", EIGHT.replace(tzinfo=BEIJING)),
    ],
)  # fmt: skip
def test_templates_read_what_their_fields_and_stars_hold(template: str, name: str, start: datetime) -> None:
    named = parse_template(template).times(name)
    assert named is not None
    assert named.start == start


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("hikvision", "ch01_20260108080000_20260108083000 PM.mp4"),
        ("hikvision", "PM_20260108080000_20260108083000.mp4"),
        ("{year}{month}{day}/*/{hour}{minute}{second}.mp4", "20260108/下午/080000.mp4"),
        ("{year}{month}{day}_{hour}{minute}{second}*.mp4", "20260108_080000_EST.mp4"),
    ],
)
def test_a_star_does_not_hide_what_says_something_of_time(template: str, name: str) -> None:
    assert isinstance(parse_template(template).read(name), Unread)


def test_a_template_whose_own_text_says_a_half_of_the_day_is_refused() -> None:
    with pytest.raises(ValueError, match="meridiem"):
        parse_template("{year}{month}{day}_{hour}{minute}{second} PM.mp4")


NOTATIONS = (
    ("{0:%Y-%m-%dT%H-%M-%S}Z", UTC, 0),
    ("{0:%Y%m%d_%H%M%S}_UTC", UTC, 0),
    ("{0:%Y-%m-%d_%H-%M-%S}-{0:%f}-+0800", BEIJING, 6),
    ("{0:%Y_%m_%dT%H_%M_%S}+08_00", BEIJING, 0),
    ("{0:%Y-%m-%d} {0:%I-%M-%S} {0:%p}", None, 0),
    ("{0:%Y%m%d} {0:%I%M%S}{0:%p}", None, 0),
    ("cam_{0:%Y%m%d%H%M%S}.{0:%f}", None, 6),
    ("{0:%Y-%m-%d %H.%M.%S}-0007", None, 0),
)


@pytest.mark.parametrize("seed", range(24))
def test_made_names_of_many_notations_give_their_moment(seed: int) -> None:
    chance = random.Random(seed)
    shape, zone, digits = NOTATIONS[seed % len(NOTATIONS)]
    moment = datetime(2026, 1, 1, tzinfo=zone) + timedelta(seconds=chance.randrange(86_400 * 30))
    moment = moment.replace(microsecond=chance.randrange(10**6) if digits else 0)
    named = parse_template("iso").times(
        f"p001/{shape.format(moment)}{chance.choice(['.mp4', '.264', '.TS'])}"
    )
    assert named is not None
    assert (named.start, named.start.tzinfo is None, named.end) == (moment, zone is None, None)


@given(
    hour=st.integers(0, 23), minute=st.integers(0, 59), half=st.sampled_from([("AM", "PM"), ("上午", "下午")])
)
def test_every_hour_written_in_halves_of_the_day_is_read_back(
    hour: int, minute: int, half: tuple[str, str]
) -> None:
    name = f"2026-01-08 {hour % 12 or 12:02d}-{minute:02d}-00 {half[hour >= 12]}.mp4"
    assert parse_template("iso").times(name) == NamedTimes(EIGHT.replace(hour=hour, minute=minute))


@given(
    text=st.text(max_size=40),
    template=st.sampled_from(["iso", "hikvision", "{year}{month}{day}{hour}{minute}*"]),
)
def test_whatever_stands_behind_a_stamp_the_start_is_that_clock_or_the_name_is_refused(
    text: str, template: str
) -> None:
    stamp = {"iso": "20260108T080000", "hikvision": "c_20260108080000_20260108083000"}.get(
        template, "202601080800"
    )
    named = parse_template(template).read(f"{stamp}{text.replace('/', '')}.mp4")
    assert isinstance(named, Unread) or named.start.replace(tzinfo=None, microsecond=0) in (EIGHT, EVENING)


@pytest.mark.parametrize(
    "name", ["2026-01-08 11-00-00 AM - 01-00-00 PM", "2026-01-08 11.00.00 a.m.-01.00.00 p.m."]
)
def test_am_and_pm_belong_to_the_clock_before_them(name: str) -> None:
    named = parse_template("iso").times(f"cam/{name}.mp4")
    assert named is not None
    assert named.end is not None
    assert (named.start.hour, named.end.hour, named.end - named.start) == (11, 13, timedelta(hours=2))
