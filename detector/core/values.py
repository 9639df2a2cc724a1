"""The values that pass between rooms. All frozen; a wrong shape cannot be built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box, FloatArray, Polygon, median_box
from detector.core.timeline import Break, Timeline
from detector.core.times import DailyHours, Interval, subtract, union

Image = npt.NDArray[np.uint8]
"""A picture: height x width x 3, BGR, uint8."""


class Category(StrEnum):
    """What kind of place a monitored point is."""

    ARTERIAL = "arterial"
    COMMERCIAL_STREET = "commercial_street"
    INTERSECTION = "intersection"
    NIGHT_MARKET = "night_market"


class ZoneKind(StrEnum):
    """What a polygon of a point's picture stands for."""

    NO_PARKING = "no_parking"
    SIDEWALK = "sidewalk"
    PARKING_BAY = "parking_bay"
    NO_VENDING = "no_vending"
    SANITATION = "sanitation"
    CARRIAGEWAY = "carriageway"
    BIN = "bin"
    """Drawn round one street container."""
    TACTILE_PATH = "tactile_path"


class Violation(StrEnum):
    """What inspectors mark down, and the fault of a camera. What is known of each: `config.violations`."""

    ILLEGAL_PARKING = "illegal_parking"
    SIDEWALK_PARKING = "sidewalk_parking"
    DISORDERLY_BIKES = "disorderly_bikes"
    STREET_VENDING = "street_vending"
    LITTER = "litter"
    OVERFLOWING_BIN = "overflowing_bin"
    PILED_GOODS = "piled_goods"
    CAMERA_FAULT = "camera_fault"


class LabelGroup(StrEnum):
    """Labels that count as one kind of object, for the detector flips between them."""

    VEHICLE = "vehicle"
    BIKE = "bike"
    PERSON = "person"
    GOODS = "goods"
    RUBBISH = "rubbish"
    BIN = "bin"


LABEL_GROUPS: Mapping[str, LabelGroup] = {
    **dict.fromkeys(("car", "truck", "bus", "van"), LabelGroup.VEHICLE),
    **dict.fromkeys(("bicycle", "motorcycle"), LabelGroup.BIKE),
    "person": LabelGroup.PERSON,
    **dict.fromkeys(("chair", "dining table", "umbrella", "bench", "suitcase"), LabelGroup.GOODS),
    "rubbish": LabelGroup.RUBBISH,
    "bin": LabelGroup.BIN,
}

TAKEN_FOR: Mapping[str, LabelGroup] = dict.fromkeys(
    ("cell phone", "boat", "train", "airplane"), LabelGroup.VEHICLE
)
"""What the detector calls a group at times: yolov8n gives a car seen from above, or a pale one at night, 'cell phone' with
0.8 and more, and a van in the dark 'boat' with 0.7 at every look. None of them is to be seen on a street."""

LABEL_GROUPS_MISTAKEN: Mapping[str, LabelGroup] = {**LABEL_GROUPS, **TAKEN_FOR}

FAINT_CONFIDENCE = 0.05
"""Lowest confidence in [0, 1] at which a detection of a vehicle is stored. A vehicle that stands is named weakly at some
samples and strongly over its stay: of 39 real standing vehicles yolov8n finds 87 % at half of the samples from 0.2, and
95 to 97 % from 0.05."""

CLEAR_CONFIDENCE = 0.2
"""Confidence in [0, 1] below which a detection of a vehicle is faint. Faint detections support a stay; they count for
nothing else."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon of one camera's picture, corners in [0, 1] of width and height."""

    id: str
    kind: ZoneKind
    polygon: Polygon
    permitted: tuple[DailyHours, ...] = ()
    """Hours in which what the zone forbids is allowed."""
    limits_s: Mapping[Violation, float] = field(default_factory=dict)
    """Limits of this zone alone, in seconds; they go before the rule's own."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One view of a point: its zones and where its recordings lie."""

    id: str
    zones: tuple[Zone, ...]
    timezone: tzinfo
    """The county's clock: hours, days, captions, pages and papers go by it."""
    resolution_wh: tuple[int, int]
    folder: str = ""
    template: str = "iso"
    """A preset's name or a filename template, see `detector.footage.templates`."""
    clock_offset_s: float = 0.0
    """Seconds to add to the recorder's clock to get the true time."""
    recorder_timezone: tzinfo | None = None
    """The recorder's clock, by which names of recordings go; None where that is the county's."""
    example_zones: bool = False
    """Whether the zones are those that `kerbwatch init` wrote and nobody has confirmed them."""
    zones_judged: bool = True
    """Whether the zones are judged; False where they are unconfirmed examples, unless a setting says otherwise.
    Faults of the camera are judged in both cases."""
    channel: str = ""
    """Which channel of the recorder it is, where the files of several lie in one folder; '' where only its own do."""

    @property
    def is_judged(self) -> bool:
        """Whether a scan that finds nothing means that nothing is there: there are zones, and they are judged."""
        return self.zones_judged and bool(self.zones)

    @property
    def recorder_clock(self) -> tzinfo:
        """The time zone of the recorder's clock."""
        return self.recorder_timezone or self.timezone

    def recorder_time(self, at: datetime) -> datetime:
        """What the recorder's clock showed at a true time."""
        return (at - timedelta(seconds=self.clock_offset_s)).astimezone(self.recorder_clock)


@dataclass(frozen=True, slots=True)
class Point:
    """A monitored place, with one camera or more."""

    id: str
    name: str
    name_en: str
    category: Category
    cameras: tuple[Camera, ...]
    grid: str = ""
    """The grid unit (网格) that answers for the place."""


class RecordingState(StrEnum):
    """What a file of an archive turned out to be."""

    READABLE = "readable"
    EMPTY = "empty"
    NOT_VIDEO = "not_video"
    TRUNCATED = "truncated"
    GROWING = "growing"
    UNNAMED = "unnamed"
    REPEATED = "repeated"
    UNREADABLE = "unreadable"
    MIXED = "mixed_channels"
    """The files of several channels lie in one folder, and none is known to be this camera's."""
    OTHER_CHANNEL = "other_channel"
    """A file of another channel than the camera's."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a container says of its first video stream.

    `start_s` is the stream time of the first picture that can be decoded. `duration_s` is media time from there on:
    the breaks of the stream's clock are taken out.
    """

    codec: str
    resolution_wh: tuple[int, int]
    start_s: float
    duration_s: float
    truncated: bool = False
    """True where the container breaks off before the duration it claims."""
    lead_s: float = 0.0
    """For so many seconds before the first picture the file holds pictures that cannot be decoded."""
    late_s: float = 0.0
    """The container says that its video begins so many seconds late: by an edit list, or after its sound."""
    breaks: tuple[Break, ...] = ()
    """Where the stream's clock jumps by more than some seconds, forward or back."""
    measured_hz: float | None = None
    """Pictures per second of media time."""
    stated_hz: float | None = None
    """Pictures per second that the video stream itself states, whatever the container says."""
    timed: bool = True
    """False for a bare video stream, whose pictures are counted at `stated_hz`, or at 25 a second."""
    complete: bool = False
    """True where the container's index is whole, so that no pictures are missing at its end."""
    studied: bool = False
    """True where the whole file was read for breaks."""
    pace: tuple[tuple[float, int], ...] = ()
    """Places between which pictures come evenly, the beginning and the end among them: media time in seconds, and how
    many pictures lie before it. Empty where they come evenly throughout, or that is not known."""

    shape_wh: tuple[int, int] = (0, 0)
    """Width and height as shown in square pixels: what is stored may be squeezed. (0, 0) where it is not known."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, in seconds; `of_json` reads them."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**told, "breaks": [[b.media_s, b.jump_s] for b in self.breaks]}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        sizes = {name: tuple(stored.get(name, (0, 0))) for name in ("resolution_wh", "shape_wh")}
        breaks = tuple(Break(*jump) for jump in stored["breaks"])
        pace = tuple((float(media_s), int(number)) for media_s, number in stored.get("pace", ()))
        return cls(**{**stored, **sizes, "breaks": breaks, "pace": pace})


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of one camera.

    `interval` is true time: it begins at the name's start, corrected by the camera's clock offset, and never ends after
    the name's end. Offsets into the recording are seconds after its start.
    """

    camera_id: str
    path: str
    size_bytes: int
    modified_ns: int
    interval: Interval
    state: RecordingState
    reason: str = ""
    resolution_wh: tuple[int, int] = (0, 0)
    timeline: Timeline | None = None
    """How offsets are found in the file; None where they are seconds after its first picture."""
    media: MediaInfo | None = None
    """What the container says; None where it was never read."""

    @property
    def id(self) -> str:
        """Names the file as it is now, and how its times are read: if one of them changes, it is another recording."""
        mapped = f"|{self.timeline.key}" if self.timeline else ""
        name = f"{self.camera_id}|{self.path}|{self.size_bytes}|{self.modified_ns}{mapped}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]

    @property
    def file_id(self) -> str:
        """Names the file as it is now, however its times are read."""
        return replace(self, timeline=None).id if self.timeline else self.id

    @property
    def shown(self) -> Interval:
        """From the first picture to the end of the last, within `interval`."""
        if self.timeline is None:
            return self.interval
        start = self.interval.start
        shown = Interval(
            start + timedelta(seconds=self.timeline.starts_s), start + timedelta(seconds=self.timeline.ends_s)
        )
        return shown.intersection(self.interval) or self.interval

    @property
    def pictured(self) -> list[Interval]:
        """The stretches of `interval` that have pictures, in order."""
        ends = self.timeline.holes() if self.timeline else []
        start = self.interval.start
        holes = [Interval(start + timedelta(seconds=a), start + timedelta(seconds=b)) for a, b in ends]
        return subtract(self.shown, holes)

    @property
    def usable(self) -> bool:
        return self.state in (RecordingState.READABLE, RecordingState.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Detections:
    """What a model saw in one picture: n labels, n confidences in [0, 1], boxes xyxy in [0, 1] of shape (n, 4)."""

    labels: tuple[str, ...]
    confidences: FloatArray
    boxes: FloatArray

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.labels), 4) or self.confidences.shape != (len(self.labels),):
            raise ValueError(
                f"{len(self.labels)} labels need boxes of shape ({len(self.labels)}, 4) and as many "
                f"confidences, got {self.boxes.shape} and {self.confidences.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, group: LabelGroup, *, mistaken: bool = False, faint: bool = False) -> Detections:
        """The detections of one group, in the same order; with what it is `mistaken` for where that is asked.

        Faint detections of vehicles are left out unless `faint` is set.
        """
        names = LABEL_GROUPS_MISTAKEN if mistaken else LABEL_GROUPS
        return self._where(
            [
                i
                for i, label in enumerate(self.labels)
                if names.get(label) is group and (faint or not self._is_faint(i))
            ]
        )

    @property
    def clear(self) -> Detections:
        """The detections without the faint ones of vehicles."""
        return self._where([i for i in range(len(self.labels)) if not self._is_faint(i)])

    def _is_faint(self, index: int) -> bool:
        is_vehicle = LABEL_GROUPS_MISTAKEN.get(self.labels[index]) is LabelGroup.VEHICLE
        return is_vehicle and bool(self.confidences[index] < CLEAR_CONFIDENCE)

    def _where(self, keep: Sequence[int]) -> Detections:
        if len(keep) == len(self.labels):
            return self
        keep = list(keep)
        return Detections(tuple(self.labels[i] for i in keep), self.confidences[keep], self.boxes[keep])

    def with_those_of(self, other: Detections) -> Detections:
        """These and then those of another model that saw the same picture."""
        return Detections(
            self.labels + other.labels,
            np.concatenate([self.confidences, other.confidences]),
            np.concatenate([self.boxes, other.boxes]),
        )


NO_DETECTIONS = Detections((), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))


@dataclass(frozen=True, slots=True)
class CardSigns:
    """How much a picture looks like one that a recorder draws where the camera gives none; each in [0, 1]."""

    plain: float = 0.0
    """Which part of the ground has one exact level, where all else is sharp marks such as letters; else 0."""
    noisy: float = 0.0
    """The same of a ground with noise: which part lies, once blurred, at levels that are far apart."""
    bars: float = 0.0
    """Which part of the upper half has its column's level, where the levels form bars; else 0."""
    snow: float = 0.0
    """Which part is white noise."""


NO_CARD = CardSigns()


@dataclass(frozen=True, slots=True)
class ViewState:
    """How usable one picture is: brightness and sharpness in [0, 255], and a small grey picture to compare views by."""

    brightness: float
    sharpness: float
    signature: npt.NDArray[np.uint8]
    """Grey, SIGNATURE_WH[1] x SIGNATURE_WH[0]."""
    edges: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """Where the picture has structure, EDGES_WH[1] x EDGES_WH[0]; much the same by day and by night. Empty where
    it was not measured."""
    sketch: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    """SKETCH_SIZE numbers whose root mean square difference tells that of two whole pictures, in grey levels."""
    card: CardSigns = NO_CARD
    """All 0 where it was not measured."""


SIGNATURE_WH = (32, 18)
EDGES_WH = (64, 36)
SKETCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen at one moment of one camera."""

    camera_id: str
    at: datetime
    recording_id: str
    offset_s: float
    """Presentation time of the picture, seconds after the recording's first picture."""
    detections: Detections
    view: ViewState
    picture: bytes | None = None
    """The picture as it was looked at, compressed; kept of the looks that are for litter, see `decoding.view`."""
    reused: bool = False
    """Whether nothing had moved since the model last looked, so that its answer of then stands for this moment too."""
    spared: bool = False
    """Whether not even a picture was decoded, for those of the looks before and after show one scene. `view` is then
    that of the look before."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object at one moment; the box in [0, 1]."""

    at: datetime
    box: Box
    confidence: float
    label: str


@dataclass(frozen=True, slots=True)
class Stay:
    """One object in one place over successive observations, as far as boxes can tell."""

    camera_id: str
    group: LabelGroup
    sightings: tuple[Sighting, ...]
    absent_before: datetime | None
    """The last observed moment before the stay at which it was not there; None where nothing was observed."""
    absent_after: datetime | None
    other_until: datetime | None = None
    """Until then another object was proven to stand in the place, and from `other_from` on again; None where none was."""
    other_from: datetime | None = None

    def __post_init__(self) -> None:
        if not self.sightings:
            raise ValueError("a stay needs a sighting or more")

    @property
    def seen(self) -> tuple[datetime, datetime]:
        return self.sightings[0].at, self.sightings[-1].at

    @property
    def box(self) -> Box:
        """The median box of the sightings."""
        return median_box(s.box for s in self.sightings)

    @property
    def seen_s(self) -> float:
        return (self.sightings[-1].at - self.sightings[0].at).total_seconds()


@dataclass(frozen=True, slots=True)
class ViewFault:
    """A stretch in which a view cannot be judged, and why: one word of `camera_fault`, such as 'frozen'."""

    interval: Interval
    """From the first look at which it was so."""
    what: str
    last: datetime | None = None
    """The last look at which it was so; None where no look was had."""
    unsure: Interval | None = None
    """From the last look before it to the first after it: what is shown in between proves nothing."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Vehicles among which one stood, and which may have been a queue or a jam: looks are too far apart to tell.

    It was one if `others` of them, or more, drove on together; or came together, where their leaving was not recorded.
    """

    interval: Interval
    others: int
    stays: tuple[Stay, ...]
    clears: bool
    """Whether their leaving tells, not their coming."""

    def __post_init__(self) -> None:
        if not 0 < self.others <= len(self.stays):
            raise ValueError(f"a queue of {len(self.stays)} vehicles cannot need {self.others} of them")


@dataclass(frozen=True, slots=True)
class Incident:
    """One violation at one zone over one interval: a suspicion until it is proven.

    `box` is in [0, 1] and None for a fault of the camera, as is `zone_id`.
    """

    violation: Violation
    point_id: str
    camera_id: str
    zone_id: str | None
    interval: Interval
    limit_s: float
    box: Box | None
    share: float
    """Which part of the ground contact lies in the zone, in [0, 1]."""
    confidence: float
    stay: Stay | None = None
    note: str = ""
    """What stood, in words for the explanation, where the violation alone does not say it."""
    note_zh: str = ""
    beside: Box | None = None
    """Where whoever stays beside the object usually is; of a vendor."""
    fault: ViewFault | None = None
    """Of a camera_fault: what was judged, before a closer look refined the interval."""
    excused: tuple[Interval, ...] = ()
    """Time that does not count towards the limit: the vehicle stood in a queue or a jam."""
    queues: tuple[Queue, ...] = ()
    """Further time that does not count if a closer look confirms that others stood and drove on together."""

    @property
    def dwell_s(self) -> float:
        return self.interval.duration_s

    def counted_s(self, interval: Interval) -> float:
        """How much of an interval counts towards the limit, in seconds."""
        shared = [part for excuse in self.excused if (part := excuse.intersection(interval))]
        return interval.duration_s - sum(part.duration_s for part in union(shared))

    @property
    def fingerprint(self) -> str:
        """The same for the same suspicion, however often it is judged; 32 hex digits."""
        place = [f"{v:.3f}" for v in self.box] if self.box else []
        judged = self.fault.interval if self.fault else self.interval
        start = self.stay.seen[0] if self.stay else judged.start
        parts: Sequence[str] = [
            self.violation, self.camera_id, self.zone_id or "", f"{start.timestamp():.3f}", *place
        ]  # fmt: skip
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of an incident's evidence, by its name inside the incident's folder."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves an incident. `folder` is relative to the evidence root; `files` includes manifest.json."""

    folder: str
    files: tuple[EvidenceFile, ...]


class NativePicture(Protocol):
    """A picture at the camera's own resolution, of which only what is asked for is converted."""

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    def luma(self) -> npt.NDArray[np.uint8]:
        """Height x width, uint8; not to be written to, nor to be kept."""
        ...

    def crop(self, x1: int, y1: int, x2: int, y2: int) -> Image:
        """The pixels [x1, x2) x [y1, y2) as height x width x 3, BGR, uint8."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture. `offset_s` is its presentation time after the recording's first picture."""

    offset_s: float
    image: Image
    source_sha256: str
    """SHA-256 over the bytes of the packets from the last keyframe up to this picture's own, as they are stored."""
    large: Image | None = None
    """The same picture less reduced, where that was asked for."""
    source_wh: tuple[int, int] = (0, 0)
    """The picture's size as it was decoded; (0, 0) where that is not known."""
    pixel_aspect: float = 1.0
    """The width of a pixel as players show it, in its heights."""
    native: NativePicture | None = None
    """The same picture as it was decoded, where that was asked for. It holds the decoder's memory: drop it soon."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture that proves: when, from which recording, and the object's box in [0, 1] if there is one."""

    at: datetime
    recording: Recording
    frame: Frame
    box: Box | None


@dataclass(frozen=True, slots=True)
class Proof:
    """An incident that withstood a closer look. The incident's interval is the refined one.

    `stills` are in time order, three or more for a stay, the outer two further apart than the limit.
    """

    incident: Incident
    stills: tuple[Still, ...]
    start_uncertainty_s: float
    """The object arrived at most so long before the interval's start; inf where no earlier picture exists."""
    end_uncertainty_s: float
    similarity: float
    """The lowest likeness, in [0, 1], of the object to itself over the pictures that were compared."""
    explanation: str
    explanation_zh: str
