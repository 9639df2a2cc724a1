"""The models that are asked only at few samples, beside the general detector."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from detector.core.geometry import Box
from detector.core.values import Image
from detector.inference.detector import Attended, Detector

BIN_MARGIN = 0.25
"""This share of a container's width and height is looked at on each side of it: rubbish lies beside containers."""


class BinJudge(Protocol):
    """Says whether a street container is dirty."""

    @property
    def model_id(self) -> str:
        """Names the weights: another id may say something else."""
        ...

    @property
    def threshold(self) -> float:
        """The probability in [0, 1] from which on a container counts as dirty."""
        ...

    def dirty(self, image: Image, container: Box | None = None) -> float:
        """The probability in [0, 1] that the container is dirty.

        `container` is its box in [0, 1] of the picture, None where the picture shows it with BIN_MARGIN. Raises BadInput
        where it is too small.
        """
        ...


@dataclass(frozen=True, slots=True)
class SecondModels:
    """A detector for bags of rubbish and a classifier of containers, each None if the site has not configured it."""

    litter: Detector | None = None
    bins: BinJudge | None = None

    @property
    def model_id(self) -> str:
        """Names both; '' where there are none."""
        return "+".join(model.model_id for model in (self.litter, self.bins) if model is not None)

    def attended(
        self,
        before: Callable[[], object] | None = None,
        around: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> SecondModels:
        """The same with something done before and around each call of the detector."""
        if self.litter is None:
            return self
        wrapped = Attended(self.litter, before=before)
        return replace(self, litter=replace(wrapped, around=around) if around else wrapped)


NO_SECOND_MODELS = SecondModels()
