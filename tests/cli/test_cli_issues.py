"""The queue from the command line."""

from __future__ import annotations

from pathlib import Path

from made_archive import Done, Made, kerbwatch

pytest_plugins = ["archive_fixture"]


def issues(made: Made, *words: object) -> Done:
    return kerbwatch("issues", *words, "-C", made.folder)


def numbers(done: Done) -> list[int]:
    return [issue["id"] for issue in done.json]


def test_the_list_is_filtered_by_state_violation_point_and_day(scanned: Made) -> None:
    everything = issues(scanned, "list", "--json")
    (parked,) = [i["id"] for i in everything.json if i["violation"] == "illegal_parking"]
    (on_footway,) = [i["id"] for i in everything.json if i["violation"] == "sidewalk_parking"]
    for words, expected in (
        (("--violation", "illegal_parking"), [parked]),
        (("--point", "p025"), [on_footway]),
        (("--day", "2026-01-08"), [parked]),
        (("--state", "flagged", "--state", "confirmed"), [on_footway, parked]),
        (("--state", "rejected"), []),
        (("--limit", 1), [on_footway]),
    ):
        assert numbers(issues(scanned, "list", *words, "--json")) == expected, words
    assert "2 of 2 issues" in issues(scanned, "list").out


def test_one_issue_is_shown_with_its_explanation_its_evidence_and_its_history(scanned: Made) -> None:
    shown = issues(scanned, "show", 1, "--json").json
    assert "limit 1 min" in shown["explanation"]
    assert [row["move"] for row in shown["history"]] == ["filed"]
    names = {row["name"] for row in shown["evidence"]}
    assert {"manifest.json", "clip.mp4", "still_1_scene.jpg", "still_1_closeup.jpg"} <= names
    for row in shown["evidence"]:
        assert (Path(shown["evidence_root"]) / row["folder"] / row["name"]).stat().st_size == row[
            "size_bytes"
        ]
    text = issues(scanned, "show", 1).out
    assert "机动车违停" in text
    assert "停留" in text


def test_an_issue_goes_its_way_and_every_move_leaves_a_row(scanned: Made) -> None:
    assert issues(scanned, "claim", 1, "--as", "li").code == 0
    taken = issues(scanned, "confirm", 1, "--as", "wang")
    assert (taken.code, "li" in taken.err) == (2, True)
    assert issues(scanned, "confirm", 1, "--as", "li", "--note", "seen on site").code == 0
    refused = issues(scanned, "reject", 2, "--reason", "no reason", "--as", "li")
    assert refused.code == 2
    assert issues(scanned, "reject", 2, "--reason", "permitted_activity", "--as", "li").code == 0
    again = issues(scanned, "reject", 2, "--reason", "permitted_activity", "--as", "li")
    assert again.code == 2
    rows = issues(scanned, "show", 1, "--json").json["history"]
    assert [(row["who"], row["move"], row["to_state"], row["note"]) for row in rows] == [
        ("kerbwatch", "filed", "flagged", None),
        ("li", "confirm", "confirmed", "seen on site"),
    ]
    assert issues(scanned, "show", 2, "--json").json["state"] == "rejected"
    assert issues(scanned, "verify").code == 0


def test_what_was_decided_stays_decided_when_the_same_days_are_scanned_again(scanned: Made) -> None:
    issues(scanned, "reject", 1, "--reason", "permitted_activity", "--as", "li")
    before = issues(scanned, "list", "--json").out
    again = kerbwatch(
        "scan", "-C", scanned.folder, "--until", "2026-01-09", "--days", 2, "--workers", 1, "--json"
    )
    assert again.code == 3
    assert [camera["filed"] for camera in again.json["cameras"]] == [[], [], []]
    assert issues(scanned, "list", "--json").out == before


def test_changed_and_missing_evidence_is_told_by_verify(scanned: Made) -> None:
    shown = issues(scanned, "show", 1, "--json").json
    folder = Path(shown["evidence_root"]) / shown["evidence_folder"]
    still = folder / "still_1_scene.jpg"
    still.write_bytes(still.read_bytes()[:-1] + b"x")
    (folder / "clip.mp4").unlink()
    done = issues(scanned, "verify")
    assert done.code == 1
    assert "still_1_scene.jpg" in done.out
    assert "clip.mp4: missing" in done.out
