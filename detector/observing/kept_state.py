"""What is known of a camera's view at a recording's end, as it is stored beside the recording's observations.

The pictures are kept as JPEG, for they are most of it: some 50 kB a recording. So what goes on in the same process is
restored from the stored form, too; a scan in one go and one that was resumed then see the same.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np

from detector.core.values import Detections
from detector.observing.gate import Gate, Scene
from detector.observing.native import State
from detector.observing.regions import Region
from detector.observing.standing import Grey, Ground

QUALITY: Final = 90
"""Of JPEG: 1 to 2 grey levels off, below what counts as a difference (`standing.LEAST_GREYS`)."""


def kept(state: State | None) -> str:
    """The stored form, JSON; empty where nothing is known."""
    if state is None:
        return ""
    told = {
        "background": _jpeg(state.ground.background),
        "before": _jpeg(state.ground.before),
        "surveyed": _jpeg(state.surveyed),
        "surveys_left": state.surveys_left,
        "survey_slot": state.survey_slot,
        "survey_all_slot": state.survey_all_slot,
        "arriving": state.arriving,
        "regions": [_region(region) for region in state.regions],
    }
    return json.dumps(told)


def restored(text: str) -> State | None:
    """The state of a stored form; None of an empty one."""
    if not text:
        return None
    told: Mapping[str, Any] = json.loads(text)
    return State(
        Ground(_grey(told["background"]), _grey(told["before"])),
        _grey(told["surveyed"]),
        told["surveys_left"],
        told["survey_slot"],
        told["survey_all_slot"],
        [_restored_region(region) for region in told["regions"]],
        told["arriving"],
    )


def _region(region: Region) -> dict[str, Any]:
    return {
        "box": region.box,
        "not_stood": region.not_stood,
        "unnamed": region.unnamed,
        "fitted": region.fitted,
        "scenes": [_scene(scene) for scene in region.gate.scenes],
    }


def _restored_region(told: Mapping[str, Any]) -> Region:
    scenes = [_restored_scene(scene) for scene in told["scenes"]]
    x1, y1, x2, y2 = told["box"]
    # `scene` and `found` are of the last sample; the next one sets both.
    return Region(
        (x1, y1, x2, y2),
        Gate(scenes),
        scenes[0] if scenes else None,
        told["not_stood"],
        told["unnamed"],
        told["fitted"],
    )


def _scene(scene: Scene) -> dict[str, Any]:
    return {
        "shape": scene.picture.shape,
        "picture": b64encode(zlib.compress(scene.picture.tobytes())).decode("ascii"),
        "looks": scene.looks,
        "reused": scene.reused,
        "answers": [
            {"labels": a.labels, "confidences": a.confidences.tolist(), "boxes": a.boxes.tolist()}
            for a in scene.last_answers()
        ],
    }


def _restored_scene(told: Mapping[str, Any]) -> Scene:
    picture = np.frombuffer(zlib.decompress(b64decode(told["picture"])), np.uint8).reshape(told["shape"])
    answers = [
        Detections(
            tuple(a["labels"]),
            np.array(a["confidences"], np.float32),
            np.array(a["boxes"], np.float32).reshape(-1, 4),
        )
        for a in told["answers"]
    ]
    return Scene(picture, answers, told["looks"], told["reused"])


def _jpeg(picture: Grey) -> str:
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return b64encode(coded.tobytes()).decode("ascii")


def _grey(text: str) -> Grey:
    coded = np.frombuffer(b64decode(text), np.uint8)
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
