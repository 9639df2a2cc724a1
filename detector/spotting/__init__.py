"""Spot checks: one clip, or a stretch of one camera's recordings, looked at now and by itself; nothing is filed.

`SpotChecks` takes orders, lets a process of its own work on one after another, and keeps what was found for a while.
"""

from detector.pipeline.doubts import DoubtKind, Outcome
from detector.spotting.checks import NoSuchCheck, QueueFull, SpotChecks
from detector.spotting.values import Finding, Order, Phase, Spot, SpotState, Why

__all__ = [
    "DoubtKind",
    "Finding",
    "NoSuchCheck",
    "Order",
    "Outcome",
    "Phase",
    "QueueFull",
    "Spot",
    "SpotChecks",
    "SpotState",
    "Why",
]
