"""Train the bin classifier by a recipe, and measure it on the pictures that were kept out.

`train_bins` is what `kerbwatch models train configs/training/bins.yaml` calls: the same recipe, pictures and backbone
give the same head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.config.bin_training import BinTrainingSettings
from detector.inference.backbone import BinNetwork, write_layers
from detector.inference.bin_fit import Example, Tell, fitted
from detector.inference.bin_pictures import Labelled, as_seen, chance_of, read_labelled
from detector.inference.bins import BinHead, sigmoid
from detector.inference.litter_data import read_picture
from detector.inference.weights import sha256_of

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

STEPS = 25
"""Newton's method on a logistic loss has converged long before."""
CLOSE_ENOUGH = 1e-5
"""A step that changes no coefficient by more ends the fit."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Containers whose probability lies in [from_p, until_p): how many, what was said on average, and what was so."""

    from_p: float
    until_p: float
    count: int
    said: float
    dirty_share: float


@dataclass(frozen=True, slots=True)
class BinScores:
    """What a classifier is worth on pictures it was not trained on."""

    pictures: int
    dirty: int
    auc: float
    """Chance that a dirty container gets a higher probability than a clean one."""
    recall: float
    """The recall that `precision_at_recall` is for."""
    precision_at_recall: float
    threshold: float
    precision_at_threshold: float
    recall_at_threshold: float
    brier: float
    """Mean squared difference of probability and truth: 0 is perfect."""
    base_brier: float
    """What always saying the share of dirty containers would get."""
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class BinReport:
    """What came of a recipe."""

    name: str
    head: str
    sha256: str
    size_bytes: int
    network: str
    network_sha256: str
    network_bytes: int
    backbone: str
    """The network that was trained on."""
    backbone_sha256: str
    licence: str
    """Of the pictures."""
    pictures_sha256: str
    """Over the names and bytes of all pictures, those that are measured on too."""
    training_pictures: int
    training_dirty: int
    epochs: int
    kept_out: BinScores
    """On the training pictures that were kept out of the fit: the threshold and the calibration are chosen by them."""
    held_out: BinScores
    held_out_as_seen: BinScores
    """On the same pictures, scaled down, cut and darkened as in training."""


def train_bins(
    settings: BinTrainingSettings,
    backbone: Path,
    cache: Path,
    out: Path,
    tell: Tell = lambda _done, _what: None,
) -> BinReport:
    """Train by a recipe, write the head to `out` and the network beside it, and return what they are worth.

    Raises BadInput where a folder of the recipe holds no picture, BadWeights where the backbone is another network.
    """
    training, held_out = (read_labelled(settings.pictures / half) for half in ("train", "val"))
    kept_out = [is_kept_out(one.path.name, settings) for one in training]
    examples = [
        Example(read_picture(one.path), one.dirty)
        for one, kept in zip(training, kept_out, strict=True)
        if not kept
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    network = out.with_suffix(".pt")
    write_layers(fitted(settings, backbone, examples, tell), network)
    chosen_by = [one for one, kept in zip(training, kept_out, strict=True) if kept]
    return measured(settings, sha256_of(backbone), cache, out, chosen_by, training, held_out)


def is_kept_out(name: str, settings: BinTrainingSettings) -> bool:
    """Whether a training picture is kept out of the fit: by its name, so that it stays when others come or go."""
    digest = hashlib.sha256(f"keep {name}".encode()).hexdigest()
    return int(digest, 16) % settings.fit.kept_out_of == 0


def measured(
    settings: BinTrainingSettings,
    backbone_sha256: str,
    cache: Path,
    out: Path,
    chosen_by: Sequence[Labelled],
    training: Sequence[Labelled],
    held_out: Sequence[Labelled],
) -> BinReport:
    """Calibrate the network beside `out` on pictures that were kept out, write its head, and measure both."""
    file = out.with_suffix(".pt")
    network = BinNetwork(file, cache, side_px=settings.side_px)
    truth = np.array([one.dirty for one in chosen_by])
    said = np.array([network.log_odds(read_picture(one.path)) for one in chosen_by])
    slope, offset = platt(said, truth)
    threshold = threshold_for(sigmoid(slope * said + offset), truth, settings.precision)
    head = BinHead(
        f"{settings.name}-network", network.sha256, settings.side_px, threshold, _short(slope), _short(offset)
    )
    head.write(out)
    plain, as_seen_ = _held_out_scores(settings, network, head, held_out)
    return BinReport(
        name=settings.name,
        head=out.name,
        sha256=sha256_of(out),
        size_bytes=out.stat().st_size,
        network=file.name,
        network_sha256=network.sha256,
        network_bytes=file.stat().st_size,
        backbone=settings.backbone,
        backbone_sha256=backbone_sha256,
        licence=settings.licence,
        pictures_sha256=_digest([*training, *held_out]),
        training_pictures=len(training) - len(chosen_by),
        training_dirty=sum(one.dirty for one in training) - int(truth.sum()),
        epochs=settings.fit.stop_after,
        kept_out=scores_of(sigmoid(slope * said + offset), truth, threshold, settings),
        held_out=plain,
        held_out_as_seen=as_seen_,
    )


def _short(value: float) -> float:
    """Six digits: more than the log-odds are exact to."""
    return float(f"{value:.6g}")


def _digest(pictures: Sequence[Labelled]) -> str:
    whole = hashlib.sha256()
    for one in pictures:
        whole.update(f"{one.path.name} {one.dirty} ".encode() + one.path.read_bytes())
    return whole.hexdigest()


def platt(said: Floats, truth: Flags) -> tuple[float, float]:
    """Slope and offset that make kept-out log-odds into probabilities as often right as they say (Platt 1999)."""
    slope, offset = 1.0, 0.0
    for _ in range(STEPS):
        chance = sigmoid(slope * said + offset)
        curve = np.maximum(chance * (1 - chance), 1e-6)
        wrong = truth - chance
        gradient = np.array([(wrong * said).sum(), wrong.sum()])
        hessian = np.array(
            [[(curve * said**2).sum(), (curve * said).sum()], [(curve * said).sum(), curve.sum()]]
        )
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        slope, offset = slope + step[0], offset + step[1]
        if np.abs(step).max() < CLOSE_ENOUGH:
            break
    return float(slope), float(offset)


def auc(said: Floats, truth: Flags) -> float:
    """Chance that a dirty picture ranks above a clean one, ties count half; shapes (n,), both kinds present."""
    order = np.argsort(said, kind="stable")
    _, first, counts = np.unique(said[order], return_index=True, return_counts=True)
    ranks = np.empty(len(said))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    dirty = int(truth.sum())
    return float((ranks[truth].sum() - dirty * (dirty + 1) / 2) / (dirty * (len(truth) - dirty)))


def precision_at(said: Floats, truth: Flags, recall: float) -> float:
    """The best precision of a threshold that finds at least this share of the dirty pictures."""
    found, precision = _curve(said, truth)
    return float(precision[found >= recall - 1e-12].max())


def threshold_for(said: Floats, truth: Flags, precision: float) -> float:
    """The lowest probability from which on the precision holds, rounded down to 0.01; 1 where none does."""
    ranked = np.sort(said)[::-1]
    held = np.flatnonzero(_curve(said, truth)[1] >= precision)
    return float(np.floor(100 * ranked[held[-1]]) / 100) if held.size else 1.0


def _curve(said: Floats, truth: Flags) -> tuple[Floats, Floats]:
    """Recall and precision of the highest k pictures, k = 1 ... n, shapes (n,)."""
    hits = np.cumsum(truth[np.argsort(-said, kind="stable")])
    return hits / truth.sum(), hits / np.arange(1, len(truth) + 1)


def reliability(said: Floats, truth: Flags, bins: int) -> Iterator[ReliabilityBin]:
    """What was said beside what was so, for each interval of probabilities that holds a picture."""
    at = np.minimum((said * bins).astype(int), bins - 1)
    for number in np.unique(at):
        here = at == number
        yield ReliabilityBin(
            number / bins,
            (number + 1) / bins,
            int(here.sum()),
            float(said[here].mean()),
            float(truth[here].mean()),
        )


def scores_of(said: Floats, truth: Flags, threshold: float, settings: BinTrainingSettings) -> BinScores:
    """Of probabilities, shape (n,), and the truth."""
    flagged = said >= threshold
    share = truth.mean()
    return BinScores(
        pictures=len(truth),
        dirty=int(truth.sum()),
        auc=auc(said, truth),
        recall=settings.recall,
        precision_at_recall=precision_at(said, truth, settings.recall),
        threshold=threshold,
        precision_at_threshold=float(truth[flagged].mean()) if flagged.any() else 1.0,
        recall_at_threshold=float(flagged[truth].mean()),
        brier=float(((said - truth) ** 2).mean()),
        base_brier=float(share * (1 - share)),
        reliability=tuple(reliability(said, truth, settings.bins)),
    )


def _held_out_scores(
    settings: BinTrainingSettings, network: BinNetwork, head: BinHead, pictures: Sequence[Labelled]
) -> tuple[BinScores, BinScores]:
    """On the pictures as they are, and as a camera might see them."""
    truth = np.array([one.dirty for one in pictures])
    plain, seen = [], []
    for one in pictures:
        image = read_picture(one.path)
        plain.append(head.probability(network.log_odds(image)))
        changed = as_seen(image, settings.seen, chance_of(settings.seed, one.path.name))
        seen.append(head.probability(network.log_odds(changed)))
    both = (scores_of(np.array(said), truth, head.threshold, settings) for said in (plain, seen))
    return next(both), next(both)


def write_report(report: BinReport, file: Path) -> None:
    file.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
