"""What happens, as JSON lines: one file a day below `state/logs`, and, where wanted, standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Log:
    """Writes one line an event: `at` (real time, UTC), `level`, `event`, and what belongs to it."""

    folder: Path | None
    to_stderr: bool = False
    fields: tuple[tuple[str, Any], ...] = ()

    def to(self, **fields: object) -> Log:
        """The same log, with fields that every line has."""
        return Log(self.folder, self.to_stderr, (*self.fields, *fields.items()))

    def info(self, event: str, **fields: object) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("warning", event, fields)

    def failure(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        at = datetime.now(UTC)
        line = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            **dict(self.fields),
            **fields,
        }
        text = json.dumps(line, ensure_ascii=False, default=str) + "\n"
        if self.to_stderr:
            sys.stderr.write(text)
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                # One write to a file opened for appending: lines of several processes do not mix.
                with (self.folder / f"{at:%Y-%m-%d}.jsonl").open("ab", buffering=0) as file:
                    file.write(text.encode())
            except OSError as error:
                sys.stderr.write(f"cannot write the log: {error}\n{text}")


SILENT = Log(None)

Clock = Callable[[], datetime]
