"""Letters and briefs as Word would read them."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import docx
import pytest
from papers import LONG, MORNING, NOW, POLICE, STREET, Made, dispatched, row

from detector.core.errors import BadInput
from detector.footage.daystate import DayFacts
from detector.issues import State
from detector.reporting.brief import Brief, CameraSeen, brief_html, write_brief
from detector.reporting.documents import template_file, write_templates
from detector.reporting.letter import Letter, letters, write_letter
from detector.reporting.pictures import no_pictures
from detector.reporting.rows import Named

DEFAULT = template_file("letter.docx", None)
GRID = Named("grid", "网格中心", "Grid Centre")
ODD = Named("p002", 'A&B <路口> "甲"', "odd")
ROWS = (
    dispatched(1, assisting=(GRID,)),
    dispatched(2, point=LONG, grid="W08", due_at=MORNING + timedelta(hours=20)),
    dispatched(3, point=ODD, recurrence=2, reopened=1),
)
LETTER = Letter("示例县", "JB-20260108-001", POLICE, date(2026, 1, 8), ROWS)


def text_of(content: bytes) -> str:
    document: Any = docx.Document(io.BytesIO(content))
    cells = [cell.text for table in document.tables for line in table.rows for cell in line.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def media_of(content: bytes) -> list[str]:
    return [name for name in zipfile.ZipFile(io.BytesIO(content)).namelist() if "/media/" in name]


@pytest.fixture(scope="module")
def letter() -> bytes:
    return write_letter(LETTER, DEFAULT, Made(without=frozenset({ROWS[1].evidence_folder})))


def test_a_letter_names_recipient_number_count_deadline_and_copies(letter: bytes) -> None:
    text = text_of(letter)
    for said in (
        "交警大队：",
        "JB-20260108-001",
        "问题3件",
        "2026年1月9日4时00分",
        "抄送：网格中心，W01、W08网格。",
    ):
        assert said in text
    assert text.count("2026年1月8日") >= 2
    assert "{" not in text


def test_its_table_has_a_row_an_issue(letter: bytes) -> None:
    document: Any = docx.Document(io.BytesIO(letter))
    listed = document.tables[0]
    assert [line.cells[1].text for line in listed.rows] == ["编号", "1", "2", "3"]
    assert listed.rows[3].cells[-1].text == "第1次退回，第3次发生"


def test_names_of_any_length_and_with_any_sign_come_out_whole(letter: bytes) -> None:
    text = text_of(letter)
    assert LONG.zh in text
    assert ODD.zh in text


def test_each_issue_has_its_own_two_pictures_or_the_words_that_there_are_none(letter: bytes) -> None:
    document: Any = docx.Document(io.BytesIO(letter))
    assert len(document.inline_shapes) == 4
    assert len(media_of(letter)) == 4
    assert "无图片" in text_of(letter)
    width = max(shape.width.mm for shape in document.inline_shapes)
    assert width <= 82.1


def test_the_same_picture_twice_is_stored_once() -> None:
    twice = replace(LETTER, rows=(ROWS[0], replace(ROWS[2], evidence_folder=ROWS[0].evidence_folder)))
    assert len(media_of(write_letter(twice, DEFAULT, Made()))) == 2


def test_without_pictures_the_annex_for_them_is_left_out() -> None:
    content = write_letter(LETTER, DEFAULT, no_pictures)
    assert media_of(content) == []
    assert len(docx.Document(io.BytesIO(content)).tables) == 1


def test_every_department_gets_a_letter_of_its_own_issues() -> None:
    made = letters([*ROWS, dispatched(4, department=STREET)], "示例县", date(2026, 1, 8))
    assert [(one.recipient, [r.number for r in one.rows]) for one in made] == [
        (POLICE, [1, 2, 3]),
        (STREET, [4]),
    ]


def test_a_letter_about_nothing_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="an issue or more"):
        replace(LETTER, rows=())


# Templates of an office's own


def changed(template: bytes, old: str, new: str) -> bytes:
    """A template whose text was edited."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(template)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "word/document.xml":
                assert old in content.decode()
                content = content.decode().replace(old, new).encode()
            target.writestr(name, content)
    return out.getvalue()


def test_an_edited_template_is_used(tmp_path: Path) -> None:
    assert [path.name for path in write_templates(tmp_path)] == ["letter.docx", "brief.docx"]
    own = tmp_path / "templates" / "letter.docx"
    own.write_bytes(changed(own.read_bytes(), "关于交办市容环境问题的函", "限期整改通知书"))
    assert write_templates(tmp_path) == []
    name, template = template_file("letter.docx", tmp_path)
    assert name == str(own)
    assert "限期整改通知书" in text_of(write_letter(LETTER, (name, template), no_pictures))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{{ recipient }}", "{{ recipeint }}", "'recipeint' is undefined"),
        ("{{ recipient }}", "{{ recipient ", "broken"),
        ("{%p endif %}", "", "broken"),
        ("{{ count }}", "{{ count | nosuch }}", "nosuch"),
    ],
)
def test_a_broken_template_is_told_by_name_and_fault(old: str, new: str, said: str) -> None:
    template = changed(DEFAULT[1], old, new)
    with pytest.raises(BadInput, match=re.escape(said)) as told:
        write_letter(LETTER, ("templates/letter.docx", template), no_pictures)
    assert str(told.value).startswith("templates/letter.docx: ")


@pytest.mark.parametrize(
    "code",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "cycler.__init__.__globals__.os.popen('id').read()",
        "issues.append(1)",
        "issues[0].scene.tpl.save('/tmp/kerbwatch-written')",
        "issues[0]['scene']['tpl']",
        "issues[0].scene|attr('tpl')",
        "lipsum()",
        "'a' * 1000000000",
        "2 ** 100000000",
        "range(1000000000)|list",
        "'%1000000000d'|format(1)",
        "'%1000000000d' % 1",
        "'{:1000000000d}'.format(1)",
        "'{0.__class__}'.format(1)",
        "'a'.ljust(1000000000)",
        "'a'|center(1000000000)",
    ],
)
def test_a_template_that_asks_for_more_than_its_fields_is_refused_by_name_and_line(
    code: str, tmp_path: Path
) -> None:
    template = changed(DEFAULT[1], "{{ recipient }}", "{{ " + code.replace("<", "&lt;") + " }}")
    with pytest.raises(BadInput) as told:
        write_letter(LETTER, ("templates/letter.docx", template), Made())
    assert re.match(r"templates/letter\.docx: line \d+ \(.*\): the template ", str(told.value)), str(
        told.value
    )


def test_a_template_may_repeat_choose_format_and_define() -> None:
    code = (
        "{% set n = namespace(x=0) %}{% for i in issues %}{% set n.x = n.x + loop.index %}{% endfor %}"
        "{% macro m(a) %}{{ a|upper }}{% endmacro %}{{ n.x }} {{ m('ok') }} {{ '%03d'|format(7) }} {{ 'a-b'.split('-')[1] }}"
        " {{ '{:>4}'.format(8) }} {{ issues|length > 0 and 'x' * 3 }}"
    )
    template = changed(DEFAULT[1], "{{ recipient }}", code.replace(">", "&gt;"))
    assert "OK 007 b    8 xxx" in text_of(write_letter(LETTER, ("letter.docx", template), no_pictures))


@pytest.mark.parametrize("content", [b"", b"not a zip", DEFAULT[1][: len(DEFAULT[1]) // 2]])
def test_a_file_that_is_no_word_document_is_told(content: bytes) -> None:
    with pytest.raises(BadInput, match="not a Word document"):
        write_letter(LETTER, ("letter.docx", content), no_pictures)


def test_a_zip_that_is_no_word_document_is_told() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadInput, match="not a Word document"):
        write_letter(LETTER, ("letter.docx", file.getvalue()), no_pictures)


# The brief

SEEN = (CameraSeen("p001", "人民路东段", 1.0, 1.0), CameraSeen("p002", ODD.zh, 0.5, 0.25, "no such folder"))
BRIEF = Brief(
    "示例县",
    date(2026, 1, 8),
    NOW,
    30,
    (*ROWS, row(4, point=Named("p003", "<script>alert(1)</script>", "x")), row(5, State.MERGED),
     dispatched(6, State.CLOSED, department=STREET, rectified_at=MORNING.replace(hour=15),
                closed_at=MORNING.replace(hour=16), start=MORNING - timedelta(days=3))),
    SEEN,
)  # fmt: skip


def test_the_brief_tells_the_day_and_the_days_before_it() -> None:
    text = text_of(write_brief(BRIEF, template_file("brief.docx", None), Made()))
    assert (
        "当日发现问题4件，其中待审核1件、立案3件、驳回0件。当日交办4件、整改1件、销号1件、退回重办0件。"
        in text
    )
    assert "近30天累计发现5件，交办4件，已整改1件，整改率25.0%，按期整改率25.0%。目前已超期3件。" in text
    assert "3天4小时" in text or "2天23小时" in text
    assert "{" not in text


def test_what_was_not_seen_is_said() -> None:
    text = text_of(write_brief(BRIEF, template_file("brief.docx", None), no_pictures))
    assert "当日录像状态：部分扫描。当日发现问题4件" in text
    assert "共2路监控：部分扫描1路，全部扫描1路。应有录像48.0小时，有录像36.0小时，已判定30.0小时" in text
    assert "无录像、未扫描、无法判定的时段不等于没有问题。" in text
    line = "有录像12.0小时，已判定6.0小时，未扫描6.0小时；no such folder"
    assert f"p002 {ODD.zh}：部分扫描（{line}）" in text
    unasked = write_brief(replace(BRIEF, cameras=None), template_file("brief.docx", None), no_pictures)
    assert "本日报未统计录像完整率" in text_of(unasked)
    assert "当日录像状态" not in text_of(unasked)


def test_the_html_needs_no_other_file_and_runs_nothing() -> None:
    html = brief_html(BRIEF, Made())
    assert html.count("data:image/jpeg;base64,") == 8
    assert not re.search(r"https?://|<script|<link|url\(", html)
    assert "&lt;script&gt;alert(1)" in html
    sources = re.findall(r'src="([^"]{11})', html)
    assert set(sources) == {"data:image/"}


H4 = 4 * 3600.0


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (DayFacts(86_400), "当日无录像。"),
        (DayFacts(86_400, surveyed=False), "当日录像未扫描。"),
        (DayFacts(86_400, H4), "当日录像未扫描。"),
        (DayFacts(86_400, H4, H4 / 2, 0, H4 / 2), "当日录像部分扫描，已判定的时段没有登记的问题"),
        (DayFacts(86_400, H4, H4, zones_judged=False), "当日录像无法判定。"),
        (DayFacts(86_400, H4, H4, 0, H4), "当日未发现问题。"),
        (None, "本日报未统计录像情况，不能据此认为当日没有问题。"),
    ],
)
def test_a_day_without_issues_says_why_there_are_none(facts: DayFacts | None, said: str) -> None:
    seen = None if facts is None else (CameraSeen("p001", "人民路东段", 0, 0, facts=facts),)
    empty = replace(BRIEF, rows=(), cameras=seen)
    for text in (
        text_of(write_brief(empty, template_file("brief.docx", None), Made())),
        brief_html(empty, Made()),
    ):
        assert said in text
        assert ("未发现问题" in text) == (said == "当日未发现问题。")


def test_a_day_with_many_issues_pictures_twelve_and_counts_the_rest() -> None:
    many = replace(BRIEF, rows=tuple(row(k) for k in range(1, 31)))
    pictures = Made()
    html = brief_html(many, pictures)
    assert len(pictures.asked) == 12
    assert "另有18件，见台账。" in html
