"""`init`, `points`, `coverage`, `scan --plan-only`, `judge` and the command's own face."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main
from made_archive import LENGTH_S, PERIOD, RULES, Made, command, kerbwatch

from detector import __version__
from detector.cli.main import app
from detector.pipeline.flow import ON_THE_WAY

pytest_plugins = ["archive_fixture"]


def test_init_writes_a_folder_that_is_ready_and_refuses_to_do_it_twice(tmp_path: Path) -> None:
    assert kerbwatch("init", tmp_path / "county").code == 0
    assert len(kerbwatch("points", "-C", tmp_path / "county", "--json").json) == 39
    (year,) = kerbwatch("calendar", "-C", tmp_path / "county", "--json").json
    assert (year["year"], len(year["holidays"]), len(year["working_days"]), year["worked"]) == (
        2026,
        7,
        6,
        248,
    )
    assert "春节" in kerbwatch("calendar", "-C", tmp_path / "county", "--year", 2026).out
    assert kerbwatch("calendar", "-C", tmp_path / "county", "--year", 2031).code == 2
    assert kerbwatch("coverage", "-C", tmp_path / "county").code == 0
    again = kerbwatch("init", tmp_path / "county")
    assert again.code == 2
    assert "not an empty folder" in again.err


def commands() -> list[str]:
    """Every command's name, those of a group with the group's before."""
    groups: Any = typer.main.get_command(app)
    return [
        f"{name} {inner}".strip()
        for name, one in sorted(groups.commands.items())
        for inner in sorted(getattr(one, "commands", [""]))
    ]


@pytest.mark.parametrize("name", commands())
def test_the_help_of_every_command_shows_an_example(name: str) -> None:
    done = kerbwatch(*name.split(), "--help")
    assert done.code == 0
    assert f"Example: kerbwatch {name}" in " ".join(done.out.split())


def test_the_version_is_told() -> None:
    assert kerbwatch("--version").out == f"kerbwatch {__version__}\n"


def test_a_reader_that_closes_the_pipe_early_is_no_error(composed: Made) -> None:
    import subprocess

    words = [*command(), "points", "--json", "-C", str(composed.folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr  # noqa: PT018
        process.stdout.close()
        told = [line for line in process.stderr.read().decode().splitlines() if "calendar" not in line]
        assert told == []


def test_coverage_tells_the_gaps_with_their_reasons_and_what_was_observed(
    composed: Made, scanned: Made
) -> None:
    for made, observed in ((composed.copy(scanned.folder.with_name("unscanned")), False), (scanned, True)):
        done = kerbwatch("coverage", "-C", made.folder, *PERIOD, "--json")
        assert done.code == 0
        road, street, crossing = done.json
        assert [one["complete"] for one in (road, street, crossing)] == [True, False, True]
        assert [day["readable_s"] for day in road["days"]] == pytest.approx([LENGTH_S] * 2)
        assert [day["observed_s"] for day in road["days"]] == pytest.approx([LENGTH_S * observed] * 2)
        assert {gap["reason"] for day in street["days"] for gap in day["gaps"]} == {
            "no_recording",
            "empty",
            *([] if observed else ["not_observed"]),
        }
        (empty,) = [gap for gap in street["days"][0]["gaps"] if gap["reason"] == "empty"]
        assert empty["duration_s"] == pytest.approx(LENGTH_S)
        assert "0 bytes" in empty["detail"]


def test_a_point_with_less_days_than_asked_is_marked(scanned: Made) -> None:
    done = kerbwatch("coverage", "-C", scanned.folder, "--until", "2026-01-09", "--days", 30)
    assert "2 of 30 !" in done.out
    assert "3 cameras; 3 of them marked '!'" in done.out


def test_a_view_that_cannot_be_judged_is_never_told_as_observed(scanned: Made) -> None:
    whole = kerbwatch("coverage", "-C", scanned.folder, *PERIOD, "--json").json
    for one in whole:
        for day in one["days"]:
            told_s = day["observed_s"] + sum(
                gap["duration_s"] for gap in day["gaps"] if gap["reason"] in ("unusable_view", "not_observed")
            )
            assert told_s == pytest.approx(day["readable_s"])


def test_the_plan_says_how_many_samples_and_why_and_changes_nothing(unscanned: Made) -> None:
    done = kerbwatch("scan", "-C", unscanned.folder, *PERIOD, "--plan-only", "--json")
    assert done.code == 0
    road, street, crossing = done.json
    # A third of 60 s, less a tenth for keyframes, is 18 s: two recordings of 190 s.
    assert (road["samples"], street["samples"], crossing["samples"]) == (21, 11, 21)
    assert road["why"] == "illegal_parking in zone kerb, limit 1 min: every 18 s"
    assert not (unscanned.folder / "evidence").exists()
    assert kerbwatch("issues", "list", "-C", unscanned.folder, "--json").json == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.soak), 2])
def test_a_profile_tells_every_stage_of_the_scan_and_all_its_time(unscanned: Made, workers: int) -> None:
    file = unscanned.folder / "told" / "profile.json"
    done = kerbwatch(
        "scan", "-C", unscanned.folder, *PERIOD, "--workers", workers, "--profile", file, "--json"
    )
    told = json.loads(file.read_text("utf-8"))
    samples = {camera["camera"]: camera["samples"] for camera in done.json["cameras"]}
    assert {name: one["samples"] for name, one in told["cameras"].items()} == samples
    stages = {one["stage"]: one for one in told["stages"]}
    assert {"decode", "view", "infer", "judge", "prove", "decode closer", "evidence", "store"} <= set(stages)
    assert told["samples"] == sum(samples.values())
    # Pictures between two that show one scene are neither decoded nor measured.
    assert 0.5 * told["samples"] < stages["decode"]["count"] == stages["view"]["count"] <= told["samples"]
    assert stages["evidence"]["count"] == sum(one["filed"] for one in told["cameras"].values())
    assert sum(one["cpu_s"] for one in told["stages"]) == pytest.approx(told["cpu_s"], rel=0.05)
    assert all(one["cpu_s"] > 0 for one in told["stages"] if one["stage"] != ON_THE_WAY)
    assert stages[ON_THE_WAY]["count"] > 0


def judge(made: Made, rules: str | None = None) -> dict[str, list[object]]:
    words: list[object] = ["judge", "-C", made.folder, *PERIOD, "--json"]
    if rules is not None:
        other = made.folder.with_name("other-rules.yaml")
        other.write_text(rules)
        words += ["--rules", other]
    done = kerbwatch(*words)
    assert done.code == 0, done.err
    return {
        name: [x for camera in done.json for x in camera[name]] for name in ("kept", "appeared", "vanished")
    }


def test_judging_again_by_the_same_rules_changes_nothing_and_needs_no_recording(scanned: Made) -> None:
    shutil.rmtree(scanned.settings.archive_root)
    found = judge(scanned)
    assert (sorted(found["kept"]), found["appeared"], found["vanished"]) == ([1, 2], [], [])


def test_a_raised_limit_makes_the_shorter_stays_vanish_and_says_how_long_they_stood(scanned: Made) -> None:
    shutil.rmtree(scanned.settings.archive_root)
    found = judge(scanned, RULES.replace("dwell_s: 60", "dwell_s: 140"))
    assert len(found["kept"]) == 1  # 145 s
    (gone,) = found["vanished"]
    assert re.fullmatch(r"stood 13[3-7] s, within 140 s", gone["reason"])
    assert found["appeared"] == []


def test_a_lowered_limit_makes_what_was_too_short_appear(scanned: Made) -> None:
    shutil.rmtree(scanned.settings.archive_root)
    found = judge(scanned, RULES.replace("dwell_s: 60", "dwell_s: 30"))
    assert (sorted(found["kept"]), found["vanished"]) == ([1, 2], [])
    # Of the trap: each of the three cars stood 50 s.
    assert {"illegal_parking"} == {suspicion["violation"] for suspicion in found["appeared"]}


def test_a_rule_taken_away_and_a_zone_taken_away_make_their_issues_vanish(scanned: Made) -> None:
    shutil.rmtree(scanned.settings.archive_root)
    without_rule = judge(scanned, "\n".join(RULES.splitlines()[:1]) + "\n")
    assert [gone["reason"] for gone in without_rule["vanished"]] == ["no rule speaks of it any more"]
    path = scanned.folder / "points" / "p001.yaml"
    path.write_text(path.read_text().replace("kind: no_parking", "kind: no_vending"))
    without_zone = judge(scanned)
    assert [gone["reason"] for gone in without_zone["vanished"]] == ["no rule speaks of it any more"]
    assert len(without_zone["kept"]) == 1
