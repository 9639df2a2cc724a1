"""`points`: the monitored points; their example zones confirmed, their picture sizes set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.calendar import warn_of_calendar
from detector.cli.common import AsJson, Folder, now, settings_in
from detector.cli.output import complain, say, say_json, table
from detector.config.editing import checked_point, point_file, save, with_resolution, without_example_mark
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.values import Camera, Point
from detector.database import Database, DatabaseUnusable
from detector.footage.catalogue import Catalogue
from detector.footage.shapes import OtherShape, other_shape

NAMED = 10
"""A warning names at most so many cameras."""

app = typer.Typer(help="The monitored points with their cameras and zones.", invoke_without_command=True)


@app.callback()
def points(context: typer.Context, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """The monitored points with their cameras and zones; every fault of the configuration is told.

    Example: kerbwatch points -C county
    """
    if context.invoked_subcommand is not None:
        return
    settings = settings_in(folder)
    warn_of_calendar(settings)
    shapes = _other_shapes(settings)
    if as_json:
        say_json([_point_json(point, shapes) for point in settings.points])
        return
    rows = [
        (
            p.id,
            p.name,
            p.category,
            ", ".join(c.id for c in p.cameras),
            ", ".join(z.id for c in p.cameras for z in c.zones),
            "example" if any(c.example_zones for c in p.cameras) else "",
        )
        for p in settings.points
    ]
    table("", ("point", "name", "category", "cameras", "zones", ""), rows)
    say(f"{len(settings.points)} points")
    for shape in shapes.values():
        complain(str(shape))
    warn_of_unconfirmed([camera for point in settings.points for camera in point.cameras])


@app.command()
def confirm(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Points or cameras, by id.", metavar="[ID]...")
    ] = None,
    folder: Folder = Path(),
    every: Annotated[bool, typer.Option("--all", help="All that are not confirmed yet.")] = False,
) -> None:
    """Confirm the example zones of cameras, so that they are judged. Saving zones in the browser does the same.

    Example: kerbwatch points confirm p001 p002 -C county
    """
    settings = settings_in(folder)
    if bool(ids) == every:
        raise BadInput("name the points or cameras whose zones are right, or say --all")
    wanted = _cameras(settings, ids) if ids else _all_cameras(settings)
    marked = [(point, camera) for point, camera in wanted if camera.example_zones]
    for point, camera in marked:
        kept = point_file(settings, point.id)
        text = without_example_mark(kept, camera.id)
        checked_point(settings, kept, text)
        save(settings, kept, text, now())
    say(f"the zones of {len(marked)} cameras confirmed; {len(wanted) - len(marked)} were confirmed before")
    if marked:
        say("what is scanned already is judged by the next scan or nightly run")


@app.command()
def resize(
    camera_id: Annotated[str, typer.Argument(help="A camera, by id.", metavar="CAMERA")],
    folder: Folder = Path(),
    size: Annotated[
        str | None,
        typer.Option("--size", help="Width x height, such as 704x576; that of the recordings if left out."),
    ] = None,
    scale_zones: Annotated[
        bool | None,
        typer.Option(
            "--scale-zones/--keep-zones",
            help="Stretch the zones with the picture, or keep their corners' pixels.",
        ),
    ] = None,
) -> None:
    """Set the picture size that a camera's zones are drawn in, where recordings have another shape.

    Example: kerbwatch points resize p001 --size 704x576 --scale-zones -C county
    """
    settings = settings_in(folder)
    if scale_zones is None:
        raise BadInput("say --scale-zones or --keep-zones: corners are pixels of the picture size")
    ((point, camera),) = _cameras(settings, [camera_id])[:1]
    found = _size(size) if size else _recorded_size(settings, camera)
    kept = point_file(settings, point.id)
    text = with_resolution(kept, camera.id, found, scale_zones=scale_zones)
    checked_point(settings, kept, text)
    old = save(settings, kept, text, now())
    say(f"{camera.id}: resolution_wh is {found[0]}x{found[1]} now; the old file is kept as {old}")


def warn_of_unconfirmed(cameras: Sequence[Camera]) -> None:
    """Say on stderr of which cameras the zones are not judged, because they are examples."""
    ids = [camera.id for camera in cameras if not camera.zones_judged]
    if ids:
        more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
        complain(
            f"{len(ids)} of {len(cameras)} cameras have example zones that nobody has confirmed: they could not be judged, "
            f"only faults of the camera are reported ({', '.join(ids[:NAMED])}{more}). Draw the zones in the browser, or "
            "confirm them as they are: kerbwatch points confirm"
        )


def _point_json(point: Point, shapes: Mapping[str, OtherShape]) -> dict[str, object]:
    return {
        "id": point.id,
        "name": point.name,
        "name_en": point.name_en,
        "category": point.category.value,
        "grid": point.grid,
        "cameras": [
            {
                "id": camera.id,
                "folder": camera.folder,
                "template": camera.template,
                "zones": [zone.id for zone in camera.zones],
                "example_zones": camera.example_zones,
                "zones_judged": camera.zones_judged,
                "resolution_wh": list(camera.resolution_wh),
                "other_shape": shapes[camera.id].to_json() if camera.id in shapes else None,
            }
            for camera in point.cameras
        ],
    }


def _other_shapes(settings: Settings) -> dict[str, OtherShape]:
    """By camera, which recordings have another picture shape than its zones, as the catalogue knows them."""
    _, _, file = settings.database_url.partition("sqlite:///")
    if file and not Path(file).is_file():
        return {}
    try:
        with Database.open(settings.database_url, migrate=False) as database:
            sizes = Catalogue(database).sizes()
    except DatabaseUnusable as error:
        complain(str(error))
        return {}
    cameras = (camera for _, camera in _all_cameras(settings))
    return {c.id: shape for c in cameras if (shape := other_shape(c, sizes.get(c.id, ())))}


def _all_cameras(settings: Settings) -> list[tuple[Point, Camera]]:
    return [(point, camera) for point in settings.points for camera in point.cameras]


def _cameras(settings: Settings, ids: Sequence[str]) -> list[tuple[Point, Camera]]:
    """The cameras with these ids, and all cameras of the points with these ids. Raises BadInput for any other."""
    found: dict[str, tuple[Point, Camera]] = {}
    for id_ in ids:
        own = [(point, c) for point, c in _all_cameras(settings) if c.id == id_ != point.id]
        if not own:
            point = settings.point(id_)
            own = [(point, camera) for camera in point.cameras]
        found |= {camera.id: (place, camera) for place, camera in own}
    return list(found.values())


def _size(text: str) -> tuple[int, int]:
    """Width and height. Raises BadInput."""
    sides = re.fullmatch(r"\s*([1-9]\d{0,4})\s*[x×,]\s*([1-9]\d{0,4})\s*", text.lower())
    if sides is None:
        raise BadInput(f"--size: {text!r} is not a width and a height such as 704x576")
    return int(sides[1]), int(sides[2])


def _recorded_size(settings: Settings, camera: Camera) -> tuple[int, int]:
    """The size of the camera's newest recording of another shape. Raises BadInput where there is none."""
    shape = _other_shapes(settings).get(camera.id)
    if shape is None:
        raise BadInput(f"no known recording of {camera.id} has another picture shape; say --size")
    return shape.found_wh
