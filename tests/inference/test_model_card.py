"""The figures in a model card."""

from __future__ import annotations

from dataclasses import replace

from detector.inference.litter_trial import FalseAlarm, Scores, SourceScore, StreetScore
from detector.inference.model_card import with_figures
from detector.inference.training import TrainingReport

STREET = StreetScore("test", (1280, 720), 20, 60, 150, 400, 0.4, 0.92, 0.86, 0.87, 0.31)
REPORT = TrainingReport(
    name="litter",
    weights="litter.pt",
    sha256="a" * 64,
    size_bytes=6_200_000,
    recipe_sha256="b" * 64,
    data_sha256="c" * 64,
    licences={"trashbags": "CC BY 4.0"},
    close_ups=440,
    composed=2000,
    whole_pictures=983,
    epochs=3,
    scores=Scores(
        threshold=0.4,
        close_up_map50={416: 0.881},
        streets=(STREET,),
        clean_pictures=20,
        false_alarms=(FalseAlarm("bus.jpg", (640, 480), 0.31, (1, 2, 3, 4)),),
    ),
    training_s=1800.0,
)


def test_the_figures_are_added_to_a_card_and_later_replaced_while_its_words_stay() -> None:
    card = with_figures("# litter\n\nBefore.\n", REPORT) + "\nAfter.\n"
    again = with_figures(card, replace(REPORT, size_bytes=7_100_000))
    assert again.startswith("# litter\n\nBefore.\n")
    assert again.endswith("\nAfter.\n")
    assert "6.2 MB" not in again
    assert again.count("7.1 MB") == 1


def test_a_card_says_sizes_licences_and_every_false_alarm() -> None:
    card = with_figures("", REPORT)
    assert "| trashbags | CC BY 4.0 |" in card
    assert "| 416 px | 0.881 |" in card
    assert "30 minutes, 3 epochs, on 440 close-ups, 2000 composed and 983 whole pictures" in card
    assert "| test | 1280x720 | 20-60 | 400 | 0.92 | 0.86 at 0.4 | 0.87 at 0.31 |" in card
    assert "0 false alarms at 0.4 or above, 1 at 0.2 or above" in card
    assert "bus.jpg" in card


def test_a_card_says_what_whole_pictures_scored_and_leaves_out_what_they_have_not() -> None:
    sources = (
        SourceScore("reports", 640, 54, 43, None, 0.871, 30, 1),
        SourceScore("wet_roads", 640, 48, 0, None, None, 0, 2),
    )
    card = with_figures("", replace(REPORT, scores=replace(REPORT.scores, sources=sources)))
    assert "| reports | 640 px | 43 | 30 at 0.4 | 11 | 1 at 0.4 | 0.871 | - |" in card
    assert "| wet_roads | 640 px | 0 | 0 at 0.4 | 48 | 2 at 0.4 | - | - |" in card
