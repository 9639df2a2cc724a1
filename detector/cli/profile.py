"""`--profile`: where a scan's processor time went, as JSON and as a table."""

from __future__ import annotations

import json
import resource
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detector.cli.output import say, table
from detector.core.stopwatch import NO_LAP, Lap
from detector.pipeline.scan import CameraReport

REST = "start, imports, and what no stage covers"


def used_cpu_s() -> float:
    """Processor time of this process and of those that it started and that have ended, in seconds."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def profile(reports: Sequence[CameraReport], cpu_s: float) -> dict[str, Any]:
    """The stages of all cameras together and of each; `cpu_s` is what the whole scan used."""
    totals: defaultdict[str, Lap] = defaultdict(lambda: NO_LAP)
    for report in reports:
        for stage, lap in report.laps.items():
            totals[stage] += lap
    rest_s = cpu_s - sum(lap.cpu_s for lap in totals.values())
    hours = sum(report.footage_s for report in reports) / 3600
    return {
        "cpu_s": round(cpu_s, 3),
        "camera_hours": round(hours, 4),
        "camera_hours_per_core_hour": round(hours * 3600 / cpu_s, 1) if cpu_s else None,
        "samples": sum(report.samples for report in reports),
        "stages": _stages({**totals, REST: Lap(1, max(0.0, rest_s))}, cpu_s),
        "cameras": {
            report.camera.id: {
                "samples": report.samples,
                "dropped": len(report.dropped),
                "filed": len(report.filed),
                "stages": _stages(report.laps, sum(lap.cpu_s for lap in report.laps.values())),
            }
            for report in reports
        },
    }


def _stages(laps: Mapping[str, Lap], whole_s: float) -> list[dict[str, Any]]:
    ordered = sorted(laps.items(), key=lambda item: -item[1].cpu_s)
    return [
        {
            "stage": stage,
            "count": lap.count,
            "cpu_s": round(lap.cpu_s, 3),
            "share": round(lap.cpu_s / whole_s, 4) if whole_s else 0.0,
        }
        for stage, lap in ordered
    ]


def write_profile(path: Path, told: Mapping[str, Any], *, quiet: bool) -> None:
    """Write it, and show it to people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if quiet:
        return
    looks = told["samples"] or 1
    table(
        f"{told['cpu_s']:.1f} s of processor time",
        ("stage", "times", "s", "share", "ms a look"),
        [
            (
                one["stage"],
                one["count"],
                f"{one['cpu_s']:.2f}",
                f"{one['share']:.0%}",
                f"{1e3 * one['cpu_s'] / looks:.1f}",
            )
            for one in told["stages"]
        ],
        right=("times", "s", "share", "ms a look"),
    )
    say(f"profile: {path}")
