"""What is written on evidence, in Chinese and English. Words only; `drawing` puts them beside the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from detector.core.values import Camera, Incident, Point, Proof, Violation
from detector.core.wording import duration_en, duration_zh

SHORT_FINGERPRINT = 10

Row = tuple[str, ...]
"""Phrases of one caption row; a row that is too long breaks between phrases first, inside one last."""


CONVERTED: Row = (
    "录像文件自带时钟有误，时间已按录像机时钟换算",
    "the file's own clock is wrong; times are converted to the recorder's clock",
)
"""Stands on stills of a recording whose own clock disagrees with the recorder's; the manifest says how."""


@dataclass(frozen=True, slots=True)
class Captions:
    """Rows of text above and below a picture; the first row above takes the violation's colour."""

    above: tuple[Row, ...] = ()
    below: tuple[Row, ...] = ()
    violation: Violation | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an incident happened, and the names and versions that its evidence carries."""

    point: Point
    camera: Camera
    zone_name: str
    """Empty for a fault of the camera."""
    code: str
    """The city's own number for the violation; may be empty."""
    violation_zh: str
    violation_en: str
    model_id: str
    model_sha256: str
    rules_version: str
    kerbwatch_version: str

    def local(self, moment: datetime) -> datetime:
        """A moment by the county's clock."""
        return moment.astimezone(self.camera.timezone)


def still_captions(proof: Proof, scene: Scene, number: int) -> Captions:
    """The captions of the still with this number, counted from 1."""
    incident, at = proof.incident, proof.stills[number - 1].at
    so_far_s = min(max(0.0, (at - incident.interval.start).total_seconds()), incident.dwell_s)
    fingerprint = incident.fingerprint[:SHORT_FINGERPRINT]
    verb_zh, verb_en = _verbs(incident)
    least_zh, least_en = ("至少", "at least ") if _open_ended(proof) else ("", "")
    timeline = proof.stills[number - 1].recording.timeline
    return Captions(
        above=_headings(incident, scene),
        below=(
            (
                local_time(scene, at),
                f"图片 still {number}/{len(proof.stills)}",
                f"编号 id {fingerprint}",
            ),
            (
                f"{verb_zh} {duration_zh(so_far_s)}",
                f"共{least_zh} {duration_zh(incident.dwell_s)}",
                f"限时 {duration_zh(incident.limit_s)}",
            ),
            (
                f"{verb_en} {duration_en(so_far_s)}",
                f"{least_en}{duration_en(incident.dwell_s)} in total",
                f"limit {duration_en(incident.limit_s)}",
            ),
            *((CONVERTED,) if timeline is not None and timeline.is_converted else ()),
        ),
        violation=incident.violation,
    )


def clip_captions(proof: Proof, scene: Scene, at: datetime) -> Captions:
    """The captions of one picture of the clip: as many characters at every moment, so the clip keeps its size."""
    return Captions(
        below=(
            (local_time(scene, at),),
            (scene.violation_zh, scene.violation_en),
            (f"{scene.point.id} {scene.point.name}",),
        ),
        violation=proof.incident.violation,
    )


def local_time(scene: Scene, at: datetime) -> str:
    """'2026-01-08 08:12:33 +08:00'."""
    text = scene.local(at).isoformat(sep=" ", timespec="seconds")
    return f"{text[:19]} {text[19:]}"


def _headings(incident: Incident, scene: Scene) -> tuple[Row, Row]:
    point, zone = scene.point, scene.zone_name
    chinese = (f"{scene.violation_zh} {scene.code}".strip(), f"{point.id} {point.name}")
    english = (scene.violation_en, f"{point.id} {point.name_en}")
    if incident.zone_id is None:
        return chinese, english
    return (*chinese, f"区域 {zone}"), (*english, f"zone {zone}")


def _verbs(incident: Incident) -> tuple[str, str]:
    return ("停留", "stood") if incident.box else ("持续", "lasted")


def _open_ended(proof: Proof) -> bool:
    """True where recordings do not show the arrival or the departure."""
    return math.isinf(proof.start_uncertainty_s) or math.isinf(proof.end_uncertainty_s)
