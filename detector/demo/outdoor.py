"""Draws scenes on streets in perspective, in any weather, at the full size of 1080p and 4K cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from detector.core.errors import BadInput
from detector.core.values import Image
from detector.decoding.encoder import VideoWriter
from detector.demo.avenue import Avenue
from detector.demo.scene import (
    NOISE_MARGIN,
    SHADOW,
    Actor,
    Light,
    Scene,
    blend,
    glow,
    light_at,
    light_map,
    noise_bank,
    scaled_sprite,
    stamp_clock,
)
from detector.demo.sprites import wardrobe
from detector.demo.views import Facing, View, backdrop_of
from detector.demo.weather import Fair, Weather

KEPT_SPRITES: Final = 400
"""Scaled cut-outs kept in memory."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a play is written: pictures a second, seconds between keyframes, and quality or rate.

    `kbit_s` holds an average rate in place of the constant quality `crf`.
    """

    fps: float = 1.0
    keyframe_every_s: float = 4.0
    crf: int = 30
    kbit_s: int | None = None
    preset: str = "ultrafast"


USUAL: Final = Encoding()


@dataclass(frozen=True, slots=True)
class Play:
    """A scene in a view. `facings` says which side of each vehicle the camera sees, by cut-out."""

    scene: Scene
    view: View
    weather: Weather = Fair
    encoding: Encoding = USUAL
    facings: Mapping[str, Facing] = field(default_factory=dict)


class OutdoorStage:
    """Draws one play's pictures; what does not change is drawn once. Holds only what it has derived."""

    def __init__(self, play: Play) -> None:
        self.play = play
        scene = play.scene
        self._sprites = wardrobe(scene.shared)
        unknown = sorted({actor.sprite for actor in scene.actors} - self._sprites.keys())
        if unknown:
            raise BadInput(f"no such cut-out: {', '.join(unknown)}")
        self._drawn = isinstance(play.view.backdrop, Avenue)
        night = light_at(scene.start).night
        self._empty = backdrop_of(play.view, scene.resolution_wh, scene.shared, night=night)
        self._noise = noise_bank(scene)
        self._lit: tuple[Light, Image, Image | None] | None = None
        self._cuts: dict[tuple[str, bool, int, int], tuple[Image, Image]] = {}

    def frame(self, at_s: float) -> Image:
        """The picture `at_s` seconds after the scene's start: height x width x 3, BGR, uint8."""
        scene = self.play.scene
        light = light_at(scene.start + timedelta(seconds=at_s))
        ground, level = self._ground(light)
        picture = self.play.weather.on_ground(ground, at_s)
        present = [(actor, place) for actor in scene.actors if (place := actor.at(at_s))]
        present.sort(key=lambda pair: pair[1][1])
        for actor, (x, y, _) in present:
            self._draw(picture, actor, x, y, level)
        if light.night or self.play.view.night:
            for actor, (x, y, moves) in present:
                if moves:
                    self._lamps(picture, actor, x, y)
        picture = self.play.weather.in_front(picture, at_s)
        self._add_noise(picture, at_s)
        stamp_clock(picture, scene, at_s)
        return picture

    def _ground(self, light: Light) -> tuple[Image, Image | None]:
        """The empty street in this light, and what the light leaves of each pixel; None for all."""
        if self._lit is None or self._lit[0] != light:
            level = light_map(light, self.play.scene) if self._drawn else None
            lit = self._empty if level is None else cv2.multiply(self._empty, level, scale=1 / 255)
            wet = self.play.weather.wetted(np.asarray(lit, np.uint8), self.play.view.ground_y)
            self._lit = (light, wet, level)
        return self._lit[1], self._lit[2]

    def _draw(self, picture: Image, actor: Actor, x: float, y: float, level: Image | None) -> None:
        height, width = picture.shape[:2]
        x1, _, x2, y2 = self.play.scene.box_of(actor, x, y)
        wide = round((x2 - x1) * width)
        if wide < 3:
            return
        gain = self.play.view.dim if level is None else _level_at(level, x, y)
        cut = self._cut(actor.sprite, actor.facing_right, wide, round(gain * 20))
        foot_y = round(y2 * height) + round(SHADOW * cut[0].shape[0])
        blend(picture, cut, round(x * width) - cut[0].shape[1] // 2, foot_y - cut[0].shape[0])

    def _cut(self, name: str, mirrored: bool, width: int, gain: int) -> tuple[Image, Image]:
        """A scaled cut-out in its light: premultiplied colours and what it leaves of the ground; `gain` in twentieths."""
        key = (name, mirrored, width, gain)
        if key not in self._cuts:
            if len(self._cuts) > KEPT_SPRITES:
                self._cuts.clear()
            sprite = self._sprites[name]
            colours, left = scaled_sprite(sprite.mirrored() if mirrored else sprite, width)
            dimmed = cv2.convertScaleAbs(colours, alpha=gain / 20)
            self._cuts[key] = (np.asarray(dimmed, np.uint8), left)
        return self._cuts[key]

    def _lamps(self, picture: Image, actor: Actor, x: float, y: float) -> None:
        """Headlights of what comes, tail lamps of what goes, one at the front of what shows its side."""
        facing = self.play.facings.get(actor.sprite)
        if facing is None:
            return
        height, width = picture.shape[:2]
        x1, y1, x2, y2 = self.play.scene.box_of(actor, x, y)
        sides = (0.2, 0.8) if facing is not Facing.SIDE else ((0.92,) if actor.facing_right else (0.08,))
        part = 0.22 if facing is Facing.REAR else 0.5
        light = glow(max(6, round((x2 - x1) * width * part)))
        if facing is Facing.REAR:
            light = np.asarray(light * np.array((0.25, 0.25, 1.0)), np.uint8)
        for side in sides:
            centre = (round((x1 + side * (x2 - x1)) * width), round((y1 + 0.72 * (y2 - y1)) * height))
            left = np.full_like(light, 255)
            blend(picture, (light, left), centre[0] - light.shape[1] // 2, centre[1] - light.shape[0] // 2)

    def _add_noise(self, picture: Image, at_s: float) -> None:
        height, width = picture.shape[:2]
        tick = round(at_s * 1000) * 2_654_435_761 + self.play.scene.seed
        dx, dy = (tick >> 8) % NOISE_MARGIN, (tick >> 16) % NOISE_MARGIN
        brighter, darker = (bank[dy : dy + height, dx : dx + width] for bank in self._noise)
        cv2.add(picture, brighter, dst=picture)
        cv2.subtract(picture, darker, dst=picture)


def _level_at(level: Image, x: float, y: float) -> float:
    height, width = level.shape[:2]
    row, column = min(height - 1, max(0, int(y * height) - 1)), min(width - 1, max(0, int(x * width)))
    return float(level[row, column].mean()) / 255


def record_play(play: Play, path: Path, *, from_s: float = 0.0, until_s: float | None = None) -> Path:
    """Write [from_s, until_s) of a play as H.264; the first picture has presentation time 0. Returns `path`."""
    scene, how = play.scene, play.encoding
    until_s = scene.duration_s if until_s is None else until_s
    stage = OutdoorStage(play)
    path.parent.mkdir(parents=True, exist_ok=True)
    every = max(1, round(how.keyframe_every_s * how.fps))
    with VideoWriter(
        path, scene.resolution_wh, how.fps, keyframe_every=every, preset=how.preset, crf=how.crf,
        kbit_s=how.kbit_s, threads=1,
    ) as writer:  # fmt: skip
        for i in range(round((until_s - from_s) * how.fps)):
            writer.write(stage.frame(from_s + i / how.fps))
    return path
