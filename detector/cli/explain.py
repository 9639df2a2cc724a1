"""`explain`: what each stage of a scan saw and decided at one place and time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import AsJson, Folder, settings_in
from detector.cli.output import say, say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.geometry import Box
from detector.core.values import Camera, Point
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.explain import Sources, Step, explain_issue, find_camera, middle_of
from detector.pipeline.explain import explain as explain_place
from detector.runs.removals import Removals

MARKS = {True: "yes", False: "no", None: "-"}


def add_to(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    camera: Annotated[str | None, typer.Option("--camera", help="The camera's id.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Local time, such as 2026-01-08T08:05:00.")] = None,
    box: Annotated[
        str | None, typer.Option("--box", help="The place: x,y,width,height in pixels of the picture.")
    ] = None,
    issue: Annotated[
        int | None, typer.Option("--issue", min=1, help="An issue's number, in place of the other three.")
    ] = None,
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Explain a finding or a miss: what each stage saw and decided at a place and time, and why nothing was filed.

    Names an issue by its number, or a place by camera, time and box. Reads what scans have stored; opens no recording.

    Example: kerbwatch explain -C county --camera p001 --at 2026-01-08T08:05:00 --box 310,340,120,80
    Example: kerbwatch explain -C county --issue 12
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        sources = _sources(settings, database)
        if issue is not None:
            title, steps = _of_issue(sources, issue, alone=camera is at is box is None)
        else:
            title, steps = _of_place(sources, camera, at, box)
    if as_json:
        say_json([_step_json(step) for step in steps])
    else:
        rows = [(step.stage, MARKS[step.passed], step.text) for step in steps]
        table(title, ("stage", "passed", "what was seen and decided"), rows)
        say(_conclusion(steps))


def _sources(settings: Settings, database: Database) -> Sources:
    return Sources(
        settings,
        Catalogue(database),
        ObservationStore(settings.observations_root),
        IssueQueue(database),
        Removals(database),
    )


def _of_issue(sources: Sources, number: int, *, alone: bool) -> tuple[str, list[Step]]:
    """A title and the steps. Raises BadInput, UnknownIssue."""
    if not alone:
        raise BadInput("--issue stands in place of --camera, --at and --box: give the number alone")
    issue = sources.queue.get(number)
    at = middle_of(issue).astimezone(sources.settings.timezone)
    return f"issue {number}: {issue.camera_id} at {at:%Y-%m-%d %H:%M:%S}", explain_issue(sources, issue)


def _of_place(
    sources: Sources, camera: str | None, at: str | None, box: str | None
) -> tuple[str, list[Step]]:
    """A title and the steps. Raises BadInput."""
    if camera is None or at is None or box is None:
        given = {"--camera": camera, "--at": at, "--box": box}
        missing = ", ".join(name for name, value in given.items() if value is None)
        raise BadInput(f"missing {missing}; or name an issue with --issue NUMBER")
    point, own = _camera_named(sources.settings, camera)
    moment = _parse_time(at, own)
    steps = explain_place(sources, point, own, moment, _parse_box(box, own))
    return f"{camera} at {moment.astimezone(own.timezone):%Y-%m-%d %H:%M:%S}, box {box}", steps


def _conclusion(steps: Sequence[Step]) -> str:
    """One sentence: filed, or the first stage that did not pass, with its reason."""
    filed = next((step for step in steps if step.stage == "filed"), None)
    if filed is not None and filed.passed:
        return f"Filed: {filed.text}."
    stopped = [step for step in steps if step.passed is False and step.stage != "filed"]
    silent = [step for step in steps if step.passed is None]
    ended = next(iter(stopped or silent), None)
    return f"Not filed. It ended at stage '{ended.stage}': {ended.text}." if ended else "Not filed."


def _camera_named(settings: Settings, camera_id: str) -> tuple[Point, Camera]:
    """Raises BadInput."""
    found = find_camera(settings, camera_id)
    if found is None:
        known = ", ".join(sorted(c.id for p in settings.points for c in p.cameras)[:10])
        raise BadInput(f"--camera: no camera '{camera_id}'; there are {known}")
    return found


def _parse_time(text: str, camera: Camera) -> datetime:
    """A moment with an offset, or in the camera's time zone. Raises BadInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"--at: '{text}' is not a time such as 2026-01-08T08:05:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=camera.timezone)


def _parse_box(text: str, camera: Camera) -> Box:
    """Pixels of the camera's picture as a box in [0, 1]. Raises BadInput."""
    width, height = camera.resolution_wh
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(f"--box: '{text}' is not x,y,width,height such as 310,340,120,80") from error
    if w <= 0 or h <= 0 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise BadInput(f"--box: '{text}' does not lie in the picture of {width}x{height} pixels")
    return (x / width, y / height, (x + w) / width, (y + h) / height)


def _step_json(step: Step) -> dict[str, object]:
    return {"stage": step.stage, "passed": step.passed, "text": step.text, "text_zh": step.text_zh}
