"""What each stage of a scan saw and decided at one place and time, and why an issue was filed or not."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.config.rules import RuleSet
from detector.config.settings import Settings
from detector.core.geometry import Box, contact_share, contained_share, iou
from detector.core.times import Interval
from detector.core.values import Camera, Incident, LabelGroup, Observation, Point, ViewFault
from detector.core.wording import duration_en, duration_zh
from detector.footage.archive import parts
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.issues.values import Issue, IssueFilter, Outcome, Verdict
from detector.judging.judge import decide
from detector.judging.parking import is_candidate, mean_confidence
from detector.judging.stays import find_stays
from detector.observing.store import ObservationStore
from detector.pipeline.findings import Shown
from detector.pipeline.rejudge import windows_seen

SAME_PLACE_IOU = 0.3
SAME_PLACE_SHARE = 0.7
"""A box is at the place that was asked about if it overlaps it by this IoU, or if one contains this share of the other."""

NEAR_SAMPLES = 2
"""Number of samples before and after the time that are listed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One stage's answer: whether it let the place pass on to the next stage (None: it says nothing), in both languages."""

    stage: str
    passed: bool | None
    text: str
    text_zh: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a scan's results are stored."""

    settings: Settings
    catalogue: Catalogue
    store: ObservationStore
    queue: IssueQueue


def explain(sources: Sources, point: Point, camera: Camera, at: datetime, box: Box) -> list[Step]:
    """The stages in their order, up to the first that ended it. `box` is in [0, 1] of the picture, xyxy.

    Reads what scans have stored; opens no recording.
    """
    window = _window(sources, camera, at)
    if isinstance(window, Step):
        return [window]
    interval, seen = window
    observations = list(seen.observations(sources.store))
    recorded = _recorded(sources, camera, at)
    if not recorded.passed:
        return [recorded]
    sampled = _sampled(observations, at, camera)
    if not sampled.passed:
        return [recorded, sampled]
    steps = [recorded, sampled]
    judged = seen.gather(sources.store, point, camera, sources.settings.rules)
    steps.append(_view(judged.faults, at))
    steps += [_named(observations, at, box), _stays(observations, at, box), _zones(camera, box)]
    judgement = decide(judged, point, camera, sources.settings.rules)
    near = [
        i for i in judgement.incidents if i.box and _is_there(i.box, box) and i.interval.overlaps(_around(at))
    ]
    verdicts = sources.queue.verdicts(camera.id, interval)
    issues = sources.queue.find(IssueFilter(cameras=(camera.id,), period=_around(at)))
    limits = _limits_here(sources.settings.rules, point, camera, at, box)
    return [*steps, _limits(near, limits), *_verified(near, list(verdicts.values())), _filed(issues, box)]


def _window(sources: Sources, camera: Camera, at: datetime) -> tuple[Interval, Shown] | Step:
    """The stretch around a moment as a scan judged it, or why there is none."""
    catalogue = sources.catalogue
    known = parts(catalogue.known(camera.id).values())
    observed = catalogue.observed_parts(camera.id, Interval(at - timedelta(days=2), at + timedelta(days=1)))
    day = Interval(at - timedelta(days=1), at + timedelta(days=1))
    for window, seen in windows_seen(known, observed, camera, day):
        if at in window:
            return window, seen
    recorded = [r for r, part in known if part.start <= at < part.end]
    if recorded:
        text = f"{recorded[0].path} covers this time, and no scan has observed it: run `kerbwatch scan`"
        return Step("observed", passed=False, text=text, text_zh=f"{recorded[0].path} 尚未扫描, 请运行扫描")
    return Step("recorded", passed=False, text="there is no recording of this time", text_zh="该时刻无录像")


def _around(at: datetime) -> Interval:
    return Interval(at - timedelta(seconds=1), at + timedelta(seconds=1))


def _recorded(sources: Sources, camera: Camera, at: datetime) -> Step:
    for recording, part in parts(sources.catalogue.known(camera.id).values()):
        if part.start <= at < part.end:
            return Step("recorded", passed=True, text=recording.path, text_zh=recording.path)
    return Step("recorded", passed=False, text="there is no recording of this time", text_zh="该时刻无录像")


def _sampled(observations: Sequence[Observation], at: datetime, camera: Camera) -> Step:
    """The samples nearest to the moment; `=` marks one that was not decoded, `~` one whose answer was reused."""
    moments = [o.at for o in observations]
    after = bisect_left(moments, at)
    near = observations[max(0, after - NEAR_SAMPLES) : after + NEAR_SAMPLES]
    if not near:
        return Step("sampled", passed=False, text="no sample is stored", text_zh="无采样观测")
    times = ", ".join(_sample(o, camera) for o in near)
    return Step("sampled", passed=True, text=times, text_zh=times)


def _sample(observation: Observation, camera: Camera) -> str:
    local = f"{observation.at.astimezone(camera.timezone):%H:%M:%S}"
    if observation.spared:
        return f"{local} (=)"
    return f"{local} (~)" if observation.reused else local


def _view(faults: Sequence[ViewFault], at: datetime) -> Step:
    fault = next((fault for fault in faults if at in fault.interval), None)
    if fault is None:
        return Step("view", passed=True, text="ok", text_zh="正常")
    text = f"the view could not be judged: {fault.what}"
    return Step("view", passed=False, text=text, text_zh=f"画面无法判读: {fault.what}")


def _named(observations: Sequence[Observation], at: datetime, box: Box) -> Step:
    """What the model named at the place, at the sample nearest to the moment."""
    nearest = min(observations, key=lambda o: abs((o.at - at).total_seconds()))
    found = nearest.detections
    names = [
        f"{label} {confidence:.2f}"
        for label, confidence, row in zip(found.labels, found.confidences, found.boxes.tolist(), strict=True)
        if _is_there((row[0], row[1], row[2], row[3]), box)
    ]
    if not names:
        text = "the model names nothing here at the nearest sample"
        return Step("named", passed=None, text=text, text_zh="最近一次采样中模型未识别出目标")
    return Step("named", passed=True, text=", ".join(names), text_zh=", ".join(names))


def _stays(observations: Sequence[Observation], at: datetime, box: Box) -> Step:
    """The vehicle's stay at the place, and whether it was named well enough to be verified."""
    stays = find_stays(observations, LabelGroup.VEHICLE, mistaken=True, faint=True)
    near = [s for s in stays if _is_there(s.box, box) and s.seen[0] <= at <= s.seen[1]]
    if not near:
        text = "no vehicle was seen in this place at two samples or more around this time"
        return Step("stands", passed=None, text=text, text_zh="该处未在两次以上采样中见到车辆")
    stay = max(near, key=lambda s: len(s.sightings))
    looks = [o.at for o in observations]
    samples = bisect_right(looks, stay.seen[1]) - bisect_left(looks, stay.seen[0])
    evidence = mean_confidence(stay, looks)
    passed = is_candidate(stay, looks)
    why = "" if passed else "; that is too weak to verify"
    why_zh = "" if passed else "; 证据不足, 未核验"
    return Step(
        "stands",
        passed=passed or None,
        text=f"seen at {len(stay.sightings)} of {samples} samples over {duration_en(stay.seen_s)}, "
        f"mean confidence {evidence:.2f}{why}",
        text_zh=f"{samples}次采样中{len(stay.sightings)}次见到, 历时{duration_zh(stay.seen_s)}, "
        f"平均置信度{evidence:.2f}{why_zh}",
    )


def _zones(camera: Camera, box: Box) -> Step:
    """Which zones hold the ground contact of the place."""
    shares = [(contact_share(box, zone.polygon), zone) for zone in camera.zones]
    named = ", ".join(f"{zone.id} ({zone.kind}) {share:.0%}" for share, zone in shares if share > 0)
    if not named:
        text = "the ground contact of the box lies in no zone"
        return Step("zone", passed=False, text=text, text_zh="接地部分不在任何区域内")
    return Step("zone", passed=True, text=named, text_zh=named)


def _limits_here(rules: RuleSet, point: Point, camera: Camera, at: datetime, box: Box) -> dict[str, float]:
    """The limits in seconds in force at the place and time, by violation and zone."""
    local = at.astimezone(camera.timezone)
    found = {
        f"{violation} ({zone.id})": rules.limit_s(violation, point.category, zone, local)
        for violation in rules.rules
        for zone in camera.zones
        if contact_share(box, zone.polygon) > 0
    }
    return {name: limit_s for name, limit_s in found.items() if limit_s is not None}


def _limits(near: Sequence[Incident], limits: Mapping[str, float]) -> Step:
    """The violations that the rules see at the place and time, or which limits are in force there."""
    if near:
        texts = [f"{i.violation} in {i.zone_id}, limit {duration_en(i.limit_s)}" for i in near]
        texts_zh = [f"{i.violation} {i.zone_id}, 时限{duration_zh(i.limit_s)}" for i in near]
        return Step("rules", passed=True, text="; ".join(texts), text_zh="; ".join(texts_zh))
    if not limits:
        text = "no rule is in force in this place at this time"
        return Step("rules", passed=False, text=text, text_zh="该处该时刻无规则适用")
    listed = ", ".join(f"{name} {duration_en(limit_s)}" for name, limit_s in limits.items())
    listed_zh = ", ".join(f"{name} {duration_zh(limit_s)}" for name, limit_s in limits.items())
    return Step(
        "rules",
        passed=False,
        text=f"no rule is broken: too short, exempt or excused by a queue; limits here: {listed}",
        text_zh=f"未违反规则: 时间不足、豁免或排队; 此处时限: {listed_zh}",
    )


def _verified(near: Sequence[Incident], verdicts: Sequence[Verdict]) -> Iterator[Step]:
    """What verification at full size decided of each candidate."""
    for incident in near:
        own = [v for v in verdicts if v.fingerprint == incident.fingerprint]
        if not own:
            text = f"{incident.violation}: not verified yet: run `kerbwatch scan`"
            yield Step(
                "verified", passed=None, text=text, text_zh=f"{incident.violation}: 尚未核验, 请运行扫描"
            )
            continue
        verdict = max(own, key=lambda v: v.decided_at)
        proven = verdict.outcome is Outcome.PROVEN
        reason = f"proven, issue {verdict.issue_id}" if proven else f"dropped: {verdict.reason}"
        reason_zh = f"属实, 问题 {verdict.issue_id}" if proven else f"排除: {verdict.reason}"
        yield Step("verified", passed=proven, text=reason, text_zh=reason_zh)


def _filed(issues: Sequence[Issue], box: Box) -> Step:
    here = [issue for issue in issues if issue.box and _is_there(issue.box, box)]
    if not here:
        return Step(
            "filed", passed=False, text="no issue covers this place and time", text_zh="该处该时刻无问题记录"
        )
    text = ", ".join(f"issue {issue.id} ({issue.violation}, {issue.state})" for issue in here)
    text_zh = ", ".join(f"问题 {issue.id} ({issue.violation}, {issue.state})" for issue in here)
    return Step("filed", passed=True, text=text, text_zh=text_zh)


def _is_there(own: Box, asked: Box) -> bool:
    return iou(own, asked) >= SAME_PLACE_IOU or contained_share(own, asked) >= SAME_PLACE_SHARE
