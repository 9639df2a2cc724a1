"""What functions of candidates are given, and what they find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detector.config.rules import RuleSet
from detector.core.values import Camera, Incident, Observation, Point, Stay


@dataclass(frozen=True, slots=True)
class Looks:
    """One camera's samples whose view can be judged, in rising order of time, and what they are judged by."""

    observations: Sequence[Observation]
    point: Point
    camera: Camera
    rules: RuleSet
    cadence_s: float
    """The usual time between samples."""

    @property
    def moments(self) -> list[datetime]:
        return [observation.at for observation in self.observations]


class Suspect(Protocol):
    """A stay that some rule may forbid, as far as samples and the rule's zones tell, whatever its limit and hours."""

    @property
    def stay(self) -> Stay: ...

    def incidents(
        self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float
    ) -> Iterator[Incident]: ...
