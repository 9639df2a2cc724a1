"""Where work runs: `--engine`, the crew that goes with it, and a scan on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from detector.cli.common import now, open_shop, prepare
from detector.cli.output import progress
from detector.config.engine import EngineName
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.times import Interval
from detector.core.values import Camera, Point
from detector.engines.crew import OpenCrew, local_crew, results
from detector.engines.local import Task, run
from detector.pipeline.days import CameraScan
from detector.pipeline.scan import CameraReport

Engine = Annotated[
    EngineName | None,
    typer.Option("--engine", help="Where work runs: this machine's cores, or a Ray cluster; as configured."),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="The cluster, such as 10.0.0.5:6379, or auto; with --engine ray."),
]


def on_engine(settings: Settings, engine: EngineName | None, address: str | None) -> Settings:
    """The settings with what the command line says of the engine. Raises BadInput.

    On a cluster all workers look with the same device, or the same recording would be seen in two ways.
    """
    own = settings.engine
    name = engine or own.name
    if address and name != EngineName.RAY:
        raise BadInput("--ray-address goes with --engine ray")
    chosen = replace(own, name=name, address=address or own.address)
    model = settings.model
    if name == EngineName.RAY and model.device == "auto":
        model = replace(model, device="cuda" if own.gpus else "cpu")
    return replace(settings, engine=chosen, model=model)


def crew_of(settings: Settings, workers: int | None) -> OpenCrew:
    """Opens the crew of the configured engine. Raises BadInput where Ray is not installed."""
    nightly, engine = settings.nightly, settings.engine
    opened = partial(open_shop, settings)
    count = workers or nightly.workers
    stall_s, limit_s = nightly.stall_s, nightly.recording_limit_s
    if engine.name == EngineName.LOCAL:
        return partial(local_crew, opened, workers=count, stall_s=stall_s, limit_s=limit_s)
    try:
        from detector.engines.ray_crew import Share, ray_crew  # noqa: PLC0415  # only with the extra
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise BadInput("the engine 'ray' needs Ray: pip install 'kerbwatch[ray]'") from error
    share = Share(engine.cpus, engine.gpus)
    return partial(
        ray_crew,
        opened,
        address=engine.address,
        workers=count,
        share=share,
        stall_s=stall_s,
        limit_s=limit_s,
    )


def scanned(
    settings: Settings,
    cameras: Sequence[tuple[Point, Camera]],
    period: Interval,
    *,
    workers: int | None,
    quiet: bool,
) -> list[CameraReport]:
    """Scan the cameras, with progress. Faults of model, database and folders are told before any work starts."""
    prepare(settings, cameras)
    reports: list[CameraReport] = []
    with progress("scanning", len(cameras), quiet=quiet) as tick:
        for report in _reports(settings, cameras, period, workers):
            reports.append(report)
            tick(len(reports), report.camera.id)
    order = {camera.id: index for index, (_, camera) in enumerate(cameras)}
    return sorted(reports, key=lambda report: order[report.camera.id])


def _reports(
    settings: Settings, cameras: Sequence[tuple[Point, Camera]], period: Interval, workers: int | None
) -> Iterator[CameraReport]:
    at = now()
    if settings.engine.name == EngineName.LOCAL:
        tasks = [Task(point, camera, period, at) for point, camera in cameras]
        yield from run(tasks, partial(open_shop, settings), workers=workers)
        return
    with crew_of(settings, workers)() as crew:
        for report in results(crew, [CameraScan(camera.id, period, at) for _, camera in cameras]):
            assert isinstance(report, CameraReport)
            yield report
