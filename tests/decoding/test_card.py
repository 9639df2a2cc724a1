"""A card that a recorder draws is told from a street, whatever its colour, and no weather makes a street a card."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_cards import CARDS, STREETS, encoded

from detector.core.values import NO_CARD, Frame
from detector.decoding.card import is_card
from detector.decoding.reader import Reader, probe
from detector.decoding.view import shows_card, view_state

RATED = [(name, None) for name in CARDS] + [("blue, VIDEO LOSS", 120), ("colour bars", 120)]


@pytest.mark.parametrize(("name", "kbit_s"), RATED)
def test_every_kind_of_card_is_told(name: str, kbit_s: int | None, tmp_path: Path) -> None:
    for picture in encoded(CARDS[name], tmp_path / "card.mp4", kbit_s=kbit_s):
        assert shows_card(view_state(picture)), view_state(picture).card


@pytest.mark.parametrize("kbit_s", [None, 60])
@pytest.mark.parametrize("name", STREETS)
def test_no_street_is_called_a_card(name: str, kbit_s: int | None, tmp_path: Path) -> None:
    for picture in encoded(STREETS[name], tmp_path / "street.mp4", kbit_s=kbit_s):
        assert not shows_card(view_state(picture)), view_state(picture).card


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_card_of_another_size_is_told(scale: float) -> None:
    card = CARDS["blue, VIDEO LOSS"](5)
    size_wh = (round(640 * scale), round(360 * scale))
    assert shows_card(view_state(np.asarray(cv2.resize(card, size_wh), np.uint8)))


def test_what_was_not_measured_is_no_card() -> None:
    assert not is_card(NO_CARD, 100.0)


@pytest.mark.slow
def test_no_picture_of_real_footage_is_called_a_card(shared: Path) -> None:
    for path in sorted((shared / "footage").rglob("*.*")):
        if path.suffix not in (".mp4", ".avi"):
            continue
        length_s = probe(path).duration_s
        with Reader(path) as reader:
            frames = [reader.frame_at(length_s * part, 0.0, (640, 384)) for part in (0.1, 0.5, 0.9)]
        shown = [view_state(frame.image) for frame in frames if isinstance(frame, Frame)]
        assert not any(shows_card(view) for view in shown), path.name
