"""What the files of a working folder may hold, and the values they become."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    ValidationInfo,
    create_model,
    field_validator,
)

from detector.config.engine import EnginePart
from detector.config.fields import Flag, Hours, Line, Number, Seconds, Share, Text
from detector.config.nightly import NightlyPart
from detector.config.reading import Part, nearest, shown, wrong
from detector.config.rules import RuleSet
from detector.config.sections import CameraFault
from detector.config.violations import RULES, RuleEntry
from detector.core.geometry import Polygon, polygon_fault
from detector.core.values import Camera, Category, Point, Violation, Zone, ZoneKind

PRESETS: Final = ("hikvision", "dahua", "iso")
"""Filename templates that `detector.footage.templates` knows by name."""
NEEDED_FIELDS: Final = ("year", "month", "day", "hour", "minute")
"""What a filename template of one's own must hold."""


@dataclass(slots=True)
class Seen:
    """What the validators of one load tell each other: pydantic's context."""

    rules: RuleSet | None = None
    resolution_wh: tuple[int, int] | None = None
    """Of the view whose zones are being read; None where it is wrong itself."""
    zone_ids: set[str] = field(default_factory=set)
    file: str = ""
    cameras: dict[str, str] = field(default_factory=dict)
    """Camera id to the file that gave it first."""
    folders: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Folder, template and channel to the file that gave them first."""


def seen_in(info: ValidationInfo) -> Seen:
    """What this load has seen so far; whoever reads a view must give it one."""
    assert isinstance(info.context, Seen)
    return info.context


def _corner(value: object, info: ValidationInfo) -> tuple[float, float]:
    numbers = numbers_of(value, 2)
    if numbers is None:
        raise wrong(f"{shown(value)} is not a corner [x, y] in pixels")
    x, y = numbers
    size = seen_in(info).resolution_wh
    if size and not (0 <= x <= size[0] and 0 <= y <= size[1]):
        raise wrong(f"{shown(value)} lies outside the picture of {size[0]}x{size[1]} pixels")
    return x, y


def numbers_of(value: object, count: int) -> tuple[float, ...] | None:
    """A list of so many finite numbers, or None."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(type(v) in (int, float) and math.isfinite(v) for v in value):
        return None
    return tuple(float(v) for v in value)


def _size(value: object) -> tuple[int, int]:
    numbers = numbers_of(value, 2)
    if numbers is None or any(n < 1 or n % 1 for n in numbers):
        raise wrong(f"{shown(value)} is not two whole numbers of pixels above 0")
    return int(numbers[0]), int(numbers[1])


def _timezone(value: object) -> ZoneInfo:
    known = available_timezones()
    if not isinstance(value, str) or value not in known:
        raise wrong(f"{shown(value)} is no time zone such as 'Asia/Shanghai'", nearest(value, known))
    return ZoneInfo(value)


def _id(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value):
        raise wrong(f"{shown(value)} is not an id of letters, digits, '-' and '_' (quote a number)")
    return value


def _template(value: object) -> str:
    if isinstance(value, str) and "{" in value:
        missing = [f"{{{name}}}" for name in NEEDED_FIELDS if f"{{{name}}}" not in value]
        if missing:
            raise wrong(f"the template {shown(value)} lacks {', '.join(missing)}")
        return value
    if value not in PRESETS:
        presets = ", ".join(PRESETS)
        raise wrong(
            f"{shown(value)} is neither a preset ({presets}) nor a template with {{year}} ... {{minute}}",
            nearest(value, PRESETS),
        )
    return str(value)


def _channel(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[^/\s]+", value):
        raise wrong(f"{shown(value)} is not a channel such as 'ch01' or 1")
    return value


Size = Annotated[tuple[int, int], PlainValidator(_size)]
Corner = Annotated[tuple[float, float], PlainValidator(_corner)]
TimeZone = Annotated[ZoneInfo, PlainValidator(_timezone)]
Id = Annotated[str, PlainValidator(_id)]
Template = Annotated[str, PlainValidator(_template)]
Channel = Annotated[str, PlainValidator(_channel)]


class Limit(Part):
    dwell_s: Seconds


class ZonePart(Part):
    """A polygon of a picture, its corners in pixels of the picture's `resolution_wh`."""

    id: Id
    kind: ZoneKind
    polygon: list[Corner]
    permitted: list[Hours] = Field(default_factory=list)
    limits: dict[Violation, Limit] = Field(default_factory=dict)

    @field_validator("id")
    @classmethod
    def _is_new(cls, value: str, info: ValidationInfo) -> str:
        if value in seen_in(info).zone_ids:
            raise wrong(f"{shown(value)} is the id of an earlier zone of this camera")
        seen_in(info).zone_ids.add(value)
        return value

    @field_validator("polygon")
    @classmethod
    def _has_an_inside(cls, value: list[tuple[float, float]]) -> list[tuple[float, float]]:
        if fault := polygon_fault(value):
            raise wrong(fault)
        return value

    @field_validator("limits")
    @classmethod
    def _have_rules(cls, value: dict[Violation, Limit], info: ValidationInfo) -> dict[Violation, Limit]:
        rules, kind = seen_in(info).rules, info.data.get("kind")
        if rules is None or kind is None:
            return value
        for violation in value:
            rule = rules.rules.get(violation)
            if rule is None or kind not in rule.zones:
                raise wrong(f"no rule {violation} looks at zones of kind {kind}")
        return value

    def value(self, resolution_wh: tuple[int, int]) -> Zone:
        width, height = resolution_wh
        polygon: Polygon = tuple((x / width, y / height) for x, y in self.polygon)
        limits_s = {violation: limit.dwell_s for violation, limit in self.limits.items()}
        return Zone(self.id, self.kind, polygon, tuple(self.permitted), limits_s)


class View(Part):
    """A picture's size and the zones in it."""

    resolution_wh: Size
    zones: list[ZonePart]

    @field_validator("zones", mode="before")
    @classmethod
    def _begin(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401  # passed on unread
        seen_in(info).resolution_wh = info.data.get("resolution_wh")
        seen_in(info).zone_ids.clear()
        return value

    def zone_values(self) -> tuple[Zone, ...]:
        return tuple(zone.value(self.resolution_wh) for zone in self.zones)


class ZonesFile(View):
    """What `kerbwatch check --zones` reads."""

    limits: dict[Violation, Limit] | None = None


class Recordings(Part):
    """Where a camera's recordings lie below the archive's root, and how to read a start time from their names."""

    folder: Text
    channel: Channel = ""
    template: Template
    timezone: TimeZone | None = None
    clock_offset_s: Number = 0.0

    @field_validator("template")
    @classmethod
    def _is_read_once(cls, value: str, info: ValidationInfo) -> str:
        seen = seen_in(info)
        if folder := info.data.get("folder"):
            source = (folder.strip("/"), value, info.data.get("channel", ""))
            if first := seen.folders.get(source):
                raise wrong(f"the recordings in {shown(folder)} are already those of a camera in {first}")
            seen.folders[source] = seen.file
        return value


class CameraPart(View):
    """One view of a point."""

    id: Id
    recordings: Recordings
    example_zones: Flag = False

    @field_validator("id")
    @classmethod
    def _is_new(cls, value: str, info: ValidationInfo) -> str:
        seen = seen_in(info)
        if value in seen.cameras:
            raise wrong(f"{shown(value)} is already the id of a camera in {seen.cameras[value]}")
        seen.cameras[value] = seen.file
        return value

    def camera(self, timezone: ZoneInfo, *, judge_example_zones: bool = False) -> Camera:
        source = self.recordings
        return Camera(
            self.id,
            self.zone_values(),
            timezone,
            self.resolution_wh,
            source.folder,
            source.template,
            source.clock_offset_s,
            source.timezone,
            example_zones=self.example_zones,
            zones_judged=judge_example_zones or not self.example_zones,
            channel=source.channel,
        )


class PointFile(CameraPart):
    """points/*.yaml: a monitored place; its main camera bears its id."""

    name: Line
    name_en: Line
    category: Category
    grid: Annotated[str, Strict()] = ""
    more_cameras: list[CameraPart] = Field(default_factory=list)

    def value(self, timezone: ZoneInfo, *, judge_example_zones: bool = False) -> Point:
        cameras = tuple(
            camera.camera(timezone, judge_example_zones=judge_example_zones)
            for camera in (self, *self.more_cameras)
        )
        return Point(self.id, self.name, self.name_en, self.category, cameras, self.grid)


def _given(value: object) -> object:
    if value is None:
        raise wrong("has nothing in it; to switch the rule off, say enabled: false")
    return value


class RulesPart(Part):
    """rules.yaml: a section a violation. One that is left out is not looked for; camera faults always are."""

    def value(self) -> RuleSet:
        """The rules of all sections that are given."""
        sections = {violation: getattr(self, violation) for violation in RULES}
        return RuleSet({v: section.value(v) for v, section in sections.items() if section is not None})


def rules_model() -> type[RulesPart]:
    """What rules.yaml may hold: a section for each entry of the table of rules."""
    fields: dict[str, Any] = {
        violation: (
            Annotated[entry.section | None, BeforeValidator(_given)],
            CameraFault() if entry.section is CameraFault else None,
        )
        for violation, entry in RULES.items()
    }
    return create_model("RulesFile", __base__=RulesPart, **fields)


@dataclass(frozen=True, slots=True)
class Code:
    """A violation in the city-management platform: its code there, and its name in Chinese and English."""

    code: str
    name: str
    name_en: str


class CodePart(Part):
    code: Line
    name: Line
    name_en: Line


class CodesPart(Part):
    """codes.yaml: each violation's code in the city-management platform, and what it is called."""

    def value(self) -> dict[Violation, Code]:
        """The code of each violation; that of the table of rules where the file does not name one."""
        return {violation: Code(**dict(getattr(self, violation))) for violation in RULES}


def codes_model() -> type[CodesPart]:
    """What codes.yaml may hold: an entry for each violation; those that a county adds later may be left out."""
    fields: dict[str, Any] = {
        violation: (CodePart, ... if entry.code_required else _code_of(entry))
        for violation, entry in RULES.items()
    }
    return create_model("CodesFile", __base__=CodesPart, **fields)


def _code_of(entry: RuleEntry) -> CodePart:
    return CodePart(code=entry.code, name=entry.name, name_en=entry.name_en)


class DepartmentPart(Part):
    name: Line
    name_en: Line


class ArchivePart(Part):
    root: Text = "recordings"
    links_outside: bool = False
    """True: links in it that lead out of `root` are followed."""


class StoragePart(Part):
    """Where results go. `observations`, `heads` and the database lie below `state` unless said otherwise."""

    state: Text = "state"
    database: Text | None = None
    observations: Text | None = None
    evidence: Text = "evidence"
    key_file: Text = "keys/county.key"
    heads: Text | None = None

    @field_validator("database")
    @classmethod
    def _is_a_database(cls, value: str | None) -> str | None:
        return value if value is None else known_database(value)


def known_database(value: str) -> str:
    """The URL of a database that kerbwatch can use; its password never reaches a message."""
    scheme, separator, _ = value.partition("://")
    if not separator:
        raise wrong("is not a URL such as postgresql+psycopg://user@host/name")
    if scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise wrong(
            f"{shown(scheme)} is neither sqlite nor postgresql", nearest(scheme, ["sqlite", "postgresql"])
        )
    return value


Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["int8", "bf16", "f32"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


class ModelPart(Part):
    """`weights` is a name of models/manifest.yaml or a file; `imgsz` is height, width of the model's input.

    `precision` is what a processor computes in: `int8` where the weights have ranges for it (`kerbwatch models
    calibrate`), and `bf16` where the processor knows that; or else `f32`. A GPU computes in f32.
    `litter_weights` are those of a second model, trained for bags of rubbish; none where empty. It looks seldom, and
    at a larger picture: what is 20 px wide of 1280 would be 10 px in `imgsz`, and it was trained on enlarged streets.
    `bin_weights` are those of the classifier of street containers; none where empty, and then no bin is judged.
    `verify_weights` are those of a larger model that names what stands when a candidate is verified; none where empty.
    Where `gate`, the model looks only where something moved since its last look.
    """

    weights: Text = "yolov8n"
    device: Device = "auto"
    imgsz: Size = (384, 640)
    confidence: Share = 0.2
    batch: Annotated[int, Strict(), Field(ge=1, le=1024)] = 8
    precision: Precision = "int8"
    verify_weights: Annotated[str, Strict()] = ""
    litter_weights: Annotated[str, Strict()] = ""
    litter_imgsz: Size = (1088, 1920)
    bin_weights: Annotated[str, Strict()] = "bins"
    gate: bool = True

    @field_validator("imgsz", "litter_imgsz")
    @classmethod
    def _fits_the_strides(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] % 32 or value[1] % 32:
            raise wrong(f"{list(value)} are not both multiples of 32")
        return value


class ReviewPart(Part):
    """How issues are reviewed. Those whose certainty lies below `uncertain_below` come last in the review."""

    uncertain_below: Annotated[float, Field(ge=0, le=1)] = 0.3


class SiteFile(Part):
    """kerbwatch.yaml: the county, and where things lie."""

    name: Line
    name_en: Line
    timezone: TimeZone
    period_days: Annotated[int, Strict(), Field(ge=1, le=3660)] = 30
    judge_example_zones: Flag = False
    archive: ArchivePart = ArchivePart()
    storage: StoragePart = StoragePart()
    model: ModelPart = ModelPart()
    engine: EnginePart = EnginePart()
    nightly: NightlyPart = NightlyPart()
    review: ReviewPart = ReviewPart()


@dataclass(frozen=True, slots=True)
class Department:
    """Who puts things right."""

    id: str
    name: str
    name_en: str


def limits_of(limits: Mapping[Violation, Limit]) -> dict[str, dict[str, float]]:
    """The form that `rules_with_limits` reads."""
    return {str(violation): {"dwell_s": limit.dwell_s} for violation, limit in limits.items()}
