"""How surely an object is a vehicle, by the real model on a sample photo of ultralytics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.core.geometry import Box
from detector.core.values import Image
from detector.inference.detector import OpenVinoDetector
from detector.proving.naming import vehicle_certainty

pytest_plugins = ["model_fixture"]
pytestmark = pytest.mark.slow
BUS: Box = (0.02, 0.21, 0.99, 0.68)


@pytest.fixture(scope="module")
def detector(weights: Path, exports: Path) -> OpenVinoDetector:
    return OpenVinoDetector(weights, exports, faint=True)


def test_a_bus_is_a_vehicle_at_most_sizes(detector: OpenVinoDetector, bus: Image) -> None:
    assert vehicle_certainty([bus], BUS, detector) > 0.7


def test_a_far_bus_is_a_vehicle(detector: OpenVinoDetector, bus: Image) -> None:
    """The photo stands 120 px wide in a grey 1080p picture: scaled down whole, the bus would be 40 px wide."""
    street = np.full((1080, 1920, 3), 120, np.uint8)
    street[500:660, 900:1020] = cv2.resize(bus, (120, 160), interpolation=cv2.INTER_AREA)
    x1, y1, x2, y2 = BUS
    far = ((900 + 120 * x1) / 1920, (500 + 160 * y1) / 1080, (900 + 120 * x2) / 1920, (500 + 160 * y2) / 1080)
    assert vehicle_certainty([street], far, detector) > 0.5


def test_a_wall_and_people_are_no_vehicle(detector: OpenVinoDetector, bus: Image) -> None:
    assert vehicle_certainty([bus], (0.0, 0.0, 0.4, 0.2), detector) < 0.1
    assert vehicle_certainty([bus], (0.05, 0.37, 0.3, 0.84), detector) < 0.1


def test_without_a_picture_nothing_is_certain(detector: OpenVinoDetector) -> None:
    assert vehicle_certainty([], BUS, detector) == 0.0
