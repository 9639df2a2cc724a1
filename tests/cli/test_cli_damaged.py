"""Damaged state is told in one sentence that says what to do, by every command, and nothing of it is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_archive import Done, kerbwatch, write_folder

from detector.config.settings import Settings
from detector.database import Database

DAY = ("--until", "2026-01-08", "--days", "1")
PAGE = 4096


def empty(file: Path) -> None:
    file.write_bytes(b"")


def text(file: Path) -> None:
    file.write_text("this is a note and no database\n" * 40, encoding="utf-8")


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def cut_in_the_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:60])


def overwritten(file: Path) -> None:
    """The beginning of every page but the first."""
    content, chance = bytearray(file.read_bytes()), np.random.default_rng(1)
    for page in range(1, len(content) // PAGE):
        content[page * PAGE : page * PAGE + 200] = chance.bytes(200)
    file.write_bytes(content)


def films(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("create table films (name text)")
    connection.close()


def without_table(name: str) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        with sqlite3.connect(file) as connection:
            connection.execute("pragma foreign_keys = off")
            connection.execute(f"drop table {name}")
        connection.close()

    damage.__name__ = f"without_{name}"
    return damage


DAMAGES = {
    empty: "kerbwatch restore",
    text: "kerbwatch restore",
    cut: "kerbwatch restore",
    cut_in_the_header: "kerbwatch restore",
    overwritten: "kerbwatch restore",
    films: "name another database",
    without_table("issues"): "kerbwatch restore",
    without_table("observed"): "kerbwatch restore",
    without_table("evidence_files"): "kerbwatch restore",
}
COMMANDS = {
    "verify": ("issues", "verify"),
    "list": ("issues", "list"),
    "backup": ("backup", "backup.tar"),
    "scan": ("scan", *DAY, "--workers", "1"),
    "coverage": ("coverage", *DAY),
    "judge": ("judge", *DAY),
    "serve": ("serve", "--port", "0"),
    "runs": ("runs",),
    "nightly": ("nightly", "--once"),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = write_folder(tmp_path / "county", ("p001",))
    Database.open(made.database_url).close()
    return made


def database_file(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def run(settings: Settings, words: tuple[str, ...]) -> Done:
    words = tuple(str(settings.folder.parent / w) if w.endswith(".tar") else w for w in words)
    return kerbwatch(*words, "-C", settings.folder)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_database_that_is_damaged_or_another_programs_is_refused_by_every_command(
    settings: Settings, damage: Callable[[Path], None]
) -> None:
    file = database_file(settings)
    damage(file)
    content = file.read_bytes()
    for words in COMMANDS.values():
        said = run(settings, words)
        lines = [line for line in said.err.splitlines() if line.strip()]
        assert said.code == 2, (words, said)
        assert "Traceback" not in said.err
        assert DAMAGES[damage] in said.err
        assert len(lines) <= 3, words
    assert file.read_bytes() == content
    assert not (settings.folder.parent / "backup.tar").exists()


def test_damage_that_lies_where_no_query_reads_is_found_by_verify_and_backup(settings: Settings) -> None:
    """A free page's number in the header that points nowhere: reading rows never sees it."""
    file = database_file(settings)
    with sqlite3.connect(file) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    content = bytearray(file.read_bytes())
    content[36:40] = (77).to_bytes(4, "big")
    file.write_bytes(content)
    for words in (COMMANDS["verify"], COMMANDS["backup"]):
        said = run(settings, words)
        assert said.code == 2
        assert "kerbwatch restore" in said.err


def test_a_new_county_needs_no_database_yet(tmp_path: Path) -> None:
    made = write_folder(tmp_path / "county", ("p001",))
    assert kerbwatch("issues", "list", "-C", made.folder).code == 0
    assert kerbwatch("issues", "verify", "-C", made.folder).code == 0
