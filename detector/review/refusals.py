"""What a request is refused with, and how the errors of other rooms are told over HTTP."""

from __future__ import annotations

from detector.config.editing import ChangedOnDisk
from detector.core.errors import BadInput, KerbwatchError, StorageFull
from detector.issues.errors import (
    ClaimedByOther,
    IllegalMove,
    ReasonNeeded,
    StaleIssue,
    SuspectedDuplicate,
    UnknownIssue,
)
from detector.people import NotAllowed, SignInRefused, SignInThrottled
from detector.spotting.checks import NoSuchCheck, NoVideo, QueueFull, TooLarge


class Refused(KerbwatchError):
    """The request is refused. `status` is the answer's; `error` one word for programs; `who` has it in hand."""

    def __init__(
        self,
        status: int,
        error: str,
        detail: str = "",
        *,
        who: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.detail = detail
        self.who = who
        self.retry_after_s = retry_after_s


def not_found(what: str = "") -> Refused:
    return Refused(404, "not_found", what)


_TOLD: tuple[tuple[type[KerbwatchError], int, str], ...] = (
    (UnknownIssue, 404, "not_found"),
    (StaleIssue, 409, "stale"),
    (ClaimedByOther, 409, "claimed"),
    (IllegalMove, 409, "illegal_move"),
    (SuspectedDuplicate, 409, "duplicate"),
    (ReasonNeeded, 422, "reason_needed"),
    (NotAllowed, 403, "not_allowed"),
    (ChangedOnDisk, 409, "changed_on_disk"),
    (NoSuchCheck, 404, "not_found"),
    (NoVideo, 415, "no_video"),
    (TooLarge, 413, "too_large"),
    (QueueFull, 503, "queue_full"),
    (StorageFull, 507, "disk_full"),
    (SignInRefused, 422, "wrong_password"),
    (SignInThrottled, 429, "throttled"),
    (BadInput, 422, "bad_input"),
)


def refusal_of(error: KerbwatchError) -> Refused:
    """How an error of the tree is told to whoever asked: the first line of the table that fits."""
    if isinstance(error, Refused):
        return error
    who = error.who if isinstance(error, ClaimedByOther) else None
    for kind, status, word in _TOLD:
        if isinstance(error, kind):
            return Refused(status, word, str(error), who=who)
    return Refused(503, "busy", str(error), retry_after_s=2) if error.transient else Refused(500, "failed")
