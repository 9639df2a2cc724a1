"""What a command costs: processor time, wall time, peak resident memory and bytes read of it and all its children."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import KerbwatchError

EVERY_S = 1.0
"""How often memory and bytes read are looked at, and more often at first; what a process reads in its last moment may be
missed. Four times as often took 9 % of a core beside two busy workers, and made them slower than they are by themselves.
"""

ENDED_EVERY_S = 0.05
NEAR_PEAK = 0.97
"""Shared pages are told apart only where the processes hold nearly as much as ever before."""


class CommandFailed(KerbwatchError):
    """A command of the benchmark failed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one command and its children, at the moment at which they held most.

    `peak_mb` counts a page that they share once (the kernel's proportional set size), `peak_rss_mb` once in each.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    peak_rss_mb: float
    read_mb: float
    """Read by system calls, from the disk or the page cache alike."""


def measured(command: Sequence[str | Path], *, good: Sequence[int] = (0,)) -> tuple[str, Cost]:
    """Run a command; what it printed and what it cost. Raises CommandFailed where its exit code is not a good one."""
    began_s = time.monotonic()
    peak_kb, peak_rss_kb, read = 0, 0, 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        words = [str(word) for word in command]
        with subprocess.Popen(words, stdout=out, stderr=errors) as process:  # noqa: S603  # no shell
            look_s = ENDED_EVERY_S
            while True:
                group = [process.pid, *_descendants(process.pid)]
                rss_kb = sum(_resident_kb(pid) for pid in group)
                if rss_kb > NEAR_PEAK * peak_rss_kb:  # else it is no peak, and to tell costs 25 ms a process
                    peak_kb = max(peak_kb, sum(_proportional_kb(pid) for pid in group))
                peak_rss_kb = max(peak_rss_kb, rss_kb)
                # What a process has read counts for whoever waits for its end from then on.
                read = max(read, sum(_read_bytes(pid) for pid in group))
                next_s = time.monotonic() + look_s
                while not (wait := os.wait4(process.pid, os.WNOHANG))[0] and time.monotonic() < next_s:
                    time.sleep(ENDED_EVERY_S)
                ended, status, usage = wait
                if ended:
                    break
                look_s = min(EVERY_S, 1.5 * look_s)
            process.returncode = code = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if code not in good:
            raise CommandFailed(f"{' '.join(words[:6])} ended with {code}: {errors.read()[-2000:]}")
        cost = Cost(
            time.monotonic() - began_s,
            usage.ru_utime + usage.ru_stime,
            peak_kb / 1024,
            peak_rss_kb / 1024,
            read / 1e6,
        )
        return out.read(), cost


def _descendants(pid: int) -> Iterator[int]:
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, file.read_text().split()):
                yield child
                yield from _descendants(child)


def _resident_kb(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return 0


def _proportional_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _read_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith("rchar:"):
                return int(line.split()[1])
    return 0
