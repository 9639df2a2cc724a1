"""`nightly --once`: what is owed is done, and nothing twice."""

from __future__ import annotations

import json
import os
from datetime import datetime

import pytest
from made_archive import LENGTH_S, PERIOD, Made, Scanned, kerbwatch, place_of

pytest_plugins = ["archive_fixture"]
AS_OF = ("--once", "--as-of", "2026-01-10T03:00", "--workers", 2)


def fingerprints(made: Made) -> set[tuple[object, ...]]:
    found = kerbwatch("issues", "list", "-C", made.folder, "--json").json
    return {(i["fingerprint"], i["start"], i["end"], i["version"]) for i in found}


@pytest.mark.slow
def test_a_night_does_what_a_scan_by_hand_does_and_a_second_night_nothing(
    unscanned: Made, scanned_once: Scanned
) -> None:
    with (unscanned.folder / "kerbwatch.yaml").open("a") as site:
        site.write("\nnightly: {min_free_gb: 0}\n")  # whatever the disk of the machine that tests
    first = kerbwatch("nightly", "-C", unscanned.folder, *AS_OF, "--json")
    assert first.code == 0, first.err
    told = first.json["summary"]
    assert (first.json["state"], told["days_done"], told["days_owed"]) == ("done", 5, 5)
    assert told["ended_because"] == "all that could be read is done"
    assert any("0 bytes" in why for why in told["unusable"].values())
    assert fingerprints(unscanned) == fingerprints(scanned_once.made)
    assert kerbwatch("issues", "verify", "-C", unscanned.folder).code == 0

    second = kerbwatch("nightly", "-C", unscanned.folder, *AS_OF, "--json")
    assert second.code == 0, second.err
    assert (second.json["summary"]["days_owed"], second.json["summary"]["samples"]) == (0, 0)

    late = place_of(unscanned.settings, unscanned.settings.points[0].cameras[0], noon(unscanned), LENGTH_S)
    source = next((unscanned.settings.archive_root / "p001").rglob("*_20260109*"))
    os.link(source, late)
    third = kerbwatch("nightly", "-C", unscanned.folder, *AS_OF, "--json").json["summary"]
    assert (third["days_owed"], third["days_done"], third["reused"]) == (1, 1, 1)
    assert third["samples"] > 5

    runs = kerbwatch("runs", "-C", unscanned.folder, "--json").json
    assert [run["state"] for run in runs] == ["done"] * 3
    assert kerbwatch("runs", "-C", unscanned.folder).out.count("done") >= 3
    assert kerbwatch("quarantine", "-C", unscanned.folder, "--json").json == []
    logged = next((unscanned.folder / "state/logs").iterdir()).read_text()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {"run began", "pass", "day", "run ended"} <= {line["event"] for line in lines}
    assert all(line["at"] and line["level"] for line in lines)
    coverage = kerbwatch("coverage", "-C", unscanned.folder, *PERIOD, "--json").json
    assert not any(
        gap["reason"] == "not_observed" for one in coverage for day in one["days"] for gap in day["gaps"]
    )


def noon(made: Made) -> datetime:
    return datetime(2026, 1, 9, 12, 0, tzinfo=made.settings.timezone)
