"""What stands in a name beside its date and clock: part of a second, half of the day, offset, and an end.

A text is read in full: what may say something of time is understood, or the text is refused (`NotUnderstood`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo

# fmt: off
SUFFIXES = frozenset((
    ".264", ".265", ".3gp", ".asf", ".avi", ".dav", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ps", ".ts", ".webm", ".wmv",
))
# fmt: on
"""What recordings' names end in, in any case; a trailing '_' (Dahua, while it writes) does not matter."""

WHOLE_OFFSETS_H = range(-12, 15)
OTHER_OFFSETS_MIN = frozenset((-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825))
"""The offsets in use, in minutes east of UTC; other digits behind a minus are a number."""

MORNING = ("am", "上午")
AFTERNOON = ("pm", "下午")
OTHER_HALVES = ("凌晨", "清晨", "早上", "中午", "傍晚", "晚上", "夜间")
ZONE_WORDS = frozenset(("utc", "gmt", "dst"))
# fmt: off
ABBREVIATIONS = frozenset((
    "cst", "cdt", "est", "edt", "mst", "mdt", "pst", "pdt", "bst", "cet", "cest", "eet", "eest", "wet",
    "west", "msk", "ist", "jst", "kst", "hkt", "sgt", "ict", "wib", "pht", "aest", "aedt", "acst", "acdt",
    "awst", "nzst", "nzdt", "bjt", "summer", "夏令时",
))
# fmt: on
"""Names of time zones that more than one country uses, or that say that the clocks were changed."""

BEIJING = "北京时间"

_SEPARATORS = r"[ _.,()\[\]-]*?"
_FRACTION = re.compile(
    r"[.,](?P<short>\d{1,9})(?![\d]|ms)|[-_ ](?P<milli>\d{3})(?!\d)(?:ms)?|[-_ .]?(?P<ms>\d{1,3})ms(?![a-z])",
    re.IGNORECASE,
)
_MICROSECONDS = re.compile(r"[-_ ](?P<micro>\d{6})(?!\d)")
_MERIDIEM = re.compile(rf"{_SEPARATORS}(?P<half>a\.?m\.?|p\.?m\.?|上午|下午)(?![^\W_])", re.IGNORECASE)
_LATIN_HALF = re.compile(rf"{_SEPARATORS}[ap]\.?m(?![^\W_])", re.IGNORECASE)
_ZONE = re.compile(
    rf"{_SEPARATORS}(?P<zone>{BEIJING}|Z(?![^\W_])|(?:UTC|GMT)(?:[ _]?(?P<sign>[+-])(?P<hours>\d{{1,2}})"
    r"(?:[:_.-]?(?P<minutes>[0134][05]))?(?!\d))?(?![^\W_])(?![ _]?[+-]\d))",
    re.IGNORECASE,
)
_PLUS = re.compile(
    rf"{_SEPARATORS}(?P<zone>(?P<sign>[+＋])(?P<hours>\d{{1,2}})(?:[:_.-]?(?P<minutes>[0134][05]))?)(?!\d)"
)
_MINUS = re.compile(
    r"(?P<zone>(?P<sign>-)(?P<hours>\d{2})(?:(?P<colon>[:_-]?)(?P<minutes>[0134][05]))?)(?!\d)"
)
_UNSIGNED = re.compile(r"[ _]?\d{1,2}(?!\d)")
_TOKEN = re.compile(r"(?P<signed>[+＋]\d[\d:_.-]*)|(?P<word>[^\W_]+)|(?P<other>.)", re.DOTALL)
_UNTIL = r"(?:[ _~–至到-]|to)+"
_DAY = r"(?P<year>(?:19[7-9]|20\d|21\d)\d)(?P<dash>[-_.]?)(?P<month>\d{2})(?P=dash)(?P<day>\d{2})"
_HALF = r"(?:[ _-]?(?P<half>AM|PM|上午|下午)[ _-]?)?"
_CLOCK = r"(?P<hour>\d{1,2})(?P<colon>[-_.:]?)(?P<minute>\d{2})(?P=colon)(?P<second>\d{2})(?!\d)"
STAMP = rf"{_DAY}(?:(?P<strict>T)|[ _@-]{{0,3}}){_HALF}{_CLOCK}"
"""A date and a clock, in the notations that the preset 'iso' reads."""

CHINESE_STAMP = (
    r"(?P<year>(?:19[7-9]|20\d|21\d)\d)年(?P<month>\d{1,2})月(?P<day>\d{1,2})日[ _-]?"
    r"(?P<half>上午|下午)?[ _-]?(?P<hour>\d{1,2})[时時点](?P<minute>\d{1,2})分(?P<second>\d{1,2})秒?"
)
_END_STAMP = re.compile(rf"{_UNTIL}{STAMP}", re.IGNORECASE)
_END_CHINESE = re.compile(rf"{_UNTIL}{CHINESE_STAMP}")
_END_CLOCK = re.compile(
    rf"{_UNTIL}{_HALF}(?P<hour>\d{{1,2}})(?P<colon>[-_.:])(?P<minute>\d{{2}})(?P=colon)(?P<second>\d{{2}})(?!\d)",
    re.IGNORECASE,
)
_END_COMPACT = re.compile(r"(?P<sep>[ _~-])(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})(?!\d)")


class NotUnderstood(ValueError):
    """A part of a name that may say something of time, and why it cannot be read."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part!r} in its name is not understood: {why}")
        self.part = part


@dataclass(frozen=True, slots=True)
class Stamp:
    """One moment as a name writes it. Empty where the name does not say it; `clock` counts hours as written."""

    date: tuple[int, int, int] | None = None
    clock: tuple[int, int, int] = (0, 0, 0)
    fraction: str = ""
    """Digits behind the decimal point."""
    half: str = ""
    offset: tzinfo | None = None

    def moment(self, day: tuple[int, int, int], offset: tzinfo | None) -> datetime:
        """Naive without an offset. Raises ValueError for an impossible date or clock, NotUnderstood."""
        year, month, date = day
        hour, minute, second = self.clock
        microsecond = int(self.fraction[:6].ljust(6, "0")) if self.fraction else 0
        hour = _hour_of_day(hour, self.half) if self.half else hour
        return datetime(year, month, date, hour, minute, second, microsecond, offset)


@dataclass(frozen=True, slots=True)
class Rest:
    """What a text behind a stamp adds to it, and the end that it names, if any."""

    start: Stamp
    end: Stamp | None = None


@dataclass(slots=True)
class _Reading:
    """A text being read, from left to right; `at` is the place of the next character."""

    text: str
    rest: Rest
    compact: bool
    strict: bool
    numbers: bool
    """Whether digits may be a time: not where a template names the end, or leaves the digits to '*'."""
    at: int = 0
    near: bool = True
    """Whether nothing but marks stands between here and the last stamp."""
    taken: list[str] = field(default_factory=list)

    @property
    def last(self) -> Stamp:
        return self.rest.end or self.rest.start

    def put(self, part: str, **values: object) -> None:
        """Adds to the last stamp. Raises NotUnderstood where that said another thing before."""
        for name, value in values.items():
            if getattr(self.last, name) not in ("", None, value):
                raise NotUnderstood(part, "it contradicts what stands before it")
        changed = replace(self.last, **values)  # type: ignore[arg-type]
        self.rest = replace(self.rest, **{"end" if self.rest.end else "start": changed})


def read_rest(
    text: str, start: Stamp, end: Stamp | None = None, *, compact: bool, strict: bool, numbers: bool
) -> Rest:
    """Read what stands behind a stamp. Raises NotUnderstood.

    `compact` says that its clock is written without separators, `strict` that a 'T' parts date and clock, so that a
    minus begins an offset; `numbers` that digits may be the end.
    """
    reading = _Reading(text, Rest(start, end), compact, strict, numbers and end is None)
    steps = (_read_end, _read_fraction, _read_half, _read_zone, _read_minus)
    while reading.at < len(text):
        if not any(step(reading) for step in steps):
            _pass_token(reading)
    return reading.rest


def require_plain(text: str) -> None:
    """Raises NotUnderstood where a text before a date, or a folder's name, says something of time."""
    for match in _TOKEN.finditer(text):
        if word := match["word"]:
            _require_plain_word(word, ZONE_WORDS)


def without_suffix(name: str) -> str:
    """A file's name without the ending of a recording."""
    stem, dot, ending = name.rpartition(".")
    return stem if f"{dot}{ending}".lower().rstrip("_") in SUFFIXES else name


def stamp_of(match: re.Match[str]) -> Stamp:
    """What STAMP, CHINESE_STAMP or an end's pattern matched."""
    fields = {name: value for name, value in match.groupdict().items() if value}
    if len(fields["hour"]) == 1 and match.groupdict().get("colon") == "":
        raise NotUnderstood(match[0], "its clock has five digits")
    day = (int(fields["year"]), int(fields["month"]), int(fields["day"])) if "year" in fields else None
    clock = (int(fields["hour"]), int(fields["minute"]), int(fields["second"]))
    return Stamp(day, clock, half=half_of(fields.get("half", "")))


def offset_of(sign: str, hours: str, minutes: str, part: str) -> tzinfo:
    """Raises NotUnderstood for an offset that is not in use."""
    size = int(hours) * 60 + int(minutes or 0)
    east = -size if sign == "-" else size
    if east not in OTHER_OFFSETS_MIN and (east % 60 or east // 60 not in WHOLE_OFFSETS_H):
        raise NotUnderstood(part, "it is no offset that is in use")
    return timezone(timedelta(minutes=east)) if east else UTC


def zone_of(text: str) -> tzinfo:
    """The offset that a text such as 'Z', '+0800', '+08_00' or 'UTC+8' stands for. Raises NotUnderstood."""
    found = _ZONE.fullmatch(text) or _PLUS.fullmatch(text) or _MINUS.fullmatch(text)
    if found is None:
        raise NotUnderstood(text, "it is no offset")
    return _zone(found)


def _zone(match: re.Match[str]) -> tzinfo:
    if match["zone"] == BEIJING:
        return timezone(timedelta(hours=8))
    if match["hours"] is None:
        return UTC
    return offset_of(match["sign"], match["hours"], match["minutes"] or "", match["zone"])


def half_of(text: str) -> str:
    """'am' or 'pm', '' for neither."""
    plain = text.lower().replace(".", "")
    return "am" if plain in MORNING else "pm" if plain in AFTERNOON else ""


def _hour_of_day(hour: int, half: str) -> int:
    if half == "am" and hour <= 12:
        return hour % 12
    if half == "pm" and 1 <= hour <= 23:
        return hour if hour >= 12 else hour + 12
    raise NotUnderstood(f"{hour} {half}", "there is no such hour")


def _read_end(reading: _Reading) -> bool:
    if reading.rest.end is not None or not reading.numbers:
        return False
    if reading.near and not reading.last.half and _LATIN_HALF.match(reading.text, reading.at):
        return False  # "08-00-00 AM - 08-04-00 AM": it belongs to the clock before it
    patterns = [_END_STAMP, _END_CHINESE]
    if reading.near:
        patterns.append(_END_COMPACT if reading.compact else _END_CLOCK)
    match = next((m for p in patterns if (m := p.match(reading.text, reading.at))), None)
    if match is None or (match.re is _END_COMPACT and not _is_clock(match)):
        return False
    if match.re is _END_COMPACT and match["sep"] == "-":
        raise NotUnderstood(match[0], "it may be an end or a part of a second; say which in a template")
    reading.rest = replace(reading.rest, end=stamp_of(match))
    reading.at, reading.near = match.end(), True
    return True


def _is_clock(match: re.Match[str]) -> bool:
    return int(match["hour"]) < 24 and int(match["minute"]) < 60 and int(match["second"]) < 60


def _read_fraction(reading: _Reading) -> bool:
    if not reading.near or reading.last.fraction:
        return False
    match = _FRACTION.match(reading.text, reading.at)
    if match is None and not reading.compact:
        match = _MICROSECONDS.match(reading.text, reading.at)
    if match is None:
        return False
    digits = next(value for value in match.groupdict().values() if value)
    reading.put(match[0], fraction=digits.rjust(3, "0") if match.groupdict().get("ms") else digits)
    reading.at = match.end()
    return True


def _read_half(reading: _Reading) -> bool:
    match = _MERIDIEM.match(reading.text, reading.at)
    if match is None:
        return False
    if not reading.near:
        raise NotUnderstood(match["half"], "it does not stand beside the clock")
    reading.put(match[0], half=half_of(match["half"]))
    reading.at = match.end()
    return True


def _read_zone(reading: _Reading) -> bool:
    match = _ZONE.match(reading.text, reading.at) or _PLUS.match(reading.text, reading.at)
    if match is None:
        return False
    if unsigned := _UNSIGNED.match(reading.text, match.end()) if "UTC" in match["zone"].upper() else None:
        raise NotUnderstood(match["zone"] + unsigned[0], "an offset needs its sign")
    reading.put(match["zone"], offset=_zone(match))
    reading.at = match.end()
    return True


def _read_minus(reading: _Reading) -> bool:
    """A minus and digits are an offset or a number; digits that no clock uses as an offset are a number."""
    expected = reading.near and reading.numbers and reading.last.offset is None
    match = _MINUS.match(reading.text, reading.at) if expected else None
    if match is None:
        return False
    try:
        offset = _zone(match)
    except NotUnderstood:
        return False
    whole = match["minutes"] is not None
    if not whole and not reading.strict:
        return False
    if not (whole and (reading.strict or match["colon"] == ":")):
        raise NotUnderstood(match["zone"], "it may be an offset or a number; say which in a template")
    reading.put(match["zone"], offset=offset)
    reading.at = match.end()
    return True


def _pass_token(reading: _Reading) -> None:
    """Go on behind a word or a number that says nothing of time. Raises NotUnderstood for one that may."""
    match = _TOKEN.match(reading.text, reading.at)
    assert match is not None
    if match["signed"]:
        raise NotUnderstood(match["signed"], "it is no offset that is in use")
    if word := match["word"]:
        _require_plain_word(word, ZONE_WORDS | ABBREVIATIONS)
        if reading.numbers:
            _require_plain_number(word)
        if reading.at == 0 and word.lower() in ("a", "p"):
            raise NotUnderstood(word, "it may be a half of the day")
        reading.near = False
    reading.at = match.end()


def _require_plain_word(word: str, strange: frozenset[str]) -> None:
    low = word.lower()
    if low in strange or re.fullmatch(r"(?:utc|gmt)\d+", low):
        raise NotUnderstood(word, "a zone of time stands where none is read; write {offset} in a template")
    if re.fullmatch(r"\d{0,2}[ap]m", low) or any(
        half in word for half in (MORNING[1], AFTERNOON[1], *OTHER_HALVES)
    ):
        raise NotUnderstood(
            word, "a half of the day stands where none is read; write {meridiem} in a template"
        )
    if match := re.match(r"dst(?=\d|$)", low):
        raise NotUnderstood(word[: match.end()], "it says that the clocks were changed")


def _require_plain_number(word: str) -> None:
    """Raises NotUnderstood for digits as long as a date, a clock or both, or as seconds since 1970."""
    digits = re.fullmatch(r"[Tt]?(\d+)", word)
    if digits is None:
        return
    number = digits[1]
    is_date = len(number) == 8 and re.match(
        r"(?:19[7-9]|20\d|21\d)\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", number
    )
    is_epoch = len(number) in (10, 13) and number[0] == "1"
    if is_date or is_epoch or len(number) in (6, 12, 14, 17) or word[0] in "Tt":
        raise NotUnderstood(word, "it may be a second time; say which in a template")
