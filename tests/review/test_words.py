"""Every word is there in both languages, and every word is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import detector.review
from detector.review.words import WORDS, Tongue, joined

ROOM = Path(detector.review.__file__).parent
CHINESE = re.compile(r"[一-鿿]")
SAME_IN_BOTH = {"app.language"}
"""The button that leads to the other language says so in that language."""


def texts(*suffixes: str) -> str:
    files = [path for path in ROOM.rglob("*") if path.suffix in suffixes and "words" not in path.parts]
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(files))


def used_keys() -> set[str]:
    """Keys in `t("...")` and `named("...")`, and in the menu; those put together of parts are among the prefixes."""
    found = re.findall(
        r"""\b(?:t|named)\(\s*["']([a-z_]+\.[a-z0-9_]+)["'](?!\s*~)""", texts(".html", ".js", ".py")
    )
    return {
        *found,
        *re.findall(r'"(nav\.[a-z_]+)"', texts(".py")),
        *re.findall(r'"(js\.[a-z_]+)"', texts(".js")),
    }


def used_prefixes() -> set[str]:
    """`t("state." ~ v)` in a page, t(f"state.{v}") in Python, t(`js.${what}`) in a script."""
    found = re.findall(
        r"""\(\s*f?["'`]([a-z_]+\.[a-z_]*)(?:["']\s*~|\{|\$\{)""", texts(".html", ".js", ".py")
    )
    return {*found, *re.findall(r"""f"([a-z_]+\.)\{""", texts(".py"))}


def test_every_key_that_is_used_exists() -> None:
    assert used_keys() - WORDS.keys() == set()


def test_every_word_is_used() -> None:
    used, prefixes = used_keys(), tuple(used_prefixes())
    assert [key for key in WORDS if key not in used and not key.startswith(prefixes)] == []


@pytest.mark.parametrize("key", sorted(WORDS))
def test_a_word_says_the_same_in_both_languages(key: str) -> None:
    en, zh = WORDS[key]
    assert re.findall(r"\{(\w+)\}", en) == sorted(
        re.findall(r"\{(\w+)\}", zh), key=re.findall(r"\{(\w+)\}", en).index
    )
    if key not in SAME_IN_BOTH:
        assert not CHINESE.search(en)
    assert en
    assert zh


def test_chinese_is_chinese() -> None:
    """But for figures, units and what is a name."""
    plain = [key for key, (_, zh) in WORDS.items() if not CHINESE.search(zh)]
    assert set(plain) <= {"app.language", "js.of"}


def test_two_tables_may_not_give_one_key() -> None:
    with pytest.raises(ValueError, match=r"twice: a\.b"):
        joined([{"a.b": ("x", "甲")}, {"a.b": ("y", "乙")}])


def test_a_word_that_is_not_there_is_an_error_and_not_a_blank() -> None:
    with pytest.raises(KeyError):
        Tongue("en")("nothing.such")


def test_pages_hold_no_words_of_their_own() -> None:
    """No Chinese outside the tables, and no English between tags."""
    pages = texts(".html", ".js")
    assert CHINESE.findall(pages) == []
    bare = re.sub(r"\{[{%#].*?[}%#]\}", "", texts(".html"), flags=re.DOTALL)
    between = [text.strip() for text in re.findall(r">([^<>]+)<", bare)]
    words = {text for text in between if re.search(r"[A-Za-z]{3,}", text)}
    assert words <= {
        "Enter",
        "Shift",
        "Space",
        "review",
        "page",
        "kerbwatch.yaml",
        "rules.yaml",
    }  # keys, styles, files
