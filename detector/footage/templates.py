"""Times out of file names.

A template is a preset's name or a text such as `{year}-{month}-{day}/*_{hour}{minute}{second}.mp4`:

- `{year}` is four digits; `{month} {day} {hour} {minute} {second}` are two. Year to minute are needed.
- `{end_year}` ... `{end_second}` give the end; with no end date the end falls on the start's day, or the next.
- `{offset}` is `Z`, `+0800`, `+08:00`, `+08_00` or `UTC+8`; with it the times are aware.
- `{meridiem}` and `{end_meridiem}` are AM, PM, 上午 or 下午; hours may then have one digit.
- `{fraction}` is what follows the decimal point of the second, without the point.
- `{channel}` names the recorder's channel, see `detector.footage.channels`.
- A field that stands twice must have the same digits twice.
- `*` is any text inside one folder's or file's name; all else stands for itself, upper and lower case alike.
- A template with n slashes is held against the last n + 1 names of a path, so folders above do not matter.

A name is read in full or refused: an offset, a half of the day or a second time that stands in the text of a `*` is
understood, or the name gives no time (see `detector.footage.marks`).

Names say nothing of daylight saving time: a local time that occurs twice is the earlier of the two, and one that
a clock change leaves out is as many minutes after the change as it lies after the hour that was left out
(`fold=0`, see `detector.footage.archive.true_times`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from detector.footage.marks import (
    CHINESE_STAMP,
    STAMP,
    NotUnderstood,
    Rest,
    Stamp,
    half_of,
    read_rest,
    require_plain,
    stamp_of,
    without_suffix,
    zone_of,
)

_DATE = ("year", "month", "day")
_CLOCK = ("hour", "minute", "second")
_ONE_ZONE = r"[+-]\d{2}(?:[:_.-]?(?:00|15|30|45))?"
_MERIDIEM = r"[AP]\.?M\.?|上午|下午"
_FIELDS: Mapping[str, str] = {
    **{name: r"\d{4}" if name.endswith("year") else r"\d{2}" for name in (*_DATE, *_CLOCK)},
    **{f"end_{name}": r"\d{4}" if name.endswith("year") else r"\d{2}" for name in (*_DATE, *_CLOCK)},
    "offset": rf"Z|(?:UTC|GMT)(?:[+-]\d{{1,2}}(?::?\d{{2}})?)?|{_ONE_ZONE}",
    "meridiem": _MERIDIEM,
    "end_meridiem": _MERIDIEM,
    "fraction": r"\d{1,9}",
    "channel": "[^/]+?",
}
_TOKEN = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<star>\*+)|(?P<literal>[^{}*]+)|(?P<stray>[{}])")
_YEARS = range(1970, 2200)
"""Other years are digits that happen to stand there."""

_PRESET_TEXTS: Mapping[str, str] = {
    "hikvision": "*_{year}{month}{day}{hour}{minute}{second}"
    "_{end_year}{end_month}{end_day}{end_hour}{end_minute}{end_second}*.*",
    "dahua": "{year}-{month}-{day}/{channel}/dav/*/"
    "{hour}.{minute}.{second}-{end_hour}.{end_minute}.{end_second}[*][*@*][*].*",
}
_ISO = tuple(
    re.compile(rf"(?:^|/)(?P<prefix>[^/]*?)(?<!\d){stamp}(?P<rest>[^/]*)\Z", re.IGNORECASE)
    for stamp in (STAMP, CHINESE_STAMP)
)
PRESETS = ("iso", *_PRESET_TEXTS)


@dataclass(frozen=True, slots=True)
class NamedTimes:
    """What a name says: the recorder's own times, naive and local unless the name carries an offset.

    `end` is None where the name gives none. A name may well give an end before its start: clocks go back.
    """

    start: datetime
    end: datetime | None = None
    channel: str = field(default="", compare=False)
    """The text of `{channel}`; '' where the template has no such field."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A name that gives no time, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Template:
    """A preset or a template text, ready to read names with."""

    text: str
    pattern: re.Pattern[str] | None
    """None of the preset 'iso', which reads several notations."""
    texts: Sequence[_FreeText] = ()
    offset: tzinfo | None = None
    """What the template's own text says behind the clock, such as a 'Z'."""

    def times(self, relative_path: str) -> NamedTimes | None:
        """The times in a path with forward slashes; None where `read` refuses it."""
        named = self.read(relative_path)
        return named if isinstance(named, NamedTimes) else None

    def read(self, relative_path: str) -> NamedTimes | Unread:
        """The times in a path with forward slashes, or why its name gives none."""
        try:
            named = _read_iso(relative_path) if self.pattern is None else self._read_own(relative_path)
        except NotUnderstood as refused:
            return Unread(str(refused))
        except ValueError:
            return Unread("the name holds a date or a clock that does not exist")
        return named or Unread(f"the name does not fit the template {self.text!r}")

    def _read_own(self, path: str) -> NamedTimes | None:
        assert self.pattern is not None
        match = self.pattern.search(path)
        if match is None:
            return None
        fields = {name: value for name, value in match.groupdict().items() if value is not None}
        end = _stamp(fields, "end_", self.offset) if "end_hour" in fields else None
        rest = Rest(_stamp(fields, "", self.offset), end)
        for free in self.texts:
            text = (
                without_suffix(fields[free.name]) if match.end(free.name) == len(path) else fields[free.name]
            )
            # The ending may be all that the last '*' of `*.*` stands for.
            text = "" if f".{text}" == path[match.start(free.name) - 1 :] else text
            if free.after_clock:
                rest = read_rest(text, rest.start, rest.end, compact=True, strict=False, numbers=False)
            else:
                require_plain(text)
        return _named(rest, fields.get("channel", ""))


@dataclass(frozen=True, slots=True)
class _FreeText:
    """The group of a `*`, and whether it stands in the file's name behind the first field of the clock."""

    name: str
    after_clock: bool


def parse_template(text: str) -> Template:
    """A preset by its name (one of PRESETS) or a template text; raises ValueError with all that is wrong in one line."""
    if text == "iso":
        return Template(text, None)
    compiled = _Compiled()
    compiled.add(_PRESET_TEXTS.get(text, text))
    fields, faults = compiled.fields, compiled.faults
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
    pattern = re.compile(rf"(?:^|/){compiled.pattern}\Z", re.IGNORECASE)
    return Template(text, pattern, tuple(compiled.texts), compiled.offset)


class _Compiled:
    """A template text as a regular expression, with what it holds and what is wrong with it."""

    def __init__(self) -> None:
        self.pattern = ""
        self.fields: set[str] = set()
        self.faults: list[str] = []
        self.texts: list[_FreeText] = []
        self.offset: tzinfo | None = None
        self._one_digit = False

    def add(self, text: str) -> None:
        self._one_digit = "{meridiem}" in text
        for token in _TOKEN.finditer(text):
            if token["stray"]:
                self.faults.append(f"the {token['stray']!r} at character {token.start() + 1} has no partner")
            elif token["star"]:
                after_clock = "hour" in self.fields and "/" not in text[token.start() :]
                self.texts.append(_FreeText(f"text{len(self.texts)}", after_clock))
                self.pattern += f"(?P<{self.texts[-1].name}>[^/]*)"
            elif token["field"] is None:
                self._add_literal(token["literal"])
            else:
                self._add_field(token["field"])

    def _add_literal(self, literal: str) -> None:
        self.pattern += re.escape(literal)
        if "hour" not in self.fields or "/" in literal:
            return
        try:
            rest = read_rest(without_suffix(literal), Stamp(), compact=True, strict=False, numbers=False)
        except NotUnderstood as refused:
            self.faults.append(str(refused).replace(" in its name", ""))
            return
        if rest.start.half:
            self.faults.append(f"{literal!r} says a half of the day; write {{meridiem}} in its place")
        self.offset = rest.start.offset or self.offset

    def _add_field(self, name: str) -> None:
        if name in self.fields:
            self.pattern += f"(?P={name})"
        elif name in _FIELDS:
            digits = r"\d{1,2}" if self._one_digit and name in ("hour", "end_hour") else _FIELDS[name]
            self.pattern += f"(?P<{name}>{digits})"
            self.fields.add(name)
        else:
            near = difflib.get_close_matches(name, _FIELDS, 1)
            hint = f", did you mean {{{near[0]}}}?" if near else f", the fields are {', '.join(_FIELDS)}"
            self.faults.append(f"{{{name}}} is no field{hint}")


def _read_iso(path: str) -> NamedTimes | None:
    whole = without_suffix(path)
    match = next((found for pattern in _ISO if (found := pattern.search(whole))), None)
    if match is None:
        return None
    require_plain(match["prefix"])
    parts = match.groupdict()
    compact, strict = parts.get("colon") == "", bool(parts.get("strict"))
    rest = read_rest(match["rest"], stamp_of(match), compact=compact, strict=strict, numbers=True)
    return _named(rest)


def _stamp(fields: Mapping[str, str], prefix: str, offset: tzinfo | None) -> Stamp:
    day = [int(fields[prefix + name]) for name in _DATE if prefix + name in fields]
    hour, minute, second = (int(fields.get(prefix + name, "0")) for name in _CLOCK)
    return Stamp(
        (day[0], day[1], day[2]) if day else None,
        (hour, minute, second),
        fields.get("fraction", "") if not prefix else "",
        half_of(fields.get(prefix + "meridiem", "")),
        zone_of(fields["offset"]) if "offset" in fields else offset,
    )


def _named(rest: Rest, channel: str = "") -> NamedTimes:
    """Raises ValueError for an impossible date or clock, NotUnderstood."""
    first, last = rest.start, rest.end
    assert first.date is not None
    if first.date[0] not in _YEARS:
        raise ValueError(first.date)
    offset = first.offset or (last.offset if last else None)
    start = first.moment(first.date, offset)
    if last is None:
        return NamedTimes(start, None, channel)
    if bool(first.half) != bool(last.half):
        raise NotUnderstood(first.half or last.half, "one of two clocks says a half of the day")
    if last.date is not None:
        return NamedTimes(start, last.moment(last.date, last.offset or offset), channel)
    end = last.moment(first.date, last.offset or offset)
    return NamedTimes(start, end if end > start else end + timedelta(days=1), channel)
