"""The morning: what the night did, what is missing and what to look after, to whoever should know."""

from __future__ import annotations

import json
import smtplib
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.client import HTTPException
from itertools import pairwise
from statistics import median
from typing import Any

from detector.config.nightly import MailSettings
from detector.config.settings import Settings
from detector.core.times import Interval, union
from detector.core.wording import clock_en, clock_zh, duration_en
from detector.database import Database
from detector.dispatch.routing import calendar_warning
from detector.footage.catalogue import Catalogue
from detector.runs.lease import Leases
from detector.runs.runs import Run, Runs, RunState
from detector.scheduling.logs import Log
from detector.scheduling.service import next_time
from detector.scheduling.yesterday import Yesterday, yesterday_of

FELL_BY = 0.1
"""A camera whose share of recorded time is so much below what it usually is has lost something."""

USUAL_DAYS = 28
NOT_YET = timedelta(hours=1)
"""What was recorded so shortly before a run looked may not have been a whole file then."""

GRACE = timedelta(minutes=30)
SEND_TRIES = 3
SEND_TIMEOUT_S = 20.0
AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Morning:
    """The summary of one morning. `alerts` are what somebody must look after, in English and Chinese."""

    at: datetime
    county: str
    county_en: str
    run: Run | None
    alerts: tuple[tuple[str, str], ...]
    yesterday: Yesterday | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "event": "kerbwatch.morning",
            "at": self.at.isoformat(),
            "county": self.county,
            "county_en": self.county_en,
            "run": self.run.to_json() if self.run else None,
            "yesterday": self.yesterday.to_json() if self.yesterday else None,
            "alerts": [{"en": en, "zh": zh} for en, zh in self.alerts],
        }

    def text(self) -> str:
        """For people, in Chinese and then in English."""
        zh, en = ["没有运行记录"], ["There is no run."]
        if self.run is not None:
            told = self.run.summary
            filed = told.get("filed", {})
            new, extended = filed.get("new", 0), filed.get("extended", 0)
            took = duration_en(round(told.get("took_s", 0)))
            zh = [
                f"第 {self.run.id} 次夜间巡检：{STATES_ZH[self.run.state]}（{told.get('ended_because', '')}）",
                (
                    f"应检 {told.get('days_owed', 0)} 个点位日，完成 {told.get('days_done', 0)} 个；"
                    f"采样 {told.get('samples', 0)} 次；新问题 {new} 件，延续 {extended} 件"
                ),
            ]
            en = [
                f"Run {self.run.id}: {self.run.state} ({told.get('ended_because', '')}), {took}",
                (
                    f"{told.get('days_done', 0)} of {told.get('days_owed', 0)} owed camera-days done; "
                    f"{told.get('samples', 0)} moments looked at; {new} new issues, {extended} extended"
                ),
            ]
        if self.yesterday is not None:
            zh, en = [*zh, *self.yesterday.lines_zh()], [*en, *self.yesterday.lines_en()]
        zone = self.at.tzinfo or UTC
        lines = [
            f"{self.county} {self.at:%Y-%m-%d}（所有时间均为{clock_zh(zone, self.at)}）",
            *zh,
            *(f"！{alert}" for _, alert in self.alerts),
            "",
        ]
        lines += [
            f"{self.county_en} {self.at:%Y-%m-%d} (all times by the clock of {clock_en(zone, self.at)})",
            *en,
            *(f"! {alert}" for alert, _ in self.alerts),
        ]
        return "\n".join(lines) + "\n"


STATES_ZH: Mapping[RunState, str] = {
    RunState.RUNNING: "仍在进行",
    RunState.DONE: "已完成",
    RunState.PARTIAL: "未全部完成",
    RunState.FAILED: "失败",
    RunState.DIED: "异常中断",
}


def morning_of(settings: Settings, database: Database, now: datetime) -> Morning:
    """What there is to say this morning."""
    runs = Runs(database, Leases(database)).latest(60)
    alerts = [*_missed(settings, runs, now), *_of_run(runs[0] if runs else None)]
    alerts += _coverage_fell(settings, Catalogue(database), runs)
    alerts += _unconfirmed(settings)
    if warning := calendar_warning(settings, now):
        alerts.append(warning)
    local = now.astimezone(settings.timezone)
    yesterday = yesterday_of(settings, database, now)
    run = runs[0] if runs else None
    return Morning(local, settings.name, settings.name_en, run, tuple(alerts), yesterday)


def _unconfirmed(settings: Settings) -> Iterator[tuple[str, str]]:
    if count := len(settings.unconfirmed):
        yield (
            f"{count} cameras have example zones that nobody has confirmed: they could not be judged",
            f"{count} 路监控使用未经确认的示例区域：无法判定",
        )


def _missed(settings: Settings, runs: Sequence[Run], now: datetime) -> Iterator[tuple[str, str]]:
    """Nights of the last three days on which a run was due and none began before the next was.

    Those before the very first run are nobody's.
    """
    first = min((run.started_at for run in runs if run.id == 1), default=None)
    due = next_time(settings.nightly.start, settings.timezone, now - timedelta(days=3))
    while (following := next_time(settings.nightly.start, settings.timezone, due)) and due < now - GRACE:
        if not any(_covers(run, due, following, now) for run in runs) and not (first and due < first):
            local = due.astimezone(settings.timezone)
            yield (
                f"no run began in the night of {local:%Y-%m-%d %H:%M}",
                f"{local:%Y-%m-%d %H:%M} 的夜间巡检没有运行",
            )
        due = following


def _covers(run: Run, due: datetime, following: datetime, now: datetime) -> bool:
    """Whether a run began in a night, or was still at work when it came."""
    ended = run.started_at if run.state is RunState.DIED else run.finished_at or now
    return run.started_at < following and max(run.started_at, ended) >= due


def _of_run(run: Run | None) -> Iterator[tuple[str, str]]:
    if run is None:
        return
    told = run.summary
    if run.state in (RunState.FAILED, RunState.DIED):
        why = told.get("ended_because", "")
        yield f"the last run {run.state}: {why}", f"上次巡检{STATES_ZH[run.state]}：{why}"
    missing = told.get("missing", [])
    if run.state is RunState.PARTIAL and not missing:
        why = told.get("ended_because", "")
        yield f"the last run stopped before all was done: {why}", f"上次巡检中途停止：{why}"
    if missing:
        first = missing[0]
        yield (
            f"{len(missing)} camera-days are still owed, such as {first['camera']} {first['day']}: {first['why']}",
            f"仍有 {len(missing)} 个点位日未完成，例如 {first['camera']} {first['day']}：{first['why']}",
        )
    for camera, fault in told.get("camera_faults", {}).items():
        yield f"{camera}: {fault}", f"{camera}：录像目录不可用（{fault}）"
    given_up = told.get("quarantined", [])
    if given_up:
        yield (
            f"{len(given_up)} recordings were given up: kerbwatch quarantine",
            f"{len(given_up)} 个录像文件已隔离：kerbwatch quarantine",
        )


def _coverage_fell(
    settings: Settings, catalogue: Catalogue, runs: Sequence[Run]
) -> Iterator[tuple[str, str]]:
    """Cameras of which less was recorded than usually in the day until a run last looked through all folders.

    Not until midnight: what was recorded after the run began is found by the next.
    """
    looked = next((run.started_at for run in runs if _looked_through(run)), None)
    if looked is None:
        return
    for point in settings.points:
        for camera in point.cameras:
            until = looked.astimezone(camera.timezone) - NOT_YET
            recorded = union(r.interval for r in catalogue.known(camera.id).values() if r.usable)
            shares = _recorded_shares(recorded, until)
            if len(shares) > 1 and shares[0] < (usual := median(shares[1:])) - FELL_BY:
                yield (
                    f"{camera.id}: {shares[0]:.0%} of the day until {until:%Y-%m-%d %H:%M} is recorded, usually {usual:.0%}",
                    f"{camera.id}：截至 {until:%Y-%m-%d %H:%M} 的一天录像完整率 {shares[0]:.0%}，平时 {usual:.0%}",
                )
            elif recorded and shares[0] == 0:
                since = max(part.end for part in recorded).astimezone(camera.timezone)
                yield (
                    f"{camera.id}: nothing is recorded since {since:%Y-%m-%d %H:%M}",
                    f"{camera.id}：自 {since:%Y-%m-%d %H:%M} 起没有录像",
                )


def _looked_through(run: Run) -> bool:
    return run.summary.get("cameras", 0) > 0 and not run.summary.get("not_surveyed", 0)


def _recorded_shares(recorded: Sequence[Interval], until: datetime) -> list[float]:
    """Which part of the day until then has a usable recording, in [0, 1], and of each of the days before it.

    A day begins and ends at the same time on the wall. Days from before the first recording are nobody's.
    """
    ends = [until - timedelta(days=k) for k in range(USUAL_DAYS + 2)]
    days = [Interval(start, end) for end, start in pairwise(ends)]
    first = min((part.start for part in recorded), default=until)
    return [_share(recorded, day) for k, day in enumerate(days) if k == 0 or day.start >= first]


def _share(intervals: Sequence[Interval], day: Interval) -> float:
    shared = (part for interval in intervals if (part := interval.intersection(day)))
    return sum(part.duration_s for part in shared) / day.duration_s


def send(settings: Settings, morning: Morning, log: Log) -> list[str]:
    """To the log, the webhook and by mail; what could not be sent is logged and returned, in words."""
    log.info("morning", summary=morning.to_json())
    failed = []
    nightly = settings.nightly
    if nightly.webhook:
        failed += _tried("webhook", lambda: _post(nightly.webhook or "", morning.to_json()))
    if nightly.mail:
        failed += _tried("mail", lambda: _mail(nightly.mail, morning))
    for what in failed:
        log.failure("the morning summary was not sent", why=what)
    return failed


def _tried(name: str, act: Any) -> list[str]:  # noqa: ANN401  # any callable of no argument
    last = ""
    for number in range(SEND_TRIES):
        try:
            act()
        except (OSError, smtplib.SMTPException, HTTPException) as error:
            last = f"{name}: {error}"
            time.sleep(AGAIN_S * number)
        else:
            return []
    return [last]


def _post(url: str, content: Mapping[str, Any]) -> None:
    body = json.dumps(content, ensure_ascii=False).encode()
    asked = urllib.request.Request(  # noqa: S310  # the configuration allows http and https only
        url, body, {"Content-Type": "application/json; charset=utf-8", "User-Agent": "kerbwatch"}
    )
    with urllib.request.urlopen(asked, timeout=SEND_TIMEOUT_S):  # noqa: S310
        pass


def _mail(mail: MailSettings | None, morning: Morning) -> None:
    assert mail is not None
    message = EmailMessage()
    marked = f"（{len(morning.alerts)} 项需处理）" if morning.alerts else ""
    message["Subject"] = f"{' '.join(morning.county.split())} {morning.at:%Y-%m-%d} 夜间巡检{marked}"
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message.set_content(morning.text())
    host, _, port = mail.server.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=SEND_TIMEOUT_S) as server:
        if mail.starttls:
            server.starttls(context=ssl.create_default_context())
        if mail.user:
            server.login(mail.user, mail.password)
        server.send_message(message)
