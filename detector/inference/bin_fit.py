"""Fit the network for containers to labelled pictures, on a processor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from detector.config.bin_training import BinTrainingSettings
from detector.core.values import Image
from detector.inference.backbone import (
    GREY,
    Layers,
    Regularised,
    Tensor,
    input_of,
    log_odds,
    pretrained,
    squared,
    strides_of,
)
from detector.inference.bin_pictures import as_seen

Random = np.random.Generator
Tell = Callable[[float, str], None]
"""Hears which share of the work is done, and what is being done."""

SEEN_SHARE: Final = 0.3
"""Chance that a training picture is changed as a surveillance camera would show it."""

CUT: Final = 0.14
"""The most that is cut off each side, as a share of it."""

TURNED_DEG: Final = 8.0
STRETCHED: Final = (0.8, 1.25)
CONTRAST: Final = (0.7, 1.3)
LIGHT: Final = (0.75, 1.25)
TINT: Final = (0.9, 1.1)
COVERED_SHARE: Final = 0.25
"""Chance that a square of COVERED of the side is covered with grey."""
COVERED: Final = (0.1, 0.25)

WARM_UP_STEPS: Final = 40
DECAY: Final = {"head": 0.01, "body": 0.02}
"""Weight decay of the last layer and of the others."""
LONGEST_STEP: Final = 2.0
"""A gradient longer than this is shortened to it."""
AVERAGED: Final = 0.98
"""A step's weights count 1 - AVERAGED in the moving average; more in the first steps."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training picture and its truth."""

    image: Image
    dirty: bool


def fitted(
    settings: BinTrainingSettings,
    backbone: Path,
    examples: Sequence[Example],
    tell: Tell = lambda _d, _w: None,
) -> Layers:
    """The layers after the last epoch, averaged over the last steps. Raises BadWeights where the backbone is another network."""
    torch: Any = import_module("torch")
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    layers = _trainable(torch, pretrained(backbone))
    fitting = _Fitting(torch, settings, layers, len(examples))
    for epoch in range(settings.fit.stop_after):
        order = random.permutation(len(examples))
        for first in range(0, len(examples) - settings.fit.batch + 1, settings.fit.batch):
            tell((epoch + first / len(examples)) / settings.fit.stop_after, "fitting")
            chosen = [examples[i] for i in order[first : first + settings.fit.batch]]
            fitting.step(*_batch(torch, settings, chosen, random))
    return fitting.averaged


def _trainable(torch: Any, layers: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ANN401  # untyped library
    """Weights in the order in memory that convolutions on processors are fastest with."""
    return {
        name: (
            value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value.clone()
        ).requires_grad_()
        for name, value in layers.items()
    }


class _Fitting:
    """Layers, their optimiser and their moving average."""

    def __init__(
        self, torch: Any, settings: BinTrainingSettings, layers: dict[str, Tensor], examples: int  # noqa: ANN401
    ) -> None:  # fmt: skip
        fit = settings.fit
        self._torch, self._layers, self._done = torch, layers, 0
        self._steps = max(1, fit.epochs * (examples // fit.batch))
        self._strides = strides_of(layers)
        self._training = Regularised(fit.frozen_blocks, fit.skipped, fit.dropped)
        self._rates = (fit.head_rate, fit.rate)
        frozen = ("_conv_stem.", *(f"_blocks.{block}." for block in range(fit.frozen_blocks)))
        head = [value for name, value in layers.items() if name.startswith("head.")]
        body = [value for name, value in layers.items() if not name.startswith(("head.", *frozen))]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": head, "lr": fit.head_rate, "weight_decay": DECAY["head"]},
                {"params": body, "lr": fit.rate, "weight_decay": DECAY["body"]},
            ]
        )
        self._trained = [*head, *body]
        self.averaged: dict[str, Tensor] = {name: value.detach().clone() for name, value in layers.items()}

    def step(self, pictures: Tensor, truth: Tensor) -> None:
        """One step on a batch: pictures of shape (n, 3, side, side), truth in [0, 1] of shape (n,)."""
        torch = self._torch
        self._done += 1
        share = (
            min(1.0, self._done / WARM_UP_STEPS)
            * 0.5
            * (1 + math.cos(math.pi * min(1.0, self._done / self._steps)))
        )
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * (share + 1e-3)
        said = log_odds(self._layers, self._strides, pictures, self._training)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(said, truth)
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, LONGEST_STEP)
        self._optimiser.step()
        kept = min(AVERAGED, self._done / (self._done + 10))
        with torch.no_grad():
            for name, value in self._layers.items():
                self.averaged[name].mul_(kept).add_(value, alpha=1 - kept)


def _batch(
    torch: Any,  # noqa: ANN401  # untyped library
    settings: BinTrainingSettings,
    examples: Sequence[Example],
    random: Random,
) -> tuple[Tensor, Tensor]:
    """Changed pictures, each laid over another one, and their truth."""
    squares = [changed(one.image, settings, random) for one in examples]
    pictures = torch.from_numpy(input_of(squares)).contiguous(memory_format=torch.channels_last)
    truth = torch.tensor([float(one.dirty) for one in examples])
    part, others = float(random.beta(settings.fit.mixed, settings.fit.mixed)), torch.randperm(len(examples))
    pictures = part * pictures + (1 - part) * pictures[others]
    truth = part * truth + (1 - part) * truth[others]
    return pictures, truth * (1 - 2 * settings.fit.smoothed) + settings.fit.smoothed


def changed(image: Image, settings: BinTrainingSettings, random: Random) -> Image:
    """A training picture as a square: cut, turned, stretched, in other light, mirrored or not, in part covered."""
    if random.random() < SEEN_SHARE:
        image = as_seen(image, settings.seen, random)
    height, width = image.shape[:2]
    top, bottom, left, right = random.uniform(0, CUT, 4)
    image = image[
        int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)
    ]
    square = squared(_in_other_light(_turned(image, random), random), settings.side_px)
    if random.random() < 0.5:
        square = square[:, ::-1]
    return _covered(square, random) if random.random() < COVERED_SHARE else square


def _turned(image: Image, random: Random) -> Image:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-TURNED_DEG, TURNED_DEG), 1)
    turned = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(turned, None, fx=random.uniform(*STRETCHED), fy=1), np.uint8)


def _in_other_light(image: Image, random: Random) -> Image:
    light = image.astype(np.float32)
    light = (light - light.mean()) * random.uniform(*CONTRAST) + light.mean() * random.uniform(*LIGHT)
    return np.asarray(np.clip(light * random.uniform(*TINT, 3), 0, 255), np.uint8)


def _covered(square: Image, random: Random) -> Image:
    side = int(len(square) * random.uniform(*COVERED))
    y, x = random.integers(0, len(square) - side, 2)
    square = np.array(square, np.uint8)
    square[y : y + side, x : x + side] = GREY
    return np.asarray(square, np.uint8)
