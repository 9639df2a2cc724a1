"""What is old, or more than there is room for, is removed: evidence, observations and logs, never a recording.

First a row says what is removed and why, then it is. Evidence of open issues stays, whatever its age and size.
Observations of the days that a nightly run answers for stay too: without them the days would be observed anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.footage.catalogue import Catalogue, StoredFile
from detector.issues.lifecycle import State
from detector.issues.queue import IssueQueue
from detector.issues.values import IssueFilter
from detector.runs.removals import Removal, Removals

ENDED = (State.REJECTED, State.CLOSED, State.MERGED, State.WITHDRAWN)
"""States in which an issue is not open any more."""

ORPHAN_S = 2 * 86_400.0
"""A file of observations that no row names, as old as that, was left by a run that died."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Something that may be removed: what, since when it is old, and how to remove it."""

    kind: str
    what: str
    path: Path
    since: datetime
    size_bytes: int
    stored: StoredFile | None = None


def retain(
    settings: Settings,
    database: Database,
    now: datetime,
    *,
    dry_run: bool = False,
    tell: Callable[[Removal], None] = lambda _: None,
) -> list[Removal]:
    """Remove what is due, oldest first, and return it; with `dry_run` only say what would be removed.

    Raises BadInput where a folder of ours lies among the recordings or the other way round.
    """
    _refuse_recordings(settings)
    kept = settings.nightly.retention
    catalogue, removals = Catalogue(database), Removals(database)
    due = [
        *_due(list(_evidence(settings, database)), now, kept.evidence_days, kept.evidence_bytes,
              _size_of(_evidence_root(settings)), "issue ended"),
        *_due(list(_observations(settings, catalogue, now)), now, _observation_days(settings),
              kept.observations_bytes, _size_of(settings.observations_root), "recorded"),
        *_orphans(settings, catalogue, now),
        *_due(list(_logs(settings)), now, kept.logs_days, kept.logs_bytes,
              _size_of(settings.state_root / "logs"), "written"),
    ]  # fmt: skip
    done = []
    for one, why in due:
        removal = Removal(one.kind, one.what, one.size_bytes, why)
        if not dry_run:
            removals.log(removal, now)
            if one.stored is not None:
                catalogue.forget(one.stored)
            _remove(one.path)
        tell(removal)
        done.append(removal)
    return done


def _due(
    found: Sequence[_Kept],
    now: datetime,
    days: int | None,
    budget: int | None,
    total: int,
    what_happened: str,
) -> Iterator[tuple[_Kept, str]]:
    """What is too old; and then, oldest first, as much as is over the budget, `total` being all that is there."""
    left: list[_Kept] = []
    for one in sorted(found, key=lambda one: (one.since, one.what)):
        if days is not None and now - one.since > timedelta(days=days):
            total -= one.size_bytes
            yield one, f"{what_happened} {(now - one.since).days} days ago; {days} are kept"
        else:
            left.append(one)
    for one in left:
        if budget is None or total <= budget:
            return
        yield one, f"{total / 1e9:.3f} GB are kept, {budget / 1e9:.3f} GB may be; {what_happened} longest ago"
        total -= one.size_bytes


def _evidence_root(settings: Settings) -> Path | None:
    return settings.evidence_root if isinstance(settings.evidence_root, Path) else None


def _evidence(settings: Settings, database: Database) -> Iterator[_Kept]:
    """Folders of issues that have ended, and that no open issue shares."""
    root, queue = _evidence_root(settings), IssueQueue(database)
    if root is None:
        return
    open_states = tuple(state for state in State if state not in ENDED)
    needed = {
        row.folder
        for issue in queue.find(IssueFilter(states=open_states))
        for row in queue.evidence(issue.id)
    }
    for issue in queue.find(IssueFilter(states=ENDED)):
        for folder in sorted({row.folder for row in queue.evidence(issue.id)} - needed):
            if (root / folder).is_dir():
                yield _Kept("evidence", folder, root / folder, issue.updated_at, _size_of(root / folder))


def _observation_days(settings: Settings) -> int | None:
    days = settings.nightly.retention.observations_days
    return None if days is None else max(days, settings.nightly.catch_up_days + 1)


def _observations(settings: Settings, catalogue: Catalogue, now: datetime) -> Iterator[_Kept]:
    root = settings.observations_root
    needed_from = now - timedelta(days=settings.nightly.catch_up_days + 1)
    for stored in catalogue.observed_until(needed_from):
        path = root / stored.file
        ended = stored.ended or _written(path)
        if ended is not None and ended <= needed_from:
            yield _Kept("observations", stored.file, path, ended, _size_of(path), stored)


def _orphans(settings: Settings, catalogue: Catalogue, now: datetime) -> Iterator[tuple[_Kept, str]]:
    root, named = settings.observations_root, catalogue.observed_files()
    for path in sorted(root.glob("camera=*/date=*/*")):
        name, at = path.relative_to(root).as_posix(), _written(path)
        if name not in named and at is not None and (now - at).total_seconds() > ORPHAN_S:
            yield (
                _Kept("observations", name, path, at, _size_of(path)),
                "nothing refers to it: left by a run that died",
            )


def _logs(settings: Settings) -> Iterator[_Kept]:
    root = settings.state_root / "logs"
    for path in sorted(root.glob("*.jsonl")):
        if at := _written(path):
            yield _Kept("log", path.name, path, at, _size_of(path))


def _refuse_recordings(settings: Settings) -> None:
    archive = settings.archive_root.resolve()
    places = [settings.observations_root, settings.state_root / "logs"]
    evidence = _evidence_root(settings)
    for place in [*places, *([evidence] if evidence else [])]:
        ours = place.resolve()
        if ours.is_relative_to(archive) or archive.is_relative_to(ours):
            raise BadInput(
                f"{place} and the recordings in {settings.archive_root} lie in one another; nothing is removed"
            )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    for folder in (path.parent, path.parent.parent):
        with suppress(OSError):  # not empty
            folder.rmdir()


def _written(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def _size_of(path: Path | None) -> int:
    """Bytes of a file, or of all that lies in a folder."""
    if path is None:
        return 0
    total = 0
    for one in [path] if path.is_file() else path.rglob("*"):
        with suppress(OSError):
            total += one.stat().st_size if one.is_file() else 0
    return total
