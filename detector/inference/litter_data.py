"""Pictures to train and test a litter detector on: close-ups, and bags composed at surveillance size.

Bags are cut out of close-ups by their polygons, scaled to 14-120 px and pasted on street views. Other things
(patches of the street, plain boxes, people) go through the very same paste, so that being pasted tells nothing.
All chance comes from the seed: the same settings give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detector.config.eye_labels import read_eye_labels
from detector.config.training import Mix, Sample, SizeBand, Source, Street, TrainingSettings
from detector.core.errors import BadInput
from detector.core.values import Image

Cutout = npt.NDArray[np.uint8]
"""A thing cut out of a picture: height x width x 4, BGR and alpha."""
Mask = npt.NDArray[np.uint8]
"""Height x width, 255 inside."""
Floats = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.float64]
"""Boxes xyxy in pixels of their picture, shape (n, 4)."""

LEAST_CONTRAST = 14.0
"""Mean difference to what lies under it, in grey levels, below which a thing cannot be seen and is not pasted."""
LEAST_SOLIDITY = 0.8
"""Least share of its convex hull that a cut-out fills: less is a rag of a bag behind others."""
DAYLIGHT = 110.0
"""Mean brightness of the close-ups: a street as bright as this leaves a bag as it is."""


@dataclass(frozen=True, slots=True)
class CloseUp:
    """A labelled close-up. `photo` names what it was augmented from; polygons have corners in [0, 1]."""

    path: Path
    photo: str
    polygons: tuple[Floats, ...]

    def boxes(self) -> Boxes:
        """Boxes xyxy in [0, 1], shape (n, 4)."""
        boxes = [(*polygon.min(axis=0), *polygon.max(axis=0)) for polygon in self.polygons]
        return np.asarray(np.clip(np.array(boxes, float).reshape(-1, 4), 0, 1))


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole picture as it was taken, with the boxes of its rubbish: xyxy in [0, 1], shape (n, 4)."""

    path: Path
    boxes: Boxes


@dataclass(frozen=True, slots=True)
class Scene:
    """A background, and the mask of where things may lie on it (255 on the ground)."""

    image: Image
    ground: Mask


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed picture with the boxes of its bags and the JPEG quality it is to be written with."""

    image: Image
    boxes: Boxes
    hardly_seen: Boxes
    """Of the bags that other things hide too far to be asked for."""
    quality: int


def read_close_ups(folder: Path) -> list[CloseUp]:
    """The close-ups of one half (`train` or `val`) in YOLO segmentation form. Raises BadInput where there are none."""
    found = [
        CloseUp(path, path.name.split(".rf.")[0], _polygons(folder / "labels" / f"{path.stem}.txt"))
        for path in sorted((folder / "images").glob("*.jpg"))
    ]
    if not found:
        raise BadInput(f"{folder}: no close-ups (images/*.jpg with labels/*.txt)")
    return found


def _polygons(path: Path) -> tuple[Floats, ...]:
    """One line an object: class, then x y x y ...; every class is a bag."""
    lines = [np.array(line.split()[1:], np.float32) for line in path.read_text().splitlines() if line.strip()]
    return tuple(line.reshape(-1, 2) for line in lines if line.size >= 6)


def read_source(source: Source, datasets: Path, use: str) -> list[Whole]:
    """The pictures of a source, by name; of labels made by eye, those for this use (`train` or `test`).

    Raises BadInput where there is none.
    """
    folder = datasets / source.folder
    files = [path for path in sorted(folder.glob("*.jpg")) if _is_wanted(path.name, source)]
    wholes = (
        _labelled_by_eye(files, source.labels_file, use) if source.labels_file else _in_yolo(files, source)
    )
    if not wholes:
        raise BadInput(f"source {source.name}: no picture for {use} in {folder}")
    return wholes[:: source.every]


def _is_wanted(name: str, source: Source) -> bool:
    return not source.matching or any(part in name for part in source.matching)


def _labelled_by_eye(files: Sequence[Path], labels_file: Path, use: str) -> list[Whole]:
    labels = read_eye_labels(labels_file)
    known = [(path, labels[path.name]) for path in files if path.name in labels]
    return [
        Whole(path, label.array()) for path, label in known if label.use == use and label.waste != "unsure"
    ]


def _in_yolo(files: Sequence[Path], source: Source) -> list[Whole]:
    """With the boxes of the folder `labels` beside the pictures, or without any where the source has no rubbish."""
    if source.labels == "no rubbish":
        return [Whole(path, np.empty((0, 4))) for path in files]
    return [Whole(path, _yolo_boxes(path.parent.parent / "labels" / f"{path.stem}.txt")) for path in files]


def _yolo_boxes(path: Path) -> Boxes:
    """One line an object: class, middle x and y, width, height; every class is rubbish."""
    rows = np.array([line.split()[1:5] for line in path.read_text().splitlines() if line.strip()], np.float64)
    middles, sizes = rows.reshape(-1, 4)[:, :2], rows.reshape(-1, 4)[:, 2:]
    return np.clip(np.hstack([middles - sizes / 2, middles + sizes / 2]), 0, 1)


def kept_out(close_ups: Sequence[CloseUp], count: int, seed: int) -> tuple[list[CloseUp], list[CloseUp]]:
    """The close-ups without, and of, `count` photos drawn by the seed; no photo is on both sides."""
    photos = sorted({one.photo for one in close_ups})
    drawn = set(np.random.default_rng(seed).permutation(photos)[:count].tolist())
    return [c for c in close_ups if c.photo not in drawn], [c for c in close_ups if c.photo in drawn]


def cut_out_bags(close_ups: Iterable[CloseUp]) -> list[Cutout]:
    """Every bag that lies whole inside its photo, 48 px wide or more, and not a rag of one behind others."""
    bags = []
    for close_up in close_ups:
        image = read_picture(close_up.path)
        height, width = image.shape[:2]
        for polygon in close_up.polygons:
            mask = np.zeros((height, width), np.uint8)
            cv2.fillPoly(mask, [np.rint(polygon * (width, height)).astype(np.int32)], 255)
            hull = cv2.contourArea(cv2.convexHull(np.rint(polygon * (width, height)).astype(np.float32)))
            compact = (mask > 0).sum() >= LEAST_SOLIDITY * hull
            if compact and not _touches_the_rim(image, mask):
                bags.append(_crop(image, mask))
    return [bag for bag in bags if bag.shape[1] >= 48 and bag.shape[0] >= 32]


def cut_out_surroundings(close_ups: Iterable[CloseUp], seed: int) -> list[Image]:
    """Squares of 128 px from beside the bags, three a photo at most: kerbs, walls, cardboard, leaves."""
    rng = np.random.default_rng(seed)
    side, squares = 128, []
    for close_up in {one.photo: one for one in close_ups}.values():
        image = read_picture(close_up.path)
        height, width = image.shape[:2]
        taken = ((image.max(axis=2) < 6) | (image.min(axis=2) > 250)).astype(np.uint8)
        for polygon in close_up.polygons:
            cv2.fillPoly(taken, [np.rint(polygon * (width, height)).astype(np.int32)], 1)
        free = [
            (y, x)
            for y, x in rng.integers(0, (height - side + 1, width - side + 1), (40, 2))
            if taken[y : y + side, x : x + side].mean() < 0.01
        ]
        squares += [image[y : y + side, x : x + side] for y, x in free[:3]]
    return squares


def _touches_the_rim(image: Image, mask: Mask) -> bool:
    """Whether the bag is cut off by the picture, or by the black and white that augmentation filled it up with."""
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        return True
    grown = cv2.dilate(mask, np.ones((9, 9), np.uint8))
    around = image[(grown > 0) & (mask == 0)]
    filled = (around.max(axis=1) < 6) | (around.min(axis=1) > 250)
    return bool(filled.mean() > 0.06)


def _crop(image: Image, mask: Mask) -> Cutout:
    x, y, w, h = cv2.boundingRect(mask)
    return np.dstack([image[y : y + h, x : x + w], mask[y : y + h, x : x + w]])


def cut_out_people(samples: Iterable[tuple[Image, Sample]], seed: int) -> list[Cutout]:
    """What stands in the boxes of the sample photos, without its background (GrabCut)."""
    cv2.setRNGSeed(seed)
    people = []
    for image, sample in samples:
        for x1, y1, x2, y2 in sample.boxes:
            scale = 240 / (y2 - y1)
            small = scaled(image, scale)
            mask = np.zeros(small.shape[:2], np.uint8)
            rect = [round(v * scale) for v in (x1, y1, x2 - x1, y2 - y1)]
            cv2.grabCut(small, mask, rect, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
            people.append(_crop(small, np.where(mask & 1, 255, 0).astype(np.uint8)))
    return people


def scaled(image: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _resized(
    image: npt.NDArray[np.uint8], size_wh: tuple[int, int], how: int = cv2.INTER_AREA
) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, size_wh, interpolation=how), np.uint8)


def _in_bytes(values: npt.NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _blurred(image: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def read_picture(path: Path) -> Image:
    """Raises BadInput where the file is no picture."""
    image = cv2.imread(str(path))
    if image is None:
        raise BadInput(f"{path}: cannot be read as a picture")
    return np.asarray(image, np.uint8)


def read_scenes(views: Iterable[tuple[Street, Image]], use: str) -> list[Scene]:
    """The street views of one use, whole."""
    scenes = []
    for street, image in views:
        if street.use == use:
            height, width = image.shape[:2]
            ground = np.zeros((height, width), np.uint8)
            cv2.fillPoly(ground, [np.rint(np.array(street.ground) * (width, height)).astype(np.int32)], 255)
            scenes.append(Scene(image, ground))
    return scenes


@dataclass(frozen=True, slots=True)
class Composer:
    """Puts bags and other things on street views."""

    mix: Mix
    bags: tuple[Cutout, ...]
    people: tuple[Cutout, ...]
    scenes: tuple[Scene, ...]
    samples: tuple[Image, ...] = ()
    surroundings: tuple[Image, ...] = ()

    def for_training(self, rng: np.random.Generator) -> Composed:
        """A square of a street view (or of a sample photo, or of made ground) with things on it."""
        return self._furnished(rng, self._canvas(rng), self.mix.bands, self.mix.anywhere)

    def for_testing(
        self, rng: np.random.Generator, resolution_wh: tuple[int, int], bands: Sequence[SizeBand]
    ) -> Composed:
        """A whole street view at a resolution; all that is put on it stands on its ground."""
        scene = self.scenes[rng.integers(len(self.scenes))]
        image, ground = (_resized(part, resolution_wh) for part in (scene.image, scene.ground))
        return self._furnished(rng, Scene(image, ground), bands, anywhere=0.0)

    def _canvas(self, rng: np.random.Generator) -> Scene:
        kind = rng.random()
        side = self.mix.canvas_px
        if kind < self.mix.procedural_ground:
            if self.surroundings and rng.random() < 0.5:
                ground = _tiled(rng, self.surroundings[rng.integers(len(self.surroundings))], side)
            else:
                ground = _made_ground(rng, side)
            return Scene(self._stained(rng, ground), np.full((side, side), 255, np.uint8))
        scene = self.scenes[rng.integers(len(self.scenes))]
        if self.samples and kind > 1 - self.mix.sample_photos:
            photo = self.samples[rng.integers(len(self.samples))]
            scene = Scene(photo, np.full(photo.shape[:2], 255, np.uint8))
        low, high = self.mix.zoom
        zoom = low * (high / low) ** rng.random()
        zoom = max(zoom, (side + 1) / min(scene.image.shape[:2]))
        image, ground = scaled(scene.image, zoom), scaled(scene.ground, zoom)
        y, x = _corner(rng, ground, side)
        image, ground = image[y : y + side, x : x + side], ground[y : y + side, x : x + side]
        if rng.random() < 0.5:
            image, ground = image[:, ::-1], ground[:, ::-1]
        return Scene(self._stained(rng, _relit(rng, image)), np.ascontiguousarray(ground))

    def _stained(self, rng: np.random.Generator, image: Image) -> Image:
        """Soft patches of light and dark, as water, lamps and shadows lay them on a street."""
        canvas = image.astype(np.float32)
        height, width = image.shape[:2]
        for _ in range(int(rng.integers(self.mix.max_stains + 1)) if self.mix.max_stains else 0):
            reach = rng.uniform(6, 45, 2) * (1.6, 1)
            middle = rng.random(2) * (width, height)
            corners = middle + rng.uniform(-1, 1, (int(rng.integers(4, 9)), 2)) * reach
            mask = np.zeros((height, width), np.float32)
            cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(corners).astype(np.int32)), 1.0)
            depth = rng.uniform(-0.5, 0.9) * rng.uniform(0.85, 1.15, 3)
            canvas *= 1 + _blurred(mask, rng.uniform(0.8, 5))[:, :, None] * depth
        return _in_bytes(canvas)

    def _furnished(
        self, rng: np.random.Generator, scene: Scene, bands: Sequence[SizeBand], anywhere: float
    ) -> Composed:
        """Bags and other things in random order, then the camera's own noise and blur."""
        bags = 0 if rng.random() < self.mix.without_rubbish else int(rng.integers(1, self.mix.max_bags + 1))
        others = int(rng.integers(0, self.mix.max_distractors + 1))
        table = _Table(scene)
        for is_bag in rng.permutation([True] * bags + [False] * others):
            thing = self._bag(rng) if is_bag else self._distractor(rng, scene.image)
            width = _width(rng, bands)
            table.put(rng, thing, width, _spot(rng, scene, table, width, anywhere), is_bag=bool(is_bag))
        boxes, hardly_seen = table.boxes()
        return Composed(_as_filmed(rng, table.canvas), boxes, hardly_seen, int(rng.integers(45, 93)))

    def _bag(self, rng: np.random.Generator) -> Cutout:
        bag = self.bags[rng.integers(len(self.bags))]
        if rng.random() < 0.5:
            bag = bag[:, ::-1]
        bag = _turned(bag, rng.uniform(-15, 15))
        if rng.random() < self.mix.dark_bags:
            return _blackened(rng, bag)
        return np.dstack([_relit(rng, bag[:, :, :3]), bag[:, :, 3]])

    def _distractor(self, rng: np.random.Generator, street: Image) -> Cutout:
        """A patch of the street, a plain thing or a person; the first two sometimes in the outline of a bag."""
        kind = rng.random()
        if kind < 0.2 and self.people:
            person = self.people[rng.integers(len(self.people))]
            if rng.random() < 0.4:  # a leg, a head, a bag's worth of cloth
                person = _part(rng, person)
            return person[:, ::-1] if rng.random() < 0.5 else person
        source = street if rng.random() < 0.5 else self.scenes[rng.integers(len(self.scenes))].image
        if self.surroundings and rng.random() < self.mix.surroundings:
            source = self.surroundings[rng.integers(len(self.surroundings))]
        patch_of_street = kind < 0.2 + 0.8 * self.mix.patches
        shape = self._outline(rng, of_bags=patch_of_street)
        height, width = shape.shape
        if patch_of_street:
            size = min(int(rng.integers(24, 160)), *source.shape[:2])
            y, x = (int(rng.integers(extent - size + 1)) for extent in source.shape[:2])
            patch = _resized(source[y : y + size, x : x + size], (width, height), cv2.INTER_LINEAR)
            return np.dstack([_relit(rng, patch), shape])
        return np.dstack([_plain(rng, (width, height)), shape])

    def _outline(self, rng: np.random.Generator, *, of_bags: bool) -> Mask:
        """Of a bag at times, or of a plain thing. A plain colour in a bag's outline is a bag, for all one can see."""
        if of_bags and rng.random() < self.mix.bag_outlines:
            return np.ascontiguousarray(self.bags[rng.integers(len(self.bags))][:, :, 3])
        width, height = int(rng.integers(60, 160)), int(rng.integers(60, 160))
        mask = np.zeros((height, width), np.uint8)
        kind = rng.integers(3)
        if kind == 0:
            cv2.ellipse(mask, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, -1)
        elif kind == 1:
            inset = rng.uniform(0, 0.35, 2) * width
            corners = [(inset[0], 0), (width - inset[1], 0), (width, height), (0, height)]
            cv2.fillPoly(mask, [np.array(corners, np.int32)], 255)
        else:
            points = (rng.random((8, 2)) * (width, height)).astype(np.int32)
            cv2.fillConvexPoly(mask, cv2.convexHull(points), 255)
        return mask


class _Table:
    """A canvas being furnished, and which bag owns each of its pixels."""

    def __init__(self, scene: Scene) -> None:
        self.canvas: Floats = scene.image.astype(np.float32)
        self.light: Floats = np.asarray(cv2.blur(self.canvas, (61, 61)), np.float32)
        self.owner: npt.NDArray[np.int32] = np.zeros(scene.ground.shape, np.int32)
        self.sizes: list[int] = []
        self.last: tuple[int, int] | None = None

    def put(
        self, rng: np.random.Generator, thing: Cutout, width: int, foot: tuple[int, int], *, is_bag: bool
    ) -> None:
        """Paste a thing `width` px wide, lit, blurred and shaded like its place; nothing where it cannot be seen."""
        colour, alpha = _at_size(rng, thing, width)
        height, width = alpha.shape[:2]
        left, top = foot[0] - width // 2, foot[1] - height
        x1, y1 = max(0, left), max(0, top)
        x2, y2 = min(self.owner.shape[1], left + width), min(self.owner.shape[0], top + height)
        if (x2 - x1) * (y2 - y1) < 0.7 * width * height:
            return
        inner = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
        outer = slice(y1, y2), slice(x1, x2)
        lit = colour[inner] * _gain(rng, self.light[foot[1], foot[0]])
        cover = alpha[inner][:, :, None]
        solid = alpha[inner] > 0.5
        difference = np.abs(lit - self.canvas[outer])[solid]
        if not solid.any() or difference.mean() < LEAST_CONTRAST:
            return
        self._shade(rng, foot, width)
        self.canvas[outer] = self.canvas[outer] * (1 - cover) + lit * cover
        self.last = foot
        if is_bag:
            self.sizes.append(int((alpha > 0.5).sum()))
        self.owner[outer][solid] = len(self.sizes) if is_bag else 0

    def _shade(self, rng: np.random.Generator, foot: tuple[int, int], width: int) -> None:
        """A soft contact shadow around the foot."""
        shadow = np.zeros(self.owner.shape, np.float32)
        axes = (max(1, int(width * rng.uniform(0.4, 0.65))), max(1, int(width * rng.uniform(0.08, 0.2))))
        cv2.ellipse(shadow, foot, axes, 0, 0, 360, float(rng.uniform(0, 0.55)), -1)
        shadow = _blurred(shadow, 1 + width / 15)
        self.canvas *= 1 - shadow[:, :, None]

    def boxes(self) -> tuple[Boxes, Boxes]:
        """Boxes of the bags of which 60 % or more can be seen, and of those of which less."""
        plain: list[tuple[int, int, int, int]] = []
        hidden: list[tuple[int, int, int, int]] = []
        for bag, size in enumerate(self.sizes, start=1):
            ys, xs = np.nonzero(self.owner == bag)
            if xs.size:
                box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
                (plain if xs.size >= 0.6 * size else hidden).append(box)
        return np.array(plain, np.float64).reshape(-1, 4), np.array(hidden, np.float64).reshape(-1, 4)


def _corner(rng: np.random.Generator, ground: Mask, side: int) -> tuple[int, int]:
    """Top and left of a square to cut out: mostly around a place on the ground, where rubbish lies."""
    height, width = ground.shape
    on_ground = np.flatnonzero(ground)
    if not on_ground.size or rng.random() < 0.3:
        return int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    y, x = divmod(int(on_ground[rng.integers(on_ground.size)]), width)
    y, x = y - int(rng.integers(side)), x - int(rng.integers(side))
    return int(np.clip(y, 0, height - side)), int(np.clip(x, 0, width - side))


def _spot(
    rng: np.random.Generator, scene: Scene, table: _Table, width: int, anywhere: float
) -> tuple[int, int]:
    """Where the middle of the thing's foot comes to stand, x and y; rubbish likes company."""
    height, extent = scene.ground.shape
    if table.last is not None and rng.random() < 0.3:
        x, y = table.last
        beside = int(rng.choice([-1, 1]) * width * rng.uniform(0.6, 1.1))
        return int(np.clip(x + beside, 0, extent - 1)), int(np.clip(y + rng.integers(-4, 5), 0, height - 1))
    on_ground = np.flatnonzero(scene.ground)
    if on_ground.size < scene.ground.size // 50 or rng.random() < anywhere:
        return int(rng.integers(extent)), int(rng.integers(height))
    y, x = divmod(int(on_ground[rng.integers(on_ground.size)]), extent)
    return x, y


def _at_size(rng: np.random.Generator, thing: Cutout, width: int) -> tuple[Floats, Floats]:
    """Colour and alpha in [0, 1] of a thing scaled to a width, no higher than 2.2 times it, edges as soft as its middle."""
    height = max(6, round(thing.shape[0] * width / thing.shape[1]))
    if height > 2.2 * width:
        width, height = max(6, round(width * 2.2 * width / height)), round(2.2 * width)
    alpha = thing[:, :, 3:].astype(np.float32) / 255
    flat = np.dstack([thing[:, :, :3] * alpha, alpha[:, :, 0]]).astype(np.float32)
    small = np.asarray(cv2.resize(flat, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    small = _blurred(small, rng.uniform(0.3, 0.9))
    cover = np.asarray(small[:, :, 3])
    colour = np.asarray(small[:, :, :3] / np.maximum(cover, 1e-3)[:, :, None], np.float32)
    return colour, np.asarray(np.clip(cover, 0, 1))


def _gain(rng: np.random.Generator, light: Floats) -> Floats:
    """How bright daylight colours look in this light, for each of BGR."""
    brightness = max(1.0, float(light.mean()))
    gain = np.clip((brightness / DAYLIGHT) ** 0.6, 0.3, 1.15) * rng.uniform(0.8, 1.2)
    cast = np.clip(light / brightness, 0.6, 1.5) ** 0.5
    return np.asarray(gain * cast, np.float32)


def _turned(thing: Cutout, degrees: float) -> Cutout:
    height, width = thing.shape[:2]
    side = int(np.hypot(width, height)) + 2
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += ((side - width) / 2, (side - height) / 2)
    turned = np.asarray(cv2.warpAffine(np.ascontiguousarray(thing), turn, (side, side)), np.uint8)
    return _crop(turned[:, :, :3], np.where(turned[:, :, 3] > 127, 255, 0).astype(np.uint8))


def _part(rng: np.random.Generator, thing: Cutout) -> Cutout:
    height, width = thing.shape[:2]
    h, w = int(height * rng.uniform(0.3, 0.6)), int(width * rng.uniform(0.5, 1))
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    part = thing[y : y + h, x : x + w]
    return part if part[:, :, 3].mean() > 60 else thing


def _relit(rng: np.random.Generator, image: Image) -> Image:
    """Another exposure, contrast and white balance."""
    colour = image.astype(np.float32) * rng.uniform(0.7, 1.25) * rng.uniform(0.92, 1.08, 3)
    mean = colour.mean()
    return _in_bytes((colour - mean) * rng.uniform(0.8, 1.15) + mean)


def _blackened(rng: np.random.Generator, bag: Cutout) -> Cutout:
    """A black bag of the same folds: dark foil with highlights."""
    grey = cv2.cvtColor(np.ascontiguousarray(bag[:, :, :3]), cv2.COLOR_BGR2GRAY).astype(np.float32) / 255
    foil = 255 * (rng.uniform(0.03, 0.12) + rng.uniform(0.25, 0.5) * grey**2)
    return np.dstack([foil, foil, foil, bag[:, :, 3]]).astype(np.uint8)


def _plain(rng: np.random.Generator, size_wh: tuple[int, int]) -> Image:
    """A painted or cloth surface: one colour, a slope of light, a stripe at times."""
    width, height = size_wh
    hsv = np.array([[[rng.integers(180), rng.integers(256), rng.integers(40, 256)]]], np.uint8)
    colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    slope = 1 + rng.uniform(-0.4, 0.4) * across + rng.uniform(-0.4, 0.4) * down
    surface = colour * slope[:, :, None]
    if rng.random() < 0.5:
        level, thickness = int(rng.integers(height)), max(2, height // 8)
        surface[level : level + thickness] = rng.uniform(0, 255, 3)
    folds = cv2.resize(rng.normal(0, rng.uniform(0, 22), (6, 6)).astype(np.float32), (width, height))
    return _in_bytes(surface + folds[:, :, None])


def _tiled(rng: np.random.Generator, square: Image, side: int) -> Image:
    """A real surface without end: a square beside its mirror images, over and over."""
    small = scaled(square, rng.uniform(0.5, 1.5))
    four = np.hstack([small, small[:, ::-1]])
    four = np.vstack([four, four[::-1]])
    times = -(-side // four.shape[0])
    return _relit(rng, np.tile(four, (times, times, 1))[:side, :side])


def _made_ground(rng: np.random.Generator, side: int) -> Image:
    """Asphalt, earth or grass in the large: noise of several sizes around one colour, with painted lines."""
    hue, saturation = (
        (int(rng.integers(35, 60)), 110) if rng.random() < 0.35 else (int(rng.integers(8, 120)), 25)
    )
    hsv = np.array([[[hue, rng.integers(saturation // 3, saturation), rng.integers(35, 190)]]], np.uint8)
    ground = np.tile(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.float32), (side, side, 1))
    for cells, depth in ((4, 14), (16, 5), (64, 6), (side, 14)):
        noise = rng.normal(0, rng.uniform(1, depth), (cells, cells)).astype(np.float32)
        ground += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)[:, :, None]
    for _ in range(int(rng.integers(0, 5))):
        ends = rng.integers(-side // 4, side + side // 4, (2, 2))
        grey = float(rng.uniform(20, 235))
        cv2.line(
            ground,
            ends[0].tolist(),
            ends[1].tolist(),
            (grey, grey, grey),
            int(rng.integers(1, 14)),
            cv2.LINE_AA,
        )
    return _in_bytes(ground)


def _as_filmed(rng: np.random.Generator, canvas: Floats) -> Image:
    """The camera's share: sometimes a little out of focus, always some noise."""
    if rng.random() < 0.35:
        canvas = _blurred(canvas, rng.uniform(0.4, 1.0))
    noise = rng.normal(0, rng.uniform(0.5, 6), canvas.shape)
    return _in_bytes(canvas + noise)


def _width(rng: np.random.Generator, bands: Sequence[SizeBand]) -> int:
    weights = np.array([band.weight for band in bands])
    band = bands[rng.choice(len(bands), p=weights / weights.sum())]
    return int(rng.integers(band.from_px, band.until_px))


def write_training_set(
    settings: TrainingSettings,
    composer: Composer,
    close_ups: Sequence[CloseUp],
    folder: Path,
    wholes: Sequence[tuple[Source, Whole]] = (),
) -> str:
    """Write `images/` and `labels/` in YOLO form, one class; the SHA-256 over all of their bytes."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    whole = hashlib.sha256()
    for name, picture, boxes in chain(
        _pictures(settings, composer, close_ups), _whole_pictures(settings, composer, wholes)
    ):
        lines = "".join(label_line(box) for box in boxes)
        (folder / "images" / f"{name}.jpg").write_bytes(picture)
        (folder / "labels" / f"{name}.txt").write_text(lines)
        whole.update(picture + lines.encode())
    return whole.hexdigest()


def _pictures(
    settings: TrainingSettings, composer: Composer, close_ups: Sequence[CloseUp]
) -> Iterator[tuple[str, bytes, Boxes]]:
    """Name, JPEG bytes and boxes in [0, 1] of every training picture."""
    for number, close_up in enumerate([*close_ups] * settings.mix.close_up_repeats):
        yield f"close_{number:04d}", close_up.path.read_bytes(), close_up.boxes()
    for number in range(settings.mix.composed):
        made = composer.for_training(np.random.default_rng([settings.seed, 1, number]))
        height, width = made.image.shape[:2]
        yield f"street_{number:04d}", encoded(made), made.boxes / (width, height, width, height)


def _whole_pictures(
    settings: TrainingSettings, composer: Composer, wholes: Sequence[tuple[Source, Whole]]
) -> Iterator[tuple[str, bytes, Boxes]]:
    """The pictures of the sources and the street views as they are, each as often as the recipe says."""
    for number, (source, whole) in enumerate(wholes):
        for again in range(source.repeats):
            yield f"{source.name}_{number:05d}_{again}", whole.path.read_bytes(), whole.boxes
    for number, scene in enumerate(composer.scenes):
        picture = bytes(cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])
        for again in range(settings.mix.whole_views):
            yield f"view_{number:03d}_{again}", picture, np.empty((0, 4))


def encoded(made: Composed) -> bytes:
    """The picture as JPEG, in the quality that was drawn for it."""
    return bytes(cv2.imencode(".jpg", made.image, [cv2.IMWRITE_JPEG_QUALITY, made.quality])[1])


def seen_through_jpeg(made: Composed) -> Image:
    """The picture as a recorder would hand it on."""
    return np.asarray(cv2.imdecode(np.frombuffer(encoded(made), np.uint8), cv2.IMREAD_COLOR), np.uint8)


def label_line(box: npt.NDArray[np.float64]) -> str:
    """A box xyxy in [0, 1] as a line of a YOLO label file, class 0."""
    x1, y1, x2, y2 = box
    return f"0 {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"
