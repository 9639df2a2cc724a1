"""What Prometheus is told, all of it out of the database: so any process that opens it can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from detector.database import Database, schema
from detector.runs.lease import Leases
from detector.runs.runs import Run, Runs, RunState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(database: Database, now: datetime) -> bytes:
    """The state of the nights and of the queue, in Prometheus' text form. Raises DatabaseBusy."""
    registry = CollectorRegistry()
    registry.register(_Nights(database, now))
    return generate_latest(registry)


class _Nights(Collector):
    def __init__(self, database: Database, now: datetime) -> None:
        self._database = database
        self._now = now

    def collect(self) -> Iterator[Metric]:
        runs = Runs(self._database, Leases(self._database)).latest(60)
        yield _gauge("run_active", "1 while a nightly run goes on", float(_is_active(runs)))
        if runs:
            yield from _of_run(runs[0], self._now)
        whole = next((run for run in runs if run.state is RunState.DONE and run.finished_at), None)
        if whole is not None and whole.finished_at is not None:
            age_s = (self._now - whole.finished_at).total_seconds()
            yield _gauge("last_whole_run_age_seconds", "Since a run ended with nothing owed", age_s)
        yield from self._queue()

    def _queue(self) -> Iterator[Metric]:
        issues, troubles, deliveries = schema.issues, schema.troubles, schema.deliveries
        with self._database.read() as connection:
            by_state = connection.execute(select(issues.c.state, func.count()).group_by(issues.c.state)).all()
            given_up = connection.execute(
                select(func.count()).select_from(troubles).where(troubles.c.given_up)
            ).scalar_one()
            by_delivery = connection.execute(
                select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            ).all()
        yield _gauges("issues", "Issues in the queue", "state", {row[0]: row[1] for row in by_state})
        yield _gauge("recordings_given_up", "Recordings in quarantine", float(given_up))
        yield _gauges("deliveries", "Webhook deliveries", "state", {row[0]: row[1] for row in by_delivery})


def _is_active(runs: list[Run]) -> bool:
    return bool(runs) and runs[0].state is RunState.RUNNING


def _of_run(run: Run, now: datetime) -> Iterator[Metric]:
    told: Mapping[str, Any] = run.summary
    yield _gauges("run_state", "The last run's state", "state", {run.state.value: 1})
    yield _gauge("run_started_timestamp_seconds", "When the last run began", run.started_at.timestamp())
    for name, what in (
        ("samples", "Moments looked at by the last run"),
        ("samples_per_s", "Moments looked at a second"),
        ("days_owed", "Camera-days that the last run owed"),
        ("days_done", "Camera-days that it has done"),
        ("looks_owed", "Moments that it owed, about"),
        ("looks_done", "Moments of the days that it has done"),
        ("remaining_s", "How long it still takes at its pace"),
        ("troubles", "Things that went wrong"),
        ("took_s", "How long it has been going"),
    ):
        if told.get(name) is not None:
            yield _gauge(f"run_{name}", what, float(told[name]))
    yield _gauge("lag_seconds", "Age of the oldest day that is owed; 0 where none is", _lag_s(told, now))
    yield _gauges("run_failures", "Recordings not seen, by reason", "reason", told.get("failures", {}))
    yield _gauges("run_lost_workers", "Workers lost", "how", told.get("lost_workers", {}))
    yield _gauges("run_stage_seconds", "Workers' time by stage", "stage", told.get("stages_s", {}))
    yield _gauges("run_filed", "Incidents filed, by what they became", "outcome", told.get("filed", {}))
    yield _gauge(
        "cameras_faulty", "Cameras whose folder cannot be read", float(len(told.get("camera_faults", {})))
    )


def _lag_s(told: Mapping[str, Any], now: datetime) -> float:
    oldest = told.get("oldest_owed_day")
    if not oldest:
        return 0.0
    # The end of the day, in UTC: some hours off is nothing against days.
    return max(0.0, (now.date() - date.fromisoformat(oldest)).total_seconds())


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"kerbwatch_{name}", what, value=value)


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"kerbwatch_{name}", what, labels=[label])
    for kind, value in sorted(values.items()):
        family.add_metric([kind], float(value))
    return family
