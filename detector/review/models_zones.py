"""What the API takes and gives of zones."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from detector.core.values import Violation
from detector.review.models import Given, IssueOut, Names

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Corner = Annotated[list[Number], Field(min_length=2, max_length=2)]


class ZoneModel(Given):
    """A zone as the file of its point has it. What is wrong in it is told in the file's own terms."""

    id: Word
    kind: Word
    polygon: Annotated[list[Corner], Field(max_length=200)] = Field(description="Corners in pixels.")
    permitted: Annotated[list[Word], Field(max_length=20)] = Field(
        default_factory=list, description="Hours such as '07:30-19:00' in which everything is allowed."
    )
    limits: Annotated[dict[Word, Number], Field(max_length=10)] = Field(
        default_factory=dict, description="Violation to the zone's own limit in seconds."
    )


class OtherShapeOut(BaseModel):
    found_wh: tuple[int, int] = Field(description="The picture size of the newest such recording.")
    recordings: int
    of: int = Field(description="How many recordings are known.")


class ZonesOut(BaseModel):
    point: str
    camera: str
    resolution_wh: tuple[int, int] = Field(description="The picture's size, in whose pixels corners are.")
    seen: str = Field(description="Names the file's text; send it back when saving.")
    example_zones: bool = Field(description="Written by `init` and not confirmed yet; saving confirms them.")
    other_shape: OtherShapeOut | None = Field(
        description="Recordings whose picture has another shape than the zones; None where there are none."
    )
    zones: list[ZoneModel]


class ResolutionIn(Given):
    seen: Annotated[str, StringConstraints(max_length=64)]
    resolution_wh: tuple[Annotated[int, Field(ge=1, le=100_000)], Annotated[int, Field(ge=1, le=100_000)]]
    scale_zones: bool = Field(
        description="Whether corners keep their place relative to the picture's edges, else their pixels."
    )


class ZonesIn(Given):
    seen: Annotated[str, StringConstraints(max_length=64)]
    zones: Annotated[list[ZoneModel], Field(max_length=50)]


class PreviewIn(Given):
    zones: Annotated[list[ZoneModel], Field(max_length=50)]
    day: date | None = Field(None, description="A local day; the last observed one if left out.")


class IncidentOut(BaseModel):
    violation: Violation
    violation_name: Names
    zone: str | None
    start: datetime
    end: datetime
    dwell_s: float
    box: list[float] | None = Field(description="x1, y1, x2, y2 in [0, 1].")


class VanishedOut(BaseModel):
    issue: IssueOut
    box: list[float] | None
    why: str


class PreviewOut(BaseModel):
    """What changed zones make of a day that was observed."""

    day: date | None = Field(description="None where nothing of this camera was ever observed.")
    observations: int
    kept: list[IssueOut]
    appeared: list[IncidentOut] = Field(description="Suspicions that the next scan would look at closer.")
    vanished: list[VanishedOut]
