"""Whether a run could go on now: what stands in its way, in words."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from detector.config.settings import Settings
from detector.core.errors import KerbwatchError
from detector.database import Database


def readiness(settings: Settings) -> dict[str, str]:
    """What stands in the way of a run, by name; empty where nothing does."""
    faults: dict[str, str] = {}
    try:
        with Database.open(settings.database_url, migrate=False, busy_timeout_s=2.0):
            pass
    except KerbwatchError as error:
        faults["database"] = str(error)
    if full := too_full(settings):
        faults["disk"] = full
    if not settings.archive_root.is_dir():
        faults["recordings"] = f"{settings.archive_root}: no such folder"
    for place in places_written(settings):
        if place.exists() and not _writable(place):
            faults[place.name] = f"{place} may not be written"
    return faults


def too_full(settings: Settings) -> str:
    """Why nothing more should be written; '' while there is room."""
    for place in places_written(settings):
        with suppress(OSError):
            free = shutil.disk_usage(_existing(place)).free
            if free < settings.nightly.min_free_bytes:
                return (
                    f"the disk of {place} is nearly full: {free / 1e9:.1f} GB are free, "
                    f"{settings.nightly.min_free_bytes / 1e9:.1f} GB are to stay free "
                    "(kerbwatch.yaml: nightly.min_free_gb); make room, and it goes on"
                )
    return ""


def places_written(settings: Settings) -> Sequence[Path]:
    """The folders; an object store has no disk of ours."""
    places = (settings.state_root, settings.observations_root, settings.evidence_root)
    return [place for place in places if isinstance(place, Path)]


def _existing(place: Path) -> Path:
    return next((folder for folder in (place, *place.parents) if folder.exists()), Path("/"))


def _writable(place: Path) -> bool:
    probe = place / ".kerbwatch-writable"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True
