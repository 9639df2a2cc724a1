"""`bench`: what a scan costs, beside what people would do instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from detector.benchmarks.bench import FULL, QUICK, Bench, bench
from detector.benchmarks.others import Method
from detector.benchmarks.plot import draw
from detector.benchmarks.rehearsal import AIM_CORES, Size, rehearse
from detector.cli.common import AsJson, default_model, prepare_detector, weights_of
from detector.cli.output import complain, say, say_json, table
from detector.config.manifest import cache_folder
from detector.engines.local import cores


def add_to(app: typer.Typer) -> None:
    app.command("bench")(bench_)


def bench_(
    out: Annotated[Path, typer.Option("--out", help="Folder for bench.json and bench.png.")] = Path("bench"),
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Where the made footage is kept: 3 GB.")
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A sixth of the footage, and less for the others; rates are rougher."),
    ] = False,
    others: Annotated[
        bool, typer.Option("--others/--no-others", help="Measure what people would do instead, too.")
    ] = True,
    rehearsal: Annotated[
        bool,
        typer.Option(
            "--rehearsal",
            help="Instead: a month of 39 cameras, hard-linked; a slice is scanned. 5 GB more of footage.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure this machine: camera-hours per core-hour, memory, bytes read and recall, beside other ways.

    Made 1080p footage of a busy and a quiet street, and of one whose vehicles are 60-150 px wide; drawing it takes a quarter of an hour, once.

    Example: kerbwatch bench --quick --out bench
    """
    model = default_model()
    prepare_detector(model)
    folder = cache or cache_folder() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    if rehearsal:
        _rehearse(folder, out, as_json=as_json)
        return
    size = QUICK if quick else FULL
    measured = bench(
        folder, weights_of(model), cache_folder(), size=size, workers=cores(), methods=tuple(Method) if others else (),
        say=lambda text: None if as_json else complain(text),
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(
        json.dumps(measured.to_json(), indent=1, default=str) + "\n", encoding="utf-8"
    )
    draw(measured, out / "bench.png")
    if as_json:
        say_json(json.loads((out / "bench.json").read_text(encoding="utf-8")))
    else:
        _show(measured)
        say(f"written: {out}/bench.json, {out}/bench.png")


def _rehearse(cache: Path, out: Path, *, as_json: bool) -> None:
    done = rehearse(cache, size=Size(), workers=cores(), say=lambda text: None if as_json else complain(text))
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(done.to_json(), indent=1)
    (out / "rehearsal.json").write_text(text + "\n", encoding="utf-8")
    if as_json:
        say_json(done.to_json())
        return
    table(
        f"{done.recordings:,} recordings, {done.camera_hours:,.0f} camera-hours",
        ("step", "CPU s", "wall s", "peak MB", "RSS MB", "MB read"),
        [
            (name, f"{cost.cpu_s:.1f}", f"{cost.wall_s:.1f}", f"{cost.peak_mb:,.0f}", f"{cost.peak_rss_mb:,.0f}",
             f"{cost.read_mb:,.0f}")
            for name, cost in (
                ("survey, everything new", done.survey),
                ("survey, everything known", done.survey_again),
                (f"scan of {done.scanned_hours:.0f} camera-hours", done.scan),
            )
        ],
        right=("CPU s", "wall s", "peak MB", "RSS MB", "MB read"),
    )  # fmt: skip
    say(
        f"slice: {done.scanned_hours / (done.scan.cpu_s / 3600):,.0f} camera-hours per core-hour, {done.looks} looks, "
        f"{done.score.found} of {done.score.events} violations found, {done.score.false_alarms} false alarms"
    )
    say(
        f"the whole: {done.whole_core_hours:.1f} core-hours, {done.whole_hours:.1f} h on {AIM_CORES} cores, if "
        + "; ".join(done.to_json()["assumptions"])
    )
    say(f"written: {out}/rehearsal.json")


def _show(measured: Bench) -> None:
    table(
        f"{measured.machine}, {measured.cores} cores",
        ("street", "method", "hours", "camera-hours per core-hour", "CPU s", "wall s", "peak MB", "RSS MB", "MB read per hour",
         "recall", "false alarms", "note"),
        [
            (row.street, row.method, f"{row.camera_hours:.2f}", f"{row.rate:,.1f}", f"{row.cost.cpu_s:.1f}",
             f"{row.cost.wall_s:.1f}", f"{row.cost.peak_mb:,.0f}",
             f"{row.cost.peak_rss_mb:,.0f}", f"{row.cost.read_mb / row.camera_hours:,.0f}",
             f"{row.score.found} of {row.score.events}" if row.score else "", row.score.false_alarms if row.score else "",
             row.note)
            for row in measured.rows
        ],
        right=("hours", "camera-hours per core-hour", "CPU s", "wall s", "peak MB", "RSS MB", "MB read per hour",
               "false alarms"),
    )  # fmt: skip
    rates = {(row.street, row.method): row.rate for row in measured.rows}
    table(
        "limits in camera-hours per core-hour: decoding and inference of the same pictures with nothing else around them",
        ("street", "method", "decode ms: look, closer, clip, forward", "infer ms", "decoded per hour", "asked", "limit", "reached", "with closer looks",
         "reached"),
        [
            (one.street, method, ", ".join(f"{1e3 * s:.1f}" for s in one.alone.decode_s), f"{1e3 * one.alone.infer_s:.1f}",
             f"{one.looks.decoded:.1f}",
             f"{one.looks.inferred:.1f}", f"{one.rate:,.0f}", f"{rates[one.street, method] / one.rate:.0%}",
             f"{one.whole_rate:,.0f}", f"{rates[one.street, method] / one.whole_rate:.0%}")
            for method, one in measured.limits
        ],
        right=("infer ms", "decoded per hour", "asked", "limit", "reached", "with closer looks"),
    )  # fmt: skip
