"""Files that people attach: named by their own hash, on the disk whole before a row speaks of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType

from detector.core.errors import BadInput, StorageFull
from detector.core.files import is_disk_full, write_atomically
from detector.issues.values import Attachment, AttachmentKind, NewAttachment

LARGEST_BYTES = 20_000_000

LONGEST_NAME = 120

_KINDS: Mapping[bytes, tuple[str, str]] = MappingProxyType(
    {
        b"\xff\xd8\xff": ("image/jpeg", ".jpg"),
        b"\x89PNG\r\n\x1a\n": ("image/png", ".png"),
        b"%PDF-": ("application/pdf", ".pdf"),
    }
)
"""By the first bytes of a file, whatever it is called: its media type and its ending."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as somebody hands it in."""

    name: str
    content: bytes

    @classmethod
    def of(cls, path: Path) -> Upload:
        """Raises BadInput for what cannot be read."""
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise BadInput(f"{path}: {_too_large(path.stat().st_size)}")
            return cls(path.name, path.read_bytes())
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}") from error


class AttachmentStore:
    """Attached files below a folder. The same content is kept once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, upload: Upload, kind: AttachmentKind) -> NewAttachment:
        """Makes a file safe. Raises BadInput for what is no JPEG, PNG or PDF, or too large, and StorageFull."""
        media_type = self._media_type(upload)
        digest = hashlib.sha256(upload.content).hexdigest()
        path = self._path(digest, media_type)
        if not path.is_file():
            _write_whole(path, upload.content)
        name = PurePath(upload.name.replace("\\", "/")).name
        name = "".join(c for c in name if c.isprintable())[-LONGEST_NAME:] or path.name
        return NewAttachment(kind, name, media_type, digest, len(upload.content))

    def _media_type(self, upload: Upload) -> str:
        if len(upload.content) > LARGEST_BYTES:
            raise BadInput(f"{upload.name}: {_too_large(len(upload.content))}")
        for start, (media_type, _) in _KINDS.items():
            if upload.content.startswith(start):
                return media_type
        raise BadInput(f"{upload.name}: is neither a JPEG nor a PNG picture nor a PDF")

    def path(self, attachment: Attachment | NewAttachment) -> Path:
        return self._path(attachment.sha256, attachment.media_type)

    def fault(self, attachment: Attachment) -> str | None:
        """What is wrong with an attached file, in words, or None."""
        path = self.path(attachment)
        try:
            content = path.read_bytes()
        except OSError as error:
            return f"{path}: {error.strerror}"
        changed = hashlib.sha256(content).hexdigest() != attachment.sha256
        return f"{path}: was changed, its hash does not fit" if changed else None

    def _path(self, digest: str, media_type: str) -> Path:
        ending = next(ending for known, ending in _KINDS.values() if known == media_type)
        return self.root / digest[:2] / f"{digest}{ending}"


def _too_large(size: int) -> str:
    return f"is of {size / 1e6:.1f} MB, {LARGEST_BYTES / 1e6:.0f} MB are allowed"


def _write_whole(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull from error
        raise BadInput(f"{path.parent} cannot be written: {error.strerror}") from error
