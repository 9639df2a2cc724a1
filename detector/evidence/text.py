"""Chinese and English text in pictures, by the font inside OpenCV (its other fonts know ASCII only)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

from detector.core.values import Image
from detector.evidence.captions import Row

Colour = tuple[int, int, int]
"""BGR."""

WHITE: Colour = (240, 240, 240)
BAR: Colour = (28, 24, 22)
GAP = "  ·  "
LINE_HEIGHT = 1.45
ASCENT = 1.1
"""Lines from top to baseline, as the line height in font sizes; the font's tallest signs measure 1.1 and 0.3."""

_UNITS = re.compile(
    r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]|\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+"
)
"""What a phrase may be broken into: single Chinese characters, words, and the space between them."""


def text_width(text: str, size_px: int) -> int:
    """The width of one line of text, in pixels."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("uni"), size_px)
    return int(width)


def draw_text(image: Image, text: str, left_baseline: tuple[int, int], size_px: int, colour: Colour) -> None:
    """Write one line into the image, in place."""
    cv2.putText(image, text, left_baseline, colour, cv2.FontFace("uni"), size_px)


def wrapped(row: Row, size_px: int, width: int) -> list[str]:
    """A row in lines none of which is wider than `width` pixels, as long as one character fits."""
    lines: list[str] = []
    for phrase in row:
        joined = f"{lines[-1]}{GAP}{phrase}" if lines else phrase
        if text_width(joined, size_px) <= width:
            lines[-1:] = [joined]
        else:
            lines += _broken(phrase, size_px, width)
    return lines


def _broken(phrase: str, size_px: int, width: int) -> list[str]:
    lines = [""]
    for unit in _UNITS.findall(phrase):
        pieces = [unit] if text_width(unit, size_px) <= width else list(unit)
        for piece in pieces:
            if lines[-1] and text_width((lines[-1] + piece).rstrip(), size_px) > width:
                lines.append("")
            lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines if line.strip()]


def bar(rows: Sequence[Row], width: int, size_px: int, first: Colour = WHITE) -> Image:
    """A dark bar of the given width with every row written out, as high as it takes; no rows, no height.

    `first` is the first row's colour.
    """
    pad = size_px // 2
    lines = [
        (line, first if number == 0 else WHITE)
        for number, row in enumerate(rows)
        for line in wrapped(row, size_px, width - 2 * pad)
    ]
    height = 2 * pad + round(len(lines) * LINE_HEIGHT * size_px) if lines else 0
    image = np.full((height, width, 3), BAR, np.uint8)
    for number, (line, colour) in enumerate(lines):
        baseline = pad + round((number * LINE_HEIGHT + ASCENT) * size_px)
        draw_text(image, line, (pad, baseline), size_px, colour)
    return image
