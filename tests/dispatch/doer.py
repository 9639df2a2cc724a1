"""A process that files, dispatches or delivers until it is killed, and says on standard output what it has done.

Run as: python doer.py WHAT DATABASE_URL FOLDER FIRST. What was said was committed; what was committed may not have
been said.
"""

from __future__ import annotations

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
    """The same incidents again from the first, as a scan that was killed does."""
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


def main() -> None:
    what, url, folder, first = sys.argv[1:]
    settings = load_settings(Path(folder))
    with Database.open(url) as database:
        desk = Desk(database, settings)
        said("ready")
        if what == "file":
            files(desk, int(first))
        elif what == "dispatch":
            dispatches(desk)
        else:
            delivers(database, settings, desk)


if __name__ == "__main__":
    main()
