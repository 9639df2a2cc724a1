"""Retention: by age, by room, never of open issues, never a recording, every removal logged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from kept_folder import NOW, county, evidence_in, fill, log_of, tree, with_retention
from sqlalchemy import update

from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.database import Database, schema
from detector.footage.catalogue import Catalogue
from detector.keeping.retention import retain
from detector.runs.removals import Removals

pytest_plugins = ["database_fixture"]


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    made = county(tmp_path / "county", database_url)
    with Database.open(database_url) as database:
        fill(made, database)
    recording = made.archive_root / "p001" / "a.mp4"
    recording.parent.mkdir()
    recording.write_bytes(b"recording")
    return made


def whats(removed: list) -> list[str]:
    return [one.what for one in removed]


def test_without_limits_nothing_is_removed(settings: Settings) -> None:
    with Database.open(settings.database_url) as database:
        assert retain(with_retention(settings), database, NOW) == []


def test_evidence_of_an_issue_that_is_opened_again_while_retention_works_stays(settings: Settings) -> None:
    with Database.open(settings.database_url) as database:

        def reopen_the_next(_: object) -> None:
            with database.begin() as connection:
                connection.execute(
                    update(schema.issues).where(schema.issues.c.id == 4).values(state="reopened")
                )

        removed = retain(with_retention(settings, evidence_days=10), database, NOW, tell=reopen_the_next)
        assert [r.what.rpartition("/")[2] for r in removed] == [f"{3:032x}"]
        assert Removals(database).all() == removed
    assert isinstance(settings.evidence_root, Path)
    assert f"{4:032x}" in {Path(name).parts[2] for name in tree(settings.evidence_root)}


def test_old_evidence_goes_when_its_issue_has_ended_and_stays_while_it_or_one_that_shares_it_is_open(
    settings: Settings,
) -> None:
    recordings = tree(settings.archive_root)
    with Database.open(settings.database_url) as database:
        limited = with_retention(settings, evidence_days=10)
        planned = retain(limited, database, NOW, dry_run=True)
        assert Removals(database).all() == []
        removed = retain(limited, database, NOW)
        assert removed == planned
        # 3 rejected and 4 withdrawn; 1 is open, 2 confirmed, and 5 shares the evidence of 1.
        assert [r.what.rpartition("/")[2] for r in removed] == [f"{n:032x}" for n in (3, 4)]
        assert Removals(database).all() == removed
        assert Removals(database).removed("evidence") == set(whats(removed))
        assert retain(limited, database, NOW) == []
    assert isinstance(settings.evidence_root, Path)
    left = {Path(name).parts[2] for name in tree(settings.evidence_root)}
    assert left == {f"{n:032x}" for n in (1, 2)}
    assert tree(settings.archive_root) == recordings


def test_over_its_room_the_oldest_evidence_goes_first_and_no_more_than_needed(settings: Settings) -> None:
    with Database.open(settings.database_url) as database:
        assert isinstance(settings.evidence_root, Path)
        total = sum(path.stat().st_size for path in settings.evidence_root.rglob("*") if path.is_file())
        removed = retain(with_retention(settings, evidence_bytes=total - 10), database, NOW)
        assert [r.what.rpartition("/")[2] for r in removed] == [f"{3:032x}"]
        assert retain(with_retention(settings, evidence_bytes=1), database, NOW)[0].what.endswith(f"{4:032x}")
        assert retain(with_retention(settings, evidence_bytes=1), database, NOW) == []


def test_old_observations_go_with_their_rows_but_none_that_a_night_still_answers_for(
    settings: Settings,
) -> None:
    camera = settings.points[0].cameras[0]
    with Database.open(settings.database_url) as database:
        catalogue = Catalogue(database)
        before = catalogue.observed_files()
        removed = retain(with_retention(settings, observations_days=1), database, NOW)
        assert len(removed) == 4  # recorded 31 days ago or longer; catch_up_days is 30
        assert catalogue.observed_files() == before - set(whats(removed))
        assert set(tree(settings.observations_root)) == catalogue.observed_files()
        assert retain(with_retention(settings, observations_bytes=1), database, NOW) == []
        assert camera.id in next(iter(catalogue.observed_files()))


def test_what_a_dead_run_left_and_no_row_names_goes_after_two_days(settings: Settings) -> None:
    folder = settings.observations_root / "camera=p001" / "date=2020-01-01"
    folder.mkdir(parents=True)
    left = folder / ".080000-x.parquet.99"
    left.write_bytes(b"half")
    with Database.open(settings.database_url) as database:
        age = timedelta(days=400)  # of the file system's clock, which is the real one
        removed = retain(with_retention(settings), database, NOW + age)
    assert whats(removed) == ["camera=p001/date=2020-01-01/.080000-x.parquet.99"]
    assert not folder.exists()


def test_what_was_gathered_of_observations_goes_when_they_do(settings: Settings) -> None:
    kept = settings.observations_root / "findings" / "camera=p001" / "20260108T0000-0123456789.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    age = timedelta(days=400)  # of the file system's clock, which is the real one
    with Database.open(settings.database_url) as database:
        assert kept.name not in str(whats(retain(with_retention(settings), database, NOW + age)))
        removed = retain(with_retention(settings, observations_days=60), database, NOW + age)
    assert f"findings/camera=p001/{kept.name}" in whats(removed)
    assert not kept.exists()


def test_old_logs_go(settings: Settings) -> None:
    old, new = log_of(settings, 100), log_of(settings, 10)
    with Database.open(settings.database_url) as database:
        assert whats(retain(with_retention(settings, logs_days=90), database, NOW)) == [old.name]
    assert (old.exists(), new.exists()) == (False, True)


def test_over_their_room_the_oldest_logs_go(settings: Settings) -> None:
    old, new = log_of(settings, 20), log_of(settings, 10)
    room = new.stat().st_size
    with Database.open(settings.database_url) as database:
        assert whats(retain(with_retention(settings, logs_bytes=room), database, NOW)) == [old.name]
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("place", ["recordings/evidence", "."])
def test_folders_that_lie_among_the_recordings_are_refused(settings: Settings, place: str) -> None:
    mixed = replace(settings, evidence_root=settings.folder / place)
    evidence_in(settings.folder / place, 9)
    before = tree(settings.archive_root)
    with (
        Database.open(settings.database_url) as database,
        pytest.raises(BadInput, match="lie in one another"),
    ):
        retain(with_retention(mixed, evidence_days=1), database, NOW)
    assert tree(settings.archive_root) == before
