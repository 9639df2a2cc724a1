"""A picture of what a camera sees: out of its newest recordings, else out of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from detector.core.values import Camera
from detector.footage.catalogue import Catalogue
from detector.issues import IssueFilter, IssueOrder
from detector.pipeline.showing import newest_files, picture_of
from detector.review.house import House

TRIED = 4
WITHIN_S = 30.0
"""A picture, or the names of a folder's files, must be there within so many seconds."""


@dataclass(frozen=True, slots=True)
class View:
    """A JPEG picture, and the file that it was taken from."""

    content: bytes
    source: str


async def view_of(house: House, camera: Camera, number: int = 0) -> View | None:
    """The `number`th newest picture of a camera; None where there is none at all.

    Raises ApartFailed where the archive does not answer in time.
    """
    settings = house.settings
    for path in (await _recordings(house, camera, number + TRIED))[number:]:
        picture = await house.apart.call(
            WITHIN_S, picture_of, settings.archive_root, path, links_outside=settings.links_outside
        )
        if picture is not None:
            return View(picture, path)
    return await run_in_threadpool(_still, house, camera)


async def _recordings(house: House, camera: Camera, count: int) -> Sequence[str]:
    """Newest first: those that are known, and before the first scan those that lie in the folder."""
    known = await run_in_threadpool(_known, house, camera)
    if known:
        return known[:count]
    return await house.apart.call(WITHIN_S, newest_files, house.settings.archive_root, camera.folder, count)


def _known(house: House, camera: Camera) -> list[str]:
    known = [one for one in Catalogue(house.database).known(camera.id).values() if one.usable]
    return [one.path for one in sorted(known, key=lambda one: one.interval.start, reverse=True)]


def _still(house: House, camera: Camera) -> View | None:
    issues = house.desk.queue.find(IssueFilter(cameras=(camera.id,)), order=IssueOrder.NEWEST, limit=TRIED)
    for issue in issues:
        name = f"{issue.evidence_folder}/still_1_scene.jpg"
        if issue.evidence_folder:
            with suppress(OSError):  # removed with age
                return View(house.evidence.read(name), name)
    return None
