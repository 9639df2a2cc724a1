"""What the morning summary says of the day before: states of cameras, hours, faulty recordings, issues that wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from detector.config.settings import Settings
from detector.core.times import Interval, local_day
from detector.database import Database
from detector.footage.calendar import facts_by_day
from detector.footage.catalogue import Catalogue
from detector.footage.daystate import DayFacts, DayState, day_state, part_en, part_zh, sum_of
from detector.footage.faulty import RecordingFault, faulty
from detector.issues import IssueFilter, State
from detector.issues.calendar import counts_by_day
from detector.issues.queue import IssueQueue
from detector.issues.values import COUNTED

AROUND = timedelta(days=1)
"""Recordings so long before and after a day tell how long they usually are."""

FAULTS_ZH: Mapping[RecordingFault, str] = {
    RecordingFault.TRUNCATED: "不完整",
    RecordingFault.SHORT: "过短",
    RecordingFault.UNUSABLE: "不可用",
    RecordingFault.UNREADABLE: "无法读取",
}


@dataclass(frozen=True, slots=True)
class Yesterday:
    """The local day before a morning over all cameras, and what waits now."""

    day: date
    cameras: int
    states: Mapping[DayState, int]
    """How many cameras have which state of the day."""
    whole: DayFacts
    """The facts of all cameras added up."""
    faulty: Mapping[RecordingFault, int]
    """How many recordings of the day are faulty."""
    waiting: int
    """Issues that wait for review, of any day."""
    overdue: int
    """Issues whose department is late, of any day."""

    def to_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "cameras": self.cameras,
            "states": {state.value: count for state, count in self.states.items()},
            "expected_h": round(self.whole.expected_s / 3600, 2),
            "recorded_h": round(self.whole.recorded_s / 3600, 2),
            "judged_h": round(self.whole.judged_s / 3600, 2),
            "faulty_recordings": {fault.value: self.faulty.get(fault, 0) for fault in RecordingFault},
            "waiting_for_review": self.waiting,
            "overdue": self.overdue,
        }

    def lines_en(self) -> list[str]:
        states = ", ".join(f"{state.en} {count}" for state, count in self.states.items())
        faults = ", ".join(f"{fault} {self.faulty.get(fault, 0)}" for fault in RecordingFault)
        return [
            f"{self.day}: {self.cameras} cameras: {states}",
            f"Recorded {self.whole.recorded_s / 3600:.1f} of {self.whole.expected_s / 3600:.1f} h; {part_en(self.whole)}",
            f"Recordings: {faults}",
            f"Waiting for review: {self.waiting}; overdue: {self.overdue}",
        ]

    def lines_zh(self) -> list[str]:
        states = "，".join(f"{state.zh}{count}路" for state, count in self.states.items())
        faults = "，".join(f"{FAULTS_ZH[fault]}{self.faulty.get(fault, 0)}个" for fault in RecordingFault)
        return [
            f"{self.day}：共{self.cameras}路监控：{states}",
            f"应有录像{self.whole.expected_s / 3600:.1f}小时，{part_zh(self.whole)}",
            f"异常录像文件：{faults}",
            f"待审核{self.waiting}件，已超期{self.overdue}件",
        ]


def yesterday_of(settings: Settings, database: Database, now: datetime) -> Yesterday:
    """The figures of the county's local day before `now`."""
    day = now.astimezone(settings.timezone).date() - timedelta(days=1)
    window = local_day(day, settings.timezone)
    cameras = [camera for point in settings.points for camera in point.cameras]
    facts = facts_by_day(database, cameras, [window.start, window.end], now)
    queue = IssueQueue(database, lambda: now)
    began = counts_by_day(database, IssueFilter(states=COUNTED), [window.start, window.end], now)
    found = [
        day_state(facts[camera.id, 0], began[point.id, 0].total() if (point.id, 0) in began else 0)
        for point in settings.points
        for camera in point.cameras
    ]
    return Yesterday(
        day=day,
        cameras=len(cameras),
        states={state: count for state in DayState if (count := found.count(state))},
        whole=sum_of(facts[camera.id, 0] for camera in cameras),
        faulty=_faulty(database, settings, window),
        waiting=sum(queue.counts("state", IssueFilter(states=(State.FLAGGED,))).values()),
        overdue=sum(queue.counts("state", IssueFilter(overdue=True)).values()),
    )


def _faulty(database: Database, settings: Settings, window: Interval) -> dict[RecordingFault, int]:
    """How many recordings of the day are faulty, of the cameras that the settings know."""
    known = Catalogue(database).known_in(Interval(window.start - AROUND, window.end + AROUND))
    cameras = [camera.id for point in settings.points for camera in point.cameras]
    found = [one.fault for id_ in cameras for one in faulty(known.get(id_, ()), window)]
    return {fault: count for fault in RecordingFault if (count := found.count(fault))}
