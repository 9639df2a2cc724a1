"""What pages show of recordings. Each function takes picklable values and is called in a process of its own."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from detector.core.errors import BadInput, UnreadableRecording
from detector.core.times import Interval
from detector.core.values import Camera, Frame, Recording
from detector.decoding.reader import Reader, probe, study
from detector.evidence import jpeg
from detector.footage.archive import Archive, find_recordings

WIDEST = 1920
NEAR_S = 30.0
"""Any keyframe so near will do."""

READ_WITHIN_S = 5.0
"""One read of a recording for a page may take so many seconds."""


def picture_of(root: Path, path: str, *, links_outside: bool) -> bytes | None:
    """A JPEG of a recording's beginning; None where there is no picture, or where a link leads out of the root."""
    whole = root / path
    if not links_outside and not whole.resolve().is_relative_to(root.resolve()):
        return None
    try:
        with Reader(whole, read_within_s=READ_WITHIN_S) as opened:
            found = opened.frame_at(1.0, NEAR_S, (WIDEST, WIDEST))
    except UnreadableRecording:
        return None
    return jpeg(found.image) if isinstance(found, Frame) else None


def newest_files(root: Path, folder: str, count: int) -> list[str]:
    """The last files of a folder by name, relative to the root; links are not followed."""
    return heapq.nlargest(count, _files(root, folder))


def _files(root: Path, folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(root / folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield str(path.relative_to(root))


def recordings_around(
    *,
    camera: Camera,
    root: Path,
    period: Interval,
    known: Mapping[str, Recording],
    now: datetime,
    given_up: Mapping[str, str],
    links_outside: bool,
) -> Archive:
    """What a camera's folder holds in and near a period; only those files are opened. Raises BadInput."""
    try:
        return find_recordings(
            camera,
            root,
            probe=partial(probe, read_within_s=READ_WITHIN_S),
            known=known,
            now=now,
            given_up=given_up,
            study=partial(study, read_within_s=READ_WITHIN_S),
            around=period,
            links_outside=links_outside,
        )
    except ValueError as error:
        raise BadInput(f"camera {camera.id}: recordings.template: {error}") from error
