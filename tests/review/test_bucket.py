"""Pictures and clips come to the browser from a bucket as they do from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_county import serve

from detector.config.settings import load_settings
from detector.people import Role
from detector.storage import open_store

pytest_plugins = ["review_fixture", "bucket_fixture"]


@pytest.mark.slow
def test_stills_and_clips_are_served_from_a_bucket(county: Path, bucket) -> None:
    kept, store = open_store(load_settings(county).evidence_root), open_store(bucket.url)
    bucket.failing.fail(0.1)
    with serve(county, evidence_root=bucket.url) as served:
        number = served.issues[0]["number"]
        rows = {row.name: row for row in served.house.desk.queue.evidence(number)}
        for row in rows.values():
            name = f"{row.folder}/{row.name}"
            store.write(name, kept.read(name))
        client = served.signed_in(Role.REVIEWER)
        detail = client.get(f"/api/v1/issues/{served.issues[0]['id']}").json()
        still = detail["stills"][0]["scene"]
        scene = rows["still_1_scene.jpg"]
        assert client.get(still).content == kept.read(f"{scene.folder}/{scene.name}")
        clip = client.get(detail["clip"]["plain"], headers={"Range": "bytes=100-199"})
        plain = rows["clip_plain.mp4"]
        assert (clip.status_code, clip.content) == (
            206, kept.read(f"{plain.folder}/{plain.name}")[100:200],
        )  # fmt: skip
        assert served.signed_in(Role.VIEWER).get(still).status_code == 200
        store.remove(scene.folder)
        assert client.get(still).status_code == 404
