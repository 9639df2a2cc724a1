"""What a run owes, in which order it does it, when it stops, and what it says of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hands import CAMERA, Hands, days_before, done, one_camera

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadWeights, StorageFull
from detector.database import Database, DatabaseBusy, DatabaseUnusable
from detector.engines.crew import Done, Event, Failed, How, Lost
from detector.footage.troubles import Troubles
from detector.pipeline.days import DayScan, Job, Unseen
from detector.runs.days import CameraDays
from detector.runs.lease import Lease, LeaseLost, Leases, LeaseTaken
from detector.runs.runs import Run, Runs, RunState
from detector.scheduling import night
from detector.scheduling.night import Orders, run_night

pytest_plugins = ["database_fixture"]
SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 6, 1, 20, 0, tzinfo=SHANGHAI)
TODAY = AT.date()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    made = one_camera(tmp_path / "county", database_url)
    return replace(made, nightly=replace(made.nightly, min_free_bytes=0))


def run(settings: Settings, hands: Hands, at: datetime = AT, **more: object) -> Run:
    return run_night(Orders(settings, hands, lambda: at, **more))


def marked(settings: Settings) -> dict[date, str]:
    with Database.open(settings.database_url) as database:
        return CameraDays(database).done(CAMERA)


def last_run(settings: Settings) -> Run:
    with Database.open(settings.database_url) as database:
        return Runs(database, Leases(database)).latest(1)[0]


def on_day(act: Callable[[DayScan], Event | None]) -> Callable[[Job], Event | None]:
    return lambda job: act(job) if isinstance(job, DayScan) else None


def test_after_an_outage_the_last_thirty_days_are_done_newest_first_and_then_nothing(
    settings: Settings,
) -> None:
    hands = Hands(days_before(TODAY, 45))
    first = run(settings, hands)
    assert hands.did == [TODAY - timedelta(days=k) for k in range(30)]
    assert (first.state, first.summary["days_done"], first.summary["missing"]) == (RunState.DONE, 30, [])
    again = run(settings, hands, AT + timedelta(hours=1))
    assert (again.summary["days_owed"], len(hands.did)) == (0, 30)


def test_a_recording_that_arrives_late_makes_its_day_owed_again(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 5))
    run(settings, hands)
    hands.days[TODAY - timedelta(days=3)] = "one recording more"
    told = run(settings, hands, AT + timedelta(days=1))
    assert hands.did[5:] == [TODAY - timedelta(days=3)]
    assert told.summary["days_done"] == 1


def test_a_recording_that_arrives_during_a_run_is_found_by_it(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 2))

    def arrives(_: DayScan) -> None:
        hands.days[TODAY - timedelta(days=6)] = "late"

    hands.before = on_day(arrives)
    assert run(settings, hands).state is RunState.DONE
    assert TODAY - timedelta(days=6) in marked(settings)


def test_a_night_that_comes_to_its_deadline_keeps_what_it_has_and_the_next_goes_on(
    settings: Settings,
) -> None:
    hands, clock = Hands(days_before(TODAY, 6)), [AT]

    def goes_on(_: DayScan) -> None:
        clock[0] += timedelta(hours=5)

    hands.before = on_day(goes_on)
    first = run_night(Orders(settings, hands, lambda: clock[0]))
    assert clock[0].hour == 11, "the third day ended after half past seven, and no other was begun"
    assert (first.state, first.summary["ended_because"]) == (RunState.PARTIAL, "its deadline, 07:30, came")
    assert hands.did == [TODAY - timedelta(days=k) for k in range(3)]
    assert {one["why"] for one in first.summary["missing"]} == {"its deadline, 07:30, came"}
    assert len(first.summary["missing"]) == 3
    hands.before = lambda _: None
    second = run(settings, hands, AT + timedelta(days=1))
    assert (second.state, hands.did[3:]) == (RunState.DONE, [TODAY - timedelta(days=k) for k in (3, 4, 5)])


def test_with_too_little_room_a_run_begins_nothing_says_so_and_goes_on_when_there_is_some(
    settings: Settings,
) -> None:
    hands = Hands(days_before(TODAY, 3))
    full = replace(settings, nightly=replace(settings.nightly, min_free_bytes=10**18))
    told = run(full, hands)
    assert (told.state, hands.did) == (RunState.PARTIAL, [])
    for words in ("nearly full", "GB are free", "min_free_gb"):
        assert words in told.summary["ended_because"]
    assert told.summary["not_surveyed"] == 1
    assert run(settings, hands).state is RunState.DONE


def test_a_disk_that_fills_during_a_run_stops_it_cleanly_and_it_resumes(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 3))
    hands.before = on_day(
        lambda job: Failed(job, StorageFull()) if job.day == TODAY - timedelta(days=1) else None
    )
    told = run(settings, hands)
    assert (told.state, set(marked(settings))) == (RunState.PARTIAL, {TODAY})
    assert told.summary["ended_because"].startswith("the disk is full")
    hands.before = lambda _: None
    assert run(settings, hands).state is RunState.DONE
    assert set(marked(settings)) == set(hands.days)


def test_a_folder_that_vanishes_within_a_run_and_comes_back_is_done_by_it(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 3))

    def vanishes(job: DayScan) -> None:
        hands.folder_is_there = job.day != TODAY or job.day in hands.did

    hands.before = on_day(vanishes)
    told = run(settings, hands)
    assert (told.state, marked(settings)) == (RunState.DONE, hands.days)
    assert hands.did.count(TODAY) == 2, "what was seen of a folder that is gone does not count"


def test_a_folder_that_stays_away_leaves_its_days_owed_and_is_named(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 3))

    def vanishes(_: DayScan) -> None:
        hands.folder_is_there = False

    hands.before = on_day(vanishes)
    told = run(settings, hands)
    assert told.state is RunState.PARTIAL
    assert told.summary["camera_faults"] == {CAMERA: "no such folder"}
    assert len(told.summary["missing"]) == 3
    assert all(one["why"] == "no such folder" for one in told.summary["missing"])
    assert marked(settings) == {}
    hands.before, hands.folder_is_there = lambda _: None, True
    assert run(settings, hands, AT + timedelta(days=1)).state is RunState.DONE


def test_a_recording_that_cannot_be_read_is_tried_in_three_nights_and_then_given_up(
    settings: Settings,
) -> None:
    hands = Hands(days_before(TODAY, 1))
    file = settings.archive_root / "a.mp4"
    file.write_bytes(b"damaged")
    bad = Unseen("id", "a.mp4", "no picture can be decoded", is_there=True)
    hands.before = on_day(lambda job: Done(job, done(job, hands.days[job.day], unseen=(bad,))))
    for number in range(3):
        told = run(settings, hands, AT + timedelta(days=number))
        assert told.state is RunState.PARTIAL
        assert "a.mp4: no picture can be decoded" in told.summary["missing"][0]["why"]
        assert len(told.summary["quarantined"]) == (number == 2)
    with Database.open(settings.database_url) as database:
        assert list(Troubles(database).given_up(CAMERA).values()) == [
            "in quarantine: unreadable 3 times, last: no picture can be decoded"
        ]


def test_a_recording_that_ends_three_workers_is_given_up_and_costs_no_other(settings: Settings) -> None:
    hands, ended = Hands(days_before(TODAY, 3)), []
    file = settings.archive_root / "b.mp4"
    file.write_bytes(b"poison")

    def ends_worker(job: DayScan) -> Event | None:
        if job.day == TODAY and len(ended) < 3:
            ended.append(job)
            return Lost(job, How.CRASHED, "its process was ended by SIGKILL", file)
        return None

    hands.before = on_day(ends_worker)
    told = run(settings, hands)
    assert told.state is RunState.DONE
    assert told.summary["lost_workers"] == {"crashed": 3}
    assert "b.mp4: crashed 3 times" in told.summary["quarantined"][0]
    assert marked(settings) == hands.days


def test_a_worker_that_is_lost_without_a_recording_does_not_make_a_run_endless(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 2))
    hands.before = on_day(lambda job: Lost(job, How.CRASHED, "code 1", None) if job.day == TODAY else None)
    told = run(settings, hands)
    assert told.state is RunState.PARTIAL
    assert [one["why"] for one in told.summary["missing"]] == ["crashed: code 1"]
    assert told.summary["lost_workers"]["crashed"] == night.TRIES


def test_what_time_cures_is_waited_for_and_the_day_begun_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(night, "WAITS_S", (0.01,))
    hands, locked = Hands(days_before(TODAY, 2)), []

    def busy(job: DayScan) -> Event | None:
        locked.append(job)
        return Failed(job, DatabaseBusy("locked")) if len(locked) <= 8 else None

    hands.before = on_day(busy)
    assert run(settings, hands).state is RunState.DONE
    assert marked(settings) == hands.days


def test_without_weights_a_run_fails_says_why_and_the_next_does_all(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 2))

    def prepare() -> None:
        raise BadWeights("models/yolov8n.pt is missing")

    with pytest.raises(BadWeights):
        run(settings, hands, prepare=prepare)
    told = last_run(settings)
    assert (told.state, told.summary["ended_because"]) == (RunState.FAILED, "models/yolov8n.pt is missing")
    assert run(settings, hands).state is RunState.DONE


def test_a_configuration_changed_during_a_run_holds_from_the_next_one(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 2))
    fresh = load_settings(settings.folder)

    def changes(_: DayScan) -> None:
        rules = settings.folder / "rules.yaml"
        rules.write_text(
            rules.read_text(encoding="utf-8").replace("dwell_s: 60", "dwell_s: 90"), encoding="utf-8"
        )

    hands.before = on_day(changes)
    told = run(settings, hands)
    assert (told.summary["configuration_changed"], told.summary["settings_version"]) == (True, fresh.version)
    after = load_settings(settings.folder)
    assert after.version != fresh.version
    hands.before = lambda _: None
    again = run(replace(after, nightly=settings.nightly, database_url=settings.database_url), hands)
    assert (again.summary["configuration_changed"], again.summary["settings_version"]) == (
        False,
        after.version,
    )


def test_a_second_run_is_refused_while_one_lives(settings: Settings) -> None:
    hands, refused = Hands(days_before(TODAY, 1)), []

    def second(_: DayScan) -> None:
        with pytest.raises(LeaseTaken):
            run(settings, Hands(dict(hands.days)))
        refused.append(True)

    hands.before = on_day(second)
    assert run(settings, hands).state is RunState.DONE
    assert refused == [True]


def test_a_run_that_was_taken_over_writes_no_more_and_is_marked_as_dead(settings: Settings) -> None:
    hands = Hands(days_before(TODAY, 2))

    def taken_over(_: DayScan) -> None:
        with Database.open(settings.database_url) as database:
            leases = Leases(database)
            leases.give_back(Lease("nightly", 1, ""))  # as if it had not been renewed in time
            lease = leases.take("nightly", "another machine")
            Runs(database, leases).begin(lease, last_run(settings).period, AT, {})

    hands.before = on_day(taken_over)
    with pytest.raises(LeaseLost):
        run(settings, hands)
    assert marked(settings) == {}
    with Database.open(settings.database_url) as database:
        states = [one.state for one in Runs(database, Leases(database)).latest()]
    assert states == [RunState.RUNNING, RunState.DIED]


def test_a_run_whose_start_takes_longer_than_its_lease_is_not_taken_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the model is exported for the first time, or a cluster is started."""
    monkeypatch.setattr(Leases.__init__, "__defaults__", (2.0,))
    refused = []

    def prepare() -> None:
        time.sleep(4.0)
        with Database.open(settings.database_url) as database, pytest.raises(LeaseTaken):
            Leases(database).take("nightly", "another-machine boot 7 1")
        refused.append(1)

    assert run(settings, Hands(days_before(TODAY, 1)), prepare=prepare).state is RunState.DONE
    assert refused == [1]


def test_an_upgrade_loses_no_run_and_no_day_that_is_done(tmp_path: Path, empty_url: str) -> None:
    """The program was ended in mid-run, with the database of the first version that had nights."""
    made = one_camera(tmp_path / "county", empty_url)
    settings = replace(made, nightly=replace(made.nightly, min_free_bytes=0))
    hands = Hands(days_before(TODAY, 4))
    with Database.open(empty_url, revision="0003") as database:
        leases = Leases(database)
        lease = leases.take("nightly", "here old-boot 7 1")
        old = Runs(database, leases).begin(lease, night.horizon(settings, AT), AT, {"days_done": 1})
        CameraDays(database).mark(leases, lease, CAMERA, TODAY, hands.days[TODAY], old.id, AT)
        leases.give_back(lease)
    with pytest.raises(DatabaseUnusable, match="older"):
        Database.open(empty_url, migrate=False)
    told = run(settings, hands, AT + timedelta(hours=1))
    assert (told.state, hands.did) == (RunState.DONE, [TODAY - timedelta(days=k) for k in (1, 2, 3)])
    with Database.open(empty_url) as database:
        before = Runs(database, Leases(database)).get(old.id)
    assert (before.state, before.summary) == (RunState.DIED, {"days_done": 1})
    assert told.id > old.id
