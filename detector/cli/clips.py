"""`check` one clip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from detector.cli.common import (
    AsJson,
    Rules,
    default_model,
    detector_of,
    now,
    second_models_of,
    settings_in,
)
from detector.cli.output import say, say_json, table
from detector.config.rules import RuleSet
from detector.config.settings import Settings, default_rules, load_rules, load_zones
from detector.core.errors import BadInput, UnreadableRecording
from detector.core.geometry import Box
from detector.core.times import Interval, local_day
from detector.core.values import Camera, Category, Point, Proof
from detector.core.wording import duration_en
from detector.pipeline.clips import Checked, check_files, shape_of
from detector.pipeline.doubts import Assessment, DoubtKind, Outcome, Subject, assess
from detector.pipeline.usual import usual_looks
from detector.spotting.work import write_stills

LOCAL = ZoneInfo("Asia/Shanghai")

EXIT_CODES = {Outcome.CLEAN: 0, Outcome.FOUND: 1, Outcome.NOT_JUDGED: 4}


def add_to(app: typer.Typer) -> None:
    app.command()(check)


def check(
    clip: Annotated[list[Path], typer.Argument(help="A recording; several follow each other.")],
    point: Annotated[str | None, typer.Option("--point", "-p", help="Judge by this point's zones.")] = None,
    zones: Annotated[
        Path | None, typer.Option("--zones", help="Judge by the zones in this YAML file.")
    ] = None,
    folder: Annotated[Path, typer.Option("--dir", "-C", envvar="KERBWATCH_DIR")] = Path(),
    at: Annotated[
        str | None,
        typer.Option("--at", help="When the clip starts, such as 2026-01-08T08:00; hours of rules hold."),
    ] = None,
    stills: Annotated[
        Path | None, typer.Option("--stills", help="Write annotated stills into this folder.")
    ] = None,
    rules: Rules = None,
    as_json: AsJson = False,
) -> None:
    """Spot-check a clip. Exit 0: clean, 1: something found, 2: bad input, 4: could not be judged.

    Example: kerbwatch check clip.mp4 --zones zones.yaml --stills out/
    """
    place, ruleset, settings = _place(point, zones, folder, rules)
    camera = place.cameras[0]
    start = _start(at, camera)
    model = settings.model if settings else default_model()
    detector, second = detector_of(model), second_models_of(model)
    try:
        checked = check_files(clip, start, place, camera, ruleset, detector, second)
    except UnreadableRecording as error:
        raise BadInput(str(error)) from error
    usual = usual_looks(settings, camera, now()) if settings else ()
    subject = Subject(place, camera, ruleset, shape_of(checked.parts, camera), usual)
    assessed = assess(checked, subject)
    files = _write_stills(checked, camera, stills) if stills else {}
    if as_json:
        say_json(_check_json(checked, assessed, camera, files))
    else:
        _check_table(checked, assessed, files)
    if code := EXIT_CODES[assessed.outcome]:
        raise typer.Exit(code)


def _place(
    point: str | None, zones: Path | None, folder: Path, rules: Path | None
) -> tuple[Point, RuleSet, Settings | None]:
    if (point is None) == (zones is None):
        raise BadInput("say either --point POINT or --zones FILE")
    if point is not None:
        settings = settings_in(folder)
        return settings.point(point), load_rules(rules) if rules else settings.rules, settings
    assert zones is not None
    polygons, resolution_wh, limited = load_zones(zones)
    camera = Camera(id="clip", zones=polygons, timezone=LOCAL, resolution_wh=resolution_wh)
    place = Point(
        id="clip", name=zones.stem, name_en=zones.stem, category=Category.ARTERIAL, cameras=(camera,)
    )
    return place, load_rules(rules) if rules else (limited or default_rules()), None


def _start(at: str | None, camera: Camera) -> datetime:
    """The clip's start; noon of an ordinary day where none is said, when every usual rule is in force."""
    if at is None:
        return local_day(datetime(2026, 1, 8, tzinfo=camera.timezone).date(), camera.timezone).start.replace(
            hour=4
        )
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise BadInput(f"--at: {at!r} is not a time such as 2026-01-08T08:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=camera.timezone)


def _seconds(proof: Proof, checked: Checked) -> tuple[float, float]:
    return _offsets(proof.incident.interval, checked)


def _check_table(checked: Checked, assessed: Assessment, files: dict[str, list[str]]) -> None:
    rows = []
    for proof in checked.proofs:
        from_s, until_s = _seconds(proof, checked)
        rows.append(
            (
                proof.incident.violation,
                proof.incident.zone_id or "-",
                f"{from_s:.1f}",
                f"{until_s:.1f}",
                proof.explanation,
            )
        )
    if rows:
        table("", ("violation", "zone", "from s", "until s", "why"), rows, right=("from s", "until s"))
    looks = len(checked.observations)
    say(
        f"{len(rows)} found in {duration_en(checked.duration_s)}; {looks} moments looked at, {len(checked.failed)} of them "
        f"unreadable; {len(checked.dropped)} suspicions dropped when looked at closer; view {checked.view}"
    )
    for note in checked.clock_notes:
        say(note)
    for line in _doubts(checked, assessed):
        say(line)
    for names in files.values():
        for name in names:
            say(f"still: {name}")


def _doubts(checked: Checked, assessed: Assessment) -> Iterator[str]:
    """What is said of a clip beside what was found in it, a line each."""
    if assessed.outcome is Outcome.NOT_JUDGED:
        yield f"could not be judged: {'; '.join(doubt.reason for doubt in assessed.doubts)}"
    else:
        yield from (f"note: {doubt.reason}" for doubt in assessed.doubts)
    for stretch in assessed.unjudged:
        from_s, until_s = _offsets(stretch, checked)
        yield f"not judged: {from_s:.1f} to {until_s:.1f} s"
    if assessed.too_long and DoubtKind.TOO_SHORT not in {doubt.kind for doubt in assessed.doubts}:
        rules = ", ".join(f"{violation} ({duration_en(limit_s)})" for violation, limit_s in assessed.too_long)
        yield f"not judged, for the clip is not longer than the limit: {rules}"


def _offsets(stretch: Interval, checked: Checked) -> tuple[float, float]:
    return (stretch.start - checked.start).total_seconds(), (stretch.end - checked.start).total_seconds()


def _check_json(
    checked: Checked, assessed: Assessment, camera: Camera, files: dict[str, list[str]]
) -> dict[str, object]:
    width, height = camera.resolution_wh
    incidents = []
    for proof in checked.proofs:
        incident = proof.incident
        from_s, until_s = _seconds(proof, checked)
        incidents.append(
            {
                "violation": incident.violation.value,
                "zone": incident.zone_id,
                "from_s": round(from_s, 2),
                "until_s": round(until_s, 2),
                "box": _pixels(incident.box, width, height),
                "explanation": proof.explanation,
                "explanation_zh": proof.explanation_zh,
                "stills": files.get(incident.fingerprint, []),
            }
        )
    return {
        "outcome": assessed.outcome.value,
        "doubts": [
            {"kind": doubt.kind.value, "reason": doubt.reason, "reason_zh": doubt.reason_zh}
            for doubt in assessed.doubts
        ],
        "not_judged": [
            {"from_s": round(from_s, 2), "until_s": round(until_s, 2)}
            for from_s, until_s in (_offsets(stretch, checked) for stretch in assessed.unjudged)
        ],
        "rules_not_judged": [
            {"violation": violation.value, "limit_s": limit_s} for violation, limit_s in assessed.too_long
        ],
        "view": checked.view,
        "duration_s": round(checked.duration_s, 2),
        "looks": len(checked.observations),
        "unreadable_looks": len(checked.failed),
        "clock_notes": list(checked.clock_notes),
        "incidents": incidents,
        "dropped": [{"violation": d.incident.violation.value, "reason": d.reason} for d in checked.dropped],
    }


def _pixels(box: Box | None, width: int, height: int) -> list[int] | None:
    return (
        [round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height)]
        if box
        else None
    )


def _write_stills(checked: Checked, camera: Camera, folder: Path) -> dict[str, list[str]]:
    def say(at: datetime) -> str:
        return f"{(at - checked.start).total_seconds():.1f} s"

    folder.mkdir(parents=True, exist_ok=True)
    return {
        proof.incident.fingerprint: [str(path) for path in write_stills(proof, camera, folder, number, say)]
        for number, proof in enumerate(checked.proofs, 1)
    }
