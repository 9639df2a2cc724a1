"""The source of the program that runs, for whoever uses it over a network: section 13 of its licence asks for that."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import detector

TOP = (
    "pyproject.toml",
    "constraints.txt",
    "Makefile",
    "LICENSE",
    "README.md",
    "README.zh-CN.md",
    "CHANGELOG.md",
)
"""Files beside the package that building it needs, or that say what it is."""

BESIDE = ("deploy", "docs", "models", "tests", "tools")
"""Folders beside the package, where it runs from a checkout."""

TEXTS = frozenset({
    ".py", ".toml", ".txt", ".md", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".svg", ".mako", ".docx", ".conf",
    ".service", ".sh", ".typed", "",
})  # fmt: skip
"""Suffixes of what people edit. Weights, databases and footage are none of the source."""


@cache
def source_archive() -> bytes:
    """A .tar.gz of the package as it is installed, changes of the site among it; made once in a process."""
    root = Path(detector.__file__).resolve().parent.parent
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in _files(root):
            member = tarfile.TarInfo(f"kerbwatch-{detector.__version__}/{path.relative_to(root).as_posix()}")
            text = path.read_bytes()
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return content.getvalue()


def _files(root: Path) -> Iterator[Path]:
    """The package alone where it is installed among others; all of the checkout where there is one."""
    yield from _texts_below(root / "detector")
    if not (root / "pyproject.toml").is_file():
        return
    yield from (root / name for name in TOP if (root / name).is_file())
    for name in BESIDE:
        yield from _texts_below(root / name)


def _texts_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
        if path.suffix in TEXTS and not hidden and path.is_file() and not path.is_symlink():
            yield path
