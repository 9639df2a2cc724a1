"""What the worker of tested spot checks looks with; in a module of its own, for the worker's process imports it."""

from __future__ import annotations

import os
import time

from detector.cli.common import detector_of
from detector.config.settings import Settings
from detector.core.errors import BadWeights
from detector.spotting.work import Eyes


def real_eyes(settings: Settings) -> Eyes:
    return detector_of(settings.model, threads=1), None


def no_eyes() -> Eyes:
    raise BadWeights("models/yolov8n.pt is missing")


def dying_eyes() -> Eyes:
    os._exit(7)


def slow_eyes() -> Eyes:
    time.sleep(60)
    raise AssertionError


def full_eyes() -> Eyes:
    raise OSError(28, "No space left on device")
