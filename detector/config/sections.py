"""The sections of rules.yaml: what the rule for each violation may be set to."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field, Strict, ValidationInfo, field_validator

from detector.config.fields import Flag, Hours, Seconds, Share
from detector.config.reading import Part, wrong
from detector.config.rules import ALL_DAY, CategorySettings, RuleSettings
from detector.core.values import Category, LabelGroup, Violation, ZoneKind


class CategoryPart(Part):
    """What a category of points does otherwise."""

    enabled: Flag | None = None
    dwell_s: Seconds | None = None
    hours: Annotated[list[Hours], Field(min_length=1)] | None = None


class StandingRule(Part):
    """The rule for something that stands in a zone."""

    enabled: Flag = True
    dwell_s: Seconds
    zones: Annotated[list[ZoneKind], Field(min_length=1)]
    exempt_zones: list[ZoneKind] = Field(default_factory=list)
    hours: Annotated[list[Hours], Field(min_length=1)] = Field(default_factory=lambda: list(ALL_DAY))
    min_share: Share = 0.5
    min_confidence: Share = 0.25
    by_category: dict[Category, CategoryPart] = Field(default_factory=dict)

    @field_validator("exempt_zones")
    @classmethod
    def _are_others(cls, value: list[ZoneKind], info: ValidationInfo) -> list[ZoneKind]:
        if both := set(value) & set(info.data.get("zones", ())):
            raise wrong(f"{', '.join(sorted(both))} cannot be among the rule's zones and exempt from it")
        return value

    def value(self, violation: Violation) -> RuleSettings:
        by_category = {
            category: CategorySettings(own.enabled, own.dwell_s, tuple(own.hours) if own.hours else None)
            for category, own in self.by_category.items()
        }
        return RuleSettings(
            violation,
            self.enabled,
            self.dwell_s,
            tuple(self.zones),
            tuple(self.hours),
            self.min_share,
            self.min_confidence,
            tuple(self.exempt_zones),
            by_category,
        )


class ParkingRule(StandingRule):
    """Who stands among others in a queue or a jam has a longer limit."""

    jam_limit_s: Seconds = 1800.0
    jam_others: Annotated[int, Strict(), Field(ge=1, le=1000)] = 3

    def value(self, violation: Violation) -> RuleSettings:
        return replace(super().value(violation), jam_limit_s=self.jam_limit_s, jam_others=self.jam_others)


class IllegalParking(ParkingRule):
    # A carriageway holds queues and jams; only its no_parking strips are judged unless the table says otherwise.
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(
        default_factory=lambda: [ZoneKind.NO_PARKING]
    )


class SidewalkParking(ParkingRule):
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(default_factory=lambda: [ZoneKind.SIDEWALK])


class DisorderlyBikes(StandingRule):
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(default_factory=lambda: [ZoneKind.SIDEWALK])
    min_count: Annotated[int, Strict(), Field(ge=1, le=1000)] = 1

    def value(self, violation: Violation) -> RuleSettings:
        return replace(super().value(violation), min_count=self.min_count)


Thing = Literal[LabelGroup.GOODS, LabelGroup.VEHICLE, LabelGroup.BIKE]
THINGS: Final[tuple[Thing, ...]] = (LabelGroup.GOODS, LabelGroup.VEHICLE, LabelGroup.BIKE)


class StreetVending(StandingRule):
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(
        default_factory=lambda: [ZoneKind.NO_VENDING]
    )
    things: Annotated[list[Thing], Field(min_length=1)] = Field(default_factory=lambda: list(THINGS))

    def value(self, violation: Violation) -> RuleSettings:
        return replace(super().value(violation), things=tuple(self.things))


class Litter(StandingRule):
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(
        default_factory=lambda: [ZoneKind.SANITATION]
    )


class CameraFault(Part):
    """A camera that shows nothing usable is reported however long that lasts, so there is no limit to set."""

    enabled: Flag = True

    def value(self, violation: Violation) -> RuleSettings:
        return RuleSettings(violation, self.enabled, 0.0, ())


class OverflowingBin(StandingRule):
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(default_factory=lambda: [ZoneKind.BIN])


class PiledGoods(StandingRule):
    zones: Annotated[list[ZoneKind], Field(min_length=1)] = Field(
        default_factory=lambda: [ZoneKind.SIDEWALK, ZoneKind.TACTILE_PATH]
    )
