"""Word documents from templates that an office edits in Word: fields in double braces, filled in."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from docx.image.image import Image as DocxImage
from docx.opc.exceptions import OpcError
from docx.opc.packuri import PackURI
from docx.package import ImageParts
from docx.parts.image import ImagePart
from docx.shared import Mm
from docxtpl import InlineImage
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from detector.core.errors import BadInput
from detector.reporting.pictures import Picture
from detector.reporting.sandbox import TemplateSandbox, WordTemplate

_BROKEN = (SyntaxError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What filling in a template raises besides Jinja's own errors: the template's fault, never the program's."""

TEMPLATES = ("letter.docx", "brief.docx")
OWN_TEMPLATES = "templates"
"""The folder, inside a working folder, in which an office keeps templates of its own."""


def template_file(name: str, working_folder: Path | None) -> tuple[str, bytes]:
    """A template's name for messages and its bytes: the working folder's own where it has one, else the default."""
    own = working_folder / OWN_TEMPLATES / name if working_folder else None
    if own is not None and own.is_file():
        return str(own), own.read_bytes()
    return name, (files("detector.reporting") / "templates" / name).read_bytes()


def write_templates(working_folder: Path) -> list[Path]:
    """Copy the default templates into a working folder, to be edited; those that are there stay as they are."""
    written = []
    for name in TEMPLATES:
        path = working_folder / OWN_TEMPLATES / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(template_file(name, None)[1])
            written.append(path)
    return written


class Document:
    """One Word document in the making. `file` names the template in messages."""

    def __init__(self, file: str, template: bytes) -> None:
        self._file = file
        try:
            self._template = WordTemplate(io.BytesIO(template))
            self._template.init_docx()
            package = self._template.docx.part.package
        except (
            OpcError,
            zipfile.BadZipFile,
            KeyError,
            ValueError,
            SyntaxError,
        ) as error:  # lxml's errors of syntax are Python's
            raise BadInput(f"{file}: not a Word document (.docx): {error}") from error
        package.__dict__["image_parts"] = _ImageParts(package.image_parts)

    def picture(
        self, picture: Picture | None, within_mm: tuple[float, float], instead: str = "无图片"
    ) -> InlineImage | str:
        """A picture to be put in place of a field, no wider and no higher than this; words where there is none."""
        if picture is None:
            return instead
        width = min(within_mm[0], within_mm[1] * picture.width / picture.height)
        return InlineImage(self._template, io.BytesIO(picture.jpeg), width=Mm(width))

    def filled(self, fields: Mapping[str, Any]) -> bytes:
        """The document with its fields filled in. Raises BadInput, naming the template and what is wrong with it."""
        # Its autoescape keeps an '&' in a name from breaking the file.
        try:
            self._template.render(dict(fields), TemplateSandbox(), autoescape=True)
        except TemplateError as error:
            raise self._broken(error, error.message or "") from error
        except _BROKEN as error:
            raise self._broken(error, str(error) or type(error).__name__) from error
        made = io.BytesIO()
        self._template.save(made)
        return made.getvalue()

    def _broken(self, error: BaseException, what: str) -> BadInput:
        refused = (
            "asks for something that templates may not do"
            if isinstance(error, SecurityError)
            else "is broken"
        )
        return BadInput(f"{self._file}: {self._template.place_of(error)}the template {refused}: {what}")


class _ImageParts(ImageParts):
    """Pictures of a package, found by hash. The library's own hashes every picture again for each that is added:
    1,000 pictures took a minute.
    """

    def __init__(self, parts: ImageParts) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._by_hash: dict[str, ImagePart] = {}
        for part in parts:
            self.append(part)

    def get_or_add_image_part(self, image_descriptor: Any) -> ImagePart:  # noqa: ANN401  # as in the library
        image = DocxImage.from_file(image_descriptor)
        digest = hashlib.sha256(image.blob).hexdigest()
        if digest not in self._by_hash:
            name = PackURI(f"/word/media/evidence{len(self._by_hash) + 1}.{image.ext}")
            part = ImagePart.from_image(image, name)
            self.append(part)
            self._by_hash[digest] = part
        return self._by_hash[digest]
