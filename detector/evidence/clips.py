"""The short film of an incident: once with zone and box drawn, once plain with the drawing beside it as data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np

from detector.core.geometry import Box
from detector.core.values import Image, Proof, Zone
from detector.decoding.encoder import VideoWriter
from detector.evidence.captions import Scene, clip_captions
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
    height = _drawn(resized(first[1], size_wh), first, proof, scene).shape[0]
    frames: list[object] = []
    with (
        _writer(folder / "clip.mp4", (size_wh[0], height)) as drawn,
        _writer(folder / "clip_plain.mp4", size_wh) as plain,
    ):
        for number, shot in enumerate(chain([first], shots)):
            image = resized(shot[1], size_wh)
            plain.write(image)
            drawn.write(_drawn(image, shot, proof, scene))
            frames.append(
                {
                    "clip_s": round(number / CLIP_FPS, 3),
                    "at": moment_json(shot[0], scene),
                    "box": box_json(shot[2]),
                }
            )
    (folder / "overlay.json").write_bytes(canonical(_overlay(size_wh, frames, proof, scene)))


def incident_zones(proof: Proof, scene: Scene) -> list[Zone]:
    """The zone that the incident lies in; none for a fault of the camera."""
    return [zone for zone in scene.camera.zones if zone.id == proof.incident.zone_id]


def _writer(path: Path, size_wh: tuple[int, int]) -> VideoWriter:
    return VideoWriter(
        path, size_wh, CLIP_FPS, crf=CLIP_CRF, preset=CLIP_PRESET, keyframe_every=KEYFRAME_EVERY
    )


def _even(image: Image) -> tuple[int, int]:
    """The size of an image, made even as yuv420p needs it."""
    height, width = image.shape[:2]
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _drawn(image: Image, shot: Shot, proof: Proof, scene: Scene) -> Image:
    """The picture with zone, box and time; an even number of rows."""
    at, _, box = shot
    boxes = [(proof.incident.violation, box)] if box else []
    picture = annotated(image, boxes, incident_zones(proof, scene), clip_captions(proof, scene, at))
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
