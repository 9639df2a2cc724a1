"""The one door through which recordings are opened: regular files only, and only what recorders write."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import av

from detector.core.errors import UnreadableRecording

if TYPE_CHECKING:
    from av.container import InputContainer

DEMUXERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpegtsraw", "mpeg", "mpegvideo", "m4v", "h264", "hevc",
    "vvc", "obu", "av1", "ivf", "mjpeg", "dhav", "hxvs", "flv", "live_flv", "kux", "asf", "asf_o", "mxf", "cavsvideo",
)  # fmt: skip
"""Containers and bare streams that FFmpeg may read. Lists of other files (concat, HLS, DASH, SDP) and single pictures are
none of them."""

READ_WITHIN_S: Final = 60.0
"""One read or one search may take so many seconds: a disk that wakes up takes ten, a stalled share for ever."""

OPEN_WITHIN_S: Final = 120.0

HOLES_BYTES: Final = 16 << 30
HOLES_SHARE: Final = 0.01
"""A file of HOLES_BYTES of which less than this share is on the disk is not read: a search in it would take hours."""

_SAFE: Final = {"protocol_whitelist": "file", "format_whitelist": ",".join(DEMUXERS)}


def require_regular(path: Path) -> None:
    """Raises UnreadableRecording for what is no regular file. A named pipe without a writer is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _not_opened(path, error) from error
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        is_folder = stat.S_ISDIR(status.st_mode)
        reason = "it is a folder, not a file" if is_folder else "not a regular file"
        raise UnreadableRecording(str(path), reason, not_video=True)
    if status.st_size == 0:
        raise UnreadableRecording(str(path), "the file is empty", empty=True)
    if status.st_size >= HOLES_BYTES and status.st_blocks * 512 < HOLES_SHARE * status.st_size:
        reason = f"of its {status.st_size / 1e9:.0f} GB nearly all was never written"
        raise UnreadableRecording(str(path), reason)


def _not_opened(path: Path, error: OSError) -> UnreadableRecording:
    if isinstance(error, PermissionError):
        return UnreadableRecording(str(path), "no permission to read it")
    if isinstance(error, FileNotFoundError):
        return UnreadableRecording(str(path), "the file is gone")
    if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket, or a device that is not there
        return UnreadableRecording(str(path), "not a regular file", not_video=True)
    return UnreadableRecording(str(path), error.strerror or str(error))


def open_container(
    path: Path,
    options: dict[str, str],
    stream_options: list[dict[str, str]] | None = None,
    *,
    read_within_s: float = READ_WITHIN_S,
) -> InputContainer:
    """FFmpeg's view of a regular file. Raises av's errors, OSError and ValueError as `av.open` does."""
    return av.open(
        str(path),
        "r",
        options={"fflags": "+discardcorrupt", **_SAFE, **options},
        stream_options=cast("list[str] | None", stream_options),  # as PyAV's stub wants it
        timeout=(max(read_within_s, min(OPEN_WITHIN_S, 2 * read_within_s)), read_within_s),
    )
