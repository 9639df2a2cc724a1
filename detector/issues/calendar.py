"""How many issues there are by point, local day and state: what a calendar shows, in one pass over the period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from sqlalchemy import case, func, select

from detector.core.times import Interval
from detector.database import Database, schema
from detector.issues.rows import conditions
from detector.issues.values import IssueFilter

DayCounts = Mapping[tuple[str, int], Counter[str]]
"""By point and number of the day: how many began on it, by state or by violation."""


def counts_by_day(
    database: Database,
    wanted: IssueFilter,
    cuts: Sequence[datetime],
    now: datetime,
    by: Literal["state", "violation"] = "state",
) -> DayCounts:
    """The issues of a filter that began in [cuts[n], cuts[n + 1]), counted as day n."""
    issues = schema.issues.c
    days = list(pairwise(cuts))
    whole = Interval(cuts[0], cuts[-1])
    number = case(*((issues.start < end, n) for n, (_, end) in enumerate(days)), else_=len(days))
    query = (
        select(issues.point_id, number.label("day"), issues[by], func.count().label("count"))
        .where(*conditions(wanted, now), issues.start >= whole.start, issues.start < whole.end)
        .group_by(issues.point_id, number, issues[by])
    )
    counts: dict[tuple[str, int], Counter[str]] = {}
    with database.read() as connection:
        for point_id, day, kind, count in connection.execute(query):
            counts.setdefault((point_id, day), Counter())[kind] += count
    return counts
