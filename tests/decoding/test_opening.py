"""Only regular files of the kinds that recorders write are opened, and nothing that they point to."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from pathlib import Path

import pytest
from video_fixture import Maker

from detector.core.errors import UnreadableRecording
from detector.decoding.reader import Reader, probe

PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile a.mp4\nfile a.mp4\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nreal.mp4\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period/></MPD>\n',
    "image": "P6 64 64 255\n" + "a" * 64 * 64 * 3,
}


def fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_a_playlist_is_never_a_recording(kind: str, suffix: str, make: Maker, tmp_path: Path) -> None:
    (tmp_path / "real.mp4").write_bytes(make().path.read_bytes())
    path = tmp_path / f"a.{suffix}"
    path.write_text(PLAYLISTS[kind].replace("a.mp4", path.name))
    before = fds()
    with pytest.raises(UnreadableRecording) as caught:
        probe(path)
    assert caught.value.not_video
    assert fds() == before


def test_a_list_that_names_a_real_recording_is_not_followed(make: Maker, tmp_path: Path) -> None:
    (tmp_path / "real.mp4").write_bytes(make().path.read_bytes())
    for name in ("list.mp4", "list.ffconcat"):
        (tmp_path / name).write_text("ffconcat version 1.0\nfile real.mp4\n")
        with pytest.raises(UnreadableRecording):
            Reader(tmp_path / name)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{short}/s.mp4")
        began = time.monotonic()
        for path in (*sorted(tmp_path.iterdir()), Path(short, "s.mp4")):
            with pytest.raises(UnreadableRecording) as caught:
                probe(path)
            assert caught.value.not_video, path
    assert time.monotonic() - began < 5


def test_a_file_of_holes_is_refused_at_once(make: Maker, tmp_path: Path) -> None:
    path = tmp_path / "a.mpg"
    path.write_bytes(b"\x00\x00\x01\xba" + make().path.read_bytes())
    os.truncate(path, 1 << 40)
    began = time.monotonic()
    with pytest.raises(UnreadableRecording, match="never written"):
        probe(path)
    assert time.monotonic() - began < 2
