"""Why the queue refuses what it is asked."""

from __future__ import annotations

from datetime import datetime

from detector.core.errors import BadInput


class QueueRefusal(BadInput):
    """The queue refuses this move."""


class UnknownIssue(QueueRefusal):
    """There is no such issue."""

    def __init__(self, issue_id: int | str) -> None:
        super().__init__(f"there is no issue {issue_id}")
        self.issue_id = issue_id


class StaleIssue(QueueRefusal):
    """The issue has moved since it was looked at; look again and decide again."""

    def __init__(self, issue_id: int, seen: int, found: int) -> None:
        super().__init__(f"issue {issue_id} has moved since it was looked at (version {seen}, now {found})")
        self.issue_id = issue_id
        self.seen = seen
        self.found = found


class IllegalMove(QueueRefusal):
    """The lifecycle has no such move from the issue's state."""


class ReasonNeeded(QueueRefusal):
    """The move needs a reason."""


class ClaimedByOther(QueueRefusal):
    """Somebody else is deciding this issue."""

    def __init__(self, issue_id: int, who: str, until: datetime) -> None:
        super().__init__(f"issue {issue_id} is claimed by {who} until {until.isoformat(timespec='seconds')}")
        self.issue_id = issue_id
        self.who = who
        self.until = until


class SuspectedDuplicate(QueueRefusal):
    """Two issues may be about one object; merge them, tell them apart, or say why both must go out."""

    def __init__(self, issue_id: int, other_id: int) -> None:
        super().__init__(
            f"issues {issue_id} and {other_id} may be about one object: merge them, tell them apart, "
            "or give a reason to dispatch both"
        )
        self.issue_id = issue_id
        self.other_id = other_id
