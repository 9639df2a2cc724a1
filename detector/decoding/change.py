"""What changed between two pictures of one fixed view: light aside, noise aside, which picture holds a thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.values import Image

Grid = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Pixels = tuple[int, int, int, int]
"""xyxy in whole pixels."""

CHANGED_GREYS = 14.0
"""A pixel changed when a channel leaves what its neighbours were before by more than this, of 255 as lit by day."""

FAINT = 0.5
"""What lies within the hull of a change and differs by this part of what makes one belongs to it, as the middle of a bag
does that is as grey as the pavement."""

FEWEST_PIXELS = 40
"""A change of fewer has no middle that the gaps closed anyway would leave open, and may be noise."""

GAP_PX = 5
CLOSED = np.ones((GAP_PX, GAP_PX), np.uint8)
"""Gaps narrower than this are closed."""

SWAY_PX = 1
"""Neighbours so near count as the same pixel: the pole sways and the codec smears."""

LIGHT_CELL_PX = 64
"""Light is evened out cell by cell, this wide: larger than what is looked for."""

LIGHT_RATIO = 1.1
LIGHT_TINT = 0.12
LIGHT_EVEN = 0.02
LIGHT_UNEVEN = 0.06
LIGHT_GREYS = 1.5
SAME_TEXTURE = 0.7
"""A change is light alone when the logarithm of its ratio is below the first in size, differs less than the second
between colours, and scatters (median deviation) less than the third, and what so many grey levels make of it in the
dark; or less than the fourth and less than this part of what the ground itself scatters, whose texture then shows
through."""

HOLDS_BY = 0.25
"""The picture that holds a thing has edges so much steeper along its rim, and its colour and fine texture differ so much
more from those of the ground around, as the sum of the three logarithms. Measured on 60 bags on plain ground and on
cobbles, by day and night: 1.0 or more; of the same bags taken away -1.0 or less."""

OWN_COLOUR = 4.0
"""Colours of thing and ground closer than some of these (CIELAB, 8 bit, lightness by half) say little."""

OWN_TEXTURE = 0.3
"""So do differences of texture up to this part."""

GRAINS = 6
"""Fine is what is smaller than the thing's width by so much."""

NEARER = 0.7
"""A picture shows the thing when it differs from the one with it by less than this part of what it differs from
the one without."""


def median_of(images: Sequence[Image]) -> Image:
    """Value by value; of an even number the lower of both middle ones, as good and quicker."""
    if len(images) == 3:
        return _middle_of_3(*images)
    if len(images) == 5:
        return _middle_of_5(*images)
    stack = np.stack(images)
    middle = (len(images) - 1) // 2
    return np.asarray(np.partition(stack, middle, axis=0)[middle], np.uint8)


def _middle_of_3(a: Image, b: Image, c: Image) -> Image:
    """By comparisons alone, which take a tenth of the time that partitioning each pixel's values takes."""
    return _larger(_smaller(a, b), _smaller(_larger(a, b), c))


def _middle_of_5(a: Image, b: Image, c: Image, d: Image, e: Image) -> Image:
    """The smallest of two pairs' smaller ones is not the middle, nor the largest of their larger ones."""
    low = _larger(_smaller(a, b), _smaller(c, d))
    high = _smaller(_larger(a, b), _larger(c, d))
    return _middle_of_3(low, high, e)


def _smaller(a: Image, b: Image) -> Image:
    return np.asarray(cv2.min(a, b), np.uint8)


def _larger(a: Image, b: Image) -> Image:
    return np.asarray(cv2.max(a, b), np.uint8)


def relit(image: Image, like: Image, cell_px: int = LIGHT_CELL_PX) -> Image:
    """The picture under the light of another: cell by cell the median of their ratio, which no small thing moves.

    A cell is about `cell_px` pixels wide and high.
    """
    height, width = image.shape[:2]
    cells = (max(1, round(width / cell_px)), max(1, round(height / cell_px)))
    ratio = (like.astype(np.float32) + 4) / (image.astype(np.float32) + 4)
    ys = np.linspace(0, height, cells[1] + 1).astype(int)
    xs = np.linspace(0, width, cells[0] + 1).astype(int)
    grid = np.empty((cells[1], cells[0], 3), np.float32)
    for j in range(cells[1]):
        for i in range(cells[0]):
            part = ratio[ys[j] : ys[j + 1] : 2, xs[i] : xs[i + 1] : 2].reshape(-1, 3)
            grid[j, i] = _middles(part)
    even = cv2.medianBlur(grid, 3) if min(cells) >= 3 else grid
    gain = cv2.resize(even, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)
    lit: Image = np.clip((image.astype(np.float32) + 4) * gain - 4, 0, 255).astype(np.uint8)
    return lit


def _middles(values: Grid) -> Grid:
    """The median of each column, as `np.median` takes it, at a third of the time."""
    columns = np.ascontiguousarray(values.T)
    middle = columns.shape[1] // 2
    if columns.shape[1] % 2:
        return np.asarray(np.partition(columns, middle, axis=1)[:, middle])
    ranked = np.partition(columns, (middle - 1, middle), axis=1)
    return np.asarray((ranked[:, middle - 1] + ranked[:, middle]) / 2)


def changes(before: Image, after: Image) -> Mask:
    """Where a pixel of the picture after lies outside what its neighbours were before, and the other way round."""
    side = np.ones((2 * SWAY_PX + 1, 2 * SWAY_PX + 1), np.uint8)
    steps: list[cv2.typing.MatLike] = []
    for a, b in ((before, after), (after, before)):
        above = cv2.subtract(b, cv2.dilate(a, side))
        below = cv2.subtract(cv2.erode(a, side), b)
        steps += cv2.split(cv2.max(above, below))
    apart = reduce(cv2.max, steps)
    noise = median_of_bytes(np.asarray(cv2.absdiff(before, after), np.uint8))
    # In the dark a thing differs by fewer grey levels, and so does the noise after a median.
    light = float(np.clip(before.mean() / 90, 0.5, 1.0))
    least = max(CHANGED_GREYS * light, 5.0 * noise)
    return _filled_up(np.asarray(apart > least, np.bool_), np.asarray(apart > FAINT * least, np.bool_))


def _filled_up(changed: Mask, faint: Mask) -> Mask:
    """Every connected change with what differs faintly within its hull."""
    if np.count_nonzero(changed) < FEWEST_PIXELS:
        return changed
    whole = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, CLOSED)
    _, names, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    filled = changed.copy()
    for name in np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= FEWEST_PIXELS):
        x, y, w, h, area = stats[name]
        if name == 0 or area == w * h:
            continue
        part = np.asarray(names[y : y + h, x : x + w] == name)
        hull = cv2.convexHull(cv2.findNonZero(part.view(np.uint8)))
        inside = cv2.fillConvexPoly(np.zeros((h, w), np.uint8), hull, 1) > 0
        filled[y : y + h, x : x + w] |= inside & faint[y : y + h, x : x + w]
    return filled


def median_of_bytes(values: npt.NDArray[np.uint8]) -> float:
    """The median of many bytes, by counting them: a tenth of the time that partitioning takes."""
    upto = np.cumsum(
        cv2.calcHist([values.reshape(1, -1)], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    )
    low, high = (
        int(np.searchsorted(upto, rank, side="right")) for rank in ((values.size - 1) // 2, values.size // 2)
    )
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Blob:
    """A connected change: its upper left corner in pixels, and its mask within its box."""

    x: int
    y: int
    mask: Mask

    @property
    def xyxy(self) -> Pixels:
        return self.x, self.y, self.x + self.mask.shape[1], self.y + self.mask.shape[0]

    @property
    def filled(self) -> float:
        """The part of its box that it fills."""
        return float(self.mask.mean())


def blobs_of(changed: Mask, gap_px: int = GAP_PX) -> list[Blob]:
    """The connected parts of a change, specks left out and gaps of less than `gap_px` pixels closed."""
    whole = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((gap_px, gap_px), np.uint8))
    whole = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, names, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    return [
        Blob(int(x), int(y), names[y : y + h, x : x + w] == name)
        for name, (x, y, w, h, _) in enumerate(stats[1:], 1)
    ]


def _around(xyxy: Pixels, shape: tuple[int, ...], px: int) -> tuple[slice, slice, int, int]:
    """A box with a margin as slices of rows and columns, and where the box begins within."""
    x1, y1, x2, y2 = xyxy
    top, left = max(0, y1 - px), max(0, x1 - px)
    return slice(top, min(shape[0], y2 + px)), slice(left, min(shape[1], x2 + px)), y1 - top, x1 - left


def _full_mask(mask: Mask, rows: slice, columns: slice, dy: int, dx: int) -> npt.NDArray[np.uint8]:
    whole = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    whole[dy : dy + mask.shape[0], dx : dx + mask.shape[1]] = mask
    return whole


def is_light(before: Image, after: Image, xyxy: Pixels, mask: Mask) -> bool:
    """Whether a change is only of light: a shadow or a bright patch leaves the ground's texture and tint.

    Then the ratio of after to before is nearly the same over the whole of it and in all colours, and between a
    third and three.
    """
    x1, y1, x2, y2 = xyxy
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    if core.sum() < 9:
        core = mask
    a = before[y1:y2, x1:x2][core].astype(np.float32) + 3
    b = after[y1:y2, x1:x2][core].astype(np.float32) + 3
    ratio = np.log(b / a)
    middle = np.median(ratio, axis=0)
    uneven = float(np.median(np.abs(ratio - middle)))
    tinted = float(middle.max() - middle.min())
    ground = np.log(a)
    texture = float(np.median(np.abs(ground - np.median(ground, axis=0))))
    even = min(LIGHT_UNEVEN, LIGHT_EVEN + LIGHT_GREYS / float(b.mean()))
    same_texture = uneven < even or uneven < min(LIGHT_UNEVEN, SAME_TEXTURE * texture)
    return bool(abs(middle.mean()) < LIGHT_RATIO and same_texture and tinted < LIGHT_TINT)


def stands_out(before: Image, after: Image, xyxy: Pixels, mask: Mask) -> bool:
    """Whether it is the picture after that holds the thing, and not the one before (a thing taken away).

    A thing has an outline: along the rim of the change the picture that holds it has the steeper edges. Ground such as
    cobbles has edges of its own, which a thing hides; but the empty ground has the colour of the ground around it.
    """
    rows, columns, dy, dx = _around(xyxy, before.shape, 3)
    whole = _full_mask(mask, rows, columns, dy, dx)
    ring = np.ones((3, 3), np.uint8)
    rim = (cv2.dilate(whole, ring) - cv2.erode(whole, ring, borderValue=0)) > 0
    steep = [float(_edges(image[rows, columns])[rim].mean()) for image in (before, after)]
    unlike = [_unlike_ground(image, xyxy, mask) for image in (before, after)]
    return bool(np.log((steep[1] + 1) / (steep[0] + 1)) + np.log(unlike[1] / unlike[0]).sum() > HOLDS_BY)


def _unlike_ground(image: Image, xyxy: Pixels, mask: Mask) -> Grid:
    """How far colour and fine texture within a mask are from those of the ground around it; no less than what is noise."""
    rows, columns, dy, dx = _around(xyxy, image.shape, max(8, mask.shape[1] // 2))
    whole = _full_mask(mask, rows, columns, dy, dx)
    core = cv2.erode(whole, np.ones((3, 3), np.uint8), borderValue=0) > 0
    ground = cv2.dilate(whole, np.ones((5, 5), np.uint8)) == 0
    if core.sum() < 9:
        core = whole > 0
    if not ground.any():
        return np.array([OWN_COLOUR, OWN_TEXTURE], np.float32)
    lab = cv2.cvtColor(np.ascontiguousarray(image[rows, columns]), cv2.COLOR_BGR2LAB).astype(np.float32)
    apart = np.median(lab[core], axis=0) - np.median(lab[ground], axis=0)
    colour = np.hypot(apart[0] / 2, np.hypot(apart[1], apart[2]))
    grain = max(3, round(mask.shape[1] / GRAINS)) | 1
    fine = np.abs(lab[..., 0] - cv2.blur(lab[..., 0], (grain, grain)))
    texture = abs(np.log((fine[core].mean() + 1) / (fine[ground].mean() + 1)))
    return np.array([OWN_COLOUR + colour, OWN_TEXTURE + texture], np.float32)


def _edges(image: Image) -> Grid:
    dx, dy = (cv2.Sobel(image, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(dx, dy).max(axis=2), np.float32)


@dataclass(slots=True)
class Compared:
    """A place with the thing and without it: tells of a picture which of both it is nearer to.

    Follows slow changes of the thing's look (dusk) by a running mean.
    """

    rows: slice
    columns: slice
    mask: Mask
    without: Grid
    holding: Grid

    @classmethod
    def of(cls, before: Image, after: Image, xyxy: Pixels, mask: Mask) -> Compared:
        """Both pictures of one size; the box in their pixels, the mask within the box."""
        px = max(4, (xyxy[2] - xyxy[0]) // 2)
        rows, columns, dy, dx = _around(xyxy, before.shape, px)
        whole = _full_mask(mask, rows, columns, dy, dx) > 0
        parts = [_soft(image[rows, columns]) for image in (before, after)]
        return cls(rows, columns, whole, parts[0], parts[1])

    def distances(self, image: Image) -> tuple[float, float]:
        """How far a picture's place is from being empty and from holding the thing, in grey levels."""
        part = _soft(image[self.rows, self.columns])
        rim = ~self.mask
        apart = []
        for known in (self.without, self.holding):
            gain = np.median((known[rim] + 4) / (part[rim] + 4), axis=0)
            lit = (part + 4) * gain - 4
            apart.append(float(np.abs(lit - known)[self.mask].mean()))
        return apart[0], apart[1]

    def holds(self, image: Image) -> bool:
        """Whether a picture's place holds the thing."""
        empty, holding = self.distances(image)
        return holding < NEARER * empty

    def shows(self, image: Image) -> bool:
        """As `holds`; what is seen so becomes part of what is known of the thing."""
        if not self.holds(image):
            return False
        part = _soft(image[self.rows, self.columns])
        self.holding = 0.8 * self.holding + 0.2 * part
        return True


def _soft(image: Image) -> Grid:
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.float32)
