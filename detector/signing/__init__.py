"""Signatures of a county: who made a backup, evidence or the head of a history, and whether it was changed since."""

from __future__ import annotations

from detector.signing.keys import BadKey, PublicKey, SigningKey, known_keys, make_key, signing_key
from detector.signing.timestamps import timestamp_request

__all__ = [
    "BadKey",
    "PublicKey",
    "SigningKey",
    "known_keys",
    "make_key",
    "signing_key",
    "timestamp_request",
]
