"""YOLO behind one small protocol: OpenVINO on processors, torch through ultralytics on GPUs."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as distribution_version
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import Box, FloatArray
from detector.core.values import (
    FAINT_CONFIDENCE,
    LABEL_GROUPS_MISTAKEN,
    NO_DETECTIONS,
    Detections,
    Image,
    LabelGroup,
)
from detector.inference.int8 import Network, Ranges, measured, quantise, read_ranges
from detector.inference.quiet import import_openvino, import_ultralytics
from detector.inference.weights import sha256_of

IOU_OF_ONE_OBJECT = 0.7
"""Boxes of one label that overlap more are one object (ultralytics' own default)."""

COMPILED_SIZES = 4
"""So many sizes of input are kept compiled, at some tens of megabytes each. Cameras whose zones lie alike share one."""

PAD_GREY = 114
"""The grey that YOLO was trained to see around a letterboxed picture."""


class Detector(Protocol):
    """Finds objects in pictures."""

    @property
    def model_id(self) -> str:
        """Names weights, input size and precision: another id may see something else."""
        ...

    @property
    def sha256(self) -> str:
        """Of the weights file."""
        ...

    @property
    def input_hw(self) -> tuple[int, int]: ...

    @property
    def verifier(self) -> Detector:
        """The detector that names what stands when a candidate is verified: itself, or a larger model."""
        ...

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        """What each picture shows; pictures may differ in size. Boxes are in [0, 1] of each picture.

        Where `part` is given, a box in [0, 1], the model looks only there, as large as it would see it in the whole
        picture, and at that much less cost; boxes are of the whole picture all the same.
        """
        ...


@dataclass(frozen=True, slots=True)
class Attended:
    """A detector with something done before it looks, around, and after; the last two are told at how many pictures.

    It looks at `part` of every picture, a box in [0, 1], where no other is asked for.
    """

    inner: Detector
    before: Callable[[], object] | None = None
    after: Callable[[int], object] | None = None
    around: Callable[[int], AbstractContextManager[None]] = lambda _: nullcontext()
    part: Box | None = None

    @property
    def model_id(self) -> str:
        return self.inner.model_id

    @property
    def sha256(self) -> str:
        return self.inner.sha256

    @property
    def input_hw(self) -> tuple[int, int]:
        return self.inner.input_hw

    @property
    def verifier(self) -> Detector:
        return self.inner.verifier

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        if self.before:
            self.before()
        with self.around(len(images)):
            found = self.inner.detect(images, part or self.part)
        if self.after:
            self.after(len(images))
        return found


@dataclass(frozen=True, slots=True)
class WithVerifier:
    """A detector for all samples, and a larger one that names what stands when a candidate is verified."""

    inner: Detector
    verifier: Detector

    @property
    def model_id(self) -> str:
        return f"{self.inner.model_id}|verified by {self.verifier.model_id}"

    @property
    def sha256(self) -> str:
        return self.inner.sha256

    @property
    def input_hw(self) -> tuple[int, int]:
        return self.inner.input_hw

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        return self.inner.detect(images, part)


STRIDE = 32
"""A YOLO's input is a multiple of this in both directions."""


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture as the model gets it, and how its boxes find back.

    `boxed` is height x width x 3, multiples of STRIDE; `origin_xy` is the part's upper left corner in the picture's
    pixels, `image_wh` the picture's size.
    """

    boxed: Image
    scale: float
    origin_xy: tuple[int, int]
    image_wh: tuple[int, int]

    @classmethod
    def of(cls, image: Image, part: Box | None, input_hw: tuple[int, int]) -> View:
        height, width = image.shape[:2]
        if part is None:
            boxed, scale = letterbox(image, input_hw)
            return cls(boxed, scale, (0, 0), (width, height))
        x1, y1 = math.floor(part[0] * width), math.floor(part[1] * height)
        x2, y2 = max(x1 + 1, math.ceil(part[2] * width)), max(y1 + 1, math.ceil(part[3] * height))
        scale = min(input_hw[0] / height, input_hw[1] / width)
        cut_hw = part_input_hw(part, (width, height), input_hw)
        boxed, scale = letterbox(image[y1:y2, x1:x2], cut_hw, scale=scale)
        return cls(boxed, scale, (x1, y1), (width, height))

    def whole(self, boxes: FloatArray) -> FloatArray:
        """Boxes in the network's pixels as boxes in [0, 1] of the whole picture."""
        corner = np.array([*self.origin_xy, *self.origin_xy], np.float32)
        limits = np.array([*self.image_wh, *self.image_wh], np.float32)
        return np.asarray(np.clip((boxes / self.scale + corner) / limits, 0.0, 1.0), np.float32)


def part_input_hw(part: Box, image_wh: tuple[int, int], input_hw: tuple[int, int]) -> tuple[int, int]:
    """The height and width of the model's input for `part`, a box in [0, 1], of a picture of `image_wh` pixels."""
    width, height = image_wh
    scale = min(input_hw[0] / height, input_hw[1] / width)
    x1, y1 = math.floor(part[0] * width), math.floor(part[1] * height)
    x2, y2 = max(x1 + 1, math.ceil(part[2] * width)), max(y1 + 1, math.ceil(part[3] * height))
    return (
        min(input_hw[0], _up_to_stride(round((y2 - y1) * scale))),
        min(input_hw[1], _up_to_stride(round((x2 - x1) * scale))),
    )


def _up_to_stride(side: int) -> int:
    return max(STRIDE, -(-side // STRIDE) * STRIDE)


def letterbox(image: Image, input_hw: tuple[int, int], *, scale: float | None = None) -> tuple[Image, float]:
    """The picture scaled to fit the input, top left, the rest grey; and the scale that was applied.

    Another `scale` than that which fits the picture into the input cuts off what does not fit.
    """
    height, width = input_hw
    scale = scale or min(height / image.shape[0], width / image.shape[1])
    if scale != 1.0:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=method).astype(np.uint8, copy=False)
    boxed: Image = np.full((height, width, 3), PAD_GREY, np.uint8)
    image = image[:height, :width]
    boxed[: image.shape[0], : image.shape[1]] = image
    return boxed, scale


def blob_of(boxed: Image) -> FloatArray:
    """A picture, height x width x 3, as the network reads it: 1 x 3 x height x width, RGB in [0, 1]."""
    return np.ascontiguousarray(boxed[None, ..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(
        255.0
    )


def reading_pictures(network: Network) -> Network:
    """The network with what `blob_of` does as its first step: it reads 1 x height x width x 3, BGR, uint8."""
    library = import_openvino()
    steps: Any = import_module("openvino.preprocess")
    prepared = steps.PrePostProcessor(network)
    picture = prepared.input()
    picture.tensor().set_element_type(library.Type.u8).set_layout(library.Layout("NHWC"))
    picture.tensor().set_color_format(steps.ColorFormat.BGR)
    picture.preprocess().convert_color(steps.ColorFormat.RGB).convert_element_type(library.Type.f32).scale(
        255.0
    )
    picture.model().set_layout(library.Layout("NCHW"))
    return prepared.build()


def least_confidences(names: Sequence[str], confidence: float, *, faint: bool) -> FloatArray:
    """The lowest confidence in [0, 1] that is kept, by class; FAINT_CONFIDENCE for vehicles where `faint` is set."""
    least = [
        min(confidence, FAINT_CONFIDENCE)
        if faint and LABEL_GROUPS_MISTAKEN.get(name) is LabelGroup.VEHICLE
        else confidence
        for name in names
    ]
    return np.array(least, np.float32)


def decode_output(raw: FloatArray, names: Sequence[str], least: float | FloatArray, view: View) -> Detections:
    """A YOLOv8 head's output for one view, shape (4 + classes, anchors) with centre boxes in input pixels.

    `least` is the lowest confidence that is kept: one number, or one a class. Non-maximum suppression is by label; one
    object under two labels stays twice (judging counts it once).
    """
    lowest = float(np.min(least))
    near = np.flatnonzero(raw[4:].max(axis=0) >= lowest)
    classes = raw[4:, near].argmax(axis=0)
    confidences = raw[4:, near].max(axis=0)
    keep = confidences >= (least if isinstance(least, float) else least[classes])
    if not keep.any():
        return NO_DETECTIONS
    near, classes, confidences = near[keep], classes[keep], confidences[keep]
    centre, size = raw[:2, near].T, raw[2:4, near].T
    corners = np.hstack([centre - size / 2, size])
    chosen = cv2.dnn.NMSBoxesBatched(
        corners.tolist(), confidences.tolist(), classes.tolist(), lowest, IOU_OF_ONE_OBJECT
    )
    order = np.asarray(chosen, dtype=int).ravel()
    boxes = view.whole(np.hstack([centre - size / 2, centre + size / 2])[order])
    solid = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)
    return Detections(
        tuple(names[classes[i]] for i in order[solid]),
        confidences[order][solid].astype(np.float32),
        boxes[solid],
    )


NIGHT = 0.35
"""So much of its light a picture keeps when it stands for itself by night."""


def calibrate(
    weights: Path, cache: Path, pictures: Mapping[Path, Image], input_hw: tuple[int, int]
) -> Ranges:
    """The ranges for int8 of a network on pictures, each as it is and darkened. Raises BadInput where there are none."""
    if not pictures:
        raise BadInput("no pictures to calibrate on")
    digest = sha256_of(weights)
    network = import_openvino().Core().read_model(_exported(weights, digest, cache, input_hw) / "model.xml")
    boxed = [letterbox(image, input_hw)[0] for image in pictures.values()]
    blobs = [blob_of(picture) * np.float32(light) for picture in boxed for light in (1.0, NIGHT)]
    return measured(network, digest, blobs, {path.name: sha256_of(path) for path in pictures})


class OpenVinoDetector:
    """YOLO on a processor. The export of the weights is made once and kept by hash in `cache`."""

    def __init__(
        self,
        weights: Path,
        cache: Path,
        *,
        input_hw: tuple[int, int] = (384, 640),
        confidence: float = 0.25,
        precision: str = "int8",
        threads: int = 0,
        faint: bool = False,
    ) -> None:
        """`faint` keeps vehicles from FAINT_CONFIDENCE on. `precision`: `int8` where ranges lie beside the weights, and else, or as `bf16`, halves where the processor
        has them; or `f32`. Raises BadWeights where ranges lie there that are of other weights.
        """
        self._input_hw = input_hw
        self.sha256 = digest = sha256_of(weights)
        folder = _exported(weights, digest, cache, input_hw)
        self._names: list[str] = json.loads((folder / "names.json").read_text())
        self._least = least_confidences(self._names, confidence, faint=faint)
        self._core = core = import_openvino().Core()
        self._ranges = read_ranges(weights, digest) if precision == "int8" else None
        if precision == "int8":
            precision = "f32" if self._ranges else "bf16"  # what is left to compute with fractions
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            precision = "f32"
        self._file = folder / "model.xml"
        self._hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            self._hints["INFERENCE_NUM_THREADS"] = str(threads)
            cv2.setNumThreads(threads)
        # Compiled for a size when a picture of that size comes: who has all answers already never needs it.
        self._compiled: OrderedDict[tuple[int, int], Any] = OrderedDict()
        kind = f"int8-{self._ranges.digest[:8]}" if self._ranges else precision
        self._id = f"{digest[:16]}-{input_hw[0]}x{input_hw[1]}-openvino-{kind}-{_confidence_id(confidence, faint=faint)}"

    @property
    def model_id(self) -> str:
        return self._id

    @property
    def input_hw(self) -> tuple[int, int]:
        return self._input_hw

    @property
    def verifier(self) -> Detector:
        return self

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        """As the protocol says. One picture a call of the network: a batch is no faster on a processor (measured:
        30.9 ms a picture by eights, 31.3 one by one), and its size would show in the last digits.
        """
        found = []
        for image in images:
            view = View.of(image, part, self._input_hw)
            model = self._model_for((view.boxed.shape[0], view.boxed.shape[1]))
            raw = model(view.boxed[None])[0][0]
            found.append(decode_output(raw, self._names, self._least, view))
        return found

    def _model_for(self, input_hw: tuple[int, int]) -> Any:  # noqa: ANN401  # untyped library
        """The network compiled for one size of input, which runs 8 % faster than one for any size."""
        if input_hw not in self._compiled:
            model = self._core.read_model(self._file)
            if self._ranges:
                quantise(model, self._ranges)
            model.reshape((1, 3, *input_hw))
            self._compiled[input_hw] = self._core.compile_model(reading_pictures(model), "CPU", self._hints)
            if len(self._compiled) > COMPILED_SIZES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(input_hw)
        return self._compiled[input_hw]


class TorchDetector:
    """YOLO through torch and ultralytics, for GPUs."""

    def __init__(
        self,
        weights: Path,
        cache: Path,
        *,
        device: str = "cuda",
        input_hw: tuple[int, int] = (384, 640),
        confidence: float = 0.25,
        faint: bool = False,
    ) -> None:
        """`faint` keeps vehicles from FAINT_CONFIDENCE on."""
        ultralytics = import_ultralytics(cache / "ultralytics")
        self._model: Any = ultralytics.YOLO(str(weights), task="detect")
        self._device = device
        self._input_hw = input_hw
        names = [self._model.names[index] for index in sorted(self._model.names)]
        self._least = least_confidences(names, confidence, faint=faint)
        self.sha256 = sha256_of(weights)
        shown = _confidence_id(confidence, faint=faint)
        self._id = f"{self.sha256[:16]}-{input_hw[0]}x{input_hw[1]}-torch-f32-{shown}"

    @property
    def model_id(self) -> str:
        return self._id

    @property
    def input_hw(self) -> tuple[int, int]:
        return self._input_hw

    @property
    def verifier(self) -> Detector:
        return self

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        """As the protocol says; all pictures in one batch."""
        if not images:
            return []
        views = [View.of(image, part, self._input_hw) for image in images]
        results = [
            result
            for alike in _by_shape(views)
            for result in self._model.predict(
                [view.boxed for view in alike],
                imgsz=alike[0].boxed.shape[:2],
                conf=float(self._least.min()),
                iou=IOU_OF_ONE_OBJECT,
                device=self._device,
                verbose=False,
            )
        ]
        return [self._detections(result.boxes, view) for result, view in zip(results, views, strict=True)]

    def _detections(self, found: Any, view: View) -> Detections:  # noqa: ANN401  # untyped library
        boxes = view.whole(found.xyxy.cpu().numpy())
        classes = found.cls.cpu().numpy().astype(int)
        confidences = found.conf.cpu().numpy().astype(np.float32)
        keep = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1) & (confidences >= self._least[classes])
        return Detections(
            tuple(self._model.names[label] for label in classes[keep].tolist()),
            confidences[keep],
            boxes[keep],
        )


def _confidence_id(confidence: float, *, faint: bool) -> str:
    return f"{confidence:g}+{FAINT_CONFIDENCE:g}" if faint else f"{confidence:g}"


def _by_shape(views: Sequence[View]) -> list[list[View]]:
    """The views in order, cut where the size of the network's input changes."""
    return [list(group) for _, group in groupby(views, key=lambda view: view.boxed.shape)]


def open_detector(
    weights: Path,
    cache: Path,
    *,
    device: str = "auto",
    input_hw: tuple[int, int],
    confidence: float,
    precision: str,
    threads: int = 0,
    faint: bool = False,
) -> Detector:
    """The detector for a device: `cpu` is OpenVINO, `cuda` or `cuda:1` torch, `auto` a GPU where one is.

    `faint` keeps vehicles from FAINT_CONFIDENCE on. `threads` bounds what it uses of a processor; 0 is all of it.
    """
    device = _resolved(device)
    if device == "cpu":
        return OpenVinoDetector(
            weights,
            cache,
            input_hw=input_hw,
            confidence=confidence,
            precision=precision,
            threads=threads,
            faint=faint,
        )
    return TorchDetector(weights, cache, device=device, input_hw=input_hw, confidence=confidence, faint=faint)


def make_ready(weights: Path, cache: Path, *, device: str = "auto", input_hw: tuple[int, int]) -> None:
    """Make what takes long the first time, so that workers find it; for a processor nothing is compiled or kept.

    On a GPU the model is opened, for whatever is wrong with that to be told before any work starts.
    """
    device = _resolved(device)
    if device == "cpu":
        _exported(weights, sha256_of(weights), cache, input_hw)
    else:
        TorchDetector(weights, cache, device=device, input_hw=input_hw)


def _resolved(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if Path("/dev/nvidia0").exists() else "cpu"


def _exported(weights: Path, digest: str, cache: Path, input_hw: tuple[int, int]) -> Path:
    """The folder with `model.xml` and `names.json`, made whole in one rename so that no run sees half an export."""
    version = distribution_version("openvino")
    folder = cache / f"{digest[:16]}-{input_hw[0]}x{input_hw[1]}-openvino-{version}"
    if (folder / "model.xml").is_file():
        return folder
    import_openvino()  # before ultralytics does, which would not leave its telemetry out
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".export-") as scratch:
        source = Path(scratch) / "weights.pt"
        shutil.copyfile(weights, source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces to ultralytics what it will drop one day
            model = import_ultralytics(cache / "ultralytics").YOLO(str(source), task="detect")
            made = Path(model.export(format="openvino", imgsz=input_hw, dynamic=True, verbose=False))
        ready = Path(scratch) / "ready"
        ready.mkdir()
        for part in ("xml", "bin"):
            next(made.glob(f"*.{part}")).rename(ready / f"model.{part}")
        (ready / "names.json").write_text(json.dumps([model.names[i] for i in range(len(model.names))]))
        try:
            ready.rename(folder)
        except OSError:
            if not (folder / "model.xml").is_file():
                raise
    return folder
