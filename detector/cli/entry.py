"""Where the command begins. A spawned worker imports this module again, and has no use for every subcommand."""

from __future__ import annotations

import os
import sys

UMASK = 0o077
"""Bits that no file or folder gets that the command makes: only the account that runs it may read and write them."""


def main() -> None:
    _keep_files_private()
    from detector.cli.main import main as run  # noqa: PLC0415  # half a second that workers spare

    run()


def _keep_files_private() -> None:
    """Set the umask before anything is written; processes that the command starts inherit it."""
    given = os.environ.get("KERBWATCH_UMASK", "")
    if not given:
        os.umask(UMASK)
    elif len(given) <= 4 and all(digit in "01234567" for digit in given):
        os.umask(int(given, 8))
    else:
        sys.exit(f"KERBWATCH_UMASK: {given!r} is no octal number such as 027")
