"""Evidence that is taken out: stills, clip and attached photos, masked; whole for those allowed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import (
    NO_DETECTIONS,
    Camera,
    Category,
    Detections,
    Frame,
    Image,
    Incident,
    Point,
    Proof,
    Recording,
    RecordingState,
    Still,
    Violation,
    Zone,
    ZoneKind,
)
from detector.decoding.reader import frames_at
from detector.evidence import Scene, side_by_side, verify_evidence, write_evidence
from detector.issues.values import Attachment, AttachmentKind
from detector.reporting.pictures import EvidencePictures, Sight, evidence_in
from detector.reporting.takeout import take_out

START = datetime(2026, 1, 8, 8, tzinfo=UTC)
CAR: Box = (0.4, 0.4, 0.7, 0.8)
PERSON: Box = (0.05, 0.2, 0.2, 0.8)
SIZE_WH = (320, 240)


class Sees:
    """Sees a person at the left and a car in the middle, in every picture but each third."""

    model_id, sha256, input_hw = "sees", "0" * 64, (384, 640)

    def __init__(self) -> None:
        self.looked = 0

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        both = Detections(("person", "car"), np.ones(2, np.float32), np.array([PERSON, CAR], np.float32))
        self.looked += 1
        misses = self.looked % 3 == 0 and len(images) == 1
        return [NO_DETECTIONS if misses else both for _ in images]


def rough(seed: int = 1) -> Image:
    """A picture in which every part has texture, so that what was blurred can be told."""
    coarse = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def roughness(image: Image, box: Box) -> float:
    """Of the box's middle: its edges are drawn or blurred."""
    height, width = image.shape[:2]
    x, y = (box[2] - box[0]) / 4, (box[3] - box[1]) / 4
    rows = slice(int((box[1] + y) * height), int((box[3] - y) * height))
    return float(
        cv2.Laplacian(image[rows, int((box[0] + x) * width) : int((box[2] - x) * width)], cv2.CV_64F).var()
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of a car that is seen to come: it is not there in the clip's first pictures."""
    zone = Zone("kerb", ZoneKind.NO_PARKING, ((0.3, 0.3), (0.9, 0.3), (0.9, 0.9), (0.3, 0.9)))
    camera = Camera("p001", (zone,), UTC, SIZE_WH)
    point = Point("p001", "人民路", "Renmin Road", Category.ARTERIAL, (camera,))
    interval = Interval(START, START + timedelta(seconds=400))
    incident = Incident(Violation.ILLEGAL_PARKING, "p001", "p001", "kerb", interval, 180.0, CAR, 0.9, 0.8)
    recording = Recording("p001", "x.mp4", 1, 1, interval, RecordingState.READABLE)
    stills = tuple(
        Still(START + timedelta(seconds=s), recording, Frame(s, rough(s), "cd" * 32), CAR)
        for s in (1, 200, 399)
    )
    scene = Scene(
        point, camera, "禁停区", "0505", "机动车违停", "Illegal parking", "m", "ab" * 32, "r1", "0.1.0"
    )
    shots = [(START + timedelta(seconds=s), rough(5), CAR if s >= 0 else None) for s in range(-8, 20, 2)]
    root = tmp_path_factory.mktemp("evidence")
    written = write_evidence(root, Proof(incident, stills, 1.0, 2.0, 0.9, "stood", "停留"), scene, shots)
    return root / written.folder


def attached(path: Path, kind: AttachmentKind, name: str, content: bytes) -> tuple[Attachment, Path]:
    path.write_bytes(content)
    return Attachment(1, "p", 1, 4, kind, name, "image/jpeg", "0" * 64, len(content), "zhou", START), path


def jpeg_of(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image)[1])


def picture(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def test_everybody_in_stills_and_clip_is_masked_and_the_concerned_car_is_not(
    evidence: Path, tmp_path: Path
) -> None:
    told = take_out([evidence], [], CAR, tmp_path / "out", Sight(Sees()))
    names = [f"evidence-1/still_{n}_{part}.jpg" for n in (1, 2, 3) for part in ("scene", "closeup")]
    assert (told.files, told.left_out) == ([*names, "evidence-1/clip.mp4"], [])
    assert sorted(path.name for path in (tmp_path / "out" / "evidence-1").iterdir()) == sorted(
        n[11:] for n in told.files
    )
    whole = roughness(rough(1), CAR)
    drawn = list(frames_at(tmp_path / "out" / told.files[-1], [(n + 0.5) / 5 for n in range(14)]))
    assert all(isinstance(frame, Frame) for frame in drawn)
    for number, frame in enumerate(drawn):
        assert isinstance(frame, Frame)
        image = frame.image[: SIZE_WH[1]]
        assert roughness(image, PERSON) < 0.05 * whole, "also where the detector missed somebody once"
        is_there = number >= 4
        assert (roughness(image, CAR) > 0.3 * whole) == is_there, (
            "before it came, what stood there is another's"
        )


def test_whoever_may_have_them_gets_the_files_as_they_are(evidence: Path, tmp_path: Path) -> None:
    pdf = attached(tmp_path / "x", AttachmentKind.ANSWER, "../report 1.pdf", b"%PDF-1.7")
    told = take_out([evidence], [pdf], CAR, tmp_path / "out", None)
    assert verify_evidence(tmp_path / "out" / "evidence-1") == []
    assert told.files[-1] == "1-answer-..-report-1.pdf"
    assert told.left_out == []


def test_in_a_departments_photo_every_vehicle_is_masked_and_what_is_no_picture_stays_in(
    evidence: Path, tmp_path: Path
) -> None:
    photo = attached(tmp_path / "a", AttachmentKind.ANSWER, "after.jpg", jpeg_of(rough()))
    pdf = attached(tmp_path / "b", AttachmentKind.ANSWER, "report.pdf", b"%PDF-1.7")
    told = take_out([evidence], [photo, pdf], CAR, tmp_path / "out", Sight(Sees()))
    assert "1-answer-after.jpg" in told.files
    assert told.left_out == [("2-answer-report.pdf", "cannot be masked: it is no picture")]
    image = picture(tmp_path / "out" / "1-answer-after.jpg")
    assert max(roughness(image, PERSON), roughness(image, CAR)) < 0.05 * roughness(rough(), CAR)


def test_before_and_after_are_put_side_by_side_again_out_of_masked_pictures(
    evidence: Path, tmp_path: Path
) -> None:
    after = jpeg_of(rough())
    both = side_by_side((evidence / "still_2_scene.jpg").read_bytes(), after)
    assert both is not None
    files = [
        attached(tmp_path / "a", AttachmentKind.AFTER, "after.jpg", after),
        attached(tmp_path / "b", AttachmentKind.AFTER, "before_after.jpg", both),
    ]
    told = take_out([evidence], files, CAR, tmp_path / "out", Sight(Sees()))
    assert told.files[-2:] == ["1-after-after.jpg", "2-after-before_after.jpg"]
    right = picture(tmp_path / "out" / "2-after-before_after.jpg")[:, -SIZE_WH[0] :]
    assert roughness(right, PERSON) < 0.05 * roughness(rough(), PERSON)


ILL_FORMED = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"[" * 100_000,
    b'{"stills": 7}',
    b'{"stills": [1, null]}',
    b'{"stills": [{"at": 5, "box": "x"}], "violation": 3, "point": []}',
    b'{"stills": [{"at": "2026-13-45", "box": [0.1, "a", 0.3, 0.4]}]}',
    b'{"files": {"a": 1}}',
]


@pytest.mark.parametrize("content", ILL_FORMED, ids=lambda content: repr(content[:24]))
def test_an_ill_formed_manifest_costs_nothing_but_what_it_would_have_told(
    evidence: Path, tmp_path: Path, content: bytes
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in evidence.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "manifest.json").write_bytes(content)
    told = take_out([copy], [], CAR, tmp_path / "out", Sight(Sees()))
    assert "evidence-1/still_1_scene.jpg" in told.files
    assert EvidencePictures(evidence_in(tmp_path), None)("copy", 400, 200).scene is not None
    assert [fault for fault in verify_evidence(copy) if fault.startswith("manifest.json: unreadable")]


def test_what_is_missing_or_damaged_is_said_and_the_rest_is_taken_out(evidence: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in evidence.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "overlay.json").write_text("{}", encoding="utf-8")
    (copy / "still_1_scene.jpg").write_bytes(b"")
    (copy / "manifest.json").unlink()
    told = take_out([copy, tmp_path / "nowhere"], [], CAR, tmp_path / "out", Sight(Sees()))
    assert [file for file, _ in told.left_out] == [
        "evidence-1/manifest.json",
        "evidence-1/still_1_scene.jpg",
        "evidence-1/clip.mp4",
        "evidence-2",
    ]
    assert "evidence-1/still_2_scene.jpg" in told.files
    image = picture(tmp_path / "out" / "evidence-1" / "still_2_scene.jpg")
    assert roughness(image, (0.45, 0.5, 0.65, 0.7)) < 0.2 * roughness(rough(), CAR), (
        "which car it is, nobody knows"
    )
