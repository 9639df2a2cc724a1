"""Display matrices: pictures are turned and mirrored as players do it."""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np
import pytest

from detector.core.values import Frame, Image
from detector.decoding.encoder import VideoWriter
from detector.decoding.orientation import Orientation
from detector.decoding.reader import Reader, probe

TURNS = (0, 90, 180, 270)


def corners(size_wh: tuple[int, int]) -> Image:
    """A picture whose four quarters are black, blue, green and red, row by row."""
    width, height = size_wh
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, width // 2 :] = (220, 0, 0)
    image[height // 2 :, : width // 2] = (0, 220, 0)
    image[height // 2 :, width // 2 :] = (0, 0, 220)
    return image


def stored(path: Path, size_wh: tuple[int, int], *, degrees: int, hflip: bool, vflip: bool) -> None:
    """A recording of `corners` whose container says how it is to be shown."""
    plain = path.with_name(f"plain-{path.name}")
    with VideoWriter(plain, size_wh, 5, keyframe_every=5) as writer:
        for _ in range(15):
            writer.write(corners(size_wh))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        out = target.add_stream_from_template(stream)
        out.set_display_rotation(degrees, hflip=hflip, vflip=vflip)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = out
                target.mux(packet)


def as_shown(image: Image, *, degrees: int, hflip: bool, vflip: bool) -> Image:
    """The answer, by numpy: turned against the clock, then mirrored."""
    turned = np.rot90(image, degrees // 90)
    turned = np.fliplr(turned) if hflip else turned
    return np.flipud(turned) if vflip else turned


def picture(path: Path, fit_wh: tuple[int, int] | None = None, at_s: float = 0.0) -> Image:
    with Reader(path) as reader:
        frame = reader.frame_at(at_s, 4.0 if fit_wh else 0.0, fit_wh)
    assert isinstance(frame, Frame)
    return frame.image


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("small", [False, True])
def test_a_picture_is_turned_and_mirrored_as_its_display_matrix_says(
    tmp_path: Path, degrees: int, kind: str, *, hflip: bool, small: bool
) -> None:
    path, size = tmp_path / f"clip.{kind}", (96, 64)
    stored(path, size, degrees=degrees, hflip=hflip, vflip=False)
    want = as_shown(corners(size), degrees=degrees, hflip=hflip, vflip=False)
    height, width = want.shape[:2]
    assert probe(path).resolution_wh == (width, height)
    got = picture(path, (width // 3, height // 3) if small else None, at_s=1.5)
    assert got.shape[:2] == ((height // 3, width // 3) if small else (height, width))
    rows, columns = got.shape[0] // 4, got.shape[1] // 4
    for y in (rows, 3 * rows):
        for x in (columns, 3 * columns):
            there = want[y * want.shape[0] // got.shape[0], x * want.shape[1] // got.shape[1]]
            assert np.abs(got[y, x].astype(int) - there).max() < 40


@pytest.mark.parametrize("seed", range(12))
def test_made_turns_of_many_sizes_show_the_same_quarters(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    size = (chance.randrange(32, 200, 2), chance.randrange(32, 200, 2))
    turn = {"degrees": chance.choice(TURNS), "hflip": chance.random() < 0.5, "vflip": chance.random() < 0.5}
    path = tmp_path / "clip.mp4"
    stored(path, size, **turn)  # type: ignore[arg-type]
    want = as_shown(corners(size), **turn)  # type: ignore[arg-type]
    got = picture(path)
    assert got.shape == want.shape
    assert probe(path).resolution_wh == want.shape[1::-1]
    assert np.abs(got.astype(int) - want).mean() < 12


def test_the_large_picture_and_the_small_one_are_turned_alike(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    stored(path, (160, 96), degrees=90, hflip=False, vflip=False)
    with Reader(path) as reader:
        frame = reader.frame_at(0.0, 4.0, (24, 40), (96, 160))
    assert isinstance(frame, Frame)
    assert frame.large is not None
    assert (frame.image.shape[:2], frame.large.shape[:2]) == ((40, 24), (160, 96))


def test_an_orientation_without_a_turn_leaves_a_picture_as_it_is() -> None:
    image = corners((8, 6))
    assert Orientation().shown(image) is image
    assert Orientation(swaps=True).size((8, 6)) == (6, 8)
