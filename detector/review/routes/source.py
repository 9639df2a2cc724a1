"""The source offer of AGPL section 13: everybody who reaches the program can take its source."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from detector import __version__
from detector.review.access import Open
from detector.review.source import source_archive

router = APIRouter(include_in_schema=False)


@router.get("/source")
def source(_: Open) -> Response:
    """The source of what runs here, as .tar.gz."""
    name = f"kerbwatch-{__version__}-source.tar.gz"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "public, max-age=3600",
    }
    return Response(source_archive(), media_type="application/gzip", headers=headers)
