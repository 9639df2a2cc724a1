"""What a template that an office edits may do: read the fields it is given, and repeat, choose and format them.

Jinja's own sandbox keeps templates from Python's internals. Here they get no attribute of any object but of plain values
either, for a picture in a field leads to the library that writes files.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, MethodType
from typing import Any, Final

from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 100_000
"""Characters or items: the most that one multiplication, padding or range of a template may make."""

_PLAIN: Final = (str, int, float, list, tuple, dict, Mapping, range)
_WIDTH = re.compile(r"\d{5,}")


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The environment in which templates are filled in. What it refuses raises SecurityError."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # as in the library
        super().__init__(undefined=StrictUndefined, autoescape=True, **options)
        names = ("range", "dict", "namespace")
        self.globals = {name: self.globals[name] for name in names}
        self.filters = {name: _limited(name, call) for name, call in self.filters.items()}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401  # as in the library
        plain = isinstance(obj, (*_PLAIN, LoopContext)) or type(obj).__name__ == "Namespace"
        return plain and super().is_safe_attribute(obj, attr, value)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ANN401  # as in the library
        if isinstance(obj, (MethodType, BuiltinFunctionType)):
            own = obj.__self__
            return isinstance(own, (*_PLAIN, LoopContext)) and obj.__name__ not in (
                "ljust",
                "rjust",
                "center",
                "zfill",
                "expandtabs",
            )
        known = isinstance(obj, (Macro, LoopContext, _Formatting)) or obj in self.globals.values()
        return known and super().is_safe_callable(obj)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401  # as in the library
        if operator == "**":
            raise SecurityError("powers are not computed in a template")
        sizes = [len(one) for one in (left, right) if isinstance(one, (str, list, tuple))]
        times = [one for one in (left, right) if isinstance(one, int)]
        if operator == "*" and sizes and times and sizes[0] * times[0] > LONGEST:
            raise SecurityError(f"a multiplication makes more than {LONGEST} characters or items")
        if operator == "%" and isinstance(left, str):
            _demand_narrow(left)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401  # as in the library
        formatting = super().wrap_str_format(value)
        if formatting is None:
            return None
        _demand_narrow(value.__self__)
        return _Formatting(formatting)


@dataclass(frozen=True, slots=True)
class _Formatting:
    """The method str.format as the sandbox wraps it."""

    wrapped: Callable[..., str]

    def __call__(self, *arguments: Any, **named: Any) -> str:  # noqa: ANN401  # as in the library
        return self.wrapped(*arguments, **named)


def _demand_narrow(text: str) -> None:
    if _WIDTH.search(text) or "*" in text:
        raise SecurityError(
            "a width of five digits or more, or a variable one, is not formatted in a template"
        )


def _limited(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that pads by a width has no wide one; others are as they are."""
    if name in ("center", "indent", "format", "filesizeformat"):
        return _narrow_format if name == "format" else _narrow(call)
    return call


def _narrow_format(value: str, *arguments: Any, **named: Any) -> str:  # noqa: ANN401  # as in the library
    _demand_narrow(str(value))
    return str(value) % (named or arguments)


def _narrow(call: Callable[..., Any]) -> Callable[..., Any]:
    def limited(value: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as in the library
        if any(isinstance(one, int) and one > LONGEST for one in (*arguments, *named.values())):
            raise SecurityError(f"a width has at most {LONGEST} characters")
        return call(value, *arguments, **named)

    return limited


class WordTemplate(DocxTemplate):  # type: ignore[misc]  # the library has no types
    """A template of Word that knows which of its paragraphs is being filled in."""

    source = ""

    def render_xml_part(self, src_xml: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as in the library
        self.source = re.sub(r"<w:p([ >])", r"\n<w:p\1", src_xml)
        return super().render_xml_part(src_xml, *arguments, **named)

    def place_of(self, error: BaseException) -> str:
        """The line that an error is about, counted in paragraphs, with its beginning; '' where that is unknown."""
        number = _line_of(error)
        lines = self.source.splitlines()
        if number is None or not 0 < number <= len(lines):
            return ""
        words = re.sub(r"<[^>]+>", "", lines[number - 1]).strip()
        return f"line {max(1, number - 1)} ({words[:60]}): "


def _line_of(error: BaseException) -> int | None:
    """The line of the template, from 1: of its syntax, or of what was computed last."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == "<template>"), None)
