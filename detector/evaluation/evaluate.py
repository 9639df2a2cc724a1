"""Scores labelled clips with the same code as `scan` and `check`, and adds the scores up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any

from detector.config.labels import LabelledClip
from detector.config.rules import RuleSet, rules_with_limits
from detector.core.geometry import scaled
from detector.core.times import DailyHours, days_of, local_day
from detector.core.values import Camera, Category, Point, Proof, Violation
from detector.evaluation.kept import Kept
from detector.evaluation.scores import Finding, Matching, Tally, match, match_faults, tally, tally_faults
from detector.inference.detector import Detector
from detector.inference.second import NO_SECOND_MODELS, SecondModels
from detector.observing.observe import Observed
from detector.pipeline.clips import Checked, judge_files_by, observe_files, parts_of, prove_files
from detector.pipeline.flow import Part, sight_of, stretches_of
from detector.proving.verdict import verdict_on
from detector.sampling.plan import Cadence, Look, cadence_for, looks_at

NIGHT = DailyHours(19 * 60, 6 * 60)
"""A clip that begins within these local hours is a night clip, unless its label names the light."""


class Apart(StrEnum):
    """What of a clip is judged by itself."""

    NOT = "not"
    RECORDINGS = "recordings"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class Eyes:
    """The models that look: the general one, and those that are asked at few samples."""

    detector: Detector
    second: SecondModels = NO_SECOND_MODELS

    @property
    def model_id(self) -> str:
        return "+".join(name for name in (self.detector.model_id, self.second.model_id) if name)


@dataclass(frozen=True, slots=True)
class Subject:
    """A labelled clip, the folder of its files, and where it comes from: a labels file, or a made case's name."""

    clip: LabelledClip
    folder: Path
    source: str

    @property
    def files(self) -> list[Path]:
        return [self.folder / name for name in self.clip.files]


@dataclass(frozen=True, slots=True)
class Drop:
    """A suspicion that did not withstand the closer look."""

    violation: Violation
    zone_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A still for the report: when, in seconds from the clip's start, and its file within the report's folder."""

    at_s: float
    file: str


@dataclass(frozen=True, slots=True)
class Pictured:
    """Stills of a match, a miss, a false alarm or a duplicate: which finding and which labelled event they show."""

    kind: str
    finding: int | None
    event: int | None
    of_fault: bool
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class ClipScore:
    """One clip, what was found in it, and how that agrees with its labels. Camera faults stand apart."""

    clip: LabelledClip
    source: str
    duration_s: float
    looks: int
    unreadable_looks: int
    every_s: float
    """The usual time between two looks."""
    view: str
    findings: tuple[Finding, ...]
    faults: tuple[Finding, ...]
    dropped: tuple[Drop, ...]
    matching: Matching
    fault_matching: Matching
    watched: frozenset[Violation] = frozenset()
    """The violations that could be found: a rule in force, and a zone that it looks at."""
    pictures: tuple[Pictured, ...] = ()

    @property
    def name(self) -> str:
        return self.clip.files[0]

    @property
    def light(self) -> str:
        """'day', 'night' or 'rain'."""
        return self.clip.light or ("night" if NIGHT.holds_at(self.clip.starts_at) else "day")

    @property
    def view_right(self) -> bool:
        return self.view == self.clip.view

    @property
    def fault_tally(self) -> Tally:
        """Faults found in a clip whose view is labelled unusable are neither right nor wrong."""
        if self.clip.view != "ok" and not self.clip.faults:
            return Tally()
        return tally_faults(self.faults, self.clip.faults, self.fault_matching)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a set of clips."""

    clips: tuple[ClipScore, ...]

    @property
    def by_violation(self) -> dict[Violation, Tally]:
        tallies: defaultdict[Violation, Tally] = defaultdict(Tally)
        for score in self.clips:
            events = score.clip.events
            for violation in {e.violation for e in events} | {f.violation for f in score.findings}:
                tallies[violation] += tally(violation, score.findings, events, score.matching)
        return dict(sorted(tallies.items()))

    @property
    def overall(self) -> Tally:
        return sum(self.by_violation.values(), Tally())

    @property
    def camera_faults(self) -> Tally:
        return sum((score.fault_tally for score in self.clips), Tally())

    @property
    def faults_named_right(self) -> int:
        """Of the camera faults found, those that are called what the label calls them."""
        return sum(
            score.faults[f].what == score.clip.faults[e].what
            for score in self.clips
            for f, e in score.fault_matching.pairs
        )

    @property
    def camera_hours(self) -> float:
        return sum(score.duration_s for score in self.clips) / 3600

    def hours_watched(self, violation: Violation) -> float:
        """The camera-hours in which a violation could be found, or raised in vain."""
        return sum(score.duration_s for score in self.clips if violation in score.watched) / 3600

    @property
    def every_s(self) -> float:
        """The usual time between looks, over all clips; 0 without any."""
        return median(score.every_s for score in self.clips) if self.clips else 0.0

    @property
    def false_alarms(self) -> int:
        return self.overall.false_alarms

    @property
    def views_right(self) -> bool:
        return all(score.view_right for score in self.clips)

    def by_light(self) -> dict[str, Evaluation]:
        """By day, by night and in rain, each where there are such clips."""
        parts = {
            light: Evaluation(tuple(score for score in self.clips if score.light == light))
            for light in ("day", "night", "rain")
        }
        return {light: part for light, part in parts.items() if part.clips}

    def figures(self) -> dict[str, Any]:
        """All scores together, with rates."""
        return {**self.overall.to_json(), **_rates(self.overall, self.camera_hours)}

    def to_json(self) -> dict[str, Any]:
        """The form that the design fixes, with more figures beside."""
        return {
            "violations": {
                violation.value: {**t.to_json(), **_rates(t, self.hours_watched(violation))}
                for violation, t in self.by_violation.items()
            },
            "overall": self.figures(),
            "by_light": {light: part.figures() for light, part in self.by_light().items()},
            "camera_faults": {**self.camera_faults.to_json(), "named_right": self.faults_named_right},
            "views": {
                "clips": len(self.clips),
                "right": sum(score.view_right for score in self.clips),
                "wrong": [score.name for score in self.clips if not score.view_right],
            },
            "clips": [_clip_json(score) for score in self.clips],
        }


def _rates(counts: Tally, hours: float) -> dict[str, float | None]:
    alarms = counts.false_alarms
    return {
        "false_alarms_per_camera_hour": round(alarms / hours, 4) if hours else None,
        "false_alarms_per_camera_day": round(alarms / hours * 24, 3) if hours else None,
        "camera_hours": round(hours, 4),
    }


def score_clip(
    subject: Subject,
    rule_sets: Sequence[RuleSet],
    eyes: Eyes,
    *,
    cadence_factor: float = 1.0,
    kept: Kept | None = None,
    apart: Apart = Apart.NOT,
) -> list[tuple[ClipScore, Checked]]:
    """Run the flow over one labelled clip under each of the rule sets, which already hold the clip's limits.

    The clip is looked at once, as closely as any of them asks for, `cadence_factor` times as sparsely, and judged in one
    or, to show what that is good for, `apart`. Raises UnreadableRecording where it cannot be read.
    """
    clip = subject.clip
    point = point_of(clip)
    camera = point.cameras[0]
    parts = parts_of(subject.files, clip.starts_at, camera)
    closest, plans = max(
        ((asking, [_plan(part, point, asking, cadence_factor) for part in parts]) for asking in rule_sets),
        key=lambda asked: sum(map(len, asked[1])),
    )
    seen = _observed(parts, plans, point, closest, eyes, kept)
    decide = kept.decide(subject.files, eyes.model_id) if kept else verdict_on
    by_group: list[list[Checked]] = []
    for group in _groups(parts, camera, apart):
        own = _within(seen, group)
        by_group.append(
            [
                prove_files(group, own, judgement, camera, eyes.detector, eyes.second, decide)
                for judgement in judge_files_by(group, own, point, camera, rule_sets)
            ]
        )
    return [
        (replace(_scored(subject, checked, plans), watched=_watched(clip, point, rules)), checked)
        for rules, checked in zip(rule_sets, map(_together, zip(*by_group, strict=True)), strict=True)
    ]


def _watched(clip: LabelledClip, point: Point, rules: RuleSet) -> frozenset[Violation]:
    """The violations that could be found: a rule in force when the clip starts, and a zone that it looks at."""
    return frozenset(
        violation
        for violation in rules.rules
        if any(
            rules.limit_s(violation, point.category, zone, clip.starts_at) is not None for zone in clip.zones
        )
    )


def _groups(parts: Sequence[Part], camera: Camera, apart: Apart) -> list[list[Part]]:
    """The parts that are judged together."""
    if apart is Apart.RECORDINGS:
        return [[part] for part in parts]
    if apart is Apart.DAYS:
        days = sorted({day for _, interval in parts for day in days_of(interval, camera.timezone)})
        return [
            [
                (recording, shared)
                for recording, interval in parts
                if (shared := interval.intersection(local_day(day, camera.timezone)))
            ]
            for day in days
        ]
    return [list(parts)]


def _within(seen: Observed, group: Sequence[Part]) -> Observed:
    """What was seen within the group's parts."""
    inside = tuple(o for o in seen.seen if any(o.recording_id == r.id and o.at in i for r, i in group))
    return Observed(inside, seen.failed)


def _together(checks: Sequence[Checked]) -> Checked:
    return Checked(
        parts=tuple(part for one in checks for part in one.parts),
        observations=tuple(o for one in checks for o in one.observations),
        failed=checks[0].failed,
        proofs=tuple(proof for one in checks for proof in one.proofs),
        dropped=tuple(drop for one in checks for drop in one.dropped),
        faults=tuple(fault for one in checks for fault in one.faults),
    )


def limits_of(clip: LabelledClip, rules: RuleSet, against: RuleSet | None = None) -> RuleSet:
    """The rules by which a clip is judged: those that its label names, with its limits.

    Beside a rule set that it is compared `against`, a rule's own word goes where the two say different things:
    else no change of a limit would ever show.
    """
    trial = rules_with_limits(rules, clip.limits)
    if against is None:
        return trial
    own = {}
    for violation, rule in trial.rules.items():
        mine, theirs = rules.rules[violation], against.rules.get(violation)
        if theirs is not None and violation in clip.limits:
            changed = {
                name: getattr(mine, name)
                for name in ("enabled", "dwell_s", "hours", "by_category")
                if getattr(mine, name) != getattr(theirs, name)
            }
            rule = replace(rule, **changed)  # noqa: PLW2901  # the trial's rule with its own word
        own[violation] = rule
    return RuleSet(own)


def point_of(clip: LabelledClip) -> Point:
    """A labelled clip as a point with one camera, in the time zone of its start."""
    name = clip.files[0]
    timezone = clip.starts_at.tzinfo
    assert timezone is not None  # labels are read with aware times only
    camera = Camera(id="clip", zones=clip.zones, timezone=timezone, resolution_wh=clip.resolution_wh)
    return Point(id="clip", name=name, name_en=name, category=Category.ARTERIAL, cameras=(camera,))


def _plan(part: Part, point: Point, rules: RuleSet, factor: float) -> list[Look]:
    """The moments that a scan looks at, `factor` times as far apart."""
    looks: list[Look] = []
    for stretch in stretches_of(point, point.cameras[0], rules, part[1]):
        cadence = cadence_for(stretch.limit_s)
        cadence = Cadence(cadence.every_s * factor, cadence.tolerance_s * factor)
        looks += looks_at(stretch.interval, cadence)
    return looks


def _observed(
    parts: Sequence[Part], plans: Sequence[list[Look]], point: Point, rules: RuleSet, eyes: Eyes, kept: Kept | None
) -> Observed:  # fmt: skip
    camera = point.cameras[0]
    seen_by = f"{eyes.model_id}|{sight_of(camera).id}"
    seen: list[Observed] = []
    for part, plan in zip(parts, plans, strict=True):

        def look(part: Part = part, plan: list[Look] = plan) -> Observed:
            return observe_files([part], [plan], point, camera, rules, eyes.detector, eyes.second)

        seen.append(kept.observed(part[0], plan, rules, seen_by, look) if kept else look())
    return Observed(tuple(o for one in seen for o in one.seen), tuple(f for one in seen for f in one.failed))


def _scored(subject: Subject, checked: Checked, plans: Sequence[list[Look]]) -> ClipScore:
    found = [_finding(proof, checked) for proof in checked.proofs]
    findings = tuple(f for f in found if f.violation is not Violation.CAMERA_FAULT)
    faults = tuple(f for f in found if f.violation is Violation.CAMERA_FAULT)
    looks = sum(map(len, plans))
    return ClipScore(
        clip=subject.clip,
        source=subject.source,
        duration_s=checked.duration_s,
        looks=looks,
        unreadable_looks=len(checked.failed),
        every_s=checked.duration_s / max(1, looks),
        view=checked.view,
        findings=findings,
        faults=faults,
        dropped=tuple(
            Drop(d.incident.violation, d.incident.zone_id, d.reason) for d in checked.dropped
        ),
        matching=match(findings, subject.clip.events),
        fault_matching=match_faults(faults, subject.clip.faults),
    )  # fmt: skip


def _finding(proof: Proof, checked: Checked) -> Finding:
    incident = proof.incident
    return Finding(
        violation=incident.violation,
        zone_id=incident.zone_id,
        from_s=(incident.interval.start - checked.start).total_seconds(),
        until_s=(incident.interval.end - checked.start).total_seconds(),
        box=incident.box,
        explanation=proof.explanation,
        explanation_zh=proof.explanation_zh,
        what=incident.fault.what if incident.fault else "",
    )


def _clip_json(score: ClipScore) -> dict[str, Any]:
    clip = score.clip
    return {
        "file": score.name,
        **({"files": list(clip.files)} if len(clip.files) > 1 else {}),
        "source": score.source,
        "view": score.view,
        "view_right": score.view_right,
        "light": score.light,
        "looks": score.looks,
        "unreadable_looks": score.unreadable_looks,
        "incidents": [
            {**finding_json(finding, clip), "matched": index in matching.matched}
            for found, matching in ((score.findings, score.matching), (score.faults, score.fault_matching))
            for index, finding in enumerate(found)
        ],
        "missed": [
            {"violation": e.violation.value, "zone": e.zone_id, "from_s": e.from_s, "until_s": e.until_s, "what": e.what}
            for index, e in enumerate(clip.events)
            if index not in score.matching.answered
        ],
        "missed_faults": [
            {"what": f.what, "from_s": f.from_s, "until_s": f.until_s}
            for index, f in enumerate(clip.faults)
            if index not in score.fault_matching.answered
        ],
        "dropped": [
            {"violation": d.violation.value, "zone": d.zone_id, "reason": d.reason} for d in score.dropped
        ],
    }  # fmt: skip


def finding_json(finding: Finding, clip: LabelledClip) -> dict[str, Any]:
    """The form that the design fixes; the box in pixels of the clip's `resolution_wh`."""
    return {
        "violation": finding.violation.value,
        "zone": finding.zone_id,
        "from_s": round(finding.from_s, 2),
        "until_s": round(finding.until_s, 2),
        "box": [round(v) for v in scaled(finding.box, *clip.resolution_wh)] if finding.box else None,
        **({"what": finding.what} if finding.what else {}),
        "explanation": finding.explanation,
        "explanation_zh": finding.explanation_zh,
    }


def complaints(evaluation: Evaluation) -> Iterator[str]:
    """Every miss, false alarm, duplicate and wrong view, a line each, by clip."""
    for score in evaluation.clips:
        where = f"{score.source}: {score.name}"
        yield from _wrong_events(score, where)
        yield from _wrong_faults(score, where)
        if not score.view_right:
            yield f"view wrong: {where}: {score.view}, labelled {score.clip.view}"


def _wrong_events(score: ClipScore, where: str) -> Iterator[str]:
    for index, event in enumerate(score.clip.events):
        if index not in score.matching.answered:
            reasons = sorted({d.reason for d in score.dropped if d.violation == event.violation})
            why = f" (dropped: {'; '.join(reasons)})" if reasons else ""
            span = f"{event.from_s:.0f}-{event.until_s:.0f} s"
            yield f"missed: {where}: {event.violation} {event.zone_id} {span}{why}"
    for index, finding in enumerate(score.findings):
        if index not in score.matching.matched:
            kind = "duplicate" if index in score.matching.duplicates else "false"
            span = f"{finding.from_s:.0f}-{finding.until_s:.0f} s"
            yield f"{kind}: {where}: {finding.violation} {finding.zone_id} {span}: {finding.explanation}"


def _wrong_faults(score: ClipScore, where: str) -> Iterator[str]:
    for index, fault in enumerate(score.clip.faults):
        if index not in score.fault_matching.answered:
            yield f"missed fault: {where}: {fault.what} {fault.from_s:.0f}-{fault.until_s:.0f} s"
    if score.fault_tally.false_alarms:
        for index in score.fault_matching.false(len(score.faults)):
            found = score.faults[index]
            yield f"false fault: {where}: {found.what} {found.from_s:.0f}-{found.until_s:.0f} s"
