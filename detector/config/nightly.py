"""The part of kerbwatch.yaml that says when and how the nights go: `nightly`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import time
from typing import Annotated

from pydantic import Field, PlainValidator, Strict

from detector.config.fields import Line
from detector.config.reading import Part, shown, wrong

GB = 1_000_000_000


def _cron(value: object) -> str:
    """Five fields of digits, '*', ',', '-' and '/'; their ranges are checked where the scheduler reads them."""
    if not isinstance(value, str) or not re.fullmatch(r"([0-9*,/-]+ ){4}[0-9a-z*,/-]+", value.strip()):
        raise wrong(
            f"{shown(value)} is no cron expression such as '0 22 * * *' (minute hour day month weekday)"
        )
    return value.strip()


def _clock(value: object) -> time:
    if not isinstance(value, str) or not (found := re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value)):
        raise wrong(f"{shown(value)} is no time of day such as '07:30'")
    return time(int(found[1]), int(found[2]))


def _address(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9.-]+:\d{1,5}", value):
        raise wrong(f"{shown(value)} is no address such as '127.0.0.1:9464'")
    return value


Cron = Annotated[str, PlainValidator(_cron)]
Clock = Annotated[time, PlainValidator(_clock)]
Address = Annotated[str, PlainValidator(_address)]
Count = Annotated[int, Strict(), Field(ge=1)]
Amount = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Wait = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]


def _bytes(gb: float | None) -> int | None:
    return None if gb is None else round(gb * GB)


class RetentionPart(Part):
    """How long things are kept, and how much room they may take; null: for ever, as much as they like."""

    evidence_days: Count | None = None
    observations_days: Count | None = 90
    logs_days: Count | None = 90
    evidence_gb: Wait | None = None
    observations_gb: Wait | None = None
    logs_gb: Wait | None = None


class MailPart(Part):
    """Whom the morning summary is mailed to, by which server. The password is KERBWATCH_MAIL_PASSWORD."""

    server: Address
    sender: Annotated[Line, Field(min_length=3)]
    to: Annotated[list[Line], Field(min_length=1)]
    user: Annotated[str, Strict()] = ""
    starttls: Annotated[bool, Strict()] = False


class NightlyPart(Part):
    """When the scan runs, when it must be over, and how much it puts up with."""

    start: Cron = "0 20 * * *"
    deadline: Clock | None = time(7, 30)
    summary: Cron = "35 7 * * *"
    keeping: Cron | None = "0 12 * * *"
    brief: Cron | None = "45 7 * * *"
    remind: Cron | None = "*/15 * * * *"
    accept: Cron | None = "0 13 * * *"
    deliver: Cron | None = "* * * * *"
    catch_up_days: Count = 30
    workers: Count | None = None
    stall_s: Wait = 600.0
    recording_limit_s: Wait = 7200.0
    crashes: Count = 3
    unreadable_nights: Count = 3
    min_free_gb: Amount = 5.0
    listen: Address | None = None
    webhook: Annotated[str, Strict(), Field(pattern="^https?://")] | None = None
    mail: MailPart | None = None
    retention: RetentionPart = RetentionPart()

    def value(self, mail_password: str = "") -> NightlySettings:
        mail = None
        if self.mail:
            mail = MailSettings(
                self.mail.server,
                self.mail.sender,
                tuple(self.mail.to),
                self.mail.user,
                self.mail.starttls,
                mail_password,
            )
        kept = self.retention
        return NightlySettings(
            start=self.start,
            deadline=self.deadline,
            summary=self.summary,
            keeping=self.keeping,
            brief=self.brief,
            remind=self.remind,
            accept=self.accept,
            deliver=self.deliver,
            catch_up_days=self.catch_up_days,
            workers=self.workers,
            stall_s=self.stall_s,
            recording_limit_s=self.recording_limit_s,
            crashes=self.crashes,
            unreadable_nights=self.unreadable_nights,
            min_free_bytes=round(self.min_free_gb * GB),
            listen=self.listen,
            webhook=self.webhook,
            mail=mail,
            retention=RetentionSettings(
                kept.evidence_days,
                kept.observations_days,
                kept.logs_days,
                _bytes(kept.evidence_gb),
                _bytes(kept.observations_gb),
                _bytes(kept.logs_gb),
            ),
        )


@dataclass(frozen=True, slots=True)
class MailSettings:
    """`server` is host:port."""

    server: str
    sender: str
    to: tuple[str, ...]
    user: str = ""
    starttls: bool = False
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """Ages in days, room in bytes; None: no limit."""

    evidence_days: int | None = None
    observations_days: int | None = 90
    logs_days: int | None = 90
    evidence_bytes: int | None = None
    observations_bytes: int | None = None
    logs_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class NightlySettings:
    """The nights of a county. Cron expressions and the deadline are in its time zone; None: never."""

    start: str = "0 20 * * *"
    deadline: time | None = time(7, 30)
    summary: str = "35 7 * * *"
    keeping: str | None = "0 12 * * *"
    brief: str | None = "45 7 * * *"
    remind: str | None = "*/15 * * * *"
    accept: str | None = "0 13 * * *"
    deliver: str | None = "* * * * *"
    catch_up_days: int = 30
    workers: int | None = None
    stall_s: float = 600.0
    recording_limit_s: float = 7200.0
    crashes: int = 3
    """A recording that ended so many workers is given up."""
    unreadable_nights: int = 3
    """A recording that could not be read in so many nights is given up."""
    min_free_bytes: int = 5 * GB
    """A run does not go on with less on the disk."""
    listen: str | None = None
    webhook: str | None = None
    mail: MailSettings | None = None
    retention: RetentionSettings = RetentionSettings()
