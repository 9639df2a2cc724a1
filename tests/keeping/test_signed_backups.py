"""A backup says who made it, holds what an office needs, and brings back neither sessions nor, unasked, tokens."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kept_folder import county
from made_archive import kerbwatch

from detector.config.settings import Settings, load_settings
from detector.database import Database
from detector.database.dump import snapshot
from detector.keeping.backup import backup, is_configuration
from detector.keeping.checking import UnsignedBackup
from detector.keeping.restoring import restore
from detector.people import Actor, Role
from detector.people.store import People
from detector.reporting.documents import write_templates
from detector.signing import BadKey, PublicKey, SigningKey, make_key

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = county(tmp_path / "county")
    with Database.open(made.database_url):
        pass
    return made


def changed(source: Path, target: Path, name: str, content: bytes | None) -> Path:
    """A copy whose member has this content, or is left out; hashes in the manifest are made to fit."""
    members: dict[str, bytes] = {}
    with tarfile.open(source) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            members[member.name] = file.read()
    if content is None:
        del members[name]
    else:
        members[name] = content
        manifest = json.loads(members["manifest.json"])
        manifest["files"][name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
        }
        members["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(target, "w") as tar:
        for each, bytes_ in members.items():
            info = tarfile.TarInfo(each)
            info.size = len(bytes_)
            tar.addfile(info, io.BytesIO(bytes_))
    return target


def test_a_backup_that_was_changed_and_made_to_fit_or_that_another_signed_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    whole = tmp_path / "b.tar"
    backup(settings, whole)
    key = PublicKey.read(settings.key_file)
    forged = changed(whole, tmp_path / "forged.tar", "config/rules.yaml", b"{}")
    unsigned = changed(whole, tmp_path / "unsigned.tar", "manifest.sig", None)
    other = make_key(tmp_path / "other" / "county.key").public
    for file, asked, why in (
        (forged, key, "not signed by"),
        (unsigned, key, "no signature"),
        (whole, other, "not signed by"),
    ):
        with pytest.raises(UnsignedBackup, match=why):
            restore(file, tmp_path / "r", key=asked)
        assert not (tmp_path / "r").exists()
    assert restore(whole, tmp_path / "r", key=key)[0].faults == []


def test_a_backup_holds_the_offices_templates_and_the_names_of_secrets_but_no_private_key(
    settings: Settings, tmp_path: Path
) -> None:
    write_templates(settings.folder)
    (settings.folder / "strange.yaml").write_text("a: 1")
    (settings.folder / "webhooks.yaml").write_text(
        "endpoints:\n- {name: platform, url: 'https://p.example/', secret_file: /etc/kerbwatch/platform.key}\n"
    )
    backup(load_settings(settings.folder), tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
    assert "config/templates/letter.docx" in names
    assert "config/strange.yaml" not in names
    assert not [name for name in names if name.endswith(".key")]
    account, _ = restore(tmp_path / "b.tar", tmp_path / "r", key=PublicKey.read(settings.key_file))
    assert "file /etc/kerbwatch/platform.key" in account.secrets
    assert (tmp_path / "r" / "templates" / "letter.docx").is_file()
    assert (tmp_path / "r").stat().st_mode & 0o077 == 0
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0


def test_sessions_stay_behind_and_tokens_come_only_where_they_are_asked_for(
    settings: Settings, tmp_path: Path
) -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    with Database.open(settings.database_url) as database:
        people = People(database, lambda: at)
        admin = Actor("root", Role.ADMIN)
        user = people.create(admin, "root", name="Root", role=Role.ADMIN, password=PASSWORD)
        people.open_session(user)
        people.issue_token(admin, "root", "script", at + timedelta(days=1))
    backup(settings, tmp_path / "b.tar")
    for tokens in (False, True):
        target = tmp_path / f"r{tokens}"
        assert restore(tmp_path / "b.tar", target, tokens=tokens)[0].faults == []
        with (
            Database.open(f"sqlite:///{target}/state/kerbwatch.db") as database,
            snapshot(database) as tables,
        ):
            counts = {name: len(list(rows)) for name, rows in tables}
        assert (counts["users"], counts["sessions"], counts["tokens"]) == (1, 0, int(tokens))


def test_the_command_asks_for_a_key_or_for_a_clear_word(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar")
    refused = kerbwatch("restore", tmp_path / "b.tar", tmp_path / "r")
    assert (refused.code, "--unsigned" in refused.err) == (2, True)
    public = tmp_path / "county.pub"
    public.write_text(kerbwatch("keys", "show", "-C", settings.folder).out)
    assert kerbwatch("restore", tmp_path / "b.tar", tmp_path / "r", "--key", public).code == 0


@pytest.mark.parametrize(
    "name",
    ["state", "evidence", "points", "points/../x.yaml", "x.pth", "keys/county.key", "templates/x.docx"],
)
def test_what_a_working_folder_does_not_know_is_no_configuration(name: str) -> None:
    assert not is_configuration(name)


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "county.key"
    key = make_key(path)
    assert make_key(path).public.fingerprint == key.public.fingerprint
    assert path.stat().st_mode & 0o777 == 0o600
    assert PublicKey.read(next(path.parent.glob("*.pub"))).verifies(key.sign(b"a"), b"a")
    assert not key.public.verifies(key.sign(b"a"), b"b")
    path.chmod(0o644)
    with pytest.raises(BadKey, match="chmod"):
        SigningKey.read(path)
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n", b"text" * 9000):
        path.write_bytes(content)
        with pytest.raises(BadKey):
            PublicKey.read(path)
