"""An archive for many points and days out of a small pool of made recordings, hard-linked under recorders' names.

A recording is linked only at its own time of day, so the clock in its picture, which shows no date, is right
everywhere; and only to cameras on whose zones its vehicles stand as surely as on those it was drawn for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from detector.config.rules import RuleSet
from detector.core.errors import BadInput
from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Camera, Category, Point, Violation, ZoneKind
from detector.demo.play import CARS, Foot, Random, spot, traffic, visit
from detector.demo.record import record
from detector.demo.scene import Actor, Limit, Scene, Stamp, truth

POOL: Final = ".pool"
"""Where the recordings themselves lie under the archive's root; a walk over camera folders never enters it."""

EDGE_S: Final = 8.0
"""Between a clip's ends and the stands in it."""

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hikvision": "ch01_{year}{month}{day}{hour}{minute}{second}"
        "_{end_year}{end_month}{end_day}{end_hour}{end_minute}{end_second}.mp4",
        "dahua": "{year}-{month}-{day}/001/dav/{hour}/"
        "{hour}.{minute}.{second}-{end_hour}.{end_minute}.{end_second}[M][0@0][0].mp4",
        "iso": "{year}-{month}-{day}T{hour}-{minute}-{second}.mp4",
    }
)


class Plot(StrEnum):
    """What happens in a made recording."""

    TRAFFIC = "traffic"
    NIGHT = "night"
    PARKED = "parked"
    ON_FOOTWAY = "on_footway"
    SAME_SPOT = "same_spot"
    SHORT_STOP = "short_stop"
    IN_BAY = "in_bay"


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of an archive's recordings hold what; the rest is traffic by day and by night."""

    violations: float = 0.08
    traps: float = 0.10
    missing: float = 0.01
    """Days of a camera without its recording."""


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """A violation that an archive holds. `box` is in [0, 1], `recording` relative to the archive's root."""

    point_id: str
    camera_id: str
    interval: Interval
    violation: Violation
    zone: str
    box: Box
    recording: str


@dataclass(frozen=True, slots=True)
class TrueGap:
    """A camera's day without a whole recording: 'missing', 'empty', 'not_video' or 'truncated'."""

    point_id: str
    camera_id: str
    day: date
    what: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is to be found in an archive. `traps` are recordings in which an easy rule goes wrong."""

    events: tuple[TrueEvent, ...]
    gaps: tuple[TrueGap, ...]
    traps: Mapping[str, int]
    recordings: int
    pool: int
    """How many recordings were made; the others are links to them."""

    def save(self, path: Path) -> None:
        content = {
            "recordings": self.recordings,
            "pool": self.pool,
            "traps": dict(self.traps),
            "events": [
                {
                    "point": event.point_id, "camera": event.camera_id, "from": event.interval.start.isoformat(),
                    "until": event.interval.end.isoformat(), "violation": str(event.violation), "zone": event.zone,
                    "box": [round(v, 5) for v in event.box], "recording": event.recording,
                }
                for event in self.events
            ],
            "gaps": [
                {"point": gap.point_id, "camera": gap.camera_id, "day": gap.day.isoformat(), "what": gap.what,
                 "path": gap.path}
                for gap in self.gaps
            ],
        }  # fmt: skip
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Truth:
        """What `save` wrote. Raises BadInput where it is something else."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                tuple(
                    TrueEvent(
                        e["point"], e["camera"],
                        Interval(datetime.fromisoformat(e["from"]), datetime.fromisoformat(e["until"])),
                        Violation(e["violation"]), e["zone"], (e["box"][0], e["box"][1], e["box"][2], e["box"][3]),
                        e["recording"],
                    )
                    for e in content["events"]
                ),
                tuple(
                    TrueGap(g["point"], g["camera"], date.fromisoformat(g["day"]), g["what"], g["path"])
                    for g in content["gaps"]
                ),
                content["traps"], content["recordings"], content["pool"],
            )  # fmt: skip
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise BadInput(f"{path}: not the truth of a made archive ({error})") from error


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording of the pool: its scene on a day that stands for all, and where its file lies."""

    plot: Plot
    scene: Scene
    path: Path
    violates: bool
    fps: float

    @property
    def kind(self) -> str:
        if self.plot in USUAL:
            return "usual"
        return "violations" if self.violates else "traps"

    @property
    def clock(self) -> time:
        return self.scene.start.time()


@dataclass(frozen=True, slots=True)
class _Style:
    length_s: float
    resolution_wh: tuple[int, int]
    fps: float


@dataclass(frozen=True, slots=True)
class _Group:
    """Cameras that one drawn street serves, and the clips made for it."""

    category: Category
    members: tuple[tuple[Point, Camera], ...]
    clips: tuple[Clip, ...] = field(default=())


def compose_archive(
    points: Sequence[Point],
    root: Path,
    *,
    rules: RuleSet,
    days: int,
    end_day: date,
    seed: int,
    minutes: float = 4.0,
    resolution_wh: tuple[int, int] = (960, 540),
    fps: float = 4.0,
    shares: Shares | None = None,
    workers: int | None = None,
) -> Truth:
    """Fill `root` with one recording a day for each camera, `days` days up to and with `end_day`; save `truth.json`.

    The same arguments give the same files. What breaks a rule is decided by `rules` at each link's own hour.
    `workers` processes compose the pool, as many as there are cores where None. Raises BadInput where no vehicle
    fits on a camera's no-parking zones, or a recording would be shorter than a minute.
    """
    if minutes < 1:
        raise BadInput(f"a made recording needs a minute or more, got {minutes:g}")
    root.mkdir(parents=True, exist_ok=True)
    groups = [
        _with_clips(group, root, rules, seed + i, _Style(60 * minutes, resolution_wh, fps))
        for i, group in enumerate(_groups(points))
    ]
    clips = [clip for group in groups for clip in group.clips]
    _record_all(clips, workers)
    links = list(_plan_links(groups, days, end_day, np.random.default_rng([seed, 11]), shares or Shares()))
    result = _lay_out(links, root, rules, np.random.default_rng([seed, 13]))
    found = Truth(*result, recordings=sum(1 for link in links if link.clip), pool=len(clips))
    found.save(root / "truth.json")
    return found


def _groups(points: Sequence[Point]) -> Iterator[_Group]:
    """Cameras of one category whose zones have the same ids and kinds, split further where no shared spot exists."""
    found: dict[tuple[object, ...], list[tuple[Point, Camera]]] = {}
    for point in points:
        for camera in point.cameras:
            shape = tuple((zone.id, zone.kind) for zone in camera.zones)
            found.setdefault((point.category, shape), []).append((point, camera))
    for (category, _), members in found.items():
        assert isinstance(category, Category)
        if (
            _place([camera for _, camera in members], ZoneKind.NO_PARKING, np.random.default_rng(0))
            or len(members) == 1
        ):
            yield _Group(category, tuple(members))
        else:
            yield from (_Group(category, (member,)) for member in members)


def _place(cameras: Sequence[Camera], kind: ZoneKind, random: Random) -> tuple[str, Foot] | None:
    """A vehicle and a place for it in a zone of the kind on all the cameras; None where there is none."""
    for i in random.permutation(len(CARS))[:4]:
        try:
            return CARS[i], spot(cameras, CARS[i], kind, random)
        except BadInput:
            continue
    return None


PLOTS: Final[Mapping[Plot, tuple[int, int]]] = MappingProxyType(
    {
        Plot.TRAFFIC: (7, 17),
        Plot.NIGHT: (20, 23),
        Plot.PARKED: (8, 17),
        Plot.ON_FOOTWAY: (8, 17),
        Plot.SAME_SPOT: (8, 17),
        Plot.IN_BAY: (8, 17),
        Plot.SHORT_STOP: (8, 17),
    }
)
"""A group's clips, and the hours within which each begins."""

USUAL: Final = (Plot.TRAFFIC, Plot.NIGHT)


def _with_clips(group: _Group, root: Path, rules: RuleSet, seed: int, style: _Style) -> _Group:
    """The group with its clips; a short stop is made only where there is no bay."""
    point, first = group.members[0]
    made: dict[Plot, Clip] = {}
    for i, (plot, usual_hours) in enumerate(PLOTS.items()):
        random = np.random.default_rng([seed, i])
        at_market = (group.category, plot) == (Category.NIGHT_MARKET, Plot.PARKED)
        hours = (19, 22) if at_market else usual_hours
        clock = time(int(random.integers(*hours)), int(random.integers(0, 60)))
        start = datetime.combine(date(2026, 1, 8), clock, first.timezone)
        length_s = _length_s(plot, first, style.length_s, _limit(rules, point), start)
        actors = _cast(plot, [camera for _, camera in group.members], random, length_s)
        if actors is not None and not (plot is Plot.SHORT_STOP and Plot.IN_BAY in made):
            scene = Scene(
                first,
                start,
                length_s,
                tuple(actors),
                seed=seed,
                resolution_wh=style.resolution_wh,
                stamp=Stamp.TIME,
            )
            content = hashlib.sha256(repr((scene, style.fps)).encode()).hexdigest()[:10]
            path = root / POOL / f"{group.category}-{plot}-{content}.mp4"
            made[plot] = Clip(plot, scene, path, bool(truth(scene, _limit(rules, point))), style.fps)
    if Plot.PARKED not in made:
        raise BadInput(f"no vehicle fits on a no-parking zone of camera {first.id}")
    return _Group(group.category, group.members, tuple(made.values()))


def _limit(rules: RuleSet, point: Point) -> Limit:
    return lambda violation, zone, local: rules.limit_s(violation, point.category, zone, local)


def _length_s(plot: Plot, camera: Camera, usual_s: float, limit: Limit, start: datetime) -> float:
    """Long enough for the limit that the plot is to break, if that takes at most twice the usual length."""
    broken = {
        Plot.PARKED: (Violation.ILLEGAL_PARKING, ZoneKind.NO_PARKING),
        Plot.ON_FOOTWAY: (Violation.SIDEWALK_PARKING, ZoneKind.SIDEWALK),
    }.get(plot)
    limits = [limit(broken[0], zone, start) for zone in camera.zones if broken and zone.kind is broken[1]]
    needed_s = max((limit_s + 60 for limit_s in limits if limit_s), default=0.0)
    return max(usual_s, needed_s) if needed_s <= 2 * usual_s else usual_s


def _cast(plot: Plot, cameras: Sequence[Camera], random: Random, length_s: float) -> list[Actor] | None:
    """Who plays: the plot's own and passers-by; None where the place is lacking, such as a bay."""
    quiet = plot is Plot.NIGHT
    others = list(
        traffic(
            cameras[0],
            random,
            length_s,
            vehicles_per_min=1 if quiet else 4,
            people_per_min=0.3 if quiet else 1.5,
        )
    )
    if plot in USUAL:
        return others
    kinds = {Plot.ON_FOOTWAY: ZoneKind.SIDEWALK, Plot.IN_BAY: ZoneKind.PARKING_BAY}
    placed = _place(cameras, kinds.get(plot, ZoneKind.NO_PARKING), random)
    if placed is None:
        return None
    car, foot = placed
    from_s, until_s = EDGE_S + float(random.uniform(0, 3)), length_s - EDGE_S - float(random.uniform(0, 3))
    if plot is Plot.SAME_SPOT:
        return others + _one_after_another(cameras[0], foot, random, from_s, until_s)
    if plot is Plot.SHORT_STOP:
        until_s = from_s + 0.35 * length_s
    return [*others, visit(cameras[0], car, foot, from_s, until_s)]


def _one_after_another(
    camera: Camera, foot: Foot, random: Random, from_s: float, until_s: float
) -> list[Actor]:
    """Three different vehicles in one place, as at a stop line, none of them up to a limit."""
    step = (until_s - from_s) / 3
    cars = [
        f"minibus-{paint}" for paint in random.permutation(["blue", "red", "green", "orange", "silver"])[:3]
    ]
    return [
        visit(camera, car, foot, from_s + i * step, from_s + (i + 1) * step - 4, turning_s=2.5)
        for i, car in enumerate(cars)
    ]


def _record_all(clips: Sequence[Clip], workers: int | None) -> None:
    missing = [clip for clip in clips if not clip.path.is_file()]
    for clip in missing:
        clip.path.parent.mkdir(parents=True, exist_ok=True)
    workers = min(workers or os.cpu_count() or 1, max(1, len(missing)))
    if workers == 1:
        for clip in missing:
            _record(clip)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_record, missing):
            pass


def _record(clip: Clip) -> None:
    """Under a temporary name first, so that what stopped half-way is not taken for whole."""
    unfinished = clip.path.with_suffix(".part.mp4")
    record(clip.scene, unfinished, fps=clip.fps)
    unfinished.replace(clip.path)


@dataclass(frozen=True, slots=True)
class _Link:
    """One camera's day: which clip, if any."""

    point: Point
    camera: Camera
    day: date
    clip: Clip | None


def _plan_links(
    groups: Sequence[_Group], days: int, end_day: date, random: Random, shares: Shares
) -> Iterator[_Link]:
    """Every camera's every day, with exactly the shares of plots asked for, spread by chance."""
    slots = [
        (group, point, camera, end_day - timedelta(days=back))
        for group in groups
        for point, camera in group.members
        for back in reversed(range(days))
    ]
    counts = {name: round(getattr(shares, name) * len(slots)) for name in ("violations", "traps", "missing")}
    fates = [name for name, count in counts.items() for _ in range(count)]
    fates += ["usual"] * (len(slots) - len(fates))
    for i, (group, point, camera, day) in zip(random.permutation(len(slots)), slots, strict=True):
        fate = fates[i]
        kind = "usual" if fate == "missing" else fate
        fitting = [clip for clip in group.clips if clip.kind == kind]
        fitting = fitting or [clip for clip in group.clips if clip.kind == "usual"]
        chosen = fitting[int(random.integers(len(fitting)))]
        yield _Link(point, camera, day, None if fate == "missing" else chosen)


def _lay_out(
    links: Sequence[_Link], root: Path, rules: RuleSet, random: Random
) -> tuple[tuple[TrueEvent, ...], tuple[TrueGap, ...], Mapping[str, int]]:
    """Put every link in its place; three of the quiet ones are damaged on the way."""
    usual = [i for i, link in enumerate(links) if link.clip and link.clip.kind == "usual"]
    chosen = [usual[i] for i in random.permutation(len(usual))[:3]]
    damage = dict(zip(chosen, ("empty", "not_video", "truncated"), strict=False))
    events: list[TrueEvent] = []
    gaps: list[TrueGap] = []
    traps: dict[str, int] = {}
    for i, link in enumerate(links):
        if link.clip is None:
            gaps.append(TrueGap(link.point.id, link.camera.id, link.day, "missing"))
            continue
        path = root / link.camera.folder / recording_name(link.camera, *_times(link, link.clip))
        path.parent.mkdir(parents=True, exist_ok=True)
        relative = path.relative_to(root).as_posix()
        if what := damage.get(i):
            _put_damaged(link.clip.path, path, what)
            gaps.append(TrueGap(link.point.id, link.camera.id, link.day, what, relative))
            continue
        _put(link.clip.path, path)
        events += _events(link, link.clip, relative, rules)
        if link.clip.kind == "traps":
            traps[link.clip.plot] = traps.get(link.clip.plot, 0) + 1
    return tuple(events), tuple(gaps), traps


def _times(link: _Link, clip: Clip) -> tuple[datetime, datetime]:
    """The clip's start and end on the link's day, by the recorder's clock, which the picture shows as well."""
    start = datetime.combine(link.day, clip.clock, link.camera.timezone)
    return start, start + timedelta(seconds=clip.scene.duration_s)


def recording_name(camera: Camera, start: datetime, end: datetime) -> str:
    """The path below a camera's folder that its recorder would give, by the recorder's own clock."""
    text = NAMES.get(camera.template, camera.template).replace("*", "x")
    start, end = camera.recorder_time(start), camera.recorder_time(end)
    fields = {
        f"{prefix}{name}": moment.strftime(code)
        for prefix, moment in (("", start), ("end_", end))
        for name, code in (
            ("year", "%Y"), ("month", "%m"), ("day", "%d"), ("hour", "%H"), ("minute", "%M"), ("second", "%S"),
            ("offset", "%z"),
        )
    }  # fmt: skip
    fields["channel"] = camera.channel or "01"
    try:
        return text.format_map(fields)
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"camera {camera.id}: no name can be made by the template {camera.template!r}"
        ) from error


def _put(source: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, path)


def _put_damaged(source: Path, path: Path, what: str) -> None:
    content = {
        "empty": b"",
        "not_video": b"This is not a video.\n" * 50,
        "truncated": source.read_bytes()[: int(source.stat().st_size * 0.6)],
    }[what]
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    settled = source.stat().st_mtime - 3600
    os.utime(path, (settled, settled))  # long ago, or it would be taken for one still being written


def _events(link: _Link, clip: Clip, relative: str, rules: RuleSet) -> Iterator[TrueEvent]:
    recorder_start, _ = _times(link, clip)
    start = recorder_start + timedelta(seconds=link.camera.clock_offset_s)
    own = clip.scene.on(link.camera, start)
    width, height = own.resolution_wh
    for event in truth(own, _limit(rules, link.point)):
        x1, y1, x2, y2 = event.box
        yield TrueEvent(
            point_id=link.point.id,
            camera_id=link.camera.id,
            interval=Interval(
                start + timedelta(seconds=event.from_s), start + timedelta(seconds=event.until_s)
            ),
            violation=event.violation,
            zone=event.zone,
            box=(x1 / width, y1 / height, x2 / width, y2 / height),
            recording=relative,
        )
