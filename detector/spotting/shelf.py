"""Where spot checks are kept: a folder each, with what is known of it as JSON, its pictures, and its clip while needed."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from detector.spotting.values import Spot

KEPT: Final = timedelta(days=30)
KEPT_MOST: Final = 300
"""What is over and older, or more than these, is removed."""

ABOUT: Final = "spot.json"
CLIP: Final = ".clip"
"""With a dot, so that no backup takes it along."""

_LOG = logging.getLogger(__name__)


class Shelf:
    """Spot checks below a folder. One process writes; see `alone`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, spot_id: str) -> Path:
        return self.root / spot_id

    def clip(self, spot_id: str) -> Path:
        return self.folder(spot_id) / CLIP

    def keep(self, spot: Spot) -> None:
        """Whole or not at all. Where it cannot be written (removed meanwhile, disk full), it is known until the end."""
        folder = self.folder(spot.id)
        unfinished = folder / f".tmp-{ABOUT}"
        try:
            unfinished.write_text(json.dumps(spot.to_json(), ensure_ascii=False), encoding="utf-8")
            unfinished.replace(folder / ABOUT)
        except OSError as error:
            _LOG.warning("spot check %s is not kept: %s", spot.id, error)

    def all(self) -> Iterator[Spot]:
        """Every check that can be read, in no order."""
        for path in self.root.glob(f"*/{ABOUT}"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                yield Spot.of_json(json.loads(path.read_text(encoding="utf-8")))

    def remove(self, spot_id: str) -> None:
        shutil.rmtree(self.folder(spot_id), ignore_errors=True)

    def sweep(self, spots: dict[str, Spot], now: datetime) -> list[str]:
        """Removes what is too old or too many, clips that are looked at no more, and folders that nothing tells of.

        Returns the ids of checks that are gone.
        """
        over = sorted((s for s in spots.values() if s.state.over), key=lambda s: s.created_at, reverse=True)
        for spot in over:
            self.clip(spot.id).unlink(missing_ok=True)
        gone = [s.id for n, s in enumerate(over) if n >= KEPT_MOST or s.created_at < now - KEPT]
        for spot_id in gone:
            self.remove(spot_id)
        return gone

    def sweep_unfinished(self, spots: dict[str, Spot]) -> None:
        """Removes folders of uploads that were cut off when the program ended."""
        for path in self.root.glob("*/"):
            if path.name not in spots:
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether this process is the only one that works here, for as long as it is in this block."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            yield _locked(lock)
        finally:
            os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
