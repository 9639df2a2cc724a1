"""A database of the first schema, with issues in it, brought up to date: nothing is lost, and the chain still holds."""

from __future__ import annotations

from alembic import command
from made_issues import NOON, evidence_of, file, incident, moment
from sqlalchemy import create_engine, insert, text

from detector.database import Database, migrations, schema
from detector.issues import IssueQueue, State, history
from detector.issues.filing import Filing, _details

pytest_plugins = ["database_fixture"]


def write_first_schema(url: str) -> None:
    """The tables of revision 0001 with one issue, its history, evidence and verdict, by the columns of that time."""
    engine = create_engine(url)
    with engine.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
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


def test_issues_of_the_first_schema_go_on_in_the_newest(empty_url: str) -> None:
    write_first_schema(empty_url)
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
