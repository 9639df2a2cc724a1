"""Spot checks under way: orders wait in a line of a few, and one process at a time works on them."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import BinaryIO, Final

from detector.core.errors import BadInput, KerbwatchError, StorageFull
from detector.spotting.shelf import Shelf
from detector.spotting.values import Order, Phase, Result, Spot, SpotState, Why
from detector.spotting.work import OpenEyes, work

FOLDER: Final = "spot-checks"
"""Below the state's folder."""

WAITING_MOST: Final = 8
OF_ONE_MOST: Final = 3
"""So many checks may wait, and so many of one person."""

LARGEST_CLIP: Final = 2_000_000_000
"""Bytes."""
LEFT_FREE: Final = 2_000_000_000
"""Bytes that an upload must leave on the disk."""

LIMIT_S: Final = 1800.0
"""So long one may be worked on."""

_LOG = logging.getLogger(__name__)


class NoSuchCheck(BadInput):
    """There is no such spot check."""


class QueueFull(KerbwatchError):
    """Too many spot checks are waiting; try again when some are done."""

    transient = True


class NotHere(KerbwatchError):
    """Another server works on the spot checks of this folder."""

    transient = True


class NoVideo(BadInput):
    """The file is no video of a kind that recorders write."""


class TooLarge(BadInput):
    """The clip is too large."""


STARTS: Final[tuple[tuple[int, bytes], ...]] = (
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"free"), (4, b"skip"), (4, b"wide"),  # mp4, mov
    (0, b"\x1a\x45\xdf\xa3"),  # mkv, webm
    (8, b"AVI "),
    (0, b"\x00\x00\x01"), (0, b"\x00\x00\x00\x01"),  # MPEG, and bare streams
    (0, b"FLV\x01"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # asf, wmv
    (0, b"DHAV"), (0, b"IMKH"),  # Dahua, Hikvision
)  # fmt: skip
"""How a video's file begins: where, and with what. Lists of other files, which a decoder would follow, do not."""

TS_PACKETS: Final = ((0, 188), (4, 192))
"""Of transport streams: where the first packet begins, and how long each is."""


def is_video(head: bytes) -> bool:
    """Whether a file that begins so may be a video. Whether it is one, the worker finds out."""
    if any(head[at : 3 * length : length] == b"\x47" * 3 for at, length in TS_PACKETS):
        return True
    return any(head[at : at + len(start)] == start for at, start in STARTS)


class SpotChecks:
    """Takes orders and tells how far they are. Safe to share between threads; use `opened`."""

    def __init__(
        self, state_root: Path, open_eyes: OpenEyes, now: Callable[[], datetime], *, limit_s: float = LIMIT_S
    ) -> None:
        self.shelf = Shelf(state_root / FOLDER)
        self._open_eyes = open_eyes
        self._now = now
        self._limit_s = limit_s
        self._changed = threading.Condition()
        self._spots: dict[str, Spot] = {}
        self._orders: dict[str, Order] = {}
        self._receiving: list[str] = []
        """Whose clips are on their way."""
        self._here = False
        self._closing = False
        self._given_up: str | None = None
        """The check that runs and that nobody wants any more."""

    @contextmanager
    def opened(self) -> Iterator[SpotChecks]:
        """With what was kept; a check that was cut off when the program ended has failed."""
        with self.shelf.alone() as alone:
            self._here = alone
            self._spots = {spot.id: spot for spot in self.shelf.all()}
            if alone:
                self._clear_up()
            thread = threading.Thread(target=self._run, name="spot checks")
            thread.start()
            try:
                yield self
            finally:
                with self._changed:
                    self._closing = True
                    self._changed.notify_all()
                thread.join()

    def _clear_up(self) -> None:
        for spot in list(self._spots.values()):
            if not spot.state.over:
                self._set(spot.failed(Why.INTERRUPTED, self._now()))
        self.shelf.sweep_unfinished(self._spots)
        self._sweep()

    # What is asked

    def all(self) -> list[Spot]:
        """Newest first."""
        with self._changed:
            return sorted(self._spots.values(), key=lambda spot: spot.created_at, reverse=True)

    def get(self, spot_id: str) -> Spot:
        """Raises NoSuchCheck."""
        with self._changed:
            found = self._spots.get(spot_id)
        if found is None:
            raise NoSuchCheck
        return found

    def ahead_of(self, spot: Spot) -> int:
        """How many are worked on before a waiting one."""
        with self._changed:
            others = [one for one in self._spots.values() if not one.state.over]
        return sum(one.created_at < spot.created_at for one in others)

    def picture(self, spot_id: str, name: str) -> Path:
        """A picture of a finding. Raises NoSuchCheck where the check has none of that name."""
        result = self.get(spot_id).result
        names = {picture for finding in (result.findings if result else ()) for picture in finding.pictures}
        if name not in names:
            raise NoSuchCheck
        return self.shelf.folder(spot_id) / name

    # What is done

    def _require_room(self, by: str) -> None:
        if not self._here:
            raise NotHere
        waiting = [spot.by for spot in self._spots.values() if not spot.state.over] + self._receiving
        if len(waiting) >= WAITING_MOST or waiting.count(by) >= OF_ONE_MOST:
            raise QueueFull

    @contextmanager
    def receiving(self, spot: Spot, size: int) -> Iterator[Callable[[bytes], None]]:
        """Gives what takes a clip, piece by piece; what is not received whole leaves nothing behind.

        `size` is what the sender says, 0 where he does not. Raises QueueFull and NotHere before anything is taken, then
        NoVideo, TooLarge and StorageFull.
        """
        with self._changed:
            self._require_room(spot.by)
            self._receiving.append(spot.by)
        try:
            with self._taking(self.shelf.clip(spot.id), size) as take:
                yield take
        except BaseException:
            self.shelf.remove(spot.id)
            raise
        finally:
            with self._changed:
                self._receiving.remove(spot.by)

    @contextmanager
    def _taking(self, clip: Path, size: int) -> Iterator[Callable[[bytes], None]]:
        _require_space(self.shelf.root, size)
        clip.parent.mkdir(parents=True)
        with clip.open("wb") as file:
            intake = _Intake(file, self.shelf.root)
            yield intake.take
        intake.require_something()

    def submit(self, spot: Spot, order: Order) -> None:
        """Raises QueueFull and NotHere; what was received for it is then gone."""
        try:
            with self._changed:
                self._require_room(spot.by)
                order.folder.mkdir(parents=True, exist_ok=True)
                self._orders[spot.id] = order
                self._set(spot)
                self._changed.notify_all()
        except (QueueFull, NotHere):
            self.shelf.remove(spot.id)
            raise

    def remove(self, spot_id: str) -> None:
        """Ends it if it is not over, and removes all of it. Raises NoSuchCheck and NotHere."""
        if not self._here:
            raise NotHere
        with self._changed:
            if self._spots.pop(spot_id, None) is None:
                raise NoSuchCheck
            self._orders.pop(spot_id, None)
            self._given_up = spot_id
            self._changed.notify_all()
        self.shelf.remove(spot_id)

    def _set(self, spot: Spot) -> None:
        self._spots[spot.id] = spot
        self.shelf.keep(spot)

    def _update(self, spot: Spot) -> None:
        """What became of a running one, unless it was removed meanwhile."""
        with self._changed:
            if spot.id in self._spots:
                self._set(spot)

    def _sweep(self) -> None:
        with self._changed:
            for spot_id in self.shelf.sweep(self._spots, self._now()):
                del self._spots[spot_id]

    # The thread that looks after the worker

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            spot, order = taken
            self._update(self._worked(spot, order))
            self._sweep()

    def _next(self) -> tuple[Spot, Order] | None:
        """The oldest that waits, once there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or bool(self._orders))
            if self._closing:
                return None
            spot_id = min(self._orders, key=lambda one: self._spots[one].created_at)
            spot = replace(self._spots[spot_id], state=SpotState.RUNNING, started_at=self._now())
            self._set(spot)
            return spot, self._orders.pop(spot_id)

    def _worked(self, spot: Spot, order: Order) -> Spot:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, order, self._open_eyes), daemon=True)
        try:
            process.start()
        except OSError as error:
            _LOG.warning("no process for a spot check: %s", error)
            return spot.failed(Why.CRASHED, self._now())
        theirs.close()
        try:
            return self._watched(spot, process, mine)
        finally:
            process.kill()
            process.join(5.0)
            mine.close()

    def _watched(self, spot: Spot, process: BaseProcess, pipe: Connection) -> Spot:
        ends = time.monotonic() + self._limit_s
        while time.monotonic() < ends:
            if self._closing or self._given_up == spot.id:
                return spot.failed(Why.INTERRUPTED, self._now())
            ready = wait_for([pipe, process.sentinel], timeout=0.2)
            if pipe in ready:
                try:
                    told = pipe.recv()
                except (EOFError, OSError):
                    break
                if isinstance(told, Result):
                    return self._done(spot, told)
                if isinstance(told[0], Why):
                    return spot.failed(told[0], self._now(), told[1])
                spot = self._moved(spot, *told)
            elif ready:
                break
        else:
            return spot.failed(Why.TOOK_TOO_LONG, self._now())
        process.join(1.0)
        _LOG.warning("the process of a spot check ended with code %s", process.exitcode)
        return spot.failed(Why.CRASHED, self._now())

    def _moved(self, spot: Spot, phase: Phase, progress: float) -> Spot:
        """Progress is kept in memory only."""
        spot = replace(spot, phase=phase, progress=progress)
        with self._changed:
            if spot.id in self._spots:
                self._spots[spot.id] = spot
        return spot

    def _done(self, spot: Spot, result: Result) -> Spot:
        at = self._now()
        return replace(spot, state=SpotState.DONE, phase=None, progress=1.0, finished_at=at, result=result)


def _require_space(folder: Path, size: int, still: int | None = None) -> None:
    """Raises TooLarge for a clip of `size` bytes, and StorageFull where those that are `still` to come have no room."""
    if size > LARGEST_CLIP:
        raise TooLarge(f"a clip may have {LARGEST_CLIP // 10**6} MB, this one has {size // 10**6} or more")
    if shutil.disk_usage(folder).free < (size if still is None else still) + LEFT_FREE:
        raise StorageFull


class _Intake:
    """Takes a clip's bytes into a file."""

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        self._file = file
        self._folder = folder
        self._taken = 0

    def take(self, piece: bytes) -> None:
        """Raises NoVideo by the first piece, TooLarge, StorageFull."""
        if not piece:
            return
        if self._taken == 0 and not is_video(piece):
            raise NoVideo
        self._taken += len(piece)
        _require_space(self._folder, self._taken, len(piece))
        try:
            self._file.write(piece)
        except OSError as error:
            raise StorageFull from error

    def require_something(self) -> None:
        """Raises NoVideo."""
        if not self._taken:
            raise NoVideo


__all__: Sequence[str] = (
    "NoSuchCheck",
    "NoVideo",
    "NotHere",
    "QueueFull",
    "SpotChecks",
    "TooLarge",
    "is_video",
)
