"""What is wrong in the tables of the closed loop is told before any night begins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.config.settings import load_settings
from detector.core.errors import BadConfig


def faults(folder: Path) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        load_settings(folder)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_violation_that_goes_to_nobody_is_a_fault_of_the_configuration(folder: Path) -> None:
    change(folder / "routing.yaml", "  - {violation: [litter], lead: housing_construction}\n", "")
    assert faults(folder) == [
        f"routing.yaml: routes: litter at {category} points ({point}) goes to no department: "
        "add a route for it, or one for all"
        for category, point in (
            ("arterial", "p001"),
            ("commercial_street", "p015"),
            ("intersection", "p025"),
        )
    ]


def test_what_is_not_looked_for_needs_no_route(folder: Path) -> None:
    change(folder / "routing.yaml", "  - {violation: [litter], lead: housing_construction}\n", "")
    text = (folder / "rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(
        re.sub(r"(?m)^(litter:.*\n.*\n  enabled: )true", r"\1false", text), encoding="utf-8"
    )
    assert load_settings(folder).loop


def test_a_violation_without_a_deadline_is_a_fault(folder: Path) -> None:
    change(folder / "deadlines.yaml", "  - {violation: [camera_fault], working_hours: 16}\n", "")
    told = faults(folder)
    assert len(told) == 4
    assert all("camera_fault" in fault and "no deadline" in fault for fault in told)


def test_every_slip_is_told_at_once_with_what_may_be_meant(folder: Path) -> None:
    change(folder / "routing.yaml", "lead: equipment", "lead: equipmnt")
    change(folder / "deadlines.yaml", "working_hours: 16", "working_hours: -1")
    change(folder / "deadlines.yaml", "escalate_to: grid", "escalate_to: gird")
    change(folder / "calendar.yaml", "last: 2026-02-23", "last: 2026-02-13")
    change(folder / "calendar.yaml", "2026-10-10", "2026-10-32")
    (folder / "webhooks.yaml").write_text(
        "endpoints:\n"
        "  - {name: a, url: 'ftp://x', secret_env: A}\n"
        "  - {name: b, url: 'https://x.example/y', moves: [dispach]}\n",
        encoding="utf-8",
    )
    assert faults(folder) == [
        (
            "calendar.yaml: years[2026].holidays[1].last: 2026-02-13 does not lie within a month after the first day, "
            "2026-02-15"
        ),
        "calendar.yaml: years[2026].working_days[5]: '2026-10-32' is not a day such as 2026-02-15",
        "deadlines.yaml: escalate_to: 'gird' is no department of departments.yaml; did you mean 'grid'?",
        "deadlines.yaml: limits[4].working_hours: -1 is not above 0",
        "routing.yaml: routes[0].lead: 'equipmnt' is no department of departments.yaml; did you mean 'equipment'?",
        "webhooks.yaml: endpoints[0].url: 'ftp://x' is not a URL such as https://platform.example/events",
        "webhooks.yaml: endpoints[1].moves: 'dispach' is no move; did you mean 'dispatch'?",
        "webhooks.yaml: endpoints[1].secret_file: an endpoint needs either secret_env or secret_file",
    ]


def test_a_make_up_day_that_is_worked_anyway_is_a_slip_of_the_pen(folder: Path) -> None:
    change(folder / "calendar.yaml", "2026-10-10]", "2026-10-12]")
    assert faults(folder) == ["calendar.yaml: years: 2026-10-12 is no make-up day: it is worked anyway (mon)"]


def test_an_entry_whose_turn_never_comes_is_a_fault(folder: Path) -> None:
    change(
        folder / "routing.yaml",
        "  - {violation: [litter], lead: housing_construction}\n",
        "  - {violation: [litter], lead: housing_construction}\n  - {violation: [litter], point: [p001], lead: grid}\n",
    )
    assert faults(folder) == [
        "routing.yaml: routes[8]: its turn never comes: earlier entries take all that it is for"
    ]


def test_a_point_without_a_grid_is_a_fault_for_its_grid_unit_is_always_told(folder: Path) -> None:
    text = (folder / "points" / "p001.yaml").read_text(encoding="utf-8")
    (folder / "points" / "p001.yaml").write_text(re.sub(r"(?m)^grid:.*\n", "", text), encoding="utf-8")
    assert faults(folder) == [
        "points: p001: point p001 has no grid, so its grid unit (网格) cannot be told of issues"
    ]


def test_a_table_that_is_missing_beside_others_is_told(folder: Path) -> None:
    (folder / "calendar.yaml").unlink()
    (told,) = faults(folder)
    assert told.startswith("calendar.yaml: no such file")


def test_a_folder_of_before_the_closed_loop_still_loads(folder: Path) -> None:
    for name in ("routing", "deadlines", "calendar", "webhooks"):
        (folder / f"{name}.yaml").unlink()
    assert load_settings(folder).loop is None
