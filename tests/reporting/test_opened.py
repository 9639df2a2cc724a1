"""The papers opened by LibreOffice, where there is one: hundreds of issues, long names, issues without pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from papers import LONG, MORNING, NOW, POLICE, STREET, Made, dispatched

from detector.core.times import Interval
from detector.reporting.brief import Brief, write_brief
from detector.reporting.documents import template_file
from detector.reporting.ledger import Titles, write_ledger
from detector.reporting.letter import Letter, write_letter
from detector.reporting.rows import LedgerRow
from detector.reporting.statistics import statistics

COUNT = 200
TOOLS = ("soffice", "pdftotext")


def rows() -> tuple[LedgerRow, ...]:
    """One issue in seven at the point with the long name, every other one of another department."""
    return tuple(
        dispatched(
            number,
            start=MORNING + timedelta(minutes=number),
            department=(POLICE, STREET)[number % 2],
            grid=f"W{number % 10 + 1:02d}",
            **({"point": LONG} if number % 7 == 0 else {}),
        )
        for number in range(1, COUNT + 1)
    )


def texts(folder: Path, names: list[str]) -> dict[str, list[str]]:
    """The text of each page of each file, without its white space."""
    home = f"-env:UserInstallation=file://{folder}/profile"
    words = ["soffice", "--headless", home, "--convert-to", "pdf", "--outdir", str(folder), *names]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=300)
    found = {}
    for name in names:
        pdf = folder / Path(name).with_suffix(".pdf").name
        text = subprocess.run(
            ["pdftotext", str(pdf), "-"], check=True, capture_output=True, timeout=60
        ).stdout
        found[name] = [re.sub(r"\s", "", page) for page in text.decode().split("\f")[:-1]]
    return found


@pytest.mark.slow
def test_libreoffice_shows_every_issue_and_every_name_whole(tmp_path: Path) -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(
            f"no {', '.join(missing)}: apt-get install libreoffice-writer libreoffice-calc poppler-utils"
        )
    own, without = rows(), frozenset(row.evidence_folder for row in rows()[::10])
    letter = Letter("示例县", "JB-20260108-001", POLICE, date(2026, 1, 8), own)
    (tmp_path / "letter.docx").write_bytes(
        write_letter(letter, template_file("letter.docx", None), Made(without))
    )
    brief = Brief("示例县", date(2026, 1, 8), NOW, 30, own)
    (tmp_path / "brief.docx").write_bytes(
        write_brief(brief, template_file("brief.docx", None), Made(without))
    )
    figures = statistics(own, Interval(MORNING, NOW), NOW)
    with (tmp_path / "ledger.xlsx").open("wb") as file:
        write_ledger(file, own, figures, Made(without), Titles("示例县", "2026-01-08", "made"))
    pages = texts(tmp_path, ["letter.docx", "brief.docx", "ledger.xlsx"])
    for name, shown in pages.items():
        assert all(shown), f"{name} has no empty page"
        assert "{{" not in "".join(shown)
    first, annexes = pages["letter.docx"][0], "".join(pages["letter.docx"][1:])
    assert "W09、W10网格。" in first, "the whole letter fits on its page, with its copies to all grid units"
    assert f"编号{COUNT}p001" in annexes
    assert annexes.count(LONG.zh) == 2 * (COUNT // 7), "whole in the list, and above the pictures"
    assert annexes.count("无图片") == 2 * len(without)
    ledger = "".join(pages["ledger.xlsx"])
    assert ledger.count("已超期") >= 2 * COUNT, "each issue in the sheet of all and in its department's"
    assert "###" not in ledger, "no column too narrow for its dates"
    assert f"另有{COUNT - 12}件，见台账" in "".join(pages["brief.docx"])
