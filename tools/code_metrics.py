"""Measures the source code: size, function length, nesting, duplicate class names, forbidden prose, start-up time.

Usage: python tools/code_metrics.py [--json]. A code line is a line that holds something other than a comment, a
docstring or white space.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import subprocess
import sys
import time
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

PROSE = {
    "So many / so long": r"\bSo (many|much|long|often|far|large)\b",
    "tell / told": r"\b(tell|tells|told)\b",
    "who / whoever as a subject": r"(?m)(^|[.:] )\s*(\"\"\")?(Who|Whoever|What) ",
    "is none / are none": r"\b(is|are) none\b",
    "somebody / nobody / whoever": r"\b([Ss]omebody|[Nn]obody|[Ww]hoever)\b",
    "his / he": r"\b(he|his|him)\b",
}
"""Patterns of prose that the style guide forbids, as regular expressions over comments and docstrings."""

NESTING = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
START_RUNS = 5


def find_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def find_code_lines(path: Path) -> set[int]:
    """The numbers of the lines that hold code, from 1."""
    text = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in find_docstrings(ast.parse(text)):
        lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def find_docstrings(tree: ast.AST) -> Iterator[ast.Expr]:
    """Every statement that is only a text: docstrings of modules, classes, functions and constants."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node


def read_prose(path: Path) -> str:
    """The comments and docstrings of a file."""
    text = path.read_text(encoding="utf-8")
    comments = [
        t.string for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT
    ]
    docstrings = [node.value.value for node in find_docstrings(ast.parse(text))]  # type: ignore[attr-defined]
    return "\n".join([*docstrings, *comments])


def measure_nesting(node: ast.AST, depth: int = 0) -> int:
    """How many control statements lie within each other, at most; `elif` adds no level."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        inner = depth + (isinstance(child, NESTING) and not is_elif)
        deepest = max(deepest, measure_nesting(child, inner))
    return deepest


def find_percentile(values: list[int], part: float) -> int:
    """The smallest value that at least `part` of the values do not exceed; 0 of an empty list."""
    return sorted(values)[max(0, -(-int(len(values) * part * 1000) // 1000) - 1)] if values else 0


def measure_folder(folder: str) -> dict[str, Any]:
    files, functions, nesting, classes = [], [], [], Counter[str]()
    for path in find_files(folder):
        code, tree = find_code_lines(path), ast.parse(path.read_text(encoding="utf-8"))
        files.append(len(code))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name] += 1
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(len(code & set(range(node.lineno, (node.end_lineno or node.lineno) + 1))))
                nesting.append(measure_nesting(node))
    return {
        "files": len(files),
        "code_lines": sum(files),
        "file_p95": find_percentile(files, 0.95),
        "file_max": max(files, default=0),
        "functions": len(functions),
        "function_p95": find_percentile(functions, 0.95),
        "function_max": max(functions, default=0),
        "nesting_max": max(nesting, default=0),
        "duplicate_class_names": sum(count > 1 for count in classes.values()),
    }


def count_prose(folder: str) -> dict[str, int]:
    prose = "\n".join(map(read_prose, find_files(folder)))
    return {name: len(re.findall(pattern, prose)) for name, pattern in PROSE.items()}


def measure_start_s() -> float:
    """The fastest of some starts of `kerbwatch --help`, in seconds."""
    command = [sys.executable, "-c", "from detector.cli.main import main; main()", "--help"]
    times = []
    for _ in range(START_RUNS):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)  # noqa: S603  # our own command
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true", help="print JSON")
    wanted = options.parse_args()
    source, tests = measure_folder("detector"), measure_folder("tests")
    measured = {
        "source": source,
        "tests": tests,
        "tests_per_source_line": round(tests["code_lines"] / source["code_lines"], 3),
        "prose": count_prose("detector"),
        "start_s": round(measure_start_s(), 2),
    }
    if wanted.json:
        print(json.dumps(measured, indent=1))
        return
    for name, value in measured.items():
        rows = value if isinstance(value, dict) else {"": value}
        for key, figure in rows.items():
            print(f"{f'{name} {key}'.strip():45} {figure}")


if __name__ == "__main__":
    main()
