"""Files to checked values: YAML or JSON in, and every fault in plain words, each with its place."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from detector.core.errors import BadConfig, Fault

_INDICATORS: Final = "[{-:?"
"""Each level of nesting in a YAML text takes one of these characters."""

MOST_INDICATORS: Final = 5000
"""Number of indicators in a text; one with more is read in Python, which refuses deep nesting with an error.

libyaml's reader overflows the stack of the process between 20,000 and 40,000 levels.
"""

Loc = tuple[int | str, ...]
T = TypeVar("T")


class Part(BaseModel):
    """A mapping of a configuration file; a key that it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def wrong(what: str, suggestion: str | None = None) -> PydanticCustomError:
    """What a validator raises: the fault's own words, and what might be meant."""
    return PydanticCustomError("fault", "{what}", {"what": what, "suggestion": suggestion})


def nearest(word: object, options: Iterable[str]) -> str | None:
    """The option that `word` was most likely meant to be, whatever its case; None where none is like it."""
    by_lower = {option.lower(): option for option in options}
    found = difflib.get_close_matches(str(word).lower(), by_lower, 1)
    return by_lower[found[0]] if found else None


def read(path: Path, kind: type[T], faults: list[Fault], context: object = None) -> T | None:
    """The file's content as a value of `kind`, or None; what is wrong with it is added to `faults`."""
    tree = _tree(path, faults)
    if tree is None:
        return None
    try:
        return TypeAdapter(kind).validate_python(tree, context=context)
    except ValidationError as error:
        faults += faults_of(error, kind, str(path))
        return None


def parse(text: str) -> object:
    """A YAML text's plain values. Raises yaml.YAMLError.

    libyaml reads eight times faster. What it refuses is read again in Python, whose messages name the fault better.
    """
    if sum(map(text.count, _INDICATORS)) <= MOST_INDICATORS:
        with contextlib.suppress(yaml.YAMLError):
            return yaml.load(text, _FastLoader)  # noqa: S506  # a SafeLoader
    return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader


def demand(faults: Sequence[Fault]) -> None:
    """Raises BadConfig with all faults, by file and place, if there are any."""
    if faults:
        raise BadConfig(sorted(set(faults), key=lambda f: (_natural(f.file), _natural(f.place), f.what)))


def faults_of(error: ValidationError, kind: object, file: str) -> list[Fault]:
    """Pydantic's errors in plain words; a key left out by a slip of the pen is told once, as the slip."""
    errors = error.errors(include_url=False)
    missing = [one["loc"] for one in errors if one["type"] == "missing"]
    faults: list[Fault] = []
    meant: set[Loc] = set()
    for one in errors:
        parent, key = one["loc"][:-1], one["loc"][-1:]
        suggestion = one.get("ctx", {}).get("suggestion")
        if one["type"] == "extra_forbidden":
            left_out = [str(loc[-1]) for loc in missing if loc[:-1] == parent and loc not in meant]
            suggestion = nearest(key[0], left_out) or nearest(key[0], _keys_at(kind, parent))
            meant.add((*parent, str(suggestion)))
        elif one["type"] in ("enum", "literal_error"):
            suggestion = nearest(one["input"], _options(one))
        faults.append(Fault(file, place_of(one["loc"]), _in_words(one), suggestion))
    slips = {place_of(loc) for loc in meant}
    return [f for f in faults if not (f.what == _IS_MISSING and f.place in slips)]


def place_of(loc: Sequence[int | str]) -> str:
    """('zones', 2, 'polygon') as 'zones[2].polygon'."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc if part != "[key]")
    return "".join(parts).removeprefix(".")


class _Mapping(dict[Any, Any]):
    """A mapping as it was written; `repeated` are the keys that stand in it more than once."""

    repeated: tuple[str, ...] = ()


class _Loader(yaml.SafeLoader):
    """YAML in which only plain numbers, true, false and null are not text.

    So 0505 stays a code, 19:00 a time of day, and `no` a word: YAML 1.1 reads 325, 1140 and false.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # yaml's own way


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # absent without libyaml
    """The same YAML, read by libyaml where it is installed."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def _construct_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Iterator[_Mapping]:
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
    made = _Mapping()
    yield made
    made.update(loader.construct_mapping(node, deep=True))
    made.repeated = tuple(sorted({key for key in keys if keys.count(key) > 1}))


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)",
     list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):  # fmt: skip
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
for _kind in (_Loader, _FastLoader):
    _kind.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def _tree(path: Path, faults: list[Fault]) -> object:
    """The file's plain values; None, with a fault, where it has none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = json.loads(text, object_pairs_hook=_pairs) if path.suffix == ".json" else parse(text)
        repeated = list(_repeated(tree, ()))
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        faults.append(Fault(str(path), "", "no such file", nearest(path.name, siblings)))
    except OSError as error:
        faults.append(Fault(str(path), "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        faults.append(Fault(str(path), "", f"is not UTF-8 text (byte {error.start}); save it as UTF-8"))
    except yaml.YAMLError as error:
        faults.append(Fault(str(path), "", _syntax(error)))
    except ValueError as error:
        faults.append(Fault(str(path), "", f"cannot be read: {error}"))
    except RecursionError:
        faults.append(Fault(str(path), "", "is nested too deeply, or contains itself"))
    else:
        faults += [Fault(str(path), place_of(loc), "stands here more than once") for loc in repeated]
        if tree is None:
            faults.append(Fault(str(path), "", "is empty"))
        return tree
    return None


def _pairs(pairs: list[tuple[str, Any]]) -> _Mapping:
    made = _Mapping(pairs)
    keys = [key for key, _ in pairs]
    made.repeated = tuple(sorted({key for key in keys if keys.count(key) > 1}))
    return made


def _repeated(tree: object, loc: Loc) -> Iterator[Loc]:
    if isinstance(tree, _Mapping):
        yield from ((*loc, key) for key in tree.repeated)
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in parts:
        yield from _repeated(value, (*loc, key))


def _syntax(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"is not YAML: a character that no text file holds (#x{error.character:04x})"
    if not isinstance(error, yaml.MarkedYAMLError):
        return "is not YAML"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    what, _, _ = str(error.problem or error.context).partition(
        ", but "
    )  # what follows is yaml's own shorthand
    return f"is not YAML: {where}{what}"


_IS_MISSING: Final = "is missing"
_WORDS: Final = {
    "extra_forbidden": "unknown key",
    "missing": _IS_MISSING,
    "greater_than": "{shown} is not above {gt:g}",
    "greater_than_equal": "{shown} is below {ge:g}",
    "less_than": "{shown} is not below {lt:g}",
    "less_than_equal": "{shown} is above {le:g}",
    "finite_number": "{shown} is not a number with an end",
    "float_type": "{shown} is not a number",
    "int_type": "{shown} is not a whole number",
    "int_from_float": "{shown} is not a whole number",
    "bool_type": "{shown} is neither true nor false",
    "string_type": "{shown} is not text (put it in quotes if it is meant as text)",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "list_type": "{shown} is not a list",
    "dict_type": "{shown} is not a mapping of keys to values",
    "model_type": "{shown} is not a mapping of keys to values",
    "enum": "{shown} is none of {options}",
    "literal_error": "{shown} is none of {options}",
    "invalid_key": "the key is not text",
    "fault": "{what}",
}


def _in_words(error: ErrorDetails) -> str:
    words = _WORDS.get(error["type"])
    if words is None:
        return error["msg"]
    known = {"shown": shown(error["input"]), "options": ", ".join(_options(error))}
    return words.format(**known | error.get("ctx", {}))


def _options(error: ErrorDetails) -> list[str]:
    """The words that an enum or a literal allows, out of pydantic's "'a', 'b' or 'c'"."""
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def shown(value: object) -> str:
    """A value of a file as a person would point at it, short."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _keys_at(kind: object, loc: Loc) -> list[str]:
    """The keys that the mapping at `loc` of a `kind` may have."""
    kind = _bare(kind)
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _bare(kind.model_fields[str(part)].annotation)
        else:
            kind = _bare(get_args(kind)[-1])
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _bare(kind: object) -> object:
    """The type without Annotated and `| None`."""
    while get_origin(kind) in (Annotated, Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return kind


def _natural(text: str) -> list[str | int]:
    """So that zones[2] stands before zones[10]."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", text)]
