"""What a camera's view usually is: stored looks that could be judged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from detector.config.settings import Settings
from detector.core.errors import KerbwatchError
from detector.core.times import Interval
from detector.core.values import Camera, Observation
from detector.database import Database
from detector.footage.catalogue import Catalogue, ObservedPart
from detector.observing.store import ObservationStore
from detector.pipeline.findings import REFERENCE_LOOKS, Stored

REACHES = (timedelta(days=2), timedelta(days=40), timedelta(days=800))
"""Looks are searched for so far back, and further where there are none."""

_LOG = logging.getLogger(__name__)


def usual_looks(settings: Settings, camera: Camera, now: datetime) -> tuple[Observation, ...]:
    """The newest looks of a camera that could be judged, without pictures; none where nothing can be read of it."""
    try:
        with Database.open(settings.database_url, migrate=False) as database:
            return stored_looks(
                Catalogue(database), ObservationStore(settings.observations_root), camera, now
            )
    except (KerbwatchError, OSError) as error:
        _LOG.info("camera %s: its usual view is not known: %s", camera.id, error)
        return ()


def stored_looks(
    catalogue: Catalogue, store: ObservationStore, camera: Camera, now: datetime
) -> tuple[Observation, ...]:
    """As `usual_looks`, out of a catalogue and a store that are open. A file that cannot be read is passed over."""
    looks: list[Observation] = []
    for part in _newest_first(catalogue, camera, now):
        looks = _readable(store, part) + looks
        if len(looks) >= REFERENCE_LOOKS:
            break
    return tuple(replace(look, picture=None) for look in looks[-REFERENCE_LOOKS:])


def _newest_first(catalogue: Catalogue, camera: Camera, now: datetime) -> Iterator[ObservedPart]:
    until = now + timedelta(days=1)
    for reach in REACHES:
        if parts := catalogue.observed_parts(camera.id, Interval(now - reach, until)):
            yield from reversed(parts)
            return


def _readable(store: ObservationStore, part: ObservedPart) -> list[Observation]:
    if part.observed is None:
        return []
    blind = tuple(stretch.interval for stretch in part.blind if not stretch.shape_wh)
    try:
        looks = Stored(part, part.observed, blind).looks(store)
    except (KerbwatchError, OSError, ValueError) as error:
        _LOG.warning("%s: not read for the usual view: %s", part.file, error)
        return []
    return [look for look in looks if not look.spared]
