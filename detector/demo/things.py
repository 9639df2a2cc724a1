"""Cut-outs for streets in perspective: riders on motorcycles, street furniture, and stalls that COCO has no name for.

Drawn, but for the riders: their upper part is a person of the sample photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from detector.core.values import Image
from detector.demo.drawn import BLACK, GREY, STEEL, Colour, Pen, bicycle

RIDER_PAINTS: Final[Mapping[str, Colour]] = MappingProxyType(
    {"red": (44, 44, 168), "blue": (140, 84, 36), "white": (206, 206, 202), "black": (46, 44, 44)}
)


@dataclass(frozen=True, slots=True)
class Thing:
    """A cut-out, BGRA, and its width in metres."""

    pixels: Image
    width_m: float


def motorcycle_side(paint: Colour, person: Image, seed: int) -> Thing:
    """A scooter with its rider from the side, facing left."""
    pen = Pen(360, 250)
    for hub in ((70, 196), (286, 196)):
        pen.arc(hub, (50, 50), BLACK)
        pen.arc(hub, (26, 26), STEEL)
        pen.arc(hub, (9, 9), GREY)
    pen.shape([(44, 136), (88, 70), (112, 74), (128, 168), (206, 176), (212, 120), (330, 104), (344, 150), (300, 164),
               (250, 190), (118, 206), (92, 160)], paint)  # fmt: skip
    pen.shape([(196, 108), (326, 92), (334, 110), (206, 126)], BLACK)
    pen.line((96, 84), (104, 34), GREY, 9)
    pen.line((84, 34), (128, 28), BLACK, 9)
    pen.arc((82, 62), (15, 17), (214, 226, 230))
    pen.arc((346, 128), (9, 12), (40, 40, 200))
    pen.line((250, 196), (338, 206), STEEL, 11)
    pen.line((226, 116), (150, 136), (58, 52, 50), 34)
    pen.line((150, 136), (148, 196), (58, 52, 50), 26)
    pen.line((128, 198), (164, 198), BLACK, 14)
    return Thing(_with_rider(pen.done(seed), person, (232, 132), 185), 1.95)


def cyclist(paint: Colour, person: Image, seed: int) -> Thing:
    """A bicycle with its rider from the side, facing left."""
    return Thing(_with_rider(bicycle(paint, seed), person, (214, 60), 190), 1.9)


def motorcycle_end(paint: Colour, person: Image, seed: int, *, rear: bool) -> Thing:
    """A scooter with its rider from the front or the rear."""
    pen = Pen(130, 190)
    pen.shape([(50, 96), (80, 96), (78, 186), (52, 186)], BLACK)
    pen.shape([(34, 20), (96, 20), (104, 86), (84, 128), (46, 128), (26, 86)], paint)
    lamp: Colour = (36, 36, 206) if rear else (226, 236, 238)
    pen.arc((65, 60), (15, 13), lamp)
    pen.line((6, 22), (124, 22), GREY, 7)
    for x in (10, 120):
        pen.arc((x, 12), (9, 7), BLACK)
    for x in (26, 104):
        pen.line((x, 40), (x + (65 - x) // 8, 132), (60, 54, 52), 24)
    pen.shape([(44, 142), (86, 142), (82, 160), (48, 160)], (206, 210, 210) if rear else GREY)
    return Thing(_with_rider(pen.done(seed), person, (65, 64), 150), 0.8)


def _with_rider(vehicle: Image, person: Image, seat: tuple[int, int], tall: int) -> Image:
    """The upper half of a person above a seat, behind what is drawn."""
    half = person[: int(person.shape[0] * 0.56)]
    wide = round(half.shape[1] * tall / half.shape[0])
    upper = cv2.resize(half, (wide, tall), interpolation=cv2.INTER_AREA)
    above = max(0, tall - seat[1])
    canvas = np.zeros((vehicle.shape[0] + above, vehicle.shape[1], 4), np.uint8)
    x = max(0, min(vehicle.shape[1] - wide, seat[0] - wide // 2))
    wide = min(wide, vehicle.shape[1])
    canvas[seat[1] + above - tall : seat[1] + above, x : x + wide] = upper[:, :wide]
    part = vehicle[..., 3:].astype(np.float32) / 255
    under = canvas[above:].astype(np.float32)
    under[..., :3] = vehicle[..., :3] * part + under[..., :3] * (1 - part)
    under[..., 3:] = np.maximum(under[..., 3:], vehicle[..., 3:])
    canvas[above:] = under.astype(np.uint8)
    return canvas


def guard_rail() -> Thing:
    """A piece of guard rail on three posts."""
    pen = Pen(480, 90)
    for x in (40, 240, 440):
        pen.line((x, 30), (x, 88), (92, 94, 96), 12)
    for y, shade in ((14, 190), (24, 150), (34, 198), (44, 140)):
        pen.line((0, y), (480, y), (shade, shade, shade), 11)
    return Thing(pen.done(61), 6.0)


def container() -> Thing:
    """An open steel container for rubble."""
    pen = Pen(360, 150)
    pen.shape([(4, 14), (356, 14), (318, 128), (44, 128)], (52, 92, 168))
    pen.line((0, 16), (360, 16), (44, 78, 140), 12)
    for x in range(50, 330, 44):
        pen.line((x, 22), (180 + (x - 180) * 6 // 7, 126), (42, 76, 138), 8)
    for x in (80, 280):
        pen.arc((x, 134), (15, 15), BLACK)
    pen.shape([(20, 14), (90, 2), (200, 8), (330, 14)], (96, 116, 128))
    return Thing(pen.done(62), 3.4)


def signboard() -> Thing:
    """A shop's sign on two posts: panels and bars that look like a windscreen over a bonnet."""
    pen = Pen(320, 190)
    for x in (50, 270):
        pen.line((x, 120), (x, 188), (70, 72, 76), 12)
    pen.shape([(6, 8), (314, 8), (314, 126), (6, 126)], (40, 56, 176))
    pen.shape([(22, 20), (298, 20), (290, 62), (30, 62)], (104, 92, 80))
    pen.shape([(26, 74), (294, 74), (294, 114), (26, 114)], (214, 218, 220))
    for x in (46, 274):
        pen.arc((x, 94), (13, 13), (60, 190, 236))
    return Thing(pen.done(63), 2.6)


def statue() -> Thing:
    """A bronze figure on a block of stone."""
    pen = Pen(120, 320)
    pen.shape([(14, 210), (106, 210), (114, 318), (6, 318)], (150, 156, 160))
    pen.line((8, 212), (112, 212), (170, 176, 180), 12)
    bronze: Colour = (62, 82, 74)
    pen.arc((60, 34), (17, 21), bronze)
    pen.shape([(36, 62), (84, 62), (94, 140), (80, 206), (42, 206), (28, 140)], bronze)
    pen.line((86, 72), (106, 30), bronze, 13)
    pen.line((36, 72), (22, 132), bronze, 13)
    return Thing(pen.done(64), 1.3)


def tricycle() -> Thing:
    """A cargo tricycle, its box covered with a cloth, boxes beside the cloth."""
    pen = Pen(380, 230)
    for hub, reach in (((62, 182), 44), ((300, 182), 44)):
        pen.arc(hub, (reach, reach), BLACK, 9)
        pen.arc(hub, (reach - 9, reach - 9), STEEL, 2)
        pen.arc(hub, (7, 7), GREY)
    pen.line((62, 182), (96, 82), GREY, 9)
    pen.line((84, 74), (122, 66), BLACK, 9)
    pen.line((92, 110), (176, 176), (40, 96, 60), 11)
    pen.line((150, 150), (150, 104), GREY, 8)
    pen.shape([(132, 96), (172, 96), (168, 110), (136, 110)], BLACK)
    pen.shape([(190, 112), (374, 112), (366, 176), (196, 176)], (58, 108, 72))
    pen.shape([(184, 112), (214, 52), (330, 44), (378, 112)], (64, 140, 206))
    pen.shape([(226, 30), (284, 26), (288, 62), (228, 66)], (70, 120, 168))
    pen.shape([(290, 38), (330, 36), (334, 66), (292, 68)], (90, 148, 190))
    return Thing(pen.done(65), 2.6)


def tarpaulin() -> Thing:
    """A sheet on poles over a low table with goods."""
    pen = Pen(400, 300)
    for x in (30, 370):
        pen.line((x, 70), (x, 298), (120, 126, 130), 7)
    pen.shape([(4, 92), (56, 20), (344, 8), (396, 84), (330, 96), (200, 78), (80, 100)], (150, 96, 40))
    pen.line((56, 20), (344, 8), (176, 120, 60), 5)
    pen.shape([(60, 206), (340, 200), (352, 232), (48, 238)], (88, 112, 136))
    for x, colour in (
        (76, (40, 60, 190)),
        (128, (40, 150, 200)),
        (186, (60, 140, 60)),
        (240, (40, 110, 210)),
        (290, (70, 70, 170)),
    ):
        pen.shape([(x, 180), (x + 46, 178), (x + 48, 208), (x - 2, 210)], colour)
    for x in (70, 330):
        pen.line((x, 232), (x, 296), (90, 94, 98), 8)
    return Thing(pen.done(66), 3.0)  # fmt: skip


def table() -> Thing:
    """A folding table with a cloth and goods in heaps."""
    pen = Pen(300, 150)
    for x in (30, 270):
        pen.line((x, 70), (x + (150 - x) // 9, 148), (100, 104, 108), 8)
    pen.shape([(8, 56), (292, 52), (296, 104), (4, 108)], (170, 176, 190))
    for x, colour in (
        (40, (44, 70, 200)),
        (104, (50, 160, 190)),
        (168, (70, 130, 70)),
        (232, (60, 120, 205)),
    ):
        pen.arc((x, 54), (30, 24), colour, turn=(180, 360))
    return Thing(pen.done(67), 1.8)


FIXTURES: Final = ("guard-rail", "container", "signboard", "statue")
STALLS: Final = ("tricycle", "tarpaulin", "table")
RIDERS: Final = tuple(f"rider-{paint}" for paint in RIDER_PAINTS)
RIDER_VIEWS: Final = ("side", "front", "rear")


def things(people: Mapping[str, Image]) -> dict[str, Thing]:
    """All of them by name; riders as 'rider-PAINT-side', '-front' and '-rear'. `people` are cut-outs of whole persons."""
    made = {
        "guard-rail": guard_rail(), "container": container(), "signboard": signboard(), "statue": statue(),
        "tricycle": tricycle(), "tarpaulin": tarpaulin(), "table": table(),
    }  # fmt: skip
    persons = list(people.values())
    for i, (name, paint) in enumerate(RIDER_PAINTS.items()):
        person = persons[i % len(persons)]
        made[f"rider-{name}-side"] = motorcycle_side(paint, person, 70 + i)
        made[f"cyclist-{name}-side"] = cyclist(paint, person, 75 + i)
        made[f"rider-{name}-front"] = motorcycle_end(paint, person, 80 + i, rear=False)
        made[f"rider-{name}-rear"] = motorcycle_end(paint, person, 90 + i, rear=True)
    return made
