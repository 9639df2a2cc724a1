"""One odd recording or stored file costs itself, and a changed picture size costs nothing: real files, one scan."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from made_archive import FPS, LENGTH_S, LIMIT_S, SIZE_WH, Done, kerbwatch, parked, settle, write_folder

from detector.config.settings import Settings, load_settings
from detector.core.times import Interval
from detector.core.values import Image, Violation, ZoneKind
from detector.database import Database
from detector.decoding.encoder import VideoWriter
from detector.demo.scene import Scene, Stage
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.issues.values import Issue

pytestmark = pytest.mark.slow
DAY = ("--until", "2026-01-08", "--days", "1")
STANDS_S = (20.0, 165.0)
EXACT_S = 2.0
"""How far a start or an end that was filed may lie from the true one."""

WIDE, SMALL, LARGE, CIF, SQUARE = (640, 360), (320, 180), (960, 540), (352, 288), (480, 480)
Piece = tuple[float, tuple[int, int]]
"""Where a piece of the recording begins, in seconds, and its picture size."""


@dataclass(frozen=True)
class Case:
    """A camera's recordings of the one street: pieces, in a file each or all in one transport stream."""

    camera: str
    pieces: tuple[Piece, ...]
    one_file: bool = False

    @property
    def misshapen_s(self) -> float:
        """For how long the pictures have another shape than the zones."""
        ends = [*(begin for begin, _ in self.pieces[1:]), LENGTH_S]
        lengths = (
            end - begin
            for (begin, (width, height)), end in zip(self.pieces, ends, strict=True)
            if abs(width / height / (16 / 9) - 1) > 0.03
        )
        return sum(lengths)


def seeded(camera: str, seed: int, *, one_file: bool) -> Case:
    chance = np.random.default_rng(seed)
    sizes = (WIDE, SMALL, LARGE, CIF, SQUARE)
    begins = (0.0, *sorted(chance.choice(np.arange(30, 160, 10), 3, replace=False).tolist()))
    return Case(camera, tuple((b, sizes[chance.integers(len(sizes))]) for b in begins), one_file)


CASES = (
    Case("c01", ((0, WIDE),)),
    Case("c02", ((0, WIDE), (100, CIF))),
    Case("c03", ((0, CIF), (100, WIDE))),
    Case("c04", ((0, WIDE), (100, CIF)), one_file=True),
    Case("c05", ((0, LARGE), (80, SMALL)), one_file=True),
    seeded("c06", 6, one_file=False),
    *([seeded("c07", 7, one_file=True)] if os.environ.get("KERBWATCH_SOAK") == "1" else []),
)


def write_county(folder: Path) -> Settings:
    """A county of one street, seen by one camera for each case."""
    settings = write_folder(folder, ("p001",))
    text = (folder / "points/p001.yaml").read_text(encoding="utf-8")
    (folder / "points/p001.yaml").unlink()
    place = settings.point("p001").cameras[0].folder
    for case in CASES:
        own = text.replace("id: p001", f"id: {case.camera}", 1).replace(place, case.camera)
        (folder / f"points/{case.camera}.yaml").write_text(own, encoding="utf-8")
    return load_settings(folder)


def pictures_of(settings: Settings) -> list[Image]:
    (camera,) = settings.points[0].cameras
    start = datetime(2026, 1, 8, 8, 30, tzinfo=settings.timezone)
    actors = (parked(camera, ZoneKind.NO_PARKING, *STANDS_S),)
    limits = {Violation.ILLEGAL_PARKING: LIMIT_S}
    stage = Stage(Scene(camera, start, LENGTH_S, actors, seed=1, resolution_wh=SIZE_WH, limits_s=limits))
    return [stage.frame(k / FPS) for k in range(round(LENGTH_S * FPS))]


def encode(
    path: Path, pictures: Sequence[Image], size_wh: tuple[int, int], from_s: float, until_s: float
) -> None:
    with VideoWriter(path, size_wh, FPS, keyframe_every=4, preset="ultrafast", crf=22, threads=1) as writer:
        for k in range(round(from_s * FPS), round(until_s * FPS)):
            writer.write(cv2.resize(pictures[k], size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8))


def join(path: Path, pieces: Sequence[tuple[float, Path]]) -> None:
    """Transport streams one behind the other, each later by its begin: one stream whose pictures change their size."""
    whole = b""
    for begin_s, piece in pieces:
        moved = piece.with_name(f"moved-{piece.name}")
        with av.open(str(piece)) as source, av.open(str(moved), "w", format="mpegts") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    shift = round(begin_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    target.mux(packet)
        whole += moved.read_bytes()
    path.write_bytes(whole)


def name_of(begin_s: float, end_s: float, suffix: str) -> str:
    start = datetime(2026, 1, 8, 8, 30, tzinfo=UTC)
    begin, end = (start + timedelta(seconds=s) for s in (begin_s, end_s))
    return f"ch01_{begin:%Y%m%d%H%M%S}_{end:%Y%m%d%H%M%S}{suffix}"


def write_recordings(settings: Settings, case: Case, pictures: Sequence[Image], scratch: Path) -> None:
    folder = settings.archive_root / case.camera
    folder.mkdir(parents=True)
    ends = [*(begin for begin, _ in case.pieces[1:]), LENGTH_S]
    suffix = ".ts" if case.one_file else ".mp4"
    made = []
    for (begin, size_wh), end in zip(case.pieces, ends, strict=True):
        path = (scratch if case.one_file else folder) / name_of(begin, end, suffix)
        encode(path, pictures, size_wh, begin, end)
        made.append((begin, path))
    if case.one_file:
        join(folder / name_of(0, LENGTH_S, suffix), made)
    for path in folder.iterdir():
        settle(path)


@dataclass(frozen=True)
class County:
    folder: Path
    said: Done

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder)

    def issues(self, camera: str) -> list[Issue]:
        with Database.open(self.settings.database_url) as database:
            return [issue for issue in IssueQueue(database).find() if issue.camera_id == camera]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> County:
    """Scanned once by one worker. The evidence of camera c03 cannot be written: a file lies where its folder must be."""
    folder, scratch = tmp_path_factory.mktemp("odd") / "county", tmp_path_factory.mktemp("pieces")
    settings = write_county(folder)
    pictures = pictures_of(settings)
    for case in CASES:
        (scratch / case.camera).mkdir()
        write_recordings(settings, case, pictures, scratch / case.camera)
    blocked = Path(settings.evidence_root) / "2026-01-08" / "c03"
    blocked.parent.mkdir(parents=True)
    blocked.write_bytes(b"not a folder")
    return County(folder, kerbwatch("scan", "-C", folder, *DAY, "--workers", 1, "--json"))


def right_issue(issue: Issue, start: datetime) -> bool:
    true = Interval(*(start + timedelta(seconds=s) for s in STANDS_S))
    apart = (issue.interval.start - true.start, issue.interval.end - true.end)
    return issue.violation is Violation.ILLEGAL_PARKING and all(
        abs(one.total_seconds()) <= EXACT_S for one in apart
    )


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.camera != "c03"], ids=lambda case: case.camera
)
def test_a_vehicle_is_one_issue_of_the_right_times_whatever_sizes_its_pictures_have(
    county: County, case: Case
) -> None:
    (issue,) = county.issues(case.camera)
    assert right_issue(issue, datetime(2026, 1, 8, 8, 30, tzinfo=county.settings.timezone))
    assert verified(county, issue) == []


def verified(county: County, issue: Issue) -> list[str]:
    from detector.evidence import verify_evidence

    return verify_evidence(Path(county.settings.evidence_root) / issue.evidence_folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.camera)
def test_all_is_observed_and_time_of_another_shape_is_a_gap_besides(county: County, case: Case) -> None:
    said = kerbwatch("coverage", "-C", county.folder, *DAY, "--point", case.camera, "--json")
    (day,) = said.json[0]["days"]
    gaps = [gap for gap in day["gaps"] if gap["reason"] != "no_recording"]
    assert day["observed_s"] == pytest.approx(LENGTH_S, abs=3)
    assert {gap["reason"] for gap in gaps} == ({"picture_shape"} if case.misshapen_s else set())
    # A change inside a file is known from the next look on, and looks are 18 s apart.
    told_s = sum(gap["duration_s"] for gap in gaps)
    assert told_s == pytest.approx(case.misshapen_s, abs=20 * (len(case.pieces) - 1))


def test_evidence_that_cannot_be_written_costs_that_suspicion_and_no_other_camera(county: County) -> None:
    assert county.said.code == 3
    cameras = {camera["camera"]: camera for camera in county.said.json["cameras"]}
    assert len(cameras) == len(CASES)
    assert "could not be verified: unexpected error" in " ".join(cameras["c03"]["troubles"])
    assert cameras["c03"]["filed"] == []
    assert all(cameras[case.camera]["filed"] for case in CASES if case.camera != "c03")


def test_the_traceback_of_an_unexpected_error_is_in_the_log_and_not_on_the_screen(county: County) -> None:
    assert "Traceback" not in county.said.out + county.said.err
    lines = [
        json.loads(line)
        for file in (county.settings.state_root / "logs").glob("*.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    assert any("camera c03" in line["event"] and "Traceback" in line["traceback"] for line in lines)


def test_what_an_unexpected_error_left_is_verified_by_the_next_scan(county: County) -> None:
    (Path(county.settings.evidence_root) / "2026-01-08" / "c03").unlink()
    again = kerbwatch("scan", "-C", county.folder, *DAY, "--workers", 1, "--point", "c03", "--json")
    assert again.code == 0
    (issue,) = county.issues("c03")
    assert right_issue(issue, datetime(2026, 1, 8, 8, 30, tzinfo=county.settings.timezone))
    blocked = Path(county.settings.evidence_root) / "2026-01-08" / "c03"
    assert blocked.is_dir()


def observations(county: County, camera: str) -> list[Path]:
    root = Path(county.settings.observations_root)
    return sorted((root / f"camera={camera}").rglob("*.parquet"))


def damage(path: Path, seed: int) -> None:
    """One of the ways in which a file is damaged: cut short, emptied, overwritten, gone."""
    content, chance = path.read_bytes(), np.random.default_rng(seed)
    kind = seed % 4
    if kind == 0:
        path.write_bytes(content[: int(chance.integers(1, len(content)))])
    elif kind == 1:
        path.write_bytes(b"")
    elif kind == 2:
        path.write_bytes(chance.bytes(len(content)))
    else:
        path.unlink()


@pytest.fixture
def rows(county: County) -> Iterator[list[int]]:
    with Database.open(county.settings.database_url) as database:
        period = Interval(*(datetime(2026, 1, d, tzinfo=county.settings.timezone) for d in (8, 9)))
        yield [part.samples for part in Catalogue(database).observed_parts("c02", period)]


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_of_observations_is_set_aside_and_its_recording_observed_again(
    county: County, rows: list[int], seed: int
) -> None:
    files = observations(county, "c02")
    was = files[seed % len(files)].read_bytes()
    damage(files[seed % len(files)], seed)
    for name in ("findings/camera=c02",):
        for kept in (Path(county.settings.observations_root) / name).glob("*"):
            kept.unlink()
    again = kerbwatch("scan", "-C", county.folder, *DAY, "--workers", 1, "--point", "c02", "--json")
    (camera,) = again.json["cameras"]
    assert again.code == 0
    assert any("damaged observations camera=c02" in line for line in camera["troubles"])
    assert len(county.issues("c02")) == 1
    assert observations(county, "c02") == files
    assert files[seed % len(files)].read_bytes() == was
    aside = list((Path(county.settings.observations_root) / "damaged").rglob("*.parquet"))
    assert bool(aside) or seed % 4 == 3


def test_judge_sets_a_damaged_file_aside_and_says_what_to_do(county: County) -> None:
    (path,) = observations(county, "c01")
    content = path.read_bytes()
    path.write_bytes(content[:100])
    for kept in (Path(county.settings.observations_root) / "findings/camera=c01").glob("*"):
        kept.unlink()
    said = kerbwatch("judge", "-C", county.folder, *DAY, "--json")
    assert said.code == 3
    told = {change["camera"]: change["troubles"] for change in said.json}
    assert "scan again to observe its recording" in told["c01"][0]
    assert all(not told[case.camera] for case in CASES if case.camera != "c01")
    assert not path.exists()
    assert kerbwatch("scan", "-C", county.folder, *DAY, "--workers", 1, "--point", "c01").code == 0
    assert path.read_bytes() == content
