"""How an issue was found, from stored results alone: what each stage says, and what is said where something is gone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_archive import write_folder
from made_observations import observed, recorded

import detector.proving
from detector.config.settings import Settings
from detector.core.times import Interval
from detector.core.values import Evidence, Incident, Violation
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.issues import Issue
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.explain import Sources, Step, explain_issue, middle_of
from detector.pipeline.explain_words import FAULTS, LABELS_ZH, label_zh, reason_zh
from detector.runs.removals import Removal, Removals

START = datetime(2026, 1, 8, 2, tzinfo=UTC)
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write_folder(tmp_path / "county", points=("p001",))


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database.open(settings.database_url) as opened:
        yield opened


@pytest.fixture
def sources(settings: Settings, database: Database) -> Sources:
    store = ObservationStore(settings.observations_root)
    return Sources(settings, Catalogue(database), store, IssueQueue(database), Removals(database))


def filed(sources: Sources, violation: Violation = Violation.ILLEGAL_PARKING) -> Issue:
    """An issue of five minutes; a parked car in the middle of a zone, or a fault of the camera."""
    camera = sources.settings.points[0].cameras[0]
    zone = next(zone for zone in camera.zones if zone.id == "kerb")
    x, y = (sum(corner[i] for corner in zone.polygon) / len(zone.polygon) for i in (0, 1))
    is_fault = violation is Violation.CAMERA_FAULT
    incident = Incident(
        violation, "p001", camera.id, None if is_fault else zone.id,
        Interval(START, START + timedelta(minutes=5)), 60.0,
        None if is_fault else (x - 0.05, y - 0.1, x + 0.05, y), 0.9, 0.8,
    )  # fmt: skip
    number = sources.queue.file(
        incident, Evidence("", ()), explanation="stood 5 min", explanation_zh="停留5分", model_id="m",
        rules_version="r", verdict_key="v", start_uncertainty_s=1.0, end_uncertainty_s=1.0,
    ).issue_id  # fmt: skip
    return sources.queue.get(number)


def by_stage(steps: list[Step]) -> dict[str, Step]:
    assert len({step.stage for step in steps}) == len(steps)
    return {step.stage: step for step in steps}


def test_an_observed_issue_passes_every_stage_in_order(sources: Sources, database: Database) -> None:
    issue = filed(sources)
    observed(sources.settings, database, issue)
    steps = by_stage(explain_issue(sources, issue))
    assert list(steps) == [
        "recorded", "sampled", "view", "named", "stands", "zone", "rules", "verified", "filed"
    ]  # fmt: skip
    assert [step for step in steps.values() if step.passed is not True] == []
    assert (steps["named"].text, steps["named"].text_zh) == ("car 0.80", "小汽车 0.80")
    assert "禁停区 kerb" in steps["zone"].text_zh
    assert (steps["verified"].text, steps["verified"].text_zh) == ("proven: stood 5 min", "属实: 停留5分")
    assert steps["filed"].text_zh == "问题 1 (机动车违停, 待审核)"


def test_files_are_named_only_where_that_is_asked_for(sources: Sources, database: Database) -> None:
    issue = filed(sources)
    file = observed(sources.settings, database, issue)
    assert by_stage(explain_issue(sources, issue))["recorded"].text == "p001/made.mp4"
    quiet = by_stage(explain_issue(sources, issue, names_files=False))
    assert (quiet["recorded"].text, quiet["recorded"].text_zh) == (
        "a recording covers this time",
        "该时刻有录像",
    )
    (sources.settings.observations_root / file).write_bytes(b"damaged")
    texts = [step.text + step.text_zh for step in explain_issue(sources, issue, names_files=False)]
    assert "parquet" not in "".join(texts)
    assert "made.mp4" not in "".join(texts)


def test_a_fault_of_the_camera_has_the_stages_of_the_whole_view(sources: Sources, database: Database) -> None:
    issue = filed(sources, Violation.CAMERA_FAULT)
    observed(sources.settings, database, issue)
    assert list(by_stage(explain_issue(sources, issue))) == [
        "recorded",
        "sampled",
        "view",
        "rules",
        "verified",
        "filed",
    ]


def test_an_issue_speaks_of_no_other_issue(sources: Sources, database: Database) -> None:
    issue = filed(sources)
    observed(sources.settings, database, issue)
    other = replace(
        Incident(
            Violation.SIDEWALK_PARKING, "p001", issue.camera_id, "footway", issue.interval, 60.0, issue.box, 0.9, 0.8
        )
    )  # fmt: skip
    sources.queue.file(
        other, Evidence("", ()), explanation="secret", explanation_zh="其他", model_id="m", rules_version="r",
        verdict_key="w", start_uncertainty_s=1.0, end_uncertainty_s=1.0,
    )  # fmt: skip
    told = " ".join(step.text for step in explain_issue(sources, issue))
    assert "issue 1" in told
    assert "issue 2" not in told
    assert "secret" not in told
    assert "footway" not in by_stage(explain_issue(sources, issue))["rules"].text


def test_observations_that_retention_removed_are_said_to_be_removed(
    sources: Sources, database: Database
) -> None:
    issue = filed(sources)
    file = observed(sources.settings, database, issue)
    sources.store.remove(file)
    sources.catalogue.forget_file(file)
    unseen = by_stage(explain_issue(sources, issue))["sampled"]
    assert (unseen.passed, "no scan has observed" in unseen.text) == (False, True)
    sources.removals.log(Removal("observations", file, 10, "recorded 40 days ago; 30 are kept"), START)
    steps = by_stage(explain_issue(sources, issue))
    assert steps["sampled"].text.endswith("recorded 40 days ago; 30 are kept")
    assert "保留策略" in steps["sampled"].text_zh
    assert list(steps) == ["recorded", "sampled", "verified", "filed"]
    assert steps["filed"].passed


def test_a_recording_that_no_scan_has_observed_says_what_to_do(sources: Sources, database: Database) -> None:
    issue = filed(sources)
    recorded(sources.settings, database, issue)
    assert "run `kerbwatch scan`" in by_stage(explain_issue(sources, issue))["sampled"].text


@pytest.mark.parametrize("content", [b"damaged", None], ids=["damaged", "missing"])
def test_a_damaged_file_of_observations_is_a_sentence(
    sources: Sources, database: Database, content: bytes | None
) -> None:
    issue = filed(sources)
    path = sources.settings.observations_root / observed(sources.settings, database, issue)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    steps = by_stage(explain_issue(sources, issue))
    assert steps["sampled"].passed is None
    assert "cannot be read" in steps["sampled"].text
    assert list(steps) == ["recorded", "sampled", "verified", "filed"]


def test_a_camera_that_is_no_longer_configured_leaves_what_the_database_holds(sources: Sources) -> None:
    issue = filed(sources)
    bare = replace(sources, settings=replace(sources.settings, points=()))
    steps = by_stage(explain_issue(bare, issue))
    assert list(steps) == ["recorded", "verified", "filed"]
    assert "no longer in the configuration" in steps["recorded"].text


def test_the_moment_of_an_issue_with_a_gap_lies_where_the_object_was_seen(sources: Sources) -> None:
    issue = filed(sources)
    first = Interval(START, START + timedelta(minutes=1))
    last = Interval(START + timedelta(minutes=3), START + timedelta(minutes=5))
    assert middle_of(issue) == START + timedelta(minutes=2.5)
    assert middle_of(replace(issue, seen=(first, last))) == START + timedelta(minutes=4)


# --- words


def reasons_of_the_code() -> set[str]:
    """Every text that verification gives for a drop, each of its figures as 7."""
    found = set()
    for path in sorted(Path(detector.proving.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_drop = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Dropped"
            if is_drop and len(node.args) == 2 and isinstance(node.args[1], ast.Constant | ast.JoinedStr):
                found.add(_text(node.args[1]))
            if isinstance(node, ast.FunctionDef) and node.name in ("_is_fixture", "_new_blob"):
                found |= {_text(value) for value in _returned(node)}
    return found - {""}


def _returned(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Texts that a function returns, alone or as the last of a pair."""
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return) else None
        value = value.elts[-1] if isinstance(value, ast.Tuple) else value
        if isinstance(value, ast.Constant | ast.JoinedStr):
            yield value


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    assert isinstance(node, ast.Constant)
    return str(node.value)


def test_every_reason_of_verification_has_a_chinese_text() -> None:
    reasons = reasons_of_the_code() | {"the same object as issue 12"}
    assert len(reasons) > 14
    assert [reason for reason in reasons if not CHINESE.search(reason_zh(reason))] == []


def test_figures_of_a_reason_are_kept() -> None:
    assert (
        reason_zh("the same object stood for at most 52 s, the limit is 60 s")
        == "同一目标最多停留52秒, 时限60秒"
    )
    assert (
        reason_zh("people pass it, nobody stays: 2 of 9 looks show one")
        == "行人路过, 无人停留: 9次采样中2次有人"
    )
    assert reason_zh("only the light changed, and no detector of bags names it (0.12)") == (
        "仅光线变化, 且垃圾检测模型未识别 (0.12)"
    )


def test_what_has_no_words_is_shown_as_it_is() -> None:
    assert reason_zh("of a later version") == "of a later version"
    assert label_zh("giraffe") == "giraffe"
    assert all(CHINESE.search(zh) for zh in (*LABELS_ZH.values(), *(zh for _, zh in FAULTS.values())))
