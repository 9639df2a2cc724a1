"""Clips tried one by one, in worker processes with one thread each; made ones are composed there and thrown away."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from detector.config.labels import load_labels
from detector.config.rules import RuleSet
from detector.core.errors import BadInput
from detector.engines.local import cores, end_with_parent
from detector.evaluation.ablation import ablated, judged_apart, without
from detector.evaluation.evaluate import ClipScore, Evaluation, Eyes, Subject, limits_of, score_clip
from detector.evaluation.kept import Kept
from detector.evaluation.made import Made
from detector.evaluation.pictures import pictured

OpenEyes = Callable[[int], Eyes]
"""Opens the models, given how many threads they may use; picklable."""

Compose = Callable[[Made, Path], Path]
"""Composes a made case in a folder and returns its labels file; picklable."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried with every clip."""

    rules: RuleSet
    other: RuleSet | None = None
    """Rules to compare with; what was seen and decided before is then read from `kept`."""
    cadence_factors: tuple[float, ...] = ()
    """The clip is looked at again so many times as sparsely."""
    ablations: tuple[str, ...] = ()
    """Mechanisms that are switched off."""
    pictures: Path | None = None
    """The report's folder, for stills."""
    kept: Path | None = None
    compose: Compose | None = None
    made: Path | None = None
    """Where composed cases stay; thrown away where None."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One clip's scores: as it is, at other cadences, and under the other rules."""

    score: ClipScore
    by_factor: Mapping[float, ClipScore] = field(default_factory=dict)
    other: ClipScore | None = None


@dataclass(frozen=True, slots=True)
class Trials:
    """The scores of all clips."""

    evaluation: Evaluation
    by_factor: Mapping[float, Evaluation]
    other: Evaluation | None


def together(tried: Sequence[Tried], trial: Trial) -> Trials:
    others = tuple(one.other for one in tried if one.other is not None)
    return Trials(
        Evaluation(tuple(one.score for one in tried)),
        {
            factor: Evaluation(tuple(one.by_factor[factor] for one in tried))
            for factor in sorted({*trial.cadence_factors} - {1.0})
        },
        Evaluation(others) if trial.other is not None else None,
    )


def subjects_in(places: Sequence[Path]) -> list[Subject]:
    """The labelled clips of files, and of every labels.json below folders. Raises BadInput, BadConfig."""
    files: list[Path] = []
    for place in places:
        found = sorted(place.rglob("labels.json")) if place.is_dir() else [place]
        if not found:
            raise BadInput(f"{place}: no labels.json below this folder")
        files += found
    subjects = []
    for file in files:
        labels = load_labels(file)
        subjects += [Subject(clip, labels.folder, str(file)) for clip in labels.clips]
    return subjects


def try_all(
    tasks: Sequence[Subject | Made], trial: Trial, open_eyes: OpenEyes, *, workers: int | None = None
) -> Iterator[list[Tried]]:
    """Each task's clips, in order, as they are done. Raises UnreadableRecording for a clip that cannot be read."""
    count = max(1, min(workers or cores(), len(tasks)))
    if count == 1:
        eyes = open_eyes(0)
        for task in tasks:
            yield _try(task, trial, eyes)
        return
    with _pool(count, open_eyes, trial) as pool:
        yield from pool.map(_try_here, tasks)


def _try(task: Subject | Made, trial: Trial, eyes: Eyes) -> list[Tried]:
    if isinstance(task, Subject):
        return [_try_without(task, trial, eyes)]
    assert trial.compose is not None
    with TemporaryDirectory(prefix="kerbwatch-made-") as scratch:
        folder = trial.made / task.name.replace(" ", "-") if trial.made else Path(scratch)
        labels = load_labels(trial.compose(task, folder))
        return [
            _try_without(Subject(clip, labels.folder, task.name), trial, eyes) for clip in labels.clips
        ]  # fmt: skip


def _try_without(subject: Subject, trial: Trial, eyes: Eyes) -> Tried:
    """Try one clip without the mechanisms that are switched off; composing it needs them, for its truth."""
    with ablated(trial.ablations):
        return _try_clip(subject, trial, eyes)


def _try_clip(subject: Subject, trial: Trial, eyes: Eyes) -> Tried:
    kept = Kept(trial.kept, reuse=trial.other is not None) if trial.kept and not trial.ablations else None
    rules = without(limits_of(subject.clip, trial.rules), trial.ablations)
    both = [rules]
    if trial.other is not None:
        both.append(limits_of(subject.clip, trial.other, trial.rules))
    apart = judged_apart(trial.ablations)
    scores = score_clip(subject, both, eyes, kept=kept, apart=apart)
    score, checked = scores[0]
    if trial.pictures is not None:
        score = pictured(score, checked, trial.pictures)
    by_factor = {
        factor: score if factor == 1.0 else score_clip(subject, [rules], eyes, cadence_factor=factor)[0][0]
        for factor in trial.cadence_factors
    }
    return Tried(score, by_factor, scores[1][0] if trial.other is not None else None)


class _Worker:
    """What this process tries clips with; set once, when the worker starts."""

    eyes: Eyes | None = None
    trial: Trial | None = None


@contextmanager
def _pool(count: int, open_eyes: OpenEyes, trial: Trial) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(open_eyes, trial),
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start(open_eyes: OpenEyes, trial: Trial) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _Worker.eyes, _Worker.trial = open_eyes(1), trial


def _try_here(task: Subject | Made) -> list[Tried]:
    assert _Worker.eyes is not None
    assert _Worker.trial is not None
    return _try(task, _Worker.trial, _Worker.eyes)
