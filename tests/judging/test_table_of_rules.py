"""The table of rules: every entry names what exists, and an entry alone is enough to look for another violation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
import yaml
from judged import RECTANGLE, camera, car, point, series, zone

from detector.config.schema import codes_model
from detector.config.sections import StandingRule
from detector.config.settings import default_rules, load_rules
from detector.config.violations import RULES, RuleEntry, families, function_of
from detector.core.values import Incident, LabelGroup, Violation, ZoneKind
from detector.evidence.drawing import colour_of
from detector.inference.detector import Detector
from detector.judging.found import Found
from detector.judging.judge import decide, gather
from detector.judging.kept import as_text, from_text
from detector.judging.stays import find_stays
from detector.judging.suspects import Looks
from detector.proving.looker import Looker
from detector.proving.models import Models
from detector.proving.prove import Dropped
from detector.proving.verdict import verdict_on
from detector.review.appearance import icons_svg, violations_css, violations_dark_css

EXAMPLE = Path(__file__).parents[2] / "detector" / "config" / "example"


def named(value: str) -> Violation:
    """A member that the enumeration does not have: all else that is known of it stands in the table."""
    member = str.__new__(Violation, value)
    member._name_, member._value_ = value.upper(), value
    return member


MADE_UP = named("left_scooter")


def find_scooters(looks: Looks) -> Iterator[Found]:
    """What the made-up rule looks for."""
    rule = looks.rules.rules[MADE_UP]
    for stay in find_stays(looks.observations, LabelGroup.BIKE, min_confidence=rule.min_confidence):
        yield Found(stay, MADE_UP, "kerb", 1.0, "a scooter", "滑板车")


def prove_scooter(incident: Incident, looker: Looker, models: Models) -> Dropped:
    return Dropped(incident, f"asked {models.detector.model_id}")


class Named:
    """A detector that only has a name: the made-up proof asks for no more."""

    model_id = "a model"


@pytest.fixture
def scooters(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = ModuleType("made_up_rule")
    rules.__dict__.update(find=find_scooters, prove=prove_scooter)
    monkeypatch.setitem(sys.modules, "made_up_rule", rules)
    entry = RuleEntry(
        code="0999",
        name="滑板车乱停",
        name_en="Left scooter",
        section=StandingRule,
        candidates="made_up_rule:find",
        proof="made_up_rule:prove",
        colour="#102030",
        shades=("#111111", "#eeeeee"),
        icon='<path d="M0 0h24"/>',
    )
    monkeypatch.setitem(RULES, MADE_UP, entry)
    monkeypatch.setitem(Violation._value2member_map_, MADE_UP.value, MADE_UP)


@pytest.mark.parametrize("violation", list(Violation))
def test_every_violation_has_an_entry_whose_functions_exist(violation: Violation) -> None:
    entry = RULES[violation]
    names = [name for name in (entry.candidates, entry.proof) if name]
    assert all(callable(function_of(name)) for name in names)
    assert entry.name
    assert entry.name_en


def test_the_example_has_a_section_and_a_code_for_every_entry() -> None:
    assert set(default_rules().rules) == set(RULES)
    codes = yaml.safe_load((EXAMPLE / "codes.yaml").read_text(encoding="utf-8"))
    told = {v: (entry.code, entry.name, entry.name_en) for v, entry in RULES.items()}
    assert {v: (one["code"], one["name"], one["name_en"]) for v, one in codes.items()} == told


def test_codes_of_an_older_county_are_completed_by_the_table() -> None:
    codes = yaml.safe_load((EXAMPLE / "codes.yaml").read_text(encoding="utf-8"))
    older = {v: code for v, code in codes.items() if RULES[Violation(v)].code_required}
    assert len(older) < len(codes)
    assert codes_model().model_validate(older).value() == codes_model().model_validate(codes).value()


@pytest.mark.usefixtures("scooters")
def test_an_entry_alone_adds_a_rule(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("left_scooter: {dwell_s: 120, zones: [no_parking], min_confidence: 0.3}\n")
    rules = load_rules(file)
    assert rules.rules[MADE_UP].dwell_s == 120
    seen = camera(zone("kerb", ZoneKind.NO_PARKING, RECTANGLE))
    looks = series([[car(label="bicycle")]] * 6)
    gathered = gather(looks, point(seen), seen, rules)
    assert [suspect.stay.group for suspect in gathered.suspects["made_up_rule:find"]] == [LabelGroup.BIKE]
    kept = from_text(as_text(gathered, "key"), "key", dict.fromkeys(families(), 0.0))
    assert kept is not None
    assert kept.suspects == gathered.suspects
    (incident,) = decide(kept, point(seen), seen, rules).incidents
    assert (incident.violation, incident.limit_s, incident.note_zh) == (MADE_UP, 120, "滑板车")
    verdict = verdict_on(
        incident, Looker([], lambda _: pytest.fail("nothing is opened")), cast("Detector", Named())
    )
    assert verdict == Dropped(incident, "asked a model")


@pytest.mark.usefixtures("scooters")
def test_what_pages_and_pictures_show_of_a_rule_comes_from_its_entry() -> None:
    assert colour_of(MADE_UP) == (0x30, 0x20, 0x10)
    assert ".violation.left_scooter" in violations_css()
    assert "--violation-left_scooter: #eeeeee" in violations_dark_css()
    assert '<symbol id="left_scooter"' in icons_svg()
    assert codes_model().model_fields["left_scooter"].default.name == "滑板车乱停"
