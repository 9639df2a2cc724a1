"""A crew on a Ray cluster: the same jobs by the same worker processes, on as many machines as there are.

Each worker is led by an actor on its machine, which does with it what `LocalCrew` does: a worker that crashes, stalls
or is to stop is dealt with where it runs, in the same way. What is added here is what only happens between machines:
places are given out, a machine may be lost, and one that cannot work (weights missing, say) is left aside.

Every machine has kerbwatch and its weights, and sees the recordings under the same path. Usage statistics are off.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from detector.core.errors import BadInput, KerbwatchError
from detector.engines.crew import Event, Failed, How, LocalCrew, Lost, MachineUnfit, Work
from detector.engines.local import OpenShop, cores
from detector.pipeline.days import Job, Stopped, work

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported, and for every process that it starts
os.environ.setdefault("RAY_worker_niceness", "0")  # workers are as urgent as those of the local engine
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or it warns of a change to come

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

PULSE_S = 5.0
"""How often an actor is asked whether it is there."""

ANSWER_S = 120.0
"""An actor that does not answer for so long is given up, and so is one that does not start."""

DOUBT_S = 30.0
"""The cluster takes as long to learn that a machine is gone; until then no new actor is put there."""

PATIENCE_S = 300.0
"""A cluster on which nobody can work for so long ends the crew."""

GRACE_S = 1.0
"""What a message takes, at most, when actors are asked to stop."""

STORE_BYTES = 100_000_000
"""Ray's shared memory: nothing large ever passes between processes, and this is about the least that Ray takes."""


class ClusterGone(KerbwatchError):
    """The Ray cluster cannot be reached, or no machine of it can work."""

    transient = True


@dataclass(frozen=True, slots=True)
class Share:
    """What of a machine one worker takes."""

    cpus: float = 1.0
    gpus: float = 0.0

    def places(self, resources: dict[str, float]) -> int:
        """How many workers a machine of these resources has room for."""
        counts = [
            int(resources.get(kind, 0.0) / wanted + 1e-6)
            for kind, wanted in (("CPU", self.cpus), ("GPU", self.gpus))
            if wanted
        ]
        return min(counts, default=0)


class _Foreman:
    """The actor: it leads one worker process of its machine."""

    def __init__(self, open_shop: OpenShop, threads: int, stall_s: float, limit_s: float, work: Work) -> None:
        # A spawned process imports its parent's main module; ours is Ray's, for which a worker has no use.
        vars(sys.modules["__main__"]).pop("__file__", None)
        self._crew = LocalCrew(
            open_shop, workers=1, threads=threads, stall_s=stall_s, limit_s=limit_s, work=work
        )
        self._stop_within_s: float | None = None

    def run(self, job: Job) -> Event | KerbwatchError:
        """What became of a job; or why there can be no worker here."""
        told: list[Event] = []
        try:
            self._crew.submit(job)
            while not told and self._stop_within_s is None:
                told = self._crew.events(0.1)
        except KerbwatchError as error:
            return error
        return told[0] if told else self._crew.stop(self._stop_within_s or 0.0)[0]

    def is_there(self) -> bool:
        return True

    def stop(self, within_s: float) -> None:
        self._stop_within_s = within_s


@dataclass(slots=True)
class _Engaged:
    """An actor, as the driver knows it."""

    actor: Any
    node: str
    job: Job | None = None
    answer: Any = None
    """Ray's reference to what `run` will return."""
    pulse: Any = None
    asked: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)


class RayCrew:
    """Workers of a cluster; use `ray_crew`. Machines may come and go while it works."""

    def __init__(
        self,
        open_shop: OpenShop,
        *,
        workers: int | None = None,
        share: Share = Share(),  # frozen
        stall_s: float = 600.0,
        limit_s: float = 7200.0,
        work: Work = work,
    ) -> None:
        self._most = workers
        self._share = share
        self._brief = (open_shop, max(1, int(share.cpus)), stall_s, limit_s, work)
        self._engaged: list[_Engaged] = []
        self._unfit: dict[str, KerbwatchError] = {}
        """Machines that could not work, and why."""
        self._doubted: dict[str, float] = {}
        """Machines whose actor was lost, and until when none is put there again."""
        self._told: list[Event] = []
        self._worked = time.monotonic()
        """When there was last a machine that could."""

    def room(self) -> int:
        free = sum(self._places().values()) - len(self.busy())
        return free if self._most is None else min(free, self._most - len(self.busy()))

    def busy(self) -> Sequence[Job]:
        return [engaged.job for engaged in self._engaged if engaged.job is not None]

    def submit(self, job: Job) -> None:
        places = self._places()
        self._let_go(places)
        free = next((one for one in self._engaged if one.job is None and one.node in places), None)
        if free is None:
            places.subtract(one.node for one in self._engaged)
            (node, left), *_ = places.most_common(1) or [("", 0)]
            if left < 1:
                self._told.append(Lost(job, How.NODE_LOST, "no machine has room for it", None))
                return
            free = self._engage(node)
        free.job, free.answer, free.pulse = job, free.actor.run.remote(job), None
        free.asked = free.heard = time.monotonic()

    def events(self, within_s: float) -> list[Event]:
        told, self._told = self._told, []
        working = {engaged.answer: engaged for engaged in self._engaged if engaged.job is not None}
        if told or not working:
            self._see_to_machines()
            return told
        ready, _ = ray.wait(list(working), num_returns=len(working), timeout=0)
        if not ready:
            ready, _ = ray.wait(list(working), num_returns=1, timeout=within_s)
        for answer in ready:
            told.append(self._heard(working[answer]))
        for engaged in [one for one in self._engaged if one.job is not None]:
            if self._is_silent(engaged):
                told.append(self._lost(engaged, How.STALLED, f"did not answer for {ANSWER_S:g} s"))
        return told

    def stop(self, within_s: float) -> list[Event]:
        told: list[Event] = []
        deadline = time.monotonic() + within_s + GRACE_S
        for engaged in self._engaged:
            if engaged.job is not None:
                engaged.actor.stop.remote(within_s)
        while self.busy() and (left_s := deadline - time.monotonic()) > 0:
            told += self.events(left_s)
        for engaged in list(self._engaged):
            if engaged.job is not None:
                told.append(Failed(engaged.job, Stopped()))
            self._dismiss(engaged)
        return told

    def _places(self) -> Counter[str]:
        """How many workers each machine has room for, of those that live and can work."""
        now, places = time.monotonic(), Counter[str]()
        for node, has in _living().items():
            count = self._share.places(has)
            if count and node not in self._unfit and self._doubted.get(node, 0.0) <= now:
                places[node] = count
        return places

    def _see_to_machines(self) -> None:
        """Raises ClusterGone where nobody can work for long."""
        if self._places():
            self._worked = time.monotonic()
        elif time.monotonic() - self._worked > PATIENCE_S:
            raise ClusterGone(f"no machine of the cluster could work for {PATIENCE_S:g} s")

    def _engage(self, node: str) -> _Engaged:
        made = ray.remote(_Foreman).options(
            num_cpus=self._share.cpus,
            num_gpus=self._share.gpus,
            max_concurrency=2,
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        engaged = _Engaged(made.remote(*self._brief), node)
        self._engaged.append(engaged)
        return engaged

    def _dismiss(self, engaged: _Engaged) -> None:
        ray.kill(engaged.actor, no_restart=True)
        self._engaged.remove(engaged)

    def _let_go(self, places: Counter[str]) -> None:
        """Of the actors that have nothing to do, those whose machine is gone."""
        for engaged in [one for one in self._engaged if one.job is None and one.node not in places]:
            self._dismiss(engaged)

    def _heard(self, engaged: _Engaged) -> Event:
        job = engaged.job
        assert job is not None
        try:
            answer = ray.get(engaged.answer)
        except RayActorError as error:
            # Whatever a recording does to a worker, its actor tells. An actor goes with its machine.
            self._doubted[engaged.node] = time.monotonic() + DOUBT_S
            return self._lost(engaged, How.NODE_LOST, _last_line(error))
        except RayError as error:
            return self._lost(engaged, How.CRASHED, _last_line(error))
        self._worked = time.monotonic()
        if isinstance(answer, KerbwatchError):
            return self._unable(engaged, job, answer)
        engaged.job = engaged.answer = None
        assert isinstance(answer, Event)
        return answer

    def _unable(self, engaged: _Engaged, job: Job, error: KerbwatchError) -> Event:
        """No worker can be had on that machine. Raises the reason where it was the last one."""
        self._dismiss(engaged)
        self._unfit[engaged.node] = error
        if not self._places():
            raise error
        return Failed(job, MachineUnfit(f"machine {_address_of(engaged.node)} is left aside: {error}"))

    def _is_silent(self, engaged: _Engaged) -> bool:
        now = time.monotonic()
        if engaged.pulse is not None and _answered(engaged.pulse):
            engaged.pulse, engaged.heard = None, now
        elif engaged.pulse is None and now - engaged.asked > PULSE_S:
            engaged.pulse, engaged.asked = engaged.actor.is_there.remote(), now
        return now - engaged.heard > ANSWER_S

    def _lost(self, engaged: _Engaged, how: How, detail: str) -> Event:
        self._dismiss(engaged)
        assert engaged.job is not None
        return Lost(engaged.job, how, f"machine {_address_of(engaged.node)}: {detail}", None)


@contextmanager
def ray_crew(
    open_shop: OpenShop,
    *,
    address: str | None = None,
    workers: int | None = None,
    share: Share = Share(),  # frozen
    stall_s: float = 600.0,
    limit_s: float = 7200.0,
    work: Work = work,
) -> Iterator[RayCrew]:
    """A crew on the cluster at `address` (host:port, or 'auto' for the one that this machine is part of).

    Without an address a cluster of this machine alone is started, and ended afterwards. Raises ClusterGone, and
    BadInput where no machine has room for a worker.
    """
    with _connected(address):
        crew = RayCrew(open_shop, workers=workers, share=share, stall_s=stall_s, limit_s=limit_s, work=work)
        if crew.room() < 1:
            raise BadInput(
                f"no machine of the cluster has {share.cpus:g} processors and {share.gpus:g} GPUs for a worker"
            )
        try:
            yield crew
        finally:
            crew.stop(0.0)


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """Connected to a cluster; a connection that was there before is used, and stays."""
    if ray.is_initialized():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="kerbwatch-ray-", ignore_cleanup_errors=True) as scratch:
        own: dict[str, Any] = {
            "num_cpus": cores(),
            "object_store_memory": STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": scratch,
        }
        _connect(address or "local", **({} if address else own))
        try:
            yield
        finally:
            ray.shutdown()


def _connect(address: str, **own: Any) -> None:  # noqa: ANN401  # Ray's own settings
    asked_to_stop = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            include_dashboard=False if own else None,
            log_to_driver=False,
            logging_level=logging.WARNING,
            **own,
        )
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        raise ClusterGone(f"the Ray cluster at {address} cannot be reached: {_last_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(
                signal.SIGTERM, asked_to_stop
            )  # Ray puts its own in place, which ends everything at once


def _living() -> dict[str, dict[str, float]]:
    """The resources of the machines that live, by their id."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}


def _address_of(node: str) -> str:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return next((str(one["NodeManagerAddress"]) for one in nodes if one["NodeID"] == node), node)


def _answered(pulse: Any) -> bool:  # noqa: ANN401  # Ray's reference
    try:
        ray.get(pulse, timeout=0.0)
    except GetTimeoutError:
        return False
    except RayError:  # its actor is gone: the answer to its job says so
        return False
    return True


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
