"""The part of a model card that is figures: written by the training itself, between two marks in the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detector.inference.litter_trial import Scores, StreetScore
from detector.inference.training import TrainingReport

BEGIN, END = "<!-- figures: written by `kerbwatch models train` -->", "<!-- end of figures -->"


def with_figures(card: str, report: TrainingReport) -> str:
    """The card with its figures replaced, or added at its end where it has none yet."""
    return with_block(card, figures(report))


def with_block(card: str, text: str) -> str:
    """The card with what stands between its two marks replaced, or added at its end where it has no marks yet."""
    block = f"{BEGIN}\n\n{text}\n{END}"
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        return before + block + after
    return f"{card.rstrip()}\n\n{block}\n".lstrip()


def figures(report: TrainingReport) -> str:
    """What was trained and how it does, as Markdown."""
    scores = report.scores
    tuning = [s for s in scores.streets if s.name == "tuning"]
    tests = [s for s in scores.streets if s.name == "test"]
    parts = [
        (
            f"`{report.weights}`: {report.size_bytes / 1e6:.1f} MB, SHA-256 `{report.sha256}`. Trained in "
            f"{report.training_s / 60:.0f} minutes, {report.epochs} epochs, on {report.close_ups} close-ups, "
            f"{report.composed} composed and {report.whole_pictures} whole pictures (SHA-256 of all of them "
            f"`{report.data_sha256[:16]}`)."
        ),
        markdown_table(("learned from", "licence"), report.licences.items()),
        markdown_table(
            ("close-ups never seen, at", "mAP50"),
            ((f"{size} px", f"{value:.3f}") for size, value in scores.close_up_map50.items()),
        ),
        "Bags never seen on street views never seen (`tuning`: kept-out bags on views that were trained on):",
        _street_table([*tuning, *tests]),
        (
            f"On {scores.clean_pictures} pictures without rubbish: {_alarms(report, scores.threshold)} false alarms at "
            f"{scores.threshold:g} or above, {len(scores.false_alarms)} at {scores.threshold / 2:g} or above."
        ),
    ]
    if scores.sources:
        parts += [
            "Whole pictures that were not trained on, by the best confidence in each:",
            _source_table(scores),
        ]
    if scores.false_alarms:
        rows = ((a.picture, f"{a.input_hw[1]} px", f"{a.confidence:.2f}", a.box) for a in scores.false_alarms)
        parts.append(markdown_table(("picture", "seen at", "confidence", "box"), rows))
    return "\n\n".join(parts) + "\n"


def _alarms(report: TrainingReport, threshold: float) -> int:
    return sum(alarm.confidence >= threshold for alarm in report.scores.false_alarms)


def _street_table(scores: Sequence[StreetScore]) -> str:
    names = ("test", "picture", "bags, px wide", "bags", "precision", "recall", "recall at precision 0.9")
    rows = (
        (
            s.name,
            "x".join(str(v) for v in s.resolution_wh),
            f"{s.from_px}-{s.until_px}",
            s.bags,
            f"{s.precision:.2f}",
            f"{s.recall:.2f} at {s.threshold:g}",
            f"{s.recall_at_precision:.2f} at {s.threshold_for_precision:.2f}",
        )
        for s in scores
    )
    return markdown_table(names, rows)


def _source_table(scores: Scores) -> str:
    names = ("pictures of", "at", "with rubbish", "flagged", "without", "flagged", "AUC", "mAP50")
    rows = (
        (
            s.name,
            f"{s.input_px} px",
            s.with_rubbish,
            f"{s.flagged_with} at {scores.threshold:g}",
            s.pictures - s.with_rubbish,
            f"{s.flagged_without} at {scores.threshold:g}",
            "-" if s.auc is None else f"{s.auc:.3f}",
            "-" if s.map50 is None else f"{s.map50:.3f}",
        )
        for s in scores.sources
    )
    return markdown_table(names, rows)


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
