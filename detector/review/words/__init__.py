"""Every word that the pages show, in English and in Simplified Chinese: one table a subject, joined here.

A key is looked up where it is shown: `{{ t("queue.title") }}` in a page, `t("js.saved")` in a script. A page hands
its scripts every word whose key begins with `js.`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from detector.review.words import admin, boards, common, queue, review, sign_in, spots, zones

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

Words = Mapping[str, tuple[str, str]]
"""Key to English and Chinese. `{name}` stands for a value that is filled in."""


def joined(tables: Iterable[Words]) -> Words:
    """One table of all. Raises ValueError where two give the same key."""
    words: dict[str, tuple[str, str]] = {}
    for table in tables:
        if twice := words.keys() & table.keys():
            raise ValueError(f"words given twice: {', '.join(sorted(twice))}")
        words |= table
    return words


WORDS: Words = joined(part.WORDS for part in (common, queue, review, sign_in, boards, zones, spots, admin))


class Tongue:
    """Says words in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._index = 0 if language == "en" else 1

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError for a key that no table has."""
        text = WORDS[key][self._index]
        return text.format(**values) if values else text

    def pick(self, en: str, zh: str) -> str:
        """The one of two texts that is in this language; the other where it is empty."""
        return (en or zh) if self.language == "en" else (zh or en)

    def for_scripts(self) -> dict[str, str]:
        return {key: pair[self._index] for key, pair in WORDS.items() if key.startswith("js.")}
