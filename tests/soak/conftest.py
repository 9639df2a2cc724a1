"""The made videos, for every test of this room."""

from __future__ import annotations

from video_fixture import make

__all__ = ["make"]
