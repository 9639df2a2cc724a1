"""The nights' units of work: what a camera is owed, and one of its local days done from recordings to issues."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from detector.core.barrier import barrier
from detector.core.errors import KerbwatchError, UnexpectedFault
from detector.core.times import Interval, days_of, local_day
from detector.core.values import Camera, Point, RecordingState
from detector.footage.archive import parts
from detector.inference.detector import Attended
from detector.issues.values import Filed
from detector.pipeline.flow import Part
from detector.pipeline.scan import (
    PROOF_VERSION,
    CameraReport,
    Progress,
    Shop,
    archive_of,
    cadence_needed,
    scan_camera,
    seen_by,
)


class Stopped(KerbwatchError):
    """The work was asked to stop; what was done is kept."""

    transient = True


class Hands(Protocol):
    """How work tells whoever watches it where it is, and hears that it is to stop."""

    def begin(self, path: Path) -> None:
        """A recording is about to be opened. Raises Stopped."""
        ...

    def check(self) -> None:
        """Between two samples. Raises Stopped."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """Which days of a camera are owed within a period."""

    camera_id: str
    period: Interval
    now: datetime


@dataclass(frozen=True, slots=True)
class DayScan:
    """One local day of one camera, from recordings to issues."""

    camera_id: str
    day: date
    now: datetime


@dataclass(frozen=True, slots=True)
class CameraScan:
    """A whole period of one camera, from recordings to issues: what `scan` does."""

    camera_id: str
    period: Interval
    now: datetime


_NOT_TOLD = frozenset(
    (RecordingState.READABLE, RecordingState.REPEATED, RecordingState.MIXED, RecordingState.OTHER_CHANNEL)
)
"""States of which a survey does not name each file; of a mixture of channels it says what to do, once."""

IGNORED = "ignored"
"""In a survey, what stands for a state of a folder's files that do not end as recordings do."""

Job = Survey | DayScan | CameraScan


@dataclass(frozen=True, slots=True)
class DayOwed:
    """A day with recordings in it. `key` names all that its result depends on; `looks` is about how many it takes."""

    camera_id: str
    day: date
    key: str
    footage_s: float
    looks: int


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a camera's folder holds within the period: its days, and what cannot be used, by state."""

    camera_id: str
    days: tuple[DayOwed, ...]
    unusable: tuple[tuple[str, str, str], ...] = ()
    """Path, state and reason of each recording that cannot be used, or not wholly."""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """A recording of which nothing could be seen."""

    recording_id: str
    path: str
    reason: str
    is_there: bool
    """Whether the file is as it was when it was found, so that the recording itself is at fault."""


@dataclass(frozen=True, slots=True)
class DayDone:
    """What became of a day. `fault` says that the folder, or a part of it, could not be read.

    `undecided` says what unexpected errors left for the next run; the day is not done then.
    """

    camera_id: str
    day: date
    key: str
    footage_s: float
    samples: int
    reused: int
    dropped: int
    known: int
    filed: tuple[Filed, ...]
    unseen: tuple[Unseen, ...]
    troubles: tuple[str, ...] = ()
    fault: str | None = None
    undecided: tuple[str, ...] = ()
    stages_s: Mapping[str, float] = field(default_factory=dict)
    """`observe`: finding, decoding and inference; `judge`: judging, proving, evidence and filing."""


Result = Surveyed | DayDone | CameraReport


def work(shop: Shop, job: Job, hands: Hands) -> Result:
    """Do one unit of work. Raises Stopped, StorageFull, DatabaseBusy; the same job again goes on where this ended."""
    watched = replace(
        shop,
        begin=hands.begin,
        detector=Attended(shop.detector, before=hands.check),
        second=shop.second.attended(before=hands.check),
    )
    point, camera = shop.settings.camera(job.camera_id)
    if isinstance(job, Survey):
        return _surveyed(watched, point, camera, job)
    if isinstance(job, CameraScan):
        return scan_camera(watched, point, camera, job.period, now=job.now)
    return scan_day(watched, point, camera, job.day, job.now)


def _surveyed(shop: Shop, point: Point, camera: Camera, job: Survey) -> Surveyed:
    """What the folder holds; an unexpected error costs this camera, and is its fault in the report."""
    try:
        with barrier(f"survey of camera {camera.id}", UnexpectedFault):
            return survey(shop, point, camera, job.period, job.now)
    except UnexpectedFault as error:
        return Surveyed(camera.id, (), fault=str(error))


def survey(shop: Shop, point: Point, camera: Camera, period: Interval, now: datetime) -> Surveyed:
    """Look through a camera's folder, and say what each day holds."""
    archive = archive_of(shop, camera, now)
    days = []
    usable = parts(archive.recordings)
    for day in days_of(period, camera.timezone):
        held = _held(usable, camera, day)
        if held:
            looks = [
                part.duration_s / cadence_needed(point, camera, shop.settings, part).cadence.every_s
                for _, part in held
            ]
            footage_s = sum(part.duration_s for _, part in held)
            key = day_key(shop, point, camera, held)
            days.append(DayOwed(camera.id, day, key, footage_s, round(sum(looks)) + len(held)))
    unusable = tuple(
        (r.path, r.state.value, r.reason)
        for r in archive.recordings
        if r.state not in _NOT_TOLD and r.interval.overlaps(period)
    )
    unplaced = tuple((u.path, RecordingState.UNNAMED.value, u.reason) for u in archive.unplaced)
    ignored = tuple((one.folder, IGNORED, one.reason) for one in archive.ignored)
    if archive.mixture:
        ignored += ((camera.folder, RecordingState.MIXED.value, archive.mixture),)
    return Surveyed(camera.id, tuple(days), unusable + unplaced + ignored, archive.fault)


def scan_day(shop: Shop, point: Point, camera: Camera, day: date, now: datetime) -> DayDone:
    began = time.monotonic()
    last: dict[str, float] = {}

    def tell(progress: Progress) -> None:
        last[progress.what] = time.monotonic() - began

    report = scan_camera(shop, point, camera, local_day(day, camera.timezone), now=now, tell=tell)
    observed_s = last.get("observed", 0.0)
    reasons = dict(report.failed)
    unseen = tuple(
        Unseen(
            r.id,
            r.path,
            reasons.get(r, "not observed"),
            r.id not in report.healthy and _is_there(shop, r.path, r.size_bytes, r.modified_ns),
        )
        for r in report.unseen
    )
    return DayDone(
        camera_id=camera.id,
        day=day,
        key=day_key(shop, point, camera, report.parts),
        footage_s=report.footage_s,
        samples=report.samples,
        reused=report.reused,
        dropped=len(report.dropped),
        known=report.known,
        filed=tuple(filed for _, filed in report.filed),
        unseen=unseen,
        troubles=_troubles(report),
        fault=report.archive.fault,
        undecided=report.undecided,
        stages_s={"observe": observed_s, "judge": last.get("finished", observed_s) - observed_s},
    )


def day_key(shop: Shop, point: Point, camera: Camera, held: Sequence[Part]) -> str:
    """Names all that a day's result depends on: recordings, model, rules, zones, and how suspicions are proven."""
    depends = [
        *(f"{r.id} {part.start.isoformat()} {part.end.isoformat()}" for r, part in held),
        seen_by(shop, point, camera),
        shop.settings.rules.version,
        repr((point.category, camera)),
        PROOF_VERSION,
    ]
    return hashlib.sha256("\n".join(depends).encode()).hexdigest()[:16]


def _held(usable: Sequence[Part], camera: Camera, day: date) -> list[Part]:
    whole = local_day(day, camera.timezone)
    return [(r, shared) for r, part in usable if (shared := part.intersection(whole))]


def _troubles(report: CameraReport) -> tuple[str, ...]:
    failed = (f"{recording.path}: {reason}" for recording, reason in report.failed)
    return (*failed, *report.undecided, *report.notes)


def _is_there(shop: Shop, path: str, size_bytes: int, modified_ns: int) -> bool:
    try:
        status = (shop.settings.archive_root / path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size_bytes, modified_ns)
