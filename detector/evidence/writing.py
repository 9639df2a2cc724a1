"""An incident's folder of evidence: on the disk whole, or not there."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from detector.core.errors import StorageFull
from detector.core.values import Evidence, Proof
from detector.evidence.captions import Scene, still_captions
from detector.evidence.clips import Shot, incident_zones, write_clips
from detector.evidence.drawing import annotated, closeup, fit_width, jpeg
from detector.evidence.manifest import (
    MANIFEST,
    canonical,
    file_of,
    listed_files,
    manifest_of,
    verify_evidence,
)

SCENE_LARGEST = 1920

_UNFINISHED = re.compile(r"\.tmp-[0-9a-f]+-(?P<pid>\d+)(-old)?")


def write_evidence(root: Path, proof: Proof, scene: Scene, clip: Iterable[Shot]) -> Evidence:
    """Pictures, clip and manifest of an incident under `root`/local date/camera/fingerprint.

    The same input gives the same bytes. A folder that is there already and verifies is returned as it is and
    `clip` is not touched; one with faults is replaced. Without shots there is no clip; without boxes there are
    no close-ups. Raises StorageFull, after which nothing of this incident is left half written.
    """
    day = scene.local(proof.incident.interval.start).date()
    place = PurePosixPath(day.isoformat(), scene.camera.id, proof.incident.fingerprint)
    target = root / place
    if target.is_dir() and not verify_evidence(target):
        return _evidence_in(root, place)
    unfinished = target.with_name(f".tmp-{target.name}-{os.getpid()}")
    with _full_disk_told():
        try:
            _make_folder(target.parent)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            _write_files(unfinished, proof, scene, clip)
            _move_into_place(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return _evidence_in(root, place)


def sweep(root: Path) -> int:
    """Remove what runs that died left unfinished, and say how many folders that were.

    Folders of other living processes stay. Those of this process's own number are taken for an earlier one's
    (a container's first process always has the same), so call it before this process writes.
    """
    removed = 0
    for folder in sorted(root.glob("*/*/.tmp-*")):
        name = _UNFINISHED.fullmatch(folder.name)
        if name and not _lives_elsewhere(int(name["pid"])):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _write_files(folder: Path, proof: Proof, scene: Scene, clip: Iterable[Shot]) -> None:
    for number in range(1, len(proof.stills) + 1):
        for name, content in _still_files(proof, scene, number):
            (folder / name).write_bytes(content)
    write_clips(folder, clip, proof, scene)
    files = [file_of(path) for path in sorted(folder.iterdir())]
    (folder / MANIFEST).write_bytes(canonical(manifest_of(proof, scene, files)))
    for path in folder.iterdir():
        _fsync(path)
    _fsync(folder)


def _still_files(proof: Proof, scene: Scene, number: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents of one still's pictures: the whole scene, and the object from near if there is one."""
    still, violation = proof.stills[number - 1], proof.incident.violation
    captions = still_captions(proof, scene, number)
    boxes = [(violation, still.box)] if still.box else []
    whole = fit_width(still.frame.image, SCENE_LARGEST)
    yield (
        f"still_{number}_scene.jpg",
        jpeg(annotated(whole, boxes, incident_zones(proof, scene), captions)),
    )
    if still.box:
        near, box = closeup(still.frame.image, still.box)
        yield f"still_{number}_closeup.jpg", jpeg(annotated(near, [(violation, box)], (), captions))


def _move_into_place(unfinished: Path, target: Path) -> None:
    faulty = unfinished.with_name(f"{unfinished.name}-old")
    if target.exists():
        shutil.rmtree(faulty, ignore_errors=True)
        target.rename(faulty)
    try:
        unfinished.rename(target)
    except OSError:
        # Another process may have finished the same incident a moment ago; its evidence is as good.
        if verify_evidence(target):
            raise
    _fsync(target.parent)
    shutil.rmtree(faulty, ignore_errors=True)


def _evidence_in(root: Path, place: PurePosixPath) -> Evidence:
    folder = root / place
    files = (*listed_files(folder), file_of(folder / MANIFEST))
    return Evidence(str(place), tuple(sorted(files, key=lambda file: file.name)))


def _make_folder(folder: Path) -> None:
    """Make a folder and what it lies in, so that a power cut does not lose them again."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync(folder.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lives_elsewhere(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise
