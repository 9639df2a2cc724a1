"""The contract of a database, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from detector.core.errors import BadInput, StorageFull
from detector.database import Database, DatabaseBusy, DatabaseUnusable, schema

pytest_plugins = ["database_fixture"]

NOON = datetime(2026, 1, 8, 12, tzinfo=UTC)


def add_run(connection: Connection, start: datetime = NOON, summary: object = None) -> None:
    connection.execute(
        insert(schema.runs).values(
            started_at=start, start=start, end=start + timedelta(hours=1), state="running", summary=summary
        )
    )


def runs(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.runs)) or 0


def test_migrations_lead_to_the_tables_of_the_schema(empty_url: str) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    with Database.open(empty_url) as database, database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata) == []


def test_a_database_is_opened_again_with_what_it_held(database: Database, database_url: str) -> None:
    with database.begin() as connection:
        add_run(connection)
    with Database.open(database_url) as again, Database.open(database_url, migrate=False) as once_more:
        assert runs(again) == runs(once_more) == 1


def open_and_count(url: str) -> int:
    with Database.open(url) as database:
        return runs(database)


def test_processes_that_start_at_once_on_an_empty_database_all_succeed(empty_url: str) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(open_and_count, [empty_url] * 6)) == [0] * 6


def test_an_exception_takes_back_the_whole_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin() as connection:
        _ = add_run(connection), 1 / 0
    assert runs(database) == 0


def test_a_mistake_of_the_program_is_not_dressed_up(database: Database) -> None:
    row = {"issue_id": 7, "folder": "f", "name": "n", "sha256": "", "size_bytes": 0}
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(schema.evidence_files).values(row))


def test_a_read_sees_one_moment_while_others_write(database: Database) -> None:
    count = select(func.count()).select_from(schema.runs)
    with database.read() as reading:
        assert reading.scalar(count) == 0
        with database.begin() as writing:
            add_run(writing)
        assert reading.scalar(count) == 0
    assert runs(database) == 1


def test_writers_that_read_first_wait_for_each_other(database: Database) -> None:
    def add_one_more() -> None:
        for _ in range(10):
            with database.begin(lock="count") as connection:
                seen = connection.scalar(select(func.max(schema.recordings.c.size_bytes))) or 0
                connection.execute(insert(schema.recordings).values(recording_row(seen + 1)))

    threads = [threading.Thread(target=add_one_more) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.scalar(select(func.max(schema.recordings.c.size_bytes))) == 40


def recording_row(number: int) -> dict[str, object]:
    return {
        "id": str(number), "camera_id": "c", "path": str(number), "size_bytes": number, "modified_ns": 0,
        "start": NOON, "end": NOON + timedelta(hours=1), "state": "readable", "reason": "",
        "width": 0, "height": 0, "last_seen": NOON,
    }  # fmt: skip


def test_a_lock_that_is_not_released_in_time_makes_the_database_busy(database_url: str) -> None:
    with Database.open(database_url) as patient, Database.open(database_url, busy_timeout_s=0.1) as hasty:
        with patient.begin(lock="same"), pytest.raises(DatabaseBusy), hasty.begin(lock="same"):
            pass
        assert DatabaseBusy.transient
        with hasty.begin(lock="same") as connection:
            add_run(connection)
        assert runs(patient) == 1


aware = st.datetimes(
    min_value=NOON.min + timedelta(days=2),
    max_value=NOON.max - timedelta(days=2),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(moments=st.lists(aware, min_size=1, max_size=8))
def test_moments_come_back_aware_exact_and_in_order(database: Database, moments: list[datetime]) -> None:
    with database.begin() as connection:
        connection.execute(delete(schema.runs))
        for moment in moments:
            add_run(connection, moment)
        found = connection.scalars(select(schema.runs.c.start).order_by(schema.runs.c.start)).all()
        earlier = connection.scalar(
            select(func.count()).select_from(schema.runs).where(schema.runs.c.start < moments[0])
        )
    assert list(found) == sorted(moments)
    assert all(moment.tzinfo is UTC for moment in found)
    assert earlier == sum(moment < moments[0] for moment in moments)


def test_a_naive_datetime_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="aware"), database.begin() as connection:
        add_run(connection, datetime(2026, 1, 8))  # noqa: DTZ001


@pytest.mark.parametrize(
    "url",
    [
        "",
        "kerbwatch.db",
        "mysql://root@localhost/x",
        "postgresql+asyncpg://u@h/d",
        "sqlite://",
        "nonsense://x",
    ],
)
def test_a_wrong_url_is_bad_input(url: str) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        Database.open(url)
    assert isinstance(caught.value, BadInput)


def test_no_password_stands_in_an_error(postgresql_server: str) -> None:
    wrong = postgresql_server.replace("postgres:@/postgres", "postgres:secret@/absent")
    with pytest.raises(DatabaseUnusable, match="absent") as caught:
        Database.open(wrong)
    assert "secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_a_passing_fault(tmp_path: Path) -> None:
    with pytest.raises(DatabaseBusy):
        Database.open(f"postgresql+psycopg://u@/d?host={tmp_path}")


@pytest.mark.parametrize(
    ("state", "kind"),
    [("53100", StorageFull), ("57P01", DatabaseBusy), ("40P01", DatabaseBusy), ("25006", DatabaseUnusable)],
)
def test_what_a_server_reports_becomes_our_own_error(
    postgresql_url: str, state: str, kind: type[Exception]
) -> None:
    report = text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'as told'; END $$")
    with (
        Database.open(postgresql_url) as database,
        pytest.raises(kind, match="as told"),
        database.begin() as connection,
    ):
        connection.execute(report)


def test_a_full_disk_takes_back_the_transaction_and_nothing_else(sqlite_url: str) -> None:
    with Database.open(sqlite_url) as database:
        with database.begin() as connection:
            add_run(connection)
        with database.read() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(StorageFull), database.begin() as connection:
            add_run(connection, summary="x" * 100_000)
        assert runs(database) == 1


def test_sqlite_is_set_up_to_lose_nothing_that_was_committed(sqlite_url: str) -> None:
    with Database.open(sqlite_url) as database, database.read() as connection:
        pragmas = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
        assert [connection.scalar(text(f"PRAGMA {name}")) for name in pragmas] == ["wal", 2, 1, 30_000]


def test_the_folder_of_a_database_is_created(tmp_path: Path) -> None:
    Database.open(f"sqlite:///{tmp_path}/a/b/kerbwatch.db").close()
    assert (tmp_path / "a" / "b" / "kerbwatch.db").is_file()


def test_without_migrating_nothing_is_created(tmp_path: Path, empty_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match=r"no such file|no kerbwatch tables"):
        Database.open(empty_url, migrate=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_a_file_stands_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnusable):
        Database.open(f"sqlite:///{tmp_path}/file/kerbwatch.db")


def test_a_file_that_is_no_database_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "kerbwatch.db").write_bytes(b"not a database at all, but long enough to look at " * 50)
    with pytest.raises(DatabaseUnusable):
        Database.open(f"sqlite:///{tmp_path}/kerbwatch.db")


def test_a_folder_in_place_of_the_file_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable):
        Database.open(f"sqlite:///{tmp_path}")


def test_a_file_that_may_only_be_read_is_unusable_for_writing(sqlite_url: str) -> None:
    Database.open(sqlite_url).close()
    with Database.open(sqlite_url) as database:
        with database.read() as connection:
            connection.execute(text("PRAGMA query_only = ON"))
        with pytest.raises(DatabaseUnusable, match="readonly"), database.begin() as connection:
            add_run(connection)


def test_a_database_of_a_newer_version_is_left_alone(database: Database, database_url: str) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable, match="newer"):
        Database.open(database_url)


def test_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE issues (title)")
    connection.close()
    with pytest.raises(DatabaseUnusable, match="another program"):
        Database.open(f"sqlite:///{file}")
