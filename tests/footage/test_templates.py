"""Times out of file names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.footage.templates import PRESETS, NamedTimes, parse_template

EIGHT, NINE = datetime(2026, 1, 8, 8), datetime(2026, 1, 8, 9)  # noqa: DTZ001 - names give local times
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 30)).map(lambda m: m.replace(microsecond=0))  # noqa: DTZ001


@pytest.mark.parametrize(
    "path",
    [
        "cam1/ch01_20260108080000_20260108090000.mp4",
        "NVR_192.168.1.64_01_20260108080000_20260108090000.mp4",
        "2026/01/ch01_20260108080000_20260108090000 (1).MP4",
    ],
)
def test_hikvision_names_give_start_and_end(path: str) -> None:
    assert parse_template("hikvision").times(path) == NamedTimes(EIGHT, NINE)


@pytest.mark.parametrize(
    "path",
    [
        "2026-01-08/001/dav/08/08.00.00-09.00.00[M][0@0][0].mp4",
        "p01/2026-01-08/017/dav/08/08.00.00-09.00.00[R][0@0][0].dav",
        "a/b/2026-01-08/3/dav/08/08.00.00-09.00.00[F][0@4096][12].dav_",
    ],
)
def test_dahua_paths_give_start_and_end_whatever_the_channel(path: str) -> None:
    assert parse_template("dahua").times(path) == NamedTimes(EIGHT, NINE)


def test_the_brackets_of_dahua_names_stand_for_themselves() -> None:
    assert parse_template("dahua").times("2026-01-08/001/dav/08/08.00.00-09.00.00M0@00.mp4") is None


def test_an_end_without_a_date_before_the_start_is_on_the_next_day() -> None:
    named = parse_template("dahua").times("2026-01-08/001/dav/23/23.30.00-00.00.00[M][0@0][0].mp4")
    assert named is not None
    assert named.end == datetime(2026, 1, 9)  # noqa: DTZ001


@pytest.mark.parametrize(
    "path",
    [
        "2026-01-08T08-00-00.mp4",
        "20260108T080000.mkv",
        "2026-01-08_08-00-00.avi",
        "20260108_080000.ts",
        "20260108080000.mp4",
        "2026-01-08 08.00.00.mp4",
        "2026-01-08T08:00:00.mp4",
        "cam1_2026-01-08T08-00-00.mp4",
        "cam1/2026-02-09T01-01-01/cam12-20260108T080000-front.mp4",
        "192.168.1.20_20260108_080000-0001.mp4",
        "20260108T080000-00015.mp4",
    ],
)
def test_iso_names_give_a_local_start(path: str) -> None:
    assert parse_template("iso").times(path) == NamedTimes(EIGHT)


@pytest.mark.parametrize(
    ("path", "offset"),
    [
        ("20260108T080000+0800.mp4", timezone(timedelta(hours=8))),
        ("2026-01-08_08-00-00+08:00.mp4", timezone(timedelta(hours=8))),
        ("2026-01-08T08-00-00-0330.mp4", timezone(-timedelta(hours=3, minutes=30))),
        ("cam1_20260108T080000Z_x.mp4", UTC),
    ],
)
def test_iso_names_with_an_offset_give_an_aware_start(path: str, offset: timezone) -> None:
    named = parse_template("iso").times(path)
    assert named == NamedTimes(EIGHT.replace(tzinfo=offset))
    assert named.start.utcoffset() == offset.utcoffset(None)


@pytest.mark.parametrize(
    "path",
    [
        "2026-02-30T08-00-00.mp4",
        "2026-01-08T24-00-00.mp4",
        "2026-13-08T08-00-00.mp4",
        "0001-01-08T08-00-00.mp4",
        "2026-01-08.mp4",
        "202601080800001.mp4",
        "20260108T08:0000.mp4",
        "holiday.mp4",
        "20260108T080000/video.mp4",
        "",
    ],
)
def test_a_name_with_an_impossible_date_or_none_gives_nothing(path: str) -> None:
    assert parse_template("iso").times(path) is None


def test_a_template_of_ones_own_reads_folders_and_names() -> None:
    template = parse_template("{year}-{month}-{day}/*_{hour}{minute}-{end_hour}{end_minute}.mp4")
    assert template.times("north/2026-01-08/gate_0800-0900.mp4") == NamedTimes(EIGHT, NINE)
    assert template.times("2026-01-08/gate/x_0800-0900.mp4") is None
    assert template.times("2026-01-08/gate_0800-0900.mp4.part") is None


def test_a_field_that_stands_twice_must_agree_with_itself() -> None:
    template = parse_template("{year}{month}{day}/{year}{month}{day}{hour}{minute}{second}{offset}.*")
    assert template.times("20260108/20260108080000Z.mp4") == NamedTimes(EIGHT.replace(tzinfo=UTC))
    assert template.times("20260107/20260108080000Z.mp4") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hikvison", "did you mean 'hikvision'"),
        ("", "neither a preset"),
        ("{year}{month}{day}.mp4", "{hour} is missing; {minute} is missing"),
        ("{yaer}{month}{day}{hour}{minute}", "{yaer} is no field, did you mean {year}?; {year} is missing"),
        ("{year}{month}{day}{hour}{minute", "the '{' at character 25 has no partner"),
        ("{year}{month}{day}{hour}{minute}_{end_second}", "{end_hour} is missing; {end_minute} is missing"),
        ("{year}{month}{day}{hour}{minute}_{end_day}{end_hour}{end_minute}", "{end_year} is missing"),
        ("{year}\\{month}{day}{hour}{minute}", "parted by '/'"),
    ],
)
def test_a_template_that_cannot_work_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is what is tested
        parse_template(text)
    assert message in str(refused.value)


@given(moment=MOMENTS, duration=st.timedeltas(timedelta(seconds=1), timedelta(hours=23)))
def test_every_moment_written_into_a_name_is_read_back(moment: datetime, duration: timedelta) -> None:
    end = (moment + duration).replace(microsecond=0)
    assert parse_template("hikvision").times(f"c_{moment:%Y%m%d%H%M%S}_{end:%Y%m%d%H%M%S}.mp4") == NamedTimes(
        moment, end
    )
    dahua = f"{moment:%Y-%m-%d}/1/dav/{moment:%H}/{moment:%H.%M.%S}-{end:%H.%M.%S}[M][0@0][0].mp4"
    assert parse_template("dahua").times(dahua) == NamedTimes(moment, end)
    for shape in ("%Y-%m-%dT%H-%M-%S", "%Y%m%dT%H%M%S", "%Y-%m-%d_%H-%M-%S"):
        assert parse_template("iso").times(f"{moment:{shape}}.mp4") == NamedTimes(moment)


@given(path=st.text(st.characters(exclude_characters="\x00"), max_size=80), preset=st.sampled_from(PRESETS))
def test_any_name_at_all_is_read_or_refused_without_a_fault(path: str, preset: str) -> None:
    named = parse_template(preset).times(path)
    assert named is None or named.start.year >= 1970
