"""What is known of the recordings, and which part of them has been observed, by which plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, delete, func, select

from detector.core.timeline import Timeline
from detector.core.times import Interval
from detector.core.values import MediaInfo, Recording, RecordingState
from detector.database import Database, schema

USABLE = (RecordingState.READABLE, RecordingState.TRUNCATED)

PICTURE_SHAPE = "picture_shape"
"""First word of the reason of a stretch that was judged although its pictures have another shape than the zones."""


@dataclass(frozen=True, slots=True)
class BlindStretch:
    """A stretch in which pictures were read but showed nothing to judge by: dark, blocked, frozen, turned away.

    Or one whose pictures have another shape than the zones were drawn on, see `of_shape`.
    """

    interval: Interval
    reason: str

    @classmethod
    def of_shape(cls, interval: Interval, resolution_wh: tuple[int, int]) -> BlindStretch:
        """A stretch of pictures of this size. It is judged, but 'nothing found' there does not mean 'clean'."""
        return cls(interval, f"{PICTURE_SHAPE} {resolution_wh[0]}x{resolution_wh[1]}")

    @property
    def shape_wh(self) -> tuple[int, int] | None:
        """The pictures' size, where their shape is what is wrong; else None."""
        word, _, size = self.reason.partition(" ")
        if word != PICTURE_SHAPE:
            return None
        width, _, height = size.partition("x")
        return int(width), int(height)


@dataclass(frozen=True, slots=True)
class ObservedPart:
    """What one plan saw of one recording. `file` holds the observations, relative to the observations' root.

    `samples` were taken, `failed` were wanted and could not be. `observed` is the stretch that the samples
    stand for, None where there are none.
    """

    camera_id: str
    recording_id: str
    recording: Interval
    plan_key: str
    model_id: str
    file: str
    samples: int
    failed: int
    observed: Interval | None
    blind: tuple[BlindStretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """Until when a camera's folder was looked through, and why it could not be the last time; '' where it could."""

    until: datetime | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SizeSeen:
    """A picture size in pixels, and how many recordings of a camera have it."""

    resolution_wh: tuple[int, int]
    recordings: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of observations. `ended` is when its recording ended; None where that is not in the catalogue any more."""

    recording_id: str
    plan_key: str
    file: str
    ended: datetime | None


class Catalogue:
    """The recordings of all cameras and what was observed of them. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, camera_id: str, recordings: Sequence[Recording], now: datetime) -> None:
        """Keeps the camera's recordings as they were found `now`.

        A file that has changed takes the place of what it was. One that is not among them is kept with the time it
        was last seen: what was observed of it still counts.
        """
        rows = [_recording_row(camera_id, recording, now) for recording in recordings]
        if not rows:
            return
        insert = self._database.insert(schema.recordings)
        changed = {name: insert.excluded[name] for name in rows[0] if name not in ("camera_id", "path")}
        with self._database.begin() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["camera_id", "path"], set_=changed), rows
            )

    def mark_surveyed(self, camera_id: str, at: datetime, fault: str | None = None) -> None:
        """Says that a camera's folder was looked through, or why it could not be: then the last time stays."""
        insert = self._database.insert(schema.surveys)
        row = {"camera_id": camera_id, "until": None if fault else at, "fault": fault or ""}
        changed = {name: row[name] for name in (("fault",) if fault else ("until", "fault"))}
        with self._database.begin() as connection:
            connection.execute(
                insert.values(row).on_conflict_do_update(index_elements=["camera_id"], set_=changed)
            )

    def surveys(self) -> dict[str, Survey]:
        """By camera, when its folder was looked through last."""
        table = schema.surveys
        with self._database.read() as connection:
            rows = connection.execute(select(table))
            return {row.camera_id: Survey(row.until, row.fault) for row in rows}

    def mark_judged(self, camera_id: str, stretches: Sequence[Interval]) -> None:
        """Says that these observed stretches were judged to the end, all issues filed."""
        if not stretches:
            return
        rows = [{"camera_id": camera_id, "from": one.start, "until": one.end} for one in stretches]
        insert = self._database.insert(schema.judged)
        later = insert.excluded["until"]
        kept = insert.on_conflict_do_update(
            index_elements=["camera_id", "from"],
            set_={"until": later},
            where=schema.judged.c.until < later,
        )
        with self._database.begin() as connection:
            connection.execute(kept, rows)

    def judged_parts(self, camera_id: str, period: Interval) -> list[Interval]:
        """What scans have judged of a period, in order."""
        table = schema.judged
        query = (
            select(table.c["from"], table.c.until)
            .where(table.c.camera_id == camera_id, table.c["from"] < period.end, table.c.until > period.start)
            .order_by(table.c["from"])
        )
        with self._database.read() as connection:
            return [Interval(row[0], row[1]) for row in connection.execute(query)]

    def known(self, camera_id: str) -> dict[str, Recording]:
        """By path, every recording that was ever found, as it was found last."""
        table = schema.recordings
        query = select(table).where(table.c.camera_id == camera_id).order_by(table.c.start, table.c.path)
        with self._database.read() as connection:
            return {row["path"]: _recording(row) for row in connection.execute(query).mappings()}

    def known_in(self, period: Interval) -> dict[str, list[Recording]]:
        """By camera, every recording that touches a period, in order of time."""
        table = schema.recordings
        query = (
            select(table)
            .where(table.c.start < period.end, table.c.end > period.start)
            .order_by(table.c.camera_id, table.c.start, table.c.path)
        )
        found: dict[str, list[Recording]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["camera_id"], []).append(_recording(row))
        return found

    def ever_judged(self) -> bool:
        """Whether any scan has judged anything."""
        with self._database.read() as connection:
            return connection.execute(select(schema.judged.c.camera_id).limit(1)).first() is not None

    def sizes(self) -> dict[str, list[SizeSeen]]:
        """By camera, the picture sizes of its usable recordings, the size of the newest recording first."""
        table = schema.recordings
        newest = func.max(table.c.start).label("newest")
        query = (
            select(table.c.camera_id, table.c.width, table.c.height, func.count().label("recordings"), newest)
            .where(table.c.state.in_(USABLE), table.c.width > 0, table.c.height > 0)
            .group_by(table.c.camera_id, table.c.width, table.c.height)
            .order_by(table.c.camera_id, newest.desc())
        )
        found: dict[str, list[SizeSeen]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                seen = SizeSeen((row.width, row.height), row.recordings)
                found.setdefault(row.camera_id, []).append(seen)
        return found

    def last_seen(self, camera_id: str) -> dict[str, datetime]:
        """By path, when each recording was found last; one that has vanished since is behind the others."""
        table = schema.recordings
        query = select(table.c.path, table.c.last_seen).where(table.c.camera_id == camera_id)
        with self._database.read() as connection:
            return {row.path: row.last_seen for row in connection.execute(query)}

    def mark_observed(
        self,
        recording: Recording,
        plan_key: str,
        *,
        model_id: str,
        file: str,
        samples: int,
        failed: int,
        observed: Interval | None,
        blind: Sequence[BlindStretch] = (),
    ) -> None:
        """Says that a recording is done, after `file` is safe on disk. Saying it again changes nothing."""
        key = {"recording_id": recording.id, "plan_key": plan_key}
        rest = {
            "model_id": model_id,
            "file": file,
            "samples": samples,
            "failed": failed,
            "from": observed.start if observed else None,
            "until": observed.end if observed else None,
            "blind": [_blind_json(stretch) for stretch in blind],
        }
        insert = self._database.insert(schema.observed).values({**key, **rest})
        with self._database.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=rest))

    def observed_file(self, recording_id: str, plan_key: str) -> ObservedPart | None:
        table = schema.observed
        condition = (table.c.recording_id == recording_id) & (table.c.plan_key == plan_key)
        return next(iter(self._parts(condition)), None)

    def observed_of_camera(self, camera_id: str, plan_key: str) -> dict[str, ObservedPart]:
        """By recording, what a plan has seen of a camera's recordings as they are now; one query."""
        condition = (schema.recordings.c.camera_id == camera_id) & (schema.observed.c.plan_key == plan_key)
        return {part.recording_id: part for part in self._parts(condition)}

    def observed_parts(self, camera_id: str, period: Interval) -> list[ObservedPart]:
        """What any plan has seen of a camera's recordings that touch the period, in order of time.

        A recording that turned out to repeat another is left out: its time is observed in the other.
        """
        table = schema.recordings
        return self._parts(
            (table.c.camera_id == camera_id)
            & (table.c.start < period.end)
            & (table.c.end > period.start)
            & (table.c.state != RecordingState.REPEATED)
        )

    def observed_until(self, moment: datetime) -> list[StoredFile]:
        """What is stored of recordings that ended by then, oldest first; of recordings that changed since, too."""
        recordings, observed = schema.recordings, schema.observed
        joined = observed.outerjoin(recordings, recordings.c.id == observed.c.recording_id)
        columns = (observed.c.recording_id, observed.c.plan_key, observed.c.file, recordings.c.end)
        query = select(*columns).select_from(joined).order_by(recordings.c.end, observed.c.file)
        with self._database.read() as connection:
            rows = [StoredFile(*row) for row in connection.execute(query)]
        return [row for row in rows if row.ended is None or row.ended <= moment]

    def observed_files(self) -> set[str]:
        """Every file of observations that a row names."""
        with self._database.read() as connection:
            return set(connection.execute(select(schema.observed.c.file)).scalars())

    def forget(self, stored: StoredFile) -> None:
        """Takes back that a recording was observed by a plan; before its file is removed."""
        table = schema.observed
        mine = (table.c.recording_id == stored.recording_id) & (table.c.plan_key == stored.plan_key)
        with self._database.begin() as connection:
            connection.execute(delete(table).where(mine))

    def forget_file(self, file: str) -> None:
        """Takes back that the recording whose observations a file holds was observed."""
        table = schema.observed
        with self._database.begin() as connection:
            connection.execute(delete(table).where(table.c.file == file))

    def _parts(self, condition: ColumnElement[bool]) -> list[ObservedPart]:
        with self._database.read() as connection:
            return [_part(row) for row in connection.execute(_parts_query().where(condition)).mappings()]


def _parts_query() -> Select[Any]:
    recordings, observed = schema.recordings, schema.observed
    joined = recordings.join(observed, recordings.c.id == observed.c.recording_id)
    found = (recordings.c.camera_id, recordings.c.start, recordings.c.end)
    ordered = (recordings.c.start, recordings.c.path, observed.c.plan_key)
    return select(*found, observed).select_from(joined).order_by(*ordered)


def _part(row: RowMapping) -> ObservedPart:
    return ObservedPart(
        camera_id=row["camera_id"],
        recording_id=row["recording_id"],
        recording=Interval(row["start"], row["end"]),
        plan_key=row["plan_key"],
        model_id=row["model_id"],
        file=row["file"],
        samples=row["samples"],
        failed=row["failed"],
        observed=Interval(row["from"], row["until"]) if row["from"] else None,
        blind=tuple(blind_stretches(row["blind"])),
    )


def _recording_row(camera_id: str, recording: Recording, now: datetime) -> dict[str, Any]:
    if recording.camera_id != camera_id:
        raise ValueError(f"{recording.path} is a recording of {recording.camera_id}, not of {camera_id}")
    return {
        "id": recording.id,
        "camera_id": camera_id,
        "path": recording.path,
        "size_bytes": recording.size_bytes,
        "modified_ns": recording.modified_ns,
        "start": recording.interval.start,
        "end": recording.interval.end,
        "state": recording.state,
        "reason": recording.reason,
        "width": recording.resolution_wh[0],
        "height": recording.resolution_wh[1],
        "last_seen": now,
        "timeline": recording.timeline.to_json() if recording.timeline else None,
        "media": recording.media.to_json() if recording.media else None,
    }


def _recording(row: RowMapping) -> Recording:
    return Recording(
        camera_id=row["camera_id"],
        path=row["path"],
        size_bytes=row["size_bytes"],
        modified_ns=row["modified_ns"],
        interval=Interval(row["start"], row["end"]),
        state=RecordingState(row["state"]),
        reason=row["reason"],
        resolution_wh=(row["width"], row["height"]),
        timeline=Timeline.of_json(row["timeline"]) if row["timeline"] else None,
        media=MediaInfo.of_json(row["media"]) if row["media"] else None,
    )


def _blind_json(stretch: BlindStretch) -> list[str]:
    start, end = (
        at.isoformat(timespec="microseconds") for at in (stretch.interval.start, stretch.interval.end)
    )
    return [start, end, stretch.reason]


def blind_stretches(stored: Sequence[Sequence[str]]) -> Iterator[BlindStretch]:
    """The stretches that a row of `observed` holds as JSON."""
    for start, end, reason in stored:
        yield BlindStretch(Interval(datetime.fromisoformat(start), datetime.fromisoformat(end)), reason)
