"""An incident's folder of evidence: in its store whole, or not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from detector.core.values import Evidence, Proof
from detector.evidence.captions import Scene, still_captions
from detector.evidence.clips import Shot, incident_zones, write_clips
from detector.evidence.drawing import annotated, closeup, fit_width, jpeg
from detector.evidence.manifest import (
    MANIFEST,
    SIGNATURE,
    canonical,
    file_of,
    file_with,
    listed_files,
    manifest_of,
    verify_stored,
)
from detector.signing import SigningKey
from detector.storage import FolderStore, Root, Store, open_store

SCENE_LARGEST = 1920


def write_evidence(
    root: Root, proof: Proof, scene: Scene, clip: Iterable[Shot], key: SigningKey | None = None
) -> Evidence:
    """Pictures, clip and manifest of an incident under `root`/local date/camera/fingerprint; signed where `key` is given.

    The same input gives the same bytes. A folder that is there already and verifies is returned as it is and
    `clip` is not touched; one with faults is replaced. Without shots there is no clip; without boxes there are
    no close-ups. Raises StorageFull, after which nothing of this incident is left half written, and StoreAway.
    """
    store = open_store(root)
    day = scene.local(proof.incident.interval.start).date()
    folder = str(PurePosixPath(day.isoformat(), scene.camera.id, proof.incident.fingerprint))
    if not verify_stored(store, folder):
        return _evidence_in(store, folder)
    with store.unfinished(folder) as unfinished:
        _write_files(unfinished, proof, scene, clip)
        if key is not None:
            (unfinished / SIGNATURE).write_bytes(key.sign((unfinished / MANIFEST).read_bytes()))
        try:
            store.publish(unfinished, folder, last=MANIFEST)
        except OSError:
            # Another process may have finished the same incident a moment ago; its evidence is as good.
            if verify_stored(store, folder):
                raise
    return _evidence_in(store, folder)


def sweep(root: Root) -> int:
    """Remove what runs that died left unfinished, and say how many folders that were; see `FolderStore.sweep`.

    Object stores have none: an upload that breaks off leaves no object.
    """
    store = open_store(root)
    return store.sweep() if isinstance(store, FolderStore) else 0


def _write_files(folder: Path, proof: Proof, scene: Scene, clip: Iterable[Shot]) -> None:
    for number in range(1, len(proof.stills) + 1):
        for name, content in _still_files(proof, scene, number):
            (folder / name).write_bytes(content)
    write_clips(folder, clip, proof, scene)
    files = [file_of(path) for path in sorted(folder.iterdir())]
    (folder / MANIFEST).write_bytes(canonical(manifest_of(proof, scene, files)))


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


def _evidence_in(store: Store, folder: str) -> Evidence:
    manifest = store.read(f"{folder}/{MANIFEST}")
    files = (*listed_files(manifest), file_with(MANIFEST, manifest))
    return Evidence(folder, tuple(sorted(files, key=lambda file: file.name)))
