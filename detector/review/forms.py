"""Forms that people send: their fields, and the token that shows that our own page sent them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from detector.review.access import ChecksToken, is_form, refuse_other_sites, same, visitor_of
from detector.review.refusals import Refused

VISIT_COOKIE = "kerbwatch_visit"
"""A random secret of a browser that is not signed in; what its forms must send back is its hash."""

LONGEST_FIELD = 4000

Form = Mapping[str, str]


def csrf_of(request: Request) -> tuple[str, str | None]:
    """What a form of this page must send back; and a new visit's secret where the browser needs one for it."""
    visitor = visitor_of(request)
    if visitor is not None and visitor.csrf:
        return visitor.csrf, None
    visit = request.cookies.get(VISIT_COOKIE)
    if visit:
        return _of_visit(visit), None
    visit = secrets.token_urlsafe(32)
    return _of_visit(visit), visit


def _of_visit(visit: str) -> str:
    return hashlib.sha256(f"csrf {visit}".encode("utf-8", "surrogatepass")).hexdigest()


async def form_of(request: Request) -> Form:
    """The text fields of a form. Raises Refused where it was not sent by our own page in this session."""
    refuse_other_sites(request)
    if not is_form(request):
        raise Refused(415, "not_a_form", "this is not a form")
    try:
        async with request.form(max_files=0, max_fields=50) as sent:
            fields = {name: value for name, value in sent.items() if not isinstance(value, UploadFile)}
    except HTTPException as error:  # starlette's word for a form that cannot be read
        raise Refused(422, "bad_input", str(error.detail)) from error
    if any(len(value) > LONGEST_FIELD or "\x00" in value for value in fields.values()):
        raise Refused(422, "bad_input", "a field is too long, or holds what is no text")
    await run_in_threadpool(require_token, request, fields.get("csrf", ""))
    return fields


def require_token(request: Request, sent: str) -> None:
    """Raises Refused where `sent` is not the token of this session, or of this visit before the sign-in."""
    expected, new_visit = csrf_of(request)
    if new_visit is not None or not same(sent, expected):
        raise Refused(403, "forged", "the form is too old, or was not sent by this page")


class ReadsForm(ChecksToken):
    """`form_of` as a dependency."""

    async def __call__(self, request: Request) -> Form:
        return await form_of(request)


Fields = Annotated[Form, Depends(ReadsForm())]
