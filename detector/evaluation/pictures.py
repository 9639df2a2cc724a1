"""Stills of what was found, missed and raised in vain, taken while the clip is at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from detector.core.geometry import Box
from detector.evaluation.evaluate import ClipScore, Pictured, Shot
from detector.evidence import jpeg
from detector.evidence.drawing import fit_width
from detector.pipeline.clips import Checked
from detector.pipeline.flow import looker_over

WIDTH_PX = 640
INSIDE_S = 0.3
"""A still at an end of a stretch is taken so long inside it, where the object is still or already there."""

Span = tuple[float, float]


def pictured(score: ClipScore, checked: Checked, folder: Path) -> ClipScore:
    """The score with stills at the start, the middle and the end of every match, miss, false alarm and duplicate."""
    (folder / "stills").mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(f"{score.source}|{score.name}".encode()).hexdigest()[:10]
    taken: list[Pictured] = []
    with looker_over(checked.parts, Path()) as looker:
        for number, (picture, span) in enumerate(_wanted(score)):
            shots: list[Shot] = []
            for at_s in _moments(span, score.duration_s):
                seen = looker.look(checked.start + timedelta(seconds=at_s))
                if seen is not None:
                    file = f"stills/{name}-{number:03d}-{len(shots)}.jpg"
                    (folder / file).write_bytes(jpeg(fit_width(seen.frame.image, WIDTH_PX)))
                    shots.append(Shot((seen.at - checked.start).total_seconds(), file))
            taken.append(replace(picture, shots=tuple(shots)))
    return replace(score, pictures=tuple(taken))


def boxes_of(score: ClipScore, picture: Pictured) -> tuple[Box | None, Box | None]:
    """The labelled box and the found box, in [0, 1]; None where there is none."""
    if picture.of_fault:
        return None, None
    labelled = None if picture.event is None else score.clip.events[picture.event].box
    found = None if picture.finding is None else score.findings[picture.finding].box
    return labelled, found


def _wanted(score: ClipScore) -> Iterator[tuple[Pictured, Span]]:
    events = [(event.from_s, event.until_s) for event in score.clip.events]
    faults = [(fault.from_s, fault.until_s) for fault in score.clip.faults]
    usable = score.clip.view == "ok" or bool(faults)
    for found, true, matching, of_fault in (
        (score.findings, events, score.matching, False),
        (score.faults if usable else (), faults, score.fault_matching, True),
    ):
        spans = [(finding.from_s, finding.until_s) for finding in found]
        for e, span in enumerate(true):
            if e not in matching.answered:
                yield Pictured("miss", None, e, of_fault, ()), span
        for f in matching.false(len(spans)):
            yield Pictured("false", f, None, of_fault, ()), spans[f]
        for f in matching.duplicates:
            yield Pictured("duplicate", f, None, of_fault, ()), spans[f]
        for f, e in matching.pairs:
            yield Pictured("match", f, e, of_fault, ()), spans[f]


def _moments(span: Span, duration_s: float) -> list[float]:
    """Start, middle and end, a little inside, within the clip."""
    start, end = max(0.0, span[0]), min(span[1], duration_s)
    inside_s = min(INSIDE_S, max(0.0, end - start) / 4)
    return [start + inside_s, (start + end) / 2, max(start, end - inside_s)]
