"""The real clips as other cameras would have filmed them: mirrored, darker, noisier, smaller, grey, pale, begun later.

Nothing was tuned on these; what holds for a clip must hold for them. With KERBWATCH_SOAK=1 all clips in all ways.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from made_archive import kerbwatch

from detector.core.values import Image
from detector.decoding.encoder import VideoWriter

SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
KEYFRAME_EVERY = 50


@dataclass(frozen=True)
class Way:
    """What is done to each picture, and what follows for places and times."""

    picture: Callable[[Image, np.random.Generator], Image] = lambda image, _: image
    mirrored: bool = False
    scale: float = 1.0
    from_s: float = 0.0
    every: int = 1
    crf: int = 23

    def size(self, wh: tuple[int, int]) -> tuple[int, int]:
        return int(wh[0] * self.scale) // 2 * 2, int(wh[1] * self.scale) // 2 * 2


def noisy(image: Image, random: np.random.Generator) -> Image:
    return np.clip(image + random.normal(0, 9, image.shape), 0, 255).astype(np.uint8)


def hard(image: Image, _: np.random.Generator) -> Image:
    return np.clip((image.astype(float) - 128) * 1.35 + 135, 0, 255).astype(np.uint8)


def grey(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def pale(image: Image, _: np.random.Generator) -> Image:
    return np.clip((image.astype(float) - 128) * 0.6 + 120, 0, 255).astype(np.uint8)


def warm(image: Image, _: np.random.Generator) -> Image:
    return np.clip(image * np.array([0.8, 0.95, 1.1]), 0, 255).astype(np.uint8)


WAYS: Mapping[str, Way] = {
    "mirrored": Way(lambda image, _: image[:, ::-1], mirrored=True),
    "dark": Way(lambda image, _: (image * 0.5).astype(np.uint8)),
    "noisy": Way(noisy, crf=30),
    "small": Way(scale=0.6),
    "later": Way(from_s=2.3),
    "half the pictures": Way(every=2, crf=28),
    "hard": Way(hard),
    "grey": Way(grey),
    "pale": Way(pale),
    "warm": Way(warm),
}


def filmed(clip: Path, way: Way, to: Path) -> tuple[int, int]:
    """Write the clip as it would have been filmed so; its width and height before."""
    random = np.random.default_rng(7)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 25)
        wh = stream.codec_context.width, stream.codec_context.height
        size = way.size(wh)
        with VideoWriter(to, size, fps / way.every, crf=way.crf, keyframe_every=KEYFRAME_EVERY) as writer:
            for index, frame in enumerate(container.decode(stream)):
                if index / fps >= way.from_s and index % way.every == 0:
                    image = way.picture(frame.to_ndarray(format="bgr24"), random)
                    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                    writer.write(np.ascontiguousarray(image))
    return wh


def labelled(clip: Mapping[str, Any], way: Way, wh: tuple[int, int]) -> dict[str, Any]:
    """What is true of the clip filmed so."""
    told = copy.deepcopy(dict(clip))
    size = way.size(wh)
    across, down = size[0] / wh[0], size[1] / wh[1]

    def moved(corners: list[list[float]]) -> list[list[float]]:
        return [[(wh[0] - x if way.mirrored else x) * across, y * down] for x, y in corners]

    for zone in told["zones"]:
        zone["polygon"] = moved(zone["polygon"])
    for event in told.get("events", []):
        event["from_s"] = max(0.0, event["from_s"] - way.from_s)
        event["until_s"] -= way.from_s
        (x1, y1), (x2, y2) = moved([event["box"][:2], event["box"][2:]])
        event["box"] = [min(x1, x2), y1, max(x1, x2), y2]
    told["resolution_wh"] = list(size)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS if SOAK else ["mirrored"])
def test_a_real_clip_filmed_otherwise_is_judged_alike(name: str, shared: Path, tmp_path: Path) -> None:
    way, footage = WAYS[name], shared / "footage"
    labels = json.loads((footage / "labels.json").read_text())
    clips = [c for c in labels["clips"] if SOAK or "aboda" in c["file"]]
    told = []
    for clip in clips:
        to = (tmp_path / Path(clip["file"]).name).with_suffix(".mp4")
        wh = filmed(footage / clip["file"], way, to)
        told.append({**labelled(clip, way, wh), "file": to.name})
    (tmp_path / "labels.json").write_text(json.dumps({**labels, "clips": told}))
    done = kerbwatch("evaluate", tmp_path / "labels.json", "--json", tmp_path / "scores.json")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "scores.json").read_text())
    whole = scores["overall"]
    events = sum(len(clip.get("events", [])) for clip in clips)
    assert (whole["events"], whole["matched"]) == (events, events)
    assert (whole["false_alarms"], whole["duplicates"]) == (0, 0)
    views = [clip.get("view", "ok") for clip in clips]
    assert [clip["view"] for clip in scores["clips"]] == views
