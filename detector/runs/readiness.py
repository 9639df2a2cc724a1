"""Whether a run could go on now: what stands in its way, in words, within a bounded time."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

from detector.config.settings import Settings
from detector.core.errors import KerbwatchError
from detector.database import Database
from detector.storage import Root, open_store

WITHIN_S = 5.0
"""What has not answered by then is said not to answer: a stalled share and a dead server answer never."""


def readiness(settings: Settings, within_s: float = WITHIN_S) -> dict[str, str]:
    """What stands in the way of a run, by name; empty where nothing does."""
    return Probes(within_s).faults(settings)


@dataclass(slots=True)
class _Probe:
    """One question under way, in a thread of its own, for it may never come back."""

    over: threading.Event = field(default_factory=threading.Event)
    fault: str = "could not be looked at"

    def ask(self, question: Callable[[], str]) -> None:
        try:
            self.fault = question()
        except (KerbwatchError, OSError) as error:
            self.fault = str(error)
        finally:
            self.over.set()


class Probes:
    """Asks again and again, and never has two threads that wait for the same. Safe to share between threads."""

    def __init__(self, within_s: float = WITHIN_S) -> None:
        self._within_s = within_s
        self._asked: dict[tuple[str, object], _Probe] = {}
        self._lock = threading.Lock()

    def faults(self, settings: Settings) -> dict[str, str]:
        """What stands in the way of a run, by name, `within_s` later at most."""
        deadline = monotonic() + self._within_s
        probes = {
            name: self._begun((name, about), question) for name, about, question in _questions(settings)
        }
        faults = {}
        for name, probe in probes.items():
            if not probe.over.wait(max(0.0, deadline - monotonic())):
                faults[name] = f"does not answer within {self._within_s:.0f} s"
            elif probe.fault:
                faults[name] = probe.fault
        return faults

    def _begun(self, key: tuple[str, object], question: Callable[[], str]) -> _Probe:
        with self._lock:
            probe = self._asked.get(key)
            if probe is None or probe.over.is_set():
                probe = self._asked[key] = _Probe()
                threading.Thread(
                    target=probe.ask, args=(question,), daemon=True, name=f"{key[0]} ready"
                ).start()
            return probe


def _questions(settings: Settings) -> Iterator[tuple[str, object, Callable[[], str]]]:
    """Names, what each is about, and calls that tell a fault or ''."""
    yield "database", settings.database_url, lambda: _database(settings.database_url)
    yield "disk", (*places_written(settings), settings.nightly.min_free_bytes), lambda: too_full(settings)
    yield "recordings", settings.archive_root, lambda: _folder(settings.archive_root)
    places = (
        ("state", settings.state_root),
        ("observations", settings.observations_root),
        ("evidence", settings.evidence_root),
    )
    for name, root in places:
        yield name, root, partial(_written_to, root)


def _database(url: str) -> str:
    with Database.open(url, migrate=False, busy_timeout_s=2.0):
        return ""


def _folder(place: Path) -> str:
    return "" if place.is_dir() else f"{place}: no such folder"


def _written_to(root: Root) -> str:
    open_store(root).check()
    return ""


def too_full(settings: Settings) -> str:
    """Why nothing more should be written; '' while there is room."""
    for place in places_written(settings):
        with suppress(OSError):
            free = shutil.disk_usage(_existing(place)).free
            if free < settings.nightly.min_free_bytes:
                return (
                    f"the disk of {place} is nearly full: {free / 1e9:.1f} GB are free, "
                    f"{settings.nightly.min_free_bytes / 1e9:.1f} GB are to stay free "
                    "(kerbwatch.yaml: nightly.min_free_gb); make room, and it goes on"
                )
    return ""


def places_written(settings: Settings) -> Sequence[Path]:
    """The folders; an object store has no disk of ours."""
    places = (settings.state_root, settings.observations_root, settings.evidence_root)
    return [place for place in places if isinstance(place, Path)]


def _existing(place: Path) -> Path:
    return next((folder for folder in (place, *place.parents) if folder.exists()), Path("/"))
