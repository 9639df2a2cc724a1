"""A working folder as one frozen value: `load_settings`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from detector.config.engine import EngineSettings
from detector.config.loop import LoopSettings, read_loop
from detector.config.nightly import NightlySettings
from detector.config.reading import demand, faults_of, nearest, parse, read
from detector.config.rules import RuleSet, rules_with_limits
from detector.config.schema import (
    Code,
    Department,
    DepartmentPart,
    Device,
    Id,
    ModelPart,
    PointFile,
    Seen,
    SiteFile,
    ZonesFile,
    codes_model,
    known_database,
    limits_of,
    rules_model,
)
from detector.config.template import template_files
from detector.core.errors import BadConfig, BadInput, Fault
from detector.core.values import Camera, Point, Violation, Zone

PREFIX = "KERBWATCH_"


class Environment(BaseSettings):
    """What the environment may set in place of kerbwatch.yaml: KERBWATCH_DATABASE_URL and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    archive_root: str | None = None
    state_root: str | None = None
    database_url: Annotated[str, AfterValidator(known_database)] | None = None
    observations_root: str | None = None
    evidence_root: str | None = None
    key_file: str | None = None
    heads_file: str | None = None
    model_weights: str | None = None
    model_device: Device | None = None
    judge_example_zones: bool | None = None
    mail_password: str | None = None


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The model and how to run it. `weights` is a name of models/manifest.yaml or a path."""

    weights: str
    device: str
    imgsz_hw: tuple[int, int]
    confidence: float
    batch: int
    precision: str
    litter_weights: str
    """Of a second model that knows bags of rubbish; none where empty."""
    litter_imgsz_hw: tuple[int, int]
    gate: bool
    """Whether the model looks only where something moved since its last look."""
    bin_weights: str = ""
    """Of the classifier of street containers; none where empty."""
    verify_weights: str = ""
    """Of a larger model that names what stands when a candidate is verified; none where empty."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a working folder says. Paths are absolute; `observations_root` and `evidence_root` may be URLs of an object store."""

    folder: Path
    name: str
    name_en: str
    timezone: ZoneInfo
    period_days: int
    points: tuple[Point, ...]
    rules: RuleSet
    codes: Mapping[Violation, Code]
    departments: Mapping[str, Department]
    archive_root: Path
    state_root: Path
    database_url: str
    observations_root: str | Path
    evidence_root: str | Path
    model: ModelSettings
    engine: EngineSettings = field(default_factory=EngineSettings)
    nightly: NightlySettings = field(default_factory=NightlySettings)
    version: str = ""
    """12 hex digits of all configuration files' bytes as they were read."""
    links_outside: bool = False
    """Whether links in the archive that lead out of its root are followed."""
    judge_example_zones: bool = False
    """Whether zones that `kerbwatch init` wrote are judged although nobody has confirmed them."""
    uncertain_below: float = 0.0
    """Certainty in [0, 1] below which issues come last in the review."""
    key_file: Path = Path("keys/county.key")
    """The private key that signs backups, evidence and the heads of the history; it may lie outside the folder."""
    heads_file: Path = Path("state/heads.jsonl")
    """Where the signed heads of history and log are added, one a line."""
    loop: LoopSettings | None = None
    """How the closed loop goes; None where the folder has no tables for it."""

    def point(self, point_id: str) -> Point:
        """Raises BadInput, with what may be meant, where there is no such point."""
        found = {point.id: point for point in self.points}
        if point_id not in found:
            raise BadInput(_unknown("point", point_id, list(found)))
        return found[point_id]

    @property
    def unconfirmed(self) -> tuple[Camera, ...]:
        """Cameras whose zones are examples that nobody has confirmed and that are not judged for that."""
        return tuple(c for point in self.points for c in point.cameras if not c.zones_judged)

    def camera(self, camera_id: str) -> tuple[Point, Camera]:
        """A camera and the point it looks at. Raises BadInput where there is no such camera."""
        found = {camera.id: (point, camera) for point in self.points for camera in point.cameras}
        if camera_id not in found:
            raise BadInput(_unknown("camera", camera_id, list(found)))
        return found[camera_id]


def load_settings(folder: Path) -> Settings:
    """A working folder's settings; the environment goes before its files. Raises BadConfig with every fault."""
    if not folder.is_dir():
        raise BadConfig([Fault(str(folder), "", "no such folder; `kerbwatch init` writes one")])
    faults: list[Fault] = []
    site = read(folder / "kerbwatch.yaml", SiteFile, faults)
    rules = read(folder / "rules.yaml", rules_model(), faults)
    codes = read(folder / "codes.yaml", codes_model(), faults)
    departments = read(folder / "departments.yaml", dict[Id, DepartmentPart], faults)
    points = _points(folder / "points", Seen(rules=rules.value() if rules else None), faults)
    environment = _environment(faults)
    # Of points that could be read only in part nothing is said that all of them together would decide.
    whole = site is not None and not any(fault.file.startswith(str(folder / "points")) for fault in faults)
    judge_examples = _judge_examples(site, environment)
    places = (
        [point.value(site.timezone, judge_example_zones=judge_examples) for point in points]
        if site and whole
        else []
    )
    known = None if departments is None else list(departments)
    loop = read_loop(folder, known, places, rules.value() if rules else None, faults)
    demand(faults)
    assert site and rules and codes and departments is not None and environment  # noqa: PT018  # or a fault said why
    home = folder.resolve()
    storage, model = site.storage, site.model
    state_root = home / (environment.state_root or storage.state)
    observations = environment.observations_root or storage.observations
    return Settings(
        folder=home,
        name=site.name,
        name_en=site.name_en,
        timezone=site.timezone,
        period_days=site.period_days,
        points=tuple(places),
        rules=rules.value(),
        codes=codes.value(),
        departments={id_: Department(id_, part.name, part.name_en) for id_, part in departments.items()},
        links_outside=site.archive.links_outside,
        archive_root=home / (environment.archive_root or site.archive.root),
        state_root=state_root,
        database_url=_database_url(environment.database_url or storage.database, home, state_root),
        observations_root=_place(observations, home) if observations else state_root / "observations",
        evidence_root=_place(environment.evidence_root or storage.evidence, home),
        key_file=home / (environment.key_file or storage.key_file),
        heads_file=home / (environment.heads_file or storage.heads or state_root / "heads.jsonl"),
        model=model_settings(model, weights=environment.model_weights, device=environment.model_device),
        engine=site.engine.value(),
        nightly=site.nightly.value(environment.mail_password or ""),
        version=files_version(folder),
        judge_example_zones=judge_examples,
        uncertain_below=site.review.uncertain_below,
        loop=loop,
    )


def _judge_examples(site: SiteFile | None, environment: Environment | None) -> bool:
    """The environment goes before the file."""
    if environment is not None and environment.judge_example_zones is not None:
        return environment.judge_example_zones
    return site is not None and site.judge_example_zones


def model_settings(
    part: ModelPart | None = None, *, weights: str | None = None, device: str | None = None
) -> ModelSettings:
    """A file's `model`, or what holds where nothing is said; `weights` and `device` go before it."""
    part = part or ModelPart()
    return ModelSettings(
        weights=weights or part.weights,
        device=device or part.device,
        imgsz_hw=part.imgsz,
        confidence=part.confidence,
        batch=part.batch,
        precision=part.precision,
        litter_weights=part.litter_weights,
        litter_imgsz_hw=part.litter_imgsz,
        gate=part.gate,
        verify_weights=part.verify_weights,
        bin_weights=part.bin_weights,
    )


def files_version(folder: Path) -> str:
    """12 hex digits that change with any configuration file of a working folder."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.y*ml"), *folder.glob("points/*.y*ml")]):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:12]


def load_rules(path: Path) -> RuleSet:
    """The rules of one file in the form of rules.yaml. Raises BadConfig with every fault."""
    faults: list[Fault] = []
    rules = read(path, rules_model(), faults)
    demand(faults)
    assert rules
    return rules.value()


def default_rules() -> RuleSet:
    """The rules that `kerbwatch init` writes, for use without a working folder."""
    return rules_model().model_validate(parse(template_files()["rules.yaml"])).value()


def load_zones(path: Path) -> tuple[tuple[Zone, ...], tuple[int, int], RuleSet | None]:
    """A file of `resolution_wh`, `zones` and, maybe, `limits`: the zones, the picture's width and height, and rules.

    The rules are the default ones cut down to those limits; None where the file has none. Raises BadConfig
    with every fault.
    """
    faults: list[Fault] = []
    view = read(path, ZonesFile, faults, Seen())
    demand(faults)
    assert view
    rules = None if view.limits is None else rules_with_limits(default_rules(), limits_of(view.limits))
    return view.zone_values(), view.resolution_wh, rules


def _points(folder: Path, seen: Seen, faults: list[Fault]) -> list[PointFile]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError as error:
        faults.append(Fault(str(folder), "", f"cannot be read: {error.strerror}"))
        return []
    if not paths:
        faults.append(Fault(str(folder), "", "holds no point, that is no file such as p001.yaml"))
    points: list[PointFile] = []
    for path in paths:
        seen.file = str(path)
        if point := read(path, PointFile, faults, seen):
            points.append(point)
    return points


def _environment(faults: list[Fault]) -> Environment | None:
    try:
        return Environment()
    except ValidationError as error:
        for fault in faults_of(error, Environment, "environment"):
            name = fault.place if fault.place.startswith(PREFIX) else PREFIX + fault.place.upper()
            faults.append(Fault(fault.file, name, fault.what, fault.suggestion))
        return None


def _database_url(url: str | None, home: Path, state_root: Path) -> str:
    """A relative SQLite file lies below the folder, whatever directory the command was started in."""
    if url is None:
        return f"sqlite:///{state_root / 'kerbwatch.db'}"
    scheme, _, rest = url.partition(":///")
    if scheme.startswith("sqlite") and rest and not rest.startswith(("/", ":memory:", "file:")):
        return f"{scheme}:///{home / rest}"
    return url


def _place(text: str, home: Path) -> str | Path:
    return text if "://" in text else home / text


def _unknown(kind: str, id_: str, known: list[str]) -> str:
    hint = nearest(id_, known)
    return f"no {kind} {id_!r} among {len(known)}" + (f"; did you mean '{hint}'?" if hint else "")
