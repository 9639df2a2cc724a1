"""What papers say in Chinese and English: headings, standings, dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from detector.config.template import CATEGORY_ZH
from detector.core.values import Category
from detector.issues import State
from detector.reporting.rows import Named, Standing


class Language(StrEnum):
    """In which language a paper or a table speaks."""

    ZH = "zh"
    EN = "en"


STANDINGS: Mapping[Standing, tuple[str, str]] = {
    Standing.NONE: ("", ""),
    Standing.OPEN: ("整改中", "open"),
    Standing.ON_TIME: ("按期完成", "on time"),
    Standing.OVERDUE: ("已超期", "overdue"),
    Standing.LATE: ("超期完成", "late"),
}

COUNTS: tuple[tuple[str, str, str], ...] = (
    ("found", "发现", "found"),
    ("confirmed", "立案", "confirmed"),
    ("rejected", "驳回", "rejected"),
    ("waiting", "待审核", "waiting"),
    ("dispatched", "交办", "dispatched"),
    ("put_right", "已整改", "put right"),
    ("on_time", "按期", "on time"),
    ("late", "超期完成", "late"),
    ("overdue", "已超期", "overdue"),
    ("reopened", "退回重办", "reopened"),
)
"""Fields of a tally, and what they are called."""

RATES: tuple[tuple[str, str, str], ...] = (
    ("precision", "立案率", "precision"),
    ("rectification_rate", "整改率", "put right %"),
    ("on_time_rate", "按期整改率", "on time %"),
)


def name(named: Named, language: Language) -> str:
    return named.zh if language is Language.ZH else named.en


def standing(of: Standing, language: Language) -> str:
    zh, en = STANDINGS[of]
    return zh if language is Language.ZH else en


def state(of: State, language: Language) -> str:
    return of.zh if language is Language.ZH else of.value


def category(of: Category | None, language: Language) -> str:
    if of is None:
        return ""
    return CATEGORY_ZH[of] if language is Language.ZH else of.value.replace("_", " ")


def percent(share: float | None) -> str:
    """'82.0%', or a dash where there is nothing to divide by."""
    return "—" if share is None else f"{share:.1%}"


def day_zh(day: date) -> str:
    """'2026年1月8日'."""
    return f"{day.year}年{day.month}月{day.day}日"


def moment_zh(at: datetime) -> str:
    """'2026年1月8日18时30分'."""
    return f"{day_zh(at)}{at.hour}时{at.minute:02d}分"


def span_zh(start: datetime, end: datetime) -> str:
    """'2026年1月8日7时14分至7时49分'; with the day of the end where it is another."""
    until = moment_zh(end) if end.date() != start.date() else f"{end.hour}时{end.minute:02d}分"
    return f"{moment_zh(start)}至{until}"
