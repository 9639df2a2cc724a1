"""models/manifest.yaml: the weights that kerbwatch knows, and where on this machine they lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from detector.config.reading import Part, demand, read, wrong
from detector.core.errors import Fault

KINDS = ("path:", "https://", "wheel:")


def _source(value: str) -> str:
    if not value.startswith(KINDS):
        raise wrong(f"a source begins with one of {', '.join(KINDS)}")
    return value


class WeightsPart(Part):
    """One weights file. `sources` are tried in order."""

    file: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(gt=0)]
    classes: str
    licence: str
    sources: list[Annotated[str, AfterValidator(_source)]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The weights by name, and the folder that holds their files."""

    folder: Path
    weights: dict[str, WeightsPart]


def models_folder() -> Path:
    """$KERBWATCH_MODELS, or `models/` beside the package."""
    named = os.environ.get("KERBWATCH_MODELS")
    return Path(named) if named else Path(__file__).parents[2] / "models"


def cache_folder() -> Path:
    """Where exports are kept: $KERBWATCH_CACHE, or `kerbwatch` in the user's cache folder."""
    named = os.environ.get("KERBWATCH_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "kerbwatch"


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a models folder. Raises BadConfig with every fault."""
    faults: list[Fault] = []
    weights = read(folder / "manifest.yaml", dict[str, WeightsPart], faults)
    demand(faults)
    assert weights is not None
    return Manifest(folder, weights)


def with_entry(manifest: str, name: str, part: WeightsPart) -> str:
    """The text of a manifest in which `name` stands for `part`; all else, comments too, stays as it is."""
    fields = part.model_dump(exclude={"sources"})
    lines = [f"{name}:", *(f"  {key}: {value}" for key, value in fields.items())]
    lines += (
        ["  sources:", *(f"    - {source}" for source in part.sources)] if part.sources else ["  sources: []"]
    )
    entry = "".join(f"{line}\n" for line in lines)
    old = re.compile(rf"^{re.escape(name)}:\n(?:[ \t].*\n|\n(?=[ \t]))*", re.MULTILINE)
    whole = manifest if manifest.endswith("\n") or not manifest else f"{manifest}\n"
    return old.sub(lambda _: entry, whole, count=1) if old.search(whole) else whole + entry
