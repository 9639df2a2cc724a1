"""Writes made scenes to recordings."""

from __future__ import annotations

from pathlib import Path

from detector.decoding.encoder import VideoWriter
from detector.demo.scene import Scene, Stage


def record(
    scene: Scene, path: Path, *, fps: float = 4.0, keyframe_every_s: float = 2.0, from_s: float = 0.0,
    until_s: float | None = None,
) -> Path:  # fmt: skip
    """Write [from_s, until_s) of a scene as H.264; the first picture has presentation time 0. Returns `path`."""
    until_s = scene.duration_s if until_s is None else until_s
    stage = Stage(scene)
    path.parent.mkdir(parents=True, exist_ok=True)
    every = max(1, round(keyframe_every_s * fps))
    with VideoWriter(
        path, scene.resolution_wh, fps, keyframe_every=every, preset="ultrafast", crf=28
    ) as writer:
        for i in range(round((until_s - from_s) * fps)):
            writer.write(stage.frame(from_s + i / fps))
    return path
