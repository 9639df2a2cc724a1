"""How an issue was found, as pages and programs are told: the stages of a scan with names and texts in both languages."""

from __future__ import annotations

from detector.footage.catalogue import Catalogue
from detector.issues import Issue
from detector.observing.store import ObservationStore
from detector.people import Action
from detector.pipeline.explain import Sources, Step, explain_issue, middle_of
from detector.review.access import Visitor
from detector.review.house import House
from detector.review.models import ExplanationOut, Names, StageOut
from detector.review.views import local, named
from detector.runs.removals import Removals


def explanation_of(house: House, visitor: Visitor, issue: Issue) -> ExplanationOut:
    """The stages at the middle of an issue and at its box.

    Names of files are shown to those who may list recordings. Opens no recording. Raises StoreAway.
    """
    steps = explain_issue(_sources(house), issue, names_files=visitor.may(Action.SPOT_CHECK))
    return ExplanationOut(
        at=local(house.settings, middle_of(issue)),
        box=list(issue.box) if issue.box else None,
        steps=[_stage_out(step) for step in steps],
    )


def _sources(house: House) -> Sources:
    return Sources(
        house.settings,
        Catalogue(house.database),
        ObservationStore(house.settings.observations_root),
        house.desk.queue,
        Removals(house.database),
    )


def _stage_out(step: Step) -> StageOut:
    return StageOut(
        stage=step.stage,
        name=named(f"stage.{step.stage}"),
        passed=step.passed,
        mark=named(f"mark.{mark_of(step.passed)}"),
        text=Names(en=step.text, zh=step.text_zh),
    )


def mark_of(passed: bool | None) -> str:
    """The word of a mark, which its key, icon and style share."""
    if passed is None:
        return "silent"
    return "passed" if passed else "stopped"
