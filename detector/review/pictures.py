"""A picture of what a camera sees: out of its newest recordings, else out of the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import UnreadableRecording
from detector.core.values import Camera, Frame
from detector.decoding.reader import Reader
from detector.evidence.drawing import jpeg
from detector.footage.catalogue import Catalogue
from detector.issues import IssueFilter, IssueOrder
from detector.review.house import House

WIDEST = 1920
NEAR_S = 30.0
"""Any keyframe so near will do."""
TRIED = 4


@dataclass(frozen=True, slots=True)
class View:
    """A JPEG picture, and the file that it was taken from."""

    content: bytes
    source: str


def view_of(house: House, camera: Camera, number: int = 0) -> View | None:
    """The `number`th newest picture of a camera; None where there is none at all."""
    for path in list(_recordings(house, camera))[number : number + TRIED]:
        picture = _picture(house.settings.archive_root / path)
        if picture is not None:
            return View(picture, path)
    return _still(house, camera)


def _recordings(house: House, camera: Camera) -> Iterator[str]:
    """Newest first: those that are known, and before the first scan those that lie in the folder."""
    known = [one for one in Catalogue(house.database).known(camera.id).values() if one.usable]
    if known:
        yield from (one.path for one in sorted(known, key=lambda one: one.interval.start, reverse=True))
        return
    root = house.settings.archive_root
    folder = root / camera.folder
    if folder.is_dir():
        files = sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True)
        yield from (str(path.relative_to(root)) for path in files)


def _picture(path: Path) -> bytes | None:
    try:
        with Reader(path) as opened:
            found = opened.frame_at(1.0, NEAR_S, (WIDEST, WIDEST))
    except UnreadableRecording:
        return None
    return jpeg(found.image) if isinstance(found, Frame) else None


def _still(house: House, camera: Camera) -> View | None:
    issues = house.desk.queue.find(IssueFilter(cameras=(camera.id,)), order=IssueOrder.NEWEST, limit=TRIED)
    for issue in issues:
        name = f"{issue.evidence_folder}/still_1_scene.jpg"
        if issue.evidence_folder:
            with suppress(OSError):  # removed with age
                return View(house.evidence.read(name), name)
    return None
