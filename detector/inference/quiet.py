"""ultralytics kept off the network: it phones home and may install packages unless told not to before its import."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType


def import_ultralytics(private_folder: Path) -> ModuleType:
    """ultralytics with telemetry, downloads and run-time installs off, its settings kept in `private_folder`."""
    private_folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        YOLO_OFFLINE="1", YOLO_AUTOINSTALL="0", YOLO_VERBOSE="False", YOLO_CONFIG_DIR=str(private_folder)
    )
    import ultralytics  # noqa: PLC0415  # seconds of torch that only a fresh export or a GPU needs

    return ultralytics
