"""Migrations form one line. `make check` asks this too, for two branches may each add one of the same number."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "detector" / "database" / "migrations" / "versions"


def told(name: str, text: str) -> str | None:
    found = re.search(rf'^{name} = (?:"(\d+)"|None)$', text, re.MULTILINE)
    assert found, f"a revision says {name}"
    return found[1]


def test_each_migration_follows_the_one_of_the_number_before_it() -> None:
    files = sorted(VERSIONS.glob("r*.py"))
    numbers = [file.name[1:5] for file in files]
    assert numbers == [f"{n:04d}" for n in range(1, len(files) + 1)], "no number twice, and none left out"
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert [told("revision", text) for text in texts] == numbers
    assert told("down_revision", texts[0]) is None
    for before, text in pairwise(texts):
        assert told("down_revision", text) == told("revision", before), "one head"
