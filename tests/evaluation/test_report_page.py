"""The page of a report."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from scored import clip, event, finding, score

from detector.core.values import Violation
from detector.evaluation.compare import differences
from detector.evaluation.evaluate import Drop, Evaluation, Pictured, Shot
from detector.evaluation.report import write_report
from detector.evaluation.work import Trials

pytest_plugins = ["archive_fixture"]


class _Balanced(HTMLParser):
    """Fails where a tag is closed that was not opened last."""

    EMPTY = ("meta", "img", "br", "polygon", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag not in (*self.EMPTY, "html"):
            assert self.open.pop() == tag


def _trials() -> Trials:
    shots = tuple(Shot(float(i), f"stills/x-{i}.jpg") for i in range(3))
    pictures = (
        Pictured("miss", None, 1, of_fault=False, shots=shots),
        Pictured("false", 1, None, of_fault=False, shots=shots),
        Pictured("match", 0, 0, of_fault=False, shots=shots),
    )
    labelled = clip((event(0, 300), event(1000, 1300)))
    found = (finding(1, 300), finding(2000, 2300))
    reason = Drop(Violation.ILLEGAL_PARKING, "kerb", "different objects in the same place")
    one = score(labelled, found, pictures=pictures, dropped=(reason,))
    sparse = Evaluation((score(labelled),))
    return Trials(Evaluation((one,)), {4.0: sparse}, sparse)


def test_a_page_has_pictures_of_every_miss_and_false_alarm_and_fetches_nothing(tmp_path: Path) -> None:
    trials = _trials()
    assert trials.other is not None
    page = write_report(
        tmp_path, trials, {"on": "<labels>"}, differences(trials.evaluation, trials.other)
    ).read_text(encoding="utf-8")
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == ["html"]
    assert parser.sources == [f"stills/x-{i}.jpg" for _ in range(3) for i in range(3)]
    assert "://" not in page
    assert "漏报 Missed (1)" in page
    assert "误报 False alarm (1)" in page
    assert "different objects in the same place" in page
    assert "a &lt;red&gt; van" in page
    assert "&lt;labels&gt;" in page
    assert "x 4" in page
    assert "仅现行规则 only these" in page


def test_labelled_and_found_boxes_are_drawn_in_pixels_of_the_clip(tmp_path: Path) -> None:
    page = write_report(tmp_path, _trials(), {}).read_text(encoding="utf-8")
    boxes = re.findall(r"<rect x='(\d+)' y='(\d+)' width='(\d+)' height='(\d+)'[^>]*stroke='(#\w+)'", page)
    assert len(boxes) == 3 * (1 + 1 + 2)
    assert {box[:4] for box in boxes} == {("192", "270", "192", "162")}
    assert {box[4] for box in boxes} == {"#28e070", "#ff4040"}


@pytest.mark.slow
def test_a_made_case_is_composed_scored_and_shown(tmp_path: Path, weights: Path) -> None:
    import json

    from made_archive import kerbwatch

    report, kept, out = tmp_path / "report", tmp_path / "kept", tmp_path / "scores.json"
    done = kerbwatch(
        "evaluate", "--made", "0.1", "--seed", "7", "--cases", "parked", "--html", report, "--keep", kept,
        "--json", out, "--cadence-factor", "6",
    )  # fmt: skip
    assert done.code == 0, done.err
    scores = json.loads(out.read_text(encoding="utf-8"))
    assert scores["overall"]["events"] == 1
    assert scores["overall"]["matched"] == 1
    assert scores["overall"]["start_error_s"]["max"] <= 3
    assert {one["factor"]: one["recall"] for one in scores["by_cadence"]} == {1.0: 1.0, 6.0: 0.0}
    page = (report / "index.html").read_text(encoding="utf-8")
    stills = re.findall(r"src='([^']+)'", page)
    assert len(stills) == 3
    assert all((report / name).stat().st_size > 5000 for name in stills)
    assert kerbwatch("evaluate", kept, "--imgsz", "32x64", "--json", out).code == 0
    assert json.loads(out.read_text("utf-8"))["overall"]["matched"] == 0, (
        "too small a picture to see a car in"
    )
    assert kerbwatch("evaluate", kept, "--precision", "f32", "--json", out).code == 0
    unknown = kerbwatch("evaluate", kept, "--precision", "f16")
    assert unknown.code == 2
    assert "none of int8, bf16, f32" in unknown.err
    wrong = kerbwatch("evaluate", kept, "--imgsz", "300x480")
    assert (wrong.code, "multiples of 32" in wrong.err) == (2, True)


@pytest.mark.slow
def test_a_mechanism_is_switched_off_in_the_program_and_not_in_the_truth(
    tmp_path: Path, weights: Path
) -> None:
    import json

    from made_archive import kerbwatch

    out = tmp_path / "scores.json"
    one = ("evaluate", "--made", "0.1", "--seed", "3", "--cases", "half-on-footway", "--json", out)
    done = kerbwatch(*one, "--ablate", "ground-contact")
    assert done.code == 0, done.err
    scores = json.loads(out.read_text(encoding="utf-8"))
    assert scores["ablated"] == ["ground-contact"]
    assert scores["overall"]["events"] == 1


@pytest.mark.slow
def test_two_rule_sets_are_compared_on_what_was_kept_without_looking_again(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    import yaml
    from made_archive import kerbwatch

    from detector.config.manifest import cache_folder
    from detector.config.template import template_files
    from detector.demo.cases import make_case

    monkeypatch.setenv("KERBWATCH_CACHE", str(_own_cache(tmp_path, cache_folder())))
    labels = make_case("parked", 7, tmp_path / "case", fps=1.0)
    rules = yaml.safe_load(template_files()["rules.yaml"])
    rules["illegal_parking"]["dwell_s"] = 900
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(rules), encoding="utf-8")
    first = kerbwatch("evaluate", labels, "--json", tmp_path / "first.json")
    assert first.code == 0, first.err
    verdicts = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.json")}
    assert verdicts
    done = kerbwatch("evaluate", labels, "--rules", other, "--json", tmp_path / "both.json")
    assert done.code == 0, done.err
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.json")} == verdicts
    both = json.loads((tmp_path / "both.json").read_text(encoding="utf-8"))
    assert both["overall"] == json.loads((tmp_path / "first.json").read_text(encoding="utf-8"))["overall"]
    assert both["comparison"]["changed"] == ["illegal_parking.dwell_s: 180 -> 900"]
    assert both["comparison"]["other"]["overall"]["recall"] == 0
    assert [(d["appeared"], d["true"]) for d in both["comparison"]["differences"]] == [(False, True)]


def _own_cache(tmp_path: Path, usual: Path) -> Path:
    """A cache of one's own that has the usual one's exports of models, which take long to make."""
    own = tmp_path / "cache"
    own.mkdir()
    for export in usual.glob("*-openvino-*"):
        (own / export.name).symlink_to(export)
    return own


@pytest.mark.slow
def test_two_rule_sets_are_compared_by_the_reviewers_verdicts(scanned, tmp_path: Path) -> None:
    import json

    from made_archive import RULES, kerbwatch

    kerbwatch("issues", "confirm", "1", "-C", scanned.folder, "--as", "officer.li")
    kerbwatch("issues", "reject", "2", "-C", scanned.folder, "--as", "officer.li", "--reason", "wrong_object")
    other = tmp_path / "other.yaml"
    other.write_text(
        RULES.replace("sidewalk_parking: {", "sidewalk_parking: {enabled: false, "), encoding="utf-8"
    )
    out = tmp_path / "reviews.json"
    before = {file: file.stat().st_atime_ns for file in (scanned.folder / "recordings").rglob("*.mp4")}
    done = kerbwatch("evaluate", "--dir", scanned.folder, "--rules", other, "--json", out)
    assert done.code == 0, done.err
    assert {file: file.stat().st_atime_ns for file in before} == before
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["these"] == {"confirmed": 1, "rejected": 1, "undecided": 0, "precision": 0.5}
    assert len(result["vanished"]) == 1
    assert result["other"]["confirmed"] + result["other"]["rejected"] == 1
    assert not result["appeared"]
