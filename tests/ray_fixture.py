"""A real Ray cluster of several machines, so to speak: raylets side by side on this one.

Use: `pytest_plugins = ["ray_fixture", "bucket_fixture"]` in a test module.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

TESTS = Path(__file__).parent
STORE_BYTES = 80_000_000
MACHINES = 2
HERE = "127.0.0.1"
"""With this address, and no other, Ray listens where nobody else can reach it."""

MACHINE = {"node_ip_address": HERE, "object_store_memory": STORE_BYTES, "include_dashboard": False}


@contextmanager
def cluster_of(machines: int) -> Iterator[Any]:
    """`ray.cluster_utils.Cluster`, connected: a head without processors, and machines with one each."""
    import detector.engines.ray_crew  # noqa: F401  # switches telemetry off before ray is imported

    import ray  # isort: skip
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    scratch = tempfile.mkdtemp(prefix="kw-ray-", dir="/tmp")  # a socket's path must be short
    importable = os.pathsep.join([str(TESTS.parent), str(TESTS / "engines"), *sys.path])
    with (
        patch.dict(os.environ, {"PYTHONPATH": importable, "RAY_TMPDIR": scratch}),
        patch.object(ray_constants, "ENABLE_RAY_CLUSTER", new=False),  # or it puts another address for HERE
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **MACHINE})
        try:
            for _ in range(machines):
                cluster.add_node(num_cpus=1, **MACHINE)
            ray.init(address=cluster.address, log_to_driver=False, logging_level="WARNING")
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True)
class Machines:
    """The cluster, and what may happen to it."""

    cluster: Any
    lost: set[str] = field(default_factory=set)

    def settle(self, within_s: float = 90.0) -> None:
        """Wait until Ray knows who is gone and who has joined: it hears late of a machine that was lost, and gives it work."""
        import ray

        deadline = time.monotonic() + within_s
        while True:
            alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
            if not alive & self.lost and len(alive) == 1 + MACHINES:
                return
            assert time.monotonic() < deadline, f"alive: {alive}, lost: {self.lost}"
            time.sleep(0.1)

    def lose(self, node_id: str) -> None:
        """Kill a machine: its raylet, and so all that runs there. Another one joins."""
        node = next(node for node in self.cluster.worker_nodes if node.node_id == node_id)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.lost.add(node_id)
            self.cluster.remove_node(node, allow_graceful=False)
            self.cluster.add_node(num_cpus=1, wait=False, **MACHINE)


@pytest.fixture(scope="session")
def ray_machines_once(s3_server: object) -> Iterator[Machines]:
    """Two machines with a processor each; connected. They know where the S3 server of `bucket_fixture` is."""
    with cluster_of(MACHINES) as cluster:
        yield Machines(cluster)


@pytest.fixture
def ray_machines(ray_machines_once: Machines) -> Machines:
    """The two machines, whatever happened to one in the test before."""
    ray_machines_once.settle()
    return ray_machines_once
