"""Spot checks: one clip, or a stretch of one camera's recordings, looked at now and by itself; nothing is filed.

`Bench` takes orders, lets a process of its own work on one after another, and keeps what was found for a while.
"""

from detector.spotting.bench import Bench, NoSuchCheck, QueueFull
from detector.spotting.values import Finding, Order, Phase, Spot, SpotState, Why

__all__ = ["Bench", "Finding", "NoSuchCheck", "Order", "Phase", "QueueFull", "Spot", "SpotState", "Why"]
