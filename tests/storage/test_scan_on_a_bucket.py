"""The whole job with observations and evidence in a bucket whose server fails one request in ten."""

from __future__ import annotations

import pytest
from made_archive import PERIOD, Made, Scanned, kerbwatch, results_of

from detector.evidence import verify_stored
from detector.storage import open_store

pytest_plugins = ["archive_fixture", "bucket_fixture"]


@pytest.mark.slow
def test_a_scan_into_a_failing_bucket_leaves_what_one_into_folders_leaves(
    unscanned: Made, scanned_once: Scanned, bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERBWATCH_OBSERVATIONS_ROOT", f"{bucket.url}/observations")
    monkeypatch.setenv("KERBWATCH_EVIDENCE_ROOT", f"{bucket.url}/evidence")
    bucket.failing.fail(0.1)
    said = kerbwatch("scan", "-C", unscanned.folder, *PERIOD, "--workers", 2, "--json")
    assert said.code == 3, said.err  # 3: the empty file
    assert kerbwatch("issues", "verify", "-C", unscanned.folder).code == 0
    again = kerbwatch("scan", "-C", unscanned.folder, *PERIOD, "--workers", 1, "--json").json
    assert [camera["samples"] for camera in again["cameras"]] == [0] * len(again["cameras"])
    judged = kerbwatch("judge", "-C", unscanned.folder, *PERIOD, "--json").json
    assert all(not one["appeared"] and not one["vanished"] for one in judged)
    found, failed = results_of(unscanned), bucket.failing.counts["failed"]
    monkeypatch.undo()
    assert found == results_of(scanned_once.made)
    assert failed >= 10
    assert not (unscanned.folder / "evidence").exists()
    assert not (unscanned.folder / "state" / "observations").exists()


def test_damage_to_evidence_in_a_bucket_is_found_out(
    scanned_once: Scanned, bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, store = open_store(scanned_once.made.settings.evidence_root), open_store(bucket.url)
    for file in kept.files():
        store.write(file.name, kept.read(file.name))
    monkeypatch.setenv("KERBWATCH_EVIDENCE_ROOT", bucket.url)
    folder = scanned_once.made.folder
    assert kerbwatch("issues", "verify", "-C", folder).code == 0
    clip = next(file.name for file in store.files() if file.name.endswith("clip.mp4"))
    store.write(clip, store.read(clip)[:-1] + b"!")
    told = kerbwatch("issues", "verify", "-C", folder)
    assert (told.code, told.out.count("clip.mp4: changed")) == (1, 1)
    store.remove(clip)
    assert verify_stored(store, clip.rpartition("/")[0]) == ["clip.mp4: missing"]
