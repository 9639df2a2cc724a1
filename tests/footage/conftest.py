"""The made videos, for every test of this room."""

from __future__ import annotations

from video_fixture import make, moved

__all__ = ["make", "moved"]
