"""`rejudge`: the looks are read once; other limits are asked of what was kept, and say what the looks would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_looks import CADENCE_S, of_recording, street_looks

from detector.config.rules import RuleSet
from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.core.times import Interval
from detector.core.values import (
    Camera,
    Category,
    Observation,
    Point,
    Recording,
    RecordingState,
    Violation,
    ZoneKind,
)
from detector.database import Database
from detector.footage.catalogue import BlindStretch, Catalogue, ObservedPart
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.findings import FindingsStore
from detector.pipeline.rejudge import Change, rejudge

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
    for name, text in template_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path)
    point = next(point for point in settings.points if point.category is Category.INTERSECTION)
    camera = point.cameras[0]
    start = datetime(2026, 1, 8, 8, tzinfo=camera.timezone)
    looks = street_looks(camera, start, int(HOURS * 3600 / CADENCE_S), 13, faults=0.1, events=3.0)
    store = Watched(settings.observations_root)
    hours = [start + timedelta(hours=h) for h in range(HOURS)]
    recordings = [
        Recording(
            camera.id, f"{h:%H}.mp4", 1, 1, Interval(h, h + timedelta(hours=1)), RecordingState.READABLE
        )
        for h in hours
    ]
    with Database.open(settings.database_url) as database:
        catalogue = Catalogue(database)
        catalogue.remember(camera.id, recordings, start)
        for recording in recordings:
            own = [o for o in looks if o.at in recording.interval]
            seen = of_recording(own, recording.id, recording.interval.start)
            file = store.write(camera.id, recording.id, "54s-made", recording.interval.start, seen)
            catalogue.mark_observed(
                recording, "54s-made", model_id="made", file=file, samples=len(seen), failed=0,
                observed=recording.interval,
            )  # fmt: skip
        period = Interval(start, start + timedelta(hours=HOURS))
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
    assert many.observations == sum(part.samples for part in observed(place))


def test_a_stay_over_the_edge_of_two_windows_is_told_once(place: Place) -> None:
    everything = place.judged(with_limits(place.settings.rules, 0.1)).appeared
    edge = datetime(2026, 1, 8, 12, tzinfo=place.camera.timezone)
    over = [one for one in everything if one.interval.start < edge <= one.interval.end]
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
