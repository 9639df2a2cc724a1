"""An office with its working folder, a clock, and a desk over either database.

Use: `pytest_plugins = ["database_fixture", "desk_fixture"]` in a test module.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from clock_fixture import Clock
from desk_made import SHANGHAI

from detector.config.settings import Settings, load_settings
from detector.config.template import write_template
from detector.database import Database
from detector.dispatch import Desk


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder as `kerbwatch init` writes it; not to be changed."""
    folder = tmp_path_factory.mktemp("office")
    write_template(folder)
    return folder


@pytest.fixture(scope="session")
def office_settings(office: Path) -> Settings:
    return load_settings(office)


@pytest.fixture
def settings(office_settings: Settings, tmp_path: Path) -> Settings:
    return replace(office_settings, state_root=tmp_path / "state")


@pytest.fixture
def own_office(office: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(office, tmp_path / "office"))


@pytest.fixture
def clock() -> Clock:
    """A Thursday morning at ten."""
    return Clock(datetime(2026, 1, 8, 10, tzinfo=SHANGHAI))


@pytest.fixture
def desk(database: Database, settings: Settings, clock: Clock) -> Desk:
    return Desk(database, settings, clock)
