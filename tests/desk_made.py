"""People and issues for the desk's tests; the fixtures are in `desk_fixture`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from made_issues import file, incident

from detector.core.values import Violation
from detector.dispatch import Desk
from detector.people import Actor, Role

SHANGHAI = ZoneInfo("Asia/Shanghai")
ADMIN = Actor("boss", Role.ADMIN)
REVIEWER = Actor("li", Role.REVIEWER)
DISPATCHER = Actor("wang", Role.DISPATCHER)
TRAFFIC = Actor("zhou", Role.DEPARTMENT, "traffic_police")
URBAN = Actor("zhao", Role.DEPARTMENT, "urban_management")
VIEWER = Actor("guest", Role.VIEWER)


def flagged(desk: Desk, start: float = 0, end: float = 10, **more: object) -> int:
    """A car at a crossing (p025), unless told otherwise."""
    return file(desk.queue, incident(start, end, **{"camera_id": "p025"} | more)).issue_id


def confirmed(desk: Desk, start: float = 0, end: float = 10, **more: object) -> int:
    number = flagged(desk, start, end, **more)
    desk.confirm(REVIEWER, number)
    return number


def dispatched(desk: Desk, start: float = 0, end: float = 10, **more: object) -> int:
    number = confirmed(desk, start, end, **more)
    desk.dispatch(DISPATCHER, [number])
    return number


LITTER = {"camera_id": "p001", "zone_id": "clean", "violation": Violation.LITTER}
