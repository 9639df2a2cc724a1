"""Types of single values in the configuration files, each with its check."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, Strict

from detector.config.reading import shown, wrong
from detector.core.times import DailyHours
from detector.core.wording import is_one_line


def _hours(value: object) -> DailyHours:
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not hours such as '07:30-19:00'")
    try:
        return DailyHours.parse(value)
    except ValueError as error:
        raise wrong(str(error)) from error


def _one_line(value: str) -> str:
    if not is_one_line(value):
        raise wrong(f"{shown(value)} holds a line break or another control character; write it in one line")
    return value


Text = Annotated[str, Strict(), Field(min_length=1)]
Line = Annotated[str, Strict(), Field(min_length=1), AfterValidator(_one_line)]
"""A name: it stands in headers of mails, in titles and in names of files."""
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Seconds = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(gt=0, le=1)]
Hours = Annotated[DailyHours, PlainValidator(_hours)]
