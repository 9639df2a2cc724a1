"""Whether a picture was drawn by a recorder, such as 'NO SIGNAL' on blue, and not taken by a camera.

A drawn picture has areas of one exact level with sharp marks on them and nothing between the two. A picture of a street
has noise, textures and slow changes of light. All measures are taken from a grey copy 320 pixels wide.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.values import CardSigns

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

FLAT_SPAN = 2
"""Grey levels. A pixel is flat when the levels within 3 x 3 pixels span no more; an encoder adds up to 1."""

SHARP_SPAN = 24
"""Grey levels. A pixel whose 3 x 3 neighbours span so many lies on the sharp edge of a mark."""

SHARP_REACH_PX = 5
"""Pixels so near a sharp edge belong to the mark: strokes of letters, and what the encoder leaves around them."""

RUN_PX = 33
"""A pixel within an unbroken row or column of so many equal pixels is drawn too, as in bars with soft edges."""

SMOOTHING_PX = 5
"""Side of the box that is averaged, twice, to remove analogue noise from a card."""

SMOOTH_FLAT_SPAN = 3
SMOOTH_SHARP_SPAN = 12
SMOOTH_SHARP_REACH_PX = 7
"""The same limits for the blurred copy."""

MOST_UNEXPLAINED = 0.015
"""Largest part of a card that is neither flat nor a mark. Measured: cards 0 to 0.009; streets at night, in fog and in
rain from 0.004, real footage from 0.02."""

MOST_UNEXPLAINED_SMOOTH = 0.002
FEWEST_MARKS = 0.002
MOST_MARKS = 0.45
"""A card shows some marks, and they fill less than this part of it."""

BAR_ROWS = (0.05, 0.55)
"""The rows, as parts of the height, in which colour bars stand; below them some test cards have other fields."""

BAR_SPAN = 2
BAR_WIDTH = 0.06
BAR_STEP = 6.0
FEWEST_BARS = 5
BARS_COVER = 0.85
"""Bars: columns of one level within BAR_SPAN, at least BAR_WIDTH of the width each, BAR_STEP levels apart, which cover
BARS_COVER of the width together."""

NOISE_ROUGHNESS = 1.8
NOISE_LEAST = 8.0
"""In a cell of snow the mean absolute Laplacian is more than so many times the standard deviation, and that is more
than NOISE_LEAST grey levels. White noise has 3.6 times; a street's texture less than 1.5."""

NOISE_EVEN = 20.0
"""Grey levels. The means of cells of snow differ no further from their median; of leaves, water and crowds they do."""

NOISE_SHARPNESS = 25.0
"""Mean absolute Laplacian below which no picture is looked through for snow; snow has 90 and more."""

CELLS_WH = (32, 18)
LEVELS = 256
PEAK_APART = 7
PEAK_LEAST = 0.02


LEAST_FLAT = 0.4
"""Part of a drawn picture that is flat at the least, letters and soft edges aside."""


PLAIN_SIGN = 0.95
PLAIN_SIGN_DARK = 0.99
"""`CardSigns.plain` from which a picture is a card. Measured: cards 0.99 to 1; nights, fog, rain, snow and walls up to
0.74. A dark picture needs more: of a night almost all is black, and a card's black is exact."""

DARK_LEVEL = 24.0
"""Mean grey level below which a picture counts as dark here."""

NOISY_SIGN = 0.98
BARS_SIGN = 0.85
SNOW_SIGN = 0.85
"""The same for the other signs. Measured on cards and on others: 0.987 and 0.90 (`noisy`, of bright pictures), 0.92 and
0 (`bars`), 0.95 and 0.4 (`snow`)."""


def is_card(signs: CardSigns, brightness: float) -> bool:
    """Whether a picture with these signs and this mean grey level was drawn by a recorder."""
    dark = brightness < DARK_LEVEL
    return (
        signs.plain >= (PLAIN_SIGN_DARK if dark else PLAIN_SIGN)
        or (signs.noisy >= NOISY_SIGN and not dark)
        or signs.bars >= BARS_SIGN
        or signs.snow >= SNOW_SIGN
    )


def card_signs(grey: Grey, sharpness: float) -> CardSigns:
    """How much a grey picture 320 pixels wide looks like each kind of card; `sharpness` is its mean absolute Laplacian."""
    span = _span(grey, 3, 3)
    drawn = cv2.countNonZero((span <= FLAT_SPAN).astype(np.uint8)) >= LEAST_FLAT * grey.size
    return CardSigns(
        plain=_plain(grey, span) if drawn else 0.0,
        noisy=_noisy(grey),
        bars=_bars(grey) if drawn else 0.0,
        snow=_snow(grey) if sharpness >= NOISE_SHARPNESS else 0.0,
    )


def _plain(grey: Grey, span: Grey) -> float:
    """The part of the picture's ground that has one exact level; 0 where the picture is not drawn."""
    ground, unexplained, marks = _parts(grey, span, FLAT_SPAN, SHARP_SPAN, SHARP_REACH_PX)
    if unexplained > MOST_UNEXPLAINED or not FEWEST_MARKS <= marks <= MOST_MARKS:
        return 0.0
    counts = np.bincount(grey[ground], minlength=LEVELS)
    return float(counts.max() / max(1, counts.sum()))


def _noisy(grey: Grey) -> float:
    """As `_plain`, for a card with noise: how much of the blurred ground lies at separate levels."""
    box = (SMOOTHING_PX, SMOOTHING_PX)
    smooth = np.asarray(cv2.blur(cv2.blur(grey, box), box), np.uint8)
    span = _span(smooth, 3, 3)
    if float(np.median(span[::4, ::4])) > SMOOTH_FLAT_SPAN:
        return 0.0
    ground, unexplained, marks = _parts(
        smooth, span, SMOOTH_FLAT_SPAN, SMOOTH_SHARP_SPAN, SMOOTH_SHARP_REACH_PX
    )
    if unexplained > MOST_UNEXPLAINED_SMOOTH or not FEWEST_MARKS <= marks <= MOST_MARKS:
        return 0.0
    return _at_separate_levels(np.bincount(smooth[ground], minlength=LEVELS))


def _parts(
    grey: Grey, span: Grey, flat_span: int, sharp_span: int, reach_px: int
) -> tuple[Mask, float, float]:
    """The ground of a drawn picture, which part of the picture is neither ground nor mark, and which part is marks."""
    side = 2 * reach_px + 1
    marks = cv2.dilate((span >= sharp_span).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    flat = span <= flat_span
    for width, height in ((RUN_PX, 1), (1, RUN_PX)):
        equal = (_span(grey, width, height) <= flat_span).astype(np.uint8)
        flat |= cv2.dilate(equal, np.ones((height, width), np.uint8)) > 0
    ground = flat & ~marks
    return ground, float(1 - (flat | marks).mean()), float(marks.mean())


def _at_separate_levels(counts: npt.NDArray[np.intp]) -> float:
    """Which part of the pixels lies within one level of a few levels that are far apart; slow changes of light do not."""
    left, total, found = counts.astype(np.float64), max(1, int(counts.sum())), 0.0
    while True:
        near = np.convolve(left, np.ones(3), "same")
        peak = int(near.argmax())
        if near[peak] < PEAK_LEAST * total:
            return found / total
        found += float(near[peak])
        left[max(0, peak - PEAK_APART) : peak + PEAK_APART + 1] = 0


def _bars(grey: Grey) -> float:
    """Which part of the upper rows has its column's level, where these levels form FEWEST_BARS bars or more; else 0."""
    top, bottom = (round(part * grey.shape[0]) for part in BAR_ROWS)
    rows = grey[top:bottom:2].astype(np.int16)
    levels = np.median(rows, axis=0)
    ends = np.flatnonzero(np.append(np.abs(np.diff(levels)) > BAR_SPAN, True))
    starts = np.append(0, ends[:-1] + 1)
    wide = [(a, b) for a, b in zip(starts, ends, strict=True) if b - a + 1 >= BAR_WIDTH * len(levels)]
    means = np.array([levels[a : b + 1].mean() for a, b in wide])
    covered = sum(b - a + 1 for a, b in wide) / len(levels)
    together = len(means) >= FEWEST_BARS and covered >= BARS_COVER
    if not together or (np.abs(np.diff(means)) < BAR_STEP).any():
        return 0.0
    return float((np.abs(rows - levels) <= BAR_SPAN).mean())


def _snow(grey: Grey) -> float:
    """Which part of the picture's cells is white noise."""
    picture = grey.astype(np.float32)
    rough = _by_cell(np.abs(cv2.Laplacian(picture, cv2.CV_32F)))
    level = _by_cell(picture)
    variance = _by_cell(np.square(picture)) - np.square(level)
    spread = np.sqrt(np.maximum(variance, 0.0))
    even = np.abs(level - np.median(level)) <= NOISE_EVEN
    return float(((rough > NOISE_ROUGHNESS * spread) & (spread > NOISE_LEAST) & even).mean())


def _by_cell(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of each cell."""
    return np.asarray(cv2.resize(picture, CELLS_WH, interpolation=cv2.INTER_AREA), np.float32)


def _span(grey: Grey, width: int, height: int) -> Grey:
    """The largest less the smallest level around each pixel."""
    around = np.ones((height, width), np.uint8)
    return np.asarray(cv2.subtract(cv2.dilate(grey, around), cv2.erode(grey, around)), np.uint8)
