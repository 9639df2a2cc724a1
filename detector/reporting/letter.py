"""The dispatch letter (交办函): to one department, about one issue or many, with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from detector.core.wording import clock_zh, stood_zh
from detector.reporting.documents import Document
from detector.reporting.ledger import plain
from detector.reporting.pictures import Pair, Pictures
from detector.reporting.rows import LedgerRow, Named
from detector.reporting.wording import day_zh, moment_zh, span_zh

SCENE_PX, CLOSEUP_PX = 900, 640
SCENE_MM, CLOSEUP_MM = (82.0, 46.0), (66.0, 46.0)
"""The most that a picture takes of the width and the height of its cell in the default templates."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What one letter says, but for its pictures. `number` is the order's; '' where there is none yet."""

    county: str
    number: str
    recipient: Named
    day: date
    rows: tuple[LedgerRow, ...]
    note: str = ""

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("a letter needs an issue or more")

    @property
    def deadline(self) -> datetime | None:
        """The earliest of its issues' deadlines."""
        return min((row.due_at for row in self.rows if row.due_at), default=None)

    def each(self) -> list[Letter]:
        """A letter for each of its issues, under the number of the issue's own order."""
        return [replace(self, number=self.number or row.order, rows=(row,)) for row in self.rows]

    @property
    def copies(self) -> tuple[str, ...]:
        """Who gets a copy: assisting departments, and the grid units of the points."""
        departments = [one.zh for row in self.rows for one in row.assisting if one != self.recipient]
        grids = sorted({row.grid for row in self.rows if row.grid})
        return (*dict.fromkeys(departments), *([f"{'、'.join(grids)}网格"] if grids else []))


def write_letter(letter: Letter, template: tuple[str, bytes], pictures: Pictures) -> bytes:
    """The letter as .docx. `template` is its name and its bytes. Raises BadInput where the template is broken."""
    document = Document(*template)
    issues = [_issue(index, row, document, pictures) for index, row in enumerate(letter.rows, start=1)]
    first, last = min(row.start for row in letter.rows), max(row.end for row in letter.rows)
    return document.filled(
        {
            "county": plain(letter.county),
            "number": letter.number or "（文号待定）",
            "recipient": plain(letter.recipient.zh),
            "copies": plain("，".join(letter.copies)),
            "date": day_zh(letter.day),
            "count": len(letter.rows),
            "period": f"{_days(first, last)}（{clock_zh(first.tzinfo or UTC, first)}）",
            "deadline": moment_zh(letter.deadline) if letter.deadline else "以清单所列为准",
            "note": plain(letter.note),
            "issues": issues,
            "has_pictures": any(issue["has_picture"] for issue in issues),
        }
    )


def issue_fields(row: LedgerRow) -> dict[str, Any]:
    """What a template may say of an issue, in words."""
    return {
        "number": row.number,
        "state": row.state.zh,
        "violation": plain(row.violation_name.zh),
        "code": plain(row.violation_name.id),
        "point": row.point.id,
        "place": plain(row.point.zh),
        "grid": row.grid,
        "zone": row.zone_id or "",
        "start": f"{row.start:%m-%d %H:%M}",
        "start_full": span_zh(row.start, row.end),
        "lasted": stood_zh(row.stood_s, row.duration_s),
        "due": f"{row.due_at:%m-%d %H:%M}" if row.due_at else "—",
        "due_full": moment_zh(row.due_at) if row.due_at else "未定",
        "explanation": plain(row.explanation.zh),
        "department": plain(row.department.zh),
        "recurrence": row.recurrence,
        "remark": _remark(row),
    }


def picture_fields(pair: Pair, document: Document) -> dict[str, Any]:
    return {
        "scene": document.picture(pair.scene, SCENE_MM),
        "closeup": document.picture(pair.closeup, CLOSEUP_MM),
        "has_picture": pair.scene is not None,
    }


def _issue(index: int, row: LedgerRow, document: Document, pictures: Pictures) -> dict[str, Any]:
    pair = pictures(row.evidence_folder, SCENE_PX, CLOSEUP_PX)
    return {"index": index, **issue_fields(row), **picture_fields(pair, document)}


def _remark(row: LedgerRow) -> str:
    said = []
    if row.reopened:
        said.append(f"第{row.reopened}次退回")
    if row.recurrence:
        said.append(f"第{row.recurrence + 1}次发生")
    return "，".join(said)


def _days(first: datetime, last: datetime) -> str:
    if first.date() == last.date():
        return day_zh(first)
    return f"{day_zh(first)}至{day_zh(last)}"


def letters(
    rows: Sequence[LedgerRow], county: str, day: date, *, number: str = "", note: str = ""
) -> list[Letter]:
    """A letter a department, in order of their ids."""
    departments = sorted({row.department for row in rows}, key=lambda named: named.id)
    return [
        Letter(
            county, number, department, day, tuple(row for row in rows if row.department == department), note
        )
        for department in departments
    ]
