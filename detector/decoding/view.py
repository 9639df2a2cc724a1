"""How usable a picture is, measured on a small grey copy."""

from __future__ import annotations

import cv2
import numpy as np

from detector.core.values import SIGNATURE_WH, Image, ViewState

MEASURE_WIDTH = 320


def view_state(image: Image) -> ViewState:
    """Mean brightness, sharpness (mean absolute Laplacian) and a small grey picture to compare views by."""
    height = max(1, round(image.shape[0] * MEASURE_WIDTH / image.shape[1]))
    grey = cv2.cvtColor(
        cv2.resize(image, (MEASURE_WIDTH, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    sharpness = float(np.abs(cv2.Laplacian(grey, cv2.CV_16S)).mean())
    signature = cv2.resize(grey, SIGNATURE_WH, interpolation=cv2.INTER_AREA)
    return ViewState(float(grey.mean()), sharpness, signature.astype(np.uint8))
