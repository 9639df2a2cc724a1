"""Why an incident counts, in one sentence, in English and in Chinese."""

from __future__ import annotations

from detector.core.values import Incident
from detector.core.wording import duration_en, duration_zh


def explanation(incident: Incident) -> str:
    """Such as 'stood 7 min 12 s, 83 % of its ground contact inside, limit 3 min'."""
    if incident.box is None:
        return f"the view could not be judged for {duration_en(incident.dwell_s)}"
    return (
        f"stood {duration_en(incident.dwell_s)}, {incident.share:.0%} of its ground contact inside, "
        f"limit {duration_en(incident.limit_s)}"
    ).replace("%", " %")


def explanation_zh(incident: Incident) -> str:
    if incident.box is None:
        return f"画面在{duration_zh(incident.dwell_s)}内无法判读"
    return (
        f"停留{duration_zh(incident.dwell_s)}, 接地部分{incident.share:.0%}位于区域内, "
        f"时限{duration_zh(incident.limit_s)}"
    )
