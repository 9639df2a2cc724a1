"""Libraries kept off the network: ultralytics and OpenVINO phone home unless told not to before their import."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType


def import_ultralytics(private_folder: Path) -> ModuleType:
    """The package ultralytics with telemetry, downloads and run-time installs off, its settings kept in `private_folder`."""
    private_folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        YOLO_OFFLINE="1", YOLO_AUTOINSTALL="0", YOLO_VERBOSE="False", YOLO_CONFIG_DIR=str(private_folder)
    )
    import ultralytics  # noqa: PLC0415  # seconds of torch that only a fresh export or a GPU needs

    return ultralytics


def import_openvino() -> ModuleType:
    """OpenVINO without its telemetry, which sends what is converted to Google Analytics unless a person opted out.

    Where the telemetry package cannot be imported, OpenVINO takes a stub of its own that does nothing.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # so Python marks what must not be imported
    import openvino  # noqa: PLC0415  # most commands look at no picture

    module: ModuleType = openvino
    return module
