"""Recordings whose picture has another shape than the one that a camera's zones were drawn in. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from detector.core.geometry import same_shape
from detector.core.values import Camera, Recording
from detector.footage.catalogue import SizeSeen


@dataclass(frozen=True, slots=True)
class OtherShape:
    """`recordings` of `of` have another shape than `resolution_wh`; the newest of them is `found_wh`, in pixels."""

    camera_id: str
    resolution_wh: tuple[int, int]
    found_wh: tuple[int, int]
    recordings: int
    of: int

    def __str__(self) -> str:
        width, height = self.found_wh
        own_width, own_height = self.resolution_wh
        return (
            f"{self.camera_id}: {self.recordings} of {self.of} recordings have another picture shape ({width}x{height}) "
            f"than the zones ({own_width}x{own_height}): kerbwatch points resize {self.camera_id} --size {width}x{height}"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "resolution_wh": list(self.resolution_wh),
            "found_wh": list(self.found_wh),
            "recordings": self.recordings,
            "of": self.of,
        }


def other_shape(camera: Camera, sizes: Sequence[SizeSeen]) -> OtherShape | None:
    """What of a camera's recordings has another shape than its zones; None where nothing has.

    `sizes` stand with that of the newest recording first.
    """
    others = [size for size in sizes if not same_shape(size.resolution_wh, camera.resolution_wh)]
    if not others:
        return None
    return OtherShape(
        camera.id,
        camera.resolution_wh,
        others[0].resolution_wh,
        sum(size.recordings for size in others),
        sum(size.recordings for size in sizes),
    )


def sizes_of(recordings: Iterable[Recording]) -> list[SizeSeen]:
    """The picture sizes of usable recordings, that of the newest first."""
    newest_first = sorted(recordings, key=lambda recording: recording.interval.start, reverse=True)
    counts = Counter(r.resolution_wh for r in newest_first if r.usable and min(r.resolution_wh) > 0)
    return [SizeSeen(size, count) for size, count in counts.items()]
