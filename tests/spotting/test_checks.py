"""Spot checks by themselves: orders wait, one process works, and whatever becomes of it is told."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_clip import LIMIT_S, STARTS
from spot_eyes import dying_eyes, full_eyes, no_eyes, real_eyes, slow_eyes

from detector.config.rules import RuleSet
from detector.config.settings import Settings, default_rules, load_settings
from detector.config.template import template_files
from detector.core.errors import StorageFull
from detector.core.times import Interval
from detector.core.values import Violation
from detector.pipeline.doubts import Doubt, DoubtKind, Outcome
from detector.spotting import Finding, NoSuchCheck, Order, QueueFull, Spot, SpotChecks, SpotState, Why
from detector.spotting.checks import LARGEST_CLIP, NotHere, NoVideo, TooLarge, is_video
from detector.spotting.shelf import KEPT, KEPT_MOST
from detector.spotting.values import Result
from detector.spotting.work import Eyes

MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(100)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("county")
    for name, text in template_files(judge_example_zones=True).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return load_settings(folder)


def utc_now() -> datetime:
    return datetime.now(UTC)


def short_limits() -> RuleSet:
    rule = replace(default_rules().rules[Violation.ILLEGAL_PARKING], dwell_s=LIMIT_S, by_category={})
    return RuleSet({Violation.ILLEGAL_PARKING: rule})


def asked(by: str = "wang", start: datetime = STARTS) -> Spot:
    return Spot.new(by, utc_now(), "p001", "p001", "clip.mp4", start, uploaded=True)


def ordered(checks: SpotChecks, settings: Settings, clip: bytes | Path = MP4, by: str = "wang") -> Spot:
    spot = asked(by)
    with checks.receiving(spot, 0) as take:
        take(clip if isinstance(clip, bytes) else clip.read_bytes())
    point = settings.point("p001")
    folder, kept = checks.shelf.folder(spot.id), checks.shelf.clip(spot.id)
    checks.submit(spot, Order(folder, point, point.cameras[0], short_limits(), STARTS, kept))
    return spot


def over(checks: SpotChecks, spot: Spot, within_s: float = 300) -> Spot:
    until = time.monotonic() + within_s
    while not (found := checks.get(spot.id)).state.over:
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


@pytest.fixture
def checks_with(tmp_path: Path) -> Iterator[Callable[..., SpotChecks]]:
    """Opens spot checks whose worker has these eyes; all are closed at the end."""
    with ExitStack() as stack:
        yield lambda eyes, **more: stack.enter_context(SpotChecks(tmp_path, eyes, utc_now, **more).opened())


def test_what_was_found_is_the_same_after_it_was_kept() -> None:
    finding = Finding(
        Violation.LITTER,
        "kerb",
        STARTS,
        STARTS + timedelta(seconds=80),
        60.0,
        0.5,
        "lay",
        "停留",
        ("01_litter_1.jpg",),
    )
    result = Result("ok", 105.0, 12, 1, (finding,), ((Violation.STREET_VENDING, "nobody stays"),))
    doubt = Doubt(DoubtKind.UNREADABLE, "6 of 12 moments are unreadable", "12 次采样中 6 次无法读取")
    unjudged = Interval(STARTS, STARTS + timedelta(seconds=40))
    doubted = replace(
        result,
        outcome=Outcome.FOUND,
        doubts=(doubt,),
        unjudged=(unjudged,),
        too_long=((Violation.LITTER, 900.0),),
    )
    for one in (result, doubted):
        done = replace(asked(), state=SpotState.DONE, started_at=utc_now(), finished_at=utc_now(), result=one)
        assert Spot.of_json(json.loads(json.dumps(done.to_json()))) == done


@pytest.mark.parametrize(
    ("looks", "unreadable", "view", "outcome"),
    [
        (12, 0, "ok", "clean"),
        (0, 0, "ok", "could_not_be_judged"),
        (12, 12, "unusable", "could_not_be_judged"),
    ],
)
def test_a_result_kept_before_there_were_outcomes_is_clean_only_where_something_was_judged(
    looks: int, unreadable: int, view: str, outcome: str
) -> None:
    told = Result(view, 105.0, looks, unreadable, (), ()).to_json()
    for name in ("outcome", "doubts", "unjudged", "too_long"):
        del told[name]
    assert Result.of_json(told).outcome == outcome


def test_only_pictures_of_findings_are_given_out(
    checks_with: Callable[..., SpotChecks], settings: Settings
) -> None:
    checks = checks_with(no_eyes)
    spot = over(checks, ordered(checks, settings))
    for name in ("spot.json", "../spot.json", "01_litter_1.jpg", ""):
        with pytest.raises(NoSuchCheck):
            checks.picture(spot.id, name)


@pytest.mark.parametrize(
    ("eyes", "why"), [(no_eyes, Why.NO_MODEL), (dying_eyes, Why.CRASHED), (full_eyes, Why.DISK_FULL)]
)
def test_what_goes_wrong_in_the_worker_is_told_and_the_next_one_has_its_turn(
    checks_with: Callable[..., SpotChecks], settings: Settings, eyes: Callable[[], Eyes], why: Why
) -> None:
    checks = checks_with(eyes)
    for spot in [ordered(checks, settings) for _ in range(2 if why is Why.CRASHED else 1)]:
        found = over(checks, spot)
        assert (found.state, found.why) == (SpotState.FAILED, why)


def test_a_file_that_only_begins_like_a_video_is_told_to_be_none(
    checks_with: Callable[..., SpotChecks], settings: Settings
) -> None:
    checks = checks_with(partial(real_eyes, settings))
    assert over(checks, ordered(checks, settings)).why is Why.UNREADABLE


def test_one_that_takes_too_long_is_ended(checks_with: Callable[..., SpotChecks], settings: Settings) -> None:
    checks = checks_with(slow_eyes, limit_s=0.5)
    assert over(checks, ordered(checks, settings)).why is Why.TOOK_TOO_LONG


def test_the_line_is_short_and_nobody_fills_it_alone(
    checks_with: Callable[..., SpotChecks], settings: Settings
) -> None:
    checks = checks_with(slow_eyes)
    for _ in range(3):
        ordered(checks, settings, by="wang")
    with pytest.raises(QueueFull):
        ordered(checks, settings, by="wang")
    for number in range(5):
        ordered(checks, settings, by=f"officer{number}")
    with pytest.raises(QueueFull):
        ordered(checks, settings, by="li")
    assert len(checks.all()) == 8
    assert checks.ahead_of(checks.all()[0]) == 7
    assert len([p for p in checks.shelf.root.iterdir() if p.is_dir()]) == 8  # nothing of the refused is left


def test_clips_on_their_way_count_too(checks_with: Callable[..., SpotChecks]) -> None:
    checks = checks_with(no_eyes)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(checks.receiving(asked(), 0))(MP4)
        with pytest.raises(QueueFull), checks.receiving(asked(), 0):
            pass
        with checks.receiving(asked("li"), 0) as take:
            take(MP4)
    with checks.receiving(asked(), 0) as take:  # room again
        take(MP4)


def test_one_that_runs_can_be_given_up_and_one_that_waits_too(
    checks_with: Callable[..., SpotChecks], settings: Settings
) -> None:
    checks = checks_with(slow_eyes)
    running, waiting, last = (ordered(checks, settings) for _ in range(3))
    for spot in (waiting, running, last):
        checks.remove(spot.id)
        with pytest.raises(NoSuchCheck):
            checks.get(spot.id)
        with pytest.raises(NoSuchCheck):
            checks.remove(spot.id)
    began = time.monotonic()
    while any(path.is_dir() for path in checks.shelf.root.iterdir()):
        assert time.monotonic() - began < 60
        time.sleep(0.05)


def test_after_a_restart_results_are_there_and_what_was_cut_off_says_so(
    tmp_path: Path, settings: Settings
) -> None:
    with SpotChecks(tmp_path, no_eyes, utc_now).opened() as checks:
        done = over(checks, ordered(checks, settings))
    with SpotChecks(tmp_path, slow_eyes, utc_now).opened() as checks:
        cut, waiting = ordered(checks, settings), ordered(checks, settings)
        (checks.shelf.root / "half-an-upload").mkdir()
    with SpotChecks(tmp_path, no_eyes, utc_now).opened() as checks:
        assert checks.get(done.id) == done
        assert {checks.get(s.id).why for s in (cut, waiting)} == {Why.INTERRUPTED}
        assert not (checks.shelf.root / "half-an-upload").exists()
        assert not any(checks.shelf.clip(s.id).exists() for s in (done, cut, waiting))


def test_two_servers_do_not_work_on_one_folder(tmp_path: Path, settings: Settings) -> None:
    first, second = (SpotChecks(tmp_path, no_eyes, utc_now) for _ in range(2))
    with first.opened(), second.opened(), pytest.raises(NotHere):
        ordered(second, settings)


def test_what_is_old_or_too_much_is_removed(tmp_path: Path) -> None:
    checks = SpotChecks(tmp_path, no_eyes, utc_now)
    spots = {}
    for number in range(KEPT_MOST + 2):
        spot = asked().failed(Why.CRASHED, utc_now())
        age = KEPT + timedelta(hours=1) if number == 0 else timedelta(minutes=number)
        spots[spot.id] = replace(spot, created_at=utc_now() - age)
        checks.shelf.folder(spot.id).mkdir(parents=True)
        checks.shelf.keep(spots[spot.id])
    gone = checks.shelf.sweep(spots, utc_now())
    assert len(gone) == 2
    assert gone[-1] == next(iter(spots))
    assert len(list(checks.shelf.all())) == KEPT_MOST


@pytest.mark.parametrize(
    "head",
    [
        b"PK\x03\x04" + bytes(50), b"<!doctype html><script>", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd", b"\x7fELF" + bytes(50), b"", b"GIF89a", b"\xff\xd8\xff",
    ],
)  # fmt: skip
def test_what_is_no_video_is_refused_by_its_first_bytes(
    checks_with: Callable[..., SpotChecks], settings: Settings, head: bytes
) -> None:
    checks = checks_with(no_eyes)
    with pytest.raises(NoVideo):
        ordered(checks, settings, head)
    assert checks.all() == []
    assert not any(path.is_dir() for path in checks.shelf.root.iterdir())


def test_what_is_too_large_is_refused_before_it_is_sent_and_while(
    checks_with: Callable[..., SpotChecks], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = checks_with(no_eyes)
    with pytest.raises(TooLarge), checks.receiving(asked(), LARGEST_CLIP + 1):
        pass
    monkeypatch.setattr("detector.spotting.checks.LARGEST_CLIP", 200)
    with pytest.raises(TooLarge):
        ordered(checks, settings, MP4 + bytes(100))
    free = shutil.disk_usage(checks.shelf.root)._replace(free=2_000_000_000)
    monkeypatch.setattr("detector.spotting.checks.shutil.disk_usage", lambda _: free)
    with pytest.raises(StorageFull), checks.receiving(asked(), 150):
        pass
    assert not any(path.is_dir() for path in checks.shelf.root.iterdir())


@pytest.mark.parametrize(
    "head",
    [
        MP4, b"RIFF\x00\x00\x00\x00AVI LIST", b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x00\x01\x67", b"FLV\x01",
        b"DHAV\xfd", b"IMKH\x01", (b"\x47" + bytes(187)) * 4, (bytes(4) + b"\x47" + bytes(187)) * 4,
    ],
)  # fmt: skip
def test_what_recorders_write_is_taken(head: bytes) -> None:
    assert is_video(head)


@given(st.binary(max_size=600))
def test_no_text_and_no_archive_is_taken_for_a_video(head: bytes) -> None:
    for start in (b"#EXTM3U", b"PK\x03\x04", b"<html>", b"ffconcat"):
        assert not is_video(start + b"\n" * 8 + head.replace(b"G", b""))
