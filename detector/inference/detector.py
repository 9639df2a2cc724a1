"""YOLO behind one small protocol: OpenVINO on processors, torch through ultralytics on GPUs."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from detector.core.geometry import FloatArray
from detector.core.values import NO_DETECTIONS, Detections, Image
from detector.inference.quiet import import_openvino, import_ultralytics
from detector.inference.weights import sha256_of

IOU_OF_ONE_OBJECT = 0.7
"""Boxes of one label that overlap more are one object (ultralytics' own default)."""

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

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """What each picture shows; pictures may differ in size. Boxes are in [0, 1] of each picture."""
        ...


def letterbox(image: Image, input_hw: tuple[int, int]) -> tuple[Image, float]:
    """The picture scaled to fit the input, top left, the rest grey; and the scale that was applied."""
    height, width = input_hw
    scale = min(height / image.shape[0], width / image.shape[1])
    if scale != 1.0:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=method).astype(np.uint8, copy=False)
    boxed: Image = np.full((height, width, 3), PAD_GREY, np.uint8)
    boxed[: image.shape[0], : image.shape[1]] = image[:height, :width]
    return boxed, scale


def decode_output(
    raw: FloatArray, names: Sequence[str], confidence: float, image: Image, scale: float
) -> Detections:
    """A YOLOv8 head's output for one picture, shape (4 + classes, anchors) with centre boxes in input pixels.

    Non-maximum suppression is by label; one object under two labels stays twice (judging counts it once).
    """
    scores = raw[4:]
    keep = scores.max(axis=0) >= confidence
    if not keep.any():
        return NO_DETECTIONS
    centre, size = raw[:2, keep].T, raw[2:4, keep].T
    classes = scores[:, keep].argmax(axis=0)
    confidences = scores[:, keep].max(axis=0)
    corners = np.hstack([centre - size / 2, size])
    chosen = cv2.dnn.NMSBoxesBatched(
        corners.tolist(), confidences.tolist(), classes.tolist(), confidence, IOU_OF_ONE_OBJECT
    )
    order = np.asarray(chosen, dtype=int).ravel()
    limits = np.array([image.shape[1], image.shape[0]] * 2, dtype=np.float32)
    boxes = np.hstack([centre - size / 2, centre + size / 2])[order] / scale
    boxes = np.clip(boxes / limits, 0.0, 1.0).astype(np.float32)
    solid = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)
    return Detections(
        tuple(names[classes[i]] for i in order[solid]),
        confidences[order][solid].astype(np.float32),
        boxes[solid],
    )


class OpenVinoDetector:
    """YOLO on a processor. The export of the weights is made once and kept by hash in `cache`."""

    def __init__(
        self,
        weights: Path,
        cache: Path,
        *,
        input_hw: tuple[int, int] = (384, 640),
        confidence: float = 0.25,
        precision: str = "bf16",
        threads: int = 0,
    ) -> None:
        self._confidence = confidence
        self._input_hw = input_hw
        self.sha256 = digest = sha256_of(weights)
        folder = _exported(weights, digest, cache, input_hw)
        self._names: list[str] = json.loads((folder / "names.json").read_text())
        core = import_openvino().Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            precision = "f32"
        model = core.read_model(folder / "model.xml")
        model.reshape((-1, 3, *input_hw))
        hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            hints["INFERENCE_NUM_THREADS"] = str(threads)
        self._model = core.compile_model(model, "CPU", hints)
        self._id = f"{digest[:16]}-{input_hw[0]}x{input_hw[1]}-openvino-{precision}-{confidence:g}"

    @property
    def model_id(self) -> str:
        return self._id

    @property
    def input_hw(self) -> tuple[int, int]:
        return self._input_hw

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        if not images:
            return []
        boxed = [letterbox(image, self._input_hw) for image in images]
        batch = np.stack([picture for picture, _ in boxed])[..., ::-1].transpose(0, 3, 1, 2)
        outputs = self._model(np.ascontiguousarray(batch, dtype=np.float32) / 255.0)[0]
        return [
            decode_output(raw, self._names, self._confidence, image, scale)
            for raw, image, (_, scale) in zip(outputs, images, boxed, strict=True)
        ]


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
    ) -> None:
        ultralytics = import_ultralytics(cache / "ultralytics")
        self._model: Any = ultralytics.YOLO(str(weights), task="detect")
        self._device = device
        self._input_hw = input_hw
        self._confidence = confidence
        self.sha256 = sha256_of(weights)
        self._id = f"{self.sha256[:16]}-{input_hw[0]}x{input_hw[1]}-torch-f32-{confidence:g}"

    @property
    def model_id(self) -> str:
        return self._id

    @property
    def input_hw(self) -> tuple[int, int]:
        return self._input_hw

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        if not images:
            return []
        boxed = [letterbox(image, self._input_hw) for image in images]
        results = self._model.predict(
            [picture for picture, _ in boxed],
            imgsz=self._input_hw,
            conf=self._confidence,
            iou=IOU_OF_ONE_OBJECT,
            device=self._device,
            verbose=False,
        )
        return [
            self._detections(result.boxes, image, scale)
            for result, image, (_, scale) in zip(results, images, boxed, strict=True)
        ]

    def _detections(self, found: Any, image: Image, scale: float) -> Detections:  # noqa: ANN401  # untyped library
        boxes = found.xyxy.cpu().numpy() / scale / np.array([image.shape[1], image.shape[0]] * 2)
        boxes = np.clip(boxes, 0, 1).astype(np.float32)
        solid = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)
        labels = [self._model.names[int(label)] for label in found.cls]
        return Detections(
            tuple(label for label, keep in zip(labels, solid, strict=True) if keep),
            found.conf.cpu().numpy().astype(np.float32)[solid],
            boxes[solid],
        )


def open_detector(
    weights: Path,
    cache: Path,
    *,
    device: str = "auto",
    input_hw: tuple[int, int],
    confidence: float,
    precision: str,
    threads: int = 0,
) -> Detector:
    """The detector for a device: `cpu` is OpenVINO, `cuda` or `cuda:1` torch, `auto` a GPU where one is.

    `threads` bounds what it uses of a processor; 0 is all of it.
    """
    if device == "auto":
        device = "cuda" if Path("/dev/nvidia0").exists() else "cpu"
    if device == "cpu":
        return OpenVinoDetector(
            weights, cache, input_hw=input_hw, confidence=confidence, precision=precision, threads=threads
        )
    return TorchDetector(weights, cache, device=device, input_hw=input_hw, confidence=confidence)


def _exported(weights: Path, digest: str, cache: Path, input_hw: tuple[int, int]) -> Path:
    """The folder with `model.xml` and `names.json`, made whole in one rename so that no run sees half an export."""
    version = import_openvino().__version__.split("-")[0]
    folder = cache / f"{digest[:16]}-{input_hw[0]}x{input_hw[1]}-openvino-{version}"
    if (folder / "model.xml").is_file():
        return folder
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
