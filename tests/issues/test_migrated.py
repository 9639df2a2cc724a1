"""A database of an older schema, with issues in it, brought up to date: nothing is lost, and the chain still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from made_issues import NOON, evidence_of, file, incident, moment
from sqlalchemy import Column, Connection, MetaData, Table, create_engine, insert, select, text

from detector.database import Database, migrations, schema
from detector.database.types import UtcTime
from detector.issues import IssueQueue, State, history
from detector.issues.filing import Filing, _details

pytest_plugins = ["database_fixture"]


REVISIONS = sorted(
    revision.revision for revision in ScriptDirectory.from_config(migrations._config()).walk_revisions()
)


def write_schema(url: str, revision: str) -> None:
    """The tables of a revision with one issue, its history, evidence and verdict, by the columns of the first."""
    engine = create_engine(url)
    with engine.begin() as connection:
        migrations.upgrade(connection, revision)
        of = incident()
        evidence = evidence_of(of)
        row = {
            "id": 1, "public_id": "p", "fingerprint": of.fingerprint, "state": "flagged", "version": 1,
            "violation": of.violation, "point_id": of.point_id, "camera_id": of.camera_id, "zone_id": of.zone_id,
            "start": of.interval.start, "end": of.interval.end, "start_uncertainty_s": 1.0,
            "end_uncertainty_s": 1.0, "limit_s": 180.0, "box": of.box, "share": 0.9, "confidence": 0.8,
            "explanation": "parked", "explanation_zh": "停放", "model_id": "m", "rules_version": "1",
            "evidence_folder": evidence.folder, "filed_at": NOON, "updated_at": NOON,
        }  # fmt: skip
        connection.execute(insert(schema.issues).values(row))
        for one in evidence.files:
            values = {"issue_id": 1, "folder": evidence.folder, "name": one.name, "sha256": one.sha256}
            connection.execute(insert(schema.evidence_files).values(**values, size_bytes=one.size_bytes))
        filing = Filing(of, evidence, "parked", "停放", "m", "1", 1.0, 1.0)
        history.append(
            connection, issue_id=1, version=1, who="kerbwatch", at=NOON, move="filed", from_state=None,
            to_state=State.FLAGGED, details=_details(filing, of.interval),
        )  # fmt: skip
        verdict = {
            "key": "k", "fingerprint": of.fingerprint, "camera_id": of.camera_id, "violation": of.violation,
            "zone_id": of.zone_id, "start": of.interval.start, "end": of.interval.end, "outcome": "proven",
            "reason": "", "issue_id": 1, "decided_at": NOON,
        }  # fmt: skip
        connection.execute(insert(schema.verdicts).values(verdict))
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('issues_id_seq', 1)"))
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_issues_of_an_older_schema_go_on_in_the_newest(empty_url: str, revision: str) -> None:
    write_schema(empty_url, revision)
    with Database.open(empty_url) as database:
        queue = IssueQueue(database)
        assert queue.verify() == []
        (issue,) = queue.find()
        assert (issue.id, issue.state, issue.department, issue.assisting) == (1, State.FLAGGED, None, ())
        assert len(queue.evidence(1)) == 2
        assert file(queue, incident()).outcome == "known"
        assert queue.confirm(1, "li").version == 2
        assert file(queue, incident(100, 110)).issue_id == 2
        assert queue.verify() == []
        with database.read() as connection:
            broken = (
                ()
                if database.dialect == "postgresql"
                else connection.execute(text("PRAGMA foreign_key_check"))
            )
            assert list(broken) == []


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_every_row_of_an_older_schema_is_there_in_the_newest(empty_url: str, revision: str) -> None:
    write_schema(empty_url, revision)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        fill(connection)
        before = content(connection)
    assert all(before.values()), "each table holds a row"
    Database.open(empty_url).close()
    with engine.begin() as connection:
        after = content(connection)
    engine.dispose()
    for table, rows in before.items():
        kept = [{name: row.get(name, "no such column") for name in rows[0]} for row in after[table]]
        assert kept == rows, table


def reflected(connection: Connection) -> list[Table]:
    """The tables as they are in the database, those that others point at first."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def fill(connection: Connection) -> None:
    """A row in each table that has none: anything, as long as it points at rows that are there."""
    for table in reflected(connection):
        if connection.execute(select(table)).first() is None:
            row = {column.name: value_of(connection, column) for column in table.columns}
            connection.execute(insert(table).values(row))


def value_of(connection: Connection, column: Column[Any]) -> object:
    for key in column.foreign_keys:
        return connection.scalar(select(key.column).limit(1))
    newest = schema.metadata.tables[column.table.name].columns.get(column.name)
    if newest is not None and isinstance(newest.type, UtcTime):
        return newest.type.process_bind_param(NOON, connection.dialect)
    kinds: dict[type, object] = {
        bool: True, int: 7, float: 1.5, str: "text", datetime: NOON, object: {"a": 1}, bytes: b"b"
    }  # fmt: skip
    return kinds[column.type.python_type]


def content(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    return {
        table.name: [
            dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
        ]
        for table in reflected(connection)
    }


def test_a_stay_that_goes_on_after_its_answer_is_reopened_when_it_is_filed(database: Database) -> None:
    at = moment(15)
    queue = IssueQueue(database, lambda: at)
    number = file(queue, incident(0, 10)).issue_id
    for move in ("confirm", "dispatch", "rectify"):
        queue.move(number, move, "li", note="driven away")
    assert file(queue, incident(5, 17)).outcome == "extended"
    assert queue.get(number).state is State.RECTIFIED, "within the limit of three minutes after the answer"
    file(queue, incident(5, 30))
    issue = queue.get(number)
    assert (issue.state, issue.rectified_at) == (State.REOPENED, None)
    assert queue.history(number)[-1].who == "kerbwatch"
    assert queue.verify() == []
