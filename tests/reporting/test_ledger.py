"""The ledger as Excel would read it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from papers import LONG, MORNING, NOW, POLICE, STREET, Made, dispatched, row

from detector.core.times import Interval
from detector.issues import State
from detector.reporting.ledger import (
    Titles,
    csv_text,
    ledger_csv,
    ledger_json,
    sheet_name,
    text_lines,
    write_ledger,
)
from detector.reporting.pictures import no_pictures
from detector.reporting.rows import LedgerRow, Named
from detector.reporting.statistics import statistics
from detector.reporting.wording import Language

TITLES = Titles("示例县", "2026-01-08 至 2026-01-12", "生成时间：2026-01-12 09:00")
EVIL = Named("p002", '=HYPERLINK("http://evil","点我")', "+1")
ROWS = [
    dispatched(1),
    dispatched(2, State.CLOSED, rectified_at=MORNING.replace(hour=15), closed_at=MORNING.replace(hour=16)),
    dispatched(3, department=STREET, point=LONG),
    row(4, State.REJECTED, reason=Named("unclear_picture", "画面不清", "unclear picture")),
    row(5, point=EVIL, grid="-2+3", explanation=Named("", "@SUM(A1)", "@SUM(A1)")),
]


def written(rows: list[LedgerRow], pictures: Any = no_pictures, language: Language = Language.ZH) -> Any:
    file = io.BytesIO()
    figures = statistics(rows, Interval(MORNING.replace(hour=0), NOW), NOW)
    write_ledger(file, rows, figures, pictures, TITLES, language)
    file.seek(0)
    return load_workbook(file)


@pytest.fixture(scope="module")
def book() -> Any:
    return written(ROWS, Made(without=frozenset({ROWS[1].evidence_folder})))


def cells(sheet: Any, heading: str) -> list[Any]:
    """The cells of a column below its heading."""
    column = next(cell.column for cell in sheet[3] if cell.value == heading)
    return [sheet.cell(line, column) for line in range(4, sheet.max_row + 1)]


def test_there_is_a_summary_a_sheet_of_all_and_one_a_department(book: Any) -> None:
    assert book.sheetnames == ["汇总", "全部", "交警大队", "综合执法局", "未分派"]
    assert [cell.value for cell in cells(book["全部"], "编号")] == [1, 2, 3, 4, 5]
    assert [cell.value for cell in cells(book["交警大队"], "编号")] == [1, 2]
    assert "责任部门" not in [cell.value for cell in book["交警大队"][3]]


def test_states_deadlines_and_reasons_are_in_chinese(book: Any) -> None:
    sheet = book["全部"]
    assert [cell.value for cell in cells(sheet, "状态")] == ["已交办", "已销号", "已交办", "已驳回", "待审核"]
    deadlines = cells(sheet, "期限情况")
    assert [cell.value for cell in deadlines] == ["已超期", "按期完成", "已超期", None, None]
    assert deadlines[0].fill.fgColor.rgb == "FFF8CBAD"
    assert cells(sheet, "驳回原因")[3].value == "画面不清"


def test_moments_are_dates_that_excel_can_sort(book: Any) -> None:
    assert cells(book["全部"], "开始时间")[0].value == datetime(2026, 1, 8, 8, 0)  # noqa: DTZ001  # local, as in Excel


def test_what_looks_like_a_formula_is_text(book: Any) -> None:
    sheet = book["全部"]
    for heading, text in (("点位名称", EVIL.zh), ("网格", "-2+3"), ("说明", "@SUM(A1)")):
        cell = cells(sheet, heading)[4]
        assert (cell.data_type, cell.value) == ("s", text)
        assert cell.hyperlink is None
    assert not any(cell.data_type == "f" for sheet in book for line in sheet for cell in line)


def test_every_sheet_of_issues_can_be_filtered_scrolled_and_printed(book: Any) -> None:
    for sheet in book.worksheets[1:]:
        last = sheet.cell(3, len(sheet[3])).column_letter
        assert sheet.auto_filter.ref == f"A3:{last}{sheet.max_row}"
        assert sheet.freeze_panes == "C4"
        assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize)) == ("landscape", 8)
        assert sheet.page_setup.fitToHeight in (0, "0")
        assert sheet.print_title_rows == "$3:$3"


def test_pictures_stand_in_their_rows_and_hide_with_them(book: Any) -> None:
    sheet = book["全部"]
    places = sorted((image.anchor._from.row + 1, image.anchor._from.col + 1) for image in sheet._images)
    first = next(cell.column for cell in sheet[3] if cell.value == "现场图片")
    lines = [line for line in (4, 5, 6, 7, 8) if line != 5]
    assert places == sorted((line, column) for line in lines for column in (first, first + 1))
    assert sheet.cell(5, first).value == "无图片"
    assert all(type(image.anchor).__name__ == "TwoCellAnchor" for image in sheet._images)
    for image in sheet._images:
        assert image.anchor.to.row == image.anchor._from.row


def test_a_long_name_makes_its_row_higher(book: Any) -> None:
    sheet = book["全部"]
    assert sheet.row_dimensions[6].height > sheet.row_dimensions[4].height


def test_the_summary_holds_the_figures(book: Any) -> None:
    lines = {line[0]: line for line in book["汇总"].iter_rows(min_row=4, values_only=True) if line[0]}
    assert lines["合计"][1:6] == (5, 3, 1, 1, 3)
    assert lines["p001 人民路东段"][1] == 3


def test_no_pictures_means_no_columns_for_them() -> None:
    sheet = written(ROWS)["全部"]
    assert "现场图片" not in [cell.value for cell in sheet[3]]
    assert not sheet._images


def test_an_empty_ledger_opens_too() -> None:
    book = written([])
    assert book.sheetnames == ["汇总", "全部"]


def test_it_speaks_english_where_asked() -> None:
    book = written(ROWS, language=Language.EN)
    assert book.sheetnames == ["Summary", "All", "Traffic Police", "Urban Management", "not assigned"]
    assert cells(book["All"], "Deadline")[0].value == "overdue"


def test_departments_whose_names_begin_alike_get_a_sheet_each() -> None:
    long = "住房和城乡建设局市政公用设施与环境卫生管理服务中心第"
    named = [Named(f"d{k}", f"{long}{k}{k}大队/一[组]*", f"d{k}") for k in range(3)]
    book = written([dispatched(k, department=one) for k, one in enumerate(named, start=1)])
    assert len(book.sheetnames) == 5
    assert all(len(cells(book[name], "编号")) == 1 for name in book.sheetnames[2:])


@given(st.lists(st.text(max_size=40), max_size=8))
def test_sheet_names_are_ones_that_excel_takes(titles: list[str]) -> None:
    taken: set[str] = set()
    names = [sheet_name(title, taken) for title in titles]
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert 0 < len(name) <= 31
        assert not set(name) & set("[]:*?/\\")
        assert not name.startswith("'")
        assert not name.endswith("'")


def test_a_chinese_character_takes_two_places() -> None:
    assert [
        text_lines(text, 11) for text in ("", "abcdefghij", "abcdefghijk", "人民路东段", "人民路东段一")
    ] == [1, 1, 2, 1, 2]


def test_csv_opens_in_excel_and_runs_no_formula() -> None:
    content = ledger_csv(ROWS, NOW)
    assert content.startswith(b"\xef\xbb\xbf")
    read = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [one["编号"] for one in read] == ["1", "2", "3", "4", "5"]
    assert read[4]["点位名称"] == "'" + EVIL.zh
    assert read[4]["网格"] == "'-2+3"
    assert read[0]["整改期限"] == "2026-01-09 10:00:00+08:00"
    assert not any(str(cell).startswith(("=", "+", "-", "@")) for one in read for cell in one.values())


@pytest.mark.parametrize(
    "before", ["", " ", "\u3000", "\t", "\r\n", "\u00a0", "\u200b", "\ufeff", " \u3000\u200f"]
)
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹢", "﹣", "﹦", "﹫", "−"])
def test_no_white_space_and_no_width_hides_a_sign_from_csv(before: str, sign: str) -> None:
    assert csv_text(f"{before}{sign}1+1") == f"'{before}{sign}1+1"


@pytest.mark.parametrize("text", ["", " ", "人民路", " 人民路", "1-2", "（东段）", "a=b", "\u3000a"])
def test_other_texts_stay_as_they_are_in_csv(text: str) -> None:
    assert csv_text(text) == text


def test_json_says_everything_as_it_is() -> None:
    read = json.loads(ledger_json([*ROWS, replace(ROWS[0], number=9)], NOW))
    assert read[0]["department"] == {"id": "traffic_police", "name": "交警大队", "name_en": "Traffic Police"}
    assert (read[0]["standing"], read[1]["standing"]) == ("overdue", "on_time")
    assert read[4]["point"]["name"] == EVIL.zh
    assert read[3]["rejected_because"] == "unclear_picture"
    assert POLICE.id == read[5]["department"]["id"]
