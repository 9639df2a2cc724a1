"""The table of rules: one entry holds all that makes a violation one that the program looks for.

Every part of the program that treats violations differently asks this table. How an entry is added: CONTRIBUTING.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, Final

from detector.config import sections
from detector.core.values import Violation

STAND = "detector.proving.prove:prove_standing"
"""The proof of an object that stands: it is itself in all pictures, and its arrival and departure are bisected."""


class Pictures(StrEnum):
    """Of which samples a rule needs a kept picture, or a second model's answer."""

    NONE = "none"
    """Of none: the detections of all samples suffice."""
    SLOW = "slow"
    """Of samples at the cadence of the rule's own limit; a sample without a picture is decoded for it."""
    DECODED = "decoded"
    """The same, only where a picture is decoded anyway: what is large shows in the gate."""


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """One violation. Functions are named as 'module:function', for this table lies below the packages that hold them."""

    code: str
    """Small class of the city-management platform, used where codes.yaml does not give one."""
    name: str
    """In Chinese, as `code`."""
    name_en: str
    section: type[sections.StandingRule | sections.CameraFault]
    """The section of rules.yaml."""
    candidates: str
    """`(looks: Looks) -> Iterable[Suspect]`. Rules with the same function are judged together. '' for camera faults."""
    colour: str
    """Of boxes on pictures, '#rrggbb'."""
    shades: tuple[str, str]
    """Of its name on light and on dark pages, '#rrggbb'."""
    icon: str
    """The inside of an SVG symbol of 24 x 24 units."""
    proof: str = STAND
    """`(incident: Incident, looker: Looker, models: Models) -> Proof | Dropped`."""
    pictures: Pictures = Pictures.NONE
    grows: bool = False
    """Whether an issue goes on over a gap in the recordings where the pictures on both sides show the same object."""
    code_required: bool = False
    """Whether codes.yaml must name it: true of the violations of the first version."""


RULES: Final[dict[Violation, RuleEntry]] = {
    Violation.ILLEGAL_PARKING: RuleEntry(
        code="0505",
        name="机动车违停",
        name_en="Illegal parking",
        section=sections.IllegalParking,
        candidates="detector.judging.parking:find_parked",
        colour="#ff4646",
        shades=("#c02b1e", "#ff8a7c"),
        icon=(
            '<circle cx="12" cy="12" r="9.2"/>'
            '<path d="M5.6 5.6l12.8 12.8M9.5 17.5v-4M9.5 9.8V6.5h3.3a3.2 3.2 0 0 1 2.6 5"/>'
        ),
        grows=True,
        code_required=True,
    ),
    Violation.SIDEWALK_PARKING: RuleEntry(
        code="0505",
        name="人行道违停",
        name_en="Parking on the footway",
        section=sections.SidewalkParking,
        candidates="detector.judging.parking:find_parked",
        colour="#ff8c00",
        shades=("#b04a00", "#ffab70"),
        icon=(
            '<path d="M2.5 20.500h7v-3h12M4 14l1.5-5H13l2.5 5M3 14h13.5"/>'
            '<circle cx="6.5" cy="14.5" r="1.6"/><circle cx="13" cy="14.5" r="1.6"/>'
        ),
        grows=True,
        code_required=True,
    ),
    Violation.DISORDERLY_BIKES: RuleEntry(
        code="0506",
        name="非机动车乱停放",
        name_en="Disorderly bicycles",
        section=sections.DisorderlyBikes,
        candidates="detector.judging.bikes:find_clusters",
        colour="#3caaff",
        shades=("#6941c6", "#b39bf5"),
        icon=(
            '<circle cx="5.5" cy="16" r="3.5"/><circle cx="18.5" cy="16" r="3.5"/>'
            '<path d="m5.5 16 4-7h6l3 7M9.5 9l3.5 7h-7.500M8 7h3M15.5 9V6h2.5"/>'
        ),
        code_required=True,
    ),
    Violation.STREET_VENDING: RuleEntry(
        code="0501",
        name="占道经营/流动摊贩",
        name_en="Street vending",
        section=sections.StreetVending,
        candidates="detector.judging.vending:find_stalls",
        proof="detector.proving.vending:prove_stall",
        pictures=Pictures.DECODED,
        colour="#e15aff",
        shades=("#0a6c74", "#5fcdd6"),
        icon=(
            '<path d="M3 10 5 4h14l2 6M3 10h18M5 10v10M19 10v10M5 15h14"/>'
            '<path d="M3 10a3 3 0 0 0 6 0 3 3 0 0 0 6 0 3 3 0 0 0 6 0"/>'
        ),
        code_required=True,
    ),
    Violation.LITTER: RuleEntry(
        code="0102",
        name="暴露垃圾",
        name_en="Litter",
        section=sections.Litter,
        candidates="detector.judging.litter:find_lying",
        proof="detector.proving.litter:prove_lying",
        pictures=Pictures.SLOW,
        colour="#a0e650",
        shades=("#6b5d00", "#d9c64d"),
        icon=(
            '<path d="M9 4.500h6M10 4.500l-1 4C6 10 4 13 4 16c0 3.5 3 4.5 8 4.500s8-1 8-4.500'
            'c0-3-2-6-5-7.500l-1-4"/>'
        ),
        grows=True,
        code_required=True,
    ),
    Violation.OVERFLOWING_BIN: RuleEntry(
        code="0103",
        name="垃圾满溢",
        name_en="Overflowing bin",
        section=sections.OverflowingBin,
        candidates="detector.judging.overflow:find_overflowing",
        proof="detector.proving.overflow:prove_overflowing",
        pictures=Pictures.SLOW,
        colour="#ffd23c",
        shades=("#7a4b00", "#f0b45a"),
        icon=(
            '<path d="M5 10h14l-1.5 11h-11zM3.5 10h17M10 14v4M14 14v4"/>'
            '<path d="M7 10V6.500h4V10M11 8l4-4 3 3-3 3"/>'
        ),
    ),
    Violation.PILED_GOODS: RuleEntry(
        code="0507",
        name="乱堆物料",
        name_en="Piled goods",
        section=sections.PiledGoods,
        candidates="detector.judging.piled:find_piled",
        proof="detector.proving.piled:prove_piled",
        pictures=Pictures.DECODED,
        colour="#6ee6ff",
        shades=("#8a2f6b", "#eb9bd2"),
        icon='<path d="M3 20.500h18M4 20.500v-7h7v7M13 20.500v-7h7v7M8.5 13.500v-7h7v7M7 13.500v2M16.5 13.500v2M12 6.500v2"/>',
        grows=True,
    ),
    Violation.CAMERA_FAULT: RuleEntry(
        code="-",
        name="设备异常",
        name_en="Camera fault",
        section=sections.CameraFault,
        candidates="",
        colour="#c8c8c8",
        shades=("#475467", "#a9b5c2"),
        icon='<path d="m3 8 13-4 2 6.5-13 4zM8 14l1 4H3M18 9l3-1"/><path d="m15 16 5 5M20 16l-5 5"/>',
        code_required=True,
    ),
}
"""In the order in which pages and papers list them."""


def function_of(name: str) -> Any:  # noqa: ANN401  # candidates and proofs are called by different packages
    """The function that an entry names as 'module:function'. Raises ImportError or AttributeError for no such one."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def families() -> dict[str, tuple[Violation, ...]]:
    """By the name of their function of candidates, the violations that are judged together."""
    found: dict[str, tuple[Violation, ...]] = {}
    for violation, entry in RULES.items():
        if entry.candidates:
            found[entry.candidates] = (*found.get(entry.candidates, ()), violation)
    return found


def with_pictures(pictures: Pictures) -> tuple[Violation, ...]:
    """The violations whose rules need pictures of such samples."""
    return tuple(violation for violation, entry in RULES.items() if entry.pictures is pictures)
