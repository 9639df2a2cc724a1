"""Processes that file, dispatch or deliver until they are killed, and say on standard output what they have done.

Run as: python doer.py DATABASE_URL FOLDER. Each line of its standard input, `file 7`, `dispatch 0` or `deliver 0`, makes one
such process, which says "ready PID" when it begins; the line after it, that it is to be buried, "over" that it is. What was said was committed; what
was committed may not have been said. Starting each from nothing took most of the test's time.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from desk_made import ADMIN
from made_issues import file, incident

from detector.config.settings import Settings, load_settings
from detector.database import Database
from detector.dispatch import Desk
from detector.dispatch.webhooks import deliver
from detector.issues import IssueFilter, IssueOrder, State

GAP_MIN = 100


def said(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def files(desk: Desk, first: int) -> None:
    """Incidents from the one of that number on; a scan that was killed begins with some that it had filed."""
    for number in count(first):
        of = incident(GAP_MIN * number, GAP_MIN * number + 5, camera_id="p025")
        filed = file(desk.queue, of)
        said("filed", of.fingerprint, filed.issue_id)


def dispatches(desk: Desk) -> None:
    while True:
        flagged = desk.find(ADMIN, IssueFilter(states=(State.FLAGGED,)), order=IssueOrder.OLDEST, limit=3)
        for issue in flagged:
            desk.confirm(ADMIN, issue.id)
        ready = desk.find(ADMIN, IssueFilter(states=(State.CONFIRMED,)), order=IssueOrder.OLDEST)
        for order in desk.dispatch(ADMIN, [issue.id for issue in ready]) if ready else ():
            said("order", order.number, *order.issue_ids)
        if not flagged and not ready:
            said("idle")
            return


def delivers(database: Database, settings: Settings, desk: Desk) -> None:
    while sum(one.sent for one in deliver(database, settings, desk.now, at_most=5)):
        said("round")
    said("idle")


def work(what: str, first: int, url: str, settings: Settings) -> None:
    with Database.open(url) as database:
        desk = Desk(database, settings)
        said("ready", os.getpid())
        if what == "file":
            files(desk, first)
        elif what == "dispatch":
            dispatches(desk)
        else:
            delivers(database, settings, desk)


def main() -> None:
    url, folder = sys.argv[1:]
    settings = load_settings(Path(folder))
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            what, first = line.split()
            work(what, int(first), url, settings)
            os._exit(0)
        sys.stdin.readline()
        os.waitpid(pid, 0)
        said("over")


if __name__ == "__main__":
    main()
