"""What is wrong is said in one line or more, never with a traceback, and costs nothing but itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_archive import PERIOD, Done, Made, command, kerbwatch, settle, write_folder
from small_disk import resize, small_disk

from detector.config.manifest import cache_folder, models_folder

pytest_plugins = ["archive_fixture"]
NOBODY = 65534


def scan(made: Made, *words: object) -> Done:
    done = kerbwatch("scan", "-C", made.folder, *PERIOD, "--workers", 1, "--json", *words)
    assert "Traceback" not in done.err
    return done


def recording(made: Made, day: str = "20260109") -> Path:
    return next((made.settings.archive_root / "p001").rglob(f"*_{day}*"))


def renew(path: Path, content: bytes) -> None:
    """Other content under the same name, without touching what the hard link shares."""
    path.unlink()
    path.write_bytes(content)
    settle(path)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """Every 400th byte of the pictures turned round; the container's own words stay."""
    changed = bytearray(content)
    for at in range(len(content) // 10, len(content) * 9 // 10, 400):
        changed[at] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _: b"", "empty"),
        (lambda _: b"This is not a video.\n" * 400, "not_video"),
        (half, "p001"),
        (flipped, "p001"),
    ],
    ids=["empty", "a text named .mp4", "cut in half", "flipped bytes"],
)
def test_a_bad_recording_is_told_and_the_rest_of_the_scan_is_done(
    unscanned: Made, damage: Callable[[bytes], bytes], said: str
) -> None:
    bad = recording(unscanned)
    renew(bad, damage(bad.read_bytes()))
    done = scan(unscanned, "--point", "p001")
    assert done.code == 3
    (road,) = done.json["cameras"]
    filed = kerbwatch(
        "issues", "list", "-C", unscanned.folder, "--violation", "illegal_parking", "--json"
    ).json
    assert len(filed) == 1
    assert len(road["troubles"]) == 1
    assert bad.name in road["troubles"][0]
    assert said in road["troubles"][0]


def test_a_missing_folder_of_recordings_is_told_and_the_others_are_scanned(unscanned: Made) -> None:
    shutil.rmtree(unscanned.settings.archive_root / "p025")
    done = scan(unscanned)
    assert done.code == 3
    road, _, crossing = done.json["cameras"]
    assert (len(road["filed"]), crossing["samples"]) == (1, 0)
    assert any("cannot read the folder" in line and "p025" in line for line in crossing["troubles"])


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can become somebody else"
)
def test_a_folder_without_permission_is_told_and_the_others_are_scanned(
    unscanned: Made, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Path("/tmp") / f"kerbwatch-nobody-{os.getpid()}"
    try:
        made = unscanned.copy(home / "county")
        shutil.copytree(cache_folder(), home / "cache", ignore=shutil.ignore_patterns("bench", "evaluation"))
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        locked = made.settings.archive_root / "p025"
        os.chown(locked, 0, 0)
        locked.chmod(0o700)
        words = ("scan", "-C", made.folder, *PERIOD, "--workers", "1", "--point", "p001", "--point", "p025")
        done = subprocess.run(
            ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *command(), *words],
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(home), "KERBWATCH_CACHE": str(home / "cache")},
            check=False,
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == 3, done.stderr
    assert "Permission denied" in done.stderr
    assert str(locked) in done.stderr
    assert "1 filed" in done.stdout


CONFIG_FAULTS = {
    "a polygon with two corners": (
        "points/p001.yaml",
        "polygon: [",
        "polygon: [[1, 1], [5, 5]] #",
        "2 corners",
    ),
    "a wrong key": ("points/p001.yaml", "kind: no_parking", "knd: no_parking", "did you mean 'kind'?"),
    "an unknown time zone": ("kerbwatch.yaml", "Asia/Shanghai", "Asia/Shangai", "Asia/Shanghai"),
    "a misspelt field of a file name": (
        "points/p001.yaml",
        "template: hikvision",
        'template: "{yaer}.mp4"',
        "yaer",
    ),
}


@pytest.mark.parametrize("what", CONFIG_FAULTS)
def test_bad_configuration_is_told_with_file_and_place_and_nothing_is_started(
    tmp_path: Path, what: str
) -> None:
    file, right, wrong, said = CONFIG_FAULTS[what]
    write_folder(tmp_path / "county")
    path = tmp_path / "county" / file
    path.write_text(path.read_text().replace(right, wrong, 1))
    done = kerbwatch("scan", "-C", tmp_path / "county")
    assert done.code == 2
    assert file in done.err or "p001" in done.err
    assert said in done.err
    assert not (tmp_path / "county" / "state").exists()


def test_every_fault_of_a_configuration_is_told_at_once(tmp_path: Path) -> None:
    write_folder(tmp_path / "county")
    for file, right, wrong, _ in CONFIG_FAULTS.values():
        path = tmp_path / "county" / file
        path.write_text(path.read_text().replace(right, wrong, 1))
    done = kerbwatch("coverage", "-C", tmp_path / "county")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) >= len(CONFIG_FAULTS)


def test_weights_with_a_wrong_hash_are_refused_before_anything_is_looked_at(
    unscanned: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(models_folder(), tmp_path / "models", ignore=shutil.ignore_patterns("*.pt"))
    content = bytearray((models_folder() / "yolov8n.pt").read_bytes())
    content[1000] ^= 1
    (tmp_path / "models" / "yolov8n.pt").write_bytes(content)
    monkeypatch.setenv("KERBWATCH_MODELS", str(tmp_path / "models"))
    done = scan(unscanned)
    assert done.code == 2
    assert "SHA-256" in done.err
    assert "kerbwatch models fetch yolov8n" in done.err
    assert kerbwatch("models", "list", "--json").json[0]["state"] == "WRONG HASH"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", "127.0.0.1"),
        ("sqlite:////proc/none/kerbwatch.db", "/proc/none"),
        ("mysql://localhost/none", "sqlite"),
        ("nonsense", "KERBWATCH_DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_told(
    unscanned: Made, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", url)
    done = scan(unscanned)
    assert done.code in (1, 2)
    assert said in done.err


def test_a_file_that_is_no_database_is_told(unscanned: Made) -> None:
    (unscanned.folder / "state").mkdir()
    (unscanned.folder / "state" / "kerbwatch.db").write_bytes(b"This is not a database. " * 100)
    done = scan(unscanned)
    assert done.code == 2
    assert "not a database" in done.err


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is full in no time."""
    with small_disk(tmp_path / "tiny", "160k") as folder:
        yield folder


@pytest.mark.parametrize("what", ["evidence", "observations", "state"])
def test_a_full_disk_is_told_and_with_more_space_the_scan_goes_on(
    unscanned: Made, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    room = tiny_disk / "filler"
    if what == "observations":
        room.write_bytes(b"\0" * 156 * 1024)
    monkeypatch.setenv(f"KERBWATCH_{what.upper()}_ROOT", str(tiny_disk / what))
    done = scan(unscanned, "--point", "p001")
    assert done.code == 1, done.err
    assert "space" in done.err or "full" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert list(tiny_disk.rglob(".*")) == []
    room.unlink(missing_ok=True)
    resize(tiny_disk, "50m")
    done = scan(unscanned, "--point", "p001")
    assert done.code == 0, done.err
    assert kerbwatch("issues", "verify", "-C", unscanned.folder).code == 0
    assert len(kerbwatch("issues", "list", "-C", unscanned.folder, "--json").json) == 1


def test_a_folder_that_may_not_be_written_is_told(unscanned: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERBWATCH_EVIDENCE_ROOT", "/proc/evidence")
    done = scan(unscanned)
    assert done.code == 2
    assert done.err.startswith("/proc/evidence")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scan", "--until", "tomorrow"), "--until"),
        (("scan", "--point", "p01"), "did you mean"),
        (("issues", "list", "--day", "8.1."), "--day"),
        (("issues", "show", "77"), "77"),
        (("judge", "--rules", "/none/rules.yaml"), "/none/rules.yaml"),
    ],
)
def test_a_word_that_means_nothing_is_refused_with_exit_code_2(
    composed: Made, words: tuple[str, ...], said: str
) -> None:
    done = kerbwatch(*words, "-C", composed.folder)
    assert (done.code, said in done.err) == (2, True), done.err


def test_a_folder_that_is_no_working_folder_is_told(tmp_path: Path) -> None:
    done = kerbwatch("scan", "-C", tmp_path / "none")
    assert done.code == 2
    assert "kerbwatch init" in done.err
