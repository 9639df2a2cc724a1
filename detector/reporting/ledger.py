"""The ledger (台账): as a workbook for people, as CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from unicodedata import east_asian_width

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from detector.core.wording import stood_en, stood_zh
from detector.reporting.pictures import NO_PICTURES, Pair, Picture, Pictures
from detector.reporting.rows import LedgerRow, Named, Standing
from detector.reporting.statistics import Statistics, Tally
from detector.reporting.wording import COUNTS, RATES, Language, category, name, standing, state

THUMBNAIL_PX = 224
"""Width of a thumbnail's file; it is shown at half of that, so that it prints sharp."""
SHOWN_PX = 112
ROW_PX = 72
LINE_PX = 17
HIGHEST_ROW_PX = 540
SUMMARY_WIDTH = 26
PICTURE_COLUMN_PX = SHOWN_PX + 8
LONGEST_CELL = 32_767
"""Characters that Excel takes in one cell."""
LONGEST_SHEET_NAME = 31
A4, A3 = 9, 8
"""Excel's numbers of papers: the summary fits on A4, a row of an issue can be read on A3 only."""
SIGNS = frozenset("=+-@\N{MINUS SIGN}")
"""A text that begins so is a formula to a spreadsheet that reads CSV; some take full-width signs for the same."""

Cell = str | int | float | datetime | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the ledger: its heading, its width in characters, and what it says of a row."""

    zh: str
    en: str
    width: float
    value: Callable[[LedgerRow, Language, datetime], Cell]
    on_sheet: bool = True
    """Whether the workbook shows it; CSV has every column."""
    on_own_sheet: bool = True
    """Whether a department's own sheet shows it as well."""

    def heading(self, language: Language) -> str:
        return self.zh if language is Language.ZH else self.en


def _department(row: LedgerRow, language: Language, _at: datetime) -> str:
    return name(row.department, language)


def _duration(row: LedgerRow, language: Language, _at: datetime) -> str:
    return (stood_zh if language is Language.ZH else stood_en)(row.stood_s, row.duration_s)


COLUMNS: tuple[Column, ...] = (
    Column("编号", "No.", 6, lambda r, _l, _t: r.number),
    Column("状态", "State", 9, lambda r, lang, _t: state(r.state, lang)),
    Column("违规类型", "Violation", 13, lambda r, lang, _t: name(r.violation_name, lang)),
    Column("代码", "Code", 6, lambda r, _l, _t: r.violation_name.id),
    Column("点位编号", "Point", 9, lambda r, _l, _t: r.point.id),
    Column("点位名称", "Place", 18, lambda r, lang, _t: name(r.point, lang)),
    Column("点位类别", "Category", 9, lambda r, lang, _t: category(r.category, lang)),
    Column("网格", "Grid", 6, lambda r, _l, _t: r.grid),
    Column("区域", "Zone", 9, lambda r, _l, _t: r.zone_id or "", on_sheet=False),
    Column("开始时间", "From", 11.5, lambda r, _l, _t: r.start),
    Column("结束时间", "Until", 11.5, lambda r, _l, _t: r.end, on_sheet=False),
    Column("持续时长", "Lasted", 11, _duration),
    Column("责任部门", "Department", 13, _department, on_own_sheet=False),
    Column("交办文号", "Order", 16, lambda r, _l, _t: r.order),
    Column("交办时间", "Dispatched", 11.5, lambda r, _l, _t: r.dispatched_at),
    Column("整改期限", "Due", 11.5, lambda r, _l, _t: r.due_at),
    Column("整改时间", "Put right", 11.5, lambda r, _l, _t: r.rectified_at),
    Column("销号时间", "Closed", 11.5, lambda r, _l, _t: r.closed_at),
    Column("期限情况", "Deadline", 9, lambda r, lang, t: standing(r.standing(t), lang)),
    Column("退回次数", "Sent back", 7, lambda r, _l, _t: r.reopened),
    Column("重复发生", "Recurred", 7, lambda r, _l, _t: r.recurrence),
    Column("说明", "Explanation", 26, lambda r, lang, _t: name(r.explanation, lang)),
    Column(
        "驳回原因",
        "Rejected because",
        13,
        lambda r, lang, _t: name(r.reason, lang) if r.reason else "",
        on_own_sheet=False,  # what was rejected never had a department
    ),
)
PICTURE_HEADINGS = {Language.ZH: ("现场图片", "目标特写"), Language.EN: ("Scene", "Object")}
STANDING_COLUMN = next(column for column in COLUMNS if column.en == "Deadline")


@dataclass(frozen=True, slots=True)
class Titles:
    """What stands above and below a ledger's sheets."""

    county: str
    period: str
    made: str


# For people


def write_ledger(
    to: BinaryIO,
    rows: Sequence[LedgerRow],
    figures: Statistics,
    pictures: Pictures,
    titles: Titles,
    language: Language = Language.ZH,
) -> None:
    """Write the ledger as a workbook: a summary, all issues, and a sheet a department.

    Every text is written as text, so none is taken for a formula or a link. Pictures are asked for one by one and
    kept as small JPEGs; the same picture in two sheets is stored once.
    """
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
               "strings_to_numbers": False}  # fmt: skip
    thumbnails = {row.number: pictures(row.evidence_folder, THUMBNAIL_PX, THUMBNAIL_PX) for row in rows}
    with xlsxwriter.Workbook(to, options) as book:
        sheets = _Sheets(book, titles, language, figures.at, thumbnails)
        chinese = language is Language.ZH
        sheets.summary("汇总" if chinese else "Summary", figures)
        shown = tuple(column for column in COLUMNS if column.on_sheet)
        sheets.issues("全部" if chinese else "All", rows, shown)
        own = tuple(column for column in shown if column.on_own_sheet)
        for department, its_rows in department_rows(rows).items():
            sheets.issues(name(department, language), its_rows, own)


class _Sheets:
    """Writes the sheets of one workbook."""

    def __init__(
        self,
        book: Workbook,
        titles: Titles,
        language: Language,
        at: datetime,
        thumbnails: Mapping[int, Pair],
    ) -> None:
        self._book, self._titles, self._language, self._at = book, titles, language, at
        self._thumbnails = thumbnails
        self._names: set[str] = set()
        self._points: set[Named] = set()
        base = {"font_name": "宋体", "font_size": 10, "valign": "vcenter"}
        cell = base | {"border": 1, "border_color": "#BFBFBF", "text_wrap": True}
        bold = cell | {"bold": True, "align": "center"}
        self._title = book.add_format(base | {"font_name": "黑体", "font_size": 16, "align": "center"})
        self._under = book.add_format(base | {"font_color": "#595959", "align": "center"})
        self._heading = book.add_format(bold | {"bg_color": "#D9E2F3"})
        self._text = book.add_format(cell)
        self._middle = book.add_format(cell | {"align": "center"})
        self._moment = book.add_format(cell | {"num_format": "mm-dd hh:mm", "align": "center"})
        self._rate = book.add_format(cell | {"num_format": "0.0%", "align": "center"})
        self._total = book.add_format(bold)
        self._total_rate = book.add_format(bold | {"num_format": "0.0%"})
        self._bad = book.add_format(bold | {"bg_color": "#F8CBAD", "font_color": "#9C0006"})
        self._warn = book.add_format(bold | {"bg_color": "#FFE699"})
        self._good = book.add_format(cell | {"align": "center", "bg_color": "#C6E0B4"})

    def issues(self, title: str, rows: Sequence[LedgerRow], columns: Sequence[Column]) -> None:
        """A sheet of issues: title, when it was made, headings, a row an issue with its pictures at the end."""
        sheet = self._sheet(title, A3)
        has_pictures = any(self._thumbnails.get(row.number, NO_PICTURES).scene for row in rows)
        headings = [column.heading(self._language) for column in columns]
        headings += PICTURE_HEADINGS[self._language] if has_pictures else ()
        self._top(sheet, title, headings)
        sheet.repeat_rows(2)
        for index, column in enumerate(columns):
            sheet.set_column(index, index, column.width)
        if has_pictures:
            sheet.set_column_pixels(len(columns), len(columns) + 1, PICTURE_COLUMN_PX)
        for line, row in enumerate(rows, start=3):
            self._row(sheet, line, row, columns)
            if has_pictures:
                self._pictures(sheet, line, row, len(columns))
        sheet.autofilter(2, 0, max(3, 2 + len(rows)), len(headings) - 1)
        sheet.freeze_panes(3, 2)

    def summary(self, title: str, figures: Statistics) -> None:
        """The figures, one block under another: by department, violation, point and day."""
        sheet = self._sheet(title, A4)
        self._points = {tally.of for tally in figures.by_point}
        chinese = self._language is Language.ZH
        kinds = (
            ("责任部门", "违规类型", "点位", "日期")
            if chinese
            else ("Department", "Violation", "Point", "Day")
        )
        labels = [zh if chinese else en for _, zh, en in COUNTS + RATES]
        self._top(sheet, title, [kinds[0], *labels])
        sheet.set_column(0, 0, SUMMARY_WIDTH)
        sheet.set_column(1, len(labels), 9.5)
        blocks = (figures.by_department, figures.by_violation, figures.by_point, figures.by_day)
        line = 3
        for kind, block in zip(kinds, blocks, strict=True):
            if line > 3:
                self._headings(sheet, line, [kind, *labels])
                line += 1
            for one in block:
                self._tally(sheet, line, one)
                line += 1
            self._tally(sheet, line, figures.total, total=True)
            line += 2
        sheet.freeze_panes(2, 1)

    def _sheet(self, title: str, paper: int) -> Worksheet:
        sheet = self._book.add_worksheet(sheet_name(title, self._names))
        sheet.set_landscape()
        sheet.set_paper(paper)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        pages = "第 &P 页，共 &N 页" if self._language is Language.ZH else "page &P of &N"
        sheet.set_footer(f"&L&9{self._titles.county.replace('&', '&&')}&R&9{pages}")
        sheet.hide_gridlines(2)
        return sheet

    def _top(self, sheet: Worksheet, title: str, headings: Sequence[str]) -> None:
        ledger = "市容环境问题台账" if self._language is Language.ZH else "issue ledger"
        gap = "" if self._language is Language.ZH else " "
        # A title is centred over the first columns only: over all of them it would lie off the screen.
        across = min(len(headings), 12) - 1
        sheet.merge_range(0, 0, 0, across, "", self._title)
        sheet.write_string(0, 0, f"{self._titles.county}{gap}{ledger}（{title}）", self._title)
        sheet.merge_range(1, 0, 1, across, "", self._under)
        sheet.write_string(1, 0, f"{self._titles.period}    {self._titles.made}", self._under)
        sheet.set_row(0, 28)
        sheet.set_row(1, 18)
        self._headings(sheet, 2, headings)

    def _headings(self, sheet: Worksheet, line: int, headings: Sequence[str]) -> None:
        sheet.set_row(line, 30)
        for index, heading in enumerate(headings):
            sheet.write_string(line, index, heading, self._heading)

    def _row(self, sheet: Worksheet, line: int, row: LedgerRow, columns: Sequence[Column]) -> None:
        values = [column.value(row, self._language, self._at) for column in columns]
        lines = (text_lines(str(value), column.width) for column, value in zip(columns, values, strict=True))
        sheet.set_row_pixels(line, min(HIGHEST_ROW_PX, max(ROW_PX, max(lines) * LINE_PX + 6)))
        for index, (column, value) in enumerate(zip(columns, values, strict=True)):
            self._cell(sheet, line, index, value, self._format(row, column, value))

    def _format(self, row: LedgerRow, column: Column, value: Cell) -> Format:
        if column is STANDING_COLUMN:
            marks = {Standing.OVERDUE: self._bad, Standing.LATE: self._warn, Standing.ON_TIME: self._good}
            return marks.get(row.standing(self._at), self._middle)
        if isinstance(value, datetime):
            return self._moment
        return self._text if column.width > 12 else self._middle

    def _cell(self, sheet: Worksheet, line: int, index: int, value: Cell, style: Format) -> None:
        if isinstance(value, datetime):
            sheet.write_datetime(line, index, value.replace(tzinfo=None, microsecond=0), style)
        elif isinstance(value, int | float):
            sheet.write_number(line, index, value, style)
        elif value:
            sheet.write_string(line, index, plain(value)[:LONGEST_CELL], style)
        else:
            sheet.write_blank(line, index, None, style)

    def _pictures(self, sheet: Worksheet, line: int, row: LedgerRow, first: int) -> None:
        pair = self._thumbnails.get(row.number, NO_PICTURES)
        for index, picture in enumerate((pair.scene, pair.closeup), start=first):
            missing = "无图片" if self._language is Language.ZH else "no picture"
            sheet.write_string(line, index, "" if picture else missing, self._middle)
            if picture:
                _insert(sheet, line, index, picture, f"{row.number}-{index - first + 1}.jpg")

    def _kind(self, of: Named) -> str:
        """What a line of the summary is about; a point with its id, for two may bear one name."""
        called = name(of, self._language)
        return f"{of.id} {called}" if of in self._points else called

    def _tally(self, sheet: Worksheet, line: int, of: Tally, *, total: bool = False) -> None:
        counted, rated = (self._total, self._total_rate) if total else (self._middle, self._rate)
        title = plain(self._kind(of.of))
        lines = text_lines(title, SUMMARY_WIDTH)
        sheet.set_row_pixels(line, min(HIGHEST_ROW_PX, max(20, lines * LINE_PX + 4)))
        sheet.write_string(line, 0, title[:LONGEST_CELL], self._total if total else self._text)
        for index, (field, _, _) in enumerate(COUNTS, start=1):
            value = getattr(of, field)
            sheet.write_number(line, index, value, self._bad if field == "overdue" and value else counted)
        for index, (field, _, _) in enumerate(RATES, start=1 + len(COUNTS)):
            rate = getattr(of, field)
            if rate is None:
                sheet.write_string(line, index, "—", counted)
            else:
                sheet.write_number(line, index, rate, rated)


def _insert(sheet: Worksheet, line: int, index: int, picture: Picture, file: str) -> None:
    scale = min(SHOWN_PX / picture.width, (ROW_PX - 6) / picture.height)
    options = {
        "image_data": io.BytesIO(picture.jpeg),
        "x_scale": scale,
        "y_scale": scale,
        "x_offset": (PICTURE_COLUMN_PX - picture.width * scale) / 2,
        "y_offset": (ROW_PX - picture.height * scale) / 2,
        "object_position": 1,  # moves and hides with its row, or a filter would leave it behind
        "description": file,
    }
    sheet.insert_image(line, index, file, options)


def sheet_name(title: str, taken: set[str]) -> str:
    """A name that Excel takes: 31 characters at most, none that it forbids, and not yet taken."""
    base = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", title).strip().strip("'").strip() or "-"
    made, number = base[:LONGEST_SHEET_NAME], 1
    while made.casefold() in taken or made.casefold() == "history":
        number += 1
        suffix = f" ({number})"
        made = base[: LONGEST_SHEET_NAME - len(suffix)] + suffix
    taken.add(made.casefold())
    return made


def text_lines(text: str, width: float) -> int:
    """How many lines a text takes in a column of so many characters; a Chinese one is as wide as two others."""
    room = max(2, int(width) - 1)
    wide = (sum(2 if east_asian_width(c) in "WF" else 1 for c in line) for line in text.split("\n"))
    return sum(max(1, -(-one // room)) for one in wide)


def plain(text: str) -> str:
    """Without the control characters that no document may hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)


# For programs


def ledger_json(rows: Sequence[LedgerRow], at: datetime) -> str:
    return json.dumps([row.to_json(at) for row in rows], ensure_ascii=False, indent=2) + "\n"


def ledger_csv(rows: Sequence[LedgerRow], at: datetime, language: Language = Language.ZH) -> bytes:
    """UTF-8 with the mark by which Excel knows it. A text that Excel would run as a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.heading(language) for column in COLUMNS])
    writer.writerows(_csv_cells(row, at, language) for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _csv_cells(row: LedgerRow, at: datetime, language: Language) -> Iterator[Any]:
    for column in COLUMNS:
        value = column.value(row, language, at)
        if isinstance(value, datetime):
            yield value.isoformat(sep=" ", timespec="seconds")
        elif isinstance(value, str):
            yield csv_text(plain(value))
        else:
            yield value


def csv_text(text: str) -> str:
    """Return the text, with an apostrophe before it where a spreadsheet might run it as a formula.

    Spreadsheets differ in which white space they leave out before a sign; so any white space counts as none here.
    """
    seen = next((one for one in text if not _is_invisible(one)), "")
    begins = text[:1] in ("\t", "\r", "\n") or (
        unicodedata.normalize("NFKC", seen)[:1] in SIGNS if seen else False
    )
    return f"'{text}" if begins else text


def _is_invisible(character: str) -> bool:
    """Whether a character shows nothing: white space of any width, control and format characters."""
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Mn", "Zs")


def department_rows(rows: Sequence[LedgerRow]) -> dict[Named, list[LedgerRow]]:
    """The rows by department, in the order in which each comes first."""
    found: dict[Named, list[LedgerRow]] = {}
    for row in rows:
        found.setdefault(row.department, []).append(row)
    return found
