"""A month of made issues through the whole loop by the command line alone, each step by whoever may take it."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made_archive import Done, kerbwatch, write_folder
from made_issues import evidence_of, incident
from receiver import KEY, receiving

from detector.config.settings import load_settings
from detector.core.times import Interval, local_day
from detector.core.values import Violation
from detector.database import Database
from detector.issues import IssueQueue

POINTS = ("p001", "p015", "p025", "p036")
DAYS = 30
LAST = date(2026, 1, 30)
JPEG = b"\xff\xd8\xff\xe0 made for the test"
ZONES = {
    Violation.ILLEGAL_PARKING: "kerb",
    Violation.SIDEWALK_PARKING: "footway",
    Violation.LITTER: "clean",
    Violation.STREET_VENDING: "stalls",
}
STAFF = (
    ("boss", "admin", None),
    ("li", "reviewer", None),
    ("wang", "dispatcher", None),
    ("zhou", "department", "traffic_police"),
    ("zhao", "department", "urban_management"),
    ("qian", "department", "housing_construction"),
)
OF_DEPARTMENT = {department: login for login, _, department in STAFF if department}


class Office:
    """The command, over one working folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch

    def __call__(self, login: str, *words: object) -> Done:
        done = kerbwatch(*words, "-C", self.folder, "--as", login)
        assert done.code == 0, (words, done.err)
        return done

    def refused(self, login: str, *words: object) -> str:
        done = kerbwatch(*words, "-C", self.folder, "--as", login)
        assert done.code == 2, (words, done.out)
        return done.err

    def listed(self, login: str, *words: object) -> list[dict[str, Any]]:
        found = self(login, "issues", "list", "--limit", 1000, *words, "--json").json
        assert isinstance(found, list)
        return found


def file_a_month(folder: Path, chance: random.Random) -> int:
    """Three or four proven incidents a day, as the nights file them."""
    settings = load_settings(folder)
    filed = 0
    with Database.open(settings.database_url) as database:
        queue = IssueQueue(database)
        for day in range(DAYS):
            begins = local_day(LAST - timedelta(days=DAYS - 1 - day), settings.timezone).start
            for _ in range(chance.choice((3, 4))):
                violation, point = chance.choice(list(ZONES)), chance.choice(POINTS)
                start = begins + timedelta(minutes=chance.randrange(7 * 60, 19 * 60))
                of = made(violation, point, start, chance)
                outcome = queue.file(
                    of, evidence_of(of), explanation="stood", explanation_zh="停留", model_id="yolov8n",
                    rules_version="1", verdict_key=of.fingerprint, start_uncertainty_s=2.0, end_uncertainty_s=2.0,
                )  # fmt: skip
                filed += outcome.outcome == "new"
    return filed


def made(violation: Violation, point: str, start: datetime, chance: random.Random) -> Any:
    from dataclasses import replace

    length = timedelta(minutes=chance.randrange(5, 40))
    one = incident(camera_id=point, zone_id=ZONES[violation], violation=violation)
    return replace(one, interval=Interval(start, start + length))


def hire(office: Office) -> None:
    for login, role, department in STAFF:
        more = ("--department", department) if department else ()
        kerbwatch_as = "boss" if login != "boss" else "root"
        office(kerbwatch_as, "users", "add", login, "--role", role, "--name", login, "--no-password", *more)


def answers(folder: Path, login: str, numbers: list[int]) -> Path:
    path = folder / f"{login}.csv"
    with path.open("w", encoding="gb18030", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["问题编号", "整改情况", "整改照片"])
        rows.writerows([[number, f"已整改（{login}）", "after.jpg"] for number in numbers])
    return path


def by_department(issues: list[dict[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for issue in issues:
        found.setdefault(issue["department"], []).append(issue["id"])
    return found


@pytest.mark.slow
def test_a_month_goes_through_the_whole_loop_by_the_command_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_KEY", KEY)
    chance = random.Random(30)
    folder = tmp_path / "county"
    rules = "".join(f"{v}: {{dwell_s: 180, zones: [no_parking]}}\n" for v in ZONES) + "camera_fault: {}\n"
    write_folder(folder, POINTS, rules)
    (folder / "after.jpg").write_bytes(JPEG)
    filed = file_a_month(folder, chance)
    assert filed >= 3 * DAYS - 5
    office = Office(folder, monkeypatch)
    hire(office)
    with receiving() as receiver:
        (folder / "webhooks.yaml").write_text(
            f"endpoints:\n  - {{name: platform, url: '{receiver.url}', secret_env: PLATFORM_KEY}}\n"
        )
        review(office, chance)
        dispatch_all(office)
        answer_all(office, folder)
        accept_all(office, chance)
        assert kerbwatch("webhooks", "deliver", "-C", folder).code == 0
        (told,) = kerbwatch("webhooks", "status", "-C", folder, "--json").json
        assert (told["waiting"], told["poison"]) == (0, 0)
    rows = history(office)
    assert sum(len(one) for one in rows.values()) == len(receiver.ids) == len(set(receiver.ids))
    assert kerbwatch("issues", "verify", "-C", folder).out.splitlines()[-1].startswith(f"{filed} issues")
    check_ends(office, filed, rows)
    papers(office, tmp_path / "papers")


def review(office: Office, chance: random.Random) -> None:
    assert "may not review" in office.refused("zhou", "issues", "confirm", 1)
    for issue in office.listed("li"):
        if chance.random() < 0.2:
            office("li", "issues", "reject", issue["id"], "--reason", "permitted_activity")
        else:
            office("li", "issues", "confirm", issue["id"])


def dispatch_all(office: Office) -> None:
    assert "may not dispatch" in office.refused("li", "issues", "dispatch", "--all")
    suspects = office.listed("wang", "--state", "confirmed")
    assert (
        kerbwatch("issues", "dispatch", "--all", "--dry-run", "-C", office.folder, "--as", "wang").code == 0
    )
    office("wang", "issues", "dispatch", "--all", "--although", "each was looked at")
    out = office.listed("wang", "--state", "dispatched")
    assert len(out) == len(suspects)
    orders = office("wang", "issues", "orders", "--json").json
    assert sorted(number for order in orders for number in order["issues"]) == sorted(i["id"] for i in out)
    assert all(issue["grid"] and issue["due_at"] for issue in out)


def answer_all(office: Office, folder: Path) -> None:
    for department, numbers in by_department(office.listed("wang", "--state", "dispatched")).items():
        login = OF_DEPARTMENT[department]
        seen = {issue["id"] for issue in office.listed(login)}
        assert set(numbers) <= seen
        table = answers(folder, login, numbers)
        others = next(one for name, one in OF_DEPARTMENT.items() if name != department)
        office.refused(others, "issues", "answers", table)
        assert office(login, "issues", "answers", table, "--json").json == {
            "rectified": sorted(numbers, key=numbers.index),
            "known": [],
        }
        assert office(login, "issues", "answers", table, "--json").json["known"] == numbers


def accept_all(office: Office, chance: random.Random) -> None:
    waiting = [issue["id"] for issue in office.listed("wang", "--state", "rectified")]
    back = sorted(chance.sample(waiting, len(waiting) // 10))
    for number in back:
        office("wang", "issues", "reopen", number, "--reason", "还在")
    office("wang", "issues", "close", *[number for number in waiting if number not in back])
    office("wang", "issues", "remind")
    for issue in office.listed("wang", "--state", "reopened"):
        photo = ("--photo", office.folder / "after.jpg")
        office(
            OF_DEPARTMENT[issue["department"]], "issues", "rectify", issue["id"], "--note", "再次整改", *photo
        )
    office("wang", "issues", "close", *back)


def history(office: Office) -> dict[int, list[str]]:
    found = {}
    for issue in office.listed("boss"):
        shown = office("boss", "issues", "show", issue["id"], "--json").json
        found[issue["id"]] = [row["move"] for row in shown["history"]]
    return found


def check_ends(office: Office, filed: int, rows: dict[int, list[str]]) -> None:
    ends = Counter(issue["state"] for issue in office.listed("boss"))
    assert set(ends) == {"closed", "rejected"}
    assert ends.total() == filed
    once = ["filed", "confirm", "dispatch", "rectify", "close"]
    twice = [*once[:-1], "reopen", "rectify", "close"]
    kinds = Counter(tuple(moves) for moves in rows.values())
    assert set(kinds) == {tuple(once), tuple(twice), ("filed", "reject")}
    assert kinds["filed", "reject"] == ends["rejected"]


def papers(office: Office, out: Path) -> None:
    """Every paper is written; what they look like is tested with the papers."""
    out.mkdir()
    period = ("--until", LAST.isoformat(), "--days", DAYS)
    wanted: list[tuple[str, Callable[[], Done]]] = [
        (
            name,
            lambda name=name: office(
                "wang", "report", "ledger", *period, "--no-pictures", "--out", out / name
            ),
        )
        for name in ("ledger.xlsx", "ledger.csv", "ledger.json")
    ]
    for name, write in wanted:
        write()
        assert (out / name).stat().st_size > 1000, name
    order = office("wang", "issues", "orders", "--json").json[0]["number"]
    office("wang", "report", "letter", "--order", order, "--no-pictures", "--out", out / "letters")
    assert list((out / "letters").glob("*.docx"))
    for name in ("brief.docx", "brief.html"):
        office(
            "wang",
            "report",
            "brief",
            "--day",
            LAST.isoformat(),
            "--no-coverage",
            "--no-pictures",
            "--out",
            out / name,
        )
        assert (out / name).stat().st_size > 1000
    assert (
        "may not export"
        in kerbwatch(
            "report", "ledger", "-C", office.folder, "--as", "li", "--full", "--out", out / "x.csv"
        ).err
    )
