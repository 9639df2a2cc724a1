"""What can be checked of the service files by hand: no container engine and no systemd runs where the tests do."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
from typer.main import get_command

from detector.cli.main import app


@pytest.fixture(scope="session")
def containerfile(checkout: Path) -> list[list[str]]:
    """Its instructions, each a list of words."""
    text = (checkout / "deploy" / "Containerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]


def told(containerfile: list[list[str]], instruction: str) -> list[str]:
    return [rest for name, rest in containerfile if name == instruction]


def test_everything_that_the_container_copies_is_there_and_not_ignored(
    checkout: Path, containerfile: list[list[str]]
) -> None:
    ignored = (checkout / ".containerignore").read_text(encoding="utf-8").splitlines()
    for words in told(containerfile, "COPY"):
        *sources, _ = shlex.split(words)
        for source in sources:
            assert (checkout / source).exists(), source
            assert f"!{source}" in ignored


def test_the_container_and_the_unit_start_commands_that_exist(
    checkout: Path, containerfile: list[list[str]]
) -> None:
    (entry,), (default,) = told(containerfile, "ENTRYPOINT"), told(containerfile, "CMD")
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(checkout / "deploy" / "kerbwatch-nightly.service")
    started = shlex.split(unit["Service"]["ExecStart"])
    for program, words in (
        (re.findall(r'"([^"]+)"', entry)[0], re.findall(r'"([^"]+)"', default)),
        (Path(started[0]).name, started[1:]),
    ):
        assert program == "kerbwatch"
        command = get_command(app).commands[words[0]]  # type: ignore[attr-defined]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_container_has_what_the_makefile_asks_of_the_system(
    checkout: Path, containerfile: list[list[str]]
) -> None:
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    packages = re.search(r"SYSTEM_PACKAGES := (.*)", makefile)
    assert packages
    installed = " ".join(told(containerfile, "RUN"))
    assert set(packages[1].split()) - {"python3-venv"} <= set(installed.split())


def test_variables_of_the_container_are_ones_that_the_program_reads(
    checkout: Path, containerfile: list[list[str]]
) -> None:
    source = " ".join(path.read_text(encoding="utf-8") for path in (checkout / "detector").rglob("*.py"))
    names = re.findall(r"(\w+)=", " ".join(told(containerfile, "ENV")))
    assert {"KERBWATCH_DIR", "KERBWATCH_CACHE"} <= set(names)
    assert [name for name in names if name not in source] == []


def test_both_wait_longer_for_the_end_than_it_takes(checkout: Path) -> None:
    from detector.scheduling.stopping import EXIT_WITHIN_S

    unit = (checkout / "deploy" / "kerbwatch-nightly.service").read_text(encoding="utf-8")
    wait = re.search(r"TimeoutStopSec=(\d+)", unit)
    assert wait
    assert float(wait[1]) > EXIT_WITHIN_S + 1
    assert "KillMode=mixed" in unit
