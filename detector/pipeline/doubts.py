"""Why a clip in which nothing was found is not clean: what of it could not be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from detector.config.rules import RuleSet
from detector.core.geometry import same_shape
from detector.core.times import Interval, subtract, union
from detector.core.values import Camera, Observation, Point, Violation
from detector.core.wording import duration_en, duration_zh
from detector.judging.camera_fault import SAME_VIEW, likeness_to
from detector.pipeline.clips import Checked
from detector.pipeline.flow import Part, stretches_of
from detector.proving.looker import JOIN_GAP_S

UNREADABLE_SHARE = 0.5
"""A clip of which so many moments gave no picture could not be judged, however long the others lasted."""

LEAST_GAP_S = 2.0
"""Shorter stretches without pictures are not listed."""

OTHER_VIEW_SHARE = 0.5
"""A clip shows another view where more than this part of its pictures does."""


class Outcome(StrEnum):
    """What a spot check comes to."""

    CLEAN = "clean"
    FOUND = "found"
    NOT_JUDGED = "could_not_be_judged"


class DoubtKind(StrEnum):
    NO_RULE = "no_rule"
    EXAMPLE_ZONES = "example_zones"
    TOO_SHORT = "too_short"
    UNREADABLE = "unreadable"
    UNUSABLE_VIEW = "unusable_view"
    OTHER_SHAPE = "other_shape"
    OTHER_VIEW = "other_view"


MISPLACED = frozenset((DoubtKind.OTHER_SHAPE, DoubtKind.OTHER_VIEW))
"""Doubts by which the zones do not fit the picture, so that what was found in them counts for nothing either."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason why a clip could not be judged, in both languages."""

    kind: DoubtKind
    reason: str
    reason_zh: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a spot check comes to, why it could not be judged, and which time and which rules were not."""

    outcome: Outcome
    doubts: tuple[Doubt, ...] = ()
    unjudged: tuple[Interval, ...] = ()
    """Time of which no picture was had, or none that can be judged."""
    too_long: tuple[tuple[Violation, float], ...] = ()
    """Rules in force whose limit, in seconds, the clip does not exceed, so that they cannot have been broken in it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a clip is compared with: the camera's zones, the rules, and what its view usually is."""

    point: Point
    camera: Camera
    rules: RuleSet
    shape_wh: tuple[int, int]
    """Of the clip's picture, in square pixels."""
    usual: Sequence[Observation] = ()
    """Stored looks of the camera that could be judged; none where nothing is known of it."""


def assess(checked: Checked, subject: Subject) -> Assessment:
    """Weigh what was found in a clip against what of it could not be judged."""
    limits_s = _limits_s(checked.parts, subject)
    run_s = max(run.duration_s for run in union((i for _, i in checked.parts), join_gap_s=JOIN_GAP_S))
    unseen = union([*checked.unseen, *_before_looks(checked), *_without_pictures(checked)], join_gap_s=1.0)
    unjudged = tuple(union([*unseen, *(fault.interval for fault in checked.faults)], join_gap_s=1.0))
    shortest_s = min(limits_s.values(), default=None)
    found = (
        _rule_doubt(shortest_s, run_s, subject),
        _reading_doubt(checked, unseen, shortest_s),
        _shape_doubt(subject),
        _view_doubt(checked, subject),
    )
    doubts = tuple(doubt for doubt in found if doubt is not None)
    too_long = tuple((violation, limit_s) for violation, limit_s in limits_s.items() if limit_s >= run_s)
    return Assessment(_outcome(checked, doubts), doubts, unjudged, too_long)


def _before_looks(checked: Checked) -> list[Interval]:
    """The beginning of each part up to its first moment, where that gave no picture."""
    found = []
    for _, part in checked.parts:
        missed = min((u.start for u in checked.unseen if u.start in part), default=part.end)
        seen = min((o.at for o in checked.observations if o.at in part), default=part.end)
        if part.start < missed < seen:
            found.append(Interval(part.start, missed))
    return found


def _without_pictures(checked: Checked) -> list[Interval]:
    """What of the clip's own time its files hold no pictures of, such as before the first keyframe."""
    whole = Interval(checked.start, max(part.end for _, part in checked.parts))
    rest = [gap for recording, _ in checked.parts for gap in subtract(recording.interval, recording.pictured)]
    return [shared for gap in rest if gap.duration_s >= LEAST_GAP_S and (shared := gap.intersection(whole))]


def _outcome(checked: Checked, doubts: Sequence[Doubt]) -> Outcome:
    if any(doubt.kind in MISPLACED for doubt in doubts):
        return Outcome.NOT_JUDGED
    if checked.proofs:
        return Outcome.FOUND
    return Outcome.NOT_JUDGED if doubts else Outcome.CLEAN


def _limits_s(parts: Sequence[Part], subject: Subject) -> dict[Violation, float]:
    """By violation, the shortest limit in force at some time of the clip, in seconds."""
    limits_s: dict[Violation, float] = {}
    for violation, rule in subject.rules.rules.items():
        own = RuleSet({violation: rule})
        asked = [
            stretch.limit_s
            for _, interval in parts
            for stretch in stretches_of(subject.point, subject.camera, own, interval)
            if stretch.limit_s is not None
        ]
        if asked:
            limits_s[violation] = min(asked)
    return limits_s


def _rule_doubt(shortest_s: float | None, run_s: float, subject: Subject) -> Doubt | None:
    if shortest_s is None:
        return Doubt(DoubtKind.NO_RULE, "no rule is in force here at that time", "该时段此点位无适用规则")
    if not subject.camera.zones_judged:
        return Doubt(
            DoubtKind.EXAMPLE_ZONES,
            "the zones of this camera are examples that nobody has confirmed",
            "该点位区域为示例，尚未确认",
        )
    if run_s <= shortest_s:
        return Doubt(
            DoubtKind.TOO_SHORT,
            f"it lasts {duration_en(run_s)}, and the shortest limit in force is {duration_en(shortest_s)}",
            f"录像时长 {duration_zh(run_s)}，不超过现行最短时限 {duration_zh(shortest_s)}",
        )
    return None


def _reading_doubt(checked: Checked, unseen: Sequence[Interval], shortest_s: float | None) -> Doubt | None:
    looks = len(checked.observations) + len(checked.failed)
    longest_s = max((stretch.duration_s for stretch in unseen), default=0.0)
    if checked.failed and len(checked.failed) >= UNREADABLE_SHARE * looks:
        return Doubt(
            DoubtKind.UNREADABLE,
            f"{len(checked.failed)} of {looks} moments are unreadable",
            f"{looks} 次采样中 {len(checked.failed)} 次无法读取",
        )
    if shortest_s is not None and longest_s >= shortest_s:
        return Doubt(
            DoubtKind.UNREADABLE,
            f"{duration_en(longest_s)} without a readable picture, as long as the shortest limit or longer",
            f"有 {duration_zh(longest_s)} 无可读画面，不短于现行最短时限",
        )
    if checked.observations and checked.view != "ok":
        return Doubt(
            DoubtKind.UNUSABLE_VIEW,
            "most of the pictures show nothing that can be judged: dark, blocked, frozen or turned away",
            "多数画面过暗、遮挡、卡滞或偏移，无法判定",
        )
    return None


def _shape_doubt(subject: Subject) -> Doubt | None:
    (width, height), (own_width, own_height) = subject.shape_wh, subject.camera.resolution_wh
    if same_shape(subject.shape_wh, subject.camera.resolution_wh):
        return None
    return Doubt(
        DoubtKind.OTHER_SHAPE,
        f"its picture is {width}x{height}, another shape than the {own_width}x{own_height} that the zones are drawn in",
        f"画面为 {width}x{height}，与区域所用画面 {own_width}x{own_height} 比例不同",
    )


def _view_doubt(checked: Checked, subject: Subject) -> Doubt | None:
    rated = [one for one in likeness_to(subject.usual, checked.observations) if one is not None]
    unlike = sum(one < SAME_VIEW for one in rated)
    if unlike <= OTHER_VIEW_SHARE * len(rated):
        return None
    return Doubt(
        DoubtKind.OTHER_VIEW,
        f"{unlike} of {len(rated)} pictures do not show the view that this camera usually has",
        f"{len(rated)} 幅画面中 {unlike} 幅与该摄像机平时的画面不符",
    )
