"""What a careful person sees in clips, for scoring: the form of labels.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from detector.config.fields import Number, Text
from detector.config.reading import Part, demand, nearest, read, shown, wrong
from detector.config.schema import Id, Limit, Seen, View, limits_of, numbers_of, seen_in
from detector.core.errors import Fault
from detector.core.geometry import Box
from detector.core.values import Violation, Zone

BOX_TOLERANCE_PX = 5
"""How far a careful person's box may be off, and so stand out of the picture."""


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """A violation over [from_s, until_s) seconds after the clip's first frame; the box in [0, 1]."""

    violation: Violation
    zone_id: str
    from_s: float
    until_s: float
    box: Box | None
    start_tolerance_s: float | None
    what: str
    native_confidence: float | None = None
    """How surely yolov8n sees the object in a crop at the picture's own resolution; None where that was not measured."""


@dataclass(frozen=True, slots=True)
class LabelledFault:
    """A fault of the camera over [from_s, until_s) seconds after the clip's first frame."""

    from_s: float
    until_s: float
    what: str


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """Recordings of one camera, one after the other, and everything that is to be found in them."""

    files: tuple[str, ...]
    """Relative to the labels' folder; times count from the first."""
    starts_at: datetime
    what: str
    resolution_wh: tuple[int, int]
    zones: tuple[Zone, ...]
    limits: Mapping[str, Mapping[str, float]]
    """What `rules_with_limits` reads; empty where the clip names none."""
    events: tuple[LabelledEvent, ...]
    faults: tuple[LabelledFault, ...]
    view: str
    """'ok', or 'unusable' where no zone can hold on the picture."""
    light: Literal["day", "night", "rain"] | None = None
    """Where the hour of the day does not tell: a dark afternoon, a lit market."""
    composed: bool = False
    """Made by the program, with exact answers; else a real recording."""
    camera: str = ""
    """The kind of camera, in words; by the picture's size where empty."""


@dataclass(frozen=True, slots=True)
class Labels:
    """A labels file; `folder` is where it lies, absolute."""

    folder: Path
    about: str
    clips: tuple[LabelledClip, ...]


def load_labels(path: Path) -> Labels:
    """The clips of a labels file, JSON or YAML. Raises BadConfig with every fault."""
    faults: list[Fault] = []
    labels = read(path, _LabelsFile, faults, Seen())
    demand(faults)
    assert labels
    return Labels(path.resolve().parent, labels.about, tuple(clip.value() for clip in labels.clips))


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise wrong(f"{shown(value)} is not a time with its offset such as '2026-01-08T08:00:00+08:00'")
    return moment


def _box(value: object) -> Box:
    numbers = numbers_of(value, 4)
    if numbers is None or not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
        raise wrong(f"{shown(value)} is not a box [x1, y1, x2, y2] with x1 < x2 and y1 < y2")
    x1, y1, x2, y2 = numbers
    return x1, y1, x2, y2


Offset = Annotated[Number, Field(ge=0)]


class _Span(Part):
    from_s: Offset
    until_s: Offset
    what: str = ""

    @field_validator("until_s")
    @classmethod
    def _comes_after(cls, value: float, info: ValidationInfo) -> float:
        if value <= info.data.get("from_s", -1):
            raise wrong(f"{value:g} is not above from_s, {info.data['from_s']:g}")
        return value


class _FaultPart(_Span):
    def value(self) -> LabelledFault:
        return LabelledFault(self.from_s, self.until_s, self.what)


class _EventPart(_Span):
    violation: Violation
    zone: Id
    box: Annotated[Box, PlainValidator(_box)] | None = None
    start_tolerance_s: Offset | None = None
    native_confidence: Annotated[Number, Field(ge=0, le=1)] | None = None

    @field_validator("violation")
    @classmethod
    def _is_an_event(cls, value: Violation) -> Violation:
        if value is Violation.CAMERA_FAULT:
            raise wrong("camera_fault is no event; list it under faults")
        return value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str, info: ValidationInfo) -> str:
        known = seen_in(info).zone_ids
        if value not in known:
            raise wrong(f"{shown(value)} is no zone of this clip", nearest(value, known))
        return value

    @field_validator("box")
    @classmethod
    def _is_in_the_picture(cls, value: Box | None, info: ValidationInfo) -> Box | None:
        size = seen_in(info).resolution_wh
        if value is None or size is None:
            return value
        right, bottom = (side + BOX_TOLERANCE_PX for side in size)
        if min(value) < -BOX_TOLERANCE_PX or value[2] > right or value[3] > bottom:
            raise wrong(
                f"{shown([round(v) for v in value])} lies outside the picture of {size[0]}x{size[1]} pixels"
            )
        return value

    def value(self, resolution_wh: tuple[int, int]) -> LabelledEvent:
        box = self.box and _in_unit(self.box, resolution_wh)
        return LabelledEvent(
            self.violation,
            self.zone,
            self.from_s,
            self.until_s,
            box,
            self.start_tolerance_s,
            self.what,
            self.native_confidence,
        )


def _in_unit(box: Box, resolution_wh: tuple[int, int]) -> Box:
    """A box in pixels as one in [0, 1]; what stands out of the picture is cut off."""
    w, h = resolution_wh
    x1, y1, x2, y2 = (min(max(v, 0.0), side) / side for v, side in zip(box, (w, h, w, h), strict=True))
    return x1, y1, x2, y2


class _ClipPart(View):
    # Zones are declared before events, so that an event's zone can be looked up.
    file: Text | None = None
    files: Annotated[list[Text], Field(min_length=1)] | None = Field(default=None, validate_default=True)
    starts_at: Annotated[datetime, PlainValidator(_moment)]
    what: str = ""
    limits: dict[Violation, Limit] = Field(default_factory=dict)
    events: list[_EventPart] = Field(default_factory=list)
    faults: list[_FaultPart] = Field(default_factory=list)
    view: Text = "ok"
    light: Literal["day", "night", "rain"] | None = None
    composed: bool = False
    camera: str = ""

    @field_validator("files")
    @classmethod
    def _are_named_once(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if "file" in info.data and (value is None) == (info.data["file"] is None):
            raise wrong("a clip needs either file or files")
        return value

    def value(self) -> LabelledClip:
        return LabelledClip(
            tuple(self.files or [str(self.file)]),
            self.starts_at,
            self.what,
            self.resolution_wh,
            self.zone_values(),
            limits_of(self.limits),
            tuple(event.value(self.resolution_wh) for event in self.events),
            tuple(fault.value() for fault in self.faults),
            self.view,
            self.light,
            self.composed,
            self.camera,
        )


class _LabelsFile(Part):
    about: str = ""
    clips: Annotated[list[_ClipPart], Field(min_length=1)]
