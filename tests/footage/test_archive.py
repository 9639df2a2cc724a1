"""Recordings in folders, made as real files and opened by the real probe."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.errors import UnreadableRecording
from detector.core.times import Interval, union
from detector.core.values import Camera, MediaInfo, Recording, RecordingState
from detector.decoding.encoder import VideoWriter
from detector.decoding.reader import probe
from detector.footage.archive import Archive, find_recordings, parts, true_times
from detector.footage.templates import parse_template

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
NOW = datetime(2026, 1, 10, tzinfo=SHANGHAI)
LONG_AGO = datetime(2026, 1, 9, tzinfo=SHANGHAI)
DAY = datetime(2026, 1, 8, tzinfo=UTC)

Put = Callable[..., Path]


def made(path: Path, *, seconds: int, fps: int = 5) -> bytes:
    picture = np.random.default_rng(7).integers(0, 255, (64, 64, 3), np.uint8)
    with VideoWriter(path, (64, 64), fps, keyframe_every=fps) as writer:
        for shift in range(seconds * fps):
            writer.write(np.roll(picture, shift, axis=1))
    return path.read_bytes()


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("videos")
    short = {kind: made(folder / f"x.{kind}", seconds=2) for kind in ("mp4", "mkv", "avi", "ts")}
    return {**short, "long": made(folder / "long.mp4", seconds=20)}


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(path: str, content: bytes, *, at: datetime = LONG_AGO) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (at.timestamp(), at.timestamp()))
        return file

    return write


def camera(
    template: str = "iso", *, zone: ZoneInfo = SHANGHAI, offset_s: float = 0.0, folder: str = "cam1"
) -> Camera:
    return Camera("cam1", (), zone, (64, 64), folder, template, offset_s)


def found(
    root: Path, view: Camera | None = None, *, known: Archive | None = None, now: datetime = NOW
) -> Archive:
    before = {recording.path: recording for recording in known.recordings} if known else {}
    return find_recordings(view or camera(), root, probe=probe, known=before, now=now)


def states(archive: Archive) -> list[tuple[str, str]]:
    return [(Path(r.path).name, r.state.value) for r in archive.recordings]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "ts"])
def test_a_recording_starts_by_its_name_and_lasts_as_its_container_says(
    tmp_path: Path, put: Put, videos: dict[str, bytes], kind: str
) -> None:
    put(f"cam1/2026-01-08T08-00-00.{kind}", videos[kind])
    (recording,) = found(tmp_path).recordings
    assert recording.state is RecordingState.READABLE
    assert recording.path == f"cam1/2026-01-08T08-00-00.{kind}"
    assert recording.interval.start == datetime(2026, 1, 8, 0, tzinfo=UTC)
    assert recording.interval.duration_s == pytest.approx(2.0, abs=0.3)
    assert recording.resolution_wh == (64, 64)
    assert recording.size_bytes == len(videos[kind])


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("hikvision", "cam1/ch01_20260108080000_20260108080002.mp4"),
        ("dahua", "cam1/2026-01-08/001/dav/08/08.00.00-08.00.02[M][0@0][0].mp4"),
        ("iso", "cam1/2026/20260108T080000+0800.mp4"),
        ("{year}/{month}{day}/{hour}{minute}.mp4", "cam1/2026/0108/0800.mp4"),
    ],
)
def test_every_layout_gives_the_same_recording(
    tmp_path: Path, put: Put, videos: dict[str, bytes], template: str, path: str
) -> None:
    put(path, videos["mp4"])
    (recording,) = found(tmp_path, camera(template)).recordings
    assert (recording.path, recording.state) == (path, RecordingState.READABLE)
    assert recording.interval.start == datetime(2026, 1, 8, 8, tzinfo=SHANGHAI)


def test_the_clock_offset_and_the_time_zone_make_true_time(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/2026-07-08T08-00-00.mp4", videos["mp4"])
    (recording,) = found(tmp_path, camera(zone=NEW_YORK, offset_s=-90.5)).recordings
    assert recording.interval.start == datetime(2026, 7, 8, 11, 58, 29, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("x_20261101013000_20261101014500.mp4", (5, 30), (5, 45)),  # occurs twice: the first is meant
        (
            "x_20261101013000_20261101011500.mp4",
            (5, 30),
            (6, 15),
        ),  # only the second 01:15 lies after the start
        ("x_20260308023000_20260308033000.mp4", (7, 30), None),  # 02:30 never was; it is 03:30, the end too
        ("x_20260308013000_20260308033000.mp4", (6, 30), (7, 30)),
    ],
)
def test_where_clocks_change_the_first_of_two_times_is_taken(
    name: str, start: tuple[int, int], end: tuple[int, int] | None
) -> None:
    named = parse_template("hikvision").times(name)
    assert named is not None
    times = true_times(camera(zone=NEW_YORK), named)
    assert [(t.hour, t.minute) if t else None for t in times] == [start, end]


def test_files_that_cannot_be_used_are_told_apart(tmp_path: Path, put: Put, videos: dict[str, bytes]) -> None:
    put("cam1/2026-01-08T01-00-00.mp4", b"")
    put("cam1/2026-01-08T02-00-00.mp4", b"minutes of the meeting\n" * 200)
    put("cam1/2026-01-08T03-00-00.mp4", videos["long"][: len(videos["long"]) // 2])
    put("cam1/2026-01-08T04-00-00.mp4", b"\x00\x00\x00\x18ftypisom" + b"\x07" * 4000)
    put("cam1/2026-01-08T05-00-00.mp4", videos["mp4"])
    put("cam1/snapshot.mp4", videos["mp4"])
    put("cam1/notes.txt", b"not looked at")
    put("cam1/.2026-01-08T06-00-00.mp4", b"half copied")
    archive = found(tmp_path)
    assert states(archive) == [
        ("2026-01-08T01-00-00.mp4", "empty"),
        ("2026-01-08T02-00-00.mp4", "not_video"),
        ("2026-01-08T03-00-00.mp4", "truncated"),
        ("2026-01-08T04-00-00.mp4", "unreadable"),
        ("2026-01-08T05-00-00.mp4", "readable"),
    ]
    assert all(r.reason for r in archive.recordings[:-1])
    assert archive.recordings[2].interval.duration_s < 15
    assert [(file.path, file.reason) for file in archive.unplaced] == [
        ("cam1/snapshot.mp4", "the name does not fit the template 'iso'")
    ]
    assert archive.fault is None


def test_a_recording_much_shorter_than_its_name_says_is_truncated_with_the_reason(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/x_20260108080000_20260108090000.mp4", videos["long"])
    put("cam1/x_20260108100000_20260108100025.mp4", videos["long"])
    cut, whole = found(tmp_path, camera("hikvision")).recordings
    assert (cut.state, cut.usable) == (RecordingState.TRUNCATED, True)
    assert cut.reason == "breaks off after 20 s of the 3600 s in its name"
    assert cut.interval.duration_s == pytest.approx(20, abs=0.5)
    assert whole.state is RecordingState.READABLE


def test_what_cannot_be_read_lasts_until_its_names_end_or_for_a_second(tmp_path: Path, put: Put) -> None:
    put("cam1/x_20260108080000_20260108090000.mp4", b"")
    put("cam1/x_20260108100000_20260108100000.mp4", b"")
    assert [r.interval.duration_s for r in found(tmp_path, camera("hikvision")).recordings] == [3600.0, 1.0]


def test_a_new_file_that_is_whole_is_readable_and_one_that_is_not_is_growing(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    just_now = NOW - timedelta(seconds=5)
    put("cam1/2026-01-08T01-00-00.mp4", videos["mp4"], at=just_now)
    put("cam1/2026-01-08T02-00-00.mp4", videos["long"][: len(videos["long"]) // 2], at=just_now)
    put("cam1/2026-01-08T03-00-00.mp4", b"\x00\x00\x00\x18ftypisom" + b"\x07" * 4000, at=just_now)
    put("cam1/2026-01-08T04-00-00.mp4", b"", at=just_now)
    archive = found(tmp_path)
    assert [state for _, state in states(archive)] == ["readable", "growing", "growing", "empty"]
    assert archive.recordings[1].reason.startswith(
        "written 5 s ago, so perhaps not finished: breaks off after"
    )
    later = found(tmp_path, known=archive, now=NOW + timedelta(minutes=3))
    assert [state for _, state in states(later)] == ["readable", "truncated", "unreadable", "empty"]


def test_a_file_shorter_than_a_name_whose_end_is_to_come_is_growing(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/x_20260109233000_20260110003000.ts", videos["ts"], at=NOW)
    put("cam1/x_20260108080000_20260108090000.ts", videos["ts"], at=NOW)
    archive = found(tmp_path, camera("hikvision"))
    assert [state for _, state in states(archive)] == ["truncated", "growing"]


def test_a_repeated_recording_gives_way_to_the_longest_then_the_largest(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/a_2026-01-08T08-00-00.mp4", videos["mp4"])
    put("cam1/b_2026-01-08T08-00-00.mp4", videos["mp4"] + b"\x00\x00\x00\x08free")
    put("cam1/c_2026-01-08T08-00-05.mp4", videos["mp4"])
    put("cam1/d_2026-01-08T08-00-04.mp4", videos["long"])
    archive = found(tmp_path)
    assert {name[0]: state for name, state in states(archive)} == {
        "a": "repeated",
        "b": "readable",
        "c": "repeated",
        "d": "readable",
    }
    assert archive.recordings[0].reason == "cam1/b_2026-01-08T08-00-00.mp4 covers the same time"


def test_recordings_that_overlap_in_part_are_both_readable_and_share_the_time(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/2026-01-08T08-00-00.mp4", videos["long"])
    put("cam1/2026-01-08T08-00-15.mp4", videos["long"])
    archive = found(tmp_path)
    assert [state for _, state in states(archive)] == ["readable", "readable"]
    (_, first), (_, second) = parts(archive.recordings)
    assert first.end == second.start
    assert second.end == archive.recordings[1].interval.end


def test_an_unchanged_recording_is_not_probed_again(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/2026-01-08T08-00-00.mp4", videos["mp4"])
    put("cam1/2026-01-08T09-00-00.mp4", b"words, not pictures " * 100)
    changed = put("cam1/2026-01-08T10-00-00.mp4", videos["mp4"])
    first = found(tmp_path)
    changed.write_bytes(videos["long"])
    opened: list[str] = []

    def counted(path: Path) -> MediaInfo:
        opened.append(path.name)
        return probe(path)

    known = {r.path: r for r in first.recordings}
    again = find_recordings(camera(), tmp_path, probe=counted, known=known, now=NOW)
    assert opened == [changed.name]
    assert again.recordings[:2] == first.recordings[:2]
    assert again.recordings[2].interval.duration_s == pytest.approx(20, abs=0.5)


def test_a_new_clock_offset_moves_known_recordings(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/2026-01-08T08-00-00.mp4", videos["mp4"])
    (before,) = found(tmp_path).recordings
    (after,) = found(tmp_path, camera(offset_s=60), known=Archive((before,))).recordings
    assert after.interval.start - before.interval.start == timedelta(seconds=60)


def test_a_repeat_is_readable_again_once_the_other_file_has_gone(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    kept = put("cam1/a_2026-01-08T08-00-00.mp4", videos["mp4"])
    put("cam1/b_2026-01-08T08-00-00.mp4", videos["mp4"])
    before = found(tmp_path)
    kept.unlink()
    assert states(found(tmp_path, known=before)) == [("b_2026-01-08T08-00-00.mp4", "readable")]


def test_a_missing_folder_is_a_fault_not_a_traceback(tmp_path: Path) -> None:
    archive = found(tmp_path)
    assert archive == Archive((), (), f"cannot read the folder {tmp_path}/cam1: No such file or directory")


def test_a_file_in_place_of_the_folder_is_a_fault(tmp_path: Path, put: Put) -> None:
    put("cam1", b"")
    assert found(tmp_path).fault == f"cannot read the folder {tmp_path}/cam1: Not a directory"


def test_a_folder_without_permission_is_a_fault_and_the_rest_is_found(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads folders whatever their permission")
    put("cam1/a/2026-01-08T08-00-00.mp4", videos["mp4"])
    locked = put("cam1/b/2026-01-08T09-00-00.mp4", videos["mp4"]).parent
    locked.chmod(0)
    try:
        archive = found(tmp_path)
    finally:
        locked.chmod(0o700)
    assert len(archive.recordings) == 1
    assert archive.fault == f"cannot read the folder {locked}: Permission denied"


def test_a_file_without_permission_is_unreadable_however_new_it_is(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads files whatever their permission")
    put("cam1/2026-01-08T08-00-00.mp4", videos["mp4"], at=NOW).chmod(0)
    (recording,) = found(tmp_path).recordings
    assert (recording.state, recording.reason) == (RecordingState.UNREADABLE, "no permission to read it")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), UnreadableRecording("x", "no")])
def test_a_recording_that_may_not_be_read_is_unreadable_and_tried_again(
    tmp_path: Path, put: Put, videos: dict[str, bytes], error: Exception
) -> None:
    put("cam1/2026-01-08T08-00-00.mp4", videos["mp4"])

    def refused(_: Path) -> MediaInfo:
        raise error

    archive = find_recordings(camera(), tmp_path, probe=refused, known={}, now=NOW)
    assert [state for _, state in states(archive)] == ["unreadable"]
    assert archive.recordings[0].reason in ("Permission denied", "no")
    assert [state for _, state in states(found(tmp_path, known=archive))] == ["readable"]


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), 1e15])
def test_a_container_with_an_absurd_duration_is_unreadable(
    tmp_path: Path, put: Put, videos: dict[str, bytes], duration_s: float
) -> None:
    put("cam1/2026-01-08T08-00-00.mp4", videos["mp4"])

    def absurd(_: Path) -> MediaInfo:
        return MediaInfo("h264", (64, 64), 0.0, duration_s)

    archive = find_recordings(camera(), tmp_path, probe=absurd, known={}, now=NOW)
    assert [state for _, state in states(archive)] == ["unreadable"]


def test_links_are_followed_once_and_dangling_or_odd_files_are_said_so(
    tmp_path: Path, put: Put, videos: dict[str, bytes]
) -> None:
    put("cam1/2026/2026-01-08T08-00-00.mp4", videos["mp4"])
    put("elsewhere/2026-01-08T09-00-00.mp4", videos["mp4"])
    (tmp_path / "cam1/2026/loop").symlink_to(tmp_path / "cam1")
    (tmp_path / "cam1/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "cam1/2026-01-08T10-00-00.mp4").symlink_to("gone.mp4")
    os.mkfifo(tmp_path / "cam1/2026-01-08T11-00-00.mp4")
    archive = found(tmp_path)
    assert [(r.path, r.state.value, r.reason) for r in archive.recordings] == [
        ("cam1/2026/2026-01-08T08-00-00.mp4", "readable", ""),
        ("cam1/other/2026-01-08T09-00-00.mp4", "readable", ""),
        ("cam1/2026-01-08T10-00-00.mp4", "unreadable", "No such file or directory"),
        ("cam1/2026-01-08T11-00-00.mp4", "unreadable", "not a regular file"),
    ]


def test_a_name_in_another_encoding_is_said_so(tmp_path: Path, put: Put, videos: dict[str, bytes]) -> None:
    put("cam1/x.mp4", videos["mp4"])
    os.rename(tmp_path / "cam1/x.mp4", os.fsencode(tmp_path) + b"/cam1/\xc8\xeb_2026-01-08T08-00-00.mp4")  # noqa: PTH104
    archive = found(tmp_path)
    assert not archive.recordings
    assert archive.unplaced[0].reason == "the name is not valid UTF-8; rename the file"
    assert archive.unplaced[0].path.encode().endswith(b"_2026-01-08T08-00-00.mp4")


def stretch(start_s: int, duration_s: int) -> Interval:
    start = DAY + timedelta(seconds=start_s)
    return Interval(start, start + timedelta(seconds=duration_s))


@st.composite
def recordings(draw: st.DrawFn) -> list[Recording]:
    spans = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 120)), max_size=12))
    kinds = st.sampled_from([RecordingState.READABLE, RecordingState.TRUNCATED, RecordingState.EMPTY])
    return [
        Recording("cam1", f"cam1/{i}.mp4", i, 0, stretch(*span), draw(kinds)) for i, span in enumerate(spans)
    ]


@given(made=recordings())
def test_parts_never_overlap_and_cover_what_the_usable_recordings_cover(made: list[Recording]) -> None:
    shared = parts(made)
    intervals = [interval for _, interval in shared]
    assert all(a.end <= b.start for a, b in pairwise(intervals))
    assert union(intervals) == union(r.interval for r in made if r.usable)
    assert all(r.usable and r.interval.intersection(interval) == interval for r, interval in shared)


@given(made=recordings(), seed=st.randoms(use_true_random=False))
def test_parts_do_not_depend_on_the_order_of_the_recordings(made: list[Recording], seed) -> None:
    shuffled = list(made)
    seed.shuffle(shuffled)
    assert parts(shuffled) == parts(made)


def test_of_two_recordings_the_earlier_keeps_the_shared_time() -> None:
    early = Recording("cam1", "a.mp4", 1, 0, stretch(0, 100), RecordingState.READABLE)
    late = replace(early, path="b.mp4", interval=stretch(60, 100))
    inner = replace(early, path="c.mp4", interval=stretch(10, 20))
    assert parts([late, inner, early]) == [(early, stretch(0, 100)), (late, stretch(100, 60))]
