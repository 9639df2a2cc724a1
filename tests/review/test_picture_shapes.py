"""Pictures keep their shape: in the player, among the stills, on cards and under zones, whatever shape cameras have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_county import BOX, LOGINS, Opens, Served, incident_at, make_users, serve, write_county

from detector.config.editing import point_file, with_resolution
from detector.config.settings import load_settings
from detector.core.times import Interval
from detector.core.values import Frame, Image, Proof, Recording, RecordingState, Still
from detector.database import Database
from detector.evidence import Scene, write_evidence
from detector.footage.catalogue import Catalogue
from detector.issues import IssueQueue
from detector.people import Role

pytest_plugins = ["review_fixture"]
pytestmark = pytest.mark.timeout(180)

SHAPES = {"4x3": (640, 480), "16x9": (640, 360), "9x16": (360, 640), "32x9": (1280, 360), "odd": (354, 290)}
TOLERANCE = 0.02
"""A browser rounds to whole pixels; clips have even sides."""

SHAPE_OF = """(node) => {
  const frame = node.getBoundingClientRect();
  const own = node.videoWidth ? node.videoWidth / node.videoHeight : node.naturalWidth / node.naturalHeight;
  const fit = getComputedStyle(node).objectFit;
  return {shown: frame.width / frame.height, own, fit, width: frame.width, height: frame.height};
}"""


def street(size_wh: tuple[int, int]) -> Image:
    """A grey picture with a round spot in it: an ellipse would show a wrong shape to the eye."""
    width, height = size_wh
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width, 3), 90, np.uint8)
    image[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(size_wh) / 3) ** 2] = (30, 30, 190)
    return image


def write_video(path: Path, size_wh: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=Fraction(5))
        stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
        for _ in range(15):
            for packet in stream.encode(av.VideoFrame.from_ndarray(street(size_wh), format="bgr24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def fill(folder: Path, size_wh: tuple[int, int]) -> None:
    """One confirmed issue with evidence, and one recording, both of a shape; zones of 960x540."""
    settings = load_settings(folder)
    point = settings.points[0]
    camera = point.cameras[0]
    start = datetime.now(settings.timezone) - timedelta(days=1)
    incident = incident_at(point, start, 0)
    recording = Recording(
        camera.id, f"{camera.folder}/a.mp4", 1, 1, Interval(start - timedelta(hours=1), start + timedelta(hours=1)),
        RecordingState.READABLE, resolution_wh=size_wh,
    )  # fmt: skip
    write_video(settings.archive_root / recording.path, size_wh)
    image = street(size_wh)
    stills = tuple(
        Still(start + timedelta(seconds=s), recording, Frame(3600.0 + s, image, "cd" * 32), BOX)
        for s in (1, 200, 399)
    )
    scene = Scene(
        point=point, camera=camera, zone_name="禁停区", code="0505", violation_zh="机动车违停", violation_en="Illegal parking",
        model_id="m", model_sha256="ab" * 32, rules_version="r1", kerbwatch_version="0.1.0",
    )  # fmt: skip
    shots = [(start + timedelta(seconds=s), image, BOX) for s in range(0, 400, 40)]
    proof = Proof(incident, stills, 1.0, 2.0, 0.9, "stood", "停留")
    evidence = write_evidence(Path(settings.evidence_root), proof, scene, shots)
    with Database.open(settings.database_url) as database:
        Catalogue(database).remember(camera.id, [recording], start)
        queue = IssueQueue(database)
        queue.file(
            incident, evidence, explanation="stood", explanation_zh="停留", model_id="m", rules_version="r",
            verdict_key="v", start_uncertainty_s=1.0, end_uncertainty_s=2.0,
        )  # fmt: skip
        make_users(database)


@pytest.fixture(
    scope="module",
    params=["4x3", "9x16", "odd", *(pytest.param(name, marks=pytest.mark.soak) for name in ("16x9", "32x9"))],
)
def shaped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, str]]:
    folder = write_county(tmp_path_factory.mktemp("shapes") / "county", 0)
    for path in (folder / "points").iterdir():
        if path.name != "p001.yaml":
            path.unlink()
    fill(folder, SHAPES[request.param])
    with serve(folder) as served:
        yield served, request.param


def keeps(page: Any, selector: str) -> dict[str, Any]:
    """A picture is shown in its own shape: its frame has it, or it is fitted into its frame whole."""
    node = page.wait_for_selector(selector)
    page.wait_for_function("(node) => (node.videoWidth || node.naturalWidth) > 0", arg=node)
    page.wait_for_timeout(100)
    told = dict(node.evaluate(SHAPE_OF))
    same = told["shown"] == pytest.approx(told["own"], rel=TOLERANCE)
    assert same or told["fit"] == "contain", told
    return told


def photograph(page: Any, name: str) -> None:
    if folder := os.environ.get("KERBWATCH_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"shape-{name}.png"), full_page=True)


def test_the_player_and_the_stills_keep_the_shape(shaped: tuple[Served, str], opens: Opens) -> None:
    served, name = shaped
    page = opens(served, Role.REVIEWER).page
    (issue,) = served.house.desk.queue.find()  # by its own page: another test may have confirmed it
    page.goto(f"{served.url}/issues/{issue.public_id}")
    page.wait_for_selector("#review[data-shown]")
    width, height = SHAPES[name]
    told = keeps(page, ".sheet:not([hidden]) video")
    assert told["shown"] == pytest.approx(width / height, rel=TOLERANCE)
    overlay = page.eval_on_selector(
        ".sheet:not([hidden]) .overlay",
        "(n) => { const r = n.getBoundingClientRect(); return [r.width, r.height]; }",
    )
    assert overlay == pytest.approx([told["width"], told["height"]], abs=1)
    screen = page.eval_on_selector(
        ".sheet:not([hidden]) .screen",
        "(n) => { const r = n.getBoundingClientRect(); return [r.width, r.height]; }",
    )
    assert told["width"] <= screen[0] + 1
    assert told["height"] <= screen[1] + 1
    assert max(told["width"] / screen[0], told["height"] / screen[1]) > 0.98
    keeps(page, ".sheet:not([hidden]) .still img")
    photograph(page, f"review-{name}")


def test_cards_show_whole_pictures(shaped: tuple[Served, str], opens: Opens) -> None:
    served, name = shaped
    page = opens(served, Role.ADMIN).page
    page.goto(f"{served.url}/points/p001")
    keeps(page, ".thumb-card img")
    keeps(page, ".point-grid .canvas img")
    photograph(page, f"point-{name}")
    page.goto(f"{served.url}/queue")
    keeps(page, ".thumb img")
    desk, people = served.house.desk, served.house.desk.people
    (issue,) = desk.queue.find()
    if issue.state == "flagged":
        desk.queue.confirm(issue.id, people.user(LOGINS[Role.ADMIN]).login)
    page.goto(f"{served.url}/dispatch")
    keeps(page, ".pair img")
    photograph(page, f"dispatch-{name}")


@pytest.mark.parametrize("button", ["#scale-zones", "#keep-zones"])
def test_the_zone_editor_works_in_any_shape_and_offers_the_size_of_recordings(
    shaped: tuple[Served, str], opens: Opens, button: str
) -> None:
    served, name = shaped
    width, height = SHAPES[name]
    back_to_960(served)
    watched = opens(served, Role.ADMIN)
    page = watched.page
    page.goto(f"{served.url}/zones/p001")
    page.wait_for_selector("#drawing polygon")
    told = keeps(page, "#picture")
    assert told["shown"] == pytest.approx(width / height, rel=TOLERANCE)
    assert told["height"] <= 768
    assert page.is_visible("#shape") == (name != "16x9")
    photograph(page, f"zones-{name}")
    if name == "16x9":
        return
    assert f"{width}×{height}" in page.inner_text("#shape")
    before = [zone.polygon for zone in load_settings(served.house.settings.folder).points[0].cameras[0].zones]
    page.click(button)
    if button == "#keep-zones" and (width < 960 or height < 540):
        page.wait_for_selector("#faults:not([hidden])")
        assert "lies outside the picture" in page.inner_text("#faults")
        watched.faults.clear()  # the refusal
        return
    page.wait_for_selector("#shape", state="hidden")
    camera = load_settings(served.house.settings.folder).points[0].cameras[0]
    assert camera.resolution_wh == (width, height)
    for old, new in zip(before, [zone.polygon for zone in camera.zones], strict=True):
        assert np.abs(np.array(old) - np.array(new)).max() < 1 / min(width, height)
    draw_and_save(page, served)


def back_to_960(served: Served) -> None:
    """The zones as they were before any test."""
    settings = load_settings(served.house.settings.folder)
    if settings.points[0].cameras[0].resolution_wh != (960, 540):
        kept = point_file(settings, "p001")
        kept.path.write_text(with_resolution(kept, "p001", (960, 540), scale_zones=True), encoding="utf-8")


def draw_and_save(page: Any, served: Served) -> None:
    """A corner lies where the mouse was, whatever the shape."""
    page.keyboard.press("n")
    frame = page.locator("#drawing").bounding_box()
    corners = ((0.2, 0.1), (0.7, 0.1), (0.7, 0.2))
    for x, y in corners:
        page.mouse.click(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
    page.keyboard.press("Enter")
    page.click("#save")
    page.wait_for_function("() => document.getElementById('unsaved').textContent === ''")
    camera = load_settings(served.house.settings.folder).points[0].cameras[0]
    drawn = camera.zones[-1].polygon
    assert np.array(drawn) == pytest.approx(np.array(corners), abs=4 / min(camera.resolution_wh))
    assert not camera.example_zones


def test_a_view_of_a_recording_of_other_shape_counts_once(shaped: tuple[Served, str]) -> None:
    served, name = shaped
    back_to_960(served)
    found = served.signed_in(Role.ADMIN).get("/api/v1/cameras/p001/zones").json()
    shape = found["other_shape"]
    assert (shape is None) == (name == "16x9")
    if shape:
        assert (tuple(shape["found_wh"]), shape["recordings"], shape["of"]) == (SHAPES[name], 1, 1)
        stale = {"seen": "0" * 64, "resolution_wh": shape["found_wh"], "scale_zones": True}
        answer = served.signed_in(Role.ADMIN).post("/api/v1/cameras/p001/resolution", json=stale)
        assert answer.status_code == 409
        assert (
            served.signed_in(Role.REVIEWER).post("/api/v1/cameras/p001/resolution", json=stale).status_code
            == 403
        )
