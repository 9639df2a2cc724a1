"""Ed25519 keys in PEM files. The private key lies outside the database and in no backup."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from detector.core.errors import BadInput
from detector.core.files import sync

SIGNATURE_BYTES = 64
"""Length of an Ed25519 signature."""

LARGEST_KEY_FILE = 10_000
"""Bytes. No PEM file of one key is larger; a larger file is not read."""

OTHERS_MAY_READ = 0o007
"""Bits of a file's mode that let accounts outside its group use it; a private key must have none of them."""


class BadKey(BadInput):
    """A key is missing, cannot be read, or is not an Ed25519 key in a PEM file."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What checks signatures. It may be given to anyone."""

    _key: Ed25519PublicKey

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key of a file, be it public or private. Raises BadKey."""
        content = _content(path)
        try:
            if b"PRIVATE KEY" in content:
                return cls(_private(content, path).public_key())
            key = serialization.load_pem_public_key(content)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadKey(f"{path}: is no key in a PEM file") from error
        if not isinstance(key, Ed25519PublicKey):
            raise BadKey(f"{path}: is no Ed25519 key")
        return cls(key)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the key: the beginning of the SHA-256 of its 32 bytes."""
        raw = self._key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return hashlib.sha256(raw).hexdigest()[:16]

    @property
    def pem(self) -> str:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(serialization.Encoding.PEM, form).decode()

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Return whether the holder of the private key signed exactly this content."""
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What makes signatures. Never printed, never kept anywhere but in its file."""

    _key: Ed25519PrivateKey

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises BadKey, also where accounts outside the file's group may read it."""
        key = _private(_content(path), path)
        if path.stat().st_mode & OTHERS_MAY_READ:
            raise BadKey(
                f"{path}: every account of this machine may read the private key; run: chmod o= {path}"
            )
        return cls(key)

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """The signature, SIGNATURE_BYTES long. The same content gives the same bytes."""
        return self._key.sign(content)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.fingerprint})"


def signing_key(path: Path) -> SigningKey | None:
    """The private key of a file; None where there is no such file. Raises BadKey."""
    return SigningKey.read(path) if path.exists() else None


def make_key(path: Path) -> SigningKey:
    """Make a private key, with its public key beside it as FINGERPRINT.pub; a key that is there stays as it is.

    Only the owner may read the file. Raises BadKey where it cannot be written.
    """
    if (there := signing_key(path)) is not None:
        return there
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        _write_new(unfinished, content)
        # A link does not replace a key that another process has made meanwhile, as a rename would.
        os.link(unfinished, path)
        _write_public(path.parent, PublicKey(key.public_key()))
        sync(path.parent)
    except FileExistsError:
        pass
    except OSError as error:
        raise BadKey(
            f"{path}: the key cannot be written ({error.strerror}); name another key_file"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return SigningKey.read(path)


def known_keys(folder: Path) -> tuple[PublicKey, ...]:
    """The public keys of a folder, those of earlier private keys among them. Raises BadKey."""
    return tuple(PublicKey.read(path) for path in sorted(folder.glob("*.pub")))


def _write_new(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _write_public(folder: Path, key: PublicKey) -> None:
    path = folder / f"{key.fingerprint}.pub"
    path.write_text(key.pem, encoding="utf-8")
    sync(path)


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadKey(f"{path}: there is no such key file")
        with path.open("rb") as file:
            return file.read(LARGEST_KEY_FILE)
    except OSError as error:
        raise BadKey(f"{path}: cannot be read ({error.strerror})") from error


def _private(content: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{path}: is no private key in a PEM file without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path}: is no Ed25519 key")
    return key
