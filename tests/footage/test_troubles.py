"""The quarantine: what broke workers too often is not opened any more, until the file changes or a person lets it out."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from detector.core.values import Camera, MediaInfo, RecordingState
from detector.database import Database
from detector.footage.archive import find_recordings
from detector.footage.troubles import TroubleKind, Troubles

pytest_plugins = ["database_fixture"]
NOW = datetime(2026, 1, 10, tzinfo=UTC)


def add(troubles: Troubles, kind: TroubleKind, run_id: int, recording_id: str = "r1") -> bool:
    return troubles.add(
        recording_id, "c1", "c1/a.mp4", kind, run_id=run_id, reason="ended", at=NOW, limit=3
    ).given_up


def test_a_recording_is_given_up_at_the_limit_of_its_kind(database: Database) -> None:
    troubles = Troubles(database)
    assert [add(troubles, TroubleKind.CRASHED, 1) for _ in range(3)] == [False, False, True]
    assert not add(troubles, TroubleKind.STALLED, 1)
    assert troubles.given_up("c1") == {"r1": "in quarantine: crashed 3 times, last: ended"}
    assert troubles.given_up("c2") == {}


def test_what_cannot_be_read_counts_once_a_run(database: Database) -> None:
    troubles = Troubles(database)
    told = [add(troubles, TroubleKind.UNREADABLE, run) for run in (1, 1, 1, 2, 2, 3)]
    assert told == [False, False, False, False, False, True]


def test_a_person_lets_all_out_and_they_begin_anew(database: Database) -> None:
    troubles = Troubles(database)
    for _ in range(3):
        add(troubles, TroubleKind.CRASHED, 1)
    assert troubles.release() == 1
    assert troubles.given_up("c1") == {}
    assert not add(troubles, TroubleKind.CRASHED, 2)
    assert [(t.kind, t.times) for t in troubles.all()] == [(TroubleKind.CRASHED, 1)]


def test_a_given_up_recording_is_not_opened_until_its_file_changes(tmp_path: Path) -> None:
    camera = Camera("c1", (), ZoneInfo("Asia/Shanghai"), (640, 360), folder="c1")
    file = tmp_path / "c1" / "2026-01-08T08:00:00.mp4"
    file.parent.mkdir()
    file.write_bytes(b"x" * 100)
    os.utime(file, (1_767_900_000, 1_767_900_000))
    opened: list[Path] = []

    def probe(path: Path) -> MediaInfo:
        opened.append(path)
        return MediaInfo("h264", (640, 360), 0.0, 60.0)

    def found(known, given_up):
        archive = find_recordings(camera, tmp_path, probe=probe, known=known, now=NOW, given_up=given_up)
        return archive.recordings[0]

    first = found({}, {})
    given_up = {first.id: "in quarantine: crashed 3 times"}
    for known in ({}, {first.path: first}):
        again = found(known, given_up)
        assert (again.state, again.reason) == (RecordingState.UNREADABLE, given_up[first.id])
    assert len(opened) == 1
    file.write_bytes(b"y" * 101)
    assert found({}, given_up).usable
