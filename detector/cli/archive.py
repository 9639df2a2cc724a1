"""`init`, `coverage`, `scan`, `judge`: the archive and the nightly flow, by hand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import (
    AsJson,
    Days,
    Folder,
    Points,
    Rules,
    Until,
    Workers,
    chosen,
    now,
    period_of,
    settings_in,
)
from detector.cli.engines import Engine, RayAddress, on_engine, scanned
from detector.cli.output import complain, progress, say, say_json, table
from detector.cli.points import warn_of_unconfirmed
from detector.cli.profile import profile, used_cpu_s, write_profile
from detector.config.settings import Settings, load_rules
from detector.config.template import write_template
from detector.core.errors import BadInput
from detector.core.times import Interval, days_of, local_day
from detector.core.values import Camera, Point
from detector.core.wording import duration_en
from detector.database import Database
from detector.decoding.reader import probe, study
from detector.engines.judging import Again, judge_again
from detector.footage.archive import Archive, find_recordings, parts
from detector.footage.catalogue import Catalogue
from detector.footage.coverage import PointCoverage, coverage
from detector.footage.daystate import DayState
from detector.footage.shapes import other_shape, sizes_of
from detector.footage.troubles import Troubles
from detector.issues.calendar import counts_by_day
from detector.issues.values import COUNTED, IssueFilter
from detector.pipeline.rejudge import Change
from detector.pipeline.scan import CameraReport, cadence_needed, unreadable


def add_to(app: typer.Typer) -> None:
    app.command()(init)
    app.command("coverage")(coverage_)
    app.command()(scan)
    app.command()(judge)


def init(folder: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Write a working folder: 39 points, rules, codes, departments, ready to be edited.

    Example: kerbwatch init county
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and not an empty folder")
    written = write_template(folder)
    (folder / "recordings").mkdir(exist_ok=True)
    say(
        f"{len(written)} files written to {folder}. The zones are examples: nothing is judged before they are confirmed."
    )
    say(
        f"Draw zones in the browser (kerbwatch serve) or in {folder}/points, put recordings under {folder}/recordings, then:"
    )
    say(
        f"  kerbwatch points confirm -C {folder} --all\n  kerbwatch coverage -C {folder}\n  kerbwatch scan -C {folder}"
    )


def coverage_(
    folder: Folder = Path(),
    point: Points = None,
    until: Until = None,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """For each point and day: what has a readable recording, what was observed, and why the rest is missing.

    Example: kerbwatch coverage -C county --until 2026-01-30 --json
    """
    settings = settings_in(folder)
    period = period_of(settings, until, days)
    covered = coverage_of(settings, chosen(settings, point), period, quiet=as_json)
    if as_json:
        say_json([one.to_json() for one in covered])
    else:
        _coverage_table(covered, settings)


def _found(settings: Settings, database: Database, camera: Camera) -> Archive:
    return find_recordings(
        camera,
        settings.archive_root,
        probe=probe,
        known=Catalogue(database).known(camera.id),
        now=now(),
        given_up=Troubles(database).given_up(camera.id),
        study=study,
        links_outside=settings.links_outside,
    )


def coverage_of(
    settings: Settings, cameras: Sequence[tuple[Point, Camera]], period: Interval, *, quiet: bool
) -> list[PointCoverage]:
    """What the archive holds and what was observed of these cameras, with progress; the catalogue learns of both."""
    covered = []
    with (
        Database.open(settings.database_url) as database,
        progress("reading folders", len(cameras), quiet=quiet) as tick,
    ):
        catalogue = Catalogue(database)
        for index, (place, camera) in enumerate(cameras, 1):
            archive = _found(settings, database, camera)
            catalogue.remember(camera.id, archive.recordings, now())
            catalogue.mark_surveyed(camera.id, now(), archive.fault)
            survey = catalogue.surveys()[camera.id]
            seen = catalogue.observed_parts(camera.id, period)
            observed = [part.observed for part in seen if part.observed]
            blind = [stretch for part in seen for stretch in part.blind]
            covered.append(
                coverage(
                    camera,
                    place.id,
                    period,
                    archive,
                    observed,
                    blind=blind,
                    judged=catalogue.judged_parts(camera.id, period),
                    surveyed_until=survey.until or period.start,
                    issues=_issues_by_day(database, camera, period, settings.timezone),
                    zone=settings.timezone,
                )
            )
            tick(index, camera.id)
    return covered


def _issues_by_day(database: Database, camera: Camera, period: Interval, zone: tzinfo) -> dict[date, int]:
    """How many issues of a camera began on each local day."""
    days = list(days_of(period, zone))
    cuts = [*(local_day(day, zone).start for day in days), local_day(days[-1], zone).end]
    wanted = IssueFilter(states=COUNTED, cameras=(camera.id,), period=period)
    counts = counts_by_day(database, wanted, cuts, now())
    return {days[number]: found.total() for (_, number), found in counts.items()}


def _coverage_table(covered: Sequence[PointCoverage], settings: Settings) -> None:
    rows = []
    for one in covered:
        reasons = Counter(gap.reason for day in one.days for gap in day.gaps)
        states = Counter(day.state for day in one.days)
        rows.append(
            (
                one.camera.id,
                f"{one.days_covered} of {len(one.days)}" + ("" if one.complete else " !"),
                ", ".join(f"{state.en} {states[state]}" for state in DayState if states[state]),
                f"{sum(d.readable_s for d in one.days) / 3600:.2f} h",
                f"{sum(d.observed_s for d in one.days) / 3600:.2f} h",
                one.fault or ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()),
            )
        )
    table(
        "",
        ("camera", "days", "states of days", "readable", "observed", "gaps, by reason"),
        rows,
        right=("readable", "observed"),
    )
    short = sum(not one.complete for one in covered)
    say(
        f"{len(covered)} cameras; {short} of them marked '!' have less than {settings.period_days} days of recordings"
    )
    warn_of_unconfirmed([one.camera for one in covered])
    for one in covered:
        for line in (*one.remarks, *one.unplaced, *one.clock_notes):
            say(f"{one.camera.id}: {line}")


def scan(
    folder: Folder = Path(),
    point: Points = None,
    until: Until = None,
    days: Days = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Show which moments would be looked at and why.")
    ] = False,
    workers: Workers = None,
    engine: Engine = None,
    ray_address: RayAddress = None,
    profile_to: Annotated[
        Path | None,
        typer.Option("--profile", help="Write where the processor time went, stage by stage, as JSON."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look through the recordings, prove what stands where it may not, and file it in the queue.

    Exit 0: done, 3: done, with some recordings unreadable, 4: done, but example zones of some cameras, which nobody has
    confirmed, could not be judged. Stop it at any time and run it again to go on.

    Example: kerbwatch scan -C county --until 2026-01-30 --days 1
    """
    settings = on_engine(settings_in(folder), engine, ray_address)
    period = period_of(settings, until, days)
    if plan_only:
        _show_plan(settings, point, period, as_json)
        return
    began, used_s = time.monotonic(), used_cpu_s()
    reports = scanned(settings, chosen(settings, point), period, workers=workers, quiet=as_json)
    if profile_to:
        write_profile(profile_to, profile(reports, used_cpu_s() - used_s), quiet=as_json)
    if as_json:
        say_json(_scan_json(reports, time.monotonic() - began))
    else:
        show_scan(reports, settings, time.monotonic() - began)
        warn_of_unconfirmed([report.camera for report in reports])
    if any(unreadable(report) for report in reports):
        raise typer.Exit(3)
    if not all(report.camera.zones_judged for report in reports):
        raise typer.Exit(4)


def show_scan(reports: Sequence[CameraReport], settings: Settings, took_s: float) -> None:
    """The summary of a scan, for people."""
    for report in reports:
        for line in _troubles(report):
            complain(line)
    filed = [(incident, done) for report in reports for incident, done in report.filed]
    by_violation = Counter((incident.violation, done.outcome) for incident, done in filed)
    table(
        "",
        ("violation", "outcome", "issues"),
        [(violation, outcome, count) for (violation, outcome), count in sorted(by_violation.items())],
        right=("issues",),
    )
    hours = sum(report.footage_s for report in reports) / 3600
    samples = sum(report.samples for report in reports)
    reused = sum(report.reused for report in reports)
    dropped = sum(len(report.dropped) for report in reports)
    known = sum(report.known for report in reports)
    say(
        f"{len(reports)} cameras, {hours:.1f} camera-hours of recordings; {samples} moments looked at, {reused} recordings "
        f"already observed; {dropped} suspicions dropped when looked at closer, {known} decided earlier; {len(filed)} "
        f"filed; {duration_en(took_s)}"
    )
    say(f"evidence: {settings.evidence_root}\nnext: kerbwatch issues list -C {settings.folder}")


def _troubles(report: CameraReport) -> list[str]:
    lines = [f"{report.camera.id}: {report.archive.fault}"] if report.archive.fault else []
    shape = other_shape(report.camera, sizes_of(report.archive.recordings))
    lines += [str(shape)] if shape else []
    lines += [f"{report.camera.id}: {remark}" for remark in report.archive.remarks]
    lines += [f"{report.camera.id}: {u.path}: {u.reason}" for u in report.archive.unplaced]
    lines += [
        f"{report.camera.id}: {r.path}: {r.state}{f': {r.reason}' if r.reason else ''}"
        for r in report.archive.recordings
        if r.state not in ("mixed_channels", "other_channel")  # these are one remark
        and (r.state != "readable" or r.reason)
    ]
    lines += [f"{report.camera.id}: {recording.path}: {reason}" for recording, reason in report.failed]
    return lines + [f"{report.camera.id}: {line}" for line in (*report.undecided, *report.notes)]


def _scan_json(reports: Sequence[CameraReport], took_s: float) -> dict[str, object]:
    return {
        "took_s": round(took_s, 2),
        "cameras": [
            {
                "point": report.point.id,
                "camera": report.camera.id,
                "footage_s": round(report.footage_s, 2),
                "zones_judged": report.camera.zones_judged,
                "samples": report.samples,
                "reused": report.reused,
                "known": report.known,
                "filed": [done.to_json() for _, done in report.filed],
                "dropped": [
                    {"violation": d.incident.violation.value, "zone": d.incident.zone_id, "reason": d.reason}
                    for d in report.dropped
                ],
                "troubles": _troubles(report),
            }
            for report in reports
        ],
    }


def _show_plan(settings: Settings, point: list[str] | None, period: Interval, as_json: bool) -> None:
    rows = []
    with Database.open(settings.database_url) as database:
        for place, camera in chosen(settings, point):
            archive = _found(settings, database, camera)
            footage_s, looks, why = 0.0, 0.0, Counter[str]()
            for _, part in parts(archive.recordings):
                if shared := part.intersection(period):
                    cadence = cadence_needed(place, camera, settings, shared)
                    footage_s += shared.duration_s
                    looks += shared.duration_s / cadence.cadence.every_s
                    why[f"{cadence.why}: every {cadence.cadence.every_s:g} s"] += 1
            rows.append(
                (camera.id, place.category, f"{footage_s / 3600:.2f} h", round(looks), "; ".join(why))
            )
    columns = ("camera", "category", "recordings", "samples", "why")
    if as_json:
        say_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table("", columns, rows, right=("recordings", "samples"))
        say(f"{sum(int(row[3]) for row in rows)} samples")


def judge(
    folder: Folder = Path(),
    rules: Rules = None,
    point: Points = None,
    until: Until = None,
    days: Days = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Judge stored observations again after a rule changed, without touching a recording.

    Says what appeared (a scan would look closer), what vanished, and why. Changes no issue. Other limits and hours are
    asked of what scans kept; after other changes the looks are read again, once, which takes longer.

    Exit 0: done, 3: done, but some observations were damaged or could not be judged.

    Example: kerbwatch judge -C county --rules stricter.yaml
    """
    settings = settings_in(folder)
    ruleset = load_rules(rules) if rules else settings.rules
    period = period_of(settings, until, days)
    began = time.monotonic()
    stretches = [(camera, period) for _, camera in chosen(settings, point)]
    with progress("judging", len(stretches), quiet=as_json) as tick:
        changes = []
        for change in judge_again(Again(settings, ruleset), stretches, workers=workers):
            changes.append(change)
            tick(len(changes), change.camera.id)
    if as_json:
        say_json([_change_json(change) for change in changes])
    else:
        _change_table(changes, time.monotonic() - began)
        warn_of_unconfirmed([change.camera for change in changes])
    if any(change.troubles for change in changes):
        raise typer.Exit(3)


def _change_table(changes: Sequence[Change], took_s: float) -> None:
    rows: list[tuple[object, ...]] = []
    for change in changes:
        for line in change.troubles:
            complain(f"{change.camera.id}: {line}")
        zone = change.camera.timezone
        for incident in change.appeared:
            at = f"{incident.interval.start.astimezone(zone):%Y-%m-%d %H:%M:%S}"
            rows.append(
                (
                    "appeared",
                    change.camera.id,
                    incident.violation,
                    incident.zone_id,
                    at,
                    "no scan looked closer yet",
                )
            )
        for issue, reason in change.vanished:
            at = f"{issue.interval.start.astimezone(zone):%Y-%m-%d %H:%M:%S}"
            rows.append(
                (
                    "vanished",
                    change.camera.id,
                    issue.violation,
                    issue.zone_id,
                    at,
                    f"issue {issue.id}: {reason}",
                )
            )
    clock = f"from ({changes[0].camera.timezone})" if changes else "from"
    table("", ("", "camera", "violation", "zone", clock, "note"), rows)
    say(
        f"{sum(c.observations for c in changes)} observations judged in {took_s:.1f} s: "
        f"{sum(len(c.kept) for c in changes)} issues stay, {sum(len(c.appeared) for c in changes)} suspicions appeared, "
        f"{sum(len(c.vanished) for c in changes)} vanished"
    )


def _change_json(change: Change) -> dict[str, object]:
    return {
        "point": change.point.id,
        "camera": change.camera.id,
        "observations": change.observations,
        "kept": [issue.id for issue in change.kept],
        "appeared": [
            {
                "violation": i.violation.value,
                "zone": i.zone_id,
                "start": i.interval.start.isoformat(),
                "end": i.interval.end.isoformat(),
                "fingerprint": i.fingerprint,
            }
            for i in change.appeared
        ],
        "vanished": [{"issue": issue.id, "reason": reason} for issue, reason in change.vanished],
        "troubles": list(change.troubles),
    }
