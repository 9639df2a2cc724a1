"""Backup while everything runs, and restore that checks every byte; from either database into either."""

from __future__ import annotations

import tarfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kept_folder import NOW, county, evidence_in, fill, observe, tree, with_retention
from made_archive import kerbwatch

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput
from detector.database import Database, DatabaseUnusable
from detector.database.dump import snapshot
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.issues.values import IssueFilter
from detector.keeping.backup import backup
from detector.keeping.checking import BadBackup
from detector.keeping.restoring import restore
from detector.keeping.retention import retain
from detector.runs.lease import Leases, LeaseTaken

pytest_plugins = ["database_fixture"]


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    made = county(tmp_path / "county", database_url)
    with Database.open(database_url) as database:
        fill(made, database)
    (made.state_root / "attachments").mkdir(parents=True, exist_ok=True)
    (made.state_root / "attachments" / "a.jpg").write_bytes(b"jpeg")
    return made


def rows(url: str) -> dict[str, list]:
    with Database.open(url) as database, snapshot(database) as tables:
        return {name: list(found) for name, found in tables if name != "leases"}


def moved(settings: Settings, folder: Path, url: str | None = None) -> Settings:
    restored = load_settings(folder)
    return replace(restored, database_url=url or f"sqlite:///{folder}/state/kerbwatch.db")


def test_what_is_restored_is_what_was_there_and_goes_on_counting(settings: Settings, tmp_path: Path) -> None:
    account = backup(settings, tmp_path / "b.tar")
    assert account.faults == []
    target = tmp_path / "restored"
    restored, environment = restore(tmp_path / "b.tar", target)
    assert restored.faults == []
    assert environment == {}
    own = moved(settings, target)
    assert rows(own.database_url) == rows(settings.database_url)
    for name in ("evidence", "state/observations", "state/attachments", "points"):
        assert tree(target / name) == tree(settings.folder / name)
    with Database.open(own.database_url) as database:
        assert IssueQueue(database).verify() == []
        evidence_in(target / "evidence", 9)
        IssueQueue(database, lambda: NOW).confirm(1, "wang")
    assert kerbwatch("issues", "verify", "-C", target).code == 0


def test_a_backup_of_one_database_fills_the_other(settings: Settings, tmp_path: Path, empty_url: str) -> None:
    if empty_url == settings.database_url:
        empty_url = f"sqlite:///{tmp_path}/other.db"
    backup(settings, tmp_path / "b.tar")
    _, environment = restore(tmp_path / "b.tar", tmp_path / "restored", empty_url)
    assert environment == {"KERBWATCH_DATABASE_URL": empty_url}
    assert rows(empty_url) == rows(settings.database_url)
    with Database.open(empty_url) as database:
        queue = IssueQueue(database)
        assert queue.verify() == []
        again = queue.find(IssueFilter())[0]
        fresh = replace_box(again.id)
        filed = queue.file(
            fresh, evidence_in(tmp_path / "e", 8), explanation="x", explanation_zh="x", model_id="m",
            rules_version="r", verdict_key="new", start_uncertainty_s=0.0, end_uncertainty_s=0.0,
        )  # fmt: skip
        assert filed.issue_id == 6
    with pytest.raises(DatabaseUnusable, match="not empty"):
        restore(tmp_path / "b.tar", tmp_path / "again", empty_url)
    assert not (tmp_path / "again").exists()


def replace_box(_: int):
    from datetime import timedelta

    from detector.core.times import Interval
    from detector.core.values import Incident, Violation

    interval = Interval(NOW, NOW + timedelta(minutes=5))
    return Incident(
        Violation.ILLEGAL_PARKING, "p001", "p001", "kerb", interval, 60.0, (0.5, 0.5, 0.6, 0.6), 0.9, 0.8
    )


def test_a_backup_taken_while_issues_are_filed_is_of_one_moment(settings: Settings, tmp_path: Path) -> None:
    stop = threading.Event()

    def go_on() -> None:
        with Database.open(settings.database_url) as database:
            catalogue, number = Catalogue(database), 100
            while not stop.is_set():
                number += 1
                observe(settings, catalogue, number, datetime(2026, 5, 1, tzinfo=UTC))
                queue = IssueQueue(database, lambda: NOW)
                queue.claim(1, f"p{number}")
                queue.release(1, f"p{number}")
                if number == 103:
                    queue.confirm(1, "li")
                time.sleep(0.001)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        time.sleep(0.2)
        for number in range(3):
            assert backup(settings, tmp_path / f"{number}.tar").faults == []
    finally:
        stop.set()
        thread.join()
    for number in range(3):
        account, _ = restore(tmp_path / f"{number}.tar", tmp_path / f"r{number}")
        assert account.faults == []


def test_a_backup_that_was_changed_or_breaks_off_is_refused_and_leaves_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    whole = tmp_path / "b.tar"
    backup(settings, whole)
    content = bytearray(whole.read_bytes())
    with tarfile.open(whole) as tar:
        member = next(m for m in tar if m.name.endswith("still_1_scene.jpg"))
    for name, change in (
        ("flipped", lambda c: c[: member.offset_data] + b"\xff" + c[member.offset_data + 1 :]),
        ("cut", lambda c: c[: len(c) // 2]),
        ("text", lambda _: b"not a tar at all" * 100),
        ("none", lambda _: b""),
    ):
        bad = tmp_path / f"{name}.tar"
        bad.write_bytes(bytes(change(content)))
        with pytest.raises(BadBackup):
            restore(bad, tmp_path / "restored")
        assert not (tmp_path / "restored").exists()
        assert not list(tmp_path.glob(".restored*"))
    with pytest.raises(BadBackup, match="no such file"):
        restore(tmp_path / "absent.tar", tmp_path / "restored")


def test_nothing_is_written_over(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar")
    with pytest.raises(BadInput, match="there already"):
        backup(settings, tmp_path / "b.tar")
    with pytest.raises(BadInput, match="not an empty folder"):
        restore(tmp_path / "b.tar", settings.folder)


def test_what_a_row_speaks_of_and_is_not_there_is_told_unless_retention_removed_it(
    settings: Settings, tmp_path: Path
) -> None:
    with Database.open(settings.database_url) as database:
        retain(with_retention(settings, evidence_days=10), database, NOW)
        assert backup(settings, tmp_path / "a.tar").faults == []
        assert isinstance(settings.evidence_root, Path)
        next(settings.evidence_root.rglob("*.jpg")).unlink()
        (fault,) = backup(settings, tmp_path / "b.tar").faults
        assert "a row speaks of it and it is not there" in fault


def test_retention_and_backup_do_not_run_at_once(settings: Settings, tmp_path: Path) -> None:
    with Database.open(settings.database_url) as database:
        Leases(database).take("keeping", "elsewhere boot 1 1")
    with pytest.raises(LeaseTaken):
        backup(settings, tmp_path / "b.tar")
    assert not list(tmp_path.glob("*b.tar*"))


def test_an_old_schema_is_restored_and_brought_up_to_date(tmp_path: Path, empty_url: str) -> None:
    """As a backup of the first version would be: tables and columns that came later are not in it."""
    from detector.database.dump import load, revision

    at = "2026-01-08T00:00:00.000000+00:00"
    run = {
        "id": 7,
        "started_at": at,
        "finished_at": None,
        "start": at,
        "end": at,
        "state": "done",
        "summary": {},
    }
    assert load(empty_url, "0001", [("runs", [run])]) == {"runs": 1}
    with Database.open(empty_url) as database:
        assert revision(database) > "0001"
    assert [row["id"] for row in rows(empty_url)["runs"]] == [7]
    with pytest.raises(DatabaseUnusable, match="newer kerbwatch"):
        load(f"sqlite:///{tmp_path}/x.db", "9999", [])


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    settings = county(tmp_path / "county")
    with Database.open(settings.database_url) as database:
        fill(settings, database)
    made = kerbwatch("backup", tmp_path / "b.tar", "-C", settings.folder)
    assert made.code == 0, made.err
    assert "0 faults" in made.out
    (row,) = kerbwatch("users", "log", "-C", settings.folder, "--json").json
    assert (row["what"], row["file"], row["details"]) == ("export", "backup b.tar", {"masked": False})
    public = tmp_path / "county.pub"
    public.write_text(kerbwatch("keys", "show", "-C", settings.folder).out)
    assert kerbwatch("restore", tmp_path / "b.tar", tmp_path / "r").code == 2
    back = kerbwatch("restore", tmp_path / "b.tar", tmp_path / "r", "--key", public)
    assert back.code == 0, back.err
    assert "restored and verified" in back.out
    assert kerbwatch("backup", tmp_path / "b.tar", "-C", settings.folder).code == 2
    dry = kerbwatch("retention", "-C", settings.folder, "--dry-run")
    assert dry.code == 0
    assert "would remove" in dry.out
