"""The change gate: where nothing moved in or near the zones since the model last looked, its answer serves again.

It decides on a small grey picture alone, before anything is inferred, so what it decides does not depend on batches. A
recording that goes on where another ended begins with what the gate remembers of that one; this is kept beside the
other's observations, so it does not depend on where a scan was resumed either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box, FloatArray, iou_matrix
from detector.core.values import NO_DETECTIONS, Detections, Image

Grey = npt.NDArray[np.uint8]

GATE_VERSION = 4
"""Changes when the gate would decide otherwise: what was seen by another is observed again."""

GATE_WIDTH = 160
"""Of the whole picture as the gate sees it, in pixels; a parked car is some 20 of them wide, a person 4."""

LEAST_GREYS = 4.0
NOISE_RATIO = 6.0
"""A pixel changed when it differs by more than the first, in grey levels, and by more than so many times the usual."""

LARGEST_USUAL = 2.0
"""Where pixels usually differ by more, in grey levels, nothing can be told apart: the light is another, or the view."""

FEWEST_PX = 3
"""So many changed pixels within 3 x 3 are a thing; fewer are noise, or a digit of the clock."""

LOOKS_OF_A_SCENE = 3
"""A scene is looked at so often before the answer serves again: what most of these looks saw is there."""

REUSED_AT_MOST = 16
"""So often; then the model looks again, for the light changes slowly and a miss must not last."""

SCENES_KEPT = 3
"""Street empty, car before it, street empty again: the first answer still holds."""

SAME_BOX_IOU = 0.6


def small(image: Image, part: Box | None) -> Grey:
    """The part of a picture that is watched, or all of it, grey and small."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = part or (0.0, 0.0, 1.0, 1.0)
    cut = image[
        math.floor(y1 * height) : math.ceil(y2 * height), math.floor(x1 * width) : math.ceil(x2 * width)
    ]
    scale = GATE_WIDTH / width
    size = (max(8, round(cut.shape[1] * scale)), max(8, round(cut.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return np.asarray(grey, np.uint8)


def changed(before: Grey, after: Grey) -> bool:
    """Whether anything moved, came or went; a change of the light as a whole is none.

    Pictures of two shapes cannot be compared pixel by pixel: then something changed, and the model looks.
    """
    if before.shape != after.shape:
        return True
    a, b = before.astype(np.float32), after.astype(np.float32)
    gain = float(np.clip((np.median(a) + 8) / (np.median(b) + 8), 0.8, 1.25))
    apart = np.abs(a - ((b + 8) * gain - 8))
    usual = float(np.median(apart))
    if usual > LARGEST_USUAL:
        return True
    moved = (apart > max(LEAST_GREYS, NOISE_RATIO * usual)).astype(np.float32)
    together = cv2.boxFilter(moved, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return bool(together.max() >= FEWEST_PX)


@dataclass(slots=True, eq=False)
class Scene:
    """A street with what stands on it: how it looked when the model last looked, and what that saw."""

    picture: Grey
    answers: list[Detections] = field(default_factory=list)
    looks: int = 0
    reused: int = 0
    failed: str = ""
    """Why the model gave no answer to one of its looks."""

    @property
    def serves(self) -> int:
        """For how many more moments its answer may stand without the model."""
        return REUSED_AT_MOST - self.reused if self.looks >= LOOKS_OF_A_SCENE else 0

    @property
    def is_answered(self) -> bool:
        """Whether so many looks were answered that the answer may stand for others."""
        return not self.failed or len(self.answers) >= LOOKS_OF_A_SCENE

    def last_answers(self) -> list[Detections]:
        """The last answers, as many as count."""
        return self.answers[-LOOKS_OF_A_SCENE:]

    def answer(self) -> Detections:
        """What most of the last looks saw."""
        return common(self.last_answers())


@dataclass(frozen=True, slots=True)
class Remembered:
    """A scene as it was at a recording's end: how it looked, what was last seen of it, and how often that has served."""

    picture: Grey
    answers: tuple[Detections, ...]
    reused: int


Memory = tuple[Remembered, ...]
"""What a gate remembers, the newest scene first."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A scene at a recording's end, while the model may still owe answers to it."""

    scene: Scene
    picture: Grey
    looks: int
    reused: int

    def remembered(self) -> Remembered:
        """As soon as the model has answered all looks up to then."""
        answers = self.scene.answers[: self.looks][-LOOKS_OF_A_SCENE:]
        return Remembered(self.picture, tuple(answers), self.reused)


@dataclass(slots=True)
class Gate:
    """Tells for one picture after another whether the model must look."""

    scenes: list[Scene] = field(default_factory=list)

    @classmethod
    def of(cls, memory: Memory) -> Gate:
        return cls([Scene(one.picture, list(one.answers), len(one.answers), one.reused) for one in memory])

    def standing(self) -> tuple[Standing, ...]:
        return tuple(Standing(scene, scene.picture, scene.looks, scene.reused) for scene in self.scenes)

    def admit(self, picture: Grey) -> tuple[Scene, bool]:
        """The scene that the picture shows, and whether the model must look: if so, add its answer to the scene's."""
        scene = next((s for s in self.scenes if not changed(s.picture, picture)), None)
        if scene is None:
            scene = Scene(picture)
        else:
            self.scenes.remove(scene)
        self.scenes = [scene, *self.scenes[: SCENES_KEPT - 1]]
        if scene.serves:
            scene.reused += 1
            return scene, False
        scene.picture = picture
        scene.looks += 1
        scene.reused = 0
        return scene, True


def common(answers: list[Detections]) -> Detections:
    """What more than half of some looks at one scene saw, as the last of them saw it."""
    found = NO_DETECTIONS
    for index in range(len(answers) - 1, -1, -1):
        own = answers[index]
        others = [*answers[:index], *answers[index + 1 :]]
        keep = [
            i
            for i in range(len(own))
            if not _among(own, i, found)
            and sum(_among(own, i, other) for other in others) + 1 > len(answers) / 2
        ]
        found = found.with_those_of(
            Detections(tuple(own.labels[i] for i in keep), own.confidences[keep], own.boxes[keep])
        )
    return found


def _among(own: Detections, index: int, other: Detections) -> bool:
    same = [k for k, label in enumerate(other.labels) if label == own.labels[index]]
    if not same:
        return False
    overlaps: FloatArray = iou_matrix(own.boxes[index : index + 1], other.boxes[same])
    return bool(overlaps.max() >= SAME_BOX_IOU)
