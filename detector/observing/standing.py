"""What stands: regions of a picture that differ from the empty place and are as they were at the sample before.

Pure: grey pictures in, regions out. The pictures are the watched part at the working scale, some 480 to 960 pixels wide
(`HALVINGS`), with their local brightness removed, so that light which changes slowly over the picture changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
BoxPx = tuple[int, int, int, int]
"""[x1, x2) x [y1, y2) as x1, y1, x2, y2 in pixels of the working scale."""

WIDE_PX: Final = 1600
"""Pictures this wide, or wider, are halved twice for the working scale, smaller ones once: a vehicle 40 px wide at 1080p
is 10 pixels there."""

SURROUNDINGS_PX: Final = 61
"""Brightness is removed as the mean over so many pixels in both directions; larger than what is looked for."""

MIDDLE: Final = 128
"""The grey level of what is as bright as its surroundings, once local brightness is removed."""

LEAST_GREYS: Final = 8
MOST_GREYS: Final = 24
NOISE_RATIO: Final = 5
"""A pixel differs by more than NOISE_RATIO times the usual difference, but at least by the first and at most by the second,
in grey levels."""

OTHER_SCENE_GREYS: Final = 7
"""Where pixels usually differ by so much from the sample before, light or view are others: the background begins anew."""

STEP_GREYS: Final = 2
"""The background follows what does not move by so many grey levels a sample: a vehicle of contrast 40 becomes part of it
within 20 samples."""

FEWEST_NEAR: Final = 4
"""Of the 3 x 3 pixels around a pixel so many must stand; thin edges of a view that shakes do not."""

JOINED_PX: Final = 7
"""Fragments of one object lie no further apart than this, in pixels."""

FEWEST_PX: Final = 10
LEAST_WH: Final = (4, 3)
"""Regions of fewer pixels, or smaller, are noise."""


AROUND_SHARE: Final = 0.25
LEAST_AROUND_PX: Final = 3
"""What stands is compared with what moves in it and around it: so far on each side, as a part of its width, and in pixels."""

MOST_MOVING: Final = 1.0
"""Where what moves covers more than this, as a multiple of what stands, the region is a part of something that passes: two
vehicles that pass one place at two samples have some grey levels in common."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of a place: its background and the sample before, both flattened, of one shape."""

    background: Grey
    before: Grey


@dataclass(frozen=True, slots=True)
class Switches:
    """Parts of the mechanism. Each is on in use; a test switches one off to show what it is good for."""

    background: bool = True
    """Off: everything that does not move stands."""
    persistence: bool = True
    """Off: what only passes stands, too."""


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in a sample, and the ground with the sample added.

    `alone` are those of `regions` that are no part of something that passes.
    """

    regions: tuple[BoxPx, ...]
    ground: Ground
    alone: tuple[BoxPx, ...] = ()
    new_scene: bool = False
    """Whether light or view are others than at the sample before."""
    new: tuple[BoxPx, ...] = ()
    """What differs from the empty place and was not there at the sample before: the next sample tells whether it stands."""


def halvings_of(width: int) -> int:
    """How often a picture of a width in pixels is halved for the working scale."""
    return 2 if width >= WIDE_PX else 1


def reduced(luma: Grey, halvings: int) -> Grey:
    """A picture at the working scale. Sides are cut to multiples of 2 ** `halvings`."""
    step = 1 << halvings
    luma = luma[: luma.shape[0] // step * step, : luma.shape[1] // step * step]
    for _ in range(halvings):
        # A factor of two at a time takes a fifth of the time of four at once.
        size = (luma.shape[1] // 2, luma.shape[0] // 2)
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    return luma


def flattened(luma: Grey) -> Grey:
    """The picture without its local brightness: MIDDLE where a pixel is as bright as its surroundings."""
    around = cv2.blur(luma, (SURROUNDINGS_PX, SURROUNDINGS_PX), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.addWeighted(luma, 1.0, around, -1.0, MIDDLE), np.uint8)


def new_ground(flat: Grey) -> Ground:
    return Ground(flat, flat)


def find_standing(ground: Ground, flat: Grey, switches: Switches = Switches()) -> Found:
    """The regions that stand in a flattened picture of the ground's shape, and the ground for the next one."""
    moved = apart(ground.before, flat)
    usual = usual_difference(moved)
    if usual >= OTHER_SCENE_GREYS:
        return Found((), new_ground(flat), new_scene=True)
    still = moved <= _threshold(usual)
    from_empty = apart(ground.background, flat)
    differs = from_empty > _threshold(min(usual, usual_difference(from_empty)))
    mask = np.ones_like(still) if not switches.background else differs
    if switches.persistence:
        mask = mask & still
    moving = differs & ~still
    regions = _regions(mask)
    alone = tuple(box for box in regions if not switches.persistence or _is_alone(box, mask, moving))
    followed = Ground(_followed(ground.background, flat, still), flat)
    return Found(regions, followed, alone, new=_regions(moving))


def differing(before: Grey, after: Grey) -> tuple[BoxPx, ...]:
    """The regions in which two flattened pictures differ; the whole picture where it is another scene."""
    difference = apart(before, after)
    usual = usual_difference(difference)
    if usual >= OTHER_SCENE_GREYS:
        return ((0, 0, before.shape[1], before.shape[0]),)
    return _regions(difference > _threshold(usual))


def absorbed(ground: Ground, box: BoxPx) -> Ground:
    """The ground with what stands in a box made part of the background."""
    x1, y1, x2, y2 = box
    background = ground.background.copy()
    background[y1:y2, x1:x2] = ground.before[y1:y2, x1:x2]
    return replace(ground, background=background)


def apart(before: Grey, after: Grey) -> Grey:
    """By how many grey levels each pixel differs from all pixels beside its own place: a view may shake by one."""
    around = np.ones((3, 3), np.uint8)
    above = cv2.subtract(after, cv2.dilate(before, around))
    below = cv2.subtract(cv2.erode(before, around), after)
    return np.asarray(cv2.max(above, below), np.uint8)


def usual_difference(difference: Grey) -> int:
    """The upper quartile of the differences, in grey levels; by a histogram, a tenth of the time of a sort."""
    counts = cv2.calcHist([np.ascontiguousarray(difference[::2])], [0], None, [256], [0, 256]).ravel()
    return int(np.searchsorted(np.cumsum(counts), 0.75 * counts.sum()))


def _is_alone(box: BoxPx, stands: npt.NDArray[np.bool_], moving: npt.NDArray[np.bool_]) -> bool:
    """Whether a box stands by itself: see MOST_MOVING. The masks are of the whole picture."""
    x1, y1, x2, y2 = box
    around = max(LEAST_AROUND_PX, round(AROUND_SHARE * (x2 - x1)))
    near = moving[max(0, y1 - around) : y2 + around, max(0, x1 - around) : x2 + around]
    standing = np.count_nonzero(stands[y1:y2, x1:x2])
    return bool(np.count_nonzero(near) <= MOST_MOVING * standing)


def _threshold(usual: int) -> int:
    return min(MOST_GREYS, max(LEAST_GREYS, NOISE_RATIO * usual))


def _followed(background: Grey, flat: Grey, still: npt.NDArray[np.bool_]) -> Grey:
    """The background moved towards the picture by STEP_GREYS at most, where nothing moves."""
    step = np.full_like(background, STEP_GREYS)
    moved = cv2.min(cv2.max(flat, cv2.subtract(background, step)), cv2.add(background, step))
    return np.where(still, moved, background).astype(np.uint8)


def _regions(mask: npt.NDArray[np.bool_]) -> tuple[BoxPx, ...]:
    """The boxes of what belongs together in a mask, the largest first."""
    near = cv2.boxFilter(mask.astype(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    solid = ((near >= FEWEST_NEAR) & mask).astype(np.uint8)
    if not solid.any():
        return ()
    joined = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((JOINED_PX, JOINED_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    own_px = np.bincount(labels.ravel(), weights=solid.ravel(), minlength=count)
    found = [
        (int(own_px[k]), (int(x), int(y), int(x + w), int(y + h)))
        for k, (x, y, w, h, _) in enumerate(stats)
        if k and own_px[k] >= FEWEST_PX and w >= LEAST_WH[0] and h >= LEAST_WH[1]
    ]
    return tuple(box for _, box in sorted(found, key=lambda one: (-one[0], one[1])))
