"""Hours of made 1080p recordings for little: minutes are drawn and encoded once, hours are put together of their packets.

A segment is twenty seconds of a street that begins with a keyframe. A recording is a row of segments, so that a car
which stands for four minutes is an arrival, some segments that show it standing amid traffic, and a departure.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

from detector.benchmarks import LIMIT_S
from detector.core.geometry import Box
from detector.core.values import Camera, ZoneKind
from detector.decoding.encoder import VideoWriter, join
from detector.demo.play import spot, traffic, visit
from detector.demo.scene import Actor, Scene, Stage, Stamp

SEGMENT_S: Final = 20.0
FPS: Final = 25
RESOLUTION_WH: Final = (1920, 1080)
KBIT_S: Final = 2000
KEYFRAME_EVERY_S: Final = 2.0

CAR: Final = "minibus-red"
IN_TURN: Final = ("minibus-blue", "minibus-orange", "minibus-green")
"""Vehicles that stop one after another at one place, none of them for long: no violation."""

FAR_SIZE: Final = 0.26
"""So small a minibus at the kerb is some 100 px wide at 1080p."""

TURN_S: Final = 14.5
ARRIVES_S: Final = 10.0
LEAVES_S: Final = 10.0


class Street(StrEnum):
    """Busy: by day, vehicles and people in the zones all the time. Quiet: at night, hardly anybody.

    Far: busy, seen by a wide lens: vehicles are 60-150 px wide.
    """

    BUSY = "busy"
    QUIET = "quiet"
    FAR = "far"


class Plot(StrEnum):
    """What happens in a recording: a violation; vehicles one after another in one place and a short stop; nothing."""

    EVENT = "event"
    TRAP = "trap"
    FREE = "free"


class Segment(StrEnum):
    """Twenty seconds of a street; those that end in a number are different traffic."""

    FREE_1 = "free-1"
    FREE_2 = "free-2"
    COMES = "comes"
    STANDS_1 = "stands-1"
    STANDS_2 = "stands-2"
    LEAVES = "leaves"
    TURN_1 = "turn-1"
    TURN_2 = "turn-2"
    TURN_3 = "turn-3"
    FREE_3 = "free-3"
    FREE_4 = "free-4"
    FREE_5 = "free-5"
    FREE_6 = "free-6"
    FREE_7 = "free-7"
    FREE_8 = "free-8"


FREE: Final = (Segment.FREE_1, Segment.FREE_2)
MORE_FREE: Final = tuple(name for name in Segment if name >= "free-3" and name.startswith("free"))
"""Of a busy street: were the same few vehicles to pass again and again, they would be found in one place by chance."""

STANDS: Final = (Segment.STANDS_1, Segment.STANDS_2)
TURNS: Final = (Segment.TURN_1, Segment.TURN_2, Segment.TURN_3)

STARTS: Final = {
    Street.BUSY: datetime(2026, 1, 8, 2, 0, tzinfo=UTC),
    Street.QUIET: datetime(2026, 1, 7, 18, 0, tzinfo=UTC),
    Street.FAR: datetime(2026, 1, 8, 2, 0, tzinfo=UTC),
}
"""10:00, 02:00 and 10:00 by the clock of the example's cameras."""

TRAFFIC_PER_MIN: Final = {Street.BUSY: (14.0, 4.0), Street.QUIET: (0.0, 0.0), Street.FAR: (14.0, 4.0)}
"""Vehicles and people a minute; a quiet street has some in its second free segment, which is rare."""

SIZES: Final = {Street.BUSY: 1.0, Street.QUIET: 1.0, Street.FAR: FAR_SIZE}
"""How large all that moves looks, as a part of its usual size."""

SECOND_SHARE: Final = 0.08
"""Of a quiet street: how many of the free segments are the second."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A violation of a made recording: seconds from its start, the box in [0, 1]."""

    from_s: float
    until_s: float
    box: Box


@dataclass(frozen=True, slots=True)
class MadeRecording:
    """A recording of the pool and what is true of it."""

    street: Street
    plot: Plot
    path: Path
    duration_s: float
    events: tuple[Truth, ...]


def pool(
    cache: Path, camera: Camera, street: Street, *, seed: int, minutes: int, workers: int = 2
) -> dict[Plot, MadeRecording]:
    """A recording of each plot. What lies in the cache is used as it is; drawing what is missing takes minutes."""
    plots = [plot for plot in Plot if street is not Street.QUIET or plot is not Plot.TRAP]
    names = [name for name in Segment if street is not Street.QUIET or name not in (*TURNS, *MORE_FREE)]
    segments = _segments(cache, camera, street, seed, names, workers)
    made = {}
    for number, plot in enumerate(plots):
        row = _row(street, plot, round(minutes * 60 / SEGMENT_S), np.random.default_rng([seed, number]))
        content = hashlib.sha256("|".join([segments[name].name for name in row]).encode()).hexdigest()[:10]
        path = cache / f"{street}-{plot}-{minutes}min-{content}.mp4"
        if not path.is_file():
            unfinished = path.with_suffix(".part.mp4")
            join([segments[name] for name in row], unfinished)
            unfinished.replace(path)
        events = tuple(_events(row, _box(camera, street, seed)))
        made[plot] = MadeRecording(street, plot, path, len(row) * SEGMENT_S, events)
    return made


def _row(street: Street, plot: Plot, length: int, random: np.random.Generator) -> list[Segment]:
    """The segments of a recording."""
    if street is not Street.QUIET:
        free = (*FREE, *MORE_FREE)
        row = [free[int(random.integers(len(free)))] for _ in range(length)]
    else:
        row = [FREE[int(random.random() < SECOND_SHARE)] for _ in range(length)]
    if plot is Plot.EVENT:
        stands = int(random.integers(10, 17))
        at = int(random.integers(1, max(2, length - stands - 3)))
        _put(row, at, [Segment.COMES, *(STANDS[i % 2] for i in range(stands)), Segment.LEAVES])
    elif plot is Plot.TRAP:
        _put(row, 2, [*TURNS] * 4)
        _put(row, 17, [Segment.COMES, Segment.STANDS_1, Segment.LEAVES])
    return row


def _put(row: list[Segment], at: int, segments: Sequence[Segment]) -> None:
    room = row[at : at + len(segments)]
    row[at : at + len(segments)] = segments[: len(room)]


def _events(row: Sequence[Segment], box: Box) -> Iterator[Truth]:
    came_s = 0.0
    for index, name in enumerate(row):
        if name is Segment.COMES:
            came_s = index * SEGMENT_S + ARRIVES_S
        elif name is Segment.LEAVES:
            left_s = index * SEGMENT_S + LEAVES_S
            if left_s - came_s > LIMIT_S:
                yield Truth(came_s, left_s, box)


def _segments(
    cache: Path, camera: Camera, street: Street, seed: int, names: Sequence[Segment], workers: int
) -> dict[Segment, Path]:
    """The files of the segments, drawn where they are missing."""
    cache.mkdir(parents=True, exist_ok=True)
    scenes = {name: _scene(camera, street, name, seed) for name in names}
    paths = {name: cache / f"segment-{street}-{name}-{_hash_of(scene)}.mp4" for name, scene in scenes.items()}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        with ProcessPoolExecutor(min(workers, len(missing)), mp_context=get_context("spawn")) as executor:
            made = [executor.submit(_draw, scenes[name], paths[name], FPS, KBIT_S) for name in missing]
            for one in made:
                one.result()
    return paths


def _hash_of(scene: Scene) -> str:
    settings = (FPS, KBIT_S, KEYFRAME_EVERY_S)
    return hashlib.sha256(repr((scene, settings)).encode()).hexdigest()[:10]


def _draw(scene: Scene, path: Path, fps: int, kbit_s: int) -> None:
    stage = Stage(scene)
    unfinished = path.with_suffix(f".{os.getpid()}.part.mp4")
    with VideoWriter(
        unfinished,
        scene.resolution_wh,
        fps,
        keyframe_every=round(KEYFRAME_EVERY_S * fps),
        kbit_s=kbit_s,
        b_frames=0,
    ) as writer:
        for index in range(round(SEGMENT_S * fps)):
            writer.write(stage.frame(index / fps))
    unfinished.replace(path)


def _scene(camera: Camera, street: Street, name: Segment, seed: int) -> Scene:
    """A segment's scene: its own traffic on the one street of the seed."""
    number = list(Segment).index(name)
    random = np.random.default_rng([seed, number])
    vehicles, people = TRAFFIC_PER_MIN[street]
    if street is Street.QUIET and name is Segment.FREE_2:
        vehicles, people = 3.0, 2.0
    actors = [*traffic(camera, random, SEGMENT_S, vehicles_per_min=vehicles, people_per_min=people)]
    actors += _standing(camera, name, _foot(camera, seed))
    actors = [replace(actor, size=SIZES[street]) for actor in actors]
    start = STARTS[street].astimezone(camera.timezone)
    return Scene(
        camera,
        start + timedelta(seconds=number * SEGMENT_S),
        SEGMENT_S,
        tuple(actors),
        seed=seed,
        resolution_wh=RESOLUTION_WH,
        stamp=Stamp.TIME,
        noise=2.0,
    )


def _standing(camera: Camera, name: Segment, foot: tuple[float, float]) -> Iterator[Actor]:
    far_s = 1000.0
    if name is Segment.COMES:
        yield visit(camera, CAR, foot, ARRIVES_S, far_s)
    elif name in STANDS:
        yield visit(camera, CAR, foot, -far_s, far_s)
    elif name is Segment.LEAVES:
        yield visit(camera, CAR, foot, -far_s, LEAVES_S)
    elif name in TURNS:
        yield visit(camera, IN_TURN[TURNS.index(name)], foot, 3.0, 3.0 + TURN_S, turning_s=2.5)


def _foot(camera: Camera, seed: int) -> tuple[float, float]:
    return spot([camera], CAR, ZoneKind.NO_PARKING, np.random.default_rng([seed, 99]))


def _box(camera: Camera, street: Street, seed: int) -> Box:
    scene = _scene(camera, street, Segment.STANDS_1, seed)
    return scene.box_of(scene.actors[-1], *_foot(camera, seed))
