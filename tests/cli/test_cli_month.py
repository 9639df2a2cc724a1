"""A month of made issues through the whole loop by the command line alone, each step by whoever may take it.

The nights file, which is another room's; the clock on the wall is the test's, for a month must go by. All else is done
as an office does it: `kerbwatch ... --as LOGIN`.
"""

from __future__ import annotations

import csv
import os
import random
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

import pytest
from made_archive import LENGTH_S, Done, Job, kerbwatch, make, parked, place_of, scene_of, write_folder
from made_county import _evidence, _linked
from made_issues import CAR, incident
from receiver import KEY, Receiver, receiving

from detector.config.settings import Settings
from detector.core import times
from detector.core.geometry import Box
from detector.core.times import Interval, local_day
from detector.core.values import Incident, Violation, ZoneKind
from detector.database import Database
from detector.demo.scene import truth
from detector.issues import IssueQueue

pytest_plugins = ["archive_fixture"]

SHANGHAI = ZoneInfo("Asia/Shanghai")
POINTS = ("p001", "p015", "p025", "p036")
WEEKS = 4 if os.environ.get("KERBWATCH_SOAK") == "1" else 2
MONDAYS = tuple(datetime(2026, 1, 12, 9, tzinfo=SHANGHAI) + timedelta(weeks=week) for week in range(WEEKS))
"""The mornings on which the office works off what the days before brought; in the soak four times, a month in all."""
DAYS = 7
ZONES = {
    Violation.ILLEGAL_PARKING: "kerb",
    Violation.SIDEWALK_PARKING: "footway",
    Violation.LITTER: "clean",
    Violation.STREET_VENDING: "stalls",
}
RULES = "".join(f"{v}: {{dwell_s: 60, zones: [no_parking]}}\n" for v in ZONES) + "camera_fault: {}\n"
STAFF = (
    ("boss", "admin", None),
    ("li", "reviewer", None),
    ("wang", "dispatcher", None),
    ("zhou", "department", "traffic_police"),
    ("zhao", "department", "urban_management"),
    ("qian", "department", "housing_construction"),
)
OF_DEPARTMENT = {department: login for login, _, department in STAFF if department}
JPEG = b"\xff\xd8\xff\xe0 made for the test"


class Wall(datetime):
    """The clock on the wall."""

    at: ClassVar[datetime] = MONDAYS[0]

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:  # type: ignore[override]
        return cls.fromtimestamp(cls.at.timestamp(), tz or UTC)


class Office:
    """The command, over one working folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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

    def numbers(self, login: str, state: str) -> list[int]:
        return [issue["id"] for issue in self.listed(login, "--state", state)]


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Wall]]:
    monkeypatch.setattr(times, "datetime", Wall)
    yield Wall
    Wall.at = MONDAYS[0]


@pytest.mark.slow
def test_a_month_goes_through_the_whole_loop_by_the_command_line_alone(
    tmp_path: Path, wall: type[Wall], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_KEY", KEY)
    chance, folder = random.Random(30), tmp_path / "county"
    settings = write_folder(folder, POINTS, RULES)
    change(folder / "deadlines.yaml", "look_min: 60", "look_min: 1")
    (folder / "after.jpg").write_bytes(JPEG)
    office = Office(folder)
    hire(office)
    place = record_the_day_after(settings)
    with receiving() as receiver:
        (folder / "webhooks.yaml").write_text(
            f"endpoints:\n  - {{name: platform, url: '{receiver.url}', secret_env: PLATFORM_KEY}}\n"
        )
        told: Counter[str] = Counter()
        filed = 0
        for week, monday in enumerate(MONDAYS):
            wall.at = monday
            filed += file_a_week(settings, monday, chance, place if week == WEEKS - 1 else None)
            review(office, chance)
            dispatch(office)
            told += answer(office, wall)
            if week < WEEKS - 1:
                decide(office, chance)
        looked = look_again(office, wall)
        decide(office, chance)
        assert {"overdue", "escalate 1 h", "escalate 8 h"} < set(told)
        assert {kind for kind in told if kind.startswith("before")}
        check_events(office, receiver)
    assert looked["stands"] == 1
    assert looked["gone"] >= 1
    assert filed >= 3 * DAYS * WEEKS
    assert kerbwatch("issues", "verify", "-C", folder).code == 0
    check_ends(office)
    papers(office, tmp_path / "papers")
    check_log(office)
    check_tampering(office)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def hire(office: Office) -> None:
    for login, role, department in STAFF:
        more = ("--department", department) if department else ()
        by = "boss" if login != "boss" else "root"
        office(by, "users", "add", login, "--role", role, "--name", login, "--no-password", *more)


# The nights


def record_the_day_after(settings: Settings) -> Box:
    """One recording from after the last answers: a car stands at the kerb of p001; returns where, in [0, 1]."""
    (camera,) = settings.point("p001").cameras
    start = MONDAYS[-1] + timedelta(days=1)
    scene = scene_of(camera, start, parked(camera, ZoneKind.NO_PARKING, 20, 165), seed=9)
    path = place_of(settings, camera, start, LENGTH_S)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(Job(scene, path))
    (event,) = truth(scene)
    width, height = scene.resolution_wh
    x1, y1, x2, y2 = event.box
    return x1 / width, y1 / height, x2 / width, y2 / height


def file_a_week(settings: Settings, monday: datetime, chance: random.Random, place: Box | None) -> int:
    """Three or four proven incidents a day, each with evidence; where a place is given, one stood there on p001."""
    filed = 0
    model = _evidence(settings, settings.points[0], MONDAYS[0])
    with Database.open(settings.database_url) as database:
        queue = IssueQueue(database)
        for day in range(DAYS):
            begins = local_day(monday.date() - timedelta(days=DAYS - day), settings.timezone).start
            for _ in range(chance.choice((3, 4))):
                start = begins + timedelta(minutes=chance.randrange(7 * 60, 19 * 60))
                filed += file(queue, settings, model, made(chance, start))
            if day == 0 and place is not None:
                for box in (place, CAR):
                    of = replace(made(chance, begins + timedelta(hours=1)), box=box, camera_id="p001",
                                 point_id="p001", violation=Violation.ILLEGAL_PARKING, zone_id="kerb")  # fmt: skip
                    filed += file(queue, settings, model, of)
    return filed


def file(queue: IssueQueue, settings: Settings, model: Path, of: Incident) -> bool:
    done = queue.file(
        of, _linked(settings, model, of), explanation="stood", explanation_zh="停留", model_id="yolov8n",
        rules_version="1", verdict_key=of.fingerprint, start_uncertainty_s=2.0, end_uncertainty_s=2.0,
    )  # fmt: skip
    return done.outcome == "new"


def made(chance: random.Random, start: datetime) -> Incident:
    violation, point = chance.choice(list(ZONES)), chance.choice(POINTS)
    one = incident(camera_id=point, zone_id=ZONES[violation], violation=violation)
    return replace(one, interval=Interval(start, start + timedelta(minutes=chance.randrange(5, 40))))


# A week at the desk


def review(office: Office, chance: random.Random) -> None:
    found = office.numbers("li", "flagged")
    assert "may not review" in office.refused("zhou", "issues", "confirm", found[0])
    rejected = sorted(chance.sample(found, len(found) // 5))
    office("li", "issues", "reject", *rejected, "--reason", "permitted_activity")
    office("li", "issues", "confirm", *[number for number in found if number not in rejected])


def dispatch(office: Office) -> None:
    assert "may not dispatch" in office.refused("li", "issues", "dispatch", "--all")
    ready = office.numbers("wang", "confirmed")
    forecast = office("wang", "issues", "dispatch", "--all", "--dry-run", "--json").json
    assert sorted(one["issue"] for one in forecast) == sorted(ready)
    office("wang", "issues", "dispatch", "--all", "--although", "each was looked at")
    out = office.listed("wang", "--state", "dispatched")
    assert sorted(issue["id"] for issue in out) == sorted(ready)
    assert all(issue["grid"] and issue["due_at"] for issue in out)


def answer(office: Office, wall: type[Wall]) -> Counter[str]:
    """The police at once, urban management when it is reminded, the housing office late; returns what was announced."""
    told = Counter[str]()
    for login, hours in (("zhou", 1), ("zhao", 2), ("qian", 30)):
        wall.at += timedelta(hours=hours)
        told += Counter(one["kind"] for one in office("wang", "issues", "remind", "--json").json)
        assert office("wang", "issues", "remind", "--json").json == [], "each is announced once"
        department = next(name for name, of in OF_DEPARTMENT.items() if of == login)
        own = [issue["id"] for issue in office.listed(login) if may_answer(issue, department)]
        if not own:
            continue
        table = answers(office.folder, login, own)
        office.refused(
            next(one for one in OF_DEPARTMENT.values() if one != login), "issues", "answers", table
        )
        taken = office(login, "issues", "answers", table, "--json").json
        assert taken == {"rectified": own, "known": []}
        assert office(login, "issues", "answers", table, "--json").json["known"] == own
    return told


def may_answer(issue: Mapping[str, Any], department: str) -> bool:
    return issue["department"] == department and issue["state"] == "dispatched"


def answers(folder: Path, login: str, numbers: list[int]) -> Path:
    path = folder / f"{login}.csv"
    with path.open("w", encoding="gb18030", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["问题编号", "整改情况", "整改照片"])
        rows.writerows([[number, f"已整改（{login}）", "after.jpg"] for number in numbers])
    return path


def look_again(office: Office, wall: type[Wall]) -> Counter[str]:
    """The camera of p001 has recorded since: what stands there still is reopened by itself, with the proof."""
    wall.at = MONDAYS[-1] + timedelta(days=1, hours=3)
    assert "may not accept" in office.refused("li", "issues", "accept")
    looked = office("wang", "issues", "accept", "--json").json
    (again,) = (one["issue"] for one in looked if one["outcome"] == "stands")
    shown = office("wang", "issues", "show", again, "--json").json
    assert (shown["state"], shown["history"][-1]["who"]) == ("reopened", "kerbwatch")
    assert {file["kind"] for file in shown["attachments"]} == {"answer", "after"}
    (proof,) = office.listed("wang", "--state", "merged")
    assert proof["merged_into"] == again
    gone = next(one["issue"] for one in looked if one["outcome"] == "gone")
    shown = office("wang", "issues", "show", gone, "--json").json
    assert {"after.jpg", "before_after.jpg"} <= {file["name"] for file in shown["attachments"]}
    return Counter(one["outcome"] for one in looked)


def decide(office: Office, chance: random.Random) -> None:
    """A person sends some back, which are answered again, and closes all."""
    waiting = office.numbers("wang", "rectified")
    for number in chance.sample(waiting, 2):
        office("wang", "issues", "reopen", number, "--reason", "还在")
    for issue in office.listed("wang", "--state", "reopened"):
        photo = ("--photo", office.folder / "after.jpg")
        login = OF_DEPARTMENT[issue["department"]]
        office(login, "issues", "rectify", issue["id"], "--note", "再次整改", *photo)
    office("wang", "issues", "close", *office.numbers("wang", "rectified"))


# What it came to


def check_events(office: Office, receiver: Receiver) -> None:
    assert kerbwatch("webhooks", "deliver", "-C", office.folder).code == 0
    (state,) = kerbwatch("webhooks", "status", "-C", office.folder, "--json").json
    assert (state["waiting"], state["poison"]) == (0, 0)
    moves = [event for event in receiver.got if event["type"].split(".")[-1] not in ("remind", "escalate")]
    assert len(receiver.ids) == len(set(receiver.ids))
    assert len(moves) == sum(issue["version"] for issue in office.listed("boss")), (
        "one for each row of history"
    )


def check_ends(office: Office) -> None:
    issues = office.listed("boss")
    ends = Counter(issue["state"] for issue in issues)
    assert set(ends) == {"closed", "rejected", "merged"}
    orders = office("wang", "issues", "orders", "--limit", 1000, "--json").json
    ordered = sorted(number for order in orders for number in order["issues"])
    assert ordered == sorted(i["id"] for i in issues if i["state"] == "closed"), "one order for each"
    once = ["filed", "confirm", "dispatch", "rectify", "close"]
    kinds = set()
    for issue in issues[::9]:
        shown = office("boss", "issues", "show", issue["id"], "--json").json
        kinds.add(
            tuple(row["move"] for row in shown["history"] if row["move"] not in ("inspected", "extended"))
        )
    assert tuple(once) in kinds
    assert kinds <= {
        tuple(once),
        ("filed", "reject"),
        (*once[:-1], "reopen", "rectify", "close"),
        ("filed", "merge"),
    }


def papers(office: Office, out: Path) -> None:
    """Every paper, with pictures; how they look is tested with the papers."""
    period = ("--until", MONDAYS[-1].date() - timedelta(days=1), "--days", WEEKS * DAYS)
    for name in ("ledger.xlsx", "ledger.csv", "ledger.json"):
        office("wang", "report", "ledger", *period, "--out", out / name)
    order = office("wang", "issues", "orders", "--json").json[0]
    office("wang", "report", "letter", "--order", order["number"], "--out", out / "letters")
    number = order["issues"][0]
    office("wang", "report", "letter", "--issue", number, "--out", out / "letters")
    day = (MONDAYS[-1] - timedelta(days=1)).date()
    for name in ("brief.docx", "brief.html"):
        office("wang", "report", "brief", "--day", day, "--no-coverage", "--out", out / name)
    office("wang", "report", "evidence", number, "--out", out / "evidence")
    letters = sorted((out / "letters").iterdir())
    assert len(letters) == 2
    for path in (out / "ledger.xlsx", out / "brief.docx", *letters):
        assert any("/media/" in name for name in zipfile.ZipFile(path).namelist()), path
    assert "data:image/jpeg" in (out / "brief.html").read_text(encoding="utf-8")
    assert (out / "evidence" / f"issue-{number}" / "evidence-1" / "clip.mp4").is_file()
    figures = office("wang", "report", "stats", *period, "--json").json["total"]
    assert figures["found"] == figures["confirmed"] + figures["rejected"]
    assert (
        figures["closed"]
        == figures["dispatched"]
        == figures["on_time"] + figures["late"]
        > figures["late"]
        > 0
    )
    assert figures["reopened"] >= 2 * WEEKS
    refused = kerbwatch(
        "report", "ledger", "-C", office.folder, "--as", "li", "--full", "--out", out / "x.csv"
    )
    assert "may not export" in refused.err


def check_log(office: Office) -> None:
    """Everything that was taken out stands in the log."""
    log = office("boss", "users", "log", "--by", "wang", "--limit", 1000, "--json").json
    taken = Counter(row["file"].split()[0] for row in log if row["what"] == "export")
    assert taken == {
        "ledger.xlsx": 1, "ledger.csv": 1, "ledger.json": 1, "letter": 2, "brief": 2, "evidence": 1, "statistics": 1
    }  # fmt: skip


def check_tampering(office: Office) -> None:
    with sqlite3.connect(office.folder / "state" / "kerbwatch.db") as database:
        database.execute("UPDATE history SET who = 'nobody' WHERE seq = 7")
    database.close()
    done = kerbwatch("issues", "verify", "-C", office.folder)
    assert (done.code, "history row 7 " in done.out) == (1, True), done.out
