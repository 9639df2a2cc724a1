"""Dates that cannot be right: the recorder's clock was reset, or runs years ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from detector.core.values import Camera

FIRST_YEAR = 2000
"""No recorder of this century wrote a file before; clocks that lost their time begin at 1970 or 1980."""

AHEAD = timedelta(days=365)
"""A recorder's clock that was reset or set wrongly by hand may be ahead of ours by years."""

OLDER = timedelta(days=5 * 365)
"""A file is written when its recording ends. One that names a date so long before was written by a clock that was reset."""


def fault_of_date(camera: Camera, start: datetime, modified_s: float | None, now_s: float) -> str:
    """Why a file that names `start` cannot be of that time; '' where it may be.

    `modified_s` is when the file was last written and `now_s` the time now, both in seconds since 1970.
    """
    now = datetime.fromtimestamp(now_s, UTC)
    modified = datetime.fromtimestamp(modified_s, UTC) if modified_s is not None else None
    if start - now > AHEAD:
        why = f"it is {(start - now).days} days from now"
    elif start.year < FIRST_YEAR or (modified is not None and modified - start > OLDER):
        why = "it is too long ago"
    else:
        return ""
    written = f"; the file was last written on {_local(modified, camera)}" if modified else ""
    return (
        f"the date in its name, {_local(start, camera)}, cannot be right: {why}{written}. The recorder's clock was "
        "probably reset; set it, and rename the file if its time is known"
    )


def _local(moment: datetime, camera: Camera) -> str:
    return f"{moment.astimezone(camera.timezone):%Y-%m-%d %H:%M}"
