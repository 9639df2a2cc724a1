"""Where observations and evidence lie: a folder, or a bucket of an object store. One door for both."""

from __future__ import annotations

from pathlib import Path

from detector.core.errors import BadInput
from detector.storage.folder import FolderStore
from detector.storage.store import BadName, Root, Store, StoreAway, StoredFile, checked_name, is_normal

__all__ = [
    "BadName",
    "FolderStore",
    "Root",
    "Store",
    "StoreAway",
    "StoredFile",
    "checked_name",
    "is_normal",
    "open_store",
]


def open_store(root: Root) -> Store:
    """The store at a folder's path, or at a URL such as s3://bucket/kerbwatch. Raises BadInput for any other URL."""
    if isinstance(root, Path):
        return FolderStore(root)
    if not root.startswith("s3://"):
        raise BadInput(f"{root}: only a folder or s3://BUCKET/PLACE can hold observations and evidence")
    try:
        from detector.storage.bucket import BucketStore  # noqa: PLC0415  # only with the extra
    except ModuleNotFoundError as error:
        if error.name not in ("aiohttp", "botocore", "fsspec", "s3fs"):
            raise
        raise BadInput(f"{root} needs s3fs: pip install 'kerbwatch[s3]'") from error
    return BucketStore(root)
