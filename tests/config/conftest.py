"""What the configuration's tests share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detector.config.settings import PREFIX, Environment
from detector.config.template import write_template


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> Iterator[None]:
    """What the developer's shell sets for the command says nothing about the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Environment.model_fields:
            patch.delenv(PREFIX + name.upper(), raising=False)
        yield


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as `kerbwatch init` writes it; not to be changed."""
    folder = tmp_path_factory.mktemp("example")
    write_template(folder)
    return folder


@pytest.fixture(scope="session")
def copies(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a copy of the example that may be broken; a small one, of four points."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("copy") / "c"
        keep = {"p001.yaml", "p015.yaml", "p025.yaml", "p036.yaml"}
        shutil.copytree(
            example, folder, ignore=lambda at, names: set(names) - keep if at.endswith("points") else ()
        )
        return folder

    return copy


@pytest.fixture
def folder(copies: Callable[[], Path]) -> Path:
    return copies()
