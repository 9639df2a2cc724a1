"""Signed heads show what the chains alone cannot: all of it written anew, and an end that was cut off."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from kept_folder import NOW, county, fill
from made_archive import kerbwatch
from sqlalchemy import delete, insert, select, update

from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.database import Database, schema
from detector.issues import history
from detector.issues.queue import IssueQueue
from detector.keeping.heads import add_head, keys_for, read_heads, verify_heads
from detector.people import Actor, AuditLog, Looked, Role
from detector.people import audit as log_of
from detector.signing import PublicKey, make_key

pytest_plugins = ["database_fixture"]


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    made = county(tmp_path / "county", database_url)
    with Database.open(database_url) as database:
        fill(made, database)
        log = AuditLog(database, lambda: NOW)
        for number in range(4):
            log.add(
                Actor("li", Role.DISPATCHER), Looked.FOOTAGE, issue_id=number, details={"a": [1, None, "字"]}
            )
        add_head(made, database, NOW)
    return made


def faults_of(settings: Settings, keys: tuple[PublicKey, ...] | None = None) -> list[str]:
    with Database.open(settings.database_url) as database:
        queue, log = IssueQueue(database), AuditLog(database, lambda: NOW)
        heads = read_heads(settings.heads_file)
        signed = verify_heads(heads, queue, log, keys_for(settings) if keys is None else keys)
        return [*queue.verify(), *log.verify(), *signed]


def write_anew(connection, table, order, digest, row_of) -> None:
    """What somebody does who may write to the database: every hash is computed again, from the first row."""
    prev = "0" * 64
    for mapping in connection.execute(select(table).order_by(order)).mappings().all():
        row = replace(row_of(mapping), prev_hash=prev, hash="")
        prev = digest(row)
        changed = update(table).where(order == mapping[order.name])
        connection.execute(changed.values(prev_hash=row.prev_hash, hash=prev))


def test_all_is_well_until_somebody_writes(settings: Settings) -> None:
    assert faults_of(settings) == []
    with Database.open(settings.database_url) as database:
        again = add_head(settings, database, NOW)
        assert read_heads(settings.heads_file) == [again], "nothing happened, so nothing is added"
        AuditLog(database, lambda: NOW).add(Actor("li", Role.DISPATCHER), Looked.EXPORT)
        add_head(settings, database, NOW)
    assert len(read_heads(settings.heads_file)) == 2
    assert faults_of(settings) == []


def test_a_history_that_was_written_anew_is_found(settings: Settings) -> None:
    table = schema.history
    with Database.open(settings.database_url) as database, database.begin() as connection:
        connection.execute(update(table).where(table.c.seq == 1).values(who="somebody else"))
        write_anew(connection, table, table.c.seq, history.digest, history.row_of)
    assert [fault for fault in faults_of(settings) if "history row" in fault and "another one" in fault]
    with Database.open(settings.database_url) as database:
        assert IssueQueue(database).verify() == [], "the chain alone shows nothing"


def test_a_log_that_was_written_anew_or_cut_off_is_found(settings: Settings) -> None:
    table = schema.audit
    with Database.open(settings.database_url) as database, database.begin() as connection:
        connection.execute(delete(table).where(table.c.id == 2))
        write_anew(connection, table, table.c.id, log_of.digest, lambda m: log_of.AuditRow(**m))
    (fault,) = faults_of(settings)
    assert "log row 4 is another one" in fault
    with Database.open(settings.database_url) as database, database.begin() as connection:
        connection.execute(delete(table).where(table.c.id == 4))
    (fault,) = faults_of(settings)
    assert "log row 4 is missing" in fault


def test_a_row_of_the_log_that_was_changed_or_removed_breaks_its_chain(settings: Settings) -> None:
    table = schema.audit
    with Database.open(settings.database_url) as database:
        with database.begin() as connection:
            connection.execute(update(table).where(table.c.id == 3).values(file="another"))
        assert [f for f in AuditLog(database, lambda: NOW).verify() if "row 3: was changed" in f]
        with database.begin() as connection:
            connection.execute(delete(table).where(table.c.id == 3))
        assert AuditLog(database, lambda: NOW).verify() == [
            "log row 4: does not follow from row 2: rows between them were removed or changed"
        ]


def test_heads_that_were_changed_removed_or_signed_by_another_are_found(
    settings: Settings, tmp_path: Path
) -> None:
    with Database.open(settings.database_url) as database:
        AuditLog(database, lambda: NOW).add(Actor("li", Role.DISPATCHER), Looked.EXPORT)
        add_head(settings, database, NOW)
    path = settings.heads_file
    lines = path.read_text(encoding="utf-8").splitlines()
    other = make_key(tmp_path / "other" / "o.key").public
    assert [f for f in faults_of(settings, (other,)) if "is not at hand" in f]
    for content, why in (
        (lines[1:], "does not follow from the line before it"),
        ([lines[0].replace("2026-06-01", "2026-06-02"), lines[1]], "its signature does not fit"),
    ):
        path.write_text("\n".join(content) + "\n", encoding="utf-8")
        assert [fault for fault in faults_of(settings) if why in fault]
    for bad in ("{}", "no JSON", "[" * 5000, '{"purpose": "kerbwatch head", "format": 1}'):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(BadInput, match="line 1"):
            read_heads(path)


def test_rows_of_an_older_version_get_their_chain(empty_url: str) -> None:
    """As a database of the version before would be: the log has rows, and no hashes."""
    from detector.database.dump import load

    at = "2026-01-08T00:00:00.250000+00:00"
    rows = [
        {"id": n, "at": at, "who": "王", "what": "footage", "issue_id": 1, "file": "a.jpg", "address": None,
         "details": {"masked": n % 2 == 0, "n": n / 3}}
        for n in (1, 2, 5, *range(6, 1200))
    ]  # fmt: skip
    load(empty_url, "0007", [("audit", rows)])
    with Database.open(empty_url) as database:
        log = AuditLog(database, lambda: NOW)
        assert log.verify() == []
        log.add(Actor("li", Role.DISPATCHER), Looked.EXPORT)
        assert log.verify() == []
        assert len(log.find(limit=2000)) == len(rows) + 1


def test_the_command_signs_shows_and_finds(tmp_path: Path) -> None:
    settings = county(tmp_path / "county")
    with Database.open(settings.database_url) as database:
        fill(settings, database)
    assert "no signed head" in kerbwatch("issues", "verify", "-C", settings.folder).out
    signed = kerbwatch("issues", "sign", "-C", settings.folder, "--request", tmp_path / "head.tsq")
    assert signed.code == 0, signed.err
    shown = subprocess.run(
        ["openssl", "ts", "-query", "-in", tmp_path / "head.tsq", "-text"], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert "sha256" in shown.stdout
    whole = kerbwatch("issues", "verify", "-C", settings.folder)
    assert (whole.code, "1 signed heads, the last: " in whole.out) == (0, True)
    with Database.open(settings.database_url) as database, database.begin() as connection:
        rows = (
            connection.execute(select(schema.history).order_by(schema.history.c.seq.desc())).mappings().all()
        )
        connection.execute(delete(schema.history).where(schema.history.c.seq == rows[0]["seq"]))
        connection.execute(insert(schema.history).values(**{**rows[0], "note": "another"}))
        write_anew(connection, schema.history, schema.history.c.seq, history.digest, history.row_of)
    changed = kerbwatch("issues", "verify", "-C", settings.folder)
    assert (changed.code, "is another one than was signed" in changed.out) == (1, True)
