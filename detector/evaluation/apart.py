"""Scores of real and composed footage apart: by object width in source pixels, by light and by kind of camera. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from detector.config.labels import LabelledClip, LabelledEvent
from detector.core.geometry import Box
from detector.evaluation.evaluate import ClipScore, Evaluation
from detector.evaluation.scores import Finding, Tally, tally

WIDTHS_PX: Final[Mapping[str, tuple[float, float]]] = {
    "< 40 px": (0.0, 40.0),
    "40-64 px": (40.0, 64.0),
    "64-150 px": (64.0, 150.0),
    "> 150 px": (150.0, inf),
}
"""Ranges [from, until) of an object's width in pixels of its recording."""

NO_BOX: Final = "no box"
"""Where an event or a finding has no box."""

SEEN: Final = 0.4
"""An event whose `native_confidence` is below this does not count for the recall of what a native crop sees."""

SIZES: Final = ((1280, "below 720p"), (1920, "720p"), (3000, "1080p"))
"""Kinds of camera by the picture's width: below the first figure it is of that kind. Above all it is 4K."""


@dataclass(frozen=True, slots=True)
class Part:
    """Scores of one part of the footage; of events that a native crop sees, how many there are and were found."""

    name: str
    tally: Tally
    hours: float
    """Camera-hours of the clips; those of all clips where the part is a width."""
    seen: int
    seen_found: int

    @property
    def seen_recall(self) -> float | None:
        """None where no event is seen in a native crop."""
        return self.seen_found / self.seen if self.seen else None

    def to_json(self) -> dict[str, Any]:
        """Counts, rates and the recall of what a native crop sees."""
        recall = self.seen_recall
        alarms = self.tally.false_alarms
        return {
            **self.tally.to_json(),
            "camera_hours": round(self.hours, 4),
            "false_alarms_per_camera_day": round(alarms / self.hours * 24, 3) if self.hours else None,
            "seen_in_native_crop": {
                "events": self.seen,
                "matched": self.seen_found,
                "recall": None if recall is None else round(recall, 4),
            },
        }


@dataclass(frozen=True, slots=True)
class Footage:
    """Real or composed footage: its scores together, and by width, light and kind of camera."""

    name: str
    whole: Part
    by_width: tuple[Part, ...]
    by_light: tuple[Part, ...]
    by_camera: tuple[Part, ...]

    @property
    def groups(self) -> tuple[tuple[str, tuple[Part, ...]], ...]:
        """The parts by the name of what they are parts by."""
        return (("by_width", self.by_width), ("by_light", self.by_light), ("by_camera", self.by_camera))

    def to_json(self) -> dict[str, Any]:
        return {
            **self.whole.to_json(),
            **{group: {part.name: part.to_json() for part in parts} for group, parts in self.groups},
        }


def apart(evaluation: Evaluation) -> list[Footage]:
    """Real footage first, then composed; only those of which there are clips."""
    groups = {
        "real": [score for score in evaluation.clips if not score.clip.composed],
        "composed": [score for score in evaluation.clips if score.clip.composed],
    }
    return [_footage(name, Evaluation(tuple(scores))) for name, scores in groups.items() if scores]


def camera_of(clip: LabelledClip) -> str:
    """The kind of camera: as labelled, else by the picture's width."""
    if clip.camera:
        return clip.camera
    return next((kind for below, kind in SIZES if clip.resolution_wh[0] < below), "4K")


def width_of(box: Box | None, clip: LabelledClip) -> str:
    """The range of WIDTHS_PX into which a box in [0, 1] falls, or NO_BOX."""
    if box is None:
        return NO_BOX
    width_px = (box[2] - box[0]) * clip.resolution_wh[0]
    return next(name for name, (least, most) in WIDTHS_PX.items() if least <= width_px < most)


def _footage(name: str, evaluation: Evaluation) -> Footage:
    whole = _part(name, evaluation.clips)
    widths = [_width_part(width, evaluation) for width in (*WIDTHS_PX, NO_BOX)]
    return Footage(
        name,
        whole,
        tuple(part for part in widths if part.tally.events or part.tally.incidents),
        tuple(_part(light, part.clips) for light, part in evaluation.by_light().items()),
        tuple(_parts_by(evaluation, lambda score: camera_of(score.clip))),
    )


def _parts_by(evaluation: Evaluation, key: Callable[[ClipScore], str]) -> Iterator[Part]:
    for name in sorted({key(score) for score in evaluation.clips}):
        yield _part(name, tuple(score for score in evaluation.clips if key(score) == name))


def _part(name: str, scores: tuple[ClipScore, ...]) -> Part:
    evaluation = Evaluation(scores)
    seen = [found for score in scores for found in _seen(score, lambda _: True)]
    return Part(name, evaluation.overall, evaluation.camera_hours, len(seen), sum(seen))


def _width_part(width: str, evaluation: Evaluation) -> Part:
    total, seen = Tally(), list[bool]()
    for score in evaluation.clips:
        total += _tally_of_width(score, width)
        seen += _seen(score, lambda event, clip=score.clip: width_of(event.box, clip) == width)  # type: ignore[misc]
    return Part(width, total, evaluation.camera_hours, len(seen), sum(seen))


def _tally_of_width(score: ClipScore, width: str) -> Tally:
    """A finding that answers an event belongs to the event's width, any other to its own."""
    clip, matching = score.clip, score.matching
    answers = dict(matching.pairs)

    def belongs(index: int, finding: Finding) -> bool:
        box = clip.events[answers[index]].box if index in answers else finding.box
        return width_of(box, clip) == width

    findings = {index: f for index, f in enumerate(score.findings) if belongs(index, f)}
    events = {index: e for index, e in enumerate(clip.events) if width_of(e.box, clip) == width}
    places = {old: new for new, old in enumerate(findings)}
    event_places = {old: new for new, old in enumerate(events)}
    own = type(matching)(
        tuple((places[f], event_places[e]) for f, e in matching.pairs if f in places),
        tuple(places[f] for f in matching.duplicates if f in places),
    )
    found, true = list(findings.values()), list(events.values())
    violations = {f.violation for f in found} | {e.violation for e in true}
    return sum((tally(violation, found, true, own) for violation in sorted(violations)), Tally())


def _seen(score: ClipScore, wanted: Callable[[LabelledEvent], bool]) -> list[bool]:
    """Of the wanted events that a native crop was measured to see, whether each was found."""
    return [
        index in score.matching.answered
        for index, event in enumerate(score.clip.events)
        if wanted(event) and event.native_confidence is not None and event.native_confidence >= SEEN
    ]


COLUMNS: Final = (
    "events",
    "found",
    "missed",
    "false",
    "twice",
    "precision",
    "recall",
    "F1",
    "false/day",
    "seen: recall",
)


def rows_of(footage: Footage) -> Iterator[tuple[str, ...]]:
    """A row for the whole and each part: its name, and a text for each of COLUMNS."""
    for part in (footage.whole, *(part for _, parts in footage.groups for part in parts)):
        t = part.tally
        per_day = f"{t.false_alarms / part.hours * 24:.2f}" if part.hours else "-"
        recall = "-" if part.seen_recall is None else f"{part.seen_recall:.3f} of {part.seen}"
        yield (
            part.name, str(t.events), str(t.matched), str(t.missed), str(t.false_alarms), str(t.duplicates),
            f"{t.precision:.3f}", f"{t.recall:.3f}", f"{t.f1:.3f}", per_day, recall,
        )  # fmt: skip


def markdown_of(evaluation: Evaluation) -> str:
    """Tables in Markdown, real footage first."""
    lines: list[str] = []
    for footage in apart(evaluation):
        hours = footage.whole.hours
        lines += [f"### {footage.name.capitalize()} footage ({hours:.2f} camera-hours)", ""]
        lines += ["| | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows_of(footage)]
        lines.append("")
    return "\n".join(lines)
