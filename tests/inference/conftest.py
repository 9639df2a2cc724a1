"""The real model, for every test of this room."""

from __future__ import annotations

from model_fixture import bus, exports, model

__all__ = ["bus", "exports", "model"]
