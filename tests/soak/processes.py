"""The real command in processes of its own, killed and measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from made_archive import Made, command

MARK = "KERBWATCH_TESTED_BY"


@dataclass(frozen=True)
class Snapshot:
    """All that a scan leaves behind, without what differs from run to run: numbers and times of filing."""

    issues: frozenset[tuple[object, ...]]
    files: tuple[tuple[str, str], ...]
    observed: int


def start(
    words: Sequence[object], mark: str, out: IO[bytes] | None = None, *, program: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*(program or command()), *map(str, words)],
        stdout=out or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, MARK: mark},
    )


def kill(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """End a process, or all of its group, without giving it a word."""
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def marked(mark: str) -> list[int]:
    """Living processes that carry the mark in their environment."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                if wanted in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
            except OSError:
                continue
    return found


def cpu_s(session: int) -> float:
    """Processor time that the living processes of a session have used so far, in seconds."""
    ticks = 0
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[3]) == session:
                ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def wait_for_none(mark: str, within_s: float) -> list[int]:
    """The processes with the mark that still live when the time is over."""
    deadline = time.monotonic() + within_s
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def snapshot(made: Made) -> Snapshot:
    from detector.database import Database
    from detector.evidence.writing import SIGNATURE
    from detector.inference.weights import sha256_of
    from detector.issues.queue import IssueQueue

    root = Path(made.settings.evidence_root)
    with Database.open(made.settings.database_url) as database:
        issues = frozenset(
            (i.fingerprint, i.interval, i.state, i.version, i.camera_id, i.zone_id, i.explanation)
            for i in IssueQueue(database).find()
        )
    # Each county signs with a key of its own.
    files = sorted(
        (path.relative_to(root).as_posix(), "" if path.name == SIGNATURE else sha256_of(path))
        for path in root.rglob("*")
        if path.is_file()
    )
    return Snapshot(issues, tuple(files), observed(made))


def observed(made: Made) -> int:
    return sum(not path.name.startswith(".") for path in made.settings.observations_root.rglob("*.parquet"))


def unfinished(made: Made) -> list[str]:
    """Files and folders that a run which died may have left half done."""
    places = (Path(made.settings.evidence_root), made.settings.observations_root)
    return [str(path) for place in places for path in place.rglob(".*")]


@dataclass(frozen=True)
class Ended:
    """How a process ended: `peak_mb` is the most memory that it, or one of its workers, held."""

    code: int
    out: str
    errors: str
    peak_mb: float
    cpu_s: float


# A process is told to have held what the one that forked it held, so a small one stands between it and the tests.
WEIGHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    print(usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, file=file)
os._exit(os.waitstatus_to_exitcode(status))
"""


def run(words: Sequence[object]) -> Ended:
    """Run the command to its end."""
    with tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile("r") as weight:
        weigher = (sys.executable, "-c", WEIGHER, weight.name, *command())
        process = start(words, "undisturbed", out=out, program=weigher)
        _, errors = process.communicate()
        out.seek(0)
        said = out.read().decode()
        peak_mb, used_s = map(float, weight.read().split())
    return Ended(process.returncode, said, errors.decode(), peak_mb, used_s)
