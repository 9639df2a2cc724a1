"""The history of all issues: one append-only chain, in which a changed or missing row is found.

Each row's hash covers the row and the hash of the row before it. The chain alone cannot show that its last
rows are missing; the issues can, for an issue's version is the number of its rows, and so can signed heads
(`detector.keeping.heads`), which show, too, that all of it was written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from detector.core.values import Evidence
from detector.database import schema
from detector.issues.lifecycle import State
from detector.issues.values import HistoryRow, ends_json, moment_json

SETTABLE = (
    "department",
    "assisting",
    "grid",
    "order_id",
    "due_at",
    "dispatched_at",
    "rectified_at",
    "closed_at",
    "merged_into",
    "recurrence",
)
"""Columns of an issue that a move may set; its row of history says to what."""

GENESIS = "0" * 64
"""What stands for the hash before the first row."""


def append(
    connection: Connection,
    *,
    issue_id: int,
    version: int,
    who: str,
    at: datetime,
    move: str,
    from_state: State | None,
    to_state: State,
    reason: str | None = None,
    note: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Adds one row to the end of the chain. The caller holds the queue's lock, so the end stays the end."""
    last_seq, last_hash = last_row(connection)
    row = HistoryRow(
        seq=last_seq + 1,
        issue_id=issue_id,
        version=version,
        who=who,
        at=at.astimezone(UTC),
        move=move,
        from_state=from_state,
        to_state=to_state,
        reason=reason,
        note=note,
        details=details or {},
        prev_hash=last_hash,
        hash="",
    )
    values = {name: getattr(row, name) for name in schema.history.c.keys()}  # noqa: SIM118 - not a dict
    connection.execute(insert(schema.history).values(**values | {"hash": digest(row)}))


def last_row(connection: Connection) -> tuple[int, str]:
    """The number and the hash of the last row; 0 and GENESIS for an empty log."""
    table = schema.history.c
    row = connection.execute(select(table.seq, table.hash).order_by(table.seq.desc()).limit(1)).first()
    return (int(row.seq), str(row.hash)) if row else (0, GENESIS)


def hash_of(connection: Connection, seq: int) -> str | None:
    """The hash of a row; None where there is no such row."""
    return connection.scalar(select(schema.history.c.hash).where(schema.history.c.seq == seq))


def settable_json(value: object) -> object:
    """A value of a SETTABLE column as a row of history keeps it; nothing and no words are None."""
    if isinstance(value, datetime):
        return moment_json(value)
    if isinstance(value, tuple):
        return list(value) or None
    return value


def digest(row: HistoryRow) -> str:
    """SHA-256, 64 hex digits, over the row without its own hash, as canonical JSON."""
    content = {name: value for name, value in row.to_json().items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def row_of(mapping: RowMapping) -> HistoryRow:
    values = dict(mapping)
    values["from_state"] = State(values["from_state"]) if values["from_state"] else None
    values["to_state"] = State(values["to_state"])
    return HistoryRow(**values)


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """What a row says of evidence: enough to tell later that a file was changed, added or lost."""
    files = [[file.name, file.sha256, file.size_bytes] for file in evidence.files]
    return {"folder": evidence.folder, "files": sorted(files)}


@dataclass(frozen=True, slots=True)
class _Told:
    """What the history tells of one issue so far."""

    version: int = 0
    state: State | None = None
    interval: Mapping[str, str] = field(default_factory=dict)
    evidence: frozenset[tuple[str, str, str, int]] = frozenset()
    sets: Mapping[str, Any] = field(default_factory=dict)
    """What moves set of the issue beside its state: its department, its deadline and so on."""
    attachments: frozenset[tuple[int, str, str, int]] = frozenset()

    def after(self, row: HistoryRow) -> _Told:
        details = row.details if row.hash == digest(row) else {}
        return replace(
            self,
            version=row.version,
            state=row.to_state,
            interval=details.get("interval", self.interval),
            evidence=self._evidence_after(details.get("evidence")),
            sets={**self.sets, **details.get("sets", {})},
            attachments=self.attachments
            | {(row.version, name, sha, size) for name, sha, size in details.get("attachments", ())},
        )

    def _evidence_after(self, added: Mapping[str, Any] | None) -> frozenset[tuple[str, str, str, int]]:
        if added is None:
            return self.evidence
        kept = {file for file in self.evidence if file[0] != added["folder"]}
        return frozenset(kept | {(added["folder"], *file) for file in added["files"]})


def verify(connection: Connection) -> Iterator[str]:
    """Every fault of the chain, and everything an issue says that its history does not; nothing where all is well."""
    told: dict[int, _Told] = {}
    seq, prev_hash = 0, GENESIS
    for mapping in connection.execute(select(schema.history).order_by(schema.history.c.seq)).mappings():
        try:
            row = row_of(mapping)
        except ValueError:
            yield f"history row {mapping['seq']} (issue {mapping['issue_id']}): was changed, it names no state"
        else:
            before = told.get(row.issue_id, _Told())
            yield from _row_faults(row, seq, prev_hash, before)
            told[row.issue_id] = before.after(row)
        seq, prev_hash = mapping["seq"], mapping["hash"]
    yield from _issue_faults(connection, told)


def _row_faults(row: HistoryRow, seq: int, prev_hash: str, before: _Told) -> Iterator[str]:
    place = f"history row {row.seq} (issue {row.issue_id})"
    if row.seq != seq + 1:
        yield f"history rows {seq + 1} to {row.seq - 1} are missing"
    elif row.prev_hash != prev_hash:
        yield f"{place}: does not follow from the row before it"
    if row.hash != digest(row):
        yield f"{place}: was changed, its hash does not fit"
    if row.version != before.version + 1:
        yield f"{place}: version {row.version} follows version {before.version}"
    if row.from_state != before.state:
        yield f"{place}: moves from {row.from_state}, but the issue was {before.state}"


def _issue_faults(connection: Connection, told: Mapping[int, _Told]) -> Iterator[str]:
    files: dict[int, set[tuple[str, str, str, int]]] = {}
    for file in connection.execute(select(schema.evidence_files)):
        files.setdefault(file.issue_id, set()).add((file.folder, file.name, file.sha256, file.size_bytes))
    attached: dict[int, set[tuple[int, str, str, int]]] = {}
    for file in connection.execute(select(schema.attachments)):
        attached.setdefault(file.issue_id, set()).add((file.version, file.name, file.sha256, file.size_bytes))
    found = {issue.id: issue for issue in connection.execute(select(schema.issues))}
    for issue_id in sorted(told.keys() | found.keys()):
        if issue_id not in found:
            yield f"issue {issue_id}: is missing, its history is there"
            continue
        issue, story = found[issue_id], told.get(issue_id, _Told())
        interval = ends_json(issue.start, issue.end)
        for name, value in (("version", issue.version), ("state", issue.state), ("interval", interval)):
            if value != getattr(story, name):
                yield f"issue {issue_id}: its {name} is {value}, its history says {getattr(story, name)}"
        for name in SETTABLE:
            value = settable_json(getattr(issue, name))
            if value != story.sets.get(name):
                yield f"issue {issue_id}: its {name} is {value}, its history says {story.sets.get(name)}"
        yield from _evidence_faults(issue_id, files.get(issue_id, set()), story.evidence)
        for _, name, _, _ in sorted(story.attachments.symmetric_difference(attached.get(issue_id, set()))):
            yield f"issue {issue_id}: attachment {name} is not as its history says"


def _evidence_faults(
    issue_id: int, found: Iterable[tuple[str, str, str, int]], told: frozenset[tuple[str, str, str, int]]
) -> Iterator[str]:
    for folder, name, _, _ in sorted(told.symmetric_difference(found)):
        yield f"issue {issue_id}: evidence {folder}/{name} is not as its history says"
