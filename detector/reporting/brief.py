"""The daily brief (日报): one day and the days before it in figures, what is late, what was not seen."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from detector.core.times import Interval, local_day
from detector.core.wording import duration_zh
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


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """How much of the day of one camera was recorded and looked at, each in [0, 1], and why the rest was not."""

    camera_id: str
    place: str
    readable_share: float
    observed_share: float
    why: str = ""


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
        "made": f"{brief.at:%Y-%m-%d %H:%M}",
        "days": brief.days,
        "day": _told(of_day.total),
        "today": _moved(brief),
        "total": _told(figures.total),
        "by_violation": [_told(one) for one in of_day.by_violation],
        "by_department": [_told(one) for one in figures.by_department if one.of.id != NO_DEPARTMENT],
        "overdue": [_overdue(row, brief.at) for row in late[:MOST_OVERDUE]],
        "overdue_more": max(0, len(late) - MOST_OVERDUE),
        "coverage": _coverage(brief.cameras),
        "pictured": pictured,
        "pictured_more": len(own) - len(pictured),
        "has_pictures": bool(pictured),
    }


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
    readable = sum(camera.readable_share for camera in cameras) / len(cameras)
    observed = sum(camera.observed_share for camera in cameras) / len(cameras)
    wanting = sorted(
        (camera for camera in cameras if camera.observed_share < 0.999),
        key=lambda camera: camera.observed_share,
    )
    lines = [
        f"{camera.camera_id} {plain(camera.place)}：可读{percent(camera.readable_share)}，"
        f"已核查{percent(camera.observed_share)}{f'（{camera.why}）' if camera.why else ''}"
        for camera in wanting[:MOST_CAMERAS]
    ]
    if len(wanting) > MOST_CAMERAS:
        lines.append(f"另有{len(wanting) - MOST_CAMERAS}路未完全核查。")
    return {
        "text": f"共{len(cameras)}路监控，全天录像可读{percent(readable)}，已核查{percent(observed)}；"
        f"{len(cameras) - len(wanting)}路全天已核查。未核查的时段不等于没有问题。",
        "lines": lines,
    }


def _embedded(pair: Pair) -> dict[str, Any]:
    return {"scene": _data_url(pair.scene), "closeup": _data_url(pair.closeup), "has_picture": True}


def _data_url(picture: Picture | None) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}" if picture else ""
