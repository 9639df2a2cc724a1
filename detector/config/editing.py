"""Changes to the files that people keep: only what was changed is written anew, comments and order stay."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from detector.config.reading import demand, parse, read
from detector.config.rules import RuleSet
from detector.config.schema import PointFile, Seen, SiteFile, rules_model
from detector.config.settings import Settings
from detector.core.errors import BadConfig, BadInput, Fault
from detector.core.files import write_atomically
from detector.core.values import Point

T = TypeVar("T")

HISTORY: Final = "config-history"
"""The folder, below the state's, that keeps every text that was replaced here."""

KEYS: Final = ("id", "kind", "polygon", "permitted", "limits")
"""Of a zone, in the order in which a new one is written."""


class ChangedOnDisk(BadInput):
    """The file is not the one that was edited: somebody else has changed it meanwhile. Nothing was written."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as it is now. `seen` names this very text."""

    path: Path
    text: str

    @property
    def seen(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def tree(self) -> Any:  # noqa: ANN401  # plain values
        return parse(self.text)


def point_file(settings: Settings, point_id: str) -> KeptFile:
    """The file of a point. Raises BadInput where none gives that id any more."""
    folder = settings.folder / "points"
    usual = folder / f"{point_id}.yaml"
    for path in (usual, *sorted(folder.glob("*.y*ml"))):
        kept = _kept(path) if path.is_file() else None
        if kept is not None and isinstance(kept.tree, dict) and kept.tree.get("id") == point_id:
            return kept
    raise BadInput(f"no file in {folder} is of point {point_id!r}")


def site_file(settings: Settings) -> KeptFile:
    """Raises BadInput where it cannot be read."""
    return _kept(settings.folder / "kerbwatch.yaml")


def zones_in(kept: KeptFile, camera_id: str) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    """A camera's picture size and zones, as the file has them. Raises BadInput where it has no such camera."""
    view = _view(kept, camera_id)
    return tuple(view["resolution_wh"]), [dict(zone) for zone in view["zones"]]


def with_zones(kept: KeptFile, camera_id: str, zones: Sequence[Mapping[str, Any]]) -> str:
    """The file's text with these zones of a camera. Zones are found again by their id.

    What did not change keeps its very letters, comments included. Raises BadInput where the file is written in a
    way that cannot be changed so.
    """
    wanted = _plain([_ordered(zone) for zone in zones])
    place = _place_of(kept, camera_id)
    for text in _attempts(kept.text, place, wanted):
        if text is not None and _same(_parsed(text), _changed_view(kept, camera_id, {"zones": wanted})):
            return text
    raise BadInput(f"{kept.path} is written in a way that only a person can change; edit it by hand")


def without_example_mark(kept: KeptFile, camera_id: str) -> str:
    """The file's text after a camera's zones are confirmed: `example_zones` is gone from it, or false.

    Raises BadInput as `with_zones` does.
    """
    place = _place_of(kept, camera_id)
    found = _pairs(place).get("example_zones")
    if found is None:
        return kept.text
    key, value = found
    start = _line_start(kept.text, key.start_mark.index)
    own_line = not place.flow_style and not kept.text[start : key.start_mark.index].strip()
    edit = (
        (start, _content_end(kept.text, value), "")
        if own_line
        else (value.start_mark.index, value.end_mark.index, "false")
    )
    wanted = _changed_view(kept, camera_id, {"example_zones": None if own_line else False})
    return _verified(kept, _edited(kept.text, [edit]), wanted)


def with_resolution(
    kept: KeptFile, camera_id: str, resolution_wh: tuple[int, int], *, scale_zones: bool
) -> str:
    """The file's text with another picture size of a camera.

    Where `scale_zones`, corners keep their place relative to the picture's edges, in whole pixels; else they keep
    their pixels. Raises BadInput as `with_zones` does.
    """
    old_wh, zones = zones_in(kept, camera_id)
    text = kept.text
    if scale_zones:
        text = with_zones(kept, camera_id, [_scaled(zone, old_wh, resolution_wh) for zone in zones])
    moved = KeptFile(kept.path, text)
    pairs = _pairs(_place_of(moved, camera_id))
    if "resolution_wh" not in pairs:
        raise BadInput(f"{kept.path} does not say resolution_wh of {camera_id}; write it there by hand")
    key, value = pairs["resolution_wh"]
    start, end = value.start_mark.index, value.end_mark.index
    new = _flow(list(resolution_wh))
    if isinstance(value, yaml.CollectionNode) and not value.flow_style:
        start, end, new = key.start_mark.index, _content_end(text, value), f"resolution_wh: {new}\n"
    wanted = _changed_view(moved, camera_id, {"resolution_wh": list(resolution_wh)})
    return _verified(kept, _edited(text, [(start, end, new)]), wanted)


def _scaled(zone: Mapping[str, Any], old_wh: tuple[int, int], new_wh: tuple[int, int]) -> dict[str, Any]:
    """A zone as the file has it, its corners at the same place relative to the picture's edges."""
    (old_width, old_height), (width, height) = old_wh, new_wh
    corners = [[round(x * width / old_width), round(y * height / old_height)] for x, y in zone["polygon"]]
    return {**zone, "polygon": corners}


def _verified(kept: KeptFile, text: str, wanted: Mapping[str, Any]) -> str:
    """The text, if it says what is wanted. Raises BadInput."""
    if not _same(_parsed(text), wanted):
        raise BadInput(f"{kept.path} is written in a way that only a person can change; edit it by hand")
    return text


def _changed_view(kept: KeptFile, camera_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The file's plain values with some of a camera changed; None takes a key away."""
    tree = json.loads(json.dumps(kept.tree))
    for view in (tree, *tree.get("more_cameras", ())):
        if view.get("id") == camera_id:
            view.update(values)
            for key in (key for key, value in values.items() if value is None):
                del view[key]
    return dict(tree)


def rules_file(settings: Settings) -> KeptFile:
    """Raises BadInput where it cannot be read."""
    return _kept(settings.folder / "rules.yaml")


def values_in(kept: KeptFile, paths: Sequence[str]) -> dict[str, Any]:
    """The plain values that stand in a file under paths such as 'litter.dwell_s'; what does not is left out."""
    root, tree = _root(kept.text), kept.tree
    return {
        path: _value_at(tree, path) for path in paths if isinstance(_node_at(root, path), yaml.ScalarNode)
    }


def with_values(kept: KeptFile, values: Mapping[str, Any]) -> str:
    """The text of a file with other plain values; a path such as 'litter.dwell_s' leads into sections.

    A key of the file itself may be new. Raises BadInput as `with_zones` does.
    """
    edits, tree, root = [], json.loads(json.dumps(kept.tree)), _root(kept.text)
    for path, value in values.items():
        node = _node_at(root, path)
        if node is not None:
            edits.append((node.start_mark.index, node.end_mark.index, _flow(value)))
        elif "." not in path:
            edits.append((len(kept.text), len(kept.text), f"{path}: {_flow(value)}\n"))
        else:
            raise BadInput(f"{kept.path} does not say {path}; write it there by hand")
        section, _, key = path.rpartition(".")
        _value_at(tree, section)[key] = value
    text = _edited(kept.text, edits)
    if not _same(_parsed(text), tree):
        raise BadInput(f"{kept.path} is written in a way that only a person can change; edit it by hand")
    return text


def _root(text: str) -> yaml.Node | None:
    return yaml.compose(text, yaml.SafeLoader)


def _node_at(root: yaml.Node | None, path: str) -> yaml.Node | None:
    node = root
    for key in path.split("."):
        node = _pairs(node).get(key, (None, None))[1]
    return node


def _value_at(tree: Any, path: str) -> Any:  # noqa: ANN401  # plain values
    for key in path.split(".") if path else ():
        tree = tree[key]
    return tree


def checked_point(settings: Settings, kept: KeptFile, text: str) -> Point:
    """The point that a text gives, by the schema of its file. Raises BadConfig with every fault."""
    rules = Seen(rules=settings.rules)
    found = _checked(settings, kept, text, PointFile, rules)
    return found.value(settings.timezone, judge_example_zones=settings.judge_example_zones)


def checked_site(settings: Settings, kept: KeptFile, text: str) -> SiteFile:
    """Raises BadConfig with every fault."""
    return _checked(settings, kept, text, SiteFile, Seen())


def checked_rules(settings: Settings, kept: KeptFile, text: str) -> RuleSet:
    """Raises BadConfig with every fault."""
    return _checked(settings, kept, text, rules_model(), Seen()).value()


def save(settings: Settings, kept: KeptFile, text: str, at: datetime) -> Path:
    """Puts a text in place of the file, whole or not at all; returns where the old one is kept.

    Raises ChangedOnDisk where the file is not the one that was read, and BadInput where it cannot be written.
    """
    if _kept(kept.path).seen != kept.seen:
        raise ChangedOnDisk(f"{kept.path.name} was changed by somebody else meanwhile; nothing was written")
    folder = settings.state_root / HISTORY
    old = folder / f"{kept.path.stem}-{at:%Y%m%dT%H%M%S%fZ}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(old, kept.text.encode())
        write_atomically(kept.path, text.encode())
    except OSError as error:
        raise BadInput(f"{kept.path} cannot be written: {error.strerror}") from error
    return old


def _kept(path: Path) -> KeptFile:
    try:
        return KeptFile(path, path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def _checked(settings: Settings, kept: KeptFile, text: str, kind: type[T], seen: Seen) -> T:
    """What the very reader of the folder makes of a text, told of the file that it is for."""
    scratch = (
        settings.state_root / f".tmp-check-{os.getpid()}-{hashlib.sha256(text.encode()).hexdigest()}.yaml"
    )
    name = str(kept.path.relative_to(settings.folder))
    faults: list[Fault] = []
    try:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        value = read(scratch, kind, faults, seen)
    finally:
        scratch.unlink(missing_ok=True)
    demand([Fault(name, fault.place, fault.what, fault.suggestion) for fault in faults])
    assert value is not None
    return value


# Where in the text


def _place_of(kept: KeptFile, camera_id: str) -> yaml.MappingNode:
    """The node of the camera's mapping."""
    for node in _views(_root(kept.text)):
        pairs = _pairs(node)
        if "id" in pairs and pairs["id"][1].value == camera_id and "zones" in pairs:
            return node
    raise BadInput(f"{kept.path} has no camera {camera_id!r}")


def _views(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(root, yaml.MappingNode):
        yield root
        more = _pairs(root).get("more_cameras")
        if more is not None and isinstance(more[1], yaml.SequenceNode):
            yield from (node for node in more[1].value if isinstance(node, yaml.MappingNode))


def _pairs(node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _view(kept: KeptFile, camera_id: str) -> dict[str, Any]:
    tree = kept.tree
    for view in (tree, *tree.get("more_cameras", ())):
        if view.get("id") == camera_id:
            return dict(view)
    raise BadInput(f"{kept.path} has no camera {camera_id!r}")


# The new text


def _attempts(text: str, view: yaml.MappingNode, zones: list[dict[str, Any]]) -> Iterator[str | None]:
    """First with the fewest letters changed; then the zones written anew, whose comments are lost."""
    yield _gently(text, view, zones)
    key, value = _pairs(view)["zones"]
    indent = " " * key.start_mark.column
    lines = "".join(_zone_text(zone, indent + "  ") for zone in zones)
    ends = value.end_mark.index
    after = "" if text[:ends].endswith("\n") or not text[ends:].strip() else "\n"
    yield _edited(text, [(key.start_mark.index, ends, f"zones:\n{lines}{after}" if zones else "zones: []\n")])


def _gently(text: str, view: yaml.MappingNode, zones: list[dict[str, Any]]) -> str | None:
    """None where the zones are not a list in lines, or stand in another order."""
    _, sequence = _pairs(view)["zones"]
    if not isinstance(sequence, yaml.SequenceNode) or sequence.flow_style or not sequence.value:
        return None
    nodes = {str(_pairs(node)["id"][1].value): node for node in sequence.value if "id" in _pairs(node)}
    ids = [str(zone["id"]) for zone in zones]
    kept = [id_ for id_ in nodes if id_ in ids]
    if len(nodes) != len(sequence.value) or not kept or ids[: len(kept)] != kept:
        return None
    if any(node.flow_style for node in nodes.values()):
        return None
    starts = {id_: _line_start(text, node.start_mark.index) for id_, node in nodes.items()}
    order = [*starts.values(), _content_end(text, sequence.value[-1])]
    edits: list[tuple[int, int, str]] = []
    by_id = {str(zone["id"]): zone for zone in zones}
    for number, (id_, node) in enumerate(nodes.items()):
        if id_ in by_id:
            edits += _zone_edits(text, node, by_id[id_])
        else:
            edits.append((order[number], order[number + 1], ""))
    indent = " " * sequence.start_mark.column
    new = "".join(_zone_text(by_id[id_], indent) for id_ in ids[len(kept) :])
    if new:
        edits.append((order[-1], order[-1], new if text[: order[-1]].endswith("\n") else f"\n{new}"))
    return _edited(text, edits)


def _zone_edits(text: str, node: yaml.MappingNode, zone: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """What changes within one zone: values where they stand, lines that go, lines that come."""
    pairs, is_now = _pairs(node), _plain(parse_node(text, node))
    indent = " " * node.start_mark.column
    for key, (name, value) in pairs.items():
        if key not in zone:
            yield _line_start(text, name.start_mark.index), _content_end(text, value), ""
        elif is_now.get(key) != zone[key]:
            if isinstance(value, yaml.CollectionNode) and not value.flow_style:
                start, end = name.start_mark.index, _content_end(text, value)
                yield start, end, f"{key}: {_flow(zone[key])}\n"
            else:
                yield value.start_mark.index, value.end_mark.index, _flow(zone[key])
    end = _content_end(text, node)
    glue = "" if text[:end].endswith("\n") else "\n"
    for key in KEYS:
        if key in zone and key not in pairs:
            yield end, end, f"{glue}{indent}{key}: {_flow(zone[key])}\n"
            glue = ""


def parse_node(text: str, node: yaml.Node) -> Any:  # noqa: ANN401  # plain values
    """The plain values of a part of a text that begins in the middle of a line."""
    return parse(" " * node.start_mark.column + text[node.start_mark.index : node.end_mark.index])


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _content_end(text: str, node: yaml.Node) -> int:
    """Behind the line on which a node's last letter stands: block nodes of yaml end where the next one begins."""
    last = _last(node).end_mark.index
    end = text.find("\n", last)
    return len(text) if end < 0 else end + 1


def _last(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last(node.value[-1])
    return node


def _edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """From the end to the beginning; of insertions at one place the first stays first."""
    numbered = sorted(enumerate(edits), key=lambda pair: (*pair[1][:2], pair[0]), reverse=True)
    for _, (start, end, new) in numbered:
        text = text[:start] + new + text[end:]
    return text


def _ordered(zone: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in their usual order; those that say nothing are left out."""
    return {key: zone[key] for key in KEYS if key in zone and zone[key] not in ([], {}, None)}


def _zone_text(zone: Mapping[str, Any], indent: str) -> str:
    lines = [f"{key}: {_flow(value)}\n" for key, value in zone.items()]
    return "".join(f"{indent}{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines))


def _flow(value: object) -> str:
    """A value on one line, as this project's reader reads it: a text in quotes is a text."""
    if isinstance(value, str) and value.replace("_", "a").replace("-", "a").isalnum() and value[0].isalpha():
        return value if parse(value) == value else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(part) for part in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:  # noqa: ANN401  # plain values
    """Whole numbers as such, so that 12.0 and 12 are one way of writing."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def _same(one: object, other: object) -> bool:
    return bool(json.dumps(_plain(one), sort_keys=True) == json.dumps(_plain(other), sort_keys=True))


def _parsed(text: str) -> object:
    try:
        return parse(text)
    except yaml.YAMLError:
        return None


__all__ = [
    "HISTORY",
    "BadConfig",
    "ChangedOnDisk",
    "KeptFile",
    "checked_point",
    "checked_rules",
    "checked_site",
    "point_file",
    "rules_file",
    "save",
    "site_file",
    "values_in",
    "with_resolution",
    "with_values",
    "with_zones",
    "without_example_mark",
    "zones_in",
]
