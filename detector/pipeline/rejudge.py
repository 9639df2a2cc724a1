"""`judge`: stored observations under changed rules, without touching a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detector.config.rules import RuleSet
from detector.core.geometry import iou
from detector.core.times import Interval
from detector.core.values import Camera, Incident, Point
from detector.footage.archive import parts
from detector.footage.catalogue import Catalogue
from detector.issues.duplicates import SAME_PLACE_IOU
from detector.issues.queue import IssueQueue
from detector.issues.values import Issue, IssueFilter
from detector.judging.judge import judge
from detector.observing.store import ObservationStore
from detector.pipeline.scan import observations_of, verdict_key


@dataclass(frozen=True, slots=True)
class Change:
    """What other rules make of one camera's stored observations."""

    point: Point
    camera: Camera
    observations: int
    kept: tuple[Issue, ...]
    """Proven by an earlier scan, and a violation still."""
    appeared: tuple[Incident, ...]
    """Suspicions that no earlier scan has looked at closer under this limit; `scan` would."""
    vanished: tuple[tuple[Issue, str], ...]
    """Proven by an earlier scan, and no violation under these rules, with the reason."""


def rejudge(
    catalogue: Catalogue,
    store: ObservationStore,
    queue: IssueQueue,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    period: Interval,
    *,
    before: RuleSet | None = None,
) -> Change:
    """Judge one camera's stored observations of a period and compare with what was decided before.

    `before` are the rules that the scans went by, where those are not `rules`.
    """
    known = parts(catalogue.known(camera.id).values())
    wanted = [(recording, shared) for recording, part in known if (shared := part.intersection(period))]
    observations = list(observations_of(catalogue, store, camera, wanted))
    suspicions = judge(observations, point, camera, rules).incidents
    earlier = {s.fingerprint: s for s in judge(observations, point, camera, before or rules).incidents}
    issues = queue.find(IssueFilter(cameras=(camera.id,), period=period))
    fates = [(issue, _why_not(issue, suspicions, point, camera, rules)) for issue in issues]
    decided = queue.verdicts(camera.id, period)
    models = {part.model_id for part in catalogue.observed_parts(camera.id, period)}

    def is_decided(suspicion: Incident) -> bool:
        """What was dropped under a shorter limit stays so; under a longer one it may have been dropped for that."""
        old = earlier.get(suspicion.fingerprint, suspicion)
        asked = (suspicion, old) if old.limit_s <= suspicion.limit_s else (suspicion,)
        return any(verdict_key(one, model) in decided for one in asked for model in models)

    return Change(
        point,
        camera,
        len(observations),
        kept=tuple(issue for issue, why_not in fates if why_not is None),
        appeared=tuple(
            suspicion
            for suspicion in suspicions
            if not is_decided(suspicion) and not any(_tells(suspicion, issue) for issue in issues)
        ),
        vanished=tuple((issue, why_not) for issue, why_not in fates if why_not is not None),
    )


def _why_not(
    issue: Issue, suspicions: Sequence[Incident], point: Point, camera: Camera, rules: RuleSet
) -> str | None:
    """Why an issue is no violation by these suspicions and rules; None where it still is one."""
    own = [suspicion for suspicion in suspicions if _tells(suspicion, issue)]
    if issue.box is None:
        return None if own else "no rule speaks of it any more"
    zone = next((zone for zone in camera.zones if zone.id == issue.zone_id), None)
    local = issue.interval.start.astimezone(camera.timezone)
    limit_s = rules.limit_s(issue.violation, point.category, zone, local) if zone else None
    if own:
        limit_s = min(suspicion.limit_s for suspicion in own)
    if limit_s is None:
        return "no rule speaks of it any more"
    if issue.interval.duration_s <= limit_s:
        return f"stood {issue.interval.duration_s:.0f} s, within {limit_s:.0f} s"
    return None if own else "these rules see no stay there"


def _tells(suspicion: Incident, issue: Issue) -> bool:
    """Whether a suspicion is about what an issue is about. Where a period is cut differently its fingerprint differs."""
    if (suspicion.violation, suspicion.zone_id) != (issue.violation, issue.zone_id):
        return False
    if not suspicion.interval.overlaps(issue.interval):
        return False
    if suspicion.box is None or issue.box is None:
        return suspicion.box is issue.box
    return iou(suspicion.box, issue.box) >= SAME_PLACE_IOU
