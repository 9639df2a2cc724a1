"""The models that a proof may ask."""

from __future__ import annotations

from dataclasses import dataclass

from detector.inference.detector import Detector
from detector.inference.second import NO_SECOND_MODELS, SecondModels


@dataclass(frozen=True, slots=True)
class Models:
    """The general detector, and the models for bags of rubbish and for containers."""

    detector: Detector
    second: SecondModels = NO_SECOND_MODELS
