"""Scores labelled clips with the same code as `scan` and `check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.config.labels import LabelledClip, Labels
from detector.config.rules import RuleSet, rules_with_limits
from detector.core.geometry import scaled
from detector.core.values import Camera, Category, Point, Proof, Violation
from detector.evaluation.scores import Finding, Matching, Tally, match, tally
from detector.inference.detector import Detector
from detector.pipeline.clips import Checked, check_files


@dataclass(frozen=True, slots=True)
class ClipScore:
    """One clip, what was found in it, and how that agrees with its labels. Camera faults stand apart."""

    clip: LabelledClip
    checked: Checked
    findings: tuple[Finding, ...]
    faults: tuple[Finding, ...]
    matching: Matching


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a set of labels."""

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
    def camera_hours(self) -> float:
        return sum(score.checked.duration_s for score in self.clips) / 3600

    @property
    def false_alarms(self) -> int:
        return self.overall.incidents - self.overall.matched - self.overall.duplicates

    @property
    def views_right(self) -> bool:
        return all(score.clip.view == score.checked.view for score in self.clips)

    def to_json(self) -> dict[str, Any]:
        """The form that the design fixes, with more figures beside."""
        hours = self.camera_hours
        return {
            "violations": {violation.value: t.to_json() for violation, t in self.by_violation.items()},
            "overall": {
                **self.overall.to_json(),
                "false_alarms": self.false_alarms,
                "false_alarms_per_camera_day": round(self.false_alarms / hours * 24, 3) if hours else None,
                "camera_hours": round(hours, 4),
            },
            "clips": [_clip_json(score) for score in self.clips],
        }


def evaluate(
    labels: Labels, base_rules: RuleSet, detector: Detector, tick: Callable[[str], None] = lambda _: None
) -> Evaluation:
    """Run the flow over every clip; `tick` is told each clip's first file as it is done.

    Raises UnreadableRecording where a labelled clip cannot be read.
    """
    scores = []
    for clip in labels.clips:
        point = point_of(clip)
        rules = rules_with_limits(base_rules, clip.limits)
        files = [labels.folder / name for name in clip.files]
        checked = check_files(files, clip.starts_at, point, point.cameras[0], rules, detector)
        found = [_finding(proof, checked) for proof in checked.proofs]
        findings = tuple(f for f in found if f.violation is not Violation.CAMERA_FAULT)
        faults = tuple(f for f in found if f.violation is Violation.CAMERA_FAULT)
        scores.append(ClipScore(clip, checked, findings, faults, match(findings, clip.events)))
        tick(clip.files[0])
    return Evaluation(tuple(scores))


def point_of(clip: LabelledClip) -> Point:
    """A labelled clip as a point with one camera, in the time zone of its start."""
    name = clip.files[0]
    timezone = clip.starts_at.tzinfo
    assert timezone is not None  # labels are read with aware times only
    camera = Camera(id="clip", zones=clip.zones, timezone=timezone, resolution_wh=clip.resolution_wh)
    return Point(id="clip", name=name, name_en=name, category=Category.ARTERIAL, cameras=(camera,))


def _finding(proof: Proof, checked: Checked) -> Finding:
    incident = proof.incident
    return Finding(
        violation=incident.violation,
        zone_id=incident.zone_id,
        from_s=(incident.interval.start - checked.start).total_seconds(),
        until_s=(incident.interval.end - checked.start).total_seconds(),
        box=incident.box,
    )


def _clip_json(score: ClipScore) -> dict[str, Any]:
    judged = [
        {**_finding_json(finding, score.clip), "matched": index in score.matching.matched}
        for index, finding in enumerate(score.findings)
    ]
    return {
        "file": score.clip.files[0],
        **({"files": list(score.clip.files)} if len(score.clip.files) > 1 else {}),
        "view": score.checked.view,
        "incidents": [*judged, *(_finding_json(fault, score.clip) for fault in score.faults)],
        "dropped": [
            {"violation": d.incident.violation.value, "zone": d.incident.zone_id, "reason": d.reason}
            for d in score.checked.dropped
        ],
    }


def _finding_json(finding: Finding, clip: LabelledClip) -> dict[str, Any]:
    return {
        "violation": finding.violation.value,
        "zone": finding.zone_id,
        "from_s": round(finding.from_s, 2),
        "until_s": round(finding.until_s, 2),
        "box": [round(v) for v in scaled(finding.box, *clip.resolution_wh)] if finding.box else None,
    }
