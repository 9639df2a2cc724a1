"""Why an incident counts, in one sentence, in English and in Chinese."""

from __future__ import annotations

from detector.core.values import Incident


def explanation(incident: Incident) -> str:
    """Such as 'stood 7 min 12 s, 83 % of its ground contact inside, limit 3 min'."""
    if incident.box is None:
        return f"the view could not be judged for {duration(incident.dwell_s)}"
    return (
        f"stood {duration(incident.dwell_s)}, {incident.share:.0%} of its ground contact inside, "
        f"limit {duration(incident.limit_s)}"
    ).replace("%", " %")


def explanation_zh(incident: Incident) -> str:
    if incident.box is None:
        return f"画面在{duration_zh(incident.dwell_s)}内无法判读"
    return (
        f"停留{duration_zh(incident.dwell_s)}, 接地部分{incident.share:.0%}位于区域内, "
        f"时限{duration_zh(incident.limit_s)}"
    )


def duration(seconds: float) -> str:
    """Such as '45 s', '3 min', '7 min 12 s', '2 h 5 min'."""
    return _parts(seconds, (" h", " min", " s"), " ")


def duration_zh(seconds: float) -> str:
    return _parts(seconds, ("小时", "分", "秒"), "")


def _parts(seconds: float, units: tuple[str, str, str], separator: str) -> str:
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    numbers = (hours, minutes, rest if not hours else 0)
    said = [f"{number}{unit}" for number, unit in zip(numbers, units, strict=True) if number]
    return separator.join(said) or f"0{units[2]}"
