"""Pictures, clip and manifest of a proven incident, written whole or not at all."""

from detector.evidence.acceptance import after_picture, side_by_side
from detector.evidence.captions import Captions, Scene
from detector.evidence.drawing import annotated, jpeg
from detector.evidence.manifest import verify_evidence, verify_signed, verify_stored
from detector.evidence.writing import sweep, write_evidence

__all__ = [
    "Captions",
    "Scene",
    "after_picture",
    "annotated",
    "jpeg",
    "side_by_side",
    "sweep",
    "verify_evidence",
    "verify_signed",
    "verify_stored",
    "write_evidence",
]
