"""Durations and clocks in words, in English and in Chinese."""

from __future__ import annotations

import unicodedata
from datetime import datetime, tzinfo


def duration_zh(seconds: float) -> str:
    """'7分12秒', '3分', '1小时2分5秒', '0秒'."""
    return "".join(_parts(seconds, ("小时", "分", "秒")))


def duration_en(seconds: float) -> str:
    """'7 min 12 s', '3 min', '1 h 2 min 5 s', '0 s'."""
    return " ".join(_parts(seconds, (" h", " min", " s")))


def stood_zh(seen_s: float, whole_s: float) -> str:
    """For how long something was seen, and over how long a time where that is more: '可见20分（前后共56小时3分）'."""
    seen = duration_zh(seen_s)
    return seen if whole_s - seen_s < 1 else f"可见{seen}（前后共{duration_zh(whole_s)}）"


def stood_en(seen_s: float, whole_s: float) -> str:
    """As `stood_zh`: '20 min (over 56 h 3 min)'."""
    seen = duration_en(seen_s)
    return seen if whole_s - seen_s < 1 else f"{seen} (over {duration_en(whole_s)})"


def _parts(seconds: float, units: tuple[str, str, str]) -> list[str]:
    """Hours, minutes and seconds that are not zero, each with its unit."""
    whole = max(0, round(seconds))
    figures = (whole // 3600, whole // 60 % 60, whole % 60)
    return [f"{figure}{unit}" for figure, unit in zip(figures, units, strict=True) if figure] or [
        f"0{units[2]}"
    ]


BEIJING_TIME = ("Asia/Shanghai", "Asia/Chongqing", "Asia/Harbin", "PRC")
"""Time zones whose clock people in China call Beijing time."""


def clock_en(zone: tzinfo, at: datetime) -> str:
    """A clock as people read it, with its offset at a moment: 'Asia/Shanghai, UTC+08:00'."""
    return f"{zone}, UTC{at.astimezone(zone).isoformat()[-6:]}"


def clock_zh(zone: tzinfo, at: datetime) -> str:
    """The same in Chinese: '北京时间, UTC+08:00'."""
    named = "北京时间" if str(zone) in BEIJING_TIME else str(zone)
    return f"{named}, UTC{at.astimezone(zone).isoformat()[-6:]}"


def is_one_line(text: str) -> bool:
    """Return whether a text holds no line break and no other control character, and so may stand in a mail's header."""
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text)
