"""`kerbwatch report`: every paper by the command alone, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docx
import pytest
from made_archive import kerbwatch, write_folder
from openpyxl import load_workbook

from detector.config.settings import load_settings
from detector.core.times import Interval
from detector.core.values import Evidence, EvidenceFile, Incident, Violation
from detector.database import Database
from detector.dispatch import Desk
from detector.people import Looked
from detector.people.roles import PROGRAM

START = datetime(2026, 1, 8, 4, tzinfo=UTC)
PERIOD = ("--until", "2026-01-09", "--days", "2")


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.at = START + timedelta(hours=6)

    def __call__(self) -> datetime:
        return self.at


def incident(number: int) -> Incident:
    start = START + timedelta(minutes=30 * number)
    return Incident(
        violation=Violation.ILLEGAL_PARKING, point_id="p001", camera_id="p001", zone_id="kerb",
        interval=Interval(start, start + timedelta(minutes=5)), limit_s=180.0,
        box=(0.1 * number, 0.4, 0.1 * number + 0.1, 0.6), share=0.9, confidence=0.8,
    )  # fmt: skip


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five issues: one to be reviewed, one rejected, two dispatched, one of which is put right."""
    folder = tmp_path_factory.mktemp("county")
    settings = write_folder(folder / "work")
    with Database.open(settings.database_url) as database:
        desk = Desk(database, settings, Clock())
        for number in range(1, 6):
            one = incident(number)
            desk.queue.file(
                one, Evidence(f"2026-01-08/p001/{number}", (EvidenceFile("manifest.json", "0" * 64, 1),)),
                explanation="stood 5 min", explanation_zh="停留5分", model_id="m", rules_version="1",
                verdict_key=str(number), start_uncertainty_s=1.0, end_uncertainty_s=1.0,
            )  # fmt: skip
        desk.reject(PROGRAM, 2, "unclear_picture")
        for number in (3, 4, 5):
            desk.confirm(PROGRAM, number)
        for number in (3, 4):
            desk.dispatch(PROGRAM, [number], department="traffic_police", due_at=START + timedelta(hours=30))
        desk.rectify(PROGRAM, 3, "已清理")
    return folder / "work"


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert not list(tmp_path.rglob("*.tmp-*")), "nothing unfinished is left"


def test_figures_as_json_and_as_a_table_in_both_languages(county: Path) -> None:
    told = kerbwatch("report", "stats", "-C", county, *PERIOD, "--json").json
    total = told["total"]
    assert (total["found"], total["confirmed"], total["rejected"], total["dispatched"]) == (5, 3, 1, 2)
    assert (total["on_time"], total["overdue"], total["rectification_rate"]) == (1, 1, 0.5)
    assert [one["id"] for one in told["by_department"]] == ["traffic_police", ""]
    chinese = kerbwatch("report", "stats", "-C", county, *PERIOD, "--by", "department").out
    assert "交警大队" in chinese
    assert "整改率" in chinese
    english = kerbwatch("report", "stats", "-C", county, *PERIOD, "--by", "department", "--lang", "en").out
    assert "Traffic Police" in english


def test_the_ledger_as_workbook_csv_and_json(county: Path, out: Path) -> None:
    for name in ("ledger.xlsx", "ledger.csv", "ledger.json"):
        said = kerbwatch("report", "ledger", "-C", county, *PERIOD, "--no-pictures", "--out", out / name)
        assert (said.code, said.out) == (0, f"5 issues in {out / name}\n")
    assert load_workbook(out / "ledger.xlsx").sheetnames == ["汇总", "全部", "未分派", "交警大队"]
    assert len(json.loads((out / "ledger.json").read_text(encoding="utf-8"))) == 5
    assert len((out / "ledger.csv").read_text(encoding="utf-8-sig").splitlines()) == 6


def test_a_department_and_a_state_narrow_the_ledger(county: Path, out: Path) -> None:
    narrow = ("--department", "traffic_police", "--state", "dispatched")
    kerbwatch("report", "ledger", "-C", county, *PERIOD, *narrow, "--out", out / "l.json")
    assert [one["id"] for one in json.loads((out / "l.json").read_text(encoding="utf-8"))] == [4]


def test_letters_of_an_order_of_an_issue_and_of_all_that_is_to_be_answered(county: Path, out: Path) -> None:
    with Database.open(load_settings(county).database_url) as database:
        number = Desk(database, load_settings(county)).orders(PROGRAM)[0].number
    asked = {
        number: ("--order", number),
        "issue-3": ("--issue", "3"),
        "traffic": ("--department", "traffic_police"),
    }
    for name, words in asked.items():
        said = kerbwatch("report", "letter", "-C", county, *words, "--no-pictures", "--out", out / name)
        assert said.code == 0, said.err
        (file,) = (out / name).iterdir()
        text = "\n".join(paragraph.text for paragraph in docx.Document(str(file)).paragraphs)
        assert "交警大队：" in text
        assert (number in text) == (name == number)
        assert "问题1件" in text


def test_a_letter_an_issue_bears_the_number_of_the_issues_own_order(county: Path, out: Path) -> None:
    said = kerbwatch("report", "letter", "-C", county, "--each", "--no-pictures", "--out", out / "each")
    assert said.code == 0, said.err
    (file,) = (out / "each").iterdir()
    assert re.fullmatch(r"JB-\d{8}-\d{3}-traffic_police-issue-4\.docx", file.name)


def test_a_letter_to_one_department_holds_nothing_that_it_only_assists_with(county: Path, out: Path) -> None:
    shutil.copytree(county, out / "work")
    settings = load_settings(out / "work")
    with Database.open(settings.database_url) as database:
        desk = Desk(database, settings, Clock())
        desk.dispatch(PROGRAM, [5], department="urban_management", assisting=["traffic_police"])
    asked = ("--department", "traffic_police", "--no-pictures", "--out", out / "letters")
    said = kerbwatch("report", "letter", "-C", out / "work", *asked)
    assert [path.name for path in (out / "letters").iterdir()] == ["traffic_police.docx"], said.err


def test_the_brief_as_docx_and_html(county: Path, out: Path) -> None:
    for name in ("brief.docx", "brief.html"):
        said = kerbwatch(
            "report", "brief", "-C", county, "--day", "2026-01-08", "--no-pictures", "--out", out / name
        )
        assert said.out.endswith("2026-01-08, 5 issues of the day, 1 overdue\n"), said.err
    assert "当日发现问题5件" in (out / "brief.html").read_text(encoding="utf-8")
    assert "共3路监控" in (out / "brief.html").read_text(encoding="utf-8")


def test_every_paper_is_logged_with_who_and_which_issues(county: Path, out: Path) -> None:
    kerbwatch(
        "report", "ledger", "-C", county, *PERIOD, "--no-pictures", "--out", out / "l.csv", "--as", "li"
    )
    with Database.open(load_settings(county).database_url) as database:
        (row,) = Desk(database, load_settings(county)).log.find(who="li", what=Looked.EXPORT)
    assert (row.file, dict(row.details)) == ("ledger.csv", {"masked": True, "issues": [1, 2, 3, 4, 5]})


def test_once_there_are_accounts_a_paper_is_for_those_whose_role_allows_it(
    county: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    shutil.copytree(county, folder)
    for login, role, more in (
        ("boss", "admin", ()),
        ("li", "reviewer", ()),
        ("zhou", "department", ("--department", "urban_management")),
    ):
        words = ("users", "add", login, "--role", role, "--name", login, "--no-password", *more)
        assert kerbwatch(*words, "-C", folder, "--as", "boss").code == 0
    ledger = ("report", "ledger", "-C", folder, *PERIOD, "--out", tmp_path / "l.json")
    full = kerbwatch(*ledger, "--full", "--as", "li")
    assert (full.code, "may not export" in full.err) == (2, True)
    assert "no account 'nobody'" in kerbwatch(*ledger, "--as", "nobody").err
    assert not (tmp_path / "l.json").exists()
    assert kerbwatch(*ledger, "--as", "li").out.startswith("5 issues")
    assert kerbwatch(*ledger, "--as", "zhou").out.startswith("0 issues"), "none is that department's"


def test_an_office_may_change_a_template_and_hears_when_it_is_broken(county: Path, out: Path) -> None:
    assert kerbwatch("report", "templates", "-C", county).out.endswith("2 templates written\n")
    try:
        (county / "templates" / "letter.docx").write_bytes(b"no document")
        said = kerbwatch("report", "letter", "-C", county, "--no-pictures", "--out", out / "letters")
        assert said.code == 2
        assert "letter.docx: not a Word document" in said.err
    finally:
        for path in (county / "templates").iterdir():
            path.unlink()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ledger", "--out", "ledger.pdf"), "should end in .xlsx or .csv or .json"),
        (("brief", "--out", "brief"), "should end in .docx or .html"),
        (("ledger", "--out", "l.csv", "--department", "police"), "no department 'police'"),
        (("letter", "--out", "o", "--order", "JB-1"), "no order 'JB-1'"),
        (("letter", "--out", "o", "--issue", "77"), "77"),
        (("letter", "--out", "o", "--issue", "1"), "issue 1 has no department yet"),
        (("letter", "--out", "o", "--department", "grid"), "no letter to write"),
        (("brief", "--out", "b.html", "--day", "yesterday"), "not a day"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    county: Path, out: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(out)
    done = kerbwatch("report", *words, "-C", county)
    assert done.code == 2
    assert said in done.err
    assert not list(out.iterdir())
