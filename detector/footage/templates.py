"""Times out of file names.

A template is a preset's name or a text such as `{year}-{month}-{day}/*_{hour}{minute}{second}.mp4`:

- `{year}` is four digits; `{month} {day} {hour} {minute} {second}` are two. Year to minute are needed.
- `{end_year}` ... `{end_second}` give the end; with no end date the end falls on the start's day, or the next.
- `{offset}` is `Z`, `+0800` or `+08:00`; with it the times are aware.
- A field that stands twice must have the same digits twice.
- `*` is any text inside one folder's or file's name; all else stands for itself, upper and lower case alike.
- A template with n slashes is held against the last n + 1 names of a path, so folders above do not matter.

Names say nothing of daylight saving time: a local time that occurs twice is the earlier of the two, and one that
a clock change leaves out is as many minutes after the change as it lies after the hour that was left out
(`fold=0`, see `detector.footage.archive.true_times`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

_DATE = ("year", "month", "day")
_CLOCK = ("hour", "minute", "second")
_OFFSET = r"[+-](?:0\d|1[0-4]):?(?:00|15|30|45)"
_FIELDS: Mapping[str, str] = {
    **{name: r"\d{4}" if name.endswith("year") else r"\d{2}" for name in (*_DATE, *_CLOCK)},
    **{f"end_{name}": r"\d{4}" if name.endswith("year") else r"\d{2}" for name in (*_DATE, *_CLOCK)},
    "offset": f"Z|{_OFFSET}",
}
_TOKEN = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<star>\*+)|(?P<literal>[^{}*]+)|(?P<stray>[{}])")
_YEARS = range(1970, 2200)
"""Other years are digits that happen to stand there."""

_PRESET_TEXTS: Mapping[str, str] = {
    "hikvision": "*_{year}{month}{day}{hour}{minute}{second}"
    "_{end_year}{end_month}{end_day}{end_hour}{end_minute}{end_second}*.*",
    "dahua": "{year}-{month}-{day}/*/dav/*/"
    "{hour}.{minute}.{second}-{end_hour}.{end_minute}.{end_second}[*][*@*][*].*",
}
# A minus begins an offset only after the 'T' of strict ISO times; elsewhere it begins a serial number.
_ISO = re.compile(
    r"(?:^|/)[^/]*?(?<!\d)"
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d{2})(?P=dash)(?P<day>\d{2})(?:(?P<strict>T)|[ _-]?)"
    r"(?P<hour>\d{2})(?P<colon>[-_.:]?)(?P<minute>\d{2})(?P=colon)(?P<second>\d{2})"
    rf"(?P<offset>Z|(?!-){_OFFSET}|(?(strict){_OFFSET}|(?!)))?(?!\d)[^/]*\Z",
    re.IGNORECASE,
)
PRESETS = ("iso", *_PRESET_TEXTS)


@dataclass(frozen=True, slots=True)
class NamedTimes:
    """What a name says: the recorder's own times, naive and local unless the name carries an offset.

    `end` is None where the name gives none. A name may well give an end before its start: clocks go back.
    """

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A preset or a template text, ready to read names with."""

    text: str
    pattern: re.Pattern[str]

    def times(self, relative_path: str) -> NamedTimes | None:
        """The times in a path with forward slashes; None where it does not fit or names an impossible date."""
        match = self.pattern.search(relative_path)
        if match is None:
            return None
        fields = {name: value for name, value in match.groupdict().items() if value is not None}
        try:
            zone = _offset(fields["offset"]) if "offset" in fields else None
            start = datetime.combine(_date(fields, ""), _clock(fields, ""), zone)
            return NamedTimes(start, _end(fields, start))
        except ValueError:
            return None


def parse_template(text: str) -> Template:
    """A preset by its name (one of PRESETS) or a template text; raises ValueError with all that is wrong in one line."""
    if text == "iso":
        return Template(text, _ISO)
    faults: list[str] = []
    pattern, fields = _compiled(_PRESET_TEXTS.get(text, text), faults)
    if not fields and not faults:
        near = difflib.get_close_matches(text, PRESETS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{text!r} is neither a preset ({', '.join(PRESETS)}) nor a text with {{year}} ... {{minute}}{hint}"
        )
    needed = [*_DATE, "hour", "minute"]
    if any(name.startswith("end_") for name in fields):
        needed += ["end_hour", "end_minute"]
    if any(f"end_{name}" in fields for name in _DATE):
        needed += [f"end_{name}" for name in _DATE]
    faults += [f"{{{name}}} is missing" for name in needed if name not in fields]
    if "\\" in text:
        faults.append("folders are parted by '/', not by '\\'")
    if faults:
        raise ValueError(f"template {text!r}: {'; '.join(faults)}")
    return Template(text, re.compile(rf"(?:^|/){pattern}\Z", re.IGNORECASE))


def _compiled(text: str, faults: list[str]) -> tuple[str, set[str]]:
    """A regular expression for a template text and the fields in it; what is wrong goes to `faults`."""
    pattern, fields = "", set[str]()
    for token in _TOKEN.finditer(text):
        field = token["field"]
        if token["stray"]:
            faults.append(f"the {token['stray']!r} at character {token.start() + 1} has no partner")
        elif token["star"]:
            pattern += "[^/]*"
        elif field is None:
            pattern += re.escape(token["literal"])
        elif field in fields:
            pattern += f"(?P={field})"
        elif field in _FIELDS:
            pattern += f"(?P<{field}>{_FIELDS[field]})"
            fields.add(field)
        else:
            near = difflib.get_close_matches(field, _FIELDS, 1)
            hint = f", did you mean {{{near[0]}}}?" if near else f", the fields are {', '.join(_FIELDS)}"
            faults.append(f"{{{field}}} is no field{hint}")
    return pattern, fields


def _date(fields: Mapping[str, str], prefix: str) -> date:
    year, month, day = (int(fields[prefix + name]) for name in _DATE)
    if year not in _YEARS:
        raise ValueError(year)
    return date(year, month, day)


def _clock(fields: Mapping[str, str], prefix: str) -> time:
    hour, minute, second = (int(fields.get(prefix + name, "0")) for name in _CLOCK)
    return time(hour, minute, second)


def _end(fields: Mapping[str, str], start: datetime) -> datetime | None:
    if "end_hour" not in fields:
        return None
    clock = _clock(fields, "end_")
    if "end_year" in fields:
        return datetime.combine(_date(fields, "end_"), clock, start.tzinfo)
    end = datetime.combine(start.date(), clock, start.tzinfo)
    return end if end > start else end + timedelta(days=1)


def _offset(text: str) -> tzinfo:
    if text in ("Z", "z"):
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if text[0] == "-" else size)
