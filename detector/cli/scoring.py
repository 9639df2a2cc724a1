"""`evaluate`: labelled clips, made hours, two rule sets, reviewers' verdicts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from detector.cli.common import (
    Workers,
    default_model,
    detector_of,
    input_size,
    prepare_detector,
    second_models_of,
    settings_in,
)
from detector.cli.output import progress, say, table
from detector.config.manifest import cache_folder
from detector.config.rules import RuleSet
from detector.config.schema import PRECISIONS
from detector.config.settings import ModelSettings, default_rules, load_rules
from detector.core.errors import BadInput, UnreadableRecording
from detector.core.wording import duration_en
from detector.database import Database
from detector.demo.cases import CASES, STRETCHES, make_case
from detector.demo.streets import KINDS, STREETS, make_street, of_kinds
from detector.evaluation.ablation import ABLATIONS, ablation, without
from detector.evaluation.apart import COLUMNS, apart, markdown_of, rows_of
from detector.evaluation.compare import (
    Difference,
    OnReviews,
    Reviewed,
    changed_rules,
    differences,
    on_reviews,
)
from detector.evaluation.evaluate import Evaluation, Eyes, Subject, complaints
from detector.evaluation.made import Made, filling
from detector.evaluation.report import Row, spread_text, write_report
from detector.evaluation.work import Trial, Trials, Tried, subjects_in, together, try_all
from detector.footage.catalogue import Catalogue
from detector.inference.detector import Detector

MADE_FPS = 1.0
"""Of composed hours: what stands is seen as well at 1 picture a second, and 24 hours take minutes."""

MADE_SETS = ("cases", "streets")
"""Sets of composed cases: those of `detector.demo.cases`, and those of `detector.demo.streets`."""


def add_to(app: typer.Typer) -> None:
    app.command()(evaluate)


def evaluate(
    labels: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Labels files in the form of shared/footage/labels.json, or folders with labels.json below."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", help="Write a page with pictures of every miss and false alarm to this folder."
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", help="Write the figures as tables in Markdown to this file."),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", help="Compare with these rules, on what was seen before where that is stored."
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option("--base", help="The rules to start from; those that `init` writes if left out."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", "-C", help="Compare --rules on a scanned folder, by its reviewers' verdicts."),
    ] = None,
    cadence_factor: Annotated[
        list[float] | None,
        typer.Option("--cadence-factor", min=0.05, help="Look so many times as sparsely as well."),
    ] = None,
    made: Annotated[
        float | None,
        typer.Option("--made", min=0.01, help="Compose and score so many camera-hours of hard cases."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Made hours: the first seed.")] = 1,
    cases: Annotated[
        str | None, typer.Option("--cases", help="Made hours: only these cases, by commas.")
    ] = None,
    made_set: Annotated[
        str,
        typer.Option(
            "--made-set", help="Made hours: 'cases', small streets; or 'streets', in perspective to 4K."
        ),
    ] = "cases",
    kinds: Annotated[
        str | None,
        typer.Option(
            "--kinds", help=f"Made hours: these kinds of the set 'streets', by commas: {', '.join(KINDS)}."
        ),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Made hours: keep the recordings in this folder.")
    ] = None,
    shared: Annotated[
        Path | None,
        typer.Option(
            "--shared",
            help="Made hours: play half of them on street photos with real vehicles, from this folder's footage/.",
        ),
    ] = None,
    ablate: Annotated[
        list[str] | None, typer.Option("--ablate", help=f"Switch a mechanism off: {', '.join(ABLATIONS)}.")
    ] = None,
    imgsz: Annotated[
        str | None,
        typer.Option("--imgsz", help="Show the model pictures of this HEIGHTxWIDTH, such as 288x480."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="What a processor computes in: int8, bf16 or f32.")
    ] = None,
    verify_weights: Annotated[
        str,
        typer.Option("--verify-weights", help="Name what stands by these weights when it is verified."),
    ] = "",
    workers: Workers = None,
) -> None:
    """Score the program: on labelled clips, on made hours, or two rule sets against each other.

    Example: kerbwatch evaluate ../shared/footage/labels.json --json scores.json --html report

    Example: kerbwatch evaluate --made 24 --seed 1000 --html report
    """  # fmt: skip
    model = replace(_model(imgsz, precision), verify_weights=verify_weights)
    these = load_rules(base) if base else default_rules()
    other = load_rules(rules) if rules else None
    if folder is not None:
        if other is None or labels or made is not None:
            raise BadInput("--dir compares two rule sets: give --rules OTHER.yaml with it, and no labels")
        _compare_reviewed(folder, load_rules(base) if base else None, other, out, workers)
        return
    tasks = _tasks(labels, made, seed, _chosen(made_set, cases, kinds), photos=shared is not None)
    trial = Trial(
        rules=these,
        other=other,
        cadence_factors=tuple(cadence_factor or ()),
        ablations=tuple(ablate or ()),
        pictures=html,
        kept=cache_folder() / "evaluation" if made is None or keep else None,
        compose=partial(_compose, shared, model),
        made=keep,
    )
    for name in trial.ablations:
        ablation(name)
    began = time.monotonic()
    trials = _tried(tasks, trial, model, workers)
    _show(trials, trial, time.monotonic() - began)
    differing = differences(trials.evaluation, trials.other) if trials.other else []
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(
            dumps(_json(trials, trial, differing), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    if markdown:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(markdown_of(trials.evaluation), encoding="utf-8")
    if html:
        say(f"report: {write_report(html, trials, _about(tasks, trial), differing)}")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The cases that fill made hours, and the long stretches between them, with their durations in seconds."""

    durations_s: Mapping[str, float]
    stretches_s: Mapping[str, float]


def _chosen(made_set: str, cases: str | None, kinds: str | None) -> _Chosen:
    """What `--made-set`, `--kinds` and `--cases` name. Raises BadInput."""
    if made_set not in MADE_SETS:
        raise BadInput(f"--made-set: no such set: '{made_set}'; there are {', '.join(MADE_SETS)}")
    if kinds is not None or made_set == "streets":
        if cases is not None and kinds is not None:
            raise BadInput("--kinds and --cases both name cases: give one of them")
        streets = dict(STREETS) if kinds is None else of_kinds(_names(kinds))
        streets = {name: streets[name] for name in _known("--cases", cases, STREETS)} if cases else streets
        return _Chosen({name: street.duration_s for name, street in streets.items()}, {})
    every = {**CASES, **STRETCHES}
    names = _known("--cases", cases, every) if cases else list(CASES)
    stretches = {} if cases else {name: case.duration_s for name, case in STRETCHES.items()}
    return _Chosen({name: every[name].duration_s for name in names}, stretches)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(option: str, text: str, known: Mapping[str, object]) -> list[str]:
    """The names in a text. Raises BadInput where one is not known, or none is given."""
    names = _names(text)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise BadInput(f"{option}: no such case: {', '.join(unknown)}; there are {', '.join(known)}")
    return names


def _tasks(
    labels: list[Path] | None, made: float | None, seed: int, chosen: _Chosen, *, photos: bool
) -> Sequence[Subject | Made]:
    if made is None:
        if not labels:
            raise BadInput(
                "nothing to score: give labels files or folders, --made HOURS, or --dir with --rules"
            )
        return subjects_in(labels)
    if labels:
        raise BadInput("--made composes its own clips: give no labels with it")
    return filling(made, seed, chosen.durations_s, chosen.stretches_s, photos=photos)


def _compose(shared: Path | None, model: ModelSettings, made: Made, folder: Path) -> Path:
    if made.case in STREETS:
        return make_street(
            made.case, made.seed, folder, rough=made.night, shared=shared, sees=_detector_of_streets(model)
        )
    photos = shared if made.photo else None
    return make_case(made.case, made.seed, folder, fps=MADE_FPS, night=made.night, shared=photos)


@cache
def _detector_of_streets(model: ModelSettings) -> Detector:
    """What checks that a standing vehicle can be seen; one a process."""
    return detector_of(replace(model, confidence=0.1), 1)


def _open_eyes(model: ModelSettings, threads: int) -> Eyes:
    return Eyes(detector_of(model, threads), second_models_of(model, threads))


def _model(imgsz: str | None, precision: str | None) -> ModelSettings:
    """The usual model but for what is said. Raises BadInput."""
    model = default_model()
    if precision not in {None, *PRECISIONS}:
        raise BadInput(f"--precision: '{precision}' is none of {', '.join(PRECISIONS)}")
    return replace(
        model, imgsz_hw=input_size(imgsz) if imgsz else model.imgsz_hw, precision=precision or model.precision
    )


def _tried(
    tasks: Sequence[Subject | Made], trial: Trial, model: ModelSettings, workers: int | None
) -> Trials:
    prepare_detector(model)
    tried: list[Tried] = []
    with progress("evaluating", len(tasks)) as tick:
        try:
            for done, (task, results) in enumerate(
                zip(
                    tasks,
                    try_all(tasks, trial, partial(_open_eyes, model), workers=workers),
                    strict=True,
                ),
                1,
            ):
                tried += results
                tick(done, task.name if isinstance(task, Made) else task.clip.files[0])
        except UnreadableRecording as error:
            raise BadInput(str(error)) from error
    return together(tried, trial)


def _about(tasks: Sequence[Subject | Made], trial: Trial) -> dict[str, str]:
    sources = sorted({task.source for task in tasks if isinstance(task, Subject)})
    made = [task for task in tasks if isinstance(task, Made)]
    streets = ", half on photographed streets" if any(task.photo for task in made) else ""
    seeds = f"made, seeds {made[0].seed}-{made[-1].seed}{streets}" if made else ""
    return {
        "时间 at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "素材 on": seeds or ", ".join(sources),
        "规则 rules": without(trial.rules, trial.ablations).version,
        **({"停用 switched off": ", ".join(trial.ablations)} if trial.ablations else {}),
    }


def _json(trials: Trials, trial: Trial, differing: Sequence[Difference]) -> dict[str, Any]:
    content = trials.evaluation.to_json()
    content["by_footage"] = {footage.name: footage.to_json() for footage in apart(trials.evaluation)}
    if trial.ablations:
        content["ablated"] = list(trial.ablations)
    if trials.by_factor:
        content["by_cadence"] = [
            {"factor": factor, "every_s": round(one.every_s, 1), **one.figures()}
            for factor, one in sorted({1.0: trials.evaluation, **trials.by_factor}.items())
        ]
    if trials.other is not None and trial.other is not None:
        content["comparison"] = {
            "changed": changed_rules(trial.rules, trial.other),
            "other": {k: v for k, v in trials.other.to_json().items() if k in ("violations", "overall")},
            "differences": [difference.to_json() for difference in differing],
        }
    return content


COUNTS = ("events", "found", "right", "missed", "false", "twice", "precision", "recall")
QUALITY = ("F1", "false/day", "start error s", "end error s", "dwell error s")
"""Two tables rather than one that is wider than a terminal."""


def _score_table(title: str, first: str, rows: Sequence[Row]) -> None:
    counts = [
        (
            name, t.events, t.incidents, t.matched, t.missed, t.false_alarms, t.duplicates, f"{t.precision:.3f}",
            f"{t.recall:.3f}",
        )
        for name, t, _ in rows
    ]  # fmt: skip
    table(title, (first, *COUNTS), counts, right=COUNTS)
    errors = [
        (
            name, f"{t.f1:.3f}", _rate(t.false_alarms, hours / 24), spread_text(t.start_errors_s),
            spread_text(t.end_errors_s), spread_text(t.dwell_errors_s),
        )
        for name, t, hours in rows
    ]  # fmt: skip
    table("", (first, *QUALITY), errors, right=QUALITY)


def _rows(evaluation: Evaluation) -> list[Row]:
    rows = [(v.value, t, evaluation.hours_watched(v)) for v, t in evaluation.by_violation.items()]
    return [*rows, ("all", evaluation.overall, evaluation.camera_hours)]


def _show(trials: Trials, trial: Trial, took_s: float) -> None:
    evaluation = trials.evaluation
    _score_table("", "violation", _rows(evaluation))
    for footage in apart(evaluation):
        title = f"{footage.name} footage, by width in source pixels, light and camera"
        table(title, ("part", *COLUMNS), list(rows_of(footage)), right=COLUMNS)
    lights = evaluation.by_light()
    _score_table(
        "by day and night",
        "light",
        [(name, part.overall, part.camera_hours) for name, part in lights.items()],
    )
    if trials.by_factor:
        by_factor = sorted({1.0: evaluation, **trials.by_factor}.items())
        rows = [
            (f"x {factor:g}, every {one.every_s:.0f} s", one.overall, one.camera_hours)
            for factor, one in by_factor
        ]
        _score_table("by sampling cadence", "cadence", rows)
    if trials.other is not None and trial.other is not None:
        _show_comparison(trials, trial)
    _show_faults(evaluation)
    for line in complaints(evaluation):
        say(line)
    overall, hours = evaluation.overall, evaluation.camera_hours
    off = f"; switched off: {', '.join(trial.ablations)}" if trial.ablations else ""
    say(
        f"{overall.false_alarms} false alarms and {overall.duplicates} duplicates in {hours:.3f} camera-hours "
        f"({_rate(overall.false_alarms, hours)} per camera-hour, {_rate(overall.false_alarms, hours / 24)} per camera-day; "
        f"{_rate(overall.duplicates, overall.events)} duplicates per true event), {len(evaluation.clips)} clips in "
        f"{duration_en(took_s)}; errors are median / largest / root mean square{off}; false/day is per camera-day"
    )  # fmt: skip


def _rate(count: int, per: float) -> str:
    return f"{count / per:.2f}" if per else "-"


def _show_faults(evaluation: Evaluation) -> None:
    t = evaluation.camera_faults
    columns = (
        "labelled",
        "matched",
        "missed",
        "false",
        "duplicates",
        "named right",
        "start error s",
        "end error s",
    )
    row = (
        t.events, t.matched, t.missed, t.false_alarms, t.duplicates, evaluation.faults_named_right,
        spread_text(t.start_errors_s), spread_text(t.end_errors_s),
    )  # fmt: skip
    table("camera faults", columns, [row], right=columns)
    right = sum(score.view_right for score in evaluation.clips)
    say(f"views right: {right} of {len(evaluation.clips)}")


def _show_comparison(trials: Trials, trial: Trial) -> None:
    assert trials.other is not None
    assert trial.other is not None
    _score_table("the other rules", "violation", _rows(trials.other))
    for line in changed_rules(trial.rules, trial.other):
        say(f"changed: {line}")
    for d in differences(trials.evaluation, trials.other):
        kind = "appeared" if d.appeared else "vanished"
        truth = "true" if d.true else "false"
        say(
            f"{kind}: {d.clip}: {d.violation} {d.zone} {d.from_s:.0f}-{d.until_s:.0f} s, {truth} by its label"
        )


def _compare_reviewed(
    folder: Path, these: RuleSet | None, other: RuleSet, out: Path | None, workers: int | None
) -> None:
    settings = settings_in(folder)
    settings = replace(settings, rules=these or settings.rules)
    began = time.monotonic()
    with Database.open(settings.database_url) as database:
        result = on_reviews(Catalogue(database), settings, other, workers=workers)
    if out:
        content = {**result.to_json(), "changed": changed_rules(settings.rules, other)}
        out.write_text(dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _show_reviewed(result, changed_rules(settings.rules, other), time.monotonic() - began)


def _show_reviewed(result: OnReviews, changed: Sequence[str], took_s: float) -> None:
    columns = ("confirmed", "rejected", "undecided", "precision")
    rows = [("these", *_review_cells(result.these)), ("other", *_review_cells(result.other))]
    table("by the reviewers' verdicts", ("rules", *columns), rows, right=columns)
    for line in changed:
        say(f"changed: {line}")
    for issue, why in result.vanished:
        say(f"vanished: issue {issue.id} ({issue.state}) {issue.camera_id} {issue.violation}: {why}")
    for issue in result.returned:
        say(f"returned: issue {issue.id} ({issue.state}) {issue.camera_id} {issue.violation}")
    for suspicion in result.appeared:
        say(
            f"appeared: {suspicion.camera_id} {suspicion.violation} {suspicion.zone_id} from "
            f"{suspicion.interval.start:%Y-%m-%d %H:%M:%S} UTC; a scan would look closer"
        )
    say(f"{result.observations} stored observations judged twice in {took_s:.1f} s; no recording was touched")


def _review_cells(reviewed: Reviewed) -> tuple[object, ...]:
    precision = "-" if reviewed.precision is None else f"{reviewed.precision:.3f}"
    return reviewed.confirmed, reviewed.rejected, reviewed.undecided, precision
