"""The figures of the bin classifier's card, written by its training between the two marks of the page."""

from __future__ import annotations

from detector.inference.bin_training import BinReport, BinScores
from detector.inference.model_card import markdown_table


def figures(report: BinReport) -> str:
    """What was trained and what it is worth, as Markdown."""
    parts = [
        (
            f"`{report.network}`: {report.network_bytes / 1e6:.1f} MB, SHA-256 `{report.network_sha256}`; its head "
            f"`{report.head}`: SHA-256 `{report.sha256}`. Fitted to {report.training_pictures} pictures "
            f"({report.training_dirty} dirty) in {report.epochs} epochs. SHA-256 of all pictures "
            f"`{report.pictures_sha256[:16]}`, their licence: {report.licence}. Trained on from `{report.backbone}`, "
            f"SHA-256 `{report.backbone_sha256[:16]}`."
        ),
        _scores_table(report),
        (
            "Calibration on the held-out pictures: of the containers with a probability in an interval, what it was "
            "on average, and how many were dirty."
        ),
        markdown_table(
            ("probability", "containers", "mean probability", "share dirty"),
            (
                (
                    f"{one.from_p:.1f}-{one.until_p:.1f}",
                    one.count,
                    f"{one.said:.2f}",
                    f"{one.dirty_share:.2f}",
                )
                for one in report.held_out.reliability
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _scores_table(report: BinReport) -> str:
    recall = report.held_out.recall
    names = (
        "measured on",
        "pictures",
        "dirty",
        "AUC",
        f"precision at recall {recall:g}",
        "at the threshold",
        "Brier",
    )
    rows = (
        ("training pictures that were kept out of the fit", report.kept_out),
        ("held-out pictures", report.held_out),
        ("held-out pictures, small and at times dark", report.held_out_as_seen),
    )
    return markdown_table(names, (_row(name, scores) for name, scores in rows))


def _row(name: str, scores: BinScores) -> tuple[object, ...]:
    return (
        name,
        scores.pictures,
        scores.dirty,
        f"{scores.auc:.3f}",
        f"{scores.precision_at_recall:.2f}",
        f"precision {scores.precision_at_threshold:.2f}, recall {scores.recall_at_threshold:.2f} at {scores.threshold:g}",
        f"{scores.brier:.3f} (always the mean: {scores.base_brier:.3f})",
    )
