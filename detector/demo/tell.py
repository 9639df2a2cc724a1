"""What a scan of a made archive found, missed and raised in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detector.demo.archive import TrueEvent
from detector.issues.values import Issue


@dataclass(frozen=True, slots=True)
class Told:
    """True events with the issues that tell them."""

    found: tuple[tuple[TrueEvent, Issue], ...]
    missed: tuple[TrueEvent, ...]
    false: tuple[Issue, ...]

    @property
    def start_errors_s(self) -> list[float]:
        return [abs((i.interval.start - e.interval.start).total_seconds()) for e, i in self.found]


def compare(events: Sequence[TrueEvent], issues: Sequence[Issue]) -> Told:
    """An issue tells an event of the same camera, violation and zone when their times overlap; each tells one."""
    left = list(issues)
    found, missed = [], []
    for event in events:
        match = next((issue for issue in left if _tells(issue, event)), None)
        if match is None:
            missed.append(event)
        else:
            left.remove(match)
            found.append((event, match))
    return Told(tuple(found), tuple(missed), tuple(left))


def _tells(issue: Issue, event: TrueEvent) -> bool:
    return (
        issue.camera_id == event.camera_id
        and issue.violation == event.violation
        and issue.zone_id == event.zone
        and issue.interval.overlaps(event.interval)
    )
