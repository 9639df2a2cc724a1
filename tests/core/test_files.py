"""A file is replaced whole or not at all, and a full disk is known by either of its error numbers."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from detector.core.errors import StorageFull
from detector.core.files import is_disk_full, replace_atomically, write_atomically
from detector.database import Database


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_full_quota_are_both_full(code: int) -> None:
    assert is_disk_full(OSError(code, "full"))


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "denied"), OSError("no number"), ValueError("other")]
)
def test_other_errors_are_no_full_disk(error: Exception) -> None:
    assert not is_disk_full(error)


def test_a_file_is_replaced_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_atomically(path, b"one")
    with pytest.raises(IsADirectoryError), replace_atomically(path) as unfinished:
        unfinished.write_bytes(tmp_path.read_bytes())
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_in_a_folder_beyond_a_quota_says_that_no_space_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageFull, match="Disk quota exceeded"):
        Database.open(f"sqlite:///{tmp_path}/new/county.sqlite")
