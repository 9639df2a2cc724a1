"""The short film of an incident: once with zone and box drawn, once plain with the drawing beside it as data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np

from detector.core.geometry import Box
from detector.core.values import Frame, Image, Proof, Violation, Zone, ZoneKind
from detector.decoding.encoder import VideoWriter
from detector.decoding.reader import frames_at
from detector.evidence.captions import Captions, Scene, clip_captions
from detector.evidence.drawing import annotated, fit_width, resized
from detector.evidence.manifest import box_json, canonical, moment_json

CLIP_FPS = 5.0
CLIP_CRF = 28
CLIP_PRESET = "ultrafast"
"""Constrained Baseline, which every browser plays; and without the lookahead, whose threads made one file in
some hundred differ from the others (measured)."""
CLIP_LARGEST = 960
KEYFRAME_EVERY = 10

Shot = tuple[datetime, Image, Box | None]
"""One picture of a clip: true time, picture, the object's box in [0, 1] if it is seen."""


def write_clips(folder: Path, shots: Iterable[Shot], proof: Proof, scene: Scene) -> None:
    """`clip.mp4`, `clip_plain.mp4` and `overlay.json`; nothing where there are no shots.

    The shots are played at 5 a second whatever their true times, in order, all at the first one's size.
    """
    shots = iter(shots)
    first = next(shots, None)
    if first is None:
        return
    size_wh = _even(fit_width(first[1], CLIP_LARGEST))
    height = _drawn_for(resized(first[1], size_wh), first, proof, scene).shape[0]
    frames: list[object] = []
    with (
        _writer(folder / "clip.mp4", (size_wh[0], height)) as drawn,
        _writer(folder / "clip_plain.mp4", size_wh) as plain,
    ):
        for number, shot in enumerate(chain([first], shots)):
            image = resized(shot[1], size_wh)
            plain.write(image)
            drawn.write(_drawn_for(image, shot, proof, scene))
            frames.append(
                {
                    "clip_s": round(number / CLIP_FPS, 3),
                    "at": moment_json(shot[0], scene),
                    "box": box_json(shot[2]),
                }
            )
    (folder / "overlay.json").write_bytes(canonical(_overlay(size_wh, frames, proof, scene)))


@dataclass(frozen=True, slots=True)
class KeptClip:
    """A clip of evidence as it lies on the disk: what overlay.json says of it."""

    path: Path
    violation: Violation
    zones: tuple[Zone, ...]
    """The one that the incident lies in; none for a fault of the camera."""
    moments: tuple[tuple[datetime, Box | None], ...]

    @classmethod
    def of(cls, folder: Path) -> KeptClip | None:
        """None where there is no clip, or none that can be told from its overlay."""
        try:
            told = json.loads((folder / "overlay.json").read_bytes())
            zones = [
                Zone(
                    zone["id"],
                    ZoneKind(zone["kind"]),
                    tuple((float(x), float(y)) for x, y in zone["polygon"]),
                )
                for zone in told["zones"]
                if zone["id"] == told["zone_id"]
            ]
            moments = [(datetime.fromisoformat(one["at"]), _box_of(one["box"])) for one in told["frames"]]
            return cls(folder / told["clip"], Violation(told["violation"]), tuple(zones), tuple(moments))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def shots(self) -> Iterator[Shot]:
        """The plain pictures, in order; one that cannot be decoded is left out. Raises UnreadableRecording."""
        offsets = [(number + 0.5) / CLIP_FPS for number in range(len(self.moments))]
        for (at, box), frame in zip(self.moments, frames_at(self.path, offsets), strict=True):
            if isinstance(frame, Frame):
                yield at, frame.image, box

    def draw(self, to: Path, shots: Iterable[Shot], captions: Callable[[datetime], Captions]) -> bool:
        """Writes a clip of other pictures of the same moments, with zone, box and captions; False where none came."""
        writer: VideoWriter | None = None
        with ExitStack() as stack:
            for at, image, box in shots:
                drawn = _drawn(image, box, self.violation, self.zones, captions(at))
                if writer is None:
                    writer = stack.enter_context(_writer(to, (drawn.shape[1], drawn.shape[0])))
                writer.write(drawn)
        return writer is not None


def _box_of(value: Sequence[float] | None) -> Box | None:
    if value is None:
        return None
    x1, y1, x2, y2 = (float(side) for side in value)
    return x1, y1, x2, y2


def incident_zones(proof: Proof, scene: Scene) -> list[Zone]:
    """The zone that the incident lies in; none for a fault of the camera."""
    return [zone for zone in scene.camera.zones if zone.id == proof.incident.zone_id]


def _writer(path: Path, size_wh: tuple[int, int]) -> VideoWriter:
    return VideoWriter(
        path,
        size_wh,
        CLIP_FPS,
        crf=CLIP_CRF,
        preset=CLIP_PRESET,
        keyframe_every=KEYFRAME_EVERY,
        threads=1,
    )


def _even(image: Image) -> tuple[int, int]:
    """The size of an image, made even as yuv420p needs it."""
    height, width = image.shape[:2]
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _drawn_for(image: Image, shot: Shot, proof: Proof, scene: Scene) -> Image:
    captions = clip_captions(proof, scene, shot[0])
    return _drawn(image, shot[2], proof.incident.violation, incident_zones(proof, scene), captions)


def _drawn(
    image: Image, box: Box | None, violation: Violation, zones: Sequence[Zone], captions: Captions
) -> Image:
    """The picture with zone, box and time; an even number of rows."""
    picture = annotated(image, [(violation, box)] if box else [], zones, captions)
    if picture.shape[0] % 2 == 0:
        return picture
    return np.vstack((picture, picture[-1:]))


def _overlay(size_wh: tuple[int, int], frames: list[object], proof: Proof, scene: Scene) -> dict[str, object]:
    return {
        "clip": "clip_plain.mp4",
        "resolution_wh": list(size_wh),
        "violation": proof.incident.violation.value,
        "zone_id": proof.incident.zone_id,
        "zones": [
            {
                "id": zone.id,
                "kind": zone.kind.value,
                "polygon": [[round(float(x), 5), round(float(y), 5)] for x, y in zone.polygon],
            }
            for zone in scene.camera.zones
        ],
        "frames": frames,
    }
