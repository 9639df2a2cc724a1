"""Folders that hold more than one camera's plain recordings: channels, main and sub streams, other files, odd dates."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.times import Interval, subtract, union
from detector.core.values import Camera, Recording, RecordingState
from detector.decoding.encoder import VideoWriter
from detector.decoding.reader import probe
from detector.footage.archive import SLIVER_S, Archive, find_recordings, parts
from detector.footage.coverage import GapReason, coverage

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 1, 10, tzinfo=SHANGHAI)
WRITTEN = datetime(2026, 1, 9, tzinfo=SHANGHAI)
START = datetime(2026, 1, 8, 8, tzinfo=SHANGHAI)
MAIN_WH, SUB_WH = (128, 72), (64, 36)

Put = Callable[..., None]


def made(path: Path, size_wh: tuple[int, int], seconds: int) -> bytes:
    picture = np.random.default_rng(7).integers(0, 255, (*size_wh[::-1], 3), np.uint8)
    with VideoWriter(path, size_wh, 5, keyframe_every=5) as writer:
        for shift in range(seconds * 5):
            writer.write(np.roll(picture, shift, axis=1))
    return path.read_bytes()


@pytest.fixture(scope="session")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], bytes]:
    folder = tmp_path_factory.mktemp("streams")
    sizes = {"main": MAIN_WH, "sub": SUB_WH}
    return {
        (name, seconds): made(folder / f"{name}{seconds}.mp4", size, seconds)
        for name, size in sizes.items()
        for seconds in (10, 20, 30)
    }


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(path: str, content: bytes, at: datetime = WRITTEN) -> None:
        file = tmp_path / "p001" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (at.timestamp(), at.timestamp()))

    return write


def camera(template: str = "hikvision", channel: str = "") -> Camera:
    return Camera("p001", (), SHANGHAI, MAIN_WH, "p001", template, channel=channel)


def found(root: Path, view: Camera) -> Archive:
    return find_recordings(view, root, probe=probe, known={}, now=NOW)


def hikvision(prefix: str, start: datetime, seconds: int) -> str:
    return f"{prefix}_{start:%Y%m%d%H%M%S}_{start + timedelta(seconds=seconds):%Y%m%d%H%M%S}.mp4"


def states(archive: Archive) -> dict[str, str]:
    return {Path(r.path).name: r.state.value for r in archive.recordings}


LAYOUTS = {
    "hikvision": ("hikvision", "ch{n:02d}_20260108080000_20260108080010.mp4"),
    "an address and a number": ("hikvision", "NVR_192.168.1.64_{n:02d}_20260108080000_20260108080010.mp4"),
    "dahua": ("dahua", "2026-01-08/{n:03d}/dav/08/08.00.00-08.00.10[M][0@0][0].mp4"),
    "a word in a name": ("iso", "Camera {n}_2026-01-08T08-00-00.mp4"),
    "通道": ("iso", "2026-01-08T08-00-00_通道{n}.mp4"),
    "a folder each": ("iso", "channel{n}/2026-01-08T08-00-00.mp4"),
    "a field": ("{channel}-{year}{month}{day}{hour}{minute}{second}.mp4", "gate{n}-20260108080000.mp4"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mixture_of_channels_is_reported_once_and_none_of_it_is_used(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes], layout: str
) -> None:
    template, name = LAYOUTS[layout]
    later = name.replace("0800", "0900").replace("08-00", "09-00").replace("08.00", "09.00")
    for path in (name.format(n=1), name.format(n=2), later.format(n=2)):
        put(path, streams["main", 10])
    archive = found(tmp_path, camera(template))
    assert {r.state for r in archive.recordings} == {RecordingState.MIXED}
    assert parts(archive.recordings) == []
    assert archive.remarks == (archive.mixture,)
    assert "the files of 2 channels lie in one folder" in archive.mixture
    assert "recordings.channel" in archive.mixture
    day = Interval(START - timedelta(hours=8), START + timedelta(hours=16))
    (seen,) = coverage(camera(template), "p001", day, archive, []).days
    assert GapReason.MIXED_CHANNELS in {gap.reason for gap in seen.gaps}
    assert seen.readable_s == 0


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "a field"])
@pytest.mark.parametrize("channel", ["1", "ch01", "CH1"])
def test_of_a_mixture_the_configured_channel_is_used_and_no_other(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes], layout: str, channel: str
) -> None:
    template, name = LAYOUTS[layout]
    put(name.format(n=1), streams["main", 10])
    put(name.format(n=2), streams["main", 20])
    archive = found(tmp_path, camera(template, channel))
    assert [r.path for r, _ in parts(archive.recordings)] == [f"p001/{name.format(n=1)}"]
    assert [r.state for r in archive.recordings if not r.usable] == [RecordingState.OTHER_CHANNEL]
    assert archive.remarks == ()
    assert archive.others == "not of channel 1: 2: 1 files"


def test_with_a_configured_channel_a_name_that_says_none_is_not_used(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes]
) -> None:
    put("2026-01-08T08-00-00.mp4", streams["main", 10])
    archive = found(tmp_path, camera("iso", "2"))
    assert archive.recordings == ()
    assert "does not say of which channel" in archive.unplaced[0].reason


@pytest.mark.parametrize(
    "names", [("ch01", "ch1"), ("ch01_main", "ch01_sub"), ("north", "south"), ("0001", "0002")]
)
def test_names_of_one_channel_are_no_mixture(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes], names: tuple[str, str]
) -> None:
    for number, prefix in enumerate(names):
        put(hikvision(prefix, START + timedelta(minutes=number), 10), streams["main", 10])
    archive = found(tmp_path, camera())
    assert (archive.mixture, set(states(archive).values())) == ("", {"readable"})


@pytest.mark.parametrize("seed", range(10))
def test_of_main_and_sub_stream_the_larger_picture_has_the_time(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes], seed: int
) -> None:
    chance = random.Random(seed)
    main_s, sub_s = chance.choice((10, 20, 30)), chance.choice((10, 20, 30))
    shift = timedelta(seconds=chance.randrange(-35, 36))
    put(hikvision("a_sub", START + shift, sub_s), streams["sub", sub_s])
    put(hikvision("main", START, main_s), streams["main", main_s])
    archive = found(tmp_path, camera())
    start = START.astimezone(UTC)
    main = Interval(start, start + timedelta(seconds=main_s))
    sub = Interval(start + shift, start + shift + timedelta(seconds=sub_s))
    used = {
        r.resolution_wh: union(i for s, i in parts(archive.recordings) if s.path == r.path)
        for r in archive.recordings
    }
    assert used[MAIN_WH] == [main]
    assert used[SUB_WH] == [rest for rest in subtract(sub, [main]) if rest.duration_s >= SLIVER_S]
    repeated = [r.reason for r in archive.recordings if r.state is RecordingState.REPEATED]
    assert bool(repeated) == (subtract(sub, [main]) == [])
    assert all(
        "covers the same time in a better picture, 128x72 and not 64x36" in reason for reason in repeated
    )


def test_a_long_sub_stream_under_several_main_files_is_repeated_by_them_together(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes]
) -> None:
    put(hikvision("sub", START, 20), streams["sub", 20])
    for number in range(2):
        start = START + timedelta(seconds=10 * number)
        put(hikvision("main", start, 10), streams["main", 10])
    archive = found(tmp_path, camera())
    (repeated,) = [r for r in archive.recordings if r.state is RecordingState.REPEATED]
    assert repeated.resolution_wh == SUB_WH
    assert "and 1 more cover the same time in a better picture" in repeated.reason


SIZES = st.sampled_from([MAIN_WH, SUB_WH, (0, 0)])


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 120), SIZES), max_size=10),
)
def test_each_moment_belongs_to_a_recording_with_the_best_picture_of_it(
    spans: list[tuple[int, int, tuple[int, int]]],
) -> None:
    held = [
        Recording(
            "p001", f"{n}.mp4", 1, 0,
            Interval(START + timedelta(seconds=a), START + timedelta(seconds=a + s)),
            RecordingState.READABLE, "", size,
        )
        for n, (a, s, size) in enumerate(spans)
    ]  # fmt: skip
    shared = parts(held)
    assert all(a.end <= b.start for (_, a), (_, b) in pairwise(shared))
    for recording, interval in shared:
        middle = interval.start + (interval.end - interval.start) / 2
        areas = [r.resolution_wh[0] for r in held if middle in r.interval]
        assert recording.resolution_wh[0] == max(areas)
    missing = [rest for r in held for rest in subtract(r.interval, (i for _, i in shared))]
    assert all(rest.duration_s < SLIVER_S for rest in missing)


def test_files_with_unknown_endings_are_counted_and_named_once_a_folder(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes]
) -> None:
    put("2026-01-08T08-00-00.mp4", streams["main", 10])
    for name in ("a.bvr", "b.BVR", "2026-01-08T09-00-00.mp4.part", "plain", "day/c.bvr"):
        put(name, b"something")
    for name in ("notes.txt", "shot.jpg", "index.db", ".hidden.bvr"):
        put(name, b"beside")
    archive = found(tmp_path, camera("iso"))
    first, second = archive.ignored
    assert (first.folder, first.count) == ("p001", 4)
    assert first.endings == ((".bvr", 2), (".part", 1), ("no ending", 1))
    assert str(second) == (
        "p001/day: 1 file is not used, for kerbwatch does not read files that end so: .bvr (1); such as 'c.bvr'"
    )
    assert states(archive) == {"2026-01-08T08-00-00.mp4": "readable"}
    day = Interval(START, START + timedelta(hours=1))
    told = coverage(camera("iso"), "p001", day, archive, []).to_json()["remarks"]
    assert told == [str(first), str(second)]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1970-01-01T00-04-10.mp4", "too long ago"),
        ("1980-01-06T08-00-00.mp4", "too long ago"),
        ("2000-01-01T00-00-07.mp4", "too long ago"),
        ("2015-06-01T00-00-00.mp4", "too long ago"),
        ("2036-02-07T06-28-16.mp4", "3680 days from now"),
        ("2106-02-07T06-28-16.mp4", "days from now"),
    ],
)
def test_a_date_that_cannot_be_right_is_reported_and_not_judged(
    tmp_path: Path, put: Put, streams: dict[tuple[str, int], bytes], name: str, why: str
) -> None:
    put(name, streams["main", 10])
    archive = found(tmp_path, camera("iso"))
    assert archive.recordings == ()
    (unplaced,) = archive.unplaced
    assert why in unplaced.reason
    assert "cannot be right" in unplaced.reason
    assert "the file was last written on 2026-01-09 00:00" in unplaced.reason
