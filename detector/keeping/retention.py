"""What is old, or more than there is room for, is removed: evidence, observations and logs, never a recording.

First a row says what is removed and why, then it is. Evidence of open issues stays, whatever its age and size.
Observations of the days that a nightly run answers for stay too: without them the days would be observed anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath

from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.footage.catalogue import StoredFile as ObservedFile
from detector.issues.lifecycle import State
from detector.issues.queue import IssueQueue
from detector.issues.values import IssueFilter
from detector.runs.removals import Removal, Removals
from detector.storage import Root, Store, StoredFile, open_store

ENDED = (State.REJECTED, State.CLOSED, State.MERGED, State.WITHDRAWN)
"""States in which an issue is not open any more."""

ORPHAN_S = 2 * 86_400.0
"""A file of observations that no row names, as old as that, was left by a run that died."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Something that may be removed: what, since when it is old, and how to remove it."""

    kind: str
    what: str
    remove: Callable[[], None]
    since: datetime
    size_bytes: int
    stored: ObservedFile | None = None
    still: Callable[[], bool] = lambda: True
    """Whether it may be removed even now: a long list takes a while, and people work meanwhile."""


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
    evidence, observations = _Shelf.of(settings.evidence_root), _Shelf.of(settings.observations_root)
    logs = _Shelf.of(settings.state_root / "logs")
    due = [
        *_due(list(_evidence(evidence, database)), now, kept.evidence_days, kept.evidence_bytes,
              evidence.size_bytes, "issue ended"),
        *_due(list(_observations(observations, settings, catalogue, now)), now, _observation_days(settings),
              kept.observations_bytes, observations.size_bytes, "recorded"),
        *_orphans(observations, catalogue, now),
        *_due(list(_findings(observations)), now, _observation_days(settings), None, 0, "gathered"),
        *_due(list(_logs(logs)), now, kept.logs_days, kept.logs_bytes, logs.size_bytes, "written"),
    ]  # fmt: skip
    done = []
    for one, why in due:
        if not one.still():
            continue
        removal = Removal(one.kind, one.what, one.size_bytes, why)
        if not dry_run:
            removals.log(removal, now)
            if one.stored is not None:
                catalogue.forget(one.stored)
            one.remove()
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


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A store, and what was in it when retention began."""

    store: Store
    files: Mapping[str, StoredFile]

    @classmethod
    def of(cls, root: Root) -> _Shelf:
        store = open_store(root)
        return cls(store, {file.name: file for file in store.files()})

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files.values())

    def folders(self) -> Counter[str]:
        """Bytes in each folder that holds files."""
        sizes = Counter[str]()
        for file in self.files.values():
            sizes[str(PurePosixPath(file.name).parent)] += file.size_bytes
        return sizes


def _evidence(shelf: _Shelf, database: Database) -> Iterator[_Kept]:
    """Folders of issues that have ended, and that no open issue shares."""
    queue, sizes = IssueQueue(database), shelf.folders()
    open_states = tuple(state for state in State if state not in ENDED)
    needed = {
        row.folder
        for issue in queue.find(IssueFilter(states=open_states))
        for row in queue.evidence(issue.id)
    }
    for issue in queue.find(IssueFilter(states=ENDED)):
        for folder in sorted({row.folder for row in queue.evidence(issue.id)} - needed):
            if folder in sizes:
                yield _Kept(
                    "evidence", folder, partial(shelf.store.remove, folder), issue.updated_at, sizes[folder],
                    still=partial(_all_ended, queue, folder),
                )  # fmt: skip


def _all_ended(queue: IssueQueue, folder: str) -> bool:
    return queue.states_of(folder) <= set(ENDED)


def _observation_days(settings: Settings) -> int | None:
    days = settings.nightly.retention.observations_days
    return None if days is None else max(days, settings.nightly.catch_up_days + 1)


def _observations(shelf: _Shelf, settings: Settings, catalogue: Catalogue, now: datetime) -> Iterator[_Kept]:
    needed_from = now - timedelta(days=settings.nightly.catch_up_days + 1)
    for stored in catalogue.observed_until(needed_from):
        file = shelf.files.get(stored.file)
        ended = stored.ended or (file.written if file else None)
        if ended is not None and ended <= needed_from:
            remove = partial(shelf.store.remove, stored.file)
            yield _Kept("observations", stored.file, remove, ended, file.size_bytes if file else 0, stored)


def _orphans(shelf: _Shelf, catalogue: Catalogue, now: datetime) -> Iterator[tuple[_Kept, str]]:
    named = catalogue.observed_files()
    for name, file in shelf.files.items():
        ours = PurePosixPath(name).match("camera=*/date=*/*")
        if ours and name not in named and (now - file.written).total_seconds() > ORPHAN_S:
            yield (
                _Kept("observations", name, partial(shelf.store.remove, name), file.written, file.size_bytes),
                "nothing refers to it: left by a run that died",
            )


def _findings(shelf: _Shelf) -> Iterator[_Kept]:
    """What was gathered of observations goes as they go; it can be made again of those that are there."""
    for name, file in shelf.files.items():
        if name.startswith("findings/"):
            yield _Kept(
                "observations", name, partial(shelf.store.remove, name), file.written, file.size_bytes
            )


def _logs(shelf: _Shelf) -> Iterator[_Kept]:
    for name, file in shelf.files.items():
        if PurePosixPath(name).match("*.jsonl"):
            yield _Kept("log", name, partial(shelf.store.remove, name), file.written, file.size_bytes)


def _refuse_recordings(settings: Settings) -> None:
    archive = settings.archive_root.resolve()
    for place in (settings.observations_root, settings.evidence_root, settings.state_root / "logs"):
        if not isinstance(place, Path):
            continue
        ours = place.resolve()
        if ours.is_relative_to(archive) or archive.is_relative_to(ours):
            raise BadInput(
                f"{place} and the recordings in {settings.archive_root} lie in one another; nothing is removed"
            )
