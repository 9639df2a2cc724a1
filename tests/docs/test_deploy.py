"""What can be checked of the service files by hand: no container engine and no systemd runs where the tests do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
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


UNITS = ("kerbwatch-nightly.service", "kerbwatch-serve.service")


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_runs_in_the_sandbox_and_starts_a_command_that_exists(checkout: Path, name: str) -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(checkout / "deploy" / name)
    service = unit["Service"]
    wanted = {
        "ProtectSystem": "strict",
        "UMask": "0077",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
    }
    assert {key: service[key] for key in wanted} == wanted
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_UNIX", "AF_INET", "AF_INET6"}
    assert int(service["LimitNOFILE"]) >= 8192
    assert service["ReadWritePaths"].split() == ["/srv/kerbwatch"]
    words = shlex.split(service["ExecStart"])
    command = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_every_line_of_a_unit_and_calls_it_safe(
    checkout: Path, name: str, tmp_path: Path
) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    text = (checkout / "deploy" / name).read_text(encoding="utf-8")
    unit = tmp_path / name
    unit.write_text(text.replace("/opt/kerbwatch/.venv/bin/kerbwatch", sys.executable), encoding="utf-8")
    verified = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert [line for line in verified.stderr.splitlines() if name in line and "Unknown" in line] == []
    asked = [program, "security", "--offline=true", "--threshold=30", unit]
    rated = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-2000:]


def test_the_containers_base_is_named_by_its_digest(containerfile: list[list[str]]) -> None:
    (base,) = told(containerfile, "FROM")
    assert re.fullmatch(r"\S+:\S+@sha256:[0-9a-f]{64}", base)


def test_what_the_command_writes_is_readable_for_its_own_account_only(tmp_path: Path) -> None:
    code = "import sys; from detector.cli.entry import main; sys.argv = ['kerbwatch', 'init', sys.argv[1]]; main()"
    for given, folder, file in (("", 0o700, 0o600), ("027", 0o750, 0o640)):
        target = tmp_path / f"county{given}"
        environment = os.environ | {"KERBWATCH_UMASK": given}
        subprocess.run([sys.executable, "-c", code, target], env=environment, check=True, capture_output=True)
        assert target.stat().st_mode & 0o777 == folder
        assert (target / "kerbwatch.yaml").stat().st_mode & 0o777 == file
    environment = os.environ | {"KERBWATCH_UMASK": "nothing"}
    refused = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x"], env=environment, check=False, capture_output=True
    )
    assert b"KERBWATCH_UMASK" in refused.stderr


def test_both_wait_longer_for_the_end_than_it_takes(checkout: Path) -> None:
    from detector.scheduling.stopping import EXIT_WITHIN_S

    unit = (checkout / "deploy" / "kerbwatch-nightly.service").read_text(encoding="utf-8")
    wait = re.search(r"TimeoutStopSec=(\d+)", unit)
    assert wait
    assert float(wait[1]) > EXIT_WITHIN_S + 1
    assert "KillMode=mixed" in unit
