"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")

CHECKOUT = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the cases marked `soak` to `make soak`."""
    if os.environ.get("KERBWATCH_SOAK") == "1":
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="one more case of its kind; make soak runs it"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real footage and data sets beside the checkout; they are not part of the project."""
    folder = Path(os.environ.get("KERBWATCH_SHARED", CHECKOUT.parent / "shared"))
    if not (folder / "footage" / "labels.json").is_file():
        pytest.skip(f"no real footage at {folder} (set KERBWATCH_SHARED to where it lies)")
    return folder


@pytest.fixture(scope="session")
def checkout() -> Path:
    return CHECKOUT


@pytest.fixture(scope="session")
def weights(checkout: Path) -> Path:
    """COCO yolov8n, where it was fetched."""
    path = checkout / "models" / "yolov8n.pt"
    if not path.is_file():
        pytest.skip(f"no weights at {path} ('make install' fetches them)")
    return path
