"""The durable queue of issues: filing, review and every later move, each with a row of history that says who and why."""

from detector.issues.errors import (
    ClaimedByOther,
    IllegalMove,
    QueueRefusal,
    ReasonNeeded,
    StaleIssue,
    UnknownIssue,
)
from detector.issues.lifecycle import MOVES, REJECT_REASONS, Move, Reason, State
from detector.issues.queue import IssueQueue
from detector.issues.values import (
    EvidenceRow,
    Filed,
    FiledAs,
    HistoryRow,
    Issue,
    IssueFilter,
    IssueOrder,
    Outcome,
    Verdict,
)

__all__ = [
    "MOVES",
    "REJECT_REASONS",
    "ClaimedByOther",
    "EvidenceRow",
    "Filed",
    "FiledAs",
    "HistoryRow",
    "IllegalMove",
    "Issue",
    "IssueFilter",
    "IssueOrder",
    "IssueQueue",
    "Move",
    "Outcome",
    "QueueRefusal",
    "Reason",
    "ReasonNeeded",
    "StaleIssue",
    "State",
    "UnknownIssue",
    "Verdict",
]
