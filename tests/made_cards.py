"""Cards that recorders draw where a camera gives no picture, and streets that only look a little like them.

All are drawn in code from a seed. `encoded` sends pictures through H.264 as a recorder would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from detector.core.values import Frame, Image
from detector.decoding.encoder import VideoWriter
from detector.decoding.reader import Reader
from detector.evidence.text import draw_text

SIZE_WH = (640, 360)
FPS = 2.0
Drawn = Callable[[int], Image]
"""The picture of one moment, by its number."""

WHITE = (255, 255, 255)
BLUE, BLACK, GREY, GREEN, NAVY, DIM = (
    (255, 0, 0), (0, 0, 0), (128, 128, 128), (0, 100, 0), (65, 42, 27), (16, 16, 16),
)  # fmt: skip


def write(image: Image, text: str, at: tuple[int, int], size_px: int, colour: tuple[int, int, int]) -> None:
    draw_text(image, text, at, size_px, colour)


def clock(image: Image, i: int) -> None:
    write(image, f"2026-01-08 08:{i // 60 % 60:02d}:{i % 60:02d}", (10, 30), 22, WHITE)


def plain(colour: tuple[int, int, int], text: str, *, size_px: int = 40, runs: bool = True) -> Drawn:
    def draw(i: int) -> Image:
        image = np.full((*SIZE_WH[::-1], 3), colour, np.uint8)
        write(image, text, (200, 190), size_px, WHITE)
        if runs:
            clock(image, i)
        return image

    return draw


def bars(text: str) -> Drawn:
    colours = [
        (191, 191, 191),
        (0, 191, 191),
        (191, 191, 0),
        (0, 191, 0),
        (191, 0, 191),
        (0, 0, 191),
        (191, 0, 0),
    ]

    def draw(i: int) -> Image:
        width, height = SIZE_WH
        columns = np.repeat(np.array(colours, np.uint8), width // 7 + 1, axis=0)[:width]
        image = np.broadcast_to(columns, (height, width, 3)).copy()
        image[height * 3 // 4 :] = 20
        write(image, text, (230, 330), 30, WHITE)
        clock(image, i)
        return image

    return draw


def bouncing(colour: tuple[int, int, int], logo: str) -> Drawn:
    def draw(i: int) -> Image:
        image = np.full((*SIZE_WH[::-1], 3), colour, np.uint8)
        write(image, logo, (20 + i * 37 % 330, 60 + i * 23 % 260), 46, (0, 165, 255))
        return image

    return draw


def snow(text: str) -> Drawn:
    def draw(i: int) -> Image:
        grey = np.random.default_rng(i).integers(0, 256, SIZE_WH[::-1], np.uint8)
        image = np.repeat(grey[..., None], 3, axis=2)
        write(image, text, (230, 200), 40, WHITE)
        return image

    return draw


def noisy(colour: tuple[int, int, int], text: str, sigma: float) -> Drawn:
    still = plain(colour, text)

    def draw(i: int) -> Image:
        noise = np.random.default_rng(i).normal(0, sigma, (*SIZE_WH[::-1], 1))
        return np.clip(still(i) + noise, 0, 255).astype(np.uint8)

    return draw


CARDS: dict[str, Drawn] = {
    "blue, VIDEO LOSS": plain(BLUE, "VIDEO LOSS"),
    "blue, without a clock": plain(BLUE, "NO SIGNAL", runs=False),
    "black, VIDEO LOSS": plain(BLACK, "VIDEO LOSS"),
    "grey, NO SIGNAL": plain(GREY, "NO SIGNAL"),
    "green, NO VIDEO": plain(GREEN, "NO VIDEO"),
    "dim, NO SIGNAL": plain(DIM, "NO SIGNAL", size_px=24),
    "blue, Chinese": plain(BLUE, "无视频信号", size_px=60, runs=False),
    "black, Chinese": plain(BLACK, "视频丢失"),
    "colour bars": bars("NO SIGNAL"),
    "moving logo on black": bouncing(BLACK, "KERBVISION"),
    "moving logo on navy": bouncing(NAVY, "视讯"),
    "snow": snow("NO SIGNAL"),
    "blue with noise": noisy(BLUE, "VIDEO LOSS", 4.0),
}


def street(seed: int) -> Image:
    """A view with texture at all scales, soft shades, and a road, as streets have."""
    chance = np.random.default_rng(seed)
    width, height = SIZE_WH
    coarse = chance.normal(0, 1, (9, 16)).astype(np.float32)
    fine = chance.normal(0, 1, (height, width)).astype(np.float32)
    shade = 110 + 30 * cv2.resize(coarse, SIZE_WH, interpolation=cv2.INTER_CUBIC)
    shade += (
        12 * cv2.GaussianBlur(fine, (0, 0), 3.0) * 6 + np.linspace(40, -30, height, dtype=np.float32)[:, None]
    )
    picture = np.clip(shade, 5, 250).astype(np.uint8)[..., None].repeat(3, axis=2)
    for _ in range(60):
        x, y = int(chance.integers(width)), int(chance.integers(height // 4, height))
        w, h = (int(v) for v in chance.integers(6, 70, 2))
        colour = tuple(int(v) for v in chance.integers(10, 245, 3))
        cv2.rectangle(picture, (x, y), (x + w, y + h), colour, -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.uint8)


def taken(change: Callable[[np.ndarray, int], np.ndarray], *, sigma: float = 1.5, text: bool = True) -> Drawn:
    """A street as a camera takes it, changed by light or weather, with noise and a clock burned in."""
    view = street(11).astype(np.float32)

    def draw(i: int) -> Image:
        noise = np.random.default_rng(i).normal(0, sigma, view.shape)
        image = np.clip(change(view, i) + noise, 0, 255).astype(np.uint8)
        if text:
            clock(image, i)
        return image

    return draw


def _lamps(view: np.ndarray, _: int) -> np.ndarray:
    """Nearly black, with three lamps that light what is near them."""
    height, width = view.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = sum(
        np.exp(-((x - a) ** 2 + (y - b) ** 2) / 2 / 28**2) for a, b in ((90, 120), (330, 90), (560, 150))
    )
    return np.asarray(view * 0.03 + view * 1.2 * np.asarray(light)[..., None])


def _large_text(view: np.ndarray, i: int) -> np.ndarray:
    image = np.clip(view, 0, 255).astype(np.uint8)
    write(image, "RENMIN ROAD EAST", (30, 120), 60, WHITE)
    write(image, "人民路东段 01", (60, 300), 70, WHITE)
    return image.astype(np.float32)


def _rain(view: np.ndarray, i: int) -> np.ndarray:
    chance = np.random.default_rng(i)
    drops = cv2.blur((chance.random(view.shape[:2]) > 0.97).astype(np.float32), (1, 11))
    return np.asarray(90 + (view - 128) * 0.4 + 400 * drops[..., None])


def _wall(view: np.ndarray, _: int) -> np.ndarray:
    height, width = view.shape[:2]
    wall = np.linspace(60, 95, width)[None, :] + np.linspace(10, -10, height)[:, None]
    wall[height * 4 // 5 :] -= 25
    return np.repeat(wall[..., None], 3, axis=2)


STREETS: dict[str, Drawn] = {
    "by day": taken(lambda view, _: view),
    "nearly black": taken(lambda view, _: view * 0.06),
    "nearly black with lamps": taken(_lamps),
    "night that hardly changes": taken(lambda view, _: view * 0.2, sigma=0.3),
    "fog": taken(lambda view, _: cv2.GaussianBlur(170 + (view - 128) * 0.12, (0, 0), 2.0), sigma=1.0),
    "heavy rain": taken(_rain),
    "snow-covered": taken(lambda view, _: np.minimum(245, 205 + (view - 128) * 0.2)),
    "plain wall in the evening": taken(_wall),
    "large burned-in text": taken(_large_text),
    "overexposed": taken(lambda view, _: view * 2.2),
    "noisy at night": taken(lambda view, _: view * 0.3, sigma=14.0),
}


def encoded(draw: Drawn, path: Path, looks: int = 2, kbit_s: int | None = None) -> list[Image]:
    """Some of the pictures as they come out of a recording."""
    with VideoWriter(path, SIZE_WH, FPS, keyframe_every=4, kbit_s=kbit_s, threads=1) as writer:
        for i in range(4 * looks):
            writer.write(draw(i), i / FPS)
    with Reader(path) as reader:
        frames = [reader.frame_at(4 * k / FPS, 0.0, (640, 384)) for k in range(looks)]
    assert all(isinstance(frame, Frame) for frame in frames)
    return [frame.image for frame in frames if isinstance(frame, Frame)]
