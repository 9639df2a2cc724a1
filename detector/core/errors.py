"""One tree of errors. The class says what its catcher should do; the docstring is the default message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar


class KerbwatchError(Exception):
    """kerbwatch could not go on."""

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False
    """True where the same call may succeed later without anybody changing anything."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "").strip()


class BadInput(KerbwatchError):
    """The input or the configuration is wrong; a person must change it."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a configuration: which file, where in it, what, and what might be meant."""

    file: str
    place: str
    what: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f" {self.place}:" if self.place else ""
        hint = f"; did you mean '{self.suggestion}'?" if self.suggestion else ""
        return f"{self.file}:{place} {self.what}{hint}"


class BadConfig(BadInput):
    """The configuration has faults; nothing was started."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.faults,))


class UnreadableRecording(KerbwatchError):
    """A recording cannot be read; it costs its own samples and nothing else."""

    def __init__(
        self,
        path: str,
        reason: str,
        *,
        empty: bool = False,
        not_video: bool = False,
        unexpected: bool = False,
    ) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.empty = empty
        self.not_video = not_video
        self.unexpected = unexpected
        """True where the program failed at the recording, which may be healthy: it is never put in quarantine for this."""

    def __reduce__(self) -> tuple[object, ...]:
        """So that it crosses from a worker process: an error is rebuilt from its message alone otherwise."""
        made = partial(type(self), empty=self.empty, not_video=self.not_video, unexpected=self.unexpected)
        return (made, (self.path, self.reason))


class DamagedObservations(KerbwatchError):
    """A stored file of observations cannot be read; the recording must be observed again."""

    exit_code = 2

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.file, self.reason))


class UnexpectedFault(KerbwatchError):
    """An error of the program ended one piece of work; the log holds the traceback."""


class StorageFull(KerbwatchError):
    """No space is left on the disk; free some and run the same command again."""

    transient = True


class BadWeights(BadInput):
    """A weights file is missing or is not the one the manifest names."""
