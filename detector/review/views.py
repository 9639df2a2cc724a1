"""Issues as pages and programs are told of them: local times, names in both languages, paths of pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.config.settings import Settings
from detector.core.values import Category, Point, Zone
from detector.evidence.manifest import MANIFEST, stills_in
from detector.issues import REJECT_REASONS, EvidenceRow, HistoryRow, Issue, State
from detector.people import Action
from detector.review.access import Visitor
from detector.review.house import House
from detector.review.models import ClipOut, IssueDetail, IssueOut, MoveOut, Names, StillOut
from detector.review.words import WORDS

BEFORE_DAYS = 30
BEFORE_SHOWN = 6
ALIKE_MOST = 20
SET_ASIDE = frozenset({State.MERGED, State.REJECTED, State.WITHDRAWN})
"""No issue in one of these states takes another in."""


def named(key: str) -> Names:
    """A word of the tables in both languages. Raises KeyError."""
    en, zh = WORDS[key]
    return Names(en=en, zh=zh)


TO_DEPARTMENTS = frozenset({"dispatch", "rectify", "reopen", "recall", "close"})
"""Moves whose notes and reasons a department reads; those of the review are internal."""


def issue_out(house: House, issue: Issue) -> IssueOut:
    return IssueOut(**_fields(house, issue))


def issues_out(house: House, issues: Iterable[Issue]) -> list[IssueOut]:
    return [issue_out(house, issue) for issue in issues]


def detail_out(house: House, visitor: Visitor, issue: Issue) -> IssueDetail:
    """Everything on one issue that is the visitor's business. What its evidence folder no longer holds is left out."""
    own = visitor.actor.bound_to
    before, count = house.reader.before(issue, BEFORE_DAYS, BEFORE_SHOWN, own)
    rows = house.desk.queue.evidence(issue.id)
    return IssueDetail(
        **_fields(house, issue),
        box=list(issue.box) if issue.box else None,
        clip=_clip(issue, rows) if visitor.may(Action.LOOK_UNMASKED) else None,
        stills=_stills(house, issue, rows),
        before=issues_out(house, before),
        before_30_days=count,
        alike=_alike(house, visitor, issue),
        suspects=_suspects(house, visitor, issue),
        history=[
            _move_out(house.settings, row, told=own is None or row.move in TO_DEPARTMENTS)
            for row in house.desk.queue.history(issue.id)
        ],
        model_id=issue.model_id,
        rules_version=issue.rules_version,
    )


def _alike(house: House, visitor: Visitor, issue: Issue) -> list[IssueOut]:
    if issue.state is not State.FLAGGED or not visitor.may(Action.REVIEW):
        return []
    return issues_out(house, house.reader.alike(issue, ALIKE_MOST))


def _suspects(house: House, visitor: Visitor, issue: Issue) -> list[IssueOut]:
    """Issues that may be about the same object, for those who may say whether they are."""
    if not visitor.may(Action.MERGE):
        return []
    queue = house.desk.queue
    others = [queue.get(other) for _, other in queue.suspected([issue.id])]
    return issues_out(house, [other for other in others if other.state not in SET_ASIDE])


def evidence_path(issue: Issue, folder: str, name: str) -> str:
    """Where a file of an issue's evidence is served. The folder's own name does, for it is a fingerprint."""
    return f"/evidence/{issue.public_id}/{folder.rpartition('/')[2]}/{name}"


def _fields(house: House, issue: Issue) -> dict[str, Any]:
    settings = house.settings
    point, zone = _place(settings, issue)
    zone_name = named(f"zone.{zone.kind}") if zone else Names(en=issue.zone_id or "", zh=issue.zone_id or "")
    code = settings.codes[issue.violation]
    return {
        "id": issue.public_id,
        "number": issue.id,
        "version": issue.version,
        "state": issue.state,
        "state_name": named(f"state.{issue.state}"),
        "violation": issue.violation,
        "violation_name": Names(en=code.name_en, zh=code.name),
        "point": issue.point_id,
        "point_name": Names(en=point.name_en, zh=point.name)
        if point
        else Names(en=issue.point_id, zh=issue.point_id),
        "category": point.category if point else None,
        "category_name": category_name(point.category if point else None),
        "camera": issue.camera_id,
        "zone": issue.zone_id,
        "zone_name": zone_name if issue.zone_id else None,
        "start": local(settings, issue.interval.start),
        "end": local(settings, issue.interval.end),
        "dwell_s": issue.seen_s,
        "start_open": math.isinf(issue.start_uncertainty_s),
        "end_open": math.isinf(issue.end_uncertainty_s),
        "limit_s": issue.limit_s,
        "share": issue.share,
        "confidence": issue.confidence,
        "explanation": Names(en=issue.explanation, zh=issue.explanation_zh),
        "claimed_by": issue.claimed_by if _claimed(house, issue) else None,
        "claimed_until": issue.claimed_until if _claimed(house, issue) else None,
        "department": issue.department,
        "due_at": local(settings, issue.due_at) if issue.due_at else None,
        "filed_at": local(settings, issue.filed_at),
        "updated_at": local(settings, issue.updated_at),
        "thumb": _thumb(issue),
    }


def category_name(category: Category | None) -> Names:
    return named(f"category.{category}") if category else named("app.unknown")


def local(settings: Settings, at: datetime) -> datetime:
    return at.astimezone(settings.timezone)


def _claimed(house: House, issue: Issue) -> bool:
    return issue.claimed_until is not None and issue.claimed_until > house.desk.now()


def _place(settings: Settings, issue: Issue) -> tuple[Point | None, Zone | None]:
    """Where it was, as far as the configuration still knows the place."""
    point = next((point for point in settings.points if point.id == issue.point_id), None)
    cameras = point.cameras if point else ()
    zones = (zone for camera in cameras if camera.id == issue.camera_id for zone in camera.zones)
    return point, next((zone for zone in zones if zone.id == issue.zone_id), None)


def _thumb(issue: Issue) -> str | None:
    """The first still: every proof has one. From near where there is an object to be near to."""
    if not issue.evidence_folder:
        return None
    name = "still_1_closeup.jpg" if issue.box else "still_1_scene.jpg"
    return evidence_path(issue, issue.evidence_folder, name)


def _clip(issue: Issue, rows: Sequence[EvidenceRow]) -> ClipOut | None:
    """The clip of the latest proof: an issue that grew has more than one."""
    names = {(row.folder, row.name) for row in rows}
    folder = next((row.folder for row in reversed(rows) if row.name == "clip.mp4"), None)
    if folder is None:
        return None

    def path(name: str) -> str | None:
        return evidence_path(issue, folder, name) if (folder, name) in names else None

    return ClipOut(
        plain=path("clip_plain.mp4"),
        drawn=evidence_path(issue, folder, "clip.mp4"),
        overlay=path("overlay.json"),
    )


def _stills(house: House, issue: Issue, rows: Sequence[EvidenceRow]) -> list[StillOut]:
    """In time order, over all folders of an issue."""
    names = {(row.folder, row.name) for row in rows}
    stills: list[StillOut] = []
    for folder in dict.fromkeys(row.folder for row in rows):
        for number, still in enumerate(stills_in(_manifest(house, folder)), start=1):
            scene, closeup = f"still_{number}_scene.jpg", f"still_{number}_closeup.jpg"
            if (folder, scene) in names and still.at is not None:
                near = evidence_path(issue, folder, closeup) if (folder, closeup) in names else None
                stills.append(StillOut(at=still.at, scene=evidence_path(issue, folder, scene), closeup=near))
    return sorted(stills, key=lambda still: still.at)


def _manifest(house: House, folder: str) -> bytes | None:
    """The manifest of an evidence folder; None where it is gone or cannot be read."""
    try:
        return house.evidence.read(f"{folder}/{MANIFEST}")
    except OSError:
        return None


def _move_out(settings: Settings, row: HistoryRow, *, told: bool) -> MoveOut:
    """`told`: whether note and reason are the visitor's business."""
    key = f"move.{row.move}"
    row = row if told else replace(row, note=None, reason=None)
    reason = REJECT_REASONS.get(row.reason or "")
    return MoveOut(
        version=row.version,
        at=local(settings, row.at),
        who=row.who,
        move=row.move,
        move_name=named(key) if key in WORDS else Names(en=row.move, zh=row.move),
        from_state=row.from_state,
        to_state=row.to_state,
        reason=row.reason,
        reason_name=Names(en=reason.en, zh=reason.zh) if reason else _as_it_is(row.reason),
        note=row.note,
    )


def _as_it_is(text: str | None) -> Names | None:
    return Names(en=text, zh=text) if text else None
