"""Requests to a time stamp authority (RFC 3161), for a site that has one: it signs that content existed at a time."""

from __future__ import annotations

import hashlib
from typing import Final

_SHA256_OID: Final = bytes.fromhex("0609608648016503040201")
"""The DER form of the object identifier 2.16.840.1.101.3.4.2.1, which names SHA-256."""


def timestamp_request(content: bytes, nonce: int) -> bytes:
    """The DER form of a TimeStampReq over the SHA-256 of `content`, which asks for the authority's certificate.

    `nonce` is 0 or more, and comes back in the answer. Send it with the type application/timestamp-query; check the
    answer with `openssl ts -verify`.
    """
    algorithm = _der(0x30, _SHA256_OID + _der(0x05, b""))
    imprint = _der(0x30, algorithm + _der(0x04, hashlib.sha256(content).digest()))
    return _der(0x30, _integer(1) + imprint + _integer(nonce) + _der(0x01, b"\xff"))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    """A value below 128 bytes, which all of a request's are."""
    if len(content) > 127:
        raise ValueError(f"a value of a request has at most 127 bytes, got {len(content)}")
    return bytes([tag, len(content)]) + content
