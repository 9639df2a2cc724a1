"""Where the command begins. A spawned worker imports this module again, and has no use for every subcommand."""

from __future__ import annotations


def main() -> None:
    from detector.cli.main import main as run  # noqa: PLC0415  # half a second that workers spare

    run()
