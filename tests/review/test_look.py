"""The design's constants: what is read can be read, by day and by night."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import detector.review
from detector.core.values import Violation
from detector.issues import State
from detector.review.appearance import icons_svg, violations_css, violations_dark_css

STATIC = Path(detector.review.__file__).parent / "static"
TOKENS = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
DARK = (STATIC / "css" / "dark.css").read_text(encoding="utf-8")

GROUNDS = ("ground", "surface", "raised")
TEXTS = ("ink", "ink-soft", "ink-faint", "accent", "good", "bad", "warn")
BUTTONS = (("accent-ink", "accent"), ("good-ink", "good"), ("bad-ink", "bad"), ("bad", "bad-soft"), ("good", "good-soft"),
           ("warn", "warn-soft"), ("accent", "accent-soft"))  # fmt: skip


def colours_of(theme: str) -> dict[str, str]:
    """Names and colours; the dark theme is the light one with others in place of some."""
    light = (TOKENS, violations_css())
    texts = light if theme == "light" else (*light, DARK, violations_dark_css())
    return {
        name: colour for text in texts for name, colour in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text)
    }


def contrast(one: str, other: str) -> float:
    """As WCAG 2.1 defines it, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_what_it_stands_on(theme: str) -> None:
    """4.5 : 1 or more, for small text."""
    colours = colours_of(theme)
    coloured = [name for name in colours if name.startswith(("state-", "violation-"))]
    pairs = [(text, ground) for text in (*TEXTS, *coloured) for ground in GROUNDS]
    weak = {
        f"{text} on {ground}": round(contrast(colours[text], colours[ground]), 2)
        for text, ground in (*pairs, *BUTTONS)
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_edge_of_a_field_can_be_seen(theme: str) -> None:
    colours = colours_of(theme)
    assert contrast(colours["line-strong"], colours["raised"]) >= 3


def test_the_dark_theme_gives_other_colours_to_the_same_names() -> None:
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", TOKENS))
    dark = re.findall(r"--([\w-]+): (#[0-9a-f]{6});", DARK)
    assert {name for name, _ in dark} == light.keys()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figures_of_the_calendar_can_be_read(theme: str) -> None:
    colours = colours_of(theme)
    inks = ("heat-ink-0", "heat-ink", "heat-ink", "heat-ink-3", "heat-ink-4")
    contrasts = {step: contrast(colours[ink], colours[f"heat-{step}"]) for step, ink in enumerate(inks)}
    assert min(contrasts.values()) >= 4.5, contrasts


def test_every_state_and_violation_has_its_colour_and_every_violation_its_icon() -> None:
    icons = set(re.findall(r'<symbol id="([a-z_]+)"', icons_svg()))
    for theme in ("light", "dark"):
        colours = colours_of(theme)
        assert {f"state-{state}" for state in State} <= colours.keys()
        assert {f"violation-{violation}" for violation in Violation} <= colours.keys()
    assert {str(violation) for violation in Violation} <= icons


def test_every_icon_that_a_page_shows_is_there() -> None:
    icons = set(re.findall(r'<symbol id="([a-z_]+)"', icons_svg()))
    room = STATIC.parent
    texts = "\n".join(p.read_text(encoding="utf-8") for p in room.rglob("*") if p.suffix in (".html", ".js"))
    assert set(re.findall(r"""\bicon\(["']([a-z_]+)["']\)""", texts)) <= icons


def test_every_colour_and_size_of_a_style_has_a_name() -> None:
    """Colours stand in tokens.css alone; elsewhere but for what lies over footage, which has no theme."""
    for path in (STATIC / "css").glob("*.css"):
        if path.name in ("tokens.css", "dark.css"):
            continue
        used = set(re.findall(r"var\((--[\w-]+)\)", path.read_text(encoding="utf-8")))
        assert used - {"--mark"} <= set(re.findall(r"(--[\w-]+):", TOKENS)), (
            path.name
        )  # of a zone, over footage
