"""A clock that goes only when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime

NOON = datetime(2026, 1, 8, 12, tzinfo=UTC)


class Clock:
    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at
