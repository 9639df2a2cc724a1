"""Train the bin classifier by a recipe, and measure it on the pictures that were kept out.

`train_bins` is what `kerbwatch models train configs/training/bins.yaml` calls: the same recipe, pictures and backbone
give the same head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detector.config.bin_training import BinTrainingSettings, Seen
from detector.core.errors import BadInput
from detector.core.values import Image
from detector.inference.backbone import Backbone
from detector.inference.bins import BinHead, sigmoid
from detector.inference.litter_data import read_picture
from detector.inference.weights import sha256_of

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Tell = Callable[[float, str], None]
"""Hears which share of the work is done, and what is being done."""

STEPS = 25
"""Newton's method on a logistic loss has converged long before."""
CLOSE_ENOUGH = 1e-5
"""A step that changes no coefficient by more ends the fit."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture of a container."""

    path: Path
    dirty: bool


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
    backbone: str
    backbone_sha256: str
    licence: str
    """Of the pictures."""
    pictures_sha256: str
    """Over the names and bytes of all pictures, those that are measured on too."""
    training_pictures: int
    training_dirty: int
    views: int
    """The pictures and their changed copies."""
    penalty: float
    cross_validation: BinScores
    """On the training pictures as they are, each by a head that was trained on the other folds."""
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
    """Train by a recipe, write the head to `out`, and return what it is worth.

    Raises BadInput where a folder of the recipe holds no picture, BadWeights where the backbone is another network.
    """
    training, held_out = (read_labelled(settings.pictures / half) for half in ("train", "val"))
    reader = Backbone(backbone, cache, side_px=settings.side_px)
    features, views = _features(settings, reader, training, tell)
    truth = np.array([one.dirty for one in training])
    folds = folds_of([one.path.name for one in training], settings.folds, settings.seed)
    penalty, said = _best_penalty(settings, features, truth, views, folds)
    slope, offset = platt(said, truth)
    bias, weights = fit(features, truth[views], penalty)
    threshold = threshold_for(sigmoid(slope * said + offset), truth, settings.precision)
    head = BinHead(
        settings.backbone, reader.sha256, settings.side_px, threshold, slope * bias + offset, slope * weights
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    head.write(out)
    plain, as_seen = _held_out_scores(settings, reader, BinHead.read(out), held_out)
    return BinReport(
        name=settings.name,
        head=out.name,
        sha256=sha256_of(out),
        size_bytes=out.stat().st_size,
        backbone=settings.backbone,
        backbone_sha256=reader.sha256,
        licence=settings.licence,
        pictures_sha256=_digest([*training, *held_out]),
        training_pictures=len(training),
        training_dirty=int(truth.sum()),
        views=len(views),
        penalty=penalty,
        cross_validation=scores_of(sigmoid(slope * said + offset), truth, threshold, settings),
        held_out=plain,
        held_out_as_seen=as_seen,
    )


def read_labelled(folder: Path) -> list[Labelled]:
    """The pictures of the folders `clean` and `dirty`, by name. Raises BadInput where one of them holds none."""
    found = []
    for name in ("clean", "dirty"):
        files = sorted((folder / name).glob("*.jpg"))
        if not files:
            raise BadInput(f"{folder / name}: no pictures (*.jpg)")
        found += [Labelled(path, name == "dirty") for path in files]
    return found


def _digest(pictures: Sequence[Labelled]) -> str:
    whole = hashlib.sha256()
    for one in pictures:
        whole.update(f"{one.path.name} {one.dirty} ".encode() + one.path.read_bytes())
    return whole.hexdigest()


def _features(
    settings: BinTrainingSettings, reader: Backbone, pictures: Sequence[Labelled], tell: Tell
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Features of every view, shape (views, n), the pictures as they are first; and of which picture each view is."""
    rows = []
    for number, one in enumerate(pictures):
        tell(number / len(pictures), "reading features")
        views = _views(read_picture(one.path), one.path.name, settings)
        rows.append([reader.features(view) for view in views])
    whole = np.asarray(rows, np.float64)  # pictures x views x n
    of = np.tile(np.arange(whole.shape[0]), whole.shape[1])
    return whole.transpose(1, 0, 2).reshape(-1, whole.shape[2]), of


def _views(image: Image, name: str, settings: BinTrainingSettings) -> Iterator[Image]:
    """The picture and its changed copies, half of which are mirrored; chance comes from the seed and the name."""
    yield image
    rng = _chance(settings.seed, name)
    for _ in range(settings.seen.copies):
        yield as_seen(image, settings.seen, rng)


def _chance(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)])


def as_seen(image: Image, seen: Seen, rng: np.random.Generator) -> Image:
    """A picture of a container as a surveillance camera might show it: cut, small, at times dark, blurred, noisy."""
    height, width = image.shape[:2]
    left, right, top, bottom = rng.uniform(0, seen.crop, 4) if seen.crop else np.zeros(4)
    cut = image[
        int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)
    ]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    scale = rng.uniform(seen.from_px, seen.until_px) / max(cut.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    light = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=method), np.float32)
    if rng.random() < seen.night:  # lamps give little light, and less of blue than of red
        colour = np.array([rng.uniform(0.6, 1), rng.uniform(0.8, 1), 1], np.float32)
        light *= np.float32(rng.uniform(0.15, 0.6)) * colour
    else:
        light = (light - light.mean()) * rng.uniform(0.75, 1.2) + light.mean() * rng.uniform(0.75, 1.2)
    if rng.random() < seen.blur:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, 1.2)))
    light += np.float32(rng.uniform(0, 8)) * rng.standard_normal(light.shape, np.float32)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 93))]
    written = cv2.imencode(".jpg", np.clip(light, 0, 255).astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)


def folds_of(names: Sequence[str], folds: int, seed: int) -> npt.NDArray[np.intp]:
    """A fold for each picture, shape (n,): by its name, so that it stays when others come or go."""
    return np.array(
        [int(hashlib.sha256(f"{seed} {name}".encode()).hexdigest(), 16) % folds for name in names]
    )


def _best_penalty(
    settings: BinTrainingSettings,
    features: Floats,
    truth: Flags,
    views: npt.NDArray[np.intp],
    folds: npt.NDArray[np.intp],
) -> tuple[float, Floats]:
    """The penalty whose heads rank kept-out pictures best, and what they say of each: log-odds, shape (pictures,)."""
    best: tuple[float, float, Floats] | None = None
    for penalty in settings.penalties:
        said = np.zeros(len(truth))
        for fold in range(settings.folds):
            learned = folds[views] != fold
            bias, weights = fit(features[learned], truth[views][learned], penalty)
            asked = np.flatnonzero(folds == fold)
            said[asked] = bias + features[asked] @ weights
        if best is None or auc(said, truth) > best[0]:
            best = auc(said, truth), penalty, said
    assert best is not None  # the settings demand a penalty
    return best[1], best[2]


def fit(features: Floats, truth: Flags, penalty: float) -> tuple[float, Floats]:
    """Logistic regression by Newton's method on the Gram matrix, as there are more features than pictures.

    Minimises the logistic loss plus penalty / 2 times the squared weights of standardised features, whose scale is
    such that a picture has length 1 on average. Returns the bias and the weights, shape (n,), for features as they
    are.
    """
    mean = features.mean(axis=0)
    scale = (features.std(axis=0) + 1e-9) * np.sqrt(features.shape[1])
    rows = (features - mean) / scale
    gram, count = rows @ rows.T, len(rows)
    system = np.ones((count + 1, count + 1))
    system[count, count] = 0
    solved = np.zeros(count + 1)
    for _ in range(STEPS):
        odds = gram @ solved[:count] + solved[count]
        chance = sigmoid(odds)
        curve = np.maximum(chance * (1 - chance), 1e-6)
        system[:count, :count] = gram + np.diag(penalty / curve)
        step = np.linalg.solve(system, np.append(odds + (truth - chance) / curve, 0.0))
        moved = np.abs(step - solved).max()
        solved = step
        if moved < CLOSE_ENOUGH:
            break
    weights = rows.T @ solved[:count] / scale
    return float(solved[count] - mean @ weights), weights


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
    settings: BinTrainingSettings, reader: Backbone, head: BinHead, pictures: Sequence[Labelled]
) -> tuple[BinScores, BinScores]:
    """On the pictures as they are, and as a camera might see them."""
    truth = np.array([one.dirty for one in pictures])
    plain, seen = [], []
    for one in pictures:
        image = read_picture(one.path)
        plain.append(head.probability(reader.features(image)))
        changed = as_seen(image, settings.seen, _chance(settings.seed, one.path.name))
        seen.append(head.probability(reader.features(changed)))
    both = (scores_of(np.array(said), truth, head.threshold, settings) for said in (plain, seen))
    return next(both), next(both)


def write_report(report: BinReport, file: Path) -> None:
    file.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
