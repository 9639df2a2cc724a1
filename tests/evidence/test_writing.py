"""The folder of an incident: complete, the same every time, and never half there."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import av
import cv2
import pytest
from sync_spy import synced

from detector.core.errors import StorageFull
from detector.evidence import sweep, verify_evidence, verify_signed, write_evidence
from detector.signing import make_key

from .conftest import BOX, START, street

HOST = socket.gethostname()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_holds_stills_clips_overlay_and_a_manifest_that_names_them_all(
    tmp_path, proof, scene, shots
) -> None:
    evidence = write_evidence(tmp_path, proof, scene, shots)
    assert evidence.folder == f"2026-01-08/p017-c1/{proof.incident.fingerprint}"
    stills = {f"still_{n}_{part}.jpg" for n in (1, 2, 3) for part in ("scene", "closeup")}
    assert set(contents(tmp_path / evidence.folder)) == stills | {
        "clip.mp4", "clip_plain.mp4", "overlay.json", "manifest.json"
    }  # fmt: skip
    assert verify_evidence(tmp_path / evidence.folder) == []
    for file in evidence.files:
        content = (tmp_path / evidence.folder / file.name).read_bytes()
        assert (file.sha256, file.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert {file.name for file in evidence.files} == set(contents(tmp_path / evidence.folder))


def test_the_same_input_gives_the_same_bytes(tmp_path, proof, scene, shots) -> None:
    one = write_evidence(tmp_path / "a", proof, scene, shots)
    other = write_evidence(tmp_path / "b", proof, scene, iter(shots))
    assert one == other
    assert contents(tmp_path / "a" / one.folder) == contents(tmp_path / "b" / other.folder)


def test_the_manifest_tells_the_whole_case(tmp_path, make_proof, scene, shots) -> None:
    proof = make_proof(start_uncertainty_s=float("inf"))
    evidence = write_evidence(tmp_path, proof, scene, shots)
    manifest = json.loads((tmp_path / evidence.folder / "manifest.json").read_bytes())
    assert manifest["fingerprint"] == proof.incident.fingerprint
    assert manifest["violation"] == {
        "id": "illegal_parking", "code": "0505", "zh": "机动车违停", "en": "Illegal parking"
    }  # fmt: skip
    assert manifest["interval"] == {
        "start": "2026-01-08T23:58:30.000+08:00",
        "end": "2026-01-09T00:05:42.000+08:00",
        "start_uncertainty_s": None,
        "end_uncertainty_s": 2.0,
    }
    assert (manifest["dwell_s"], manifest["limit_s"], manifest["similarity"]) == (432.0, 180.0, 0.91)
    assert manifest["model"] == {"id": "yolov8n", "sha256": "ab" * 32}
    assert [still["at"][11:19] for still in manifest["stills"]] == ["23:58:31", "00:02:06", "00:05:41"]
    assert manifest["stills"][0]["recording"] == {"path": "p017/23.mp4", "size_bytes": 12345}
    assert manifest["stills"][0]["source_sha256"] == "cd" * 32
    assert "manifest.json" not in manifest["files"]


def test_a_browser_can_play_the_clips_and_draw_over_the_plain_one(tmp_path, proof, scene, shots) -> None:
    evidence = write_evidence(tmp_path, proof, scene, shots)
    folder = tmp_path / evidence.folder
    for name in ("clip.mp4", "clip_plain.mp4"):
        content = (folder / name).read_bytes()
        assert content.index(b"moov") < content.index(b"mdat")
        with av.open(str(folder / name)) as container:
            context = container.streams.video[0].codec_context
            assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
            assert "Baseline" in context.profile
            assert context.width % 2 == context.height % 2 == 0
            assert [round(frame.time, 3) for frame in container.decode(video=0)] == [n / 5 for n in range(8)]
    overlay = json.loads((folder / "overlay.json").read_bytes())
    assert overlay["resolution_wh"] == [320, 240]
    assert [frame["clip_s"] for frame in overlay["frames"]] == [n / 5 for n in range(8)]
    assert [datetime.fromisoformat(frame["at"]) for frame in overlay["frames"]] == [at for at, _, _ in shots]
    assert [frame["box"] for frame in overlay["frames"]] == [None] + 7 * [list(BOX)]
    assert overlay["zones"][0]["id"] == overlay["zone_id"] == "stand"


def test_pictures_of_odd_large_and_changing_sizes_make_one_clip(tmp_path, proof, scene) -> None:
    sizes = [(1281, 721), (641, 359), (1281, 721)]
    shots = [(START + timedelta(seconds=n), street(*size), BOX) for n, size in enumerate(sizes)]
    evidence = write_evidence(tmp_path, proof, scene, shots)
    with av.open(str(tmp_path / evidence.folder / "clip_plain.mp4")) as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == 3 * [(960, 540)]


def test_a_large_still_is_at_most_1920_wide(tmp_path, make_proof, scene) -> None:
    evidence = write_evidence(tmp_path, make_proof(size=(2560, 1440)), scene, [])
    picture = cv2.imread(str(tmp_path / evidence.folder / "still_1_scene.jpg"))
    assert picture.shape[1] == 1920
    assert picture.shape[0] > 1080


def test_a_fault_of_the_camera_has_stills_without_closeups(tmp_path, make_proof, scene, shots) -> None:
    unseen = [(at, image, None) for at, image, _ in shots]
    evidence = write_evidence(tmp_path, make_proof(box=None), scene, unseen)
    names = {file.name for file in evidence.files}
    assert {"still_1_scene.jpg", "clip.mp4"} <= names
    assert not any("closeup" in name for name in names)
    manifest = json.loads((tmp_path / evidence.folder / "manifest.json").read_bytes())
    assert manifest["zone"] is None
    assert manifest["stills"][0]["box"] is None


def test_a_key_signs_the_manifest_and_is_no_file_of_the_issue(tmp_path, proof, scene) -> None:
    key = make_key(tmp_path / "keys" / "county.key")
    evidence = write_evidence(tmp_path / "evidence", proof, scene, [], key)
    folder = tmp_path / "evidence" / evidence.folder
    assert verify_signed(folder, [key.public]) == verify_evidence(folder) == []
    assert "manifest.sig" not in {file.name for file in evidence.files}


def test_without_pictures_for_a_clip_there_is_none(tmp_path, proof, scene) -> None:
    evidence = write_evidence(tmp_path, proof, scene, [])
    assert not any("clip" in file.name or "overlay" in file.name for file in evidence.files)
    assert verify_evidence(tmp_path / evidence.folder) == []


def test_whole_evidence_of_an_earlier_run_is_returned_without_making_it_again(
    tmp_path, proof, scene, shots
) -> None:
    def untouchable():
        pytest.fail("the clip was asked for")
        yield

    first = write_evidence(tmp_path, proof, scene, shots)
    assert write_evidence(tmp_path, proof, scene, untouchable()) == first


@pytest.mark.parametrize("damage", ["changed", "missing", "extra", "manifest"])
def test_damaged_evidence_is_found_out_and_replaced(tmp_path, proof, scene, shots, damage) -> None:
    evidence = write_evidence(tmp_path, proof, scene, shots)
    folder = tmp_path / evidence.folder
    whole = contents(folder)
    if damage == "changed":
        content = whole["clip.mp4"]
        (folder / "clip.mp4").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "missing":
        (folder / "still_2_scene.jpg").unlink()
    elif damage == "extra":
        (folder / "note.txt").write_text("hello")
    else:
        (folder / "manifest.json").write_text("[]")
    named = {
        "changed": "clip.mp4",
        "missing": "still_2_scene.jpg",
        "extra": "note.txt",
        "manifest": "manifest.json",
    }
    [fault] = verify_evidence(folder)
    assert fault.startswith(named[damage])
    assert write_evidence(tmp_path, proof, scene, shots) == evidence
    assert contents(folder) == whole
    assert len(list(folder.parent.iterdir())) == 1


def test_a_folder_without_a_manifest_and_a_missing_folder_are_faults(tmp_path) -> None:
    assert verify_evidence(tmp_path) == ["manifest.json: missing"]
    assert verify_evidence(tmp_path / "nowhere") == ["manifest.json: missing"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path, proof, scene, shots, number) -> None:
    def filling():
        yield from shots[:3]
        raise OSError(number, os.strerror(number))

    with pytest.raises(StorageFull):
        write_evidence(tmp_path, proof, scene, filling())
    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.name.startswith(".tmp")] == []
    assert write_evidence(tmp_path, proof, scene, shots).files


def test_any_other_trouble_leaves_nothing_half_written_either(tmp_path, proof, scene, shots) -> None:
    def breaking():
        yield shots[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_evidence(tmp_path, proof, scene, breaking())
    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.name.startswith(".tmp")] == []


def test_a_power_cut_loses_nothing_of_evidence_that_was_written(
    tmp_path, proof, scene, shots, monkeypatch
) -> None:
    with synced(monkeypatch) as told:
        evidence = write_evidence(tmp_path / "evidence", proof, scene, shots)
    target = tmp_path / "evidence" / evidence.folder
    for path in (*target.iterdir(), target):
        assert told(path) == [False], "synced while it had another name"
    for folder in (target.parent, target.parent.parent, tmp_path / "evidence", tmp_path):
        assert told(folder), f"{folder} has a new name in it"


def test_a_sweep_removes_what_dead_runs_left_and_nothing_else(tmp_path, proof, scene, shots) -> None:
    evidence = write_evidence(tmp_path, proof, scene, shots)
    place = (tmp_path / evidence.folder).parent
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        fingerprint = "0f" * 16
        kept = place / f".tmp-{fingerprint}-{living.pid}-{HOST}"
        elsewhere = place / f".tmp-{fingerprint}-{living.pid}-another-machine"
        elsewhere.mkdir()
        kept.mkdir()
        with subprocess.Popen([sys.executable, "-c", ""]) as dead:
            dead.wait()
        for name in (
            f".tmp-{fingerprint}-{dead.pid}-{HOST}",
            f".tmp-{fingerprint}-{dead.pid}-{HOST}-old",
            f".tmp-{fingerprint}-{os.getpid()}-{HOST}",
        ):
            (place / name).mkdir()
            (place / name / "still_1_scene.jpg").write_bytes(b"half")
        assert sweep(tmp_path) == 3
        assert {path.name for path in place.iterdir()} == {
            kept.name, elsewhere.name, proof.incident.fingerprint,
        }  # fmt: skip
        os.utime(elsewhere, (0, 0))
        assert sweep(tmp_path) == 1
        living.communicate(b"\n")
    assert sweep(tmp_path / "nowhere") == 0


def test_a_run_that_ended_but_was_not_yet_reaped_by_its_parent_is_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
        (left := tmp_path / "2026-01-08" / "p001" / f".tmp-{'0f' * 16}-{child.pid}-{HOST}").mkdir(
            parents=True
        )
        assert sweep(tmp_path) == 1
        assert not left.exists()
    finally:
        child.wait()


def _killed_writing(root, proof, scene, shots) -> None:
    def killing():
        yield from shots[:4]
        os.kill(os.getpid(), signal.SIGKILL)

    write_evidence(root, proof, scene, killing())


def test_what_a_killed_run_left_is_swept_and_the_next_run_writes_as_if_nothing_had_been(
    tmp_path, proof, scene, shots
) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=_killed_writing, args=(tmp_path, proof, scene, shots)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    place = tmp_path / "2026-01-08" / "p017-c1"
    assert [path.name for path in place.iterdir()] == [
        f".tmp-{proof.incident.fingerprint}-{child.pid}-{HOST}"
    ]
    assert sweep(tmp_path) == 1
    whole = write_evidence(tmp_path / "other", proof, scene, shots)
    assert write_evidence(tmp_path, proof, scene, shots) == whole
