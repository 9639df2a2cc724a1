"""The whole flow on a made archive: what was composed is found, proven and filed, once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest
from made_archive import FIRST, LIMIT_S, SECOND, Made, Scanned

from detector.cli.common import detector_of, period_of
from detector.core.geometry import Box
from detector.core.times import Interval, local_day
from detector.core.values import Detections, Image
from detector.database import Database
from detector.demo.tell import compare
from detector.evidence import verify_evidence
from detector.footage.catalogue import Catalogue
from detector.inference.detector import Detector
from detector.inference.weights import sha256_of
from detector.issues.queue import IssueQueue
from detector.issues.values import Issue
from detector.observing.store import ObservationStore
from detector.pipeline.scan import CameraReport, Shop, scan_camera

pytest_plugins = ["archive_fixture"]
NOW = datetime(2026, 1, 10, tzinfo=UTC)


@dataclass
class Counting:
    """A detector that counts the pictures it is shown, and may do something before each."""

    inner: Detector
    pictures: int = 0
    first: list[Path] = field(default_factory=list)
    """Files to remove before the first picture is looked at."""

    @property
    def model_id(self) -> str:
        return self.inner.model_id

    @property
    def sha256(self) -> str:
        return self.inner.sha256

    @property
    def input_hw(self) -> tuple[int, int]:
        return self.inner.input_hw

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        for path in self.first:
            path.unlink(missing_ok=True)
        self.pictures += len(images)
        return self.inner.detect(images, part)


@pytest.fixture(scope="session")
def detector(composed: Made) -> Detector:
    return detector_of(composed.settings.model)


@contextmanager
def opened(made: Made, detector: Detector) -> Iterator[Shop]:
    settings = made.settings
    with Database.open(settings.database_url) as database:
        yield Shop(
            settings=settings,
            detector=detector,
            catalogue=Catalogue(database),
            store=ObservationStore(settings.observations_root),
            queue=IssueQueue(database),
            evidence_root=Path(settings.evidence_root),
        )


def scan(shop: Shop, period: Interval | None = None, only: str = "p") -> list[CameraReport]:
    period = period or period_of(shop.settings, "2026-01-09", 2)
    cameras = [(p, camera) for p in shop.settings.points if p.id.startswith(only) for camera in p.cameras]
    return [scan_camera(shop, point, camera, period, now=NOW) for point, camera in cameras]


def issues_of(made: Made) -> list[Issue]:
    with Database.open(made.settings.database_url) as database:
        return IssueQueue(database).find()


def test_a_scan_finds_what_was_composed_and_nothing_else(scanned_once: Scanned) -> None:
    made = scanned_once.made
    told = compare(made.events, issues_of(made))
    assert (len(told.found), told.missed, told.false) == (2, (), ())
    assert max(told.start_errors_s) <= 2
    assert all(abs((i.interval.end - e.interval.end).total_seconds()) <= 2 for e, i in told.found)


def test_the_trap_of_one_car_after_another_is_dropped_with_its_reason(scanned_once: Scanned) -> None:
    (crossing,) = [c for c in scanned_once.said.json["cameras"] if c["point"] == "p025"]
    assert [d["violation"] for d in crossing["dropped"]] == ["illegal_parking"]
    assert (
        "stood for" in crossing["dropped"][0]["reason"]
        or "different objects" in crossing["dropped"][0]["reason"]
    )


def test_the_evidence_of_every_issue_is_whole_and_says_what_the_issue_says(scanned_once: Scanned) -> None:
    made = scanned_once.made
    for issue in issues_of(made):
        folder = Path(made.settings.evidence_root) / issue.evidence_folder
        assert verify_evidence(folder) == []
        manifest = json.loads((folder / "manifest.json").read_bytes())
        assert {name: row["sha256"] for name, row in manifest["files"].items()} == {
            path.name: sha256_of(path)
            for path in folder.iterdir()
            if path.suffix != ".sig" and path.name != "manifest.json"
        }
        moments = [datetime.fromisoformat(still["at"]) for still in manifest["stills"]]
        assert len(moments) >= 3
        assert moments == sorted(set(moments))
        assert (moments[-1] - moments[0]).total_seconds() > LIMIT_S
        assert (
            len(list(folder.glob("still_*_scene.jpg")))
            == len(list(folder.glob("still_*_closeup.jpg")))
            == len(moments)
        )
        assert manifest["fingerprint"] == issue.fingerprint
        assert manifest["model"]["sha256"] == made_weights_hash(made)
        assert manifest["rules_version"] == made.settings.rules.version
        for still in manifest["stills"]:
            source = made.settings.archive_root / still["recording"]["path"]
            assert source.stat().st_size == still["recording"]["size_bytes"]


def made_weights_hash(made: Made) -> str:
    from detector.cli.common import weights_of

    return sha256_of(weights_of(made.settings.model))


def test_the_clip_of_every_issue_plays_in_a_browser(scanned_once: Scanned) -> None:
    made = scanned_once.made
    for issue in issues_of(made):
        path = Path(made.settings.evidence_root) / issue.evidence_folder / "clip.mp4"
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            pictures = list(container.decode(stream))
        assert len(pictures) >= 10
        assert all(not picture.is_corrupt for picture in pictures)


def test_a_second_scan_of_the_same_period_looks_at_no_picture_and_files_nothing(
    scanned: Made, detector: Detector
) -> None:
    before = [issue.to_json() for issue in issues_of(scanned)]
    counting = Counting(detector)
    with opened(scanned, counting) as shop:
        reports = scan(shop)
    assert counting.pictures == 0
    assert [(r.samples, r.filed, r.dropped, r.failed) for r in reports] == [(0, (), (), ())] * 3
    assert sum(report.reused for report in reports) == 5
    assert [issue.to_json() for issue in issues_of(scanned)] == before


def test_a_scan_of_two_days_one_by_one_files_what_a_scan_of_both_files(
    unscanned: Made, scanned_once: Scanned, detector: Detector
) -> None:
    zone = unscanned.settings.timezone
    with opened(unscanned, detector) as shop:
        for day in (FIRST, SECOND):
            scan(shop, local_day(day, zone), "p025")
    assert {(i.fingerprint, i.interval) for i in issues_of(unscanned)} == {
        (i.fingerprint, i.interval) for i in issues_of(scanned_once.made) if i.point_id == "p025"
    }


def test_a_recording_that_vanishes_after_it_was_listed_costs_only_its_own_samples(
    unscanned: Made, detector: Detector
) -> None:
    root = unscanned.settings.archive_root
    gone = next((root / "p001").rglob("*_20260109*"))
    with opened(unscanned, detector) as shop:
        begun: list[Path] = []

        def begin(path: Path) -> None:
            begun.append(path)
            if begun.count(gone) == 2:  # first to be probed, then to be observed
                gone.unlink(missing_ok=True)

        vanishing = replace(shop, begin=begin)
        (road,) = scan(vanishing, only="p001")
    assert [recording.path for recording, _ in road.failed] == [str(gone.relative_to(root))]
    assert "gone" in road.failed[0][1]
    assert len(road.filed) == 1


def test_a_suspicion_whose_recording_vanishes_before_the_closer_look_stays_open(
    unscanned: Made, detector: Detector
) -> None:
    lost = next((unscanned.settings.archive_root / "p001").rglob("*_20260108*"))
    kept = lost.with_suffix(".kept")
    kept.hardlink_to(lost)
    # The file goes while it is being read, which Linux allows: it is observed, and cannot be opened again.
    with opened(unscanned, Counting(detector, first=[lost])) as shop:
        (road,) = scan(shop, only="p001")
    assert (road.filed, road.dropped) == ((), ())
    assert [reason for _, reason in road.failed] == ["could not be read for a closer look"]
    kept.rename(lost)
    with opened(unscanned, counting := Counting(detector)) as shop:
        (road,) = scan(shop, only="p001")
    assert (road.samples, len(road.filed)) == (0, 1)
    assert counting.pictures < 20  # the closer look's own


def test_what_a_killed_run_left_half_written_of_an_observation_file_goes_when_it_is_written_again(
    scanned: Made,
) -> None:
    settings = scanned.settings
    store = ObservationStore(settings.observations_root)
    camera = settings.points[0].cameras[0]
    with Database.open(settings.database_url) as database:
        part = Catalogue(database).observed_parts(camera.id, period_of(settings, "2026-01-09", 2))[0]
    seen = store.read(part.file, camera.id, part.recording_id)
    written = Path(settings.observations_root) / part.file
    here = socket.gethostname()
    abandoned, others = (written.with_name(f".{written.name}.{pid}.{here}") for pid in (2**22 + 1, 1))
    abandoned.touch()
    others.touch()  # process 1 lives
    start = part.recording.start.astimezone(camera.timezone)
    assert store.write(camera.id, part.recording_id, part.plan_key, start, seen) == part.file
    assert (abandoned.exists(), others.exists()) == (False, True)
