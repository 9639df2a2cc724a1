"""The daily brief (日报): one day and the days before it in figures, what is late, what was not seen."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from detector.core.times import DAY_S, Interval, local_day
from detector.core.wording import clock_zh, duration_zh
from detector.footage.daystate import DayFacts, DayState, day_state, part_zh, state_of, sum_of
from detector.issues import State
from detector.reporting.documents import Document
from detector.reporting.ledger import plain
from detector.reporting.letter import issue_fields, picture_fields
from detector.reporting.pictures import NO_PICTURES, Pair, Picture, Pictures
from detector.reporting.rows import NO_DEPARTMENT, LedgerRow, Standing
from detector.reporting.statistics import Statistics, Tally, statistics
from detector.reporting.wording import RATES, day_zh, percent

MOST_PICTURED = 12
MOST_OVERDUE = 40
MOST_CAMERAS = 20
SCENE_PX, CLOSEUP_PX = 640, 480
WEEKDAYS = "一二三四五六日"


FINDINGS: Mapping[DayState | None, str] = {
    None: "当日没有登记的问题；本日报未统计录像情况，不能据此认为当日没有问题。",
    DayState.NOT_RECORDED: "当日无录像。",
    DayState.NOT_SCANNED: "当日录像未扫描。",
    DayState.IN_PART: "当日录像部分扫描，已判定的时段没有登记的问题；其余时段不能作出结论。",
    DayState.NOT_JUDGED: "当日录像无法判定。",
    DayState.NOTHING_FOUND: "当日未发现问题。",
    DayState.FOUND: "",
}
"""What a brief says of a day on which no issue began."""

CLEAR = (DayState.NOTHING_FOUND, DayState.FOUND)


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """How much of the day of one camera was recorded and scanned, each in [0, 1], and why the rest was not.

    `facts` are those of the day; where they are None the shares stand for them.
    """

    camera_id: str
    place: str
    readable_share: float
    observed_share: float
    why: str = ""
    facts: DayFacts | None = None

    @property
    def known(self) -> DayFacts:
        scanned_s = min(self.observed_share, self.readable_share) * DAY_S
        return self.facts or DayFacts(
            DAY_S, self.readable_share * DAY_S, looked_s=scanned_s, judged_s=scanned_s
        )

    @property
    def state(self) -> DayState:
        """The state of its day, whatever was found."""
        return day_state(self.known)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a brief tells of one day. `rows` are the issues of the period that ends with the day."""

    county: str
    day: date
    at: datetime
    """Now, in local time."""
    days: int
    rows: tuple[LedgerRow, ...]
    cameras: tuple[CameraSeen, ...] | None = None
    """None where nobody asked the archive."""
    head: str = ""
    """The newest signed head of history and log in words; '' where there is none."""

    @property
    def figures(self) -> Statistics:
        return statistics(
            self.rows, Interval(self.window.end - timedelta(days=self.days), self.window.end), self.at
        )

    @property
    def window(self) -> Interval:
        zone = self.at.tzinfo
        assert zone is not None, "a brief needs a local time"
        return local_day(self.day, zone)

    @property
    def of_the_day(self) -> tuple[LedgerRow, ...]:
        """Issues that began on the day and are not others' doubles."""
        return tuple(row for row in self.rows if row.start in self.window and row.state is not State.MERGED)

    @property
    def state(self) -> DayState | None:
        """The state of the day over all cameras; None where nobody asked the archive."""
        if self.cameras is None:
            return None
        return state_of((camera.known for camera in self.cameras), len(self.of_the_day))

    @property
    def overdue(self) -> tuple[LedgerRow, ...]:
        """What is late now, the latest first."""
        late = [row for row in self.rows if row.standing(self.at) is Standing.OVERDUE]
        return tuple(sorted(late, key=lambda row: (row.due_at or row.start, row.number)))


def write_brief(brief: Brief, template: tuple[str, bytes], pictures: Pictures) -> bytes:
    """The brief as .docx. Raises BadInput where the template is broken."""
    document = Document(*template)

    def shown(pair: Pair) -> dict[str, Any]:
        return picture_fields(pair, document)

    return document.filled(_fields(brief, pictures, shown))


def brief_html(brief: Brief, pictures: Pictures) -> str:
    """The brief as one file of HTML that needs no other: pictures and style are inside."""
    text = (files("detector.reporting") / "templates" / "brief.html").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text).render(_fields(brief, pictures, _embedded))


def _fields(brief: Brief, pictures: Pictures, shown: Callable[[Pair], dict[str, Any]]) -> dict[str, Any]:
    figures = brief.figures
    own = brief.of_the_day
    of_day = statistics(own, brief.window, brief.at)
    late = brief.overdue
    pairs = ((row, pictures(row.evidence_folder, SCENE_PX, CLOSEUP_PX)) for row in own[:MOST_PICTURED])
    pictured = [{**issue_fields(row), **shown(pair)} for row, pair in pairs if pair is not NO_PICTURES]
    return {
        "county": plain(brief.county),
        "date": day_zh(brief.day),
        "weekday": f"星期{WEEKDAYS[brief.day.weekday()]}",
        "made": f"{brief.at:%Y-%m-%d %H:%M}（{_clock(brief.at)}）",
        "days": brief.days,
        "day": _told(of_day.total),
        "today": _moved(brief),
        "total": _told(figures.total),
        "by_violation": [_told(one) for one in of_day.by_violation],
        "by_department": [_told(one) for one in figures.by_department if one.of.id != NO_DEPARTMENT],
        "overdue": [_overdue(row, brief.at) for row in late[:MOST_OVERDUE]],
        "overdue_more": max(0, len(late) - MOST_OVERDUE),
        "coverage": _coverage(brief.cameras),
        "standing": "" if brief.state is None else f"当日录像状态：{brief.state.zh}。",
        "finding": FINDINGS[brief.state],
        "head": f"签名链首：{brief.head}" if brief.head else "",
        "pictured": pictured,
        "pictured_more": len(own) - len(pictured),
        "has_pictures": bool(pictured),
    }


def _clock(at: datetime) -> str:
    """The county's clock, by which all of the brief's times go."""
    return clock_zh(at.tzinfo or UTC, at)


def _told(one: Tally) -> dict[str, Any]:
    """A tally as words: counts as they are, rates in per cent."""
    counts = {f.name: getattr(one, f.name) for f in fields(one) if f.name != "of"}
    return {"name": plain(one.of.zh), **counts, **{rate: percent(getattr(one, rate)) for rate, _, _ in RATES}}


def _moved(brief: Brief) -> Mapping[str, int]:
    """What was dispatched, put right, closed and is sent back, by when it was done last."""

    def on_the_day(at: datetime | None) -> bool:
        return at is not None and at in brief.window

    return {
        "dispatched": sum(on_the_day(row.dispatched_at) for row in brief.rows),
        "rectified": sum(on_the_day(row.rectified_at) for row in brief.rows),
        "closed": sum(on_the_day(row.closed_at) for row in brief.rows),
        "reopened": sum(on_the_day(row.reopened_at) for row in brief.rows),
    }


def _overdue(row: LedgerRow, at: datetime) -> dict[str, Any]:
    assert row.due_at is not None, "only what has a deadline can be late"
    hours = int((at - row.due_at).total_seconds() // 3600)
    late_by = (
        f"{hours // 24}天{hours % 24}小时"
        if hours >= 24
        else duration_zh((at - row.due_at).total_seconds() // 60 * 60)
    )
    return {**issue_fields(row), "late_by": late_by}


def _coverage(cameras: Sequence[CameraSeen] | None) -> dict[str, Any]:
    if cameras is None:
        return {"text": "本日报未统计录像完整率。", "lines": []}
    if not cameras:
        return {"text": "没有监控点位。", "lines": []}
    counts = Counter(camera.state for camera in cameras)
    states = "，".join(f"{_scanned_zh(state)}{counts[state]}路" for state in DayState if counts[state])
    whole = sum_of(camera.known for camera in cameras)
    wanting = sorted(
        (camera for camera in cameras if camera.state not in CLEAR), key=lambda camera: camera.observed_share
    )
    lines = [_camera_line(camera) for camera in wanting[:MOST_CAMERAS]]
    if len(wanting) > MOST_CAMERAS:
        lines.append(f"另有{len(wanting) - MOST_CAMERAS}路。")
    return {
        "text": f"共{len(cameras)}路监控：{states}。应有录像{whole.expected_s / 3600:.1f}小时，{part_zh(whole)}。"
        "无录像、未扫描、无法判定的时段不等于没有问题。",
        "lines": lines,
    }


def _scanned_zh(state: DayState) -> str:
    """What a camera's day is called among others: the brief says elsewhere what was found."""
    return "全部扫描" if state in CLEAR else state.zh


def _camera_line(camera: CameraSeen) -> str:
    told = "；".join(
        part for part in (part_zh(camera.known) if camera.known.recorded_s else "", camera.why) if part
    )
    return f"{camera.camera_id} {plain(camera.place)}：{camera.state.zh}{f'（{told}）' if told else ''}"


def _embedded(pair: Pair) -> dict[str, Any]:
    return {"scene": _data_url(pair.scene), "closeup": _data_url(pair.closeup), "has_picture": True}


def _data_url(picture: Picture | None) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}" if picture else ""
