"""Acceptance that looks: the camera's next recordings decide whether an answer holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from clock_fixture import Clock
from made_archive import FPS, LENGTH_S, Made, kerbwatch, parked, place_of, scene_of, settle

from detector.cli import duties
from detector.cli.common import detector_of
from detector.core.values import ZoneKind
from detector.database import Database
from detector.demo.record import record
from detector.dispatch import Desk
from detector.footage.catalogue import Catalogue
from detector.inference.detector import Detector
from detector.issues import IssueFilter, LinkKind, State
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.people import Actor, Role
from detector.people.roles import PROGRAM
from detector.pipeline.accept import Inspection, Outcome, inspect_all
from detector.pipeline.scan import Shop
from detector.scheduling.logs import Log

pytest_plugins = ["archive_fixture"]

LATER = datetime(2026, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def detector(composed: Made) -> Detector:
    return detector_of(composed.settings.model)


@contextmanager
def opened(made: Made, detector: Detector, clock: Clock) -> Iterator[tuple[Shop, Desk]]:
    settings = made.settings
    with Database.open(settings.database_url) as database:
        shop = Shop(
            settings=settings,
            detector=detector,
            catalogue=Catalogue(database),
            store=ObservationStore(settings.observations_root),
            queue=IssueQueue(database, clock),
            evidence_root=Path(settings.evidence_root),
        )
        yield shop, Desk(database, settings, clock)


def change(made: Made, old: str, new: str) -> None:
    path = made.folder / "deadlines.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def county(scanned: Made) -> Made:
    """A scanned copy in which a minute of recordings is enough to judge an answer."""
    change(scanned, "look_min: 60", "look_min: 1")
    return scanned


def rectified(desk: Desk, clock: Clock, at: str) -> int:
    """The car at the kerb of p001, which stood there on the 8th at half past eight, is reported as gone."""
    (issue,) = desk.find(PROGRAM, IssueFilter(points=("p001",)))
    clock.at = datetime.fromisoformat(at)
    desk.confirm(PROGRAM, issue.id)
    desk.dispatch(PROGRAM, [issue.id])
    desk.rectify(PROGRAM, issue.id, "已劝离")
    return issue.id


def look(shop: Shop, desk: Desk) -> list[Inspection]:
    return list(inspect_all(shop, desk, LATER))


def test_where_the_car_is_gone_an_after_picture_is_kept_beside_the_one_before(
    county: Made, detector: Detector
) -> None:
    clock = Clock()
    with opened(county, detector, clock) as (shop, desk):
        number = rectified(desk, clock, "2026-01-08T10:00+08:00")
        (first,) = look(shop, desk)
        assert (first.outcome, first.state) == (Outcome.GONE, State.RECTIFIED), first.why
        (after, both) = desk.attachments(PROGRAM, number)
        assert [a.name for a in (after, both)] == ["after.jpg", "before_after.jpg"]
        pictures = [cv2.imread(str(desk.files.path(a))) for a in (after, both)]
        assert pictures[1].shape[1] > 1.8 * pictures[0].shape[1]
        left, right = np.array_split(pictures[1], 2, axis=1)
        assert abs(float(left.mean()) - float(right.mean())) < 60, "one street, twice"
        (again,) = look(shop, desk)
        assert again.outcome is Outcome.KNOWN, "it waits for a person, and is not looked at twice"
        assert [row.move for row in desk.history(PROGRAM, number)][-2:] == ["rectify", "inspected"]
        assert desk.queue.verify() == []


def test_what_is_gone_is_closed_by_itself_where_the_configuration_says_so(
    county: Made, detector: Detector
) -> None:
    change(county, "close_by_itself: []", "close_by_itself: [illegal_parking]")
    clock = Clock()
    with opened(county, detector, clock) as (shop, desk):
        number = rectified(desk, clock, "2026-01-08T10:00+08:00")
        (done,) = look(shop, desk)
        assert (done.outcome, done.state) == (Outcome.GONE, State.CLOSED)
        assert desk.get(PROGRAM, number).closed_at == clock.at
        assert look(shop, desk) == []


def test_without_recordings_since_the_answer_it_waits_and_says_so(county: Made, detector: Detector) -> None:
    clock = Clock()
    with opened(county, detector, clock) as (shop, desk):
        number = rectified(desk, clock, "2026-01-09T20:00+08:00")
        (waiting,) = look(shop, desk)
        assert (waiting.outcome, waiting.state) == (Outcome.WAITING, State.RECTIFIED)
        assert "0 s of 1 min" in waiting.why
        assert desk.get(PROGRAM, number).version == 4


def test_where_a_car_stands_at_the_place_again_the_issue_is_reopened_with_the_proof(
    county: Made, detector: Detector
) -> None:
    (camera,) = county.settings.point("p001").cameras
    start = datetime(2026, 1, 10, 8, 30, tzinfo=county.settings.timezone)
    scene = scene_of(camera, start, parked(camera, ZoneKind.NO_PARKING, 20, 165), seed=9)
    path = place_of(county.settings, camera, start, LENGTH_S)
    record(scene, path, fps=FPS)
    settle(path)
    clock = Clock()
    with opened(county, detector, clock) as (shop, desk):
        number = rectified(desk, clock, "2026-01-09T20:00+08:00")
        due = desk.get(PROGRAM, number).due_at
        clock.at += timedelta(days=3)
        desk.claim(Actor("li", Role.REVIEWER), number)
        (waits,) = look(shop, desk)
        assert (waits.outcome, "claimed by li" in waits.why) == (Outcome.WAITING, True), (
            "and the night goes on"
        )
        desk.release(Actor("li", Role.REVIEWER), number)
        (stands,) = look(shop, desk)
        assert (stands.outcome, stands.state) == (Outcome.STANDS, State.REOPENED), stands.why
        issue = desk.get(PROGRAM, number)
        assert due is not None
        assert issue.due_at is not None
        assert issue.due_at > due
        assert issue.rectified_at is None
        assert {a.kind for a in desk.attachments(PROGRAM, number)} == {"after"}
        (other,) = desk.find(PROGRAM, IssueFilter(states=(State.MERGED,)))
        assert other.merged_into == number
        assert LinkKind.MERGED in {link.kind for link in desk.links(PROGRAM, number)}
        assert len(desk.orders(PROGRAM)) == 1
        assert look(shop, desk) == []
        assert desk.queue.verify() == []


def test_the_command_looks_at_all_that_waits(county: Made) -> None:
    for words in (("confirm", 1), ("dispatch", 1), ("rectify", 1, "--note", "已处理")):
        assert kerbwatch("issues", *words, "-C", county.folder).code == 0
    done = kerbwatch("issues", "accept", "-C", county.folder, "--json")
    assert [(one["issue"], one["outcome"]) for one in done.json] == [(1, "waiting")]
    assert kerbwatch("issues", "accept", 2, "-C", county.folder).code == 2


def test_the_service_looks_at_all_that_waits_by_itself(county: Made, tmp_path: Path) -> None:
    for words in (("confirm", 1), ("dispatch", 1), ("rectify", 1, "--note", "已处理")):
        assert kerbwatch("issues", *words, "-C", county.folder).code == 0
    duties.accept(duties.Works(Log(tmp_path / "logs"), threading.Event(), 1), county.settings)
    (log,) = (tmp_path / "logs").iterdir()
    line = json.loads(log.read_text("utf-8"))
    assert (line["event"], line["issue"], line["outcome"]) == ("inspected", 1, "waiting")
