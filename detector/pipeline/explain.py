"""What each stage of a scan saw and decided at one place and time, and why an issue was filed or not."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.config.settings import Settings
from detector.core.errors import DamagedObservations
from detector.core.geometry import Box, contact_share, contained_share, iou
from detector.core.times import Interval
from detector.core.values import (
    Camera,
    Incident,
    LabelGroup,
    Observation,
    Point,
    Recording,
    ViewFault,
    Violation,
    Zone,
)
from detector.core.wording import duration_en, duration_zh
from detector.footage.archive import parts
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.issues.values import Issue, IssueFilter, Outcome, Verdict
from detector.judging.judge import Gathered, decide
from detector.judging.parking import is_candidate, mean_confidence
from detector.judging.stays import find_stays
from detector.observing.store import ObservationStore
from detector.pipeline.explain_words import fault_en, fault_zh, kind_zh, label_zh, reason_zh
from detector.pipeline.findings import Shown
from detector.pipeline.rejudge import windows_seen
from detector.runs.removals import Removal, Removals

ASKED_PLACE_IOU = 0.3
ASKED_PLACE_SHARE = 0.7
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
    removals: Removals


@dataclass(frozen=True, slots=True)
class _Question:
    """A place and a time of a camera; without a box the whole view. `issue` is the issue that is explained, if one is."""

    sources: Sources
    point: Point
    camera: Camera
    at: datetime
    box: Box | None
    issue: Issue | None = None
    names_files: bool = True

    def is_about(self, box: Box | None) -> bool:
        if box is None or self.box is None:
            return box is self.box
        return iou(box, self.box) >= ASKED_PLACE_IOU or contained_share(box, self.box) >= ASKED_PLACE_SHARE

    def name_en(self, violation: Violation) -> str:
        return self.sources.settings.codes[violation].name_en

    def name_zh(self, violation: Violation) -> str:
        return self.sources.settings.codes[violation].name

    def zone_zh(self, zone_id: str | None) -> str:
        zone = next((zone for zone in self.camera.zones if zone.id == zone_id), None)
        return _zone_zh(zone) if zone else zone_id or "整个画面"


def explain(sources: Sources, point: Point, camera: Camera, at: datetime, box: Box) -> list[Step]:
    """The stages in their order, up to the first that ended it. `box` is in [0, 1] of the picture, xyxy.

    Reads what scans have stored; opens no recording. Raises StoreAway.
    """
    question = _Question(sources, point, camera, at, box)
    steps = list(_observed(question))
    judged = any(step.stage == "rules" for step in steps)
    return [*steps, _filed_here(question)] if judged else steps


def explain_issue(sources: Sources, issue: Issue, *, names_files: bool = True) -> list[Step]:
    """The stages of an issue in their order, at `middle_of` it and at its box; of a camera fault those of the whole view.

    Speaks of no other issue. Without `names_files` it names no file. What is stored of verification and filing is told
    even if the observations are gone. Reads what scans have stored; opens no recording. Raises StoreAway.
    """
    verdicts = sources.queue.verdicts(issue.camera_id, issue.interval)
    decided = [_proven(list(verdicts.values()), issue), _filed([issue], sources.settings)]
    place = find_camera(sources.settings, issue.camera_id)
    if place is None:
        text = f"camera {issue.camera_id} is no longer in the configuration: only what the database holds is shown"
        text_zh = f"摄像机 {issue.camera_id} 已不在配置中, 仅显示数据库中的内容"
        return [Step("recorded", passed=None, text=text, text_zh=text_zh), *decided]
    question = _Question(sources, *place, middle_of(issue), issue.box, issue, names_files)
    return [*_observed(question), *decided]


def middle_of(issue: Issue) -> datetime:
    """The middle of the longest stretch in which the object was seen: between stretches nothing is known."""
    stretch = max(issue.stretches, key=lambda interval: interval.duration_s)
    return stretch.start + timedelta(seconds=stretch.duration_s / 2)


def find_camera(settings: Settings, camera_id: str) -> tuple[Point, Camera] | None:
    return next(((p, c) for p in settings.points for c in p.cameras if c.id == camera_id), None)


# --- what was seen


def _observed(question: _Question) -> Iterator[Step]:
    """From the recording to the rules, or up to the stage that ended it."""
    recording = _recording_at(question)
    if recording is None:
        text = "the catalogue lists no recording of this time"
        yield Step("recorded", passed=False, text=text, text_zh="目录中无该时刻的录像")
        return
    named = recording.path if question.names_files else "a recording covers this time"
    named_zh = recording.path if question.names_files else "该时刻有录像"
    yield Step("recorded", passed=True, text=named, text_zh=named_zh)
    seen = _seen_at(question, recording)
    if seen is None:
        yield _unobserved(question, recording)
        return
    try:
        observations = list(seen.observations(question.sources.store))
        gathered = seen.gather(
            question.sources.store, question.point, question.camera, question.sources.settings.rules
        )
    except DamagedObservations as error:
        yield _damaged(question, error)
        return
    yield from _judged(question, observations, gathered)


def _judged(question: _Question, observations: Sequence[Observation], gathered: Gathered) -> Iterator[Step]:
    sampled = _sampled(observations, question)
    yield sampled
    if not sampled.passed:
        return
    yield _view(gathered.faults, question.at)
    if question.box is not None:
        yield _named(observations, question)
        yield _stays(observations, question)
        yield _zones(question.camera, question.box)
    near = _candidates(question, gathered)
    yield _rules(question, near)
    if question.issue is None:
        yield from _verified(question, near)


def _recording_at(question: _Question) -> Recording | None:
    known = parts(question.sources.catalogue.known(question.camera.id).values())
    return next((r for r, part in known if part.start <= question.at < part.end), None)


def _seen_at(question: _Question, recording: Recording) -> Shown | None:
    """What a scan judged the moment by; None if no observation of the recording is stored."""
    catalogue, camera, at = question.sources.catalogue, question.camera, question.at
    observed = catalogue.observed_parts(camera.id, Interval(at - timedelta(days=2), at + timedelta(days=1)))
    if recording.id not in {part.recording_id for part in observed}:
        return None
    known = parts(catalogue.known(camera.id).values())
    day = Interval(at - timedelta(days=1), at + timedelta(days=1))
    windows = windows_seen(known, observed, camera, day)
    return next((seen for window, seen in windows if at in window), None)


def _unobserved(question: _Question, recording: Recording) -> Step:
    """Why no observation of a recording is stored: retention removed it, or no scan has made it."""
    removed = _removed(question, recording)
    if removed is not None:
        text = f"retention removed the stored observations: {removed.why}"
        return Step("sampled", passed=None, text=text, text_zh="观测数据已按保留策略清除")
    text = "no scan has observed this recording: run `kerbwatch scan`"
    return Step("sampled", passed=False, text=text, text_zh="该录像尚未扫描, 请运行 `kerbwatch scan`")


def _removed(question: _Question, recording: Recording) -> Removal | None:
    folder = f"camera={question.camera.id}/"
    return question.sources.removals.find("observations", folder, f"-{recording.id}-")


def _damaged(question: _Question, error: DamagedObservations) -> Step:
    """A file that cannot be read is observed again by the next scan."""
    which = f" ({error})" if question.names_files else ""
    text = f"the stored observations cannot be read{which}: run `kerbwatch scan`, which observes the recording again"
    text_zh = f"观测数据无法读取{which}: 请运行 `kerbwatch scan` 重新扫描该录像"
    return Step("sampled", passed=None, text=text, text_zh=text_zh)


def _around(at: datetime) -> Interval:
    return Interval(at - timedelta(seconds=1), at + timedelta(seconds=1))


def _sampled(observations: Sequence[Observation], question: _Question) -> Step:
    """The samples nearest to the moment; `=` marks one that was not decoded, `~` one whose answer was reused."""
    moments = [o.at for o in observations]
    after = bisect_left(moments, question.at)
    near = observations[max(0, after - NEAR_SAMPLES) : after + NEAR_SAMPLES]
    if not near:
        return Step("sampled", passed=False, text="no sample is stored", text_zh="无采样观测")
    times = ", ".join(_sample(o, question.camera) for o in near)
    return Step("sampled", passed=True, text=times, text_zh=times)


def _sample(observation: Observation, camera: Camera) -> str:
    local = f"{observation.at.astimezone(camera.timezone):%H:%M:%S}"
    if observation.spared:
        return f"{local} (=)"
    return f"{local} (~)" if observation.reused else local


def _view(faults: Sequence[ViewFault], at: datetime) -> Step:
    fault = next((fault for fault in faults if at in fault.interval), None)
    if fault is None:
        return Step("view", passed=True, text="no fault", text_zh="正常")
    text = f"the view could not be judged: {fault_en(fault.what)}"
    return Step("view", passed=False, text=text, text_zh=f"画面无法判读: {fault_zh(fault.what)}")


def _named(observations: Sequence[Observation], question: _Question) -> Step:
    """What the model named at the place, at the sample nearest to the moment."""
    nearest = min(observations, key=lambda o: abs((o.at - question.at).total_seconds()))
    found = nearest.detections
    names = [
        (label, confidence)
        for label, confidence, row in zip(found.labels, found.confidences, found.boxes.tolist(), strict=True)
        if question.is_about((row[0], row[1], row[2], row[3]))
    ]
    if not names:
        text = "the model names nothing here at the nearest sample"
        return Step("named", passed=None, text=text, text_zh="最近一次采样中模型未识别出目标")
    return Step(
        "named",
        passed=True,
        text=", ".join(f"{label} {confidence:.2f}" for label, confidence in names),
        text_zh=", ".join(f"{label_zh(label)} {confidence:.2f}" for label, confidence in names),
    )


def _stays(observations: Sequence[Observation], question: _Question) -> Step:
    """The vehicle's stay at the place, and whether it was named well enough to be verified."""
    stays = find_stays(observations, LabelGroup.VEHICLE, mistaken=True, faint=True)
    near = [s for s in stays if question.is_about(s.box) and s.seen[0] <= question.at <= s.seen[1]]
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


# --- zones and rules


def _zones(camera: Camera, box: Box) -> Step:
    """Which zones hold the ground contact of the place."""
    shares = [(contact_share(box, zone.polygon), zone) for zone in camera.zones]
    held = [(share, zone) for share, zone in shares if share > 0]
    if not held:
        text = "the ground contact of the box lies in no zone"
        return Step("zone", passed=False, text=text, text_zh="接地部分不在任何区域内")
    return Step(
        "zone",
        passed=True,
        text=", ".join(f"{zone.id} ({zone.kind}) {share:.0%}" for share, zone in held),
        text_zh=", ".join(f"{_zone_zh(zone)} {share:.0%}" for share, zone in held),
    )


def _zone_zh(zone: Zone) -> str:
    return f"{kind_zh(zone.kind)} {zone.id}"


def _candidates(question: _Question, gathered: Gathered) -> list[Incident]:
    """What the rules in force see at the place and time; for an issue only what is of its violation."""
    judgement = decide(gathered, question.point, question.camera, question.sources.settings.rules)
    issue = question.issue
    return [
        i
        for i in judgement.incidents
        if question.is_about(i.box)
        and i.interval.overlaps(_around(question.at))
        and (issue is None or i.violation is issue.violation)
    ]


def _rules(question: _Question, near: Sequence[Incident]) -> Step:
    """The violations that the rules see at the place and time, or which limits are in force there."""
    if near:
        texts = [
            f"{question.name_en(i.violation)} in {i.zone_id or 'the whole view'}, limit {duration_en(i.limit_s)}"
            for i in near
        ]
        texts_zh = [
            f"{question.name_zh(i.violation)}, {question.zone_zh(i.zone_id)}, 时限{duration_zh(i.limit_s)}"
            for i in near
        ]
        return Step("rules", passed=True, text="; ".join(texts), text_zh="; ".join(texts_zh))
    if question.box is None:
        text = "by the rules in force now the camera has no fault at this time"
        return Step("rules", passed=False, text=text, text_zh="按现行规则该时刻无设备异常")
    return _unbroken(question, list(_limits_here(question, question.box)))


def _unbroken(question: _Question, limits: Sequence[tuple[Violation, Zone, float]]) -> Step:
    if not limits:
        text = "no rule is in force in this place at this time"
        return Step("rules", passed=False, text=text, text_zh="该处该时刻无规则适用")
    listed = ", ".join(
        f"{question.name_en(violation)} ({zone.id}) {duration_en(limit_s)}"
        for violation, zone, limit_s in limits
    )
    listed_zh = ", ".join(
        f"{question.name_zh(violation)} ({_zone_zh(zone)}) {duration_zh(limit_s)}"
        for violation, zone, limit_s in limits
    )
    return Step(
        "rules",
        passed=False,
        text=f"no rule is broken: too short, exempt or excused by a queue; limits here: {listed}",
        text_zh=f"未违反规则: 时间不足、豁免或排队; 此处时限: {listed_zh}",
    )


def _limits_here(question: _Question, box: Box) -> Iterator[tuple[Violation, Zone, float]]:
    """The limits in seconds in force at the place and time; for an issue those of its violation."""
    rules, local = question.sources.settings.rules, question.at.astimezone(question.camera.timezone)
    for violation in [question.issue.violation] if question.issue else rules.rules:
        for zone in question.camera.zones:
            limit_s = rules.limit_s(violation, question.point.category, zone, local)
            if limit_s is not None and contact_share(box, zone.polygon) > 0:
                yield violation, zone, limit_s


# --- verification and the queue


def _verified(question: _Question, near: Sequence[Incident]) -> Iterator[Step]:
    """What verification at full size decided of each candidate."""
    for incident in near:
        verdicts = question.sources.queue.verdicts(question.camera.id, incident.interval).values()
        own = [v for v in verdicts if v.fingerprint == incident.fingerprint]
        name, name_zh = question.name_en(incident.violation), question.name_zh(incident.violation)
        if own:
            yield _decided(max(own, key=lambda v: v.decided_at), name, name_zh)
        else:
            text = f"{name}: not verified yet: run `kerbwatch scan`"
            text_zh = f"{name_zh}: 尚未核验, 请运行 `kerbwatch scan`"
            yield Step("verified", passed=None, text=text, text_zh=text_zh)


def _decided(verdict: Verdict, name: str, name_zh: str) -> Step:
    if verdict.outcome is Outcome.PROVEN:
        text, text_zh = f"proven, issue {verdict.issue_id}", f"属实, 问题 {verdict.issue_id}"
    else:
        text, text_zh = f"dropped: {verdict.reason}", f"排除: {reason_zh(verdict.reason)}"
    proven = verdict.outcome is Outcome.PROVEN
    return Step("verified", passed=proven, text=f"{name}: {text}", text_zh=f"{name_zh}: {text_zh}")


def _proven(verdicts: Sequence[Verdict], issue: Issue) -> Step:
    """What verification found of an issue; an issue that goes on has a verdict for each part of it."""
    own = [v for v in verdicts if v.issue_id == issue.id and v.outcome is Outcome.PROVEN]
    if not own:
        text, text_zh = "no verdict of verification is stored for this issue", "未保存该问题的核验结论"
        return Step("verified", passed=None, text=text, text_zh=text_zh)
    text, text_zh = f"proven: {issue.explanation}", f"属实: {issue.explanation_zh}"
    return Step("verified", passed=True, text=text, text_zh=text_zh)


def _filed_here(question: _Question) -> Step:
    wanted = IssueFilter(cameras=(question.camera.id,), period=_around(question.at))
    here = [issue for issue in question.sources.queue.find(wanted) if question.is_about(issue.box)]
    return _filed(here, question.sources.settings)


def _filed(issues: Sequence[Issue], settings: Settings) -> Step:
    if not issues:
        text = "no issue covers this place and time"
        return Step("filed", passed=False, text=text, text_zh="该处该时刻无问题记录")
    texts = [f"issue {i.id} ({settings.codes[i.violation].name_en}, {i.state})" for i in issues]
    texts_zh = [f"问题 {i.id} ({settings.codes[i.violation].name}, {i.state.zh})" for i in issues]
    return Step("filed", passed=True, text=", ".join(texts), text_zh=", ".join(texts_zh))
