"""Acceptance that looks: after a department's answer the camera's next recordings are judged at that place.

Where the violation stands there still, the issue is reopened with the proof. Otherwise an after-picture is kept
beside the before-picture, and a person decides, or nobody where the configuration says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatch
from typing import Any

from detector.config.rules import RuleSet
from detector.core.errors import BadInput
from detector.core.geometry import is_same_place
from detector.core.times import Interval, subtract, union
from detector.core.values import Camera, Image, Point, Zone
from detector.core.wording import duration_en, duration_zh
from detector.dispatch.attachments import Upload
from detector.dispatch.desk import Desk
from detector.dispatch.routing import loop_of
from detector.evidence import after_picture, side_by_side
from detector.footage.archive import parts
from detector.issues.errors import QueueRefusal
from detector.issues.lifecycle import State
from detector.issues.values import AttachmentKind, Issue, IssueFilter, IssueOrder
from detector.people.roles import PROGRAM
from detector.pipeline.flow import Part, looker_over, stretches_of
from detector.pipeline.scan import Shop, archive_of, scan_camera
from detector.storage import open_store

LAST_LOOKS_S = (1.0, 10.0, 60.0, 300.0)
"""The after-picture is taken so long before the end of what was judged, the first of these that shows something."""


class Outcome(StrEnum):
    """What looking again came to."""

    STANDS = "stands"
    GONE = "gone"
    WAITING = "waiting"
    """There is not enough to look at yet."""
    KNOWN = "known"
    """It was looked at already; a person has to decide."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What became of one issue that was reported as put right."""

    issue_id: int
    outcome: Outcome
    why: str
    state: State
    """Of the issue, afterwards."""

    def to_json(self) -> dict[str, Any]:
        return {
            "issue": self.issue_id,
            "outcome": self.outcome.value,
            "why": self.why,
            "state": self.state.value,
        }


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an issue was, and since when it is said to be gone."""

    issue: Issue
    point: Point
    camera: Camera
    zone: Zone | None
    since: datetime


def inspect_all(shop: Shop, desk: Desk, now: datetime, only: Sequence[int] = ()) -> Iterator[Inspection]:
    """Looks at every issue that waits for acceptance, the longest waiting first. Safe to stop and to repeat.

    This is the whole of `issues accept`, and what a night may call: `for one in inspect_all(shop, desk, now)`. An
    issue that somebody has in hand, or decides meanwhile, costs its own turn and no other's. Raises BadInput where
    the working folder has no tables for the closed loop.
    """
    waiting = desk.queue.find(IssueFilter(states=(State.RECTIFIED,)), order=IssueOrder.OLDEST)
    for issue in sorted(waiting, key=lambda one: (one.rectified_at or one.updated_at, one.id)):
        if only and issue.id not in only:
            continue
        try:
            told = inspect(shop, desk, issue, now)
        except QueueRefusal as refusal:
            told = Inspection(issue.id, Outcome.WAITING, str(refusal), desk.queue.get(issue.id).state)
        yield told


def inspect(shop: Shop, desk: Desk, issue: Issue, now: datetime) -> Inspection:
    """Looks at one issue again, as far as there are recordings from after its answer."""
    if issue.state is not State.RECTIFIED or issue.rectified_at is None:
        raise BadInput(f"issue {issue.id} is {issue.state}; only what is rectified can be looked at again")
    if _was_inspected(desk, issue):
        return Inspection(issue.id, Outcome.KNOWN, "looked at already; a person has to decide", issue.state)
    try:
        point, camera = desk.settings.camera(issue.camera_id)
    except BadInput:
        why = f"camera {issue.camera_id} is not configured any more; a person has to look"
        return Inspection(issue.id, Outcome.WAITING, why, issue.state)
    zone = next((zone for zone in camera.zones if zone.id == issue.zone_id), None)
    if zone is None and issue.zone_id is not None:
        why = f"zone {issue.zone_id} is not configured any more; a person has to look"
        return Inspection(issue.id, Outcome.WAITING, why, issue.state)
    place = _Place(issue, point, camera, zone, issue.rectified_at)
    look_s = loop_of(desk.settings).acceptance.look_s
    judged = _judge_ahead(shop, place, look_s, now)
    if standing := _standing(desk, place, judged):
        return _reopened(shop, desk, place, standing)
    judged_s = sum(stretch.duration_s for _, stretch in judged)
    if judged_s < look_s:
        why = (
            f"{duration_en(judged_s)} of {duration_en(look_s)} could be judged since the answer; "
            "the next recordings will tell"
        )
        return Inspection(issue.id, Outcome.WAITING, why, issue.state)
    return _gone(shop, desk, place, judged)


def _was_inspected(desk: Desk, issue: Issue) -> bool:
    """Whether this answer, not an earlier one, was looked at."""
    rows = desk.queue.history(issue.id)
    answered = max(row.version for row in rows if row.move == "rectify")
    return any(row.move == "inspected" and row.version > answered for row in rows)


def _judge_ahead(shop: Shop, place: _Place, look_s: float, now: datetime) -> list[Part]:
    """Scans as many recordings from after the answer as are needed; returns the stretches that could be judged."""
    scanned: set[str] = set()
    archive = archive_of(shop, place.camera, now)
    ahead = [
        (recording, Interval(max(part.start, place.since), part.end))
        for recording, part in parts(archive.recordings)
        if part.end > place.since
    ]
    while True:
        wanted = _enough(shop, place, ahead, scanned, look_s)
        fresh = [part for recording, part in wanted if recording.id not in scanned]
        if not fresh:
            judged = [(r, s) for r, part in wanted for s in _judgeable(shop, place, (r, part), scanned)]
            return _cut(judged, look_s)
        period = Interval(fresh[0].start, fresh[-1].end)
        scan_camera(shop, place.point, place.camera, period, now=now)
        scanned |= {recording.id for recording, _ in wanted}


def _enough(shop: Shop, place: _Place, ahead: Sequence[Part], scanned: set[str], look_s: float) -> list[Part]:
    """The first recordings that hold so much time to be judged, or all of them."""
    wanted: list[Part] = []
    total_s = 0.0
    for part in ahead:
        if total_s >= look_s:
            break
        wanted.append(part)
        total_s += sum(stretch.duration_s for stretch in _judgeable(shop, place, part, scanned))
    return wanted


def _cut(judged: Sequence[Part], look_s: float) -> list[Part]:
    """No more of them than that much time."""
    kept: list[Part] = []
    left_s = look_s
    for recording, stretch in judged:
        if left_s <= 0:
            break
        end = min(stretch.end, stretch.start + timedelta(seconds=left_s))
        kept.append((recording, Interval(stretch.start, end)))
        left_s -= kept[-1][1].duration_s
    return kept


def _judgeable(shop: Shop, place: _Place, part: Part, scanned: set[str]) -> list[Interval]:
    """The time of a part in which the rule is in force at the place; once scanned, without what was not seen."""
    recording, interval = part
    in_force = _in_force(shop, place, interval)
    if recording.id not in scanned:
        return in_force
    seen = [
        o for o in shop.catalogue.observed_parts(place.camera.id, interval) if o.recording_id == recording.id
    ]
    observed = [shared for o in seen if o.observed and (shared := o.observed.intersection(interval))]
    blind = [shared for o in seen for b in o.blind if (shared := b.interval.intersection(interval))]
    clear = [stretch for whole in union(observed) for stretch in subtract(whole, blind)]
    return [shared for rule in in_force for stretch in clear if (shared := rule.intersection(stretch))]


def _in_force(shop: Shop, place: _Place, interval: Interval) -> list[Interval]:
    if place.zone is None:
        return [interval]
    rule = shop.settings.rules.rules.get(place.issue.violation)
    if rule is None:
        return []
    own = replace(place.camera, zones=(place.zone,))
    stretches = stretches_of(place.point, own, RuleSet({place.issue.violation: rule}), interval)
    return [stretch.interval for stretch in stretches if stretch.limit_s is not None]


def _standing(desk: Desk, place: _Place, judged: Sequence[Part]) -> Issue | None:
    """The issue that shows the violation at the place after the answer: itself, if it stood on, or a later one."""
    if not judged:
        return None
    issue = place.issue
    window = Interval(place.since, judged[-1][1].end)
    found = desk.queue.find(
        IssueFilter(cameras=(issue.camera_id,), violations=(issue.violation,), period=window),
        order=IssueOrder.OLDEST,
    )
    for one in found:
        stood_s = (one.interval.end - max(one.interval.start, place.since)).total_seconds()
        if (
            one.state not in (State.REJECTED, State.WITHDRAWN)
            and one.zone_id == issue.zone_id
            and is_same_place(one.box, issue.box)
            and stood_s > one.limit_s
        ):
            return one
    return None


def _reopened(shop: Shop, desk: Desk, place: _Place, standing: Issue) -> Inspection:
    """Sends an issue back with the proof. A later issue that is the proof becomes part of it: one place, one order."""
    issue = desk.queue.get(place.issue.id)
    start, end = (
        at.astimezone(place.camera.timezone) for at in (standing.interval.start, standing.interval.end)
    )
    again = standing.id != issue.id
    told = f"issue {standing.id}" if again else "the same stay"
    why = f"it stands there still: {told}, {start:%m-%d %H:%M:%S} to {end:%m-%d %H:%M:%S}"
    if issue.state is State.RECTIFIED:
        proof = _stills(shop, standing.evidence_folder)
        files = [Upload(f"{standing.id}-{name}", content) for name, content in proof]
        issue = desk.reopen(
            PROGRAM, issue.id, f"{why}（复核时仍未整改）", files=files, kind=AttachmentKind.AFTER
        )
    elif issue.state is State.REOPENED:  # filing saw it stand on, and knows no calendar
        issue = desk.queue.remark(
            issue.id, "inspected", PROGRAM.who, note=why, sets={"due_at": desk.due_anew(issue.id)}
        )
    if again and standing.state in (State.FLAGGED, State.CONFIRMED):
        desk.merge(PROGRAM, standing.id, issue.id, f"the proof that issue {issue.id} was not put right")
    return Inspection(issue.id, Outcome.STANDS, why, issue.state)


def _gone(shop: Shop, desk: Desk, place: _Place, judged: Sequence[Part]) -> Inspection:
    issue = place.issue
    judged_s = sum(stretch.duration_s for _, stretch in judged)
    start, end = (at.astimezone(place.camera.timezone) for at in (judged[0][1].start, judged[-1][1].end))
    shown = _after(shop, judged)
    files: dict[AttachmentKind, list[Upload]] = {}
    before = _stills(shop, issue.evidence_folder)
    if shown is not None:
        box = (issue.violation, issue.box) if issue.box else None
        after = after_picture(shown[1], place.point, place.camera, place.zone, box, shown[0])
        files[AttachmentKind.AFTER] = [Upload("after.jpg", after)]
        middle = before[len(before) // 2][1] if before else None
        if middle is not None and (both := side_by_side(middle, after)) is not None:
            files[AttachmentKind.AFTER].append(Upload("before_after.jpg", both))
    note = f"not seen in {duration_en(judged_s)} after the answer / 整改后 {duration_zh(judged_s)} 录像中未再发现"
    details = {
        "outcome": Outcome.GONE.value,
        "judged_s": round(judged_s, 3),
        "from": start.isoformat(),
        "until": end.isoformat(),
    }
    moved = desk.inspected(PROGRAM, issue.id, note, files=files, details=details, seen_version=issue.version)
    if issue.violation in loop_of(desk.settings).acceptance.close_by_itself:
        moved = desk.close(PROGRAM, issue.id, note=note, seen_version=moved.version)
    return Inspection(issue.id, Outcome.GONE, note, moved.state)


def _after(shop: Shop, judged: Sequence[Part]) -> tuple[datetime, Image] | None:
    """A picture from near the end of what was judged, at full size."""
    last = judged[-1][1]
    moments = [last.end - timedelta(seconds=s) for s in LAST_LOOKS_S]
    with looker_over(judged, shop.settings.archive_root) as looker:
        for at in [moment for moment in moments if moment > last.start] or [last.start]:
            seen = looker.look(at, tolerance_s=LAST_LOOKS_S[1])
            if seen is not None:
                return seen.at, seen.frame.image
    return None


def _stills(shop: Shop, folder: str) -> list[tuple[str, bytes]]:
    """The scenes of an issue's evidence, in order; none where they were removed."""
    store = open_store(shop.evidence_root)
    found = [name for name in store.names(folder) if fnmatch(name, "still_*_scene.jpg")]
    found.sort(key=lambda name: (len(name), name))
    return [(name, store.read(f"{folder}/{name}")) for name in found]
