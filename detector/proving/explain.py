"""Why an incident counts, in one sentence, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from detector.core.values import Incident
from detector.core.wording import duration_en, duration_zh

RECORDED_SHARE = 0.98
"""Where less of a fault was recorded, its explanation says how much."""


def explanation(incident: Incident, recorded_s: float | None = None) -> str:
    """Such as 'stood 7 min 12 s, 83 % of its ground contact inside, limit 3 min'.

    `recorded_s` is the recorded time within a camera's fault.
    """
    if incident.box is None:
        text = f"{_fault(incident)[0]}: the view could not be judged for {duration_en(incident.dwell_s)}"
        return text + (
            f", of which {duration_en(part)} were recorded" if (part := _part(incident, recorded_s)) else ""
        )
    note = f"{incident.note}: " if incident.note else ""
    return note + (
        f"stood {duration_en(incident.dwell_s)}, {incident.share:.0%} of its ground contact inside, "
        f"limit {duration_en(incident.limit_s)}"
        + (
            f", {duration_en(excused_s)} in a queue not counted"
            if (excused_s := _excused_s(incident))
            else ""
        )
    ).replace("%", " %")


def explanation_zh(incident: Incident, recorded_s: float | None = None) -> str:
    if incident.box is None:
        text = f"{_fault(incident)[1]}: 画面在{duration_zh(incident.dwell_s)}内无法判读"
        return text + (f", 其中有录像{duration_zh(part)}" if (part := _part(incident, recorded_s)) else "")
    note = f"{incident.note_zh}: " if incident.note_zh else ""
    return note + (
        f"停留{duration_zh(incident.dwell_s)}, 接地部分{incident.share:.0%}位于区域内, "
        f"时限{duration_zh(incident.limit_s)}"
        + (f", 其中排队或拥堵{duration_zh(excused_s)}不计" if (excused_s := _excused_s(incident)) else "")
    )


def _part(incident: Incident, recorded_s: float | None) -> float | None:
    """The recorded time of a fault where that is not all of it."""
    return recorded_s if recorded_s and recorded_s < RECORDED_SHARE * incident.dwell_s else None


FAULTS: Mapping[str, tuple[str, str]] = {
    "frozen": ("the picture stands still, its clock and noise too", "画面冻结"),
    "dark": ("the picture is dark", "画面过暗"),
    "blurred": ("the picture is out of focus against the camera's usual sharpness", "画面模糊"),
    "blocked": ("something stands before the lens", "镜头遮挡"),
    "moved": (
        "the camera shows another view than the one its zones are drawn for",
        "画面偏移, 与区域划定时不符",
    ),
    "unsteady": ("the pictures belong to no one view (cut or edited)", "画面不连续, 疑似剪辑"),
    "no_picture": ("there is no picture (no video signal)", "无视频信号"),
}


def _fault(incident: Incident) -> tuple[str, str]:
    return FAULTS[incident.fault.what] if incident.fault else ("camera fault", "设备异常")


def _excused_s(incident: Incident) -> float:
    return round(incident.interval.duration_s - incident.counted_s(incident.interval))
