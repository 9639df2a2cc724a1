"""One measured piece of the benchmark in a process of its own: `python -m detector.benchmarks.worker TASK.json`.

Prints JSON. A process of its own, so that its processor time and memory are its own.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from detector.benchmarks import LIMIT_S, LOOK_WH, others
from detector.benchmarks.footage import FPS, KEYFRAME_EVERY_S
from detector.config.settings import load_settings
from detector.core.values import Frame
from detector.decoding.reader import Reader, frames_at
from detector.inference.detector import open_detector
from detector.observing.watched import watched
from detector.sampling.plan import cadence_for


def main() -> None:
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = {"other": _other, "decode": _decode, "forward": _forward, "infer": _infer}[task["what"]](task)
    sys.stdout.write(json.dumps(answer))


def _other(task: dict[str, Any]) -> object:
    zones = load_settings(Path(task["folder"])).points[0].cameras[0].zones
    run = others.run(
        others.Method(task["method"]),
        Path(task["video"]),
        Path(task["weights"]),
        Path(task["cache"]),
        zones,
        every_s=cadence_for(LIMIT_S).every_s,
        limit_s=LIMIT_S,
        until_s=task["until_s"],
    )
    return asdict(run)


def _decode(task: dict[str, Any]) -> object:
    """Only this: open, seek, decode the keyframes that a scan would look at, scale them to fit if that is asked."""
    cadence = cadence_for(LIMIT_S)
    offsets_s = [cadence.every_s * k + 20 for k in range(int((task["duration_s"] - 20) // cadence.every_s))]
    began_s, count = time.process_time(), 0
    while count < task["pictures"]:
        for video in task["videos"]:
            frames = frames_at(Path(video), offsets_s, tolerance_s=cadence.tolerance_s, fit_wh=task["fit_wh"])
            count += sum(isinstance(frame, Frame) for frame in frames)
    return {"pictures": count, "cpu_s": time.process_time() - began_s}


def _forward(task: dict[str, Any]) -> object:
    """Only this: looks at full size, each shortly before a keyframe, and the pictures that lie on the way there."""
    looks = max(1, task["pictures"] // 10)
    began_s = time.process_time()
    with Reader(Path(task["videos"][0])) as reader:
        for k in range(looks):
            reader.frame_at((10 * k + 1) * KEYFRAME_EVERY_S - 2 / FPS)
        passed = reader.decoded - looks
    return {"pictures": passed, "looks": looks, "cpu_s": time.process_time() - began_s}


def _infer(task: dict[str, Any]) -> object:
    """Only this: the model on the watched part of pictures that lie ready in memory."""
    settings = load_settings(Path(task["folder"]))
    camera, model = settings.points[0].cameras[0], settings.model
    detector = open_detector(
        Path(task["weights"]), Path(task["cache"]), device="cpu", input_hw=model.imgsz_hw,
        confidence=model.confidence, precision=model.precision, threads=1, faint=True,
    )  # fmt: skip
    cadence = cadence_for(LIMIT_S)
    offsets_s = [20 + cadence.every_s * k for k in range(8)]
    frames = frames_at(Path(task["videos"][0]), offsets_s, tolerance_s=cadence.tolerance_s, fit_wh=LOOK_WH)
    pictures = [frame.image for frame in frames if isinstance(frame, Frame)]
    part = watched(camera.zones) if task["part"] else None
    detector.detect(pictures[:2], part)
    began_s = time.process_time()
    for picture in islice(cycle(pictures), task["pictures"]):
        detector.detect([picture], part)
    return {"pictures": task["pictures"], "cpu_s": time.process_time() - began_s}


if __name__ == "__main__":
    main()
