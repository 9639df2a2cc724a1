"""The picture at a moment, in every format that recorders write."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_fixture import FORMATS, FPS, HEIGHT, WIDTH, Made, Maker, index_of

from detector.core.values import Frame
from detector.decoding import reader
from detector.decoding.reader import Missed, Reader, frames_at, probe

Mover = Callable[[Made, str, float], Made]


def shown(made: Made, *offsets_s: float, tolerance_s: float = 0.0) -> list[int | None]:
    """Which pictures show at the offsets; None where there is none."""
    return [
        index_of(frame) if isinstance(frame, Frame) else None
        for frame in frames_at(made.path, offsets_s, tolerance_s=tolerance_s)
    ]


@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_every_format_says_what_it_holds(make: Maker, codec: str, suffix: str) -> None:
    made = make(codec, suffix)
    info = probe(made.path)
    assert info.resolution_wh == (WIDTH, HEIGHT)
    assert info.duration_s == pytest.approx(made.duration_s, abs=1.5 / FPS)
    assert not info.truncated
    assert info.codec == {"libx264": "h264", "libx265": "hevc"}.get(codec, codec)


@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_every_format_shows_the_picture_of_the_moment(make: Maker, codec: str, suffix: str) -> None:
    made = make(codec, suffix)
    offsets_s = [0.0, 0.05, 0.1, 0.95, 1.0, 2.34, 3.0, 4.99, 5.9]
    assert shown(made, *offsets_s) == [made.shown_at(t) for t in offsets_s]


@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_moments_may_come_in_any_order(make: Maker, codec: str, suffix: str) -> None:
    made = make(codec, suffix)
    offsets_s = [4.2, 0.0, 4.3, 1.05, 5.9, 1.0]
    with Reader(made.path) as reader:
        frames = [reader.frame_at(t) for t in offsets_s]
    assert [index_of(f) for f in frames if isinstance(f, Frame)] == [made.shown_at(t) for t in offsets_s]


@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_the_hash_of_a_picture_does_not_depend_on_what_was_looked_at_before(
    make: Maker, codec: str, suffix: str
) -> None:
    made = make(codec, suffix)
    offsets_s = [i / 20 for i in range(118)]
    with Reader(made.path) as reader:
        on_and_on = [reader.frame_at(t) for t in offsets_s]
    shuffled = random.Random(1).sample(offsets_s, 30)
    with Reader(made.path) as reader:
        for offset_s in shuffled:
            frame, before = reader.frame_at(offset_s), on_and_on[offsets_s.index(offset_s)]
            assert isinstance(frame, Frame)
            assert isinstance(before, Frame)
            assert (frame.offset_s, frame.source_sha256) == (before.offset_s, before.source_sha256)
            assert np.array_equal(frame.image, before.image)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_pictures_have_hashes_of_their_own(make: Maker, b_frames: int) -> None:
    made = make(keyframe_every=20, b_frames=b_frames)
    hashes = {f.source_sha256 for f in frames_at(made.path, made.times_s) if isinstance(f, Frame)}
    assert len(hashes) == len(made.times_s)


@pytest.mark.parametrize(("codec", "suffix"), [f for f in FORMATS if f[0] != "mjpeg" and f[1] != "ts"])
def test_a_keyframe_near_enough_serves(make: Maker, codec: str, suffix: str) -> None:
    made = make(codec, suffix)
    assert shown(made, 2.3, 3.4, tolerance_s=0.5) == [20, 30]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_in_a_stream_without_an_index_some_keyframe_near_enough_serves(make: Maker, codec: str) -> None:
    found = shown(make(codec, "ts", pictures=240), 12.3, 19.7, tolerance_s=7.0)
    assert [index % 10 for index in found if index is not None] == [0, 0]


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_pictures_out_of_order_in_a_container_show_by_their_own_time(make: Maker, suffix: str) -> None:
    made = make("libx264", suffix, b_frames=2)
    moments = made.times_s[:-4]  # AVI does not say when the last pictures show
    assert shown(made, *moments) == [made.shown_at(t) for t in moments]


@pytest.mark.parametrize("tolerance_s", [0.2, 0.5, 3.0])
@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_a_picture_is_never_later_than_the_moment_nor_too_early(
    make: Maker, codec: str, suffix: str, tolerance_s: float
) -> None:
    made = make(codec, suffix)
    offsets_s = [0.3, 0.9, 2.3, 2.9, 4.01, 5.85]
    for offset_s, frame in zip(
        offsets_s, frames_at(made.path, offsets_s, tolerance_s=tolerance_s), strict=True
    ):
        assert isinstance(frame, Frame)
        assert offset_s - tolerance_s - 1 / FPS <= frame.offset_s <= offset_s + 1e-6


@pytest.mark.parametrize("b_frames", [0, 3])
def test_where_keyframes_are_sparse_the_pictures_between_are_decoded(make: Maker, b_frames: int) -> None:
    made = make(pictures=120, keyframe_every=120, b_frames=b_frames)
    offsets_s = [1.0, 3.3, 7.7, 11.9]
    assert shown(made, *offsets_s, tolerance_s=0.5) == [made.shown_at(t) for t in offsets_s]


@pytest.mark.parametrize(
    ("suffix", "b_frames", "thoroughly"),
    [("mp4", 0, 0), ("mp4", 2, 1), ("mov", 0, 0), ("mkv", 0, 1), ("mkv", 2, 1), ("ts", 0, 1)],
)
def test_a_file_whose_header_tells_all_is_opened_without_decoding(
    make: Maker, monkeypatch: pytest.MonkeyPatch, suffix: str, b_frames: int, thoroughly: int
) -> None:
    made = make("libx264", suffix, b_frames=b_frames)
    opened: list[Path] = []
    real = reader.Reader._open
    monkeypatch.setattr(reader.Reader, "_open", lambda own: opened.append(own.path) or real(own))
    assert shown(made, 0.0, 2.34, 5.9) == [made.shown_at(t) for t in (0.0, 2.34, 5.9)]
    assert len(opened) == thoroughly


@settings(max_examples=15)
@given(st.lists(st.floats(0, 5.99), min_size=1, max_size=6), st.sampled_from(["mp4", "mkv", "ts"]))
def test_pictures_that_were_written_out_of_order_show_in_order(
    make: Maker, offsets_s: list[float], suffix: str
) -> None:
    made = make("libx264", suffix, b_frames=3)
    offsets_s.sort()
    assert shown(made, *offsets_s) == [made.shown_at(t) for t in offsets_s]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_variable_frame_rate_is_followed(make: Maker, suffix: str) -> None:
    times_s = (0.0, 0.1, 0.2, 0.7, 0.8, 1.9, 2.0, 2.05, 2.1, 3.5, 3.6, 3.7, 4.9, 5.0)
    made = make("libx264", suffix, times_s=times_s, keyframe_every=4)
    offsets_s = [0.15, 0.69, 0.75, 1.5, 2.07, 3.4, 3.65, 4.8, 5.0]
    assert shown(made, *offsets_s) == [made.shown_at(t) for t in offsets_s]


@pytest.mark.parametrize("suffix", ["mp4"])
def test_one_picture_every_ten_seconds_shows_for_ten_seconds(make: Maker, suffix: str) -> None:
    made = make("libx264", suffix, times_s=tuple(i * 10.0 for i in range(8)), keyframe_every=3)
    assert shown(made, 5.0, 19.9, 20.0, 66.0) == [0, 1, 2, 6]


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_offsets_count_from_the_first_picture_whatever_the_clock_of_the_stream(
    make: Maker, moved: Mover, suffix: str
) -> None:
    made = moved(make("libx264", "ts", b_frames=2), suffix, 3600.0)
    offsets_s = [0.0, 0.35, 2.0, 5.85]
    assert shown(made, *offsets_s) == [made.shown_at(t) for t in offsets_s]
    assert probe(made.path).duration_s == pytest.approx(made.duration_s, abs=0.2)


def test_a_stream_may_start_late(make: Maker, moved: Mover) -> None:
    assert probe(moved(make("libx264", "ts"), "ts", 3600.0).path).start_s >= 3600


@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_beyond_the_end_there_is_no_picture(make: Maker, codec: str, suffix: str) -> None:
    made = make(codec, suffix)
    missed = list(frames_at(made.path, [9.0, 60.0, 1e7]))
    assert [type(m) for m in missed] == [Missed] * 3
    assert shown(made, 5.0, 9.0) == [50, None]


def test_offsets_must_rise(make: Maker) -> None:
    with pytest.raises(ValueError, match="rise"):
        list(frames_at(make().path, [2.0, 1.0]))


@pytest.mark.parametrize(
    ("fit_wh", "size_wh"),
    [((80, 80), (80, 60)), ((640, 30), (40, 30)), ((640, 480), (160, 120)), (None, (160, 120))],
)
def test_pictures_are_made_to_fit_and_keep_their_shape(
    make: Maker, fit_wh: tuple[int, int] | None, size_wh: tuple[int, int]
) -> None:
    (frame,) = frames_at(make().path, [1.0], fit_wh=fit_wh)
    assert isinstance(frame, Frame)
    assert frame.image.shape == (size_wh[1], size_wh[0], 3)
    assert frame.image.dtype == np.uint8


@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_a_keyframe_made_small_is_the_same_picture_but_for_a_grey_level(
    make: Maker, codec: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(codec, suffix)

    def small() -> list[Frame]:
        frames = frames_at(made.path, [1.0, 3.3, 5.5], tolerance_s=1.5, fit_wh=(WIDTH // 2, HEIGHT // 2))
        return [frame for frame in frames if isinstance(frame, Frame)]

    roughly = small()
    monkeypatch.setattr(reader, "ROUGH_SCALE", 0.0)
    exactly = small()
    assert len(roughly) == len(exactly) == 3
    for a, b in zip(roughly, exactly, strict=True):
        assert (a.offset_s, a.source_sha256) == (b.offset_s, b.source_sha256)
        assert np.abs(a.image.astype(int) - b.image).mean() < 1.0


def test_a_picture_is_had_large_as_well_where_that_is_asked_for(make: Maker) -> None:
    with Reader(make().path) as opened:
        plain, both = opened.frame_at(1.0, 0.0, (80, 80)), opened.frame_at(2.0, 0.0, (80, 80), (120, 120))
    assert isinstance(plain, Frame)
    assert isinstance(both, Frame)
    assert plain.large is None
    assert both.large is not None
    assert (both.image.shape, both.large.shape) == ((60, 80, 3), (90, 120, 3))


@pytest.mark.parametrize("offset_s", [0.0, 40.0, 79.4])
def test_a_real_clip_with_a_keyframe_every_25_s_shows_every_moment(shared: Path, offset_s: float) -> None:
    (frame,) = frames_at(shared / "footage/clips/vtest.avi", [offset_s])
    assert isinstance(frame, Frame)
    assert frame.image.shape == (576, 768, 3)
    assert offset_s - 0.1 <= frame.offset_s <= offset_s + 1e-6


def test_every_real_clip_says_how_long_it_is_and_shows_its_middle(shared: Path) -> None:
    clips = sorted((shared / "footage/clips").iterdir())
    assert clips
    for clip in clips:
        info = probe(clip)
        (frame,) = frames_at(clip, [info.duration_s / 2])
        assert isinstance(frame, Frame)
        assert (frame.image.shape[1], frame.image.shape[0]) == info.resolution_wh
        assert not info.truncated
