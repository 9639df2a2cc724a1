"""`demo`: the whole job on made recordings with known answers."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from detector.cli.archive import show_scan
from detector.cli.common import (
    chosen,
    default_model,
    detector_of,
    opened_queue,
    period_of,
    settings_in,
)
from detector.cli.engines import scanned
from detector.cli.output import say, table
from detector.config.settings import Settings
from detector.config.template import write_template
from detector.core.errors import BadInput
from detector.core.wording import duration_en
from detector.demo.archive import Truth, compose_archive
from detector.demo.cases import CASES, make_case
from detector.demo.streets import STREETS, make_street
from detector.demo.tell import Told, compare
from detector.engines.local import cores
from detector.issues.values import Issue
from detector.pipeline.scan import CameraReport

app = typer.Typer(
    help="Made recordings with known answers: the whole job on them, or one hard case.", no_args_is_help=True
)

SEED = 20260108


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scan of the made archive, and how long its parts took."""

    reports: tuple[CameraReport, ...]
    issues: tuple[Issue, ...]
    composing_s: float
    scanning_s: float


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(help="Where to work; made anew.")] = Path("demo-work"),
    days: Annotated[int, typer.Option("--days", min=1, help="How many days of recordings.")] = 30,
    minutes: Annotated[
        float, typer.Option("--minutes", min=1, help="Minutes of recording a day and camera.")
    ] = 4.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes other recordings.")] = SEED,
) -> None:
    """Compose 39 points x 30 days of recordings, scan them with the real model, and compare with what was composed.

    Example: kerbwatch demo run demo-work
    """
    if folder.exists():
        if any(folder.iterdir()) and not (folder / ".kerbwatch-demo").is_file():
            raise BadInput(f"{folder} is not a demo's folder; name another one")
        shutil.rmtree(folder)
    write_template(folder, judge_example_zones=True)
    (folder / ".kerbwatch-demo").touch()
    settings = settings_in(folder)
    period = period_of(settings, None, days)
    say(
        f"composing {days} days of recordings for {len(settings.points)} points under {settings.archive_root}"
    )
    began = time.monotonic()
    truth = compose_archive(
        settings.points,
        settings.archive_root,
        rules=settings.rules,
        days=days,
        end_day=period.end.astimezone(settings.timezone).date() - timedelta(days=1),
        seed=seed,
        minutes=minutes,
        resolution_wh=(640, 360),
    )
    composing_s = time.monotonic() - began
    say(f"{truth.recordings} recordings ({truth.pool} different ones) composed in {duration_en(composing_s)}")
    outcome = _scan(settings, period_days=days, composing_s=composing_s)
    _show(settings, truth, outcome, days)


def _scan(settings: Settings, period_days: int, composing_s: float) -> Outcome:
    period = period_of(settings, None, period_days)
    began = time.monotonic()
    reports = scanned(settings, chosen(settings, None), period, workers=None, quiet=False)
    with opened_queue(settings) as queue:
        issues = tuple(queue.find())
    return Outcome(tuple(reports), issues, composing_s, time.monotonic() - began)


def _show(settings: Settings, truth: Truth, outcome: Outcome, days: int) -> None:
    told = compare(
        truth.events, [i for i in outcome.issues if i.violation in {e.violation for e in truth.events}]
    )
    show_scan(outcome.reports, settings, outcome.scanning_s)
    table(
        "issues by point",
        ("point", "name", "issues", "recordings", "days"),
        _by_point(settings, outcome),
        right=("issues", "recordings", "days"),
    )
    hours = sum(report.footage_s for report in outcome.reports) / 3600
    errors = told.start_errors_s
    by_violation = Counter(issue.violation for issue in outcome.issues)
    reasons = Counter(_kind(d.reason) for report in outcome.reports for d in report.dropped)
    rows = [
        ("points", len(settings.points)),
        (
            "coverage",
            f"{sum(len(r.parts) for r in outcome.reports)} of {days * len(outcome.reports)} recordings readable, {hours:.1f} camera-hours; {len(truth.gaps)} gaps made on purpose",
        ),
        ("samples", sum(report.samples for report in outcome.reports)),
        (
            "dropped when looked at closer",
            f"{sum(reasons.values())}: " + ", ".join(f"{n} {what}" for what, n in reasons.most_common()),
        ),
        ("issues", ", ".join(f"{count} {violation}" for violation, count in sorted(by_violation.items()))),
        (
            "found / missed / false",
            f"{len(told.found)} / {len(told.missed)} / {len(told.false)} (of {len(truth.events)} true events; traps: {_traps(truth)})",
        ),
        ("start error", f"median {median(errors):.1f} s, largest {max(errors):.1f} s" if errors else "-"),
        ("time", f"composing {duration_en(outcome.composing_s)}, scanning {duration_en(outcome.scanning_s)}"),
        ("camera-hours per core-hour", f"{hours / (outcome.scanning_s / 3600 * cores()):.0f}"),
        ("evidence", settings.evidence_root),
    ]
    table("demo", ("what", "figure"), rows)
    _show_misses(told)
    place = settings.folder
    say(
        f"next: kerbwatch issues list -C {place}\n      kerbwatch issues show 1 -C {place}\n      kerbwatch coverage -C {place}\n      kerbwatch issues verify -C {place}"
    )


def _by_point(settings: Settings, outcome: Outcome) -> list[tuple[object, ...]]:
    issues = Counter(issue.point_id for issue in outcome.issues)
    rows: list[tuple[object, ...]] = []
    for point in settings.points:
        parts = [part for report in outcome.reports if report.point.id == point.id for part in report.parts]
        days = {part.start.astimezone(settings.timezone).date() for _, part in parts}
        rows.append((point.id, point.name, issues[point.id], len(parts), len(days)))
    return rows


def _show_misses(told: Told) -> None:
    for event in told.missed:
        say(
            f"missed: {event.camera_id} {event.violation} {event.zone} from {event.interval.start} ({event.recording})"
        )
    for issue in told.false:
        say(
            f"false: issue {issue.id} {issue.camera_id} {issue.violation} {issue.zone_id} from {issue.interval.start}"
        )


def _kind(reason: str) -> str:
    return (
        "stood too short a time"
        if reason.startswith("the same object stood")
        else reason.split(",", maxsplit=1)[0]
    )


def _traps(truth: Truth) -> str:
    return ", ".join(f"{count} {name}" for name, count in truth.traps.items())


@app.command()
def make(
    case: Annotated[str, typer.Argument(help="The case's name; 'list' names them.")],
    folder: Annotated[Path, typer.Argument(help="Where to write labels.json and clips/.")] = Path("case"),
    seed: Annotated[int, typer.Option("--seed")] = 1,
    night: Annotated[
        bool, typer.Option("--night", help="By night, where the case has no hour of its own.")
    ] = False,
    shared: Annotated[
        Path | None,
        typer.Option(
            "--shared", help="Play it on a street photo with real vehicles, from this folder's footage/."
        ),
    ] = None,
) -> None:
    """Make one hard case: clips and a labels.json that `evaluate` reads.

    Example: kerbwatch demo make same-spot out/ && kerbwatch evaluate out/labels.json
    """
    if case == "list":
        for name in (*CASES, *STREETS):
            say(name)
        return
    if case in STREETS:
        sees = detector_of(replace(default_model(), confidence=0.1), 1)
        say(str(make_street(case, seed, folder, rough=night, shared=shared, sees=sees)))
        return
    say(str(make_case(case, seed, folder, night=night, shared=shared)))
