"""Two rule sets side by side: on labelled clips, and on what a scan stored and reviewers decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from detector.config.rules import RuleSet
from detector.config.settings import Settings
from detector.core.geometry import iou
from detector.core.times import Interval
from detector.core.values import Camera, Incident
from detector.engines.judging import Again, judge_again
from detector.evaluation.evaluate import ClipScore, Evaluation
from detector.evaluation.scores import Finding
from detector.footage.catalogue import Catalogue
from detector.issues.lifecycle import State
from detector.issues.values import Issue

SAME_IOU = 0.3

REJECTED = (State.REJECTED,)
UNDECIDED = (State.FLAGGED, State.MERGED, State.WITHDRAWN)
"""What no reviewer has said to be a violation or none; every other state comes after a confirmation."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An incident that only one of two rule sets finds; `true` where a label says so."""

    clip: str
    appeared: bool
    """Only the other rules find it."""
    violation: str
    zone: str | None
    from_s: float
    until_s: float
    true: bool

    def to_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def differences(these: Evaluation, other: Evaluation) -> list[Difference]:
    """What differs between two evaluations of the same clips, clip by clip."""
    found: list[Difference] = []
    for a, b in zip(these.clips, other.clips, strict=True):
        found += _only_in(a, b, appeared=False)
        found += _only_in(b, a, appeared=True)
    return found


def _only_in(one: ClipScore, other: ClipScore, *, appeared: bool) -> Iterator[Difference]:
    for index, finding in enumerate(one.findings):
        if not any(_same(finding, known) for known in other.findings):
            yield Difference(
                one.name,
                appeared,
                finding.violation.value,
                finding.zone_id,
                round(finding.from_s, 2),
                round(finding.until_s, 2),
                index in one.matching.matched,
            )


def _same(a: Finding, b: Finding) -> bool:
    if (a.violation, a.zone_id) != (b.violation, b.zone_id):
        return False
    if a.from_s >= b.until_s or b.from_s >= a.until_s:
        return False
    return not (a.box and b.box) or iou(a.box, b.box) >= SAME_IOU


def changed_rules(these: RuleSet, other: RuleSet) -> list[str]:
    """What two rule sets say differently, such as 'illegal_parking.dwell_s: 180 -> 240'."""
    said: list[str] = []
    for violation in sorted({*these.rules, *other.rules}):
        a, b = these.rules.get(violation), other.rules.get(violation)
        if a is None or b is None:
            said.append(
                f"{violation}: {'only in the other rules' if a is None else 'not in the other rules'}"
            )
            continue
        for field in fields(a):
            x, y = getattr(a, field.name), getattr(b, field.name)
            if x != y:
                said.append(f"{violation}.{field.name}: {_shown(x)} -> {_shown(y)}")
    return said


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a rule set makes of the issues that reviewers have decided."""

    confirmed: int
    """Issues that it raises and that were confirmed."""
    rejected: int
    undecided: int

    @property
    def precision(self) -> float | None:
        """The confirmed part of what was decided; None where nothing of it was."""
        decided = self.confirmed + self.rejected
        return self.confirmed / decided if decided else None

    def to_json(self) -> dict[str, Any]:
        precision = self.precision
        return {
            "confirmed": self.confirmed,
            "rejected": self.rejected,
            "undecided": self.undecided,
            "precision": None if precision is None else round(precision, 4),
        }


@dataclass(frozen=True, slots=True)
class OnReviews:
    """Two rule sets against the reviewers' verdicts of a scanned folder."""

    these: Reviewed
    other: Reviewed
    observations: int
    appeared: tuple[Incident, ...]
    """Suspicions of the other rules alone; no closer look was taken at them."""
    vanished: tuple[tuple[Issue, str], ...]
    """Issues that the other rules no longer raise and these still do, and why."""
    returned: tuple[Issue, ...]
    """Issues that the other rules still raise and these no longer do."""

    def to_json(self) -> dict[str, Any]:
        return {
            "these": self.these.to_json(),
            "other": self.other.to_json(),
            "observations": self.observations,
            "appeared": [
                {
                    "camera": i.camera_id, "violation": i.violation.value, "zone": i.zone_id,
                    "start": i.interval.start.isoformat(), "end": i.interval.end.isoformat(),
                }
                for i in self.appeared
            ],
            "vanished": [
                {"issue": issue.id, "state": issue.state.value, "reason": reason} for issue, reason in self.vanished
            ],
            "returned": [{"issue": issue.id, "state": issue.state.value} for issue in self.returned],
        }  # fmt: skip


def on_reviews(
    catalogue: Catalogue, settings: Settings, other: RuleSet, *, workers: int | None = None
) -> OnReviews:
    """Judge all stored observations by a folder's own rules and by others. Touches no recording and changes nothing."""
    stretches: list[tuple[Camera, Interval]] = []
    for camera in (camera for point in settings.points for camera in point.cameras):
        intervals = [recording.interval for recording in catalogue.known(camera.id).values()]
        if intervals:
            whole = Interval(min(i.start for i in intervals), max(i.end for i in intervals))
            stretches.append((camera, whole))
    by_these, by_other = (
        list(judge_again(Again(settings, rules), stretches, workers=workers))
        for rules in (settings.rules, other)
    )
    pairs = list(zip(by_these, by_other, strict=True))
    known = {suspicion.fingerprint for a, _ in pairs for suspicion in a.appeared}
    kept = {issue.id for a, _ in pairs for issue in a.kept}
    return OnReviews(
        these=_reviewed([issue for a, _ in pairs for issue in a.kept]),
        other=_reviewed([issue for _, b in pairs for issue in b.kept]),
        observations=sum(a.observations for a, _ in pairs),
        appeared=tuple(s for _, b in pairs for s in b.appeared if s.fingerprint not in known),
        vanished=tuple((issue, why) for _, b in pairs for issue, why in b.vanished if issue.id in kept),
        returned=tuple(issue for _, b in pairs for issue in b.kept if issue.id not in kept),
    )


def _reviewed(issues: Sequence[Issue]) -> Reviewed:
    rejected = sum(issue.state in REJECTED for issue in issues)
    undecided = sum(issue.state in UNDECIDED for issue in issues)
    return Reviewed(len(issues) - rejected - undecided, rejected, undecided)
