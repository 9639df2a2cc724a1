"""Pictures for those who may look at masked ones only: masked when they are asked for, by a model in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from detector.core.errors import BadInput
from detector.evidence import jpeg
from detector.reporting.pictures import Sight
from detector.reporting.takeout import STILL, masked_still
from detector.review.refusals import Refused

OpenSight = Callable[[], Sight]
"""Raises BadInput where there are no weights."""


class Masks:
    """Masks stills of evidence, one at a time; the model is loaded with the first. Safe to share between threads."""

    def __init__(self, open_sight: OpenSight) -> None:
        self._open_sight = open_sight
        self._lock = threading.Lock()
        self._sight: Sight | None = None

    def still(self, folder: Path, name: str) -> bytes | None:
        """A still as JPEG; None where it is no picture any more.

        Raises Refused for anything but a still: a clip is not masked here.
        """
        if STILL.fullmatch(name) is None:
            raise Refused(403, "not_allowed", "only masked stills may be seen, and this is none")
        with self._lock:
            image = masked_still(folder, name, self._opened())
        return None if image is None else jpeg(image)

    def _opened(self) -> Sight:
        if self._sight is None:
            try:
                self._sight = self._open_sight()
            except BadInput as error:
                raise Refused(503, "no_masking", f"pictures cannot be masked: {error}") from error
        return self._sight
