"""How a picture is to be turned and mirrored before it is shown: the display matrix of its container or codec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from av.sidedata.sidedata import Type

from detector.core.values import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

HOLDERS = ("mov", "mp4", "matroska", "webm")
"""Containers that can hold a display matrix, by parts of FFmpeg's names for them."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """Turns of 90 degrees and mirrorings: first the axes are swapped, then each is reversed, where so said."""

    swaps: bool = False
    reverses_x: bool = False
    reverses_y: bool = False

    def shown(self, image: Image) -> Image:
        """The picture as it is to be shown; height x width x 3, contiguous."""
        if self == AS_STORED:
            return image
        turned = image.swapaxes(0, 1) if self.swaps else image
        turned = turned[:: -1 if self.reverses_y else 1, :: -1 if self.reverses_x else 1]
        return np.ascontiguousarray(turned)

    def size(self, stored_wh: tuple[int, int]) -> tuple[int, int]:
        """Width and height as shown of a picture stored so, and the reverse."""
        return stored_wh[::-1] if self.swaps else stored_wh


AS_STORED = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """What a decoded picture says; turns by other than quarters of a circle are taken for the nearest one.

    The matrix (a b u, c d v, x y w) puts a stored point at (a x + c y, b x + d y), as ISO/IEC 14496-12 has it.
    """
    held = cast("Mapping[Type, bytes]", frame.side_data)  # PyAV's stub has the keys as text
    matrix = held.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return AS_STORED
    a, b, _, c, d = (int(number) for number in np.frombuffer(bytes(matrix), np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(swaps=True, reverses_x=c < 0, reverses_y=b < 0)
    return Orientation(reverses_x=a < 0, reverses_y=d < 0)
