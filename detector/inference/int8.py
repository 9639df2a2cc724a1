"""The network in whole numbers: activations and weights in eight bits, which every processor multiplies faster.

Weights take the range that each output channel has. Activations take the range that they had on some pictures; these
ranges are all that must be known of a network beforehand, and lie beside its weights (`NAME.int8.json`). OpenVINO does
the arithmetic: it computes in eight bits wherever both sides of a convolution pass through a FakeQuantize.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.errors import BadWeights
from detector.core.geometry import FloatArray
from detector.inference.quiet import import_openvino

ACTIVATION_LEVELS = 256
WEIGHT_LEVELS = 255
"""One fewer, so that the grid lies even around zero."""

HEADROOM = 2.0
"""Weights use one half of their levels: processors without VNNI add two products in sixteen bits, which would overflow."""

CALIBRATE = "remove it, or make it with 'kerbwatch models calibrate'"

PICTURE = np.array([0.0, 1.0])
"""What a picture may reach is known, whatever these reach."""

Network = Any
"""An `openvino.Model`, and `Node` an operation of it: an untyped library."""
Node = Any


@dataclass(frozen=True, slots=True)
class Ranges:
    """What a network's activations reach on pictures, in the order in which the network computes them."""

    weights_sha256: str
    pictures: dict[str, str]
    """What they were measured on, with the SHA-256."""
    kinds: tuple[str, ...]
    """Of each operation, to know the network again."""
    lows: tuple[float, ...]
    highs: tuple[float, ...]

    @property
    def digest(self) -> str:
        """Of what the network computes by: other ranges may see something else."""
        return hashlib.sha256(json.dumps([self.kinds, self.lows, self.highs]).encode()).hexdigest()

    def write(self, file: Path) -> None:
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in asdict(self).items()]
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def ranges_file(weights: Path) -> Path:
    return weights.with_suffix(".int8.json")


def read_ranges(weights: Path, weights_sha256: str) -> Ranges | None:
    """The ranges beside a weights file; None where there are none. Raises BadWeights where they are of other weights."""
    file = ranges_file(weights)
    if not file.is_file():
        return None
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        lows, highs = tuple(map(float, known["lows"])), tuple(map(float, known["highs"]))
        ranges = Ranges(known["weights_sha256"], known["pictures"], tuple(known["kinds"]), lows, highs)
    except (ValueError, KeyError, TypeError) as error:
        raise BadWeights(f"{file} cannot be read: {error}; {CALIBRATE}") from error
    if ranges.weights_sha256 != weights_sha256:
        raise BadWeights(f"{file} belongs to other weights than {weights.name}; {CALIBRATE}")
    return ranges


def measured(
    network: Network, weights_sha256: str, blobs: Sequence[FloatArray], pictures: dict[str, str]
) -> Ranges:
    """Run the network in float32 on `blobs` (1 x 3 x height x width in [0, 1], all of one size).

    The range of an activation is the mean of its least and of its greatest values, picture by picture: what a single
    picture alone reaches is cut off.
    """
    places = _places(network)
    network.add_outputs([place.output(0) for place in places[1:]])
    network.reshape(blobs[0].shape)
    compiled = import_openvino().Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    lows, highs = [], []
    for blob in blobs:
        answers = [PICTURE, *list(compiled(blob).values())[1:]]
        lows.append([float(answer.min()) for answer in answers])
        highs.append([float(answer.max()) for answer in answers])
    return Ranges(
        weights_sha256,
        pictures,
        tuple(place.get_type_name() for place in places),
        tuple(round(float(low), 5) for low in np.mean(lows, axis=0)),
        tuple(round(float(high), 5) for high in np.mean(highs, axis=0)),
    )


def quantise(network: Network, ranges: Ranges) -> None:
    """Make a network compute in eight bits. Raises BadWeights where the ranges do not fit it."""
    places = _places(network)
    if tuple(place.get_type_name() for place in places) != ranges.kinds:
        raise BadWeights("the ranges for int8 are of another form of this network; make them anew with "
                         "'kerbwatch models calibrate', or set model.precision: bf16")  # fmt: skip
    for place, low, high in zip(places, ranges.lows, ranges.highs, strict=True):
        _quantise_activation(place, low, high)
    for node in network.get_ordered_ops():
        if node.get_type_name() == "Convolution" and not _turns_bins_into_sides(node):
            _quantise_weights(node)
    network.validate_nodes_and_infer_types()


def _places(network: Network) -> list[Node]:
    """Whose output is quantised: the picture, what leaves an activation, a residual sum and an enlargement.

    All else (splits, joins, pools) passes on what is quantised already. Behind the last convolutions, boxes and
    confidences stay in float.
    """
    return [node for node in network.get_ordered_ops() if _is_place(node)]


def _is_place(node: Node) -> bool:
    kind = node.get_type_name()
    if kind == "Add":
        return any(value.get_node().get_type_name() == "Swish" for value in node.input_values())
    return kind in {"Parameter", "Swish", "Interpolate"}


def _turns_bins_into_sides(convolution: Node) -> bool:
    """The head's convolution over a softmax has fixed whole weights and gives a box's sides: no place to round."""
    above: str = convolution.input_value(0).get_node().get_type_name()
    return above == "Softmax"


def _quantise_activation(node: Node, low: float, high: float) -> None:
    low, high = with_exact_zero(low, high)
    output = node.output(0)
    readers = [
        reader for reader in output.get_target_inputs() if reader.get_node().get_type_name() != "ShapeOf"
    ]
    rounded = _fake_quantise(
        output, np.full((1, 1, 1, 1), low), np.full((1, 1, 1, 1), high), ACTIVATION_LEVELS
    )
    for reader in readers:
        reader.replace_source_output(rounded.output(0))


def with_exact_zero(low: float, high: float) -> tuple[float, float]:
    """The range moved by less than a step so that zero, with which borders are padded, is a level of it."""
    low, high = min(0.0, low), max(high, 1e-6)
    step = (high - low) / (ACTIVATION_LEVELS - 1)
    below = round(-low / step)
    return -below * step, (ACTIVATION_LEVELS - 1 - below) * step


def _quantise_weights(convolution: Node) -> None:
    weights = convolution.input_value(1)
    source = weights.get_node()
    while source.get_type_name() != "Constant":  # half floats in the file are widened first
        source = source.input_value(0).get_node()
    greatest = np.abs(np.asarray(source.data, np.float32)).max(axis=(1, 2, 3), keepdims=True)
    greatest = HEADROOM * np.maximum(greatest, np.float32(1e-6))
    rounded = _fake_quantise(weights, -greatest, greatest, WEIGHT_LEVELS)
    convolution.input(1).replace_source_output(rounded.output(0))


def _fake_quantise(output: Any, low: FloatArray, high: FloatArray, levels: int) -> Node:  # noqa: ANN401  # untyped
    operations: Any = import_module("openvino.opset13")
    bounds: Sequence[Node] = [
        operations.constant(np.asarray(bound, np.float32)) for bound in (low, high, low, high)
    ]
    return operations.fake_quantize(output, *bounds, levels)
