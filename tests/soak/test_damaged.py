"""Damaged recordings by the hundred: each is observed as far as it goes or told of, and nothing crashes or leaks."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from made_archive import Made, kerbwatch, place_of, settle, write_folder
from nights import Night, log_of, runs_of, set_nightly, workers_of
from processes import unfinished, wait_for_none
from video_fixture import Maker

from detector.core.values import RecordingState
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.footage.troubles import Troubles

pytest_plugins = ["archive_fixture"]
SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
COUNT, NIGHTS, WORKERS = (1000, 3, 2) if SOAK else (40, 1, 1)
LAST = date(2026, 1, 30)
STALL_S = 20.0
FORMATS = (("libx264", "mp4"), ("libx264", "mkv"), ("mpeg4", "avi"), ("libx264", "ts"), ("libx265", "mp4"))

Damage = Callable[[bytes, random.Random, list[bytes]], bytes]


def truncated(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    return data[: chance.randrange(1, len(data))]


def flipped(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 4, 64, 512))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def wrong_length(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    """Four bytes near the front, where containers keep sizes and durations, say something else; or a tail of rubbish."""
    if chance.random() < 0.3:
        return data + chance.randbytes(chance.randrange(1, 100_000))
    changed, at = bytearray(data), chance.randrange(0, min(len(data) - 4, 4096))
    changed[at : at + 4] = chance.choice(
        (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", chance.randbytes(4))
    )
    return bytes(changed)


def swapped(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Another container than the name says, or the front of one and the back of another."""
    other = chance.choice(others)
    if chance.random() < 0.5:
        return other
    cut = chance.randrange(1, len(data))
    return data[:cut] + other[min(cut, len(other) - 1) :]


def zero_filled(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    """What was allocated and never written, as after a power cut."""
    start = chance.randrange(len(data))
    end = chance.choice((len(data), chance.randrange(start, len(data)) + 1))
    return data[:start] + bytes(end - start) + data[end:]


DAMAGES: tuple[Damage, ...] = (truncated, flipped, wrong_length, swapped, zero_filled)


def damaged_county(folder: Path, make: Maker, count: int, seed: int) -> tuple[Made, Counter[str]]:
    """A camera with so many damaged recordings of six seconds, one every forty minutes."""
    settings = write_folder(folder, points=("p001",))
    set_nightly(folder, stall_s=STALL_S)
    (camera,) = settings.point("p001").cameras
    whole = [(suffix, make(codec, suffix).path.read_bytes()) for codec, suffix in FORMATS]
    chance, kinds = random.Random(seed), Counter[str]()
    midnight = datetime(LAST.year, LAST.month, LAST.day, tzinfo=settings.timezone)
    for number in range(count):
        suffix, data = chance.choice(whole)
        damage = DAMAGES[number % len(DAMAGES)]
        at = midnight - timedelta(minutes=40 * (number + 1))
        path = place_of(settings, camera, at, 6.0).with_suffix(f".{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damage(data, chance, [one for _, one in whole]))
        settle(path)
        kinds[damage.__name__] += 1
    return Made(folder, ()), kinds


def handles_into(pids: list[int], folder: Path) -> int:
    """The most files below a folder that one of the processes holds open."""
    most = 0
    for pid in pids:
        try:
            links = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        most = max(most, sum(link.startswith(str(folder)) for link in links))
    return most


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_damaged_recordings_cost_themselves_only(tmp_path: Path, make: Maker, weights: Path) -> None:
    made, kinds = damaged_county(tmp_path / "county", make, COUNT, seed=11)
    settings, most_open, began = made.settings, 0, time.monotonic()
    recordings = {p: p.read_bytes() for p in settings.archive_root.rglob("*") if p.is_file()}
    for number in range(NIGHTS):  # what cannot be read is tried in three nights
        as_of = f"{LAST + timedelta(days=number)}T01:00"
        with Night(made, ("--as-of", as_of, "--workers", WORKERS), forked=SOAK) as night:
            while night.alive:
                most_open = max(most_open, handles_into(workers_of(night.process.pid), settings.archive_root))
                time.sleep(0.2)
            assert night.end() in (0, 3), night.errors
        assert wait_for_none(night.mark, 10.0) == []
    took_s = time.monotonic() - began
    assert most_open <= 4  # a reader, and one that reads ahead
    assert {p: p.read_bytes() for p in recordings} == recordings, "recordings are never touched"
    print(f"{COUNT} damaged {dict(kinds)}; most files open in a worker: {most_open}; {took_s:.0f} s")
    check(made)


def check(made: Made) -> None:
    """Every recording is observed as far as it goes, or told of; nothing is left half done."""
    settings, runs = made.settings, runs_of(made)
    with Database.open(settings.database_url) as database:
        known = Catalogue(database).known("p001")
        parts = Catalogue(database).observed_parts("p001", runs[-1].period)
        given_up = Troubles(database).given_up("p001")
    observed = {part.recording_id for part in parts}
    states = Counter(one.state for one in known.values())
    lost = Counter[str]()
    for run in runs:
        lost.update(run.summary["lost_workers"])
    shown = {state.value: number for state, number in states.items()}
    print(f"{shown}, {len(observed)} observed, {len(given_up)} given up; lost workers: {dict(lost)}")
    assert len(known) == COUNT
    for one in known.values():
        usable = one.usable and one.state is not RecordingState.GROWING
        told = one.reason or one.id in given_up
        assert (usable and one.id in observed) or told, f"{one.path}: {one.state} and neither seen nor told"
    assert runs[0].summary["missing"] == []
    assert unfinished(made) == []
    assert kerbwatch("issues", "verify", "-C", made.folder).code == 0
    assert all(line["level"] != "error" or line["recording"] for line in log_of(made))
    covered = kerbwatch("coverage", "-C", made.folder, "--until", "2026-01-29", "--days", 30, "--json").json
    reasons = Counter(gap["reason"] for day in covered[0]["days"] for gap in day["gaps"])
    assert reasons["not_observed"] == 0, reasons
