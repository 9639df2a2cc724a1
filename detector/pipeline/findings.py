"""What a stretch of a camera is judged by, and what judging gathered of it, kept beside the observations.

Reading looks, their views and pictures is what takes time in judging; limits and hours are asked of what is left. So a
scan keeps what is left, a file a stretch, and `judge` under other limits reads that. Each file says what it was made
of: of other looks, zones, rules or code it is not used, but made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from detector.config.rules import RuleSet
from detector.config.violations import families
from detector.core.barrier import barrier
from detector.core.errors import UnexpectedFault
from detector.core.times import Interval
from detector.core.values import Camera, Observation, Point
from detector.footage.catalogue import ObservedPart
from detector.judging import kept
from detector.judging.camera_fault import WORDS
from detector.judging.judge import Gathered, gather, ground_of, least_limit_s
from detector.observing.store import ObservationStore
from detector.pipeline.flow import Part
from detector.storage import Root, open_store

REFERENCE_LOOKS = 30
"""A camera's view is what so many looks of the day before had in common."""

ROOMS = ("config", "core", "decoding", "judging")
"""Whose code decides what is gathered."""

Done = Mapping[str, Sequence[ObservedPart]]
"""By recording, what plans have seen of it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of looks, the time of them that counts, and what of that cannot be judged."""

    part: ObservedPart
    interval: Interval
    blind: tuple[Interval, ...] = ()

    def looks(self, store: ObservationStore) -> list[Observation]:
        seen = store.read(self.part.file, self.part.camera_id, self.part.recording_id)
        return [o for o in seen if o.at in self.interval and not any(o.at in b for b in self.blind)]


@dataclass(frozen=True, slots=True)
class Ground:
    """Rules, and what of them decides what is gathered: by family, and in short. Told once for all of a camera's
    windows, for telling takes a millisecond.
    """

    rules: RuleSet
    by_family: Mapping[str, str]
    short: str

    @classmethod
    def of(cls, rules: RuleSet) -> Ground:
        by_family = {family: ground_of(rules, family) for family in families()}
        short = hashlib.sha256("\n".join(by_family.values()).encode()).hexdigest()[:10]
        return cls(rules, by_family, short)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a stretch is judged by. `earlier` is of the day before, the newest first."""

    looks: tuple[Stored, ...]
    earlier: tuple[Stored, ...]
    unseen: tuple[Interval, ...]

    def observations(self, store: ObservationStore) -> Iterator[Observation]:
        for stored in self.looks:
            yield from stored.looks(store)

    def reference(self, store: ObservationStore) -> list[Observation]:
        """The last looks of the day before that could be judged: what the view is like.

        A view that was another for a whole day is the new one: whoever turned the camera has had that day's issue.
        """
        looks: list[Observation] = []
        for stored in self.earlier:
            looks = stored.looks(store) + looks
            if len(looks) >= REFERENCE_LOOKS:
                break
        return looks[-REFERENCE_LOOKS:]

    def gather(self, store: ObservationStore, point: Point, camera: Camera, rules: RuleSet) -> Gathered:
        return self.gather_of(tuple(families()), store, point, camera, rules)

    def gather_of(
        self,
        only: Sequence[str],
        store: ObservationStore,
        point: Point,
        camera: Camera,
        rules: RuleSet,
    ) -> Gathered:
        return gather(
            list(self.observations(store)),
            point,
            camera,
            rules,
            earlier=self.reference(store),
            unseen=self.unseen,
            only=only,
        )

    def key(self, camera: Camera, ground: Ground) -> str:
        """Names all that `gather` depends on."""
        zones = [(zone.id, zone.kind, zone.polygon) for zone in camera.zones]
        files = [
            (s.part.file, *_ends(s.interval), [_ends(b) for b in s.blind])
            for s in (*self.looks, *self.earlier)
        ]
        unseen = [_ends(stretch) for stretch in self.unseen]
        depends = (
            camera.id,
            camera.resolution_wh,
            zones,
            files,
            len(self.looks),
            unseen,
            ground.short,
            _code(),
        )
        return hashlib.sha256(repr(depends).encode()).hexdigest()[:32]


def shown(wanted: Sequence[Part], before: Sequence[Part], done: Done, model: str = "") -> Shown:
    """The closest looks at each part, of one model if named; `before` are the parts of the day before."""
    looks = [Stored(best, i) for r, i in wanted if (best := _closest(done.get(r.id, ()), model))]
    earlier: list[Stored] = []
    sure = 0
    for recording, interval in reversed(before):
        observed = done.get(recording.id, ())
        blind = tuple(b.interval for part in observed for b in part.blind if not b.shape_wh)
        if best := _closest(observed, model):
            earlier.append(Stored(best, interval, blind))
            sure += best.samples if not blind and interval == best.recording else 0
        if sure >= REFERENCE_LOOKS:
            break
    unseen = [
        stretch
        for recording, interval in wanted
        for part in done.get(recording.id, ())
        for b in part.blind
        if b.reason not in WORDS and not b.shape_wh and (stretch := b.interval.intersection(interval))
    ]
    return Shown(tuple(looks), tuple(earlier), tuple(unseen))


def every_s(part: ObservedPart) -> float:
    return float(part.plan_key.partition("s-")[0])


def _closest(looked: Sequence[ObservedPart], model: str) -> ObservedPart | None:
    return min((part for part in looked if part.plan_key.endswith(model)), key=every_s, default=None)


class FindingsStore:
    """What was gathered, by camera, stretch, and what of the rules it was gathered by."""

    def __init__(self, root: Root) -> None:
        self._files = open_store(root)

    def keep(self, camera: Camera, window: Interval, ground: Ground, key: str, gathered: Gathered) -> None:
        """Raises StorageFull, StoreAway."""
        self._files.write(_name(camera, window, ground), kept.as_text(gathered, key).encode())

    def find(
        self, camera: Camera, window: Interval, ground: Ground, key: str, least_s: Mapping[str, float]
    ) -> Gathered | None:
        """Of the suspects those that may reach `least_s`; None where nothing is kept that was gathered so."""
        try:
            text = self._files.read(_name(camera, window, ground)).decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        try:
            with barrier(f"findings {_name(camera, window, ground)}", UnexpectedFault):
                return kept.from_text(text, key, least_s)
        except UnexpectedFault:  # damaged: it is made again from the looks
            return None


@dataclass(frozen=True, slots=True)
class Reader:
    """What was gathered of one camera, read where it is kept and else gathered now, and kept."""

    store: ObservationStore
    findings: FindingsStore
    point: Point
    camera: Camera

    def gathered(
        self, window: Interval, seen: Shown, by: Ground, like: Ground, limits: Sequence[RuleSet]
    ) -> Gathered:
        """Where other rules, `like` those, have gathered already, only what differs is gathered by these.

        Of what is kept, the suspects that may reach a limit of any of the rule sets `limits`.
        """
        key, rules = seen.key(self.camera, by), by.rules
        least_s = {family: self._least_limit_s(family, limits) for family in families()}
        found = self.findings.find(self.camera, window, by, key, least_s)
        if found is not None:
            return found
        everything = dict.fromkeys(families(), 0.0)
        known = self.findings.find(self.camera, window, like, seen.key(self.camera, like), everything)
        same = [f for f in families() if known and by.by_family[f] == like.by_family[f]]
        differing = [family for family in families() if family not in same]
        new = seen.gather_of(differing, self.store, self.point, self.camera, rules)
        if known is not None:
            old = {family: known.suspects[family] for family in same if family in known.suspects}
            new = Gathered(new.looks, new.cadence_s, new.faults, {**old, **new.suspects})
        self.findings.keep(self.camera, window, by, key, new)
        return new

    def _least_limit_s(self, family: str, limits: Sequence[RuleSet]) -> float:
        return min(least_limit_s(rules, family, self.point, self.camera) for rules in limits)


def _name(camera: Camera, window: Interval, ground: Ground) -> str:
    return f"findings/camera={camera.id}/{window.start:%Y%m%dT%H%M}-{ground.short}.txt"


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.start.timestamp(), interval.end.timestamp()


@lru_cache(maxsize=1)
def _code() -> str:
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted(file for room in ROOMS for file in (package / room).glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
