"""What a litter detector is worth: scores on bags of every size on street views, and false alarms where none lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.config.training import SizeBand, TrainingSettings, Trial
from detector.core.geometry import iou_matrix
from detector.core.values import Detections, Image
from detector.inference.detector import Detector, OpenVinoDetector
from detector.inference.litter_data import Boxes, Composer, scaled, seen_through_jpeg

LEAST_CONFIDENCE = 0.05
"""Detections below it are not looked at."""

See = Callable[[Image, tuple[int, int]], Detections]
"""A detector: a picture and the height and width of the network's input, to what it sees there."""
Mark = tuple[float, bool]
"""A detection's confidence, and whether it hit a bag."""


@dataclass(frozen=True, slots=True)
class StreetScore:
    """One test on composed street views; a hit overlaps a bag by an IoU of 0.5 or more.

    `from_px` and `until_px` bound the bags' widths in the picture, which the network gets unscaled.
    """

    name: str
    resolution_wh: tuple[int, int]
    from_px: int
    until_px: int
    pictures: int
    bags: int
    threshold: float
    precision: float
    """At `threshold`, as is `recall`."""
    recall: float
    recall_at_precision: float
    """The most that is found at the precision of the recipe or above it, at whichever threshold."""
    threshold_for_precision: float


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """A detection on a picture without rubbish; the box in pixels, xyxy."""

    picture: str
    input_hw: tuple[int, int]
    confidence: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class SourceScore:
    """What a detector says of whole pictures that it was not trained on, by the best confidence in each picture."""

    name: str
    input_px: int
    pictures: int
    with_rubbish: int
    map50: float | None
    """mAP50 of the boxes; None where the source has no exact boxes."""
    auc: float | None
    """Chance that a picture with rubbish has a higher best confidence than one without; None where a kind is absent."""
    flagged_with: int
    """Pictures with rubbish in which something is found at the threshold or above."""
    flagged_without: int
    """Pictures without rubbish in which something is found at the threshold or above: false alarms."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How a detector does on what it was not trained on."""

    threshold: float
    """The confidence that the recipe counts a detection from."""
    close_up_map50: dict[int, float]
    """mAP50 on the held-out close-ups, by input size."""
    streets: tuple[StreetScore, ...]
    clean_pictures: int
    false_alarms: tuple[FalseAlarm, ...]
    """On pictures without rubbish, at half the threshold or above."""
    sources: tuple[SourceScore, ...] = ()
    """On whole pictures of the recipe's `trial.sources`."""


def seeing(weights: Path, cache: Path) -> See:
    """The detector in a weights file as it runs every night on a CPU, for whichever input it is asked for."""
    opened: dict[tuple[int, int], Detector] = {}

    def see(image: Image, input_hw: tuple[int, int]) -> Detections:
        if input_hw not in opened:
            opened[input_hw] = OpenVinoDetector(
                weights, cache, input_hw=input_hw, confidence=LEAST_CONFIDENCE
            )
        return opened[input_hw].detect([image])[0]

    return see


def street_scores(
    see: See, settings: TrainingSettings, composers: dict[str, Composer]
) -> Iterator[StreetScore]:
    """The aim's sizes on kept-out and on unseen bags, the latter at every resolution; then each size by itself."""
    trial = settings.trial
    first = trial.views_wh[0]
    tests = [("tuning", first, trial.aim), *(("test", view_wh, trial.aim) for view_wh in trial.views_wh)]
    tests += [("test", first, band) for band in trial.bands]
    for stream, (name, resolution_wh, band) in enumerate(tests, start=2):
        if name in composers:
            streams = [settings.seed, stream]
            yield street_score(see, trial, composers[name], name, resolution_wh, band, streams)


def street_score(
    see: See,
    trial: Trial,
    composer: Composer,
    name: str,
    resolution_wh: tuple[int, int],
    band: SizeBand,
    seed: Sequence[int],
) -> StreetScore:
    """Score on composed views, the pictures drawn from `seed`."""
    marks: list[Mark] = []
    bags = 0
    for number in range(trial.pictures):
        made = composer.for_testing(np.random.default_rng([*seed, number]), resolution_wh, [band])
        seen = see(seen_through_jpeg(made), input_for(resolution_wh, trial.enlarge))
        boxes = seen.boxes * (*resolution_wh, *resolution_wh)
        marks += marks_of(boxes, seen.confidences, made.boxes, made.hardly_seen)
        bags += len(made.boxes)
    precision, recall = precision_recall(marks, bags, trial.threshold)
    lowest = threshold_for(marks, trial.precision)
    return StreetScore(
        name=name,
        resolution_wh=resolution_wh,
        from_px=band.from_px,
        until_px=band.until_px,
        pictures=trial.pictures,
        bags=bags,
        threshold=trial.threshold,
        precision=precision,
        recall=recall,
        recall_at_precision=precision_recall(marks, bags, lowest)[1],
        threshold_for_precision=lowest,
    )


def input_for(resolution_wh: tuple[int, int], enlarge: float = 1.0) -> tuple[int, int]:
    """Height and width of the network's input that takes a picture so many times enlarged: the next multiples of 32."""
    width, height = (round(side * enlarge) for side in resolution_wh)
    return (height + 31) // 32 * 32, (width + 31) // 32 * 32


def marks_of(
    boxes: npt.NDArray[np.floating],
    confidences: npt.NDArray[np.floating],
    truth: Boxes,
    either_way: Boxes,
) -> list[Mark]:
    """Each detection's mark. Who sees a bag that hardly can be seen (`either_way`) is neither right nor wrong."""
    hits = match(boxes, confidences, truth)
    excused = np.zeros(len(boxes), bool)
    if len(boxes) and len(either_way):
        excused = iou_matrix(boxes.astype(float), either_way).max(axis=1) >= 0.3
    return [
        (float(confidence), hit is not None)
        for confidence, hit, pardon in zip(confidences, hits, excused, strict=True)
        if hit is not None or not pardon
    ]


def match(
    boxes: npt.NDArray[np.floating], confidences: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]
) -> list[int | None]:
    """For each detection, which true box it hits (IoU 0.5 or more, the surest detection first), or None."""
    hits: list[int | None] = [None] * len(boxes)
    if len(boxes) and len(truth):
        overlap = iou_matrix(boxes.astype(float), truth.astype(float))
        for i in np.argsort(-confidences, kind="stable"):
            best = int(overlap[i].argmax())
            if overlap[i, best] >= 0.5:
                hits[int(i)] = best
                overlap[:, best] = 0
    return hits


def source_score(
    see: See, name: str, pictures: Iterable[tuple[Image, bool]], trial: Trial, map50: float | None
) -> SourceScore:
    """Score by the best confidence in each picture; a picture comes with whether it shows rubbish."""
    side = trial.source_imgsz
    best: dict[bool, list[float]] = {True: [], False: []}
    for image, has_rubbish in pictures:
        found = see(image, (side, side)).confidences
        best[has_rubbish].append(float(found.max()) if len(found) else 0.0)
    with_, without = np.array(best[True]), np.array(best[False])
    return SourceScore(
        name=name,
        input_px=side,
        pictures=len(with_) + len(without),
        with_rubbish=len(with_),
        map50=map50,
        auc=ranking(with_, without),
        flagged_with=int((with_ >= trial.threshold).sum()),
        flagged_without=int((without >= trial.threshold).sum()),
    )


def ranking(higher: npt.NDArray[np.floating], lower: npt.NDArray[np.floating]) -> float | None:
    """Chance that one of the first exceeds one of the second, ties count half; None where one of them is empty."""
    if not len(higher) or not len(lower):
        return None
    above, equal = higher[:, None] > lower[None], higher[:, None] == lower[None]
    return float((above + 0.5 * equal).mean())


def precision_recall(marks: Sequence[Mark], bags: int, threshold: float) -> tuple[float, float]:
    """Precision (1 where nothing is detected) and recall of the detections at a threshold or above."""
    kept = [hit for confidence, hit in marks if confidence >= threshold]
    return (sum(kept) / len(kept) if kept else 1.0), (sum(kept) / bags if bags else 0.0)


def threshold_for(marks: Sequence[Mark], precision: float) -> float:
    """The lowest confidence of a detection from which on the precision holds; 1 where none does."""
    ranked = sorted(marks, reverse=True)
    best, hits = 1.0, 0
    for count, (confidence, hit) in enumerate(ranked, start=1):
        hits += hit
        tied = count < len(ranked) and ranked[count][0] == confidence
        if not tied and hits / count >= precision:
            best = confidence
    return best


def false_alarms(
    see: See, pictures: Iterable[tuple[str, Image]], threshold: float, enlarge: float
) -> Iterator[FalseAlarm]:
    """What is seen on pictures that hold no rubbish, of their own size up to 1280 px and of 640 px, then enlarged."""
    for name, image in pictures:
        height, width = image.shape[:2]
        for scale in sorted({min(1.0, 1280 / width), min(1.0, 640 / width)}):
            small = scaled(image, scale) if scale < 1 else image
            input_hw = input_for((small.shape[1], small.shape[0]), enlarge)
            seen = see(small, input_hw)
            for confidence, box in zip(seen.confidences, seen.boxes, strict=True):
                if confidence >= threshold:
                    x1, y1, x2, y2 = (int(v) for v in box * (width, height, width, height))
                    yield FalseAlarm(name, input_hw, float(confidence), (x1, y1, x2, y2))
