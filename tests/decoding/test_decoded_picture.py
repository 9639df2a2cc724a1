"""Parts of a decoded picture at the camera's own resolution, in every format that cameras write."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st
from video_fixture import Maker

from detector.core.values import Image
from detector.decoding.native import DecodedPicture
from detector.decoding.orientation import Orientation
from detector.decoding.reader import Reader

FORMATS = ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuvj422p", "yuv444p", "yuv420p10le")


def coloured(width: int, height: int) -> Image:
    """Soft colours, so that what a format leaves of them is close to what they were."""
    y, x = np.mgrid[0:height, 0:width]
    blue, green, red = (
        128 + 90 * np.sin(x / 40),
        128 + 90 * np.cos(y / 30),
        60 + 120 * (x + y) / (width + height),
    )
    return np.stack([blue, green, red], axis=2).astype(np.uint8)


def decoded(pixel_format: str, width: int = 320, height: int = 180) -> DecodedPicture:
    frame = av.VideoFrame.from_ndarray(coloured(width, height), format="bgr24").reformat(format=pixel_format)
    return DecodedPicture(frame, VideoReformatter())


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(
    "box", [(0, 0, 320, 180), (64, 32, 200, 130), (33, 17, 98, 60), (301, 151, 320, 180)]
)
def test_a_crop_shows_the_colours_of_its_part(pixel_format: str, box: tuple[int, int, int, int]) -> None:
    x1, y1, x2, y2 = box
    cut = decoded(pixel_format).crop(*box)
    assert cut.shape == (y2 - y1, x2 - x1, 3)
    difference = np.abs(cut.astype(int) - coloured(320, 180)[y1:y2, x1:x2])
    assert difference.mean() < 3
    assert difference.max() < 24


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_the_luma_is_that_of_the_picture(pixel_format: str) -> None:
    luma = decoded(pixel_format).luma()
    assert luma.shape == (180, 320)
    weighed = coloured(320, 180) @ np.array([0.114, 0.587, 0.299])
    assert np.corrcoef(luma.ravel(), weighed.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    "turn", [Orientation(swaps=True, reverses_x=True), Orientation(reverses_x=True, reverses_y=True)]
)
def test_a_turned_picture_is_cut_as_it_is_shown(turn: Orientation) -> None:
    frame = av.VideoFrame.from_ndarray(coloured(320, 180), format="bgr24").reformat(format="yuv420p")
    picture, shown = DecodedPicture(frame, VideoReformatter(), turn), turn.shown(coloured(320, 180))
    assert picture.wh == shown.shape[1::-1]
    assert np.abs(picture.crop(20, 30, 120, 170).astype(int) - shown[30:170, 20:120]).mean() < 3
    assert picture.luma().shape == shown.shape[:2]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12"])
def test_a_picture_of_odd_sides_is_cut_up_to_its_edges(pixel_format: str) -> None:
    assert decoded(pixel_format, 321, 181).crop(300, 160, 321, 181).shape == (21, 21, 3)


@given(st.integers(-5, 330), st.integers(-5, 190), st.integers(-5, 330), st.integers(-5, 190))
def test_a_crop_lies_within_the_picture_or_is_refused(x1: int, y1: int, x2: int, y2: int) -> None:
    picture = decoded("yuv420p")
    if 0 <= x1 < x2 <= 320 and 0 <= y1 < y2 <= 180:
        assert picture.crop(x1, y1, x2, y2).shape == (y2 - y1, x2 - x1, 3)
    else:
        with pytest.raises(ValueError, match="is not within 320 x 180"):
            picture.crop(x1, y1, x2, y2)


def test_a_reader_gives_the_decoded_picture_where_it_is_asked_for(make: Maker) -> None:
    made = make()
    with Reader(made.path) as reader:
        small = reader.frame_at(0.0, fit_wh=(64, 48), native=True)
        assert small.image.shape[:2] == (48, 64)  # type: ignore[union-attr]
        assert small.native.wh == (160, 120)  # type: ignore[union-attr]
        assert small.native.crop(0, 0, 160, 120).shape == (120, 160, 3)  # type: ignore[union-attr]
        assert reader.frame_at(0.0, fit_wh=(64, 48)).native is None  # type: ignore[union-attr]
