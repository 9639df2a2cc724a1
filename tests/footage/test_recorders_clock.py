"""Real files whose own clocks are wrong: each picture is shown at the time of the recorder's clock, or is a gap."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from timelines_fixture import as_it_is, bare, joined, remade, stating, with_sound
from video_fixture import FPS, Made, Maker, index_of

from detector.core.times import Interval, subtract
from detector.core.values import Camera, Frame, MediaInfo, Recording, RecordingState
from detector.decoding.reader import Reader, probe, study
from detector.footage.archive import Archive, find_recordings
from detector.footage.coverage import coverage

LASTS_S = 24.0
DAY = datetime(2026, 1, 8, tzinfo=UTC)
START = DAY.replace(hour=8)
NOW = DAY + timedelta(days=3)


@dataclass(frozen=True)
class Sources:
    """Videos of numbered pictures: of any kind, and with streams that state their picture rate."""

    make: Maker
    stating: Maker


Build = Callable[[Sources, Path], Path]


@dataclass(frozen=True)
class Case:
    """A file, what its name and the next file say, and what is right.

    `pictures` maps stretches of the recorder's clock, [from, until) in seconds after the start, to when the picture that
    shows at their beginning was taken, and how many seconds were taken in each second of the recorder's clock.
    """

    name: str
    build: Build
    pictures: list[tuple[float, float, float, float]]
    suffix: str = "mp4"
    named_s: float | None = LASTS_S
    next_s: float | None = None
    state: RecordingState = RecordingState.READABLE
    says: tuple[str, ...] = field(default=())


def moved(stated: Callable[[float], float], **how: object) -> Build:
    return lambda of, path: remade(of.make(pictures=240, **how), path, stated)


def stating_moved(stated: Callable[[float], float], **how: object) -> Build:
    return lambda of, path: remade(of.stating(**how), path, stated)


def cut(from_s: float, **how: object) -> Build:
    """What was taken before is not there, and the container begins with what is left, keyframe or not."""
    return lambda of, path: remade(of.make(pictures=240, **how), path, lambda t: t - from_s, from_s=from_s)


def restarted(
    *cuts_s: float,
    missing: tuple[tuple[float, float], ...] = (),
    begins_s: tuple[float, ...] = (),
    **how: object,
) -> Build:
    """The clock begins at 0 again, or at `begins_s`, at each cut; what was taken in the missing stretches is not there."""

    def build(of: Sources, path: Path) -> Path:
        made, parts = of.make("libx264", "ts", pictures=240, **how), []
        ends = [*cuts_s, LASTS_S]
        begins = [next((b for a, b in missing if a == cut_s), cut_s) for cut_s in (0.0, *cuts_s)]
        for number, (from_s, until_s) in enumerate(zip(begins, ends, strict=True)):
            part = path.with_name(f"part{number}.ts")
            later_s = begins_s[number] if begins_s else 0.0
            parts.append(
                remade(made, part, lambda t, by=later_s - from_s: t + by, from_s=from_s, until_s=until_s)
            )
        whole = joined(parts, path)
        for part in parts:
            part.unlink()
        return whole

    return build


def jumps(at_s: float, by_s: float) -> Callable[[float], float]:
    return lambda t: t + by_s if t >= at_s else t


ALL = [(0.0, 24.0, 0.0, 1.0)]
LEAD = [(7.0, 21.0, 10.0, 1.0)]
"""Cut at 3 s where keyframes lie 10 s apart: the first picture comes at 10 s, 7 s after the file's start."""

AHEAD = "its clock jumps ahead by"
BACK = "its clock goes back by"

CASES = [
    Case("jump of 10 h, mp4", moved(jumps(12, 36000)), ALL, says=(AHEAD, "as its name says")),
    Case("jump of 10 h, mkv", moved(jumps(12, 36000)), ALL, "mkv", says=(AHEAD,)),
    Case("jump of 10 h, ts", moved(jumps(12, 36000)), ALL, "ts", says=(AHEAD,)),
    Case("jump of 10 h, B-frames", moved(jumps(12, 36000), b_frames=2), ALL, says=(AHEAD,)),
    Case("jump of 10 h in no group's beginning", moved(jumps(12.5, 36000)), ALL, says=(AHEAD,)),
    Case("jump of 2 h, bounded by the next file", moved(jumps(12, 7200)), ALL, named_s=None, next_s=24.0, says=(AHEAD, "as the next file says")),
    Case("jump of 2 h, no end anywhere", moved(jumps(12, 7200)), ALL, named_s=None, says=(AHEAD,)),
    Case("jump of 50 s", moved(jumps(8, 50)), ALL, says=(AHEAD,)),
    Case("two jumps", moved(lambda t: t + (600 if t >= 8 else 0) + (90 if t >= 16 else 0)), ALL, says=(AHEAD,)),
    Case("jump ahead and back", restarted(8.0, 16.0, begins_s=(0, 508, 16)), ALL, "ts", says=(AHEAD, BACK)),
    Case("clock set back by 5 s", restarted(12.0, begins_s=(100, 107)), ALL, "ts", says=(BACK,)),
    Case("a hole that the name confirms", moved(jumps(12, 10)), [(0, 12, 0, 1), (22, 34, 12, 1)], named_s=34.0, state=RecordingState.TRUNCATED, says=(AHEAD, "pictures are missing")),
    Case("a hole, no end anywhere", moved(jumps(12, 10)), [(0, 12, 0, 1), (22, 34, 12, 1)], named_s=None, state=RecordingState.TRUNCATED, says=("pictures are missing",)),
    Case("a hole and a clock set", moved(lambda t: t + (6 if t >= 8 else 0) + (4000 if t >= 16 else 0)), [(0, 8, 0, 1), (14, 30, 8, 1)], named_s=30.0, state=RecordingState.TRUNCATED, says=(AHEAD,)),
    Case("restart", restarted(8.0), ALL, "ts", says=(BACK, "as its name says")),
    Case("restart, no end anywhere", restarted(8.0), ALL, "ts", named_s=None, says=(BACK, "nothing says how long")),
    Case("restart, bounded by the next file", restarted(8.0), ALL, "ts", named_s=None, next_s=24.0, says=(BACK,)),
    Case("several restarts", restarted(4.0, 9.0, 17.0), ALL, "ts", says=(BACK,)),
    Case("restart, B-frames", restarted(8.0, b_frames=2), ALL, "ts", says=(BACK,)),
    Case("restart early, then a longer run", restarted(3.0), ALL, "ts", says=(BACK,)),
    Case("restart with missing pictures", restarted(8.0, missing=((8.0, 12.0),)), [(0, 8, 0, 1), (12, 24, 12, 1)], "ts", state=RecordingState.TRUNCATED, says=(BACK, "4 s of the 24 s in its name are missing")),
    Case("two restarts with missing pictures", restarted(8.0, 16.0, missing=((8.0, 12.0),)), [(0, 8, 0, 1), (16, 24, 16, 1)], "ts", state=RecordingState.TRUNCATED, says=("cannot be placed",)),
    Case("clock 1.25 times as fast, mp4", stating_moved(lambda t: t * 1.25), ALL, says=("times are spread",)),
    Case("clock 1.25 times as fast, mkv", moved(lambda t: t * 1.25), ALL, "mkv", says=("times are spread",)),
    Case("clock 1.25 times as fast, ts", stating_moved(lambda t: t * 1.25), ALL, "ts", says=("times are spread",)),
    Case("clock 1.25 times as slow, mp4", stating_moved(lambda t: t * 0.8), ALL, says=("times are spread",)),
    Case("clock 1.25 times as slow, ts", stating_moved(lambda t: t * 0.8), ALL, "ts", says=("times are spread",)),
    Case("clock twice as fast, B-frames", stating_moved(lambda t: t * 2, b_frames=2), ALL, says=("times are spread",)),
    Case("clock 1.5 times as fast, bounded by the next file", stating_moved(lambda t: t * 1.5), ALL, named_s=None, next_s=24.0, says=("times are spread",)),
    Case("clock that stalls half-way, mp4", stating_moved(lambda t: t if t < 12 else 12 + (t - 12) * 0.01), ALL, says=("does not run evenly", "counted")),
    Case("clock that stalls half-way, ts", stating_moved(lambda t: t if t < 12 else 12 + (t - 12) * 0.01), ALL, "ts", says=("does not run evenly",)),
    Case("clock twice as fast from half-way", stating_moved(lambda t: t if t < 12 else 12 + (t - 12) * 2), ALL, says=("does not run evenly",)),
    Case("clock three times as fast at first, mkv", stating_moved(lambda t: t * 3 if t < 8 else t + 16), ALL, "mkv", says=("does not run evenly",)),
    Case("clock twice as fast half-way, bounded by the next file", stating_moved(lambda t: t if t < 12 else 12 + (t - 12) * 2), ALL, named_s=None, next_s=24.0, says=("does not run evenly", "as the next file says")),
    Case("fast clock and undecodable pictures", lambda of, path: remade(of.make(pictures=240, keyframe_every=100), path, lambda t: (t - 3) * 1.25, from_s=3), LEAD, named_s=21.0, says=("times are spread", "cannot be decoded")),
    Case("AVI that claims twice the rate", lambda of, path: remade(of.make("mjpeg", "avi", pictures=240), path, lambda t: t), [(0, 40, 0, 0.6)], "avi", named_s=40.0, says=("times are spread",)),
    Case("clock of unknown rate, slow", moved(lambda t: t * 0.8), ALL, says=("times are spread",)),
    Case("longer than its name", stating_moved(as_it_is), [(0, 18, 0, 1)], named_s=18.0, says=("runs 6 s over its name",)),
    Case("shorter than its name by little", stating_moved(as_it_is), ALL, named_s=30.0, says=("ends 6 s before the end in its name",)),
    Case("shorter than its name by much", stating_moved(as_it_is), ALL, named_s=60.0, state=RecordingState.TRUNCATED, says=("breaks off after 24 s of the 60 s in its name",)),
    Case("a little longer than its name", moved(as_it_is), [(0, 23, 0, 1)], named_s=23.0),
    Case("edit list that begins in a group", moved(lambda t: t - 5.3), [(0, 18.7, 5.3, 1)], named_s=18.7),
    Case("edit list, B-frames", moved(lambda t: t - 5.3, b_frames=2), [(0, 18.7, 5.3, 1)], named_s=18.7),
    Case("empty edit that the name confirms", moved(lambda t: t + 8), [(8, 32, 0, 1)], named_s=32.0, says=("its video begins 8.0 s after",)),
    Case("empty edit that the name denies", moved(lambda t: t + 8), ALL),
    Case("empty edit, no end anywhere", moved(lambda t: t + 8), [(8, 32, 0, 1)], named_s=None, says=("its video begins 8.0 s after",)),
    Case("times that begin at 47 s, mp4", moved(lambda t: t + 47), ALL, named_s=None),
    Case("times that begin at 47 s, ts", moved(lambda t: t + 47), ALL, "ts", named_s=None),
    Case("sound before the first picture", lambda of, path: with_sound(of.make(pictures=240), path, video_later_s=6), [(6, 30, 0, 1)], "mkv", named_s=30.0, says=("its video begins 6.0 s after",)),
    Case("undecodable pictures first, mp4", cut(3, keyframe_every=100), LEAD, named_s=21.0, says=("its first 7.0 s cannot be decoded",)),
    Case("undecodable pictures first, mkv", cut(3, keyframe_every=100), LEAD, "mkv", named_s=21.0, says=("its first 7.0 s cannot be decoded",)),
    Case("undecodable pictures first, ts", cut(3, keyframe_every=100), LEAD, "ts", named_s=21.0, says=("its first 7.0 s cannot be decoded",)),
    Case("undecodable pictures first, no end anywhere", cut(3, keyframe_every=100), LEAD, "ts", named_s=None, says=("its first 7.0 s cannot be decoded",)),
    Case("undecodable pictures first, B-frames", cut(3, keyframe_every=100, b_frames=2), LEAD, "ts", named_s=21.0, says=("cannot be decoded",)),
    Case("variable picture rate", lambda of, path: remade(of.make(times_s=tuple(i / 10 + (0.06 if i % 3 else 0) for i in range(240)), keyframe_every=20), path), ALL),
    Case("bare H.264 by its name", lambda of, path: bare(of.make(pictures=240), path), ALL, "264", says=("10 a second follow from its name",)),
    Case("bare H.264 by its own rate", lambda of, path: bare(of.stating(), path), ALL, "264", named_s=None, says=("counted at 10 a second",)),
    Case("bare H.265 by its own rate", lambda of, path: bare(of.stating(codec="libx265"), path), ALL, "265", named_s=None, says=("counted at 10 a second",)),
    Case("bare H.265 by its name", lambda of, path: bare(of.stating(codec="libx265"), path), ALL, "265", says=("10 a second follow from its name",)),
    Case("bare H.264 at half the rate of its name", lambda of, path: bare(of.make(pictures=240), path), [(0, 48, 0, 0.5)], "264", named_s=48.0, says=("5 a second follow from its name",)),
]  # fmt: skip


@pytest.fixture(scope="session")
def sources(make: Maker, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("stating")

    @cache
    def stating_once(codec: str = "libx264", b_frames: int = 0) -> Made:
        return stating(folder / f"{codec}-{b_frames}.mp4", codec=codec, b_frames=b_frames)

    return Sources(make, stating_once)


def found(root: Path, case: Case, sources: Sources) -> Archive:
    name = START.strftime("x_%Y%m%d%H%M%S")
    end = f"_{START + timedelta(seconds=case.named_s):%Y%m%d%H%M%S}" if case.named_s is not None else ""
    folder = root / "cam1"
    folder.mkdir()
    case.build(sources, folder / f"{name}{end}.{case.suffix}")
    if case.next_s is not None:
        after = START + timedelta(seconds=case.next_s)
        (folder / f"x_{after:%Y%m%d%H%M%S}.mp4").write_bytes(sources.make(pictures=240).path.read_bytes())
    for file in folder.iterdir():
        os.utime(file, (START.timestamp() + 3600, START.timestamp() + 3600))
    return find_recordings(camera(case), root, probe=probe, known={}, now=NOW, study=study)


def camera(case: Case) -> Camera:
    return Camera("cam1", (), UTC, (160, 120), "cam1", "iso" if case.named_s is None else "hikvision")


def first(archive: Archive) -> Recording:
    return min(archive.recordings, key=lambda r: r.interval.start)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_picture_is_shown_at_the_time_of_the_recorders_clock(
    case: Case, sources: Sources, tmp_path: Path
) -> None:
    recording = first(found(tmp_path, case, sources))
    assert recording.state is case.state, recording.reason
    assert recording.interval.start == START
    stretches = [
        Interval(START + timedelta(seconds=a), START + timedelta(seconds=b)) for a, b, _, _ in case.pictures
    ]
    for stretch, told in zip(stretches, recording.pictured, strict=True):
        assert abs((stretch.start - told.start).total_seconds()) <= 0.5
        assert abs((stretch.end - told.end).total_seconds()) <= 1.0
    assert all(words in recording.reason for words in case.says), recording.reason
    assert case.says or not recording.reason, recording.reason
    with Reader(tmp_path / recording.path, recording.timeline) as opened:
        for from_s, until_s, taken_s, pace in case.pictures:
            for offset_s in (until_s - 1.0, from_s + 0.6, (from_s + until_s) / 2, from_s + 2.3):
                frame = opened.frame_at(offset_s, 0.0)
                assert isinstance(frame, Frame), (offset_s, frame)
                right_s = taken_s + (offset_s - from_s) * pace
                assert abs(index_of(frame) / FPS - right_s) <= 0.9, (offset_s, index_of(frame))
                assert abs(frame.offset_s - offset_s) <= 0.9
        for gap in subtract(Interval(START, recording.interval.end), stretches):
            middle_s = (gap.start - START).total_seconds() + gap.duration_s / 2
            assert gap.duration_s < 5 or not isinstance(opened.frame_at(middle_s), Frame)


@pytest.mark.parametrize("case", [c for c in CASES if c.says], ids=lambda case: case.name)
def test_coverage_tells_how_a_recording_got_its_times_and_what_is_missing(
    case: Case, sources: Sources, tmp_path: Path
) -> None:
    archive = found(tmp_path, case, sources)
    recording = first(archive)
    end = case.named_s or case.next_s or recording.interval.duration_s
    period = Interval(START, START + timedelta(seconds=end))
    covered = coverage(camera(case), "p01", period, archive, [])
    assert any(note.endswith(recording.reason) for note in covered.clock_notes)
    (day,) = covered.days
    assert day.readable_s <= end + 1e-6
    assert day.readable_s == pytest.approx(sum(b - a for a, b, _, _ in case.pictures), abs=2.5)
    absent = [gap for gap in day.gaps if not gap.is_readable]
    assert sum(g.interval.duration_s for g in absent) == pytest.approx(end - day.readable_s)
    assert all(recording.reason in gap.detail for gap in absent)


def test_good_files_are_not_taken_for_repeats_of_one_whose_clock_jumps(
    sources: Sources, tmp_path: Path
) -> None:
    jump = Case("jump", moved(jumps(12, 36000)), ALL)
    found(tmp_path, jump, sources)
    for hour in (9, 10, 11, 12):
        name = f"cam1/x_20260108{hour:02d}0000_20260108{hour:02d}0024.mp4"
        (tmp_path / name).write_bytes(sources.make(pictures=240).path.read_bytes())
    archive = find_recordings(camera(jump), tmp_path, probe=probe, known={}, now=NOW, study=study)
    assert [r.state for r in archive.recordings] == [RecordingState.READABLE] * 5
    assert [r.interval.duration_s for r in archive.recordings] == [pytest.approx(24.0, abs=0.1)] * 5


def test_a_known_file_is_placed_anew_without_being_opened_when_the_next_file_comes(
    sources: Sources, tmp_path: Path
) -> None:
    fast = Case("fast", stating_moved(lambda t: t * 1.5), ALL, named_s=None)
    before = first(found(tmp_path, fast, sources))
    assert before.interval.duration_s == pytest.approx(36.0, abs=0.1)
    (tmp_path / "cam1/x_20260108080024.mp4").write_bytes(sources.stating().path.read_bytes())
    opened: list[str] = []

    def counted(path: Path) -> MediaInfo:
        opened.append(path.name)
        return probe(path)

    again = find_recordings(
        camera(fast), tmp_path, probe=counted, known={before.path: before}, now=NOW, study=study
    )
    assert opened == ["x_20260108080024.mp4"]
    assert first(again).interval.duration_s == pytest.approx(24.0, abs=0.1)
    assert first(again).id != before.id
    opened.clear()
    known = {recording.path: recording for recording in again.recordings}
    assert find_recordings(camera(fast), tmp_path, probe=counted, known=known, now=NOW) == again
    assert opened == []


def test_a_file_that_an_earlier_version_looked_at_is_opened_once_more(
    sources: Sources, tmp_path: Path
) -> None:
    case = Case("fast", stating_moved(lambda t: t * 1.25), ALL)
    now = first(found(tmp_path, case, sources))
    earlier = replace(now, timeline=None, media=None, reason="")
    again = find_recordings(camera(case), tmp_path, probe=probe, known={now.path: earlier}, now=NOW)
    assert first(again) == now


def test_pictures_without_times_are_refused_where_nothing_gives_their_rate(
    sources: Sources, tmp_path: Path
) -> None:
    case = Case("bare", lambda of, path: bare(of.make(pictures=240), path), ALL, "264", named_s=None)
    recording = first(found(tmp_path, case, sources))
    assert recording.state is RecordingState.UNREADABLE
    assert recording.reason.startswith("its pictures carry no times")


@pytest.mark.parametrize("tolerance_s", [0.0, 2.0])
@pytest.mark.parametrize("suffix", ["ts", "264"])
def test_moments_of_a_mapped_recording_may_come_in_any_order(
    sources: Sources, tmp_path: Path, suffix: str, tolerance_s: float
) -> None:
    build = restarted(8.0, 17.0) if suffix == "ts" else CASES[-1].build
    recording = first(found(tmp_path, Case("any order", build, ALL, suffix), sources))
    offsets_s = [k * 0.9 for k in range(26)]
    random.Random(15).shuffle(offsets_s)
    with Reader(tmp_path / recording.path, recording.timeline) as opened:
        for offset_s in offsets_s:
            frame = opened.frame_at(offset_s, tolerance_s)
            assert isinstance(frame, Frame), offset_s
            assert offset_s - tolerance_s - 0.25 <= frame.offset_s <= offset_s + 1e-3
            assert index_of(frame) == pytest.approx(frame.offset_s * FPS, abs=2)
