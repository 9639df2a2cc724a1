"""What is not a whole recording costs its own samples and nothing else."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest
from video_fixture import FORMATS, FPS, Made, Maker, index_of

from detector.core.errors import UnreadableRecording
from detector.core.values import Frame
from detector.decoding.reader import Missed, Reader, frames_at, probe


def unreadable(path: Path) -> UnreadableRecording:
    with pytest.raises(UnreadableRecording) as caught:
        probe(path)
    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)
    return caught.value


def test_an_empty_file_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.touch()
    assert unreadable(path).empty


@pytest.mark.parametrize("suffix", ["mp4", "avi", "ts", "mkv"])
@pytest.mark.parametrize(
    "content",
    [
        b"This is a text file.\n" * 400,
        bytes(300_000),
        b"\x89PNG\r\n",
        b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 50,
        random.Random(3).randbytes(200_000),
    ],
    ids=["text", "zeros", "stub", "subtitles", "noise"],
)
def test_what_is_not_video_is_told_apart(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    assert unreadable(path).not_video


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    assert "gone" in unreadable(tmp_path / "a.mp4").reason


def test_a_file_without_permission_is_said(make: Maker, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(make().path.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        tmp_path.chmod(0o755)
        probed = _as_nobody(path)
        if probed is None:
            pytest.skip("cannot become another user here")
        assert "no permission" in probed
    else:
        assert "permission" in unreadable(path).reason


def _as_nobody(path: Path) -> str | None:
    """What `probe` says as a user without rights; root may read everything. None where that cannot be tried."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from detector.decoding.reader import probe\n"
        "from detector.core.errors import UnreadableRecording\n"
        "os.chdir(sys.argv[2]); os.setuid(65534)\n"
        "try: probe(Path(sys.argv[1]))\n"
        "except UnreadableRecording as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path.name, str(path.parent)], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize(("codec", "suffix"), [f for f in FORMATS if f[1] != "mp4"])
def test_a_recording_cut_short_shows_what_is_left(
    make: Maker, tmp_path: Path, codec: str, suffix: str
) -> None:
    path = cut(make(codec, suffix, pictures=240), tmp_path, 0.3)
    info = probe(path)
    assert 3 < info.duration_s < 23
    assert info.truncated == (suffix != "ts")  # a stream states no duration that it could fall short of
    early, late, beyond = frames_at(path, [2.05, info.duration_s - 0.35, info.duration_s + 3])
    assert isinstance(early, Frame)
    assert isinstance(late, Frame)
    assert isinstance(beyond, Missed)
    assert index_of(early) == 20
    assert index_of(late) == round(late.offset_s * FPS)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_cut_mp4_whose_index_stood_at_its_end_is_unreadable_but_video(
    make: Maker, tmp_path: Path, codec: str
) -> None:
    content = make(codec, "mp4", pictures=240).path.read_bytes()
    path = tmp_path / "a.mp4"
    path.write_bytes(content.replace(b"moov", b"abcd")[: len(content) // 2])
    error = unreadable(path)
    assert not error.not_video
    assert not error.empty


def test_a_cut_mp4_whose_index_stands_first_shows_what_is_left(make: Maker, tmp_path: Path) -> None:
    path = cut(make(pictures=600), tmp_path, 0.6)
    info = probe(path)
    assert info.truncated
    assert 10 < info.duration_s < 50
    early, late = frames_at(path, [3.05, 58.0])
    assert isinstance(early, Frame)
    assert isinstance(late, Missed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_flipped_bytes_cost_pictures_and_never_a_crash(
    make: Maker, tmp_path: Path, codec: str, suffix: str, seed: int
) -> None:
    made = make(codec, suffix, pictures=240)
    content = bytearray(made.path.read_bytes())
    chance = random.Random(seed)
    for _ in range(60):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with suppress(UnreadableRecording):
        probe(path)
        with Reader(path) as reader:
            got = [
                reader.frame_at(t, tolerance_s) for t in (0.0, 5.5, 12.1, 23.0) for tolerance_s in (0.0, 0.5)
            ]
        assert all(isinstance(frame, Frame | Missed) for frame in got)


@pytest.mark.parametrize("part", [0.001, 0.01, 0.1, 0.9, 0.99])
@pytest.mark.parametrize(("codec", "suffix"), FORMATS)
def test_a_recording_cut_anywhere_is_read_or_refused(
    make: Maker, tmp_path: Path, codec: str, suffix: str, part: float
) -> None:
    path = cut(make(codec, suffix), tmp_path, part)
    with suppress(UnreadableRecording):
        assert {type(frame) for frame in frames_at(path, [0.0, 2.5, 5.5])} <= {Frame, Missed}


def test_a_hole_in_a_recording_is_missed_and_what_follows_is_seen(
    make: Maker, tmp_path: Path, moved: Callable[[Made, str, float], Made]
) -> None:
    whole = make("libx264", "ts", pictures=300)
    content = whole.path.read_bytes()
    packets = len(content) // 188
    path = tmp_path / "a.ts"
    path.write_bytes(content[: packets // 3 * 188] + content[packets * 2 // 3 * 188 :])
    frames = list(frames_at(path, [2.0, 15.0, 28.0]))
    assert [type(f) for f in frames] == [Frame, Missed, Frame]
    last = frames[-1]
    assert isinstance(last, Frame)
    assert last.offset_s == pytest.approx(28.0)


def test_a_header_that_names_a_codec_nobody_knows_is_told(make: Maker, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(make().path.read_bytes().replace(b"avc1", b"zzzz"))
    assert unreadable(path).not_video


class _StreamAppears:
    """A container in whose middle another stream appears, at the packets of which PyAV raises IndexError.

    Some damaged transport streams do that (three of two hundred in tests/soak/test_damaged.py).
    """

    def __init__(self, container: av.container.InputContainer) -> None:
        self._container = container
        self.appeared = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._container, name)

    def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
        for count, packet in enumerate(self._container.demux(stream)):
            yield packet
            if count == 1 and self.appeared < 3:
                self.appeared += 1
                raise IndexError("list index out of range")


def test_packets_of_a_stream_that_appears_later_are_passed_over(make: Maker) -> None:
    with Reader(make("libx264", "ts").path) as reader:
        reader.container = appears = _StreamAppears(reader.container)
        frame = reader.frame_at(4.75)
        assert isinstance(frame, Frame)
        assert index_of(frame) == 47
        assert appears.appeared > 0


def test_a_file_that_goes_away_while_it_is_read_is_told_apart_from_one_with_a_hole(
    make: Maker, tmp_path: Path
) -> None:
    whole = make("mjpeg", "avi", pictures=300)
    path = tmp_path / "a.avi"
    path.write_bytes(whole.path.read_bytes())
    with Reader(path) as reader:
        assert isinstance(reader.frame_at(0.0), Frame)
        os.truncate(path, 4096)  # as a share that is gone has nothing more to give
        path.unlink()
        for _ in range(2):
            with pytest.raises(UnreadableRecording, match="the file is gone"):
                reader.frame_at(20.0)


def cut(made: Made, folder: Path, part: float) -> Path:
    content = made.path.read_bytes()
    path = folder / f"cut{made.path.suffix}"
    path.write_bytes(content[: max(1, int(len(content) * part))])
    return path


def test_a_folder_and_a_named_pipe_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    for name, reason in (("pipe.mp4", "not a regular file"), ("folder.mp4", "a folder")):
        with pytest.raises(UnreadableRecording, match=reason):
            Reader(tmp_path / name)
