"""An issue's evidence to be taken out of the house: stills, clip, and what was attached, masked unless full."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from detector.core.errors import UnreadableRecording
from detector.core.geometry import Box
from detector.core.values import Detections, Image
from detector.evidence import Captions, jpeg, side_by_side
from detector.evidence.clips import KeptClip, Shot
from detector.evidence.manifest import MANIFEST, manifest_in, stills_in
from detector.evidence.masking import Placed, closeup_placed, joined, masked, picture_rows, scene_placed
from detector.issues.values import Attachment, AttachmentKind
from detector.reporting.pictures import Sight, decoded

NEAR_S = 3.0
"""Whom the detector sees in a picture of a clip is masked in its neighbours too, if they were taken so near it: it
may miss somebody in one picture of three, hardly in all."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

SIDE_BY_SIDE = "before_after.jpg"

DAMAGED_MANIFEST = (
    "is missing or damaged, so the vehicle concerned is masked like all others (kerbwatch issues verify)"
)
"""What is said of a manifest that does not tell where the object is."""

STILL = re.compile(r"still_([1-9][0-9]{0,3})_(scene|closeup)\.jpg")


@dataclass(slots=True)
class TakenOut:
    """What was written, by name below the folder, and what was left out, with the reason."""

    files: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"files": self.files, "left_out": [{"file": f, "why": why} for f, why in self.left_out]}


def take_out(
    evidence: Sequence[Path],
    attached: Sequence[tuple[Attachment, Path]],
    box: Box | None,
    to: Path,
    sight: Sight | None,
) -> TakenOut:
    """Copies an issue's folders of evidence and its attached files into a new folder, masked where `sight` is given.

    `box` is where the concerned object stood, in [0, 1] of the camera's picture. In a department's own photos nobody
    knows which vehicle that is, so all are masked. What cannot be masked, such as a PDF, is left out.
    """
    told = TakenOut()
    to.mkdir(parents=True, exist_ok=True)
    for number, folder in enumerate(evidence, start=1):
        name = f"evidence-{number}"
        (to / name).mkdir()
        if not folder.is_dir():
            told.left_out.append((name, "is no longer there"))
        elif sight is None:
            _copied(folder, to / name, told)
        else:
            if not manifest_in(_bytes(folder / MANIFEST)):
                told.left_out.append((f"{name}/{MANIFEST}", DAMAGED_MANIFEST))
            _stills(folder, to / name, sight, told)
            _clip(folder, to / name, sight, told)
    _attached(attached, box, to, sight, told)
    return told


def _copied(folder: Path, to: Path, told: TakenOut) -> None:
    for path in sorted(folder.iterdir()):
        shutil.copyfile(path, to / path.name)
        told.files.append(f"{to.name}/{path.name}")


def _stills(folder: Path, to: Path, sight: Sight, told: TakenOut) -> None:
    numbers = sorted(int(path.name.split("_")[1]) for path in folder.glob("still_[0-9]*_scene.jpg"))
    for name in (f"still_{number}_{part}.jpg" for number in numbers for part in ("scene", "closeup")):
        image = masked_still(folder, name, sight)
        if image is not None:
            _write(to, name, image, told)
        elif name.endswith("_scene.jpg"):
            told.left_out.append((f"{to.name}/{name}", "is no picture any more"))


def masked_still(folder: Path, name: str, sight: Sight) -> Image | None:
    """A still of an evidence folder, masked; None where it is none, or no picture any more."""
    found = STILL.fullmatch(name)
    if found is None:
        return None
    number, boxes = int(found[1]), _boxes(folder)
    box = boxes[number - 1] if 0 < number <= len(boxes) else None
    whole = _bytes(folder / f"still_{number}_scene.jpg")
    scene = decoded(whole)
    if scene is None or whole is None:
        return None
    if found[2] == "scene":
        return sight.masked(scene, whole, scene_placed(scene, box), in_tiles=True)
    near = _bytes(folder / name)
    closeup = decoded(near)
    if closeup is None or near is None:
        return None
    placed = closeup_placed(closeup, scene, box) if box else Placed(picture_rows(closeup), None)
    return sight.masked(closeup, near, placed, in_tiles=False)


def _write(folder: Path, name: str, image: Image, told: TakenOut) -> None:
    (folder / name).write_bytes(jpeg(image))
    told.files.append(f"{folder.name}/{name}")


def _clip(folder: Path, to: Path, sight: Sight, told: TakenOut) -> None:
    """The clip with zone, box and time; the plain one is not taken out, nor the manifest, whose hashes would not fit."""
    kept = KeptClip.of(folder)
    if kept is None:
        if (folder / "clip.mp4").exists():
            told.left_out.append(
                (f"{to.name}/clip.mp4", "cannot be masked: its overlay.json is missing or damaged")
            )
        return
    try:
        captions = partial(_captions, manifest_in(_bytes(folder / MANIFEST)), kept)
        if kept.draw(to / "clip.mp4", masked_shots(kept.shots(), sight), captions):
            told.files.append(f"{to.name}/clip.mp4")
    except UnreadableRecording as error:
        told.left_out.append((f"{to.name}/clip.mp4", str(error)))


def masked_shots(shots: Iterator[Shot], sight: Sight) -> Iterator[Shot]:
    """Each picture masked by what is seen in it and in its neighbours."""
    before: tuple[Shot, Detections] | None = None
    here: tuple[Shot, Detections] | None = None
    for shot in chain(shots, [None]):
        after = (shot, sight.look(shot[1])) if shot else None
        if here is not None:
            yield _masked(here, [one for one in (before, after) if one is not None])
        before, here = here, after


def _masked(here: tuple[Shot, Detections], around: Sequence[tuple[Shot, Detections]]) -> Shot:
    (at, image, box), seen = here
    near = [other for (when, _, _), other in around if abs((when - at).total_seconds()) <= NEAR_S]
    everybody = joined([(one, WHOLE) for one in (seen, *near)])
    return at, masked(image, everybody, Placed((0, len(image)), box)), box


def _captions(manifest: Mapping[str, Any], kept: KeptClip, at: datetime) -> Captions:
    text = at.isoformat(sep=" ", timespec="seconds")
    violation, point = (_part_of(manifest, name) for name in ("violation", "point"))
    return Captions(
        below=(
            (f"{text[:19]} {text[19:]}", "已遮挡 masked"),
            (violation.get("zh", ""), violation.get("en", kept.violation.value)),
            (f"{point.get('id', '')} {point.get('name', '')}".strip() or "-",),
        ),
        violation=kept.violation,
    )


def _part_of(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = manifest.get(name)
    return part if isinstance(part, dict) else {}


def _attached(
    attached: Sequence[tuple[Attachment, Path]],
    box: Box | None,
    to: Path,
    sight: Sight | None,
    told: TakenOut,
) -> None:
    """Files by their order; a picture of before and after side by side is put together anew out of masked ones."""
    for number, (one, path) in enumerate(attached, start=1):
        name = f"{number}-{one.kind}-{_safe(one.name)}"
        if not path.is_file():
            told.left_out.append((name, "is no longer there"))
        elif sight is None:
            shutil.copyfile(path, to / name)
            told.files.append(name)
        elif one.name == SIDE_BY_SIDE and one.kind is AttachmentKind.AFTER:
            _side_by_side(to, name, told)
        elif (image := decoded(content := _bytes(path))) is None or content is None:
            told.left_out.append((name, "cannot be masked: it is no picture"))
        else:
            placed = Placed(picture_rows(image), box if one.kind is AttachmentKind.AFTER else None)
            name = f"{Path(name).stem}.jpg"
            (to / name).write_bytes(jpeg(sight.masked(image, content, placed, in_tiles=True)))
            told.files.append(name)


def _side_by_side(to: Path, name: str, told: TakenOut) -> None:
    before = sorted((to / "evidence-1").glob("still_*_scene.jpg"))
    after = sorted(to.glob("*-after-after.jpg"))
    both = (
        side_by_side(before[len(before) // 2].read_bytes(), after[-1].read_bytes())
        if before and after
        else None
    )
    if both is None:
        told.left_out.append((name, "one of its pictures is no longer there"))
        return
    (to / name).write_bytes(both)
    told.files.append(name)


def _boxes(folder: Path) -> list[Box | None]:
    """Where the object is in each still."""
    return [still.box for still in stills_in(_bytes(folder / MANIFEST))]


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[-80:]
