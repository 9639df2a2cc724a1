"""Made videos whose pictures tell their own number. A room's conftest imports the fixtures that it wants from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from detector.core.values import Frame, Image
from detector.decoding.encoder import VideoWriter

WIDTH, HEIGHT = 160, 120
FPS = 10.0
BITS = 10

FORMATS = [
    (codec, suffix)
    for codec, suffixes in (
        ("libx264", ("mp4", "mkv", "avi", "ts")),
        ("libx265", ("mp4", "mkv", "ts")),
        ("mpeg4", ("mp4", "mkv", "avi", "ts")),
        ("mjpeg", ("mkv", "avi")),
    )
    for suffix in suffixes
]


def picture(index: int) -> Image:
    """A picture that says which one it is: black and white bars, the number's bits from left to right."""
    bars = [255 if index >> bit & 1 else 0 for bit in range(BITS)]
    row = np.repeat(np.array(bars, np.uint8), WIDTH // BITS)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)))


def index_of(frame: Frame) -> int:
    """Which picture a frame shows."""
    bars = frame.image.mean(axis=(0, 2)).reshape(BITS, -1).mean(axis=1) > 128
    return sum(int(bar) << bit for bit, bar in enumerate(bars))


@dataclass(frozen=True)
class Made:
    """A made video: the moments of its pictures in seconds, and whether a keyframe stands at each."""

    path: Path
    times_s: tuple[float, ...]
    keyframe_every: int

    def shown_at(self, offset_s: float) -> int:
        """The picture that shows at an offset."""
        before = [i for i, t in enumerate(self.times_s) if t - self.times_s[0] <= offset_s + 1e-6]
        return before[-1]

    @property
    def duration_s(self) -> float:
        return self.times_s[-1] - self.times_s[0] + 1 / FPS


Maker = Callable[..., Made]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Writes a video once; asked again for the same, gives the same file."""
    folder = tmp_path_factory.mktemp("videos")

    @cache
    def made(
        codec: str = "libx264",
        suffix: str = "mp4",
        *,
        pictures: int = 60,
        keyframe_every: int = 10,
        b_frames: int | None = None,
        times_s: Sequence[float] | None = None,
    ) -> Made:
        moments = tuple(times_s or (i / FPS for i in range(pictures)))
        path = folder / f"{len(list(folder.iterdir()))}.{suffix}"
        with VideoWriter(
            path, (WIDTH, HEIGHT), FPS, codec=codec, keyframe_every=keyframe_every, b_frames=b_frames,
            crf=12, preset="ultrafast" if b_frames is None else "veryfast",
        ) as writer:  # fmt: skip
            for index, at_s in enumerate(moments):
                writer.write(picture(index), at_s)
        return Made(path, moments, keyframe_every)

    return made


@pytest.fixture(scope="session")
def moved(make: Maker, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Made, str, float], Made]:
    """The same packets in another container, later by some seconds."""
    folder = tmp_path_factory.mktemp("moved")

    def remuxed(made: Made, suffix: str, later_s: float) -> Made:
        path = folder / f"{made.path.stem}-{later_s:g}.{suffix}"
        with av.open(str(made.path)) as source, av.open(str(path), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    shift = round(later_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    target.mux(packet)
        return Made(path, made.times_s, made.keyframe_every)

    return remuxed
