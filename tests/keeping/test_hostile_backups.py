"""A backup is input: what was made to write, read or remove elsewhere is refused before anything is written."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.keeping.backup import MANIFEST
from detector.keeping.checking import BadBackup, checked_backup, is_safe
from detector.keeping.restoring import restore
from detector.storage import BadName, FolderStore, StoreAway, is_normal


def made_backup(file: Path, members: list[tuple[str, bytes]], **manifest: object) -> Path:
    """A tar of these members whose manifest fits them, but for what is given."""
    said = {
        "format": 1,
        "schema": "0001",
        "rows": {},
        "faults": [],
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
            for name, content in members
        },
        **manifest,
    }
    with tarfile.open(file, "w") as tar:
        for name, content in [*members, (MANIFEST, json.dumps(said).encode())]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file


def test_a_member_that_names_an_absolute_place_is_refused_and_a_foreign_folder_stays(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "theirs").write_text("theirs")
    for number, name in enumerate((f"evidence/{foreign}/new", f"evidence/{foreign}")):
        hostile = made_backup(tmp_path / f"{number}.tar", [(name, b"x")])
        with pytest.raises(BadBackup):
            restore(hostile, tmp_path / "r", evidence=tmp_path / "place")
    assert [path.name for path in foreign.iterdir()] == ["theirs"]
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "evidence//a", "evidence/./a", "evidence/a/", "evidence/../a", "./evidence/a", "evidence",
        "evidence/a\x00b", "other/a", "state/kerbwatch.db", "state/kerbwatch.db-wal", "state/observations/a",
    ],
)  # fmt: skip
def test_a_name_is_taken_only_in_its_normal_form_and_of_a_known_kind(name: str) -> None:
    assert not is_safe(tarfile.TarInfo(name))


@pytest.mark.parametrize(
    ("members", "manifest"),
    [
        ([("state/a", b"1"), ("state/a", b"1")], {}),
        ([("state/a", b"1"), ("state/a/b", b"1")], {}),
        ([], {"files": []}),
        ([], {"rows": {"../../etc/passwd": 1}}),
        ([], {"rows": {"alembic_version": 1}}),
        ([], {"rows": {"users": 1}}),
        ([], {"schema": None}),
        ([], {"format": 99}),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_without_a_traceback(
    tmp_path: Path, members: list[tuple[str, bytes]], manifest: dict[str, object]
) -> None:
    with pytest.raises(BadBackup):
        checked_backup(made_backup(tmp_path / "b.tar", members, **manifest))


def test_rows_that_are_none_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    name = "database/runs.jsonl.gz"
    hostile = made_backup(tmp_path / "b.tar", [(name, b"not gzip")], rows={"runs": 1})
    with pytest.raises(BadBackup, match="cannot be read"):
        restore(hostile, tmp_path / "r")
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_what_a_failed_restore_removes_is_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes into the same place meanwhile, and a folder has the name that scratch had before."""
    theirs, place = tmp_path / ".r.restoring", tmp_path / "place"
    theirs.mkdir()
    (theirs / "kept").write_text("kept")
    real = FolderStore.write

    def write(self: FolderStore, name: str, content: bytes) -> None:
        real(self, name, content)
        if name == "b":
            real(self, "c", b"another's")
            raise StoreAway

    monkeypatch.setattr(FolderStore, "write", write)
    backup = made_backup(tmp_path / "b.tar", [(f"evidence/{n}", b"ours") for n in "abc"])
    with pytest.raises(StoreAway):
        restore(backup, tmp_path / "r", evidence=place)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {"c": b"another's"}
    assert (theirs / "kept").read_text() == "kept"
    assert not (tmp_path / "r").exists()


@given(name=st.text(st.sampled_from("a./\x00"), max_size=8))
def test_a_normal_name_stays_below_its_root_and_has_one_spelling(name: str) -> None:
    root = Path("/store")
    if is_normal(name):
        assert (root / name).is_relative_to(root)
        assert ".." not in name.split("/")
        assert str(root / name) == f"/store/{name}"
    else:
        with pytest.raises(BadName):
            FolderStore(root).read(name)
