"""`explain`: what each stage of a scan saw and decided at one place and time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import AsJson, Folder, settings_in
from detector.cli.output import say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.geometry import Box
from detector.core.values import Camera, Point
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.explain import Sources, Step
from detector.pipeline.explain import explain as explain_place

MARKS = {True: "yes", False: "no", None: "-"}


def add_to(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    camera: Annotated[str, typer.Option("--camera", help="The camera's id.")],
    at: Annotated[str, typer.Option("--at", help="Local time, such as 2026-01-08T08:05:00.")],
    box: Annotated[str, typer.Option("--box", help="The place: x,y,width,height in pixels of the picture.")],
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Explain a finding or a miss: what each stage saw and decided at a place and time, and why nothing was filed.

    Reads what scans have stored; opens no recording.

    Example: kerbwatch explain -C county --camera p001 --at 2026-01-08T08:05:00 --box 310,340,120,80
    """
    settings = settings_in(folder)
    point, own = _find_camera(settings, camera)
    moment = _parse_time(at, own)
    place = _parse_box(box, own)
    with Database.open(settings.database_url) as database:
        sources = Sources(
            settings, Catalogue(database), ObservationStore(settings.observations_root), IssueQueue(database)
        )
        steps = explain_place(sources, point, own, moment, place)
    if as_json:
        say_json([_step_json(step) for step in steps])
    else:
        rows = [(step.stage, MARKS[step.passed], step.text) for step in steps]
        table(f"{camera} at {at}", ("stage", "passed", "what was seen and decided"), rows)


def _find_camera(settings: Settings, camera_id: str) -> tuple[Point, Camera]:
    """Raises BadInput."""
    found = [(p, c) for p in settings.points for c in p.cameras if c.id == camera_id]
    if not found:
        known = ", ".join(sorted(c.id for p in settings.points for c in p.cameras)[:10])
        raise BadInput(f"--camera: no camera '{camera_id}'; there are {known}")
    return found[0]


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
