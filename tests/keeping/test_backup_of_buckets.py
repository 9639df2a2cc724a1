"""Backup and restore where observations and evidence lie in a bucket, also one that fails one time in ten."""

from __future__ import annotations

import json
import shutil
import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from kept_folder import county, fill, tree
from made_archive import kerbwatch

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.database.dump import snapshot
from detector.issues.queue import IssueQueue
from detector.keeping.backup import backup
from detector.keeping.checking import BadBackup
from detector.keeping.restoring import restore
from detector.storage import StoreAway, open_store

pytest_plugins = ["bucket_fixture", "database_fixture"]
KINDS = ("observations", "evidence")


@pytest.fixture
def settings(tmp_path: Path, database_url: str, bucket, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A county that keeps both in a bucket and nothing of them on this machine."""
    made = county(tmp_path / "county", database_url)
    with Database.open(database_url) as database:
        fill(made, database)
    (made.state_root / "attachments").mkdir(parents=True, exist_ok=True)
    (made.state_root / "attachments" / "a.jpg").write_bytes(b"jpeg")
    for kind in KINDS:
        move_out(getattr(made, f"{kind}_root"), f"{bucket.url}/{kind}")
        monkeypatch.setenv(f"KERBWATCH_{kind.upper()}_ROOT", f"{bucket.url}/{kind}")
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", database_url)
    return load_settings(made.folder)


def move_out(folder: Path, url: str) -> None:
    store = open_store(url)
    for path in sorted(folder.rglob("*.*")):
        if path.is_file():
            store.write(path.relative_to(folder).as_posix(), path.read_bytes())
    shutil.rmtree(folder)


def contents(root: Path | str) -> dict[str, bytes]:
    store = open_store(root)
    return {file.name: store.read(file.name) for file in store.files()}


def rows(url: str) -> dict[str, list]:
    with Database.open(url) as database, snapshot(database) as tables:
        return {name: list(found) for name, found in tables if name != "leases"}


@pytest.mark.parametrize("share", [pytest.param(0.0, marks=pytest.mark.soak), 0.1])
def test_a_bucket_is_backed_up_and_comes_back_in_a_folder_or_in_another_bucket(
    settings: Settings, bucket, tmp_path: Path, sqlite_url: str, share: float
) -> None:
    before = {kind: contents(f"{bucket.url}/{kind}") for kind in KINDS}
    assert [len(files) for files in before.values()] == [5, 8]
    bucket.failing.fail(share)
    assert backup(settings, tmp_path / "b.tar").faults == []
    account, environment = restore(tmp_path / "b.tar", tmp_path / "folder")
    assert account.faults == []
    assert environment == {
        "KERBWATCH_OBSERVATIONS_ROOT": f"{tmp_path}/folder/state/observations",
        "KERBWATCH_EVIDENCE_ROOT": f"{tmp_path}/folder/evidence",
        "KERBWATCH_DATABASE_URL": f"sqlite:///{tmp_path}/folder/state/kerbwatch.db",
    }
    own = replace(settings, evidence_root=tmp_path / "folder" / "evidence")
    assert contents(own.evidence_root) == before["evidence"]
    assert contents(tmp_path / "folder" / "state" / "observations") == before["observations"]
    assert tree(tmp_path / "folder" / "state" / "attachments") == tree(settings.state_root / "attachments")

    elsewhere = {kind: f"{bucket.url}-2/{kind}" for kind in KINDS}
    account, environment = restore(
        tmp_path / "b.tar", tmp_path / "new", f"sqlite:///{tmp_path}/2.db", **elsewhere
    )
    assert account.faults == []
    assert environment["KERBWATCH_EVIDENCE_ROOT"] == elsewhere["evidence"]
    assert {kind: contents(url) for kind, url in elsewhere.items()} == before
    assert not (tmp_path / "new" / "evidence").exists() or not any((tmp_path / "new" / "evidence").iterdir())
    assert rows(f"sqlite:///{tmp_path}/2.db") == rows(settings.database_url)
    if share:
        assert bucket.failing.counts["failed"] >= 5


def test_the_commands_go_from_bucket_and_postgresql_to_bucket_and_postgresql(
    settings: Settings, bucket, tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kerbwatch("backup", tmp_path / "b.tar", "-C", settings.folder)
    assert made.code == 0, made.err
    places = [f"--{kind}={bucket.url}-2/{kind}" for kind in KINDS]
    if settings.database_url == postgresql_url:  # the fixture made one database only
        postgresql_url = f"sqlite:///{tmp_path}/2.db"
    back = kerbwatch(
        "restore", tmp_path / "b.tar", tmp_path / "r", "--unsigned", "--database", postgresql_url, *places
    )
    assert back.code == 0, back.err
    assert f"KERBWATCH_EVIDENCE_ROOT={bucket.url}-2/evidence" in back.out.replace("\n", "")
    monkeypatch.setenv("KERBWATCH_EVIDENCE_ROOT", f"{bucket.url}-2/evidence")
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", postgresql_url)
    assert kerbwatch("issues", "verify", "-C", tmp_path / "r").code == 0
    again = kerbwatch("restore", tmp_path / "b.tar", tmp_path / "r2", "--unsigned", *places)
    assert (again.code, "is not empty" in again.err) == (2, True)


def test_what_the_bucket_lost_or_changed_is_told(settings: Settings, bucket, tmp_path: Path) -> None:
    evidence = open_store(f"{bucket.url}/evidence")
    still, other = [file.name for file in evidence.files() if file.name.endswith(".jpg")][:2]
    evidence.remove(still)
    evidence.write(other, b"something else")
    account = backup(settings, tmp_path / "b.tar")
    assert account.faults == [
        f"evidence/{still}: a row speaks of it and it is not there",
        f"evidence/{other}: is not what its row says",
    ]


def test_a_bucket_that_goes_away_leaves_no_half_backup_and_no_half_restore(
    settings: Settings, bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detector.storage import bucket as room

    backup(settings, tmp_path / "whole.tar")
    monkeypatch.setattr(room, "WAITS_S", (0.01,))
    bucket.failing.fail(1.0)
    with pytest.raises(StoreAway):
        backup(settings, tmp_path / "b.tar")
    assert list(tmp_path.glob("*b.tar*")) == []
    bucket.failing.fail(0.0)

    written = []

    def write(self, name: str, content: bytes) -> None:
        if len(written) == 5:
            raise StoreAway
        written.append(name)
        real(self, name, content)

    real = room.BucketStore.write
    monkeypatch.setattr(room.BucketStore, "write", write)
    with pytest.raises(StoreAway):
        restore(tmp_path / "whole.tar", tmp_path / "r", evidence=f"{bucket.url}-2/evidence")
    assert len(written) == 5
    assert contents(f"{bucket.url}-2/evidence") == {}
    assert not (tmp_path / "r").exists()
    assert list(tmp_path.glob(".r.*")) == []


def test_a_bad_backup_puts_nothing_into_a_bucket(settings: Settings, bucket, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        last = [member for member in tar if member.name.startswith("evidence/")][-1]
    content = bytearray((tmp_path / "b.tar").read_bytes())
    content[last.offset_data] ^= 1
    (tmp_path / "bad.tar").write_bytes(content)
    with pytest.raises(BadBackup, match="not as the manifest says"):
        restore(tmp_path / "bad.tar", tmp_path / "r", evidence=f"{bucket.url}-2/evidence")
    assert contents(f"{bucket.url}-2/evidence") == {}
    with pytest.raises(BadInput, match="not empty"):
        restore(tmp_path / "b.tar", tmp_path / "r", evidence=f"{bucket.url}/evidence")
    assert len(contents(f"{bucket.url}/evidence")) == 8


def test_large_files_pass_through_without_being_held(settings: Settings, bucket, tmp_path: Path) -> None:
    size = 60_000_000
    (settings.state_root / "attachments" / "large.bin").write_bytes(bytes(size))
    tracemalloc.start()
    try:
        assert backup(settings, tmp_path / "b.tar").faults == []
        restored, _ = restore(tmp_path / "b.tar", tmp_path / "r")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert restored.faults == []
    assert (tmp_path / "r" / "state" / "attachments" / "large.bin").stat().st_size == size
    assert peak < size / 3


def test_the_manifest_names_everything(settings: Settings, bucket, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        members = {member.name: member.mtime for member in tar}
        content = tar.extractfile("manifest.json")
        assert content is not None
        manifest = json.loads(content.read())
    assert set(manifest["files"]) == set(members) - {"manifest.json", "manifest.sig"}
    assert all(members[name] > 1_600_000_000 for name in manifest["files"])
    with Database.open(settings.database_url) as database:
        named = {f"evidence/{row.folder}/{row.name}" for issue in IssueQueue(database).find()
                 for row in IssueQueue(database).evidence(issue.id)}  # fmt: skip
    assert named
    assert named <= set(manifest["files"])
