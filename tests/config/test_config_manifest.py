"""The manifest of weights, and how a training enters its own."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from detector.config.manifest import WeightsPart, load_manifest, with_entry

PLAIN = """# Weights that kerbwatch knows.
yolov8n:
  file: yolov8n.pt
  sha256: {zeros}
  size_bytes: 6
  classes: coco80
  licence: AGPL-3.0
  sources:
    - path:~/yolov8n.pt
""".format(zeros="0" * 64)


def part(size_bytes: int, sources: tuple[str, ...] = ()) -> WeightsPart:
    return WeightsPart(
        file="litter.pt",
        sha256="a" * 64,
        size_bytes=size_bytes,
        classes="rubbish",
        licence="AGPL-3.0",
        sources=list(sources),
    )


def test_a_new_entry_is_added_and_the_rest_stays_to_the_letter(tmp_path: Path) -> None:
    text = with_entry(PLAIN, "litter", part(7))
    assert text.startswith(PLAIN)
    (tmp_path / "manifest.yaml").write_text(text)
    assert load_manifest(tmp_path).weights["litter"] == part(7)


@given(first=st.booleans(), sizes=st.lists(st.integers(1, 10**9), min_size=1, max_size=3))
def test_an_entry_is_replaced_wherever_it_stands(first: bool, sizes: list[int]) -> None:
    entry = with_entry("", "litter", part(5, ("path:a", "path:b")))
    text = entry + PLAIN if first else PLAIN + entry
    for size in sizes:
        text = with_entry(text, "litter", part(size))
    assert PLAIN in text
    assert list(yaml.safe_load(text)) == (["litter", "yolov8n"] if first else ["yolov8n", "litter"])
    assert yaml.safe_load(text)["litter"]["size_bytes"] == sizes[-1]
