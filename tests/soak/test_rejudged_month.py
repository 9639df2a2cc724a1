"""A month of 39 cameras judged again under shorter limits: what it costs, and that its memory is bounded.

Two days of a camera of each category are made look by look and gathered by the command itself. The rest of the month
repeats what was gathered of the second of them, at other dates and cameras, as scans would have kept it. Two of three
suspicions were dropped by scans.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as hour_of_day
from pathlib import Path

import pytest
from looked_at import MODEL, look_at, looks_in, recorded_hours, say_observed, template_county
from made_looks import street_looks
from processes import Ended, run

from detector.config.settings import Settings
from detector.core.times import Interval, local_day
from detector.core.values import Camera, Category, Point, Recording
from detector.database import Database, schema
from detector.engines.judging import Again, judge_again
from detector.footage.archive import parts
from detector.footage.catalogue import Catalogue, ObservedPart
from detector.issues.queue import IssueQueue
from detector.issues.values import Outcome
from detector.observing.store import ObservationStore
from detector.pipeline.findings import Ground
from detector.pipeline.rejudge import windows_seen
from detector.pipeline.scan import verdict_key

SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
POINTS, DAYS = (39, 30) if SOAK else (2, 4)
CATEGORIES = tuple(Category) if SOAK else (Category.INTERSECTION,)
HOURS = range(24) if SOAK else range(8, 12)
MADE_DAYS = 2
EVER = Interval(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
LAST_DAY = date(2026, 1, 30)
BOUND_MB = 550.0
BOUND_CPU_S = 100.0
RULE = "dwell_s: 180\n  zones: [no_parking]"
MOMENT = re.compile(r"\b1[0-9]{15}\b")


@dataclass
class County:
    settings: Settings
    database: Database
    points: list[Point]

    @property
    def made(self) -> list[Point]:
        """The first point of each category."""
        return [next(p for p in self.points if p.category is category) for category in CATEGORIES]

    def judge(self, days: int, points: Sequence[Point], *words: object) -> Ended:
        named = [word for point in points for word in ("--point", point.id)]
        ended = run(
            (
                "judge",
                "-C",
                self.settings.folder,
                "--until",
                LAST_DAY,
                "--days",
                days,
                *named,
                *words,
                "--json",
            )
        )
        assert ended.code == 0, ended.errors
        return ended


@pytest.fixture
def county(tmp_path: Path) -> Iterator[County]:
    settings = template_county(tmp_path)
    points = [p for p in settings.points if p.category in CATEGORIES][:POINTS]
    with Database.open(settings.database_url) as database:
        made = County(settings, database, points)
        for point in points:
            observe(made, point.cameras[0], is_made=point in made.made)
        yield made


def hours_of(camera: Camera) -> list[Recording]:
    first = datetime.combine(LAST_DAY, hour_of_day(), camera.timezone) - timedelta(days=DAYS - 1)
    return recorded_hours(camera, [first + timedelta(days=d, hours=h) for d in range(DAYS) for h in HOURS])


def observe(county: County, camera: Camera, *, is_made: bool) -> None:
    """Put a month into the catalogue, and the looks of its last days into the store where they are to be made."""
    catalogue, store = Catalogue(county.database), ObservationStore(county.settings.observations_root)
    recordings = hours_of(camera)
    catalogue.remember(camera.id, recordings, recordings[-1].interval.end)
    made = recordings[-MADE_DAYS * len(HOURS) :] if is_made else []
    days: dict[date, list[Recording]] = {}
    for recording in made:
        days.setdefault(recording.interval.start.astimezone(camera.timezone).date(), []).append(recording)
    for day, own in days.items():
        looks = street_looks(camera, own[0].interval.start, looks_in(len(own)), day.toordinal())
        look_at(catalogue, store, camera, own, looks)
    for recording in recordings[: len(recordings) - len(made)]:
        say_observed(catalogue, recording, "not made", looks_in(1))


def repeat(county: County) -> None:
    """Put what was gathered of each category's last day in place of every other day and camera."""
    root = county.settings.observations_root
    assert isinstance(root, Path)
    pools = {point.category: (point.cameras[0], pool_of(root, point.cameras[0])) for point in county.made}
    for point in county.points:
        camera, (original, pool) = point.cameras[0], pools[point.category]
        for window, key in windows_kept(county, camera):
            text, moment, name = pool[f"{window.start:%H%M}"]
            shift = (window.start - moment) // timedelta(microseconds=1)
            head, _, lines = text.partition("\n")
            head = json.dumps({**json.loads(head), "key": key})
            content = MOMENT.sub(lambda found, shift=shift: str(int(found[0]) + shift), f"{head}\n{lines}")
            place = root / "findings" / f"camera={camera.id}" / f"{window.start:%Y%m%dT%H%M}-{name}"
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content.replace(f'"{original.id}"', f'"{camera.id}"'))


def pool_of(root: Path, camera: Camera) -> dict[str, tuple[str, datetime, str]]:
    """By hour of its window, the text of each window of the last day, when that was, and the end of its name."""
    pool = {}
    for file in sorted((root / "findings" / f"camera={camera.id}").iterdir()):
        moment, _, rest = file.name.partition("-")
        at = datetime.strptime(f"{moment}+0000", "%Y%m%dT%H%M%z")
        pool[f"{at:%H%M}"] = (file.read_text(), at, rest)
    return pool


def windows_kept(county: County, camera: Camera) -> Iterator[tuple[Interval, str]]:
    """The month's windows, and the key of what is gathered of each."""
    catalogue = Catalogue(county.database)
    known = parts(catalogue.known(camera.id).values())
    period = Interval(known[0][1].start, known[-1][1].end)
    observed: list[ObservedPart] = catalogue.observed_parts(camera.id, period)
    ground = Ground.of(county.settings.rules)
    for window, seen in windows_seen(known, observed, camera, period):
        yield window, seen.key(camera, ground)


def decide_most(county: County) -> None:
    """Drop two of three suspicions of the county's own rules, as scans would have: a real folder is full of verdicts."""
    settings, made_at = county.settings, datetime.combine(LAST_DAY, hour_of_day(), UTC)
    first, last = (
        local_day(day, settings.timezone) for day in (LAST_DAY - timedelta(days=DAYS - 1), LAST_DAY)
    )
    period = Interval(first.start, last.end)
    cameras = [(point.cameras[0], period) for point in county.points]
    for change in judge_again(Again(settings, settings.rules), cameras):
        rows = [
            {
                "key": verdict_key(one, MODEL), "fingerprint": one.fingerprint, "camera_id": one.camera_id,
                "violation": one.violation, "zone_id": one.zone_id, "start": one.interval.start,
                "end": one.interval.end, "outcome": Outcome.DROPPED, "reason": "another car", "issue_id": None,
                "decided_at": made_at,
            }
            for index, one in enumerate(change.appeared) if index % 3
        ]  # fmt: skip
        with county.database.begin() as connection:
            connection.execute(schema.verdicts.insert(), rows)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_month_is_judged_again_within_bounded_time_and_memory(county: County) -> None:
    gathering = county.judge(MADE_DAYS - 1, county.made, "--workers", 1)
    made = sum(one["observations"] for one in json.loads(gathering.out))
    print(f"gathering {made} looks: {gathering.cpu_s:.0f} s of processor time, {gathering.peak_mb:.0f} MB")
    repeat(county)
    decide_most(county)
    shorter = county.settings.folder / "shorter.yaml"
    text = (county.settings.folder / "rules.yaml").read_text(encoding="utf-8")
    assert RULE in text
    shorter.write_text(text.replace(RULE, RULE.replace("180", "150")), encoding="utf-8")
    began = time.monotonic()
    ended = county.judge(DAYS, county.points, "--rules", shorter)
    took_s = time.monotonic() - began
    changes = json.loads(ended.out)
    looks = sum(one["observations"] for one in changes)
    appeared = sum(len(one["appeared"]) for one in changes)
    decided = sum(len(IssueQueue(county.database).verdicts(one["camera"], EVER)) for one in changes)
    print(
        f"{looks} looks of {len(changes)} cameras, {decided} verdicts, {appeared} suspicions: {took_s:.1f} s, {ended.cpu_s:.0f} s of processor "
        f"time, at most {ended.peak_mb:.0f} MB in a process, load {os.getloadavg()[0]:.1f}"
    )
    assert len(changes) == len(county.points)
    assert looks > 0.9 * len(changes) * looks_in(DAYS * len(HOURS))
    assert all(len(one["appeared"]) >= DAYS // 2 for one in changes)
    assert ended.peak_mb < BOUND_MB
    assert ended.cpu_s < BOUND_CPU_S
