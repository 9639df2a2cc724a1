"""`calendar`: by which days deadlines are counted, so that a year that somebody has typed in can be read back."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import AsJson, Folder, now, settings_in
from detector.cli.output import complain, say, say_json, table
from detector.config.loop import WEEKDAYS, Calendar
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.dispatch.routing import calendar_warning, loop_of


def add_to(app: typer.Typer) -> None:
    app.command()(calendar)


def calendar(
    folder: Folder = Path(),
    year: Annotated[
        int | None, typer.Option("--year", help="Only this year; all that the table holds.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Holidays and make-up days (调休) of calendar.yaml, and what it lacks. A new year is added to that file.

    Example: kerbwatch calendar -C county --year 2026
    """
    settings = settings_in(folder)
    held = loop_of(settings).calendar
    if year is not None and year not in held.years:
        raise BadInput(
            f"calendar.yaml has no holidays of {year}; it holds {', '.join(map(str, sorted(held.years)))}"
        )
    years = sorted(held.years) if year is None else [year]
    if as_json:
        say_json([_year_json(held, one) for one in years])
    else:
        for one in years:
            _tell(held, one)
    warn_of_calendar(settings)


def warn_of_calendar(settings: Settings) -> None:
    """Says on standard error what the calendar will soon lack."""
    warning = calendar_warning(settings, now())
    if warning:
        complain(f"warning: {' / '.join(warning)}")


def _tell(held: Calendar, year: int) -> None:
    off, on = _days(held, year)
    rows = [(name, first, last, (last - first).days + 1) for name, first, last in off]
    table(str(year), ("holiday", "first", "last", "days"), rows, right=("days",))
    say(f"make-up days: {', '.join(f'{day} {WEEKDAYS[day.weekday()]}' for day in on) or 'none'}")
    say(f"{_worked(held, year)} days are worked in {year}")


def _year_json(held: Calendar, year: int) -> dict[str, object]:
    off, on = _days(held, year)
    return {
        "year": year,
        "holidays": [{"name": n, "first": a.isoformat(), "last": b.isoformat()} for n, a, b in off],
        "working_days": [day.isoformat() for day in on],
        "worked": _worked(held, year),
    }


def _days(held: Calendar, year: int) -> tuple[list[tuple[str, date, date]], list[date]]:
    """The holidays of a year as (name, first day, last day), and its make-up days."""
    own = sorted((day, name) for day, name in held.holidays.items() if day.year == year)
    runs = groupby(enumerate(own), key=lambda pair: (pair[1][1], pair[1][0] - timedelta(days=pair[0])))
    spans = [[day for _, (day, _) in run] for _, run in runs]
    holidays = [(held.holidays[span[0]], span[0], span[-1]) for span in spans]
    return holidays, sorted(day for day in held.working_days if day.year == year)


def _worked(held: Calendar, year: int) -> int:
    first = date(year, 1, 1)
    days = (date(year + 1, 1, 1) - first).days
    return sum(held.is_worked(first + timedelta(days=k)) for k in range(days))
