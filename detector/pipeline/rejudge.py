"""`judge`: stored observations under changed rules, without touching a recording."""

from __future__ import annotations

from dataclasses import dataclass

from detector.config.rules import RuleSet
from detector.core.times import Interval
from detector.core.values import Camera, Incident, Point
from detector.footage.archive import parts
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.issues.values import IssueFilter, Outcome, Verdict
from detector.judging.judge import judge
from detector.observing.store import ObservationStore
from detector.pipeline.scan import observations_of, verdict_key


@dataclass(frozen=True, slots=True)
class Change:
    """What other rules make of one camera's stored observations."""

    point: Point
    camera: Camera
    observations: int
    kept: tuple[Verdict, ...]
    """Proven by an earlier scan, and a violation still."""
    appeared: tuple[Incident, ...]
    """Suspicions that no earlier scan has looked at closer; `scan` would."""
    vanished: tuple[tuple[Verdict, str], ...]
    """Proven by an earlier scan, and no violation under these rules, with the reason."""


def rejudge(
    catalogue: Catalogue,
    store: ObservationStore,
    queue: IssueQueue,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    period: Interval,
) -> Change:
    """Judge one camera's stored observations of a period and compare with what was decided before."""
    known = parts(catalogue.known(camera.id).values())
    wanted = [(recording, shared) for recording, part in known if (shared := part.intersection(period))]
    observations = list(observations_of(catalogue, store, camera, wanted))
    suspicions = {i.fingerprint: i for i in judge(observations, point, camera, rules).incidents}
    verdicts = queue.verdicts(camera.id, period)
    proven = {v.fingerprint: v for v in verdicts.values() if v.outcome is Outcome.PROVEN}
    of_issues = {issue.fingerprint for issue in queue.find(IssueFilter(cameras=(camera.id,), period=period))}
    kept: list[Verdict] = []
    vanished: list[tuple[Verdict, str]] = []
    for fingerprint, verdict in proven.items():
        if fingerprint not in of_issues:
            continue
        suspicion = suspicions.get(fingerprint)
        if suspicion is None:
            vanished.append((verdict, "no rule speaks of it any more"))
        elif verdict.interval.duration_s <= suspicion.limit_s and suspicion.box is not None:
            vanished.append(
                (verdict, f"stood {verdict.interval.duration_s:.0f} s, within {suspicion.limit_s:.0f} s")
            )
        else:
            kept.append(verdict)
    models = {part.model_id for part in catalogue.observed_parts(camera.id, period)}
    appeared = [
        suspicion
        for fingerprint, suspicion in suspicions.items()
        # What was dropped under another limit is open again: a scan would look.
        if fingerprint not in proven and not any(verdict_key(suspicion, model) in verdicts for model in models)
    ]
    return Change(point, camera, len(observations), tuple(kept), tuple(appeared), tuple(vanished))
