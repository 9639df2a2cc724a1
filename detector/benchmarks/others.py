"""What people would do instead, each in a few lines: read a video in some way, ask the same model, apply a dwell rule.

The only place that may import supervision, and ultralytics beside the inference room: they are what is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detector.core.geometry import Box, FloatArray, contact_share, iou
from detector.core.values import LABEL_GROUPS, LabelGroup, Zone, ZoneKind
from detector.inference.quiet import import_ultralytics

CONFIDENCE = 0.25
SAME_PLACE_IOU = 0.5
IN_ZONE_SHARE = 0.5
FORGIVEN_S = 20.0
"""For so long something may hide a vehicle from looks that are close together."""

DENSE_S = 1.0
IMGSZ_HW = (384, 640)


class Method(StrEnum):
    """A way to read a video. `TRACK` looks at every frame, `DENSE` at one a second, the others at one a cadence."""

    TRACK = "ultralytics track, every frame"
    DENSE = "ultralytics vid_stride, a look a second"
    VID_STRIDE = "ultralytics vid_stride"
    SUPERVISION = "supervision stride"
    CV2_SEEK = "cv2 seeking"


@dataclass(slots=True)
class Standing:
    """Something that was seen in one place at one look after another."""

    box: Box
    first_s: float
    last_s: float


@dataclass(slots=True)
class DwellRule:
    """A vehicle in a no-parking zone that is seen in one place for longer than the limit, as far as looks can tell."""

    zones: Sequence[Zone]
    limit_s: float
    every_s: float
    standing: list[Standing] = field(default_factory=list)
    found: list[Standing] = field(default_factory=list)

    def look(self, at_s: float, labels: Sequence[str], boxes: FloatArray) -> None:
        """Take in one look: boxes xyxy in [0, 1]."""
        kept: list[Standing] = []
        for label, row in zip(labels, boxes, strict=True):
            box = (float(row[0]), float(row[1]), float(row[2]), float(row[3]))
            if LABEL_GROUPS.get(label) is LabelGroup.VEHICLE and self._inside(box):
                same = max(self.standing, key=lambda s: iou(s.box, box), default=None)
                if same is not None and iou(same.box, box) >= SAME_PLACE_IOU:
                    same.box, same.last_s = box, at_s
                elif not any(iou(s.box, box) >= SAME_PLACE_IOU for s in kept):
                    kept.append(Standing(box, at_s, at_s))
        # One missed look is forgiven, or a passing bus would end every stay.
        forgiven_s = max(1.5 * self.every_s, FORGIVEN_S)
        ended = [s for s in self.standing if at_s - s.last_s > forgiven_s]
        self.found += [s for s in ended if self._too_long(s)]
        self.standing = [s for s in self.standing if s not in ended] + kept

    def end(self) -> list[Standing]:
        return self.found + [s for s in self.standing if self._too_long(s)]

    def _too_long(self, standing: Standing) -> bool:
        return standing.last_s - standing.first_s + self.every_s > self.limit_s

    def _inside(self, box: Box) -> bool:
        forbidden = [zone for zone in self.zones if zone.kind is ZoneKind.NO_PARKING]
        return any(contact_share(box, zone.polygon) >= IN_ZONE_SHARE for zone in forbidden)


@dataclass(frozen=True, slots=True)
class Run:
    """What a method made of a video: how far it looked, at how many pictures, and what it found."""

    looked_s: float
    looks: int
    found: tuple[Standing, ...]


def run(
    method: Method,
    video: Path,
    weights: Path,
    cache: Path,
    zones: Sequence[Zone],
    *,
    every_s: float,
    limit_s: float,
    until_s: float,
) -> Run:
    """Look through a video from its beginning to `until_s` or its end."""
    model: Any = import_ultralytics(cache / "ultralytics").YOLO(str(weights), task="detect")
    looks = {
        Method.TRACK: _track,
        Method.DENSE: _vid_stride,
        Method.VID_STRIDE: _vid_stride,
        Method.SUPERVISION: _supervision,
        Method.CV2_SEEK: _cv2_seek,
    }[method]
    every_s = {Method.TRACK: 1 / _fps(video), Method.DENSE: DENSE_S}.get(method, every_s)
    rule = DwellRule(zones, limit_s, every_s)
    count, at_s = 0, 0.0
    for at_s, result in looks(model, video, every_s):
        if at_s > until_s:
            break
        count += 1
        boxes = result.boxes.xyxyn.cpu().numpy()
        rule.look(at_s, [model.names[int(label)] for label in result.boxes.cls], boxes)
    return Run(min(at_s + every_s, until_s), count, tuple(rule.end()))


def _asked(model: Any, source: Any, **how: Any) -> Any:  # noqa: ANN401  # untyped library
    return model.predict(source, imgsz=IMGSZ_HW, conf=CONFIDENCE, device="cpu", verbose=False, **how)


def _track(model: Any, video: Path, every_s: float) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
    results = model.track(
        str(video), stream=True, persist=True, imgsz=IMGSZ_HW, conf=CONFIDENCE, device="cpu", verbose=False
    )
    for index, result in enumerate(results):
        yield index * every_s, result


def _vid_stride(model: Any, video: Path, every_s: float) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
    stride = round(every_s * _fps(video))
    for index, result in enumerate(_asked(model, str(video), stream=True, vid_stride=stride)):
        yield index * every_s, result


def _supervision(model: Any, video: Path, every_s: float) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
    import supervision  # noqa: PLC0415  # only the benchmark needs it, and it is not installed at a site

    stride = round(every_s * _fps(video))
    for index, frame in enumerate(supervision.get_video_frames_generator(str(video), stride=stride)):
        yield index * every_s, _asked(model, frame)[0]


def _cv2_seek(model: Any, video: Path, every_s: float) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
    capture = cv2.VideoCapture(str(video))
    duration_s = capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS)
    for at_s in np.arange(0.0, duration_s, every_s):
        capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * float(at_s))
        good, frame = capture.read()
        if good:
            yield float(at_s), _asked(model, frame)[0]
    capture.release()


def _fps(video: Path) -> float:
    capture = cv2.VideoCapture(str(video))
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return fps
