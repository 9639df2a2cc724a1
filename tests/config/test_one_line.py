"""Names reach headers of mails and titles of papers: no line break comes into one."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_archive import write_folder

from detector.config.settings import load_settings
from detector.core.errors import BadConfig
from detector.core.wording import is_one_line

BREAKS = ("\\n", "\\r", "\\r\\nBcc: x@evil.example", "\\x0b", "\\x1c", "\\x85", "\\u2028", "\\u2029", "\\0")


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("file", ["kerbwatch.yaml", "departments.yaml", "points/p001.yaml"])
def test_a_name_with_a_line_break_is_a_fault_with_its_place(tmp_path: Path, file: str, broken: str) -> None:
    write_folder(tmp_path, points=("p001",))
    path = tmp_path / file
    text = path.read_text(encoding="utf-8")
    changed = re.sub(r"\bname: [^,}\n]+", lambda _: f'name: "示例{broken}县"', text, count=1)
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(BadConfig) as told:
        load_settings(tmp_path)
    assert file in str(told.value)
    assert "write it in one line" in str(told.value)


def test_addresses_of_mails_are_one_line(tmp_path: Path) -> None:
    write_folder(tmp_path, points=("p001",))
    path = tmp_path / "kerbwatch.yaml"
    mail = 'nightly: {mail: {server: "127.0.0.1:25", sender: "a@b.c\\nBcc: x@y.z", to: ["d@e.f\\n"]}}\n'
    kept = path.read_text(encoding="utf-8")
    assert "\nnightly:" not in kept
    path.write_text(kept + mail, encoding="utf-8")
    with pytest.raises(BadConfig) as told:
        load_settings(tmp_path)
    assert str(told.value).count("write it in one line") == 2


@given(st.text(max_size=20))
def test_what_is_one_line_is_taken_by_a_mails_header_and_splits_into_no_two(text: str) -> None:
    if is_one_line(text):
        assert len(text.splitlines()) <= 1
        EmailMessage()["Subject"] = text.encode("utf-8", "replace").decode()
