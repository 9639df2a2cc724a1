"""Vehicles and people as cut-outs with alpha, made at run time from photos that other packages ship.

The outlines below are numbers read off by hand; no picture is part of the project. The bus of the sample
photo stands behind people, so what they hide is filled from its own pixels beside them, and its rear
wheel serves for the front one as well.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.errors import BadInput
from detector.core.values import Image
from detector.demo.bags import BAGS, bin_on_wheels, drawn_bag, real_bags, shade
from detector.demo.drawn import BIKE_PAINTS, bicycle, parasol
from detector.demo.things import things

Mask = npt.NDArray[np.uint8]
Corners = tuple[tuple[int, int], ...]

BUS_OUTLINE: Corners = (
    (22, 600), (24, 540), (33, 420), (40, 325), (46, 308), (70, 285), (88, 262), (130, 250), (165, 243),
    (182, 244), (210, 235), (260, 232), (400, 243), (450, 246), (560, 252), (690, 261), (716, 266),
    (735, 285), (745, 302), (772, 306), (788, 316), (796, 335), (800, 400), (796, 520), (788, 642),
    (758, 648), (752, 664), (735, 674), (712, 674), (698, 655), (660, 654), (545, 672), (480, 684),
    (385, 697), (374, 697), (362, 722), (344, 735), (316, 735), (298, 722), (236, 722), (120, 722),
    (40, 716), (24, 700),
)  # fmt: skip
BUS_HIDDEN: tuple[Corners, ...] = (
    ((95, 455), (95, 395), (165, 395), (165, 465), (182, 490), (206, 550), (206, 590), (196, 610), (200, 725),
     (0, 725), (0, 610), (48, 625), (48, 545)),
    ((255, 490), (258, 402), (310, 402), (312, 470), (345, 505), (350, 570), (345, 735), (218, 735),
     (232, 570), (232, 510)),
    ((718, 570), (722, 538), (768, 535), (774, 490), (790, 475), (790, 400), (810, 395), (810, 700),
     (750, 700), (752, 600)),
    ((0, 545), (30, 560), (48, 640), (48, 720), (0, 720)),
    ((426, 655), (462, 655), (462, 700), (426, 700)),
    ((658, 620), (690, 620), (690, 700), (658, 700)),
)  # fmt: skip
REAR_WHEEL = (687, 562, 756, 675)
FRONT_WHEEL = (290, 600, 376, 736)
"""Where the wheels lie, xyxy in pixels of the photo."""

MAN_IN_BEIGE: Corners = (
    (103, 418), (107, 409), (122, 401), (143, 399), (156, 407), (157, 418), (154, 433), (152, 452), (149, 468),
    (166, 479), (175, 490), (176, 498), (182, 511), (189, 532), (198, 548), (201, 570), (198, 586), (189, 599),
    (182, 603), (185, 624), (190, 654), (194, 689), (183, 692), (181, 715), (187, 746), (190, 780), (198, 818),
    (202, 849), (210, 860), (230, 871), (246, 881), (244, 887), (208, 894), (179, 898), (177, 871), (173, 845),
    (158, 799), (147, 753), (122, 704), (118, 723), (110, 761), (97, 788), (86, 837), (86, 856), (95, 871),
    (107, 887), (105, 897), (90, 899), (70, 894), (53, 883), (55, 868), (59, 849), (59, 818), (70, 772),
    (76, 742), (72, 700), (61, 694), (60, 677), (63, 647), (64, 593), (61, 563), (63, 540), (63, 506),
    (69, 494), (86, 475), (97, 462), (103, 449),
)  # fmt: skip
MAN_IN_DARK: Corners = (
    (263, 430), (265, 416), (276, 407), (291, 407), (303, 416), (305, 437), (309, 447), (303, 464), (301, 475),
    (324, 485), (335, 502), (337, 529), (343, 544), (341, 559), (331, 567), (322, 567), (328, 609), (333, 647),
    (337, 685), (339, 715), (333, 729), (314, 746), (288, 774), (290, 795), (299, 810), (299, 818), (288, 818),
    (282, 814), (284, 830), (293, 850), (291, 858), (276, 859), (259, 850), (258, 830), (253, 818), (248, 784),
    (246, 746), (243, 704), (225, 699), (229, 670), (238, 620), (236, 586), (238, 548), (236, 521), (246, 502),
    (261, 489), (274, 475), (269, 456), (265, 443),
)  # fmt: skip


METRES: Final = 3.0
"""Width of a van, a span of 1, in metres."""


class Kind(StrEnum):
    """What a cut-out shows."""

    VEHICLE = "vehicle"
    PERSON = "person"
    BIKE = "bike"
    GOODS = "goods"
    RUBBISH = "rubbish"
    SHADE = "shade"


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A cut-out: height x width x 4, BGRA, uint8, tight around the object.

    `span` is how wide it looks beside a van of 1 at the same depth, `front` where its headlights are,
    as part of its width and height; None where it has none to show.
    """

    name: str
    kind: Kind
    pixels: Image
    span: float
    front: tuple[float, float] | None = None

    @property
    def aspect(self) -> float:
        """Height by width."""
        return float(self.pixels.shape[0] / self.pixels.shape[1])

    def mirrored(self) -> Sprite:
        front = (1 - self.front[0], self.front[1]) if self.front else None
        return Sprite(
            self.name + "-mirrored", self.kind, np.ascontiguousarray(self.pixels[:, ::-1]), self.span, front
        )


def photos() -> Path:
    """The folder with the sample photos of ultralytics, found without importing it. Raises BadInput."""
    found = importlib.util.find_spec("ultralytics")
    folder = Path(found.origin).parent / "assets" if found and found.origin else None
    if folder is None or not (folder / "bus.jpg").is_file():
        raise BadInput("the sample photos of ultralytics are missing; install it again with `make install`")
    return folder


@lru_cache(maxsize=4)
def wardrobe(shared: Path | None = None) -> Mapping[str, Sprite]:
    """Every cut-out by name: those of the sample photos and, where `shared` is given, its vehicles besides.

    Raises BadInput where a photo cannot be read.
    """
    photo = _read(photos() / "bus.jpg")
    people = _people(photo)
    sprites = {**_vehicles(_whole_bus(photo)), **people, **_drawn(), **_bags(shared), **_things(people)}
    for file in sorted((shared / "footage" / "sprites").glob("*.png")) if shared else []:
        name = f"shared-{file.stem.removeprefix('vehicle_')}"
        pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise BadInput(f"{file}: not a picture")
        sprites[name] = Sprite(name, Kind.VEHICLE, _tight(np.asarray(pixels, np.uint8)), 0.85)
    return MappingProxyType(sprites)


def _read(file: Path) -> Image:
    picture = cv2.imread(str(file))
    if picture is None:
        raise BadInput(f"{file}: not a picture")
    return np.asarray(picture, np.uint8)


def _inside(outline: Corners, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(outline, np.int32)], 255)
    return mask


def _tight(pixels: Image) -> Image:
    x, y, width, height = cv2.boundingRect((pixels[..., 3] > 127).astype(np.uint8))
    return np.ascontiguousarray(pixels[y : y + height, x : x + width])


def _cut(photo: Image, mask: Mask) -> Image:
    """The masked part with a soft edge a pixel or two wide."""
    alpha = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (5, 5), 0)
    return _tight(np.dstack([photo, alpha]).astype(np.uint8))


def _whole_bus(photo: Image) -> Image:
    """The bus as it would stand without the people and bollards before it."""
    bus = _inside(BUS_OUTLINE, photo.shape)
    hidden = np.zeros_like(bus)
    for outline in BUS_HIDDEN:
        hidden |= _inside(outline, photo.shape)
    seen = (bus > 0) & (hidden == 0)
    smooth = cv2.blur(photo * seen[..., None].astype(np.uint8), (9, 3)).astype(np.float32)
    weight = cv2.blur(seen.astype(np.float32), (9, 3))
    smooth /= np.maximum(weight, 1e-3)[..., None]
    filled = photo.copy()
    for y in np.flatnonzero(((bus & hidden) > 0).any(axis=1)):
        known = np.flatnonzero(seen[y])
        lost = np.flatnonzero((bus[y] > 0) & (hidden[y] > 0))
        if len(known):
            for channel in range(3):
                filled[y, lost, channel] = np.interp(lost, known, smooth[y, known, channel])
    _copy_wheel(photo, filled)
    return _cut(filled, bus)


def _copy_wheel(photo: Image, bus: Image) -> None:
    x1, y1, x2, y2 = REAR_WHEEL
    u1, v1, u2, v2 = FRONT_WHEEL
    wheel = photo[y1:y2, x1:x2].copy()
    wheel[:, 48:] = wheel[:, 20::-1][:, : wheel.shape[1] - 48]  # its right edge is hidden by a sleeve
    disc = np.zeros(wheel.shape[:2], np.uint8)
    centre = (wheel.shape[1] // 2, wheel.shape[0] // 2)
    cv2.ellipse(disc, centre, centre, 0, 0, 360, 255, -1)
    for box in ((u1, v1, u2, v2), (x1, y1, x2, y2)):
        size = (box[2] - box[0], box[3] - box[1])
        target = bus[box[1] : box[3], box[0] : box[2]]
        place = cv2.resize(disc, size) > 127
        target[place] = cv2.resize(wheel, size)[place]


def _squeezed(bus: Image, middle: float, height: float) -> Image:
    """A shorter vehicle: the windowed middle squeezed to a part of its width, everything to a part of its height."""
    left, right = 0.44, 0.78
    width = bus.shape[1]
    pieces = (
        bus[:, : int(left * width)],
        bus[:, int(left * width) : int(right * width)],
        bus[:, int(right * width) :],
    )
    squeezed = cv2.resize(
        pieces[1], (max(1, int(pieces[1].shape[1] * middle)), bus.shape[0]), interpolation=cv2.INTER_AREA
    )
    joined = np.hstack([pieces[0], squeezed, pieces[2]])
    return np.asarray(
        cv2.resize(joined, (joined.shape[1], int(joined.shape[0] * height)), interpolation=cv2.INTER_AREA),
        np.uint8,
    )


def _painted(pixels: Image, hue: int, saturation: float, value: float = 1.0) -> Image:
    """The same vehicle in another colour; `hue` in half degrees is added, the others multiply."""
    hsv = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + hue) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * saturation, 0, 255)
    hsv[..., 2] = np.clip(hsv[..., 2] * value, 0, 255)
    return np.dstack([cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR), pixels[..., 3]])


PAINTS: Mapping[str, tuple[int, float, float]] = MappingProxyType(
    {
        "blue": (0, 1.0, 1.0),
        "red": (72, 1.0, 1.0),
        "green": (140, 0.8, 0.9),
        "silver": (0, 0.12, 1.15),
        "orange": (88, 0.9, 1.1),
        "black": (0, 0.2, 0.6),
    }
)
BODIES: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"bus": (1.0, 0.9, 1.5), "minibus": (0.45, 0.88, 1.15), "van": (0.12, 0.8, 1.0)}
)
"""What is left of the middle's width, of the height, and how wide it looks beside a van."""


def _vehicles(bus: Image) -> dict[str, Sprite]:
    made = {}
    for body, (middle, height, span) in BODIES.items():
        shape = _squeezed(bus, middle, height)
        for paint, change in PAINTS.items():
            name = f"{body}-{paint}"
            made[name] = Sprite(name, Kind.VEHICLE, _painted(shape, *change), span, (0.1, 0.78))
    return made


def _people(photo: Image) -> dict[str, Sprite]:
    made = {}
    for name, outline, span in (("man-beige", MAN_IN_BEIGE, 0.22), ("man-dark", MAN_IN_DARK, 0.15)):
        pixels = _cut(photo, _inside(outline, photo.shape))
        made[name] = Sprite(name, Kind.PERSON, pixels, span)
        made[f"{name}-2"] = Sprite(f"{name}-2", Kind.PERSON, _painted(pixels, 0, 0.4, 0.7), span)
    return made


def _drawn() -> dict[str, Sprite]:
    bikes = {
        f"bike-{name}": Sprite(f"bike-{name}", Kind.BIKE, _tight(bicycle(paint, i)), 0.6)
        for i, (name, paint) in enumerate(BIKE_PAINTS.items())
    }
    return {**bikes, "parasol": Sprite("parasol", Kind.GOODS, _tight(parasol((40, 40, 190), 9)), 0.8)}


def _things(people: Mapping[str, Sprite]) -> dict[str, Sprite]:
    """Riders count as goods: no rule is about one of them standing."""
    made = things({name: person.pixels for name, person in people.items()})
    return {
        name: Sprite(name, Kind.GOODS, _tight(thing.pixels), thing.width_m / METRES)
        for name, thing in made.items()
    }


def _bags(shared: Path | None) -> dict[str, Sprite]:
    """Drawn bags, in their places real ones where `shared` holds any, and what is to be told from them."""
    bags = [drawn_bag(index) for index in range(BAGS)]
    folder = shared / "datasets" / "trashbags" / "val" if shared else None
    real = real_bags(folder) if folder and folder.is_dir() else []
    bags[: len(real)] = real
    made = {f"bag-{i}": Sprite(f"bag-{i}", Kind.RUBBISH, _tight(bag), 0.16) for i, bag in enumerate(bags)}
    made["bin"] = Sprite("bin", Kind.GOODS, _tight(bin_on_wheels()), 0.22)
    made["shade"] = Sprite("shade", Kind.SHADE, _tight(shade()), 0.2)
    return made
