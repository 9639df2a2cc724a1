"""Types of single values in the configuration files, each with its check."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator, Strict

from detector.config.reading import shown, wrong
from detector.core.times import DailyHours


def _hours(value: object) -> DailyHours:
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not hours such as '07:30-19:00'")
    try:
        return DailyHours.parse(value)
    except ValueError as error:
        raise wrong(str(error)) from error


Text = Annotated[str, Strict(), Field(min_length=1)]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Seconds = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(gt=0, le=1)]
Hours = Annotated[DailyHours, PlainValidator(_hours)]
