"""The place of an issue after it was reported as put right, beside what it was before."""

from __future__ import annotations

from datetime import datetime

import cv2
import numpy as np

from detector.core.geometry import Box
from detector.core.values import Camera, Image, Point, Violation, Zone
from detector.evidence.captions import Captions
from detector.evidence.drawing import annotated, fit_width, jpeg, resized

WIDEST = 1280
GAP_PX = 8


def after_picture(
    image: Image,
    point: Point,
    camera: Camera,
    zone: Zone | None,
    place: tuple[Violation, Box] | None,
    at: datetime,
) -> bytes:
    """A JPEG of the scene at a moment, with the zone and the place where the object stood."""
    local = at.astimezone(camera.timezone).isoformat(sep=" ", timespec="seconds")
    captions = Captions(
        above=((f"整改后复核 after: {point.id} {point.name}", point.name_en),),
        below=((f"{local[:19]} {local[19:]}", f"区域 zone {zone.id}" if zone else "全画面 whole picture"),),
        violation=place[0] if place else None,
    )
    drawn = annotated(fit_width(image, WIDEST), [place] if place else [], [zone] if zone else [], captions)
    return jpeg(drawn)


def side_by_side(before: bytes, after: bytes) -> bytes | None:
    """Two JPEG files as one, the first on the left, of one height; None where one of them is no picture."""
    pictures = [
        cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) for content in (before, after)
    ]
    if any(picture is None for picture in pictures):
        return None
    left, right = (np.asarray(picture, np.uint8) for picture in pictures)
    height = min(left.shape[0], right.shape[0])
    left, right = (
        resized(one, (max(1, round(one.shape[1] * height / one.shape[0])), height)) for one in (left, right)
    )
    gap = np.full((height, GAP_PX, 3), 255, np.uint8)
    return jpeg(np.concatenate([left, gap, right], axis=1))
