"""The one door to proof, whatever the violation."""

from __future__ import annotations

from detector.core.values import Incident, Proof, Violation
from detector.inference.detector import Detector
from detector.proving.litter import prove_litter
from detector.proving.looker import Looker
from detector.proving.prove import Dropped, prove


def verdict_on(
    incident: Incident, looker: Looker, detector: Detector, litter: Detector | None = None
) -> Proof | Dropped:
    """Look closer at a suspicion; `litter` is a detector trained for bags, if there is one."""
    if incident.violation is Violation.LITTER:
        return prove_litter(incident, looker, detector, litter)
    return prove(incident, looker, detector)
