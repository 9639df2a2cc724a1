"""One run at a time, also across machines: a row that its holder keeps renewing, with a number that only grows.

Times are the database's own where it is a server, so machines whose clocks differ agree on when a lease has run out.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, func, select, update

from detector.core.errors import KerbwatchError
from detector.database import Database, DatabaseBusy, schema

LEASE_S = 120.0
"""A holder that has not renewed for so long is taken for dead."""


class LeaseTaken(KerbwatchError):
    """Another run holds the lease."""

    transient = True


class LeaseLost(KerbwatchError):
    """Another run has taken the lease over; this one must stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What its holder shows: the token is higher than that of every holder before (fencing)."""

    name: str
    token: int
    holder: str


class Leases:
    """Leases by name in a database. Safe to share between threads."""

    def __init__(self, database: Database, lease_s: float = LEASE_S) -> None:
        self._database = database
        self.lease_s = lease_s

    def take(self, name: str, holder: str | None = None) -> Lease:
        """Raises LeaseTaken where another holder lives.

        A holder of this machine whose process is gone is dead at once, one of another machine when it has not
        renewed in time.
        """
        holder = holder or this_process()
        table = schema.leases
        with self._database.begin(lock=f"lease {name}") as connection:
            now = _now(connection)
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
            if row is not None and row["until"] > now and not _is_gone(row["holder"]):
                raise LeaseTaken(
                    f"{row['holder']} runs now, and last said so until {row['until']:%H:%M:%S} UTC"
                )
            token = 1 if row is None else row["token"] + 1
            values = {"token": token, "holder": holder, "until": self._until(now)}
            insert = self._database.insert(table).values(name=name, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))
        return Lease(name, token, holder)

    @contextmanager
    def held(self, name: str) -> Iterator[Callable[[], None]]:
        """Takes a lease and renews it beside the work, however long that takes.

        Gives a call that raises LeaseLost where another has it by now: for before what counts. Raises LeaseTaken.
        """
        lease = self.take(name)
        try:
            with self.kept(lease):
                yield lambda: self.renew(lease)
        finally:
            with suppress(DatabaseBusy):  # then it runs out by itself
                self.give_back(lease)

    @contextmanager
    def kept(self, lease: Lease) -> Iterator[None]:
        """Renews a lease beside what is done meanwhile. That it was lost is told by the next call that needs it."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(self.lease_s / 4):
                with suppress(KerbwatchError):
                    self.renew(lease)

        keeper = threading.Thread(target=keep, name=f"lease {lease.name}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()

    def renew(self, lease: Lease) -> None:
        """Raises LeaseLost."""
        with self._database.begin() as connection:
            self.hold(connection, lease)

    def hold(self, connection: Connection, lease: Lease) -> None:
        """Renews inside a transaction of the caller's, so that what it writes is written by the holder or not at all.

        Raises LeaseLost.
        """
        table = schema.leases
        mine = (table.c.name == lease.name) & (table.c.token == lease.token)
        renewed = update(table).where(mine).values(until=self._until(_now(connection)))
        if connection.execute(renewed).rowcount != 1:
            raise LeaseLost

    def give_back(self, lease: Lease) -> None:
        """Ends it; nothing happens where another has it already."""
        table = schema.leases
        mine = (table.c.name == lease.name) & (table.c.token == lease.token)
        with self._database.begin() as connection:
            connection.execute(update(table).where(mine).values(until=_now(connection)))

    def holder(self, name: str) -> str | None:
        """Who holds it now, if anybody who lives does."""
        table = schema.leases
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
            alive = row is not None and row["until"] > _now(connection) and not _is_gone(row["holder"])
        return str(row["holder"]) if row is not None and alive else None

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.lease_s)


def this_process() -> str:
    """Names this process among all that ever ran: machine, boot, number, PID namespace and when it began."""
    return _process(os.getpid())


def _process(pid: int) -> str:
    return f"{socket.gethostname()} {_boot()} {pid} {_namespace()} {_began(pid)}"


def _is_gone(holder: str) -> bool:
    """Whether a holder was a process of this machine that is no more.

    Of other machines nothing can be said, nor of other containers: their numbers of processes are not ours.
    """
    host, boot, pid, namespace, began = (holder.split() + [""] * 5)[:5]
    if not boot or host != socket.gethostname() or not pid.isdigit():
        return False
    if boot != _boot():
        return True
    return namespace == _namespace() != "" and began != _began(int(pid))


def _boot() -> str:
    """Names this machine's start; '' where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    """Names the PID namespace of this process; '' where the system does not say."""
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process began, in ticks since the machine did; '' where there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in ("Z", "X") else words[19]


def _now(connection: Connection) -> datetime:
    if connection.dialect.name == "postgresql":
        moment = connection.execute(select(func.clock_timestamp())).scalar_one()
        assert isinstance(moment, datetime)
        return moment.astimezone(UTC)
    return datetime.now(UTC)
