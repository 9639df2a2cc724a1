"""What every request works with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast

from starlette.requests import HTTPConnection

from detector.config.settings import Settings
from detector.database import Database
from detector.dispatch import Desk
from detector.engines.apart import Apart
from detector.issues.reading import IssueReader
from detector.review.events import Hub
from detector.review.kept import Kept
from detector.review.looks import Looks
from detector.review.masks import Masks
from detector.review.shared import Shared
from detector.runs.readiness import Probes
from detector.spotting import SpotChecks
from detector.storage import Root, Store, open_store


@dataclass(frozen=True, slots=True)
class House:
    """The working folder's parts, opened once for all requests. All are safe to share between threads."""

    settings: Settings
    database: Database
    desk: Desk
    reader: IssueReader
    hub: Hub
    looks: Looks
    spot_checks: SpotChecks
    masks: Masks
    evidence_root: Root
    setup_code: str
    """What the first run asks for, so that not whoever comes first to a fresh server owns it."""
    secure_cookies: bool = False
    """True where the browser speaks HTTPS, to us or to a proxy before us."""
    editing: threading.Lock = field(default_factory=threading.Lock)
    """Held while a file of the configuration is changed."""
    alive: Callable[[], bool] = lambda: True
    """Whether what else runs in this process goes on."""
    probes: Probes = field(default_factory=Probes)
    """Tell what stands in the way of a run."""
    kept: Kept = field(default_factory=Kept)
    """Contents of pages that were computed a moment ago."""
    ready: Shared[dict[str, str]] = field(default_factory=Shared)
    apart: Apart = field(default_factory=Apart)
    """Opens recordings, in processes of its own: no thread of this one waits for a file that may never be read."""

    @property
    def evidence(self) -> Store:
        return open_store(self.evidence_root)

    def with_settings(self, settings: Settings) -> House:
        """The same house under other settings, after somebody has changed the files that they come from."""
        desk = Desk(self.database, settings, self.desk.now)
        return replace(self, settings=settings, desk=desk, kept=Kept())


def house_of(request: HTTPConnection) -> House:
    return cast(House, request.app.state.house)


def open_house(
    settings: Settings,
    database: Database,
    evidence_root: Root,
    now: Callable[[], datetime],
    spot_checks: SpotChecks,
    masks: Masks,
    *,
    setup_code: str,
    secure_cookies: bool = False,
) -> House:
    """Everything over one open database."""
    desk, reader = Desk(database, settings, now), IssueReader(database, now)
    return House(
        settings,
        database,
        desk,
        reader,
        Hub(desk.queue, reader, desk.people),
        Looks(desk),
        spot_checks,
        masks,
        evidence_root,
        setup_code,
        secure_cookies,
    )
