"""`rejudge`: the looks are read once; other limits are asked of what was kept, and say what the looks would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from looked_at import HOUR, MODEL, look_at, looks_in, recorded_hours, template_county
from made_looks import street_looks

from detector.config.rules import RuleSet
from detector.config.settings import Settings
from detector.core.times import Interval
from detector.core.values import (
    Camera,
    Category,
    Evidence,
    Incident,
    Observation,
    Point,
    Recording,
    Violation,
    ZoneKind,
)
from detector.database import Database
from detector.footage.catalogue import BlindStretch, Catalogue, ObservedPart
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.findings import FindingsStore
from detector.pipeline.rejudge import Change, rejudge
from detector.pipeline.scan import verdict_key

HOURS = 8


class Watched(ObservationStore):
    """Counts the files that are read."""

    read_files = 0

    def read(self, name: str, camera_id: str, recording_id: str) -> list[Observation]:
        self.read_files += 1
        return super().read(name, camera_id, recording_id)


@dataclass
class Place:
    settings: Settings
    database: Database
    store: Watched
    point: Point
    camera: Camera
    period: Interval
    recordings: list[Recording]

    def judged(self, rules: RuleSet, *, camera: Camera | None = None, findings: Path | None = None) -> Change:
        return rejudge(
            Catalogue(self.database),
            self.store,
            FindingsStore(findings or self.settings.observations_root),
            IssueQueue(self.database),
            self.point,
            camera or self.camera,
            rules,
            self.period,
            before=self.settings.rules,
        )

    def reads(self) -> int:
        """How many files were read since this was last asked."""
        count, self.store.read_files = self.store.read_files, 0
        return count


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = template_county(tmp_path)
    point = next(point for point in settings.points if point.category is Category.INTERSECTION)
    camera = point.cameras[0]
    start = datetime(2026, 1, 8, 8, tzinfo=camera.timezone)
    looks = street_looks(camera, start, looks_in(HOURS), 13, faults=0.1, events=3.0)
    store = Watched(settings.observations_root)
    recordings = recorded_hours(camera, [start + h * HOUR for h in range(HOURS)])
    with Database.open(settings.database_url) as database:
        catalogue = Catalogue(database)
        catalogue.remember(camera.id, recordings, start)
        look_at(catalogue, store, camera, recordings, looks)
        period = Interval(start, start + HOURS * HOUR)
        yield Place(settings, database, store, point, camera, period, recordings)


def with_limits(rules: RuleSet, factor: float) -> RuleSet:
    return RuleSet(
        {v: replace(r, dwell_s=factor * r.dwell_s, by_category={}) for v, r in rules.rules.items()}
    )


def test_other_limits_are_judged_without_reading_a_look_and_say_the_same(
    place: Place, tmp_path: Path
) -> None:
    place.judged(place.settings.rules)
    assert place.reads() > 0
    shorter, longer = (with_limits(place.settings.rules, factor) for factor in (0.6, 2.0))
    few, many = place.judged(longer), place.judged(shorter)
    assert place.reads() == 0
    assert many == place.judged(shorter, findings=tmp_path / "nothing kept")
    assert few == place.judged(longer, findings=tmp_path / "nothing kept either")
    assert place.reads() > 0
    assert len(many.appeared) > len(few.appeared) > 0
    assert not any(one.stay or one.queues or one.excused for one in many.appeared)
    assert many.observations == sum(part.samples for part in observed(place))


def edge(place: Place) -> datetime:
    """Where the period's first window ends and its second begins."""
    return datetime(2026, 1, 8, 12, tzinfo=place.camera.timezone)


def within_a_window(place: Place, change: Change) -> list[Incident]:
    return [one for one in change.appeared if not one.interval.start < edge(place) <= one.interval.end]


def test_what_scans_decided_does_not_appear_again_whether_kept_or_read_anew(
    place: Place, tmp_path: Path
) -> None:
    rules = place.settings.rules
    raised = within_a_window(place, place.judged(rules))
    dropped, filed = raised[::3], raised[1::3]
    queue = IssueQueue(place.database)
    for one in dropped:
        queue.drop(one, verdict_key=verdict_key(one, MODEL), reason="another car")
    for one in filed:
        queue.file(
            one, Evidence("folder", ()), explanation="", explanation_zh="", model_id=MODEL, rules_version="1",
            verdict_key=verdict_key(one, MODEL), start_uncertainty_s=1.0, end_uncertainty_s=1.0,
        )  # fmt: skip
    few, many = (place.judged(with_limits(rules, factor)) for factor in (2.0, 0.6))
    names = {one.fingerprint for one in dropped}
    assert dropped
    assert filed
    assert within_a_window(place, place.judged(rules)) == raised[2::3]
    assert not names & {one.fingerprint for one in few.appeared}
    assert names & {one.fingerprint for one in many.appeared}
    assert {issue.id for issue in few.kept} < {issue.id for issue in many.kept}
    assert all("within" in why for _, why in few.vanished)
    assert many == place.judged(with_limits(rules, 0.6), findings=tmp_path / "nothing kept")


def test_a_stay_over_the_edge_of_two_windows_is_told_once(place: Place) -> None:
    everything = place.judged(with_limits(place.settings.rules, 0.1)).appeared
    over = [one for one in everything if one.interval.start < edge(place) <= one.interval.end]
    assert over
    places = [(one.violation, one.zone_id, one.box) for one in over]
    assert len(places) == len(set(places))


def test_a_moved_zone_and_another_ground_are_judged_of_the_looks(place: Place) -> None:
    place.judged(place.settings.rules)
    place.reads()
    zones = tuple(
        replace(zone, polygon=((0.0, 0.0), (0.1, 0.0), (0.1, 0.1)))
        if zone.kind is ZoneKind.NO_PARKING
        else zone
        for zone in place.camera.zones
    )
    moved = place.judged(place.settings.rules, camera=replace(place.camera, zones=zones))
    assert place.reads() > 0
    assert not any(i.violation is Violation.ILLEGAL_PARKING for i in moved.appeared)
    rules = place.settings.rules
    stricter = replace(rules.rules[Violation.ILLEGAL_PARKING], min_share=1.0)
    other = RuleSet({**rules.rules, Violation.ILLEGAL_PARKING: stricter})
    assert place.judged(other) == place.judged(other)
    assert place.reads() > 0
    place.judged(other)
    assert place.reads() == 0


def test_what_was_found_blind_since_or_looked_at_again_is_judged_of_the_looks(place: Place) -> None:
    place.judged(place.settings.rules)
    place.reads()
    recording = place.recordings[2]
    part = next(part for part in observed(place) if part.recording_id == recording.id)
    middle = recording.interval.start + timedelta(minutes=30)
    Catalogue(place.database).mark_observed(
        recording, part.plan_key, model_id=part.model_id, file=part.file, samples=part.samples, failed=0,
        observed=part.observed, blind=[BlindStretch(Interval(recording.interval.start, middle), "cannot be decoded")],
    )  # fmt: skip
    change = place.judged(place.settings.rules)
    assert place.reads() > 0
    assert any(
        i.violation is Violation.CAMERA_FAULT and i.interval.start == recording.interval.start
        for i in change.appeared
    )


def observed(place: Place) -> list[ObservedPart]:
    return list(Catalogue(place.database).observed_parts(place.camera.id, place.period))
