"""`check` one clip."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from detector.cli.common import AsJson, Rules, default_model, detector_of, litter_detector_of, settings_in
from detector.cli.output import say, say_json, table
from detector.config.rules import RuleSet
from detector.config.settings import Settings, default_rules, load_rules, load_zones
from detector.core.errors import BadInput, UnreadableRecording
from detector.core.geometry import Box
from detector.core.times import local_day
from detector.core.values import Camera, Category, Point, Proof
from detector.core.wording import duration_en
from detector.pipeline.clips import Checked, check_files
from detector.spotting.work import write_stills

LOCAL = ZoneInfo("Asia/Shanghai")


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
    """Spot-check a clip. Exit 0: clean, 1: something found, 2: bad input.

    Example: kerbwatch check clip.mp4 --zones zones.yaml --stills out/
    """
    place, ruleset, settings = _place(point, zones, folder, rules)
    camera = place.cameras[0]
    start = _start(at, camera)
    model = settings.model if settings else default_model()
    detector, litter = detector_of(model), litter_detector_of(model)
    try:
        checked = check_files(clip, start, place, camera, ruleset, detector, litter)
    except UnreadableRecording as error:
        raise BadInput(str(error)) from error
    files = _write_stills(checked, camera, stills) if stills else {}
    if as_json:
        say_json(_check_json(checked, camera, files))
    else:
        _check_table(checked, files)
    if checked.proofs:
        raise typer.Exit(1)


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
    interval = proof.incident.interval
    return (interval.start - checked.start).total_seconds(), (interval.end - checked.start).total_seconds()


def _check_table(checked: Checked, files: dict[str, list[str]]) -> None:
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
    for names in files.values():
        for name in names:
            say(f"still: {name}")


def _check_json(checked: Checked, camera: Camera, files: dict[str, list[str]]) -> dict[str, object]:
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
