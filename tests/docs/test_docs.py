"""The documents agree with the program, with each other and with the files they speak of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from detector.core.values import Violation

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("configs/*.md")),
    key=str,
)
DECISIONS = sorted((CHECKOUT / "docs" / "decisions").glob("[0-9]*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
QUOTED = re.compile(r"`(kerbwatch [a-z][^`]*)`")


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """What GitHub makes of a document's headings."""
    titles = (title.lower().replace("`", "") for _, title in HEADING.findall(prose(path)))
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


def quoted_commands(path: Path) -> Iterator[list[str]]:
    """The words of each `kerbwatch ...` in a document, in code blocks and between backticks."""
    text = path.read_text(encoding="utf-8")
    lines = [line for kind, block in FENCE.findall(text) if kind in ("sh", "") for line in block.splitlines()]
    lines += QUOTED.findall(prose(path))
    for line in lines:
        for part in re.split(r"&&|\|", line):
            if part.strip().startswith("kerbwatch "):
                yield shlex.split(part, comments=True)[1:]


COMMANDS = sorted({tuple(words) for path in DOCUMENTS for words in quoted_commands(path)})


def ids(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_every_relative_link_leads_to_something(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_quoted_command_parses(words: tuple[str, ...]) -> None:
    import typer

    from detector.cli.main import app
    from detector.issues import REJECT_REASONS

    command, rest = typer.main.get_command(app), list(words)
    while hasattr(command, "commands") and rest:
        if command.invoke_without_command and rest[0].startswith("-"):
            break  # the options of a group that is a command too, such as points
        assert rest[0] in command.commands, f"no command {rest[0]!r} in 'kerbwatch {' '.join(words)}'"
        command = command.commands[rest.pop(0)]
    if rest:  # a bare name, as in running text, leaves out what the command needs
        context = command.make_context(words[0], rest)
        assert context.params.get("reason", "other") in REJECT_REASONS


def test_documents_quote_commands() -> None:
    assert len(COMMANDS) > 20


def test_both_readmes_have_the_same_headings_code_and_links() -> None:
    english, chinese = CHECKOUT / "README.md", CHECKOUT / "README.zh-CN.md"
    levels = [[len(marks) for marks, _ in HEADING.findall(prose(path))] for path in (english, chinese)]
    assert levels[0] == levels[1]
    blocks = [FENCE.findall(path.read_text(encoding="utf-8")) for path in (english, chinese)]
    assert blocks[0] == blocks[1]
    links = [
        {link for link in LINK.findall(prose(path)) if "README" not in Path(link).stem}
        for path in (english, chinese)
    ]
    assert links[0] == links[1]


def test_every_decision_is_listed_and_bears_its_number() -> None:
    listed = LINK.findall((CHECKOUT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8"))
    assert listed == [path.name for path in DECISIONS]
    for path in DECISIONS:
        title = path.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {path.name[:4]}: ")


def test_every_variable_of_the_environment_is_documented() -> None:
    from detector.config.settings import PREFIX, Environment

    operating = (CHECKOUT / "docs" / "operating.md").read_text(encoding="utf-8")
    named = {f"{PREFIX}{field.upper()}" for field in Environment.model_fields}
    for source in (CHECKOUT / "detector").rglob("*.py"):
        named |= set(re.findall(r"\"(KERBWATCH_[A-Z_]+[A-Z])\"", source.read_text(encoding="utf-8")))
    assert {name for name in named if name not in operating} == set()


def test_every_reason_of_a_gap_is_documented() -> None:
    from detector.footage.coverage import GapReason

    operating = (CHECKOUT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert [reason for reason in GapReason if f"| `{reason}` |" not in operating] == []


def test_the_example_folder_and_the_package_say_the_same() -> None:
    example = CHECKOUT / "detector" / "config" / "example" / "README.md"
    assert (CHECKOUT / "configs" / "README.md").read_bytes() == example.read_bytes()


def test_the_picture_of_the_readme_is_small() -> None:
    assert (CHECKOUT / "docs" / "images" / "evidence.jpg").stat().st_size < 150_000


RULES = (CHECKOUT / "docs" / "rules.md").read_text(encoding="utf-8")
COMMON_KEYS = {"enabled", "hours", "by_category", "min_share", "min_confidence", "exempt_zones"}
"""Told once, at the top of `rules.yaml`."""


@pytest.mark.parametrize("violation", list(Violation))
def test_every_rule_is_documented_in_english_and_chinese_with_its_own_keys(violation: Violation) -> None:
    sections = [
        part for part in re.split(r"^## ", RULES, flags=re.MULTILINE) if violation in part.splitlines()[0]
    ]
    assert len(sections) == 1
    assert len(re.findall(r"[\u4e00-\u9fff]", sections[0])) > 100
    assert len(re.findall(r"\b[a-z]{3,}\b", sections[0])) > 100
    example = yaml.safe_load((CHECKOUT / "configs" / "rules.yaml").read_text(encoding="utf-8"))[violation]
    missing = [key for key in set(example) - COMMON_KEYS if f"`{key}`" not in sections[0]]
    assert not missing


def test_no_two_files_of_fixtures_give_one_name_to_different_things() -> None:
    """`pytest_plugins` makes a fixture known everywhere, so which of two is meant would depend on the order."""
    fixture = re.compile(r"@pytest\.fixture\b.*\n(?:.*\n)??def (\w+)\(")
    names = [
        name
        for path in sorted((CHECKOUT / "tests").glob("*.py"))
        for name in fixture.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(names) > 20
    assert sorted(set(names)) == sorted(names)
