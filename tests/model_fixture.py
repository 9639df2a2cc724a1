"""The detector that the command uses, with the real weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.core.values import Image
from detector.inference.detector import OpenVinoDetector


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of exports that is empty at first."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="session")
def model(weights: Path, exports: Path) -> OpenVinoDetector:
    """The real model on this machine's processor, in full precision so that every machine sees the same."""
    return OpenVinoDetector(weights, exports, precision="f32", threads=1)


@pytest.fixture(scope="session")
def bus() -> Image:
    """The picture of a bus and people that ultralytics ships; found without importing it."""
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    picture = cv2.imread(str(Path(spec.origin).parent / "assets" / "bus.jpg"))
    assert picture is not None
    return np.asarray(picture, np.uint8)
