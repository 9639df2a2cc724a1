"""Which channel of a recorder each file of a folder belongs to, by its path."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from detector.core.values import Camera, RecordingState
from detector.footage.marks import without_suffix
from detector.footage.templates import NamedTimes

_NAMED = re.compile(
    r"(?<![^\W_])(?:channel|chn|ch|camera|cam|ipc|d|通道|摄像机)[ _#-]?(\d{1,5})(?![^\W_])", re.IGNORECASE
)
"""A word for a channel with its number, as recorders write it into names and folders."""

_BARE = re.compile(r"_(\d{2})_(?=\d{14}_\d{14})")
"""Two digits before both times: `NVR_192.168.1.64_01_20260108080000_20260108090000.mp4`."""

_WORD = re.compile(r"^(?:channel|chn|ch|camera|cam|ipc|d|通道|摄像机)[ _#-]?(?=\d+$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Channels:
    """What a folder's names say of channels: `foreign` are the files that are not used, and the state of each."""

    foreign: Mapping[str, RecordingState] = field(default_factory=dict)
    mixture: str = ""
    """What to do, in a sentence, where the files of several channels lie together and no channel is configured."""
    others: str = ""
    """Which files are those of channels other than the configured one, in a sentence."""


def channels_of(camera: Camera, named: Sequence[tuple[str, NamedTimes]]) -> Channels:
    """Compare the channels in the paths of one camera's folder with `camera.channel`.

    Without a configured channel the files of a mixture are all MIXED, for none can be told to be this camera's.
    """
    found = {path: _channel_of(camera, path, times) for path, times in named}
    counts = Counter(channel for channel in found.values() if channel)
    if camera.channel:
        mine = _plain(camera.channel)
        others = Counter({channel: count for channel, count in counts.items() if channel != mine})
        foreign = {
            path: RecordingState.OTHER_CHANNEL
            for path, channel in found.items()
            if channel is not None and channel != mine
        }
        return Channels(foreign, others=f"not of channel {mine}: {_counted(others)}" if others else "")
    if len(counts) < 2:
        return Channels()
    mixture = (
        f"the files of {len(counts)} channels lie in one folder ({_counted(counts)}); none is used until "
        "recordings.channel names this camera's"
    )
    return Channels({path: RecordingState.MIXED for path, channel in found.items() if channel}, mixture)


def says_channel(camera: Camera, path: str, times: NamedTimes) -> bool:
    """Whether a path says which channel it is of."""
    return _channel_of(camera, path, times) is not None


def _channel_of(camera: Camera, path: str, times: NamedTimes) -> str | None:
    if times.channel:
        return _plain(times.channel)
    within = PurePosixPath(path).relative_to(camera.folder) if camera.folder else PurePosixPath(path)
    text = "/".join((*within.parts[:-1], without_suffix(within.name)))
    numbers = _NAMED.findall(text) or _BARE.findall(text)
    return "/".join(_plain(number) for number in numbers) or None


def _plain(channel: str) -> str:
    """'ch01', 'CH1', '001' and '1' are one channel."""
    number = _WORD.sub("", channel)
    return str(int(number)) if number.isdecimal() else number.lower()


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{channel}: {count} files" for channel, count in sorted(counts.items()))
