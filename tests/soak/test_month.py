"""A month of nights in simulated time, with real scans and with faults from a seeded list, several a night.

At its end every recording that was readable is observed, every event is an issue exactly once with evidence that
verifies, and every gap is explained.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from made_archive import FIRST, LENGTH_S, SECOND, Made, kerbwatch, place_of, settle
from nights import Night, log_of, runs_of, set_nightly, workers_of
from own_server import OwnServer, own_server
from processes import unfinished, wait_for_none

from detector.core.values import Camera
from detector.database import Database
from detector.issues.queue import IssueQueue
from detector.runs.runs import Run, RunState

pytest_plugins = ["archive_fixture"]
SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
NIGHTS = int(os.environ.get("KERBWATCH_NIGHTS", "30"))
FAULTS_A_NIGHT = (2, 4)
START = date(2026, 3, 1)
STALL_S = 8.0
SHORT_SEED = 3
"""Of the two nights that are part of every run of the tests."""
MOST_CPU_S = 2.5
"""A run of these small nights takes some 3 s of processor time; what is to strike it must come before."""
POINTS = ("p001", "p025")
WORKERS = 1


@dataclass
class Month:
    """The county, what was put into it, and what was done to it."""

    made: Made
    weights: Path
    server: OwnServer
    chance: random.Random
    clips: dict[tuple[str, date], Path]
    events: Counter[tuple[str, date]] = field(default_factory=Counter)
    """Camera and day of each event in a readable recording."""
    damaged: set[str] = field(default_factory=set)
    late: list[tuple[int, Path, Path]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    """Of the faults that strike a run at a random moment, those that found it still at work."""
    nights: int = 0
    runs: int = 0
    slowest_end_s: float = 0.0

    def camera(self, point: str) -> Camera:
        return self.made.settings.point(point).cameras[0]

    def clock(self, number: int, hour: int, minute: int = 0) -> str:
        return f"{START + timedelta(days=number)}T{hour:02d}:{minute:02d}:00"

    # What recorders do

    def record(self, number: int, *, hour: int, late_by: int = 0) -> None:
        """Recordings of an hour: an event, or none, or a trap; the same small films again and again."""
        day = START + timedelta(days=number)
        for point in POINTS:
            source_day = self.chance.choice((FIRST, SECOND))
            place = self._place(point, day, hour, 30)
            if late_by and point == POINTS[0]:
                self.late.append((number + late_by, self.clips[point, source_day], place))
            else:
                link(self.clips[point, source_day], place)
            if (point, source_day) in (("p001", FIRST), ("p025", SECOND)):
                self.events[point, day] += 1

    def arrive(self, number: int) -> None:
        """What was late until now."""
        for due, source, place in self.late:
            if due == number:
                link(source, place)

    def damage(self, number: int) -> None:
        """One more recording, of which nothing can be read, or only a part."""
        place = self._place("p001", START + timedelta(days=number), 11, 0)
        data = self.clips["p001", SECOND].read_bytes()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.chance.choice((data[: len(data) // 2], bytes(len(data)), b"", data[9000:])))
        settle(place)
        self.damaged.add(place.relative_to(self.made.settings.archive_root).as_posix())

    def _place(self, point: str, day: date, hour: int, minute: int) -> Path:
        zone = self.made.settings.timezone
        at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        return place_of(self.made.settings, self.camera(point), at, LENGTH_S)

    # What nights do

    def night(
        self, number: int, meddle: Callable[[Night], None] = lambda _: None, **clock: int
    ) -> Run | None:
        """One run; what it says, or None where it could not even begin."""
        at = self.clock(number, **({"hour": 20} | clock))
        before = len(runs_of(self.made))
        with Night(self.made, ("--as-of", at, "--workers", WORKERS), forked=True) as night:
            meddle(night)
            code = night.end()
        assert wait_for_none(night.mark, 60.0) == [], "a process was left behind"
        self.runs += 1
        runs = runs_of(self.made)
        assert code in (0, 1, 2, 3, 75, -signal.SIGKILL), night.errors
        return runs[0] if len(runs) > before else None


def link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.link(source, place)


# The faults. Each is done to a night, and leaves the trace that is asked for at the end.


def folder_vanishes(month: Month, number: int) -> None:
    """A recorder's folder goes away while the scan goes on, and comes back within it."""
    place = month.made.settings.archive_root / "p001"
    place.mkdir(exist_ok=True)
    away = place.with_name(".away")

    def meddle(night: Night) -> None:
        if night.wait_for("pass") or not night.alive:
            place.rename(away)
            month.struck["folder_vanishes"] += night.wait_cpu(1.0)
            away.rename(place)

    month.night(number, meddle)


def folder_away(month: Month, number: int) -> None:
    """A recorder's folder is not there for a whole run."""
    place = month.made.settings.archive_root / "p025"
    place.mkdir(exist_ok=True)
    place.rename(place.with_name(".away"))
    run = month.night(number)
    assert run is not None
    assert "no such file" in str(run.summary["camera_faults"]).lower()
    place.with_name(".away").rename(place)


def worker_killed(month: Month, number: int) -> None:
    """As the out-of-memory killer does."""
    month.night(number, lambda night: kill_a_worker(month, night, signal.SIGKILL))


def worker_stalls(month: Month, number: int) -> None:
    """A read that never comes back: the worker uses no time any more."""
    month.night(number, lambda night: kill_a_worker(month, night, signal.SIGSTOP))


def kill_a_worker(month: Month, night: Night, number: signal.Signals) -> None:
    if night.wait_for("run began") and night.wait_cpu(month.chance.uniform(0.5, MOST_CPU_S)):
        for pid in workers_of(night.process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                month.struck[number.name] += 1


def killed(month: Month, number: int) -> None:
    """SIGKILL, or the power fails."""

    def meddle(night: Night) -> None:
        night.wait_for("run began")
        month.struck["killed"] += night.wait_cpu(month.chance.uniform(0.2, MOST_CPU_S))
        night.kill(group=True)

    month.night(number, meddle)


def terminated(month: Month, number: int) -> None:
    """SIGTERM: it ends within ten seconds, on a machine that is not busy with other things."""

    def meddle(night: Night) -> None:
        night.wait_for("run began")
        month.struck["terminated"] += night.wait_cpu(month.chance.uniform(0.2, MOST_CPU_S))
        night.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        night.process.wait(60)
        month.slowest_end_s = max(month.slowest_end_s, time.monotonic() - began)

    month.night(number, meddle)


def disk_full(month: Month, number: int) -> None:
    set_nightly(month.made.folder, crashes=10, stall_s=STALL_S, min_free_gb=1e9)
    run = month.night(number)
    assert run is not None
    assert "nearly full" in run.summary["ended_because"]
    set_nightly(month.made.folder, crashes=10, stall_s=STALL_S)


def weights_gone(month: Month, number: int) -> None:
    aside = month.weights.with_suffix(".aside")
    month.weights.rename(aside)
    month.night(number)
    aside.rename(month.weights)
    assert runs_of(month.made)[0].state is RunState.FAILED


def database_restarts(month: Month, number: int) -> None:
    def meddle(night: Night) -> None:
        night.wait_for("run began")
        month.struck["database_restarts"] += night.wait_cpu(month.chance.uniform(0.2, MOST_CPU_S))
        month.server.stop()
        time.sleep(1.5)
        month.server.start()

    month.night(number, meddle)


def database_locked(month: Month, number: int) -> None:
    from sqlalchemy import create_engine, text

    def meddle(night: Night) -> None:
        night.wait_for("run began")
        engine = create_engine(month.server.url)
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE issues, observed, camera_days IN ACCESS EXCLUSIVE MODE"))
            time.sleep(4.0)  # a night that waits uses no processor time that could be waited for
        engine.dispose()

    month.night(number, meddle)


def short_night(month: Month, number: int) -> None:
    """The deadline comes some seconds after the start."""
    set_nightly(month.made.folder, crashes=10, stall_s=STALL_S, deadline='"07:30"')
    month.night(number, hour=7, minute=29)
    set_nightly(month.made.folder, crashes=10, stall_s=STALL_S)


def configuration_changes(month: Month, number: int) -> None:
    path = month.made.folder / "codes.yaml"

    def meddle(night: Night) -> None:
        night.wait_for("run began")
        path.write_text(path.read_text("utf-8") + f"# night {number}\n", encoding="utf-8")

    month.night(number, meddle)


def damaged(month: Month, number: int) -> None:
    month.damage(number)


def outage(_: Month, __: int) -> None:
    """Nothing runs in this night at all."""


Fault = Callable[[Month, int], None]
FAULTS: tuple[Fault, ...] = (
    folder_vanishes, folder_away, worker_killed, worker_stalls, killed, terminated, disk_full, weights_gone,
    database_restarts, database_locked, short_night, configuration_changes, damaged, outage,
)  # fmt: skip
QUICK_FAULTS: tuple[Fault, ...] = (
    folder_vanishes, worker_killed, killed, terminated, weights_gone, database_restarts, damaged,
)  # fmt: skip
"""Those that cost a run of seconds, and wait for nothing."""


@pytest.fixture
def month(composed: Made, weights: Path, tmp_path: Path) -> Iterator[Month]:
    made = composed.copy(tmp_path / "county")
    settings = made.settings
    clips = {
        (point, day): place_of(
            settings,
            settings.point(point).cameras[0],
            datetime(day.year, day.month, day.day, 8, 30, tzinfo=settings.timezone),
            LENGTH_S,
        )
        for point in POINTS
        for day in (FIRST, SECOND)
    }
    kept = {key: tmp_path / "clips" / f"{number}.mp4" for number, key in enumerate(clips)}
    (tmp_path / "clips").mkdir()
    for key, path in clips.items():
        os.link(path, kept[key])
    shutil.rmtree(settings.archive_root)
    (made.folder / "points" / "p015.yaml").unlink()
    own = tmp_path / "weights" / "own.pt"
    own.parent.mkdir()
    shutil.copy(weights, own)
    with own_server() as server:
        site = made.folder / "kerbwatch.yaml"
        text = site.read_text("utf-8").replace("weights: yolov8n", f"weights: {own}")
        site.write_text(text.replace("database: null", f"database: {server.url}"), "utf-8")
        set_nightly(made.folder, crashes=10, stall_s=STALL_S)
        yield Month(made, own, server, random.Random(30), kept)


def events_in(month: Month) -> Counter[tuple[str, date]]:
    zone = month.made.settings.timezone
    with Database.open(month.made.settings.database_url) as database:
        issues = IssueQueue(database).find()
    return Counter((i.point_id, i.interval.start.astimezone(zone).date()) for i in issues)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(
    not SOAK,
    reason="a month takes a quarter of an hour; set KERBWATCH_SOAK=1, and KERBWATCH_NIGHTS for fewer",
)
def test_after_nights_of_faults_everything_is_seen_once_and_every_gap_is_explained(month: Month) -> None:
    chance = month.chance
    drawn = (chance.sample(FAULTS, chance.randint(*FAULTS_A_NIGHT)) for _ in range(NIGHTS))
    check(month, live_through(month, drawn))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_after_two_nights_of_faults_everything_is_seen_once_and_every_gap_is_explained(month: Month) -> None:
    drawn = random.Random(SHORT_SEED).sample(QUICK_FAULTS, 4)
    check(month, live_through(month, (drawn[:2], drawn[2:])))
    assert month.struck.total() >= 1, "no fault found a run at work"


def live_through(month: Month, drawn: Iterable[Sequence[Fault]]) -> Run:
    """A night for each handful of faults, and three nights without any for what is still owed; the last run."""
    began = time.monotonic()
    for number, chosen in enumerate(drawn):
        month.nights = number + 1
        month.arrive(number)
        for index, fault in enumerate(chosen):
            # Something new for each run, that the fault finds it at work.
            month.record(number, hour=8 + 2 * index, late_by=month.chance.choice((0, 0, 1, 2)))
            fault(month, number)
            month.faults[fault.__name__] += 1
        if outage not in chosen:
            month.night(number, hour=23)
        names = ", ".join(fault.__name__ for fault in chosen)
        print(f"night {number + 1}: {names}; {month.runs} runs, {time.monotonic() - began:.0f} s", flush=True)
    month.arrive(month.nights)
    month.arrive(month.nights + 1)
    for number in range(month.nights, month.nights + 3):  # what is damaged is tried in three nights
        last = month.night(number)
    assert last is not None
    return last


def check(month: Month, last: Run) -> None:
    made = month.made
    assert (last.state, last.summary["missing"]) == (RunState.DONE, [])
    assert events_in(month) == month.events
    verified = kerbwatch("issues", "verify", "-C", made.folder)
    assert verified.code == 0, verified.out
    assert unfinished(made) == []
    until = START + timedelta(days=month.nights - 1)
    covered = kerbwatch(
        "coverage", "-C", made.folder, "--until", until, "--days", month.nights, "--json"
    ).json
    gaps = [gap for one in covered for day in one["days"] for gap in day["gaps"]]
    assert all(gap["reason"] for gap in gaps)
    assert not [gap for gap in gaps if gap["reason"] == "not_observed"]
    told = " ".join(str(gap) for gap in gaps) + str(last.summary["unusable"])
    assert [path for path in month.damaged if path not in told] == []
    seen_s = sum(day["observed_s"] for one in covered for day in one["days"])
    recorded_s = sum(day["readable_s"] for one in covered for day in one["days"])
    assert seen_s == pytest.approx(recorded_s, abs=1.0)
    runs = runs_of(made)
    assert all(run.state is not RunState.RUNNING for run in runs)
    lost = Counter[str]()
    for run in runs:
        lost.update(run.summary["lost_workers"])
    levels = Counter(line["level"] for line in log_of(made))
    print(
        f"{month.nights} nights, {month.runs} runs: {dict(Counter(run.state.value for run in runs))}; faults {dict(month.faults)}; "
        f"found at work {dict(month.struck)}"
    )
    print(
        f"{month.events.total()} events, as many issues; {len(month.damaged)} damaged recordings, all told of"
    )
    print(f"{seen_s:.0f} s of {recorded_s:.0f} s seen; workers lost {dict(lost)}; log lines {dict(levels)}")
    print(f"slowest end after SIGTERM: {month.slowest_end_s:.1f} s")
