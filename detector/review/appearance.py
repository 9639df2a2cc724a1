"""What pages show of each violation, made from the table of rules: colours and icons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response

from detector.config.violations import RULES

STATIC: Final = Path(__file__).parent / "static"


def violations_css() -> str:
    """Names on light pages, and boxes over footage."""
    lines = [":root {"]
    lines += [f"  --violation-{violation}: {entry.shades[0]};" for violation, entry in RULES.items()]
    lines.append("}")
    for violation, entry in RULES.items():
        lines.append(f".violation.{violation} {{ color: var(--violation-{violation}); }}")
        lines.append(f".box-mark.{violation} {{ stroke: {entry.colour}; }}")
    return "\n".join(lines) + "\n"


def violations_dark_css() -> str:
    """Names on dark pages."""
    lines = [f"  --violation-{violation}: {entry.shades[1]};" for violation, entry in RULES.items()]
    return "\n".join([":root {", *lines, "}"]) + "\n"


def icons_svg() -> str:
    """The symbols of the file, and one for each violation."""
    text = (STATIC / "icons.svg").read_text(encoding="utf-8")
    symbols = "".join(
        f'  <symbol id="{violation}" viewBox="0 0 24 24">{entry.icon}</symbol>\n'
        for violation, entry in RULES.items()
    )
    return text.replace("</svg>", f"{symbols}</svg>")


MADE: Final[dict[str, tuple[Callable[[], str], str]]] = {
    "/static/css/violations.css": (violations_css, "text/css"),
    "/static/css/violations-dark.css": (violations_dark_css, "text/css"),
    "/static/icons.svg": (icons_svg, "image/svg+xml"),
}
"""Paths among the static files whose content is made, with their media types."""


def serve_made(app: FastAPI) -> None:
    """Serve them; to be called before the static files are mounted. As these, they need no account."""
    for path, (made, media_type) in MADE.items():
        app.add_route(path, _serving(made(), media_type), methods=["GET"])


def _serving(text: str, media_type: str) -> Callable[[Request], Response]:
    def serve(_: Request) -> Response:
        return Response(text, media_type=media_type)

    return serve
