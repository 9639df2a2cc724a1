"""The part of kerbwatch.yaml that says where work runs: `engine`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, Strict

from detector.config.reading import Part, shown, wrong


def _address(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"auto|[A-Za-z0-9.-]+:\d{1,5}", value):
        raise wrong(f"{shown(value)} is no address such as '10.0.0.5:6379', nor 'auto'")
    return value


class EngineName(StrEnum):
    """The engines that there are."""

    LOCAL = "local"
    RAY = "ray"


def _whole_above_one(value: float) -> float:
    if value > 1 and value % 1:
        raise wrong(f"{shown(value)} is above 1 and not whole")
    return value


Share = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False), AfterValidator(_whole_above_one)]


class EnginePart(Part):
    """The cores of this machine, or a Ray cluster."""

    name: Literal["local", "ray"] = "local"
    address: Annotated[str, PlainValidator(_address)] | None = None
    cpus: Annotated[Share, Field(gt=0)] = 1.0
    gpus: Share = 0.0

    def value(self) -> EngineSettings:
        return EngineSettings(EngineName(self.name), self.address, self.cpus, self.gpus)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where work runs. `cpus` and `gpus` are what one worker takes of a machine; parts of one are allowed."""

    name: EngineName = EngineName.LOCAL
    address: str | None = None
    """Of the Ray cluster: host:port, or 'auto' for the one that this machine is part of; None: one of this machine."""
    cpus: float = 1.0
    gpus: float = 0.0
