"""What a run has done and what it owes, as plain values for the `runs` table, the log, the metrics and the morning."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from detector.pipeline.days import DayDone, DayOwed, Surveyed

ENOUGH_DAYS = 3
"""Until so many days are done nothing is said about the time that is left."""

MOST_TOLD = 200
"""So many troubles are kept by name; the counts are of all."""


@dataclass(slots=True)
class Book:
    """One run's account. `missing` maps a camera's day to why it is not done."""

    engine: str
    settings_version: str
    kerbwatch_version: str
    machine: str
    began: float = field(default_factory=time.monotonic)
    cameras: int = 0
    not_surveyed: int = 0
    """Cameras whose folders the run stopped before it looked at, the last time round."""
    owed: dict[tuple[str, date], DayOwed] = field(default_factory=dict)
    done: dict[tuple[str, date], DayOwed] = field(default_factory=dict)
    footage_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    filed: Counter[str] = field(default_factory=Counter)
    issues: set[int] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    stages_s: Counter[str] = field(default_factory=Counter)
    missing: dict[tuple[str, date], str] = field(default_factory=dict)
    quarantined: list[str] = field(default_factory=list)
    ended_because: str = ""
    configuration_changed: bool = False

    def surveyed(self, result: Surveyed) -> None:
        self.faults.pop(result.camera_id, None)
        if result.fault:
            self.faults[result.camera_id] = result.fault
        for path, state, reason in result.unusable:
            self.unusable[path] = f"{state}: {reason}" if reason else state

    def owe(self, day: DayOwed) -> None:
        self.owed[day.camera_id, day.day] = day

    def day(self, result: DayDone) -> str:
        """Count a day. Returns why it is not done, '' where it is."""
        place = (result.camera_id, result.day)
        self.footage_s += result.footage_s
        self.counts.update(
            samples=result.samples, reused=result.reused, dropped=result.dropped, known=result.known
        )
        self.filed.update(filed.outcome.value for filed in result.filed)
        self.issues |= {filed.issue_id for filed in result.filed}
        self.stages_s.update(result.stages_s)
        for line in result.troubles:
            self.trouble(f"{result.camera_id}: {line}")
        self.failures.update(unseen.reason for unseen in result.unseen)
        why_not = self._why_not(result)
        if why_not:
            self.missing[place] = why_not
        else:
            self.missing.pop(place, None)
            if place in self.owed:
                self.done[place] = self.owed[place]
        return why_not

    def _why_not(self, result: DayDone) -> str:
        if result.unseen:
            return "; ".join(f"{unseen.path}: {unseen.reason}" for unseen in result.unseen)
        if result.undecided:
            return "; ".join(result.undecided)
        owed = self.owed.get((result.camera_id, result.day))
        # The folder was there when the day was found to be owed: what the day held then has not been looked at.
        if result.fault and owed is not None and owed.key != result.key:
            return result.fault
        return ""

    def trouble(self, line: str) -> None:
        self.counts["troubles"] += 1
        if len(self.troubles) < MOST_TOLD and line not in self.troubles:
            self.troubles.append(line)

    @property
    def undone(self) -> list[tuple[str, date]]:
        """Owed days that are not done, by camera and day."""
        return sorted(self.owed.keys() - self.done.keys())

    @property
    def looks_owed(self) -> int:
        return sum(day.looks for day in self.owed.values())

    @property
    def looks_done(self) -> int:
        return sum(day.looks for day in self.done.values())

    def remaining_s(self) -> float | None:
        """How long the rest takes at the pace of this run so far; None before that can be said."""
        if len(self.done) < ENOUGH_DAYS or not self.looks_done:
            return None
        pace = (time.monotonic() - self.began) / self.looks_done
        return pace * max(0, self.looks_owed - self.looks_done)

    def to_json(self) -> dict[str, Any]:
        took_s = time.monotonic() - self.began
        left_s = self.remaining_s()
        undone = self.undone
        return {
            "engine": self.engine,
            "settings_version": self.settings_version,
            "kerbwatch_version": self.kerbwatch_version,
            "machine": self.machine,
            "took_s": round(took_s, 1),
            "cameras": self.cameras,
            "not_surveyed": self.not_surveyed,
            "days_owed": len(self.owed),
            "days_done": len(self.done),
            "looks_owed": self.looks_owed,
            "looks_done": self.looks_done,
            "remaining_s": None if left_s is None else round(left_s),
            "footage_s": round(self.footage_s, 1),
            **{name: self.counts[name] for name in ("samples", "reused", "dropped", "known", "troubles")},
            "lost_workers": {how: n for how, n in sorted(self.counts.items()) if how in LOSSES},
            "samples_per_s": round(self.counts["samples"] / took_s, 3) if took_s > 0 else 0.0,
            "filed": dict(sorted(self.filed.items())),
            "issues": len(self.issues),
            "failures": dict(self.failures.most_common(50)),
            "stages_s": {name: round(s, 2) for name, s in sorted(self.stages_s.items())},
            "trouble_lines": list(self.troubles),
            "camera_faults": dict(sorted(self.faults.items())),
            "unusable": dict(sorted(self.unusable.items())[:MOST_TOLD]),
            "unusable_count": len(self.unusable),
            "quarantined": list(self.quarantined),
            "missing": [
                {"camera": camera, "day": day.isoformat(), "why": self.missing.get((camera, day), "")}
                for camera, day in undone[-MOST_TOLD:]
            ],
            "oldest_owed_day": min(day for _, day in undone).isoformat() if undone else None,
            "ended_because": self.ended_because,
            "configuration_changed": self.configuration_changed,
        }


LOSSES = ("crashed", "stalled", "node_lost")
