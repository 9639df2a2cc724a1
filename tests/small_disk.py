"""A small disk that is full in no time, for tests that root runs. None is left behind, whatever ends a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

import pytest

NAME = "kerbwatch-test-"
"""What a mount of ours says it comes from, with the number of the process that made it."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A memory disk of `size` (as mount has it, such as 64k) at a new folder."""
    unmount_left()
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", f"{NAME}{getpid()}", str(folder)]
    try:
        made = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if made.returncode:
        pytest.skip(f"only root may mount a small disk: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        _unmount(folder)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def unmount_left() -> None:
    """Take down what test runs that were killed have left mounted."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        name, place = line.split()[:2]
        number = name.removeprefix(NAME)
        if name != number and not Path(f"/proc/{number}").exists():
            _unmount(Path(place.replace("\\040", " ")))


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
