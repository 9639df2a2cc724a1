"""Spot checks from the browser: what is found, and what is refused."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from made_archive import place_of, settle
from made_clip import LENGTH_S, LIMIT_S, STANDS_S, STARTS
from made_county import Opens, Served, copy_of, serve

from detector.people import Looked, Role

pytest_plugins = ["review_fixture", "spot_fixture"]
pytestmark = pytest.mark.timeout(600)

CLIPS = "/api/v1/spot-checks/clips"
LATE_MS = 500  # a slow line brings a page's script this much later than the page
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(200)


@pytest.fixture(scope="module")
def spotted(
    county_once: Path, parked_clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server on a county that has one recording, with a limit short enough for it; the limit is set by the API."""
    folder = copy_of(county_once, tmp_path_factory.mktemp("spots") / "county")
    with serve(folder) as running:
        camera = running.house.settings.point("p001").cameras[0]
        recording = place_of(running.house.settings, camera, STARTS, LENGTH_S)
        recording.parent.mkdir(parents=True)
        shutil.copyfile(parked_clip, recording)
        settle(recording)
        admin = running.signed_in(Role.ADMIN)
        seen = admin.get("/api/v1/settings").json()["seen"]["rules"]
        limit = {"illegal_parking.dwell_s": LIMIT_S}
        assert admin.put("/api/v1/settings/rules", json={"seen": seen, "values": limit}).status_code == 200
        yield running


def over(client: httpx.Client, spot: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + 400
    while spot["state"] in ("waiting", "running") and time.monotonic() < until:
        time.sleep(0.1)
        spot = client.get(f"/api/v1/spot-checks/{spot['id']}").json()
    return spot


@pytest.mark.slow
def test_a_clip_is_uploaded_watched_and_its_findings_seen(
    spotted: Served, opens: Opens, parked_clip: Path
) -> None:
    page = opens(spotted, Role.REVIEWER).page
    page.route("**/js/spot.js", lambda route: (page.wait_for_timeout(LATE_MS), route.continue_()))
    page.goto(f"{spotted.url}/spot-checks")
    page.set_input_files("#clip-form input[type=file]", str(parked_clip))
    page.fill("#clip-form input[name=start]", "2026-01-08T08:30:00")
    page.click("#clip-form button")
    page.wait_for_selector("#spot .under-way .told:not(:empty)")
    page.wait_for_selector("#spot .finding .illegal_parking", timeout=400_000)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pictures img')].every((i) => i.naturalWidth > 0)"
    )
    assert page.locator(".pictures img").count() >= 3
    assert "08:30:" in page.inner_text(".finding .line")
    spot_id = page.url.rsplit("/")[-1]
    assert not spotted.house.spot_checks.shelf.clip(spot_id).exists()
    looked = spotted.house.desk.log.find(who="reviewer", what=Looked.FOOTAGE)
    assert [row.file for row in looked if row.file == f"spot check {spot_id}"] == [f"spot check {spot_id}"]
    page.click("#remove")
    page.wait_for_url("**/spot-checks")
    assert spot_id not in {spot.id for spot in spotted.house.spot_checks.all()}


@pytest.mark.slow
def test_a_stretch_of_recordings_is_checked_by_the_api(spotted: Served) -> None:
    client = spotted.signed_in(Role.DISPATCHER)
    listed = client.get("/api/v1/cameras/p001/recordings", params={"day": "2026-01-08"}).json()
    assert [(one["usable"], one["start"]) for one in listed] == [(True, "2026-01-08T08:30:00+08:00")]
    assert client.get("/api/v1/cameras/p001/recordings", params={"day": "2026-01-07"}).json() == []
    body = {"camera": "p001", "start": "2026-01-08T08:30:05", "length_s": 95}
    answer = client.post("/api/v1/spot-checks", json=body)
    assert answer.status_code == 202, answer.text
    found = over(client, answer.json())
    assert [one["violation"] for one in found["findings"]] == ["illegal_parking"], found
    assert found["duration_s"] == pytest.approx(95, abs=1)
    for key, true_s in zip(("start", "end"), STANDS_S, strict=True):
        at = datetime.fromisoformat(found["findings"][0][key])
        assert (at - STARTS).total_seconds() == pytest.approx(true_s, abs=6)
    for path in found["findings"][0]["pictures"]:
        assert client.get(path).headers["content-type"] == "image/jpeg"
    assert spotted.signed_in(Role.VIEWER).get(path).status_code == 403
    other = spotted.signed_in(Role.REVIEWER)
    assert other.delete(f"/api/v1/spot-checks/{found['id']}").status_code == 403  # somebody else's
    nothing = client.post("/api/v1/spot-checks", json=body | {"start": "2026-01-07T08:30:00"})
    assert (nothing.status_code, nothing.json()["error"]) == (422, "bad_input")


@pytest.mark.slow
def test_a_clip_that_could_not_be_judged_says_so_in_both_languages(
    spotted: Served, opens: Opens, parked_clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "short.mp4"
    with av.open(str(parked_clip)) as read, av.open(str(path), "w") as written:
        stream = read.streams.video[0]
        out = written.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.dts is not None and packet.dts * stream.time_base < 11:  # before the vehicle stands
                packet.stream = out
                written.mux(packet)
    client = spotted.signed_in(Role.REVIEWER)
    sent = client.post(CLIPS, params={"camera": "p001", "name": "short.mp4"}, content=path.read_bytes())
    assert sent.status_code == 202, sent.text
    found = over(client, sent.json())
    assert (found["outcome"], found["findings"]) == ("could_not_be_judged", [])
    assert [doubt["kind"] for doubt in found["doubts"]] == ["too_short"]
    for lang, word, clean in (
        ("en", "Could not be judged", "Nothing found"),
        ("zh", "无法判定", "未发现问题"),
    ):
        page = opens(spotted, Role.REVIEWER, lang=lang).page
        for place in (f"/spot-checks/{found['id']}", "/spot-checks"):
            page.goto(spotted.url + place)
            text = page.inner_text("main")
            assert word in text
            assert clean not in text or place == "/spot-checks"
        reason = found["doubts"][0]["reason"][lang]
        page.goto(f"{spotted.url}/spot-checks/{found['id']}")
        assert reason in page.inner_text(".doubt")


FALSE = {
    "a zip": b"PK\x03\x04" + bytes(300),
    "a page": b"<!doctype html><script>alert(1)</script>",
    "a list that a decoder would follow": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "nothing": b"",
}


@pytest.mark.parametrize("content", FALSE.values(), ids=FALSE.keys())
def test_what_is_no_video_is_refused_whatever_it_is_called(spotted: Served, content: bytes) -> None:
    client, root = spotted.signed_in(Role.REVIEWER), spotted.house.spot_checks.shelf.root
    before = {path.name for path in root.iterdir()}
    answer = client.post(CLIPS, params={"camera": "p001", "name": "clip.mp4"}, content=content)
    assert (answer.status_code, answer.json()["error"]) == (415, "no_video")
    assert {path.name for path in root.iterdir()} == before


def test_a_clip_that_says_it_is_too_large_is_not_read(spotted: Served) -> None:
    client, root = spotted.signed_in(Role.REVIEWER), spotted.house.spot_checks.shelf.root
    before = {path.name for path in root.iterdir()}
    request = client.build_request("POST", CLIPS, params={"camera": "p001"})
    headers = {**request.headers, "content-length": str(3 * 10**9)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((request.url.host, request.url.port or 80), timeout=10) as plain:
        plain.sendall(f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n{head}\r\n".encode())
        assert plain.recv(64).startswith(b"HTTP/1.1 413 ")
    assert {path.name for path in root.iterdir()} == before


def test_a_clip_that_breaks_off_leaves_nothing(spotted: Served) -> None:
    client, root = spotted.signed_in(Role.REVIEWER), spotted.house.spot_checks.shelf.root
    before = {path.name for path in root.iterdir()}

    def pieces() -> Iterator[bytes]:
        yield MP4
        yield bytes(2_000_000)
        until = time.monotonic() + 20
        while {path.name for path in root.iterdir()} == before:
            assert time.monotonic() < until, "nothing of the clip was taken"
            time.sleep(0.01)
        raise httpx.ReadError("the cable was pulled")

    with pytest.raises(httpx.ReadError):
        client.post(CLIPS, params={"camera": "p001", "name": "clip.mp4"}, content=pieces())
    until = time.monotonic() + 20
    while {path.name for path in root.iterdir()} != before and time.monotonic() < until:
        time.sleep(0.05)
    assert {path.name for path in root.iterdir()} == before


def test_a_clip_that_does_not_arrive_gives_its_place_back(
    spotted: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.review.routes.spots.ARRIVES_WITHIN_S", 0.3)
    client, root = spotted.signed_in(Role.REVIEWER), spotted.house.spot_checks.shelf.root
    before = {path.name for path in root.iterdir()}

    def pieces() -> Iterator[bytes]:
        yield MP4
        time.sleep(1)
        yield bytes(10)

    answer = client.post(CLIPS, params={"camera": "p001", "name": "clip.mp4"}, content=pieces())
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert {path.name for path in root.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\x.mp4", "x.mp4"),
        ("<script>alert(1)</script>.mp4", "script>.mp4"),
        ("a\x00b\r\nc.mp4", "abc.mp4"),
        ("", "clip"),
        ("/", "clip"),
    ],
)
def test_a_clips_name_is_never_a_path_and_never_markup(spotted: Served, name: str, shown: str) -> None:
    client = spotted.signed_in(Role.ADMIN)
    answer = client.post(CLIPS, params={"camera": "p001", "name": name}, content=MP4)
    assert answer.status_code == 202, answer.text
    spot = answer.json()
    assert spot["source"] == shown
    kept = spotted.house.spot_checks.shelf.folder(spot["id"])
    assert kept.parent == spotted.house.spot_checks.shelf.root
    for path in ("/spot-checks", f"/spot-checks/{spot['id']}"):
        assert "<script>alert" not in client.get(path).text
    assert client.delete(f"/api/v1/spot-checks/{spot['id']}").status_code == 204
    assert client.get(f"/spot-checks/{spot['id']}").status_code == 404


@pytest.mark.parametrize("kind", ["application/octet-stream", "multipart/form-data; boundary=x", "video/mp4"])
def test_a_clip_needs_the_token_in_its_header(spotted: Served, kind: str) -> None:
    client = spotted.signed_in(Role.REVIEWER)
    del client.headers["X-CSRF-Token"]
    answer = client.post(CLIPS, params={"camera": "p001"}, content=MP4, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]) == (403, "forged")


@pytest.mark.parametrize(
    "query", [{"camera": "p999"}, {"camera": "../p001"}, {}, {"camera": "p001", "start": "noon"},
              {"camera": "p001", "start": "0001-01-01T00:00:00"}]
)  # fmt: skip
def test_a_clip_of_no_camera_or_no_time_is_refused(spotted: Served, query: dict[str, str]) -> None:
    answer = spotted.signed_in(Role.REVIEWER).post(CLIPS, params=query, content=MP4)
    assert answer.status_code in (404, 422)


def test_a_full_line_says_so(spotted: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.spotting.checks.OF_ONE_MOST", 0)
    answer = spotted.signed_in(Role.REVIEWER).post(CLIPS, params={"camera": "p001"}, content=MP4)
    assert (answer.status_code, answer.json()["error"]) == (503, "queue_full")
