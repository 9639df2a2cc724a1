"""A decoded picture at the camera's own resolution: its luma, and parts of it in colour, without converting the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from detector.decoding.orientation import AS_STORED, Orientation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from detector.core.values import Image

Plane = npt.NDArray[np.uint8]

LUMA_FIRST: Final = frozenset(
    {"yuv420p", "yuvj420p", "nv12", "nv21", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray"}
)
"""Pixel formats whose first plane holds the luma in bytes."""


class DecodedPicture:
    """One picture in the decoder's own format. It keeps the decoder's buffer: 3 MB at 1080p, so hold it briefly.

    Turned pictures, and other formats than 4:2:0, are converted as a whole once when a part of them is asked for.
    """

    def __init__(
        self, frame: VideoFrame, reformatter: VideoReformatter, orientation: Orientation = AS_STORED
    ) -> None:
        """`orientation` is how the picture is turned before it is shown; parts are those of the picture as shown."""
        self._frame = frame
        self._orientation = orientation
        self._reformatter = reformatter
        self._converted: Image | None = None

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._orientation.size((self._frame.width, self._frame.height))

    def luma(self) -> Plane:
        """Height x width, uint8. A view of the decoder's buffer where the format allows it: not to be written to."""
        if self._frame.format.name in LUMA_FIRST:
            luma = _plane(self._frame, 0, self._frame.width, self._frame.height)
            return luma if self._orientation == AS_STORED else self._orientation.shown(luma)
        return np.asarray(cv2.cvtColor(self._whole(), cv2.COLOR_BGR2GRAY), np.uint8)

    def crop(self, x1: int, y1: int, x2: int, y2: int) -> Image:
        """The pixels [x1, x2) x [y1, y2) as height x width x 3, BGR, uint8. Raises ValueError outside the picture."""
        width, height = self.wh
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise ValueError(f"[{x1}, {x2}) x [{y1}, {y2}) is not within {width} x {height}")
        as_stored = self._orientation == AS_STORED
        if not as_stored or self._frame.format.name not in ("yuv420p", "yuvj420p", "nv12"):
            return self._whole()[y1:y2, x1:x2]
        # Chroma samples belong to 2 x 2 pixels: the cut begins and ends on even ones, and is trimmed afterwards.
        left, top = x1 - x1 % 2, y1 - y1 % 2
        right, bottom = min(x2 + x2 % 2, width - width % 2), min(y2 + y2 % 2, height - height % 2)
        if right < x2 or bottom < y2:
            return self._whole()[y1:y2, x1:x2]
        cut = self._cut(left, top, right, bottom)
        return cut[y1 - top : y2 - top, x1 - left : x2 - left]

    def _cut(self, x1: int, y1: int, x2: int, y2: int) -> Image:
        frame = self._frame
        luma = _plane(frame, 0, frame.width, frame.height)[y1:y2, x1:x2]
        half = (slice(y1 // 2, y2 // 2), slice(x1 // 2, x2 // 2))
        if frame.format.name == "nv12":
            plane = _plane(frame, 1, 2 * (frame.width // 2), frame.height // 2)
            pairs = np.ascontiguousarray(plane.reshape(frame.height // 2, -1, 2)[half])
            return _bgr(cv2.cvtColorTwoPlane(np.ascontiguousarray(luma), pairs, cv2.COLOR_YUV2BGR_NV12))
        blue, red = (_plane(frame, k, frame.width // 2, frame.height // 2)[half] for k in (1, 2))
        if frame.format.name == "yuvj420p":
            wh = (x2 - x1, y2 - y1)
            full = [cv2.resize(c, wh, interpolation=cv2.INTER_LINEAR) for c in (red, blue)]
            return _bgr(cv2.cvtColor(cv2.merge([luma, *full]), cv2.COLOR_YCrCb2BGR))
        packed = np.concatenate([luma.ravel(), blue.ravel(), red.ravel()])
        return _bgr(cv2.cvtColor(packed.reshape(-1, x2 - x1), cv2.COLOR_YUV2BGR_I420))

    def _whole(self) -> Image:
        if self._converted is None:
            converted = self._reformatter.reformat(
                self._frame,
                self._frame.width,
                self._frame.height,
                format="bgr24",
                interpolation="BILINEAR",
                threads=1,
            )
            self._converted = self._orientation.shown(cast("Image", converted.to_ndarray()))
        return self._converted


def _plane(frame: VideoFrame, index: int, width: int, height: int) -> Plane:
    """A plane's bytes as a view of the decoder's buffer, height x width."""
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[:height, :width]


def _bgr(picture: object) -> Image:
    return np.asarray(picture, np.uint8)
