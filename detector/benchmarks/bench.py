"""The benchmark as one flow: footage, kerbwatch, the others, the limits; all in one run, on the same pictures."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from detector.benchmarks import LOOK_WH
from detector.benchmarks.county import (
    SAME_PLACE_IOU,
    County,
    Score,
    county,
    reused_share,
    score,
    write_folder,
)
from detector.benchmarks.footage import MadeRecording, Plot, Street, pool
from detector.benchmarks.measure import Cost, measured
from detector.benchmarks.others import Method
from detector.core.geometry import iou
from detector.pipeline.flow import ON_THE_WAY
from detector.proving.looker import COPY_WH

SEED: Final = 41
TRACK_S: Final = 16.0
"""Of every frame only so much is looked at; the rest is extrapolated."""

LIMIT_PICTURES: Final = 300
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much footage: minutes of a pool recording and of those for the others, cameras and recordings a camera; and
    which streets and recordings the others look through, who decode every frame of them.
    """

    minutes: int
    other_minutes: int
    cameras: Mapping[Street, int]
    recordings: Mapping[Street, int]
    others: Mapping[Street, Sequence[Plot]]


FULL: Final = Size(
    30,
    10,
    {Street.BUSY: 8, Street.QUIET: 8, Street.FAR: 4},
    {Street.BUSY: 24, Street.QUIET: 48, Street.FAR: 24},
    {Street.BUSY: (Plot.EVENT, Plot.TRAP), Street.QUIET: (Plot.EVENT,), Street.FAR: (Plot.EVENT, Plot.TRAP)},
)
QUICK: Final = Size(
    30,
    10,
    {Street.BUSY: 2, Street.QUIET: 2, Street.FAR: 2},
    {Street.BUSY: 8, Street.QUIET: 16, Street.FAR: 8},
    {Street.BUSY: (Plot.EVENT,), Street.QUIET: (), Street.FAR: (Plot.EVENT,)},
)


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one kind of street."""

    street: Street
    method: str
    camera_hours: float
    """Really looked through; rates are per hour of these."""
    cost: Cost
    score: Score | None
    note: str = ""

    @property
    def rate(self) -> float:
        """Camera-hours per core-hour."""
        return self.camera_hours / (self.cost.cpu_s / 3600)

    def to_json(self) -> dict[str, Any]:
        own = asdict(self)
        recall = {"recall": self.score.recall} if self.score else {}
        return {**own, "camera_hours_per_core_hour": round(self.rate, 2), **recall}


@dataclass(frozen=True, slots=True)
class Pictures:
    """How many pictures a camera-hour were decoded, and how many the model looked at."""

    decoded: float
    inferred: float


@dataclass(frozen=True, slots=True)
class Alone:
    """What one picture takes of a processor with nothing else around it, in seconds, all cores busy with the same."""

    look_s: float
    """Seek, decode and scale a keyframe to the model's size."""
    closer_s: float
    """Seek and decode a keyframe at full size."""
    clip_s: float
    """Seek, decode and scale a keyframe to a clip's size."""
    forward_s: float
    """Decode one picture that follows a keyframe."""
    infer_s: float

    def mean(self, other: Alone) -> Alone:
        """Of two measurements: before the scans and after them, for a machine is slower at times."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Alone(*(sum(pair) / 2 for pair in pairs))

    @property
    def decode_s(self) -> tuple[float, float, float, float]:
        return self.look_s, self.closer_s, self.clip_s, self.forward_s


@dataclass(frozen=True, slots=True)
class Limits:
    """What the cores can do of a scan's pictures with nothing else around them."""

    street: Street
    alone: Alone
    looks: Pictures
    """Of the plan, without those that the gate spared."""
    closer: Pictures
    """Of closer looks at suspicions."""
    clips: float
    """Pictures decoded for clips alone, a camera-hour."""
    forward: float
    """Pictures decoded from a keyframe up to one that a closer look wanted, a camera-hour."""

    @property
    def rate(self) -> float:
        """Camera-hours per core-hour, if no suspicion were looked at closer."""
        return 3600 / self._looks_s

    @property
    def whole_rate(self) -> float:
        """Camera-hours per core-hour, all pictures that were decoded and asked about counted."""
        alone, closer = self.alone, self.closer
        closer_s = closer.decoded * alone.closer_s + closer.inferred * alone.infer_s
        others_s = self.clips * alone.clip_s + self.forward * alone.forward_s
        return 3600 / (self._looks_s + closer_s + others_s)

    @property
    def _looks_s(self) -> float:
        return self.looks.decoded * self.alone.look_s + self.looks.inferred * self.alone.infer_s


@dataclass(frozen=True, slots=True)
class Bench:
    """All that was measured."""

    machine: str
    cores: int
    at: datetime
    rows: tuple[Row, ...]
    limits: tuple[tuple[str, Limits], ...]
    """By the method that they bound."""

    def to_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "cores": self.cores,
            "at": self.at.isoformat(),
            "rows": [row.to_json() for row in self.rows],
            "limits": [
                {
                    "method": m,
                    **asdict(one),
                    "camera_hours_per_core_hour": one.rate,
                    "with_closer_looks": one.whole_rate,
                }
                for m, one in self.limits
            ],
        }


def bench(
    cache: Path,
    weights: Path,
    exports: Path,
    *,
    size: Size,
    workers: int,
    methods: Sequence[Method],
    say: Say,
) -> Bench:
    """Measure everything. The pool of footage is kept in `cache`; drawing it takes a quarter of an hour once."""
    rows: list[Row] = []
    limits: list[tuple[str, Limits]] = []
    with tempfile.TemporaryDirectory(dir=cache, prefix=".county-") as scratch:
        sample = write_folder(Path(scratch) / "sample", 1, gate=True)
        camera = sample.points[0].cameras[0]
        for street in size.cameras:
            say(f"{street}: footage")
            made = pool(cache, camera, street, seed=SEED, minutes=size.minutes, workers=workers)
            alone = partial(_alone, Path(scratch), made, weights, exports, sample.folder, workers)
            before, asked = alone(), []
            for gate in (True, False):
                name = f"kerbwatch{'' if gate else ', no gate'}"
                say(f"{street}: {name}")
                folder = Path(scratch) / f"{street}-{gate}"
                place = county(
                    folder, made, cameras=size.cameras[street], recordings=size.recordings[street], gate=gate
                )
                row, pictures = _kerbwatch(name, street, place, workers, Path(scratch) / "profile.json")
                rows.append(row)
                asked.append((name, pictures))
                shutil.rmtree(folder)
            both = before.mean(alone())
            limits += [(name, Limits(street, both, *pictures)) for name, pictures in asked]
            if methods and size.others[street]:
                short = pool(cache, camera, street, seed=SEED, minutes=size.other_minutes, workers=workers)
                looked = [short[plot] for plot in size.others[street]]
                for method in methods:
                    say(f"{street}: {method}")
                    rows.append(
                        _other(method, street, looked, Path(scratch), weights, exports, sample.folder)
                    )
    return Bench(_machine(), os.cpu_count() or 1, datetime.now(UTC), tuple(rows), tuple(limits))


def _kerbwatch(
    name: str, street: Street, place: County, workers: int, profile: Path
) -> tuple[Row, tuple[Pictures, Pictures, float, float]]:
    """The command itself, from the file names to the filed issues; and its pictures, as `Limits` wants them."""
    command = [sys.executable, "-c", "from detector.cli.main import main; main()", "scan", "-C", place.folder,
               "--until", place.last_day, "--days", place.days, "--workers", workers, "--json", "--profile", profile]  # fmt: skip
    said, cost = measured([str(word) for word in command])
    looks = sum(one["samples"] for one in json.loads(said)["cameras"])
    counts = {one["stage"]: one["count"] for one in json.loads(profile.read_text(encoding="utf-8"))["stages"]}
    decoded, reused, hours = counts["decode"], reused_share(place), place.camera_hours
    asked = looks * (1 - reused)
    note = f"{looks} looks, {reused:.0%} reused, {1 - decoded / looks:.0%} not decoded"
    row = Row(street, name, hours, cost, score(place), note)
    closer = Pictures(counts.get("decode closer", 0) / hours, (counts["infer"] - asked) / hours)
    looked = Pictures(decoded / hours, asked / hours)
    return row, (looked, closer, counts.get("decode clip", 0) / hours, counts.get(ON_THE_WAY, 0) / hours)


def _alone(
    scratch: Path,
    made: Mapping[Plot, MadeRecording],
    weights: Path,
    exports: Path,
    sample: Path,
    workers: int,
) -> Alone:
    common = {"folder": str(sample), "weights": str(weights), "cache": str(exports), "part": True,
              "videos": [str(one.path) for one in made.values()], "duration_s": made[Plot.FREE].duration_s,
              "pictures": LIMIT_PICTURES}  # fmt: skip

    def cost_s(task: Mapping[str, Any], look_s: float = 0.0) -> float:
        answers = _at_once(scratch, {**common, **task}, workers)
        looks_s = look_s * sum(a.get("looks", 0) for a in answers)
        return float((sum(a["cpu_s"] for a in answers) - looks_s) / sum(a["pictures"] for a in answers))

    look_s, closer_s, clip_s = (
        cost_s({"what": "decode", "fit_wh": fit_wh}) for fit_wh in (LOOK_WH, None, COPY_WH)
    )
    return Alone(look_s, closer_s, clip_s, cost_s({"what": "forward"}, closer_s), cost_s({"what": "infer"}))


def _at_once(scratch: Path, task: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(count) as executor:
        return [json.loads(out) for out, _ in executor.map(lambda _: _worker(scratch, task), range(count))]


def _worker(scratch: Path, task: Mapping[str, Any]) -> tuple[str, Cost]:
    with _written(scratch, task) as file:
        return measured([sys.executable, "-m", "detector.benchmarks.worker", file])


@contextmanager
def _written(scratch: Path, task: Mapping[str, Any]) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".json", encoding="utf-8") as file:
        json.dump(dict(task), file)
        file.flush()
        yield Path(file.name)


def _other(
    method: Method, street: Street, recordings: Sequence[MadeRecording], scratch: Path, weights: Path, exports: Path,
    sample: Path,
) -> Row:  # fmt: skip
    """One of the others, on recordings with something to find, one process on all cores."""
    whole = method is not Method.TRACK
    costs, hours, scores = [], 0.0, []
    for one in recordings if whole else recordings[:1]:
        task = {"what": "other", "method": str(method), "video": str(one.path), "folder": str(sample),
                "weights": str(weights), "cache": str(exports), "until_s": one.duration_s if whole else TRACK_S}  # fmt: skip
        out, cost = _worker(scratch, task)
        answer = json.loads(out)
        costs.append(cost)
        hours += answer["looked_s"] / 3600
        scores.append(_score(one, answer["found"]))
    total = Cost(
        sum(c.wall_s for c in costs), sum(c.cpu_s for c in costs), max(c.peak_mb for c in costs),
        max(c.peak_rss_mb for c in costs), sum(c.read_mb for c in costs),
    )  # fmt: skip
    found = Score(
        sum(s.events for s in scores), sum(s.found for s in scores), sum(s.false_alarms for s in scores)
    )
    note = f"{hours * 60:.1f} min measured" + ("" if whole else ", too little to find anything in")
    return Row(street, str(method), hours, total, found if whole else None, note)


def _score(one: MadeRecording, found: Sequence[Mapping[str, Any]]) -> Score:
    left = list(found)
    hits = 0
    for event in one.events:
        mine = [
            f
            for f in left
            if f["first_s"] < event.until_s and f["last_s"] > event.from_s
            and iou((f["box"][0], f["box"][1], f["box"][2], f["box"][3]), event.box) >= SAME_PLACE_IOU
        ]  # fmt: skip
        hits += bool(mine)
        left = [f for f in left if f not in mine]
    return Score(len(one.events), hits, len(left))


def _machine() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
