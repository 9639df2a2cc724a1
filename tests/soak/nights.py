"""Nightly runs as processes of their own, what they leave behind, and what is done to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from made_archive import Made
from processes import MARK, Snapshot, cpu_s, snapshot, start

from detector.cli.main import main
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.runs.days import CameraDays
from detector.runs.lease import Leases
from detector.runs.runs import Run, Runs

PROGRAM = (sys.executable, "-c", "from detector.cli.main import main; main()")
"""The command, but so that its workers need not read in all of it anew: half the time of a start."""

SITE = """
nightly: {{min_free_gb: {min_free_gb}, crashes: {crashes}, stall_s: {stall_s}, deadline: {deadline}}}
"""


def set_nightly(
    folder: Path, *, min_free_gb: float = 0, crashes: int = 3, stall_s: float = 600.0, deadline: str = "null"
) -> None:
    """Write the `nightly` part of kerbwatch.yaml anew."""
    path = folder / "kerbwatch.yaml"
    text = path.read_text(encoding="utf-8").partition("\nnightly:")[0]
    part = SITE.format(min_free_gb=min_free_gb, crashes=crashes, stall_s=stall_s, deadline=deadline)
    path.write_text(text.rstrip("\n") + "\n" + part, encoding="utf-8")


@dataclass(frozen=True)
class Left:
    """All that nights leave behind, without what differs from run to run: numbers, times of filing, lost runs."""

    scan: Snapshot
    catalogue: frozenset[tuple[object, ...]]
    days: frozenset[tuple[object, ...]]
    chains: frozenset[tuple[object, ...]]
    verdicts: frozenset[tuple[object, ...]]


def left_by(made: Made) -> Left:
    settings = made.settings
    with Database.open(settings.database_url) as database:
        catalogue, queue, days = Catalogue(database), IssueQueue(database), CameraDays(database)
        cameras = [camera for point in settings.points for camera in point.cameras]
        known = {
            (camera.id, path, one.id, one.state, one.interval)
            for camera in cameras
            for path, one in catalogue.known(camera.id).items()
        }
        chains = {
            (issue.fingerprint, *((row.version, row.move, row.who) for row in queue.history(issue.id)))
            for issue in queue.find()
        }
        return Left(
            snapshot(made),
            frozenset(known),
            frozenset((camera.id, *day) for camera in cameras for day in days.done(camera.id).items()),
            frozenset(chains),
            frozenset(verdicts_in(database)),
        )


def verdicts_in(database: Database) -> set[tuple[object, ...]]:
    from sqlalchemy import select

    from detector.database import schema

    table = schema.verdicts
    with database.read() as connection:
        columns = (table.c.key, table.c.fingerprint, table.c.camera_id, table.c.outcome, table.c.reason)
        return {tuple(row) for row in connection.execute(select(*columns))}


def runs_of(made: Made) -> list[Run]:
    """Newest first."""
    with Database.open(made.settings.database_url) as database:
        return Runs(database, Leases(database)).latest(1000)


def log_of(made: Made) -> list[dict[str, Any]]:
    files = sorted((made.settings.state_root / "logs").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def workers_of(parent: int) -> list[int]:
    """The worker processes of a nightly command."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                words = (place / "stat").read_text().rpartition(")")[2].split()
                if int(words[1]) == parent and b"spawn_main" in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
    return sorted(found)


class Forked:
    """The command in a fork of this process, which has read in all of it already: a third of the time of a start.

    What follows is the same as from a shell: it has a session of its own, and its workers are new processes.
    """

    def __init__(self, words: Sequence[object], mark: str) -> None:
        self.returncode: int | None = None
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by whoever reads it
        self.pid = os.fork()
        if self.pid == 0:
            self._be_the_command(words, mark)

    def _be_the_command(self, words: Sequence[object], mark: str) -> None:
        code = 70
        try:
            os.setsid()
            os.environ[MARK] = mark
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(self.stderr.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            sys.argv = ["kerbwatch", *map(str, words)]
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        finally:
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        if self.returncode is None and (found := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(found[1])
        return self.returncode

    def wait(self, within_s: float) -> int:
        deadline = time.monotonic() + within_s
        while self.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass
class Night:
    """One `nightly --once` under way. `forked`: see `Forked`."""

    made: Made
    words: tuple[object, ...]
    forked: bool = False
    mark: str = field(default_factory=lambda: f"{os.getpid()}-{time.monotonic_ns()}")
    process: subprocess.Popen[bytes] | Forked = field(init=False)
    errors: str = ""

    def __post_init__(self) -> None:
        words = ("nightly", "-C", self.made.folder, "--once", *self.words)
        if self.forked:
            self.process = Forked(words, self.mark)
        else:
            self.process = start(words, self.mark, program=PROGRAM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left of it, also where a test failed: no process, and no open pipe that another test meets."""
        assert self.process.stderr
        if not self.process.stderr.closed:
            self.kill(group=True)
            self.end()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_cpu(self, seconds: float) -> bool:
        """Until it has used so much more processor time; False where it ended before. However busy the machine is."""
        used, last = 0.0, cpu_s(self.process.pid)
        while self.alive:
            now = cpu_s(self.process.pid)
            used, last = used + max(0.0, now - last), now  # less: what a dead worker had used counts no more
            if used >= seconds:
                return True
            time.sleep(0.03)
        return False

    def wait_for(self, event: str, count: int = 1, within_s: float = 300.0) -> bool:
        """Until so many lines of a kind were logged since the start; False where it ended before."""
        before = sum(line["event"] == event for line in log_of(self.made))
        deadline = time.monotonic() + within_s
        while self.alive and time.monotonic() < deadline:
            if sum(line["event"] == event for line in log_of(self.made)) - before >= count:
                return True
            time.sleep(0.05)
        return False

    def kill(self, *, group: bool) -> None:
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def end(self, within_s: float = 600.0) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        assert self.process.stderr
        if self.forked:
            code = self.process.wait(within_s)
            self.process.stderr.seek(0)
            self.errors = self.process.stderr.read().decode()
        else:
            self.errors = self.process.stderr.read().decode()
            code = self.process.wait(within_s)
        self.process.stderr.close()
        return code
