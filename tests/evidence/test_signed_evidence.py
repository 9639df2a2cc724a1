"""Who receives a folder of evidence can check, without the database, that the county made it and nobody changed it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from made_archive import kerbwatch

from detector.evidence import verify_evidence, verify_signed
from detector.evidence.manifest import MANIFEST, SIGNATURE, canonical, file_of
from detector.signing import PublicKey, make_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "issue-1" / "evidence-1"
    made.mkdir(parents=True)
    (made / "still_1_scene.jpg").write_bytes(b"picture")
    still = file_of(made / "still_1_scene.jpg")
    listed = {still.name: {"sha256": still.sha256, "size_bytes": still.size_bytes}}
    (made / MANIFEST).write_bytes(canonical({"fingerprint": "0f", "files": listed}))
    key = make_key(tmp_path / "keys" / "county.key")
    (made / SIGNATURE).write_bytes(key.sign((made / MANIFEST).read_bytes()))
    (tmp_path / "county.pub").write_text(key.public.pem)
    return made


def test_evidence_that_was_changed_and_made_to_fit_or_has_no_signature_is_found(
    folder: Path, tmp_path: Path
) -> None:
    keys = [PublicKey.read(tmp_path / "county.pub")]
    assert verify_signed(folder, keys) == []
    other = make_key(tmp_path / "other" / "o.key").public
    assert verify_signed(folder, [other]) == ["manifest.sig: none of the keys given has signed the manifest"]
    (folder / "still_1_scene.jpg").write_bytes(b"another")
    still = file_of(folder / "still_1_scene.jpg")
    listed = {still.name: {"sha256": still.sha256, "size_bytes": still.size_bytes}}
    (folder / MANIFEST).write_bytes(canonical({"fingerprint": "0f", "files": listed}))
    assert verify_evidence(folder) == [], "its hashes fit"
    assert verify_signed(folder, keys) == ["manifest.sig: none of the keys given has signed the manifest"]
    (folder / SIGNATURE).unlink()
    assert "nobody says who made this evidence" in "".join(verify_signed(folder, keys))


def test_the_command_needs_a_folder_and_a_key_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    public, handed = tmp_path / "county.pub", tmp_path / "handed"
    shutil.copytree(folder.parent, handed)
    good = kerbwatch("evidence", "verify", handed, "--key", public)
    assert (good.code, "1 folders of evidence, 0 faults" in good.out) == (0, True)
    (handed / "evidence-1" / "extra").write_bytes(b"")
    bad = kerbwatch("evidence", "verify", handed, "--key", public)
    assert (bad.code, "extra: not in the manifest" in bad.out) == (1, True)
    (tmp_path / "empty").mkdir()
    assert kerbwatch("evidence", "verify", tmp_path / "empty", "--key", public).code == 2


def test_another_program_can_check_the_signature(folder: Path, tmp_path: Path) -> None:
    asked = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "county.pub", "-rawin",
             "-in", folder / MANIFEST, "-sigfile", folder / SIGNATURE]  # fmt: skip
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
