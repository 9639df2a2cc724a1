"""A department's answers as a table: read whole, checked whole, and taken in all or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import BadInput, Fault
from detector.dispatch.attachments import Upload

HEADERS: Mapping[str, str] = {
    "issue": "issue",
    "编号": "issue",
    "问题编号": "issue",
    "answer": "answer",
    "整改情况": "answer",
    "整改说明": "answer",
    "photos": "photos",
    "照片": "photos",
    "整改照片": "photos",
}
"""What a column may be called; others are left alone."""

LARGEST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the table. `line` is where it stands, for messages."""

    line: int
    issue_id: int
    text: str
    photos: tuple[Upload, ...]

    @property
    def key(self) -> str:
        """The same for the same answer, however often it is handed in."""
        content = [self.issue_id, self.text, [hashlib.sha256(p.content).hexdigest() for p in self.photos]]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def read_answers(path: Path, faults: list[Fault]) -> list[Answer]:
    """The lines of a CSV file, in UTF-8 or GB18030 as spreadsheets write it; what is wrong is added to `faults`.

    Photos are names of files beside it, with semicolons between them.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.append(Fault(str(path), "", f"cannot be read: {error.strerror}"))
        return []
    if len(content) > LARGEST_BYTES:
        faults.append(
            Fault(str(path), "", f"is of {len(content) / 1e6:.0f} MB, far more than any table of answers")
        )
        return []
    text = _text(content)
    if text is None:
        faults.append(Fault(str(path), "", "is text neither in UTF-8 nor in GB18030"))
        return []
    return list(_answers(path, text, faults))


def _text(content: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _answers(path: Path, text: str, faults: list[Fault]) -> Iterator[Answer]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        faults.append(Fault(str(path), "", f"is no CSV: {error}"))
        return
    names = [HEADERS.get(cell.strip()) for cell in rows[0]] if rows else []
    missing = [name for name in ("issue", "answer") if name not in names]
    if missing:
        wanted = " and ".join(_called(name) for name in missing)
        faults.append(Fault(str(path), "line 1", f"has no column {wanted}"))
        return
    seen: dict[int, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        cells = {name: cell.strip() for name, cell in zip(names, row, strict=False) if name}
        if not any(cells.values()):
            continue
        answer = _answer(path, line, cells, faults)
        if answer is None:
            continue
        if answer.issue_id in seen:
            what = f"issue {answer.issue_id} is answered in line {seen[answer.issue_id]} already"
            faults.append(Fault(str(path), f"line {line}", what))
        seen.setdefault(answer.issue_id, line)
        yield answer


def _called(name: str) -> str:
    return "/".join(f"'{header}'" for header, means in HEADERS.items() if means == name)


def _answer(path: Path, line: int, cells: Mapping[str, str], faults: list[Fault]) -> Answer | None:
    place = f"line {line}"
    number = cells.get("issue", "")
    found = list[Fault]()
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        found.append(Fault(str(path), place, f"{number!r} is no issue's number"))
    if not cells.get("answer"):
        found.append(Fault(str(path), place, "says nothing of what was done"))
    photos = _photos(path, place, cells.get("photos", ""), found)
    faults += found
    return None if found else Answer(line, int(number), cells["answer"], photos)


def _photos(path: Path, place: str, names: str, faults: list[Fault]) -> tuple[Upload, ...]:
    uploads = []
    home = path.parent.resolve()
    for name in (part.strip() for part in names.replace("；", ";").split(";")):
        if not name:
            continue
        photo = (home / name).resolve()
        if not photo.is_relative_to(home):
            faults.append(Fault(str(path), place, f"{name} lies outside the table's folder"))
            continue
        try:
            uploads.append(Upload.of(photo))
        except BadInput as error:
            faults.append(Fault(str(path), place, str(error)))
    return tuple(uploads)
