"""Which processors each worker keeps to."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from crew_work import job, open_nothing, where
from hypothesis import given
from hypothesis import strategies as st

from detector.engines import local
from detector.engines.crew import Done, local_crew
from detector.engines.local import cores, shares
from detector.pipeline.days import Surveyed


@given(st.integers(1, 12), st.integers(1, 4), st.sets(st.integers(0, 40), min_size=1, max_size=16))
def test_workers_that_fill_the_machine_get_processors_of_their_own(
    count: int, threads: int, own: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local.os, "sched_getaffinity", lambda _: own)
        given_out = shares(count, threads)
    assert len(given_out) == count
    if count * threads < len(own):
        assert set(given_out) == {frozenset(own)}
        return
    held = Counter(processor for share in given_out for processor in share)
    assert set(held) == own
    assert max(held.values()) - min(held.values()) <= 1 or threads > len(own)
    assert all(len(share) == min(threads, len(own)) for share in given_out)


def test_workers_of_a_crew_run_where_they_keep_to() -> None:
    own = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    assert places_of(cores()) == sorted(own.split(","))
    if cores() > 1:
        assert places_of(1) == [own]


def places_of(workers: int) -> list[str]:
    """Where each worker of a crew says that it may run."""
    told: list[str] = []
    with local_crew(open_nothing, workers=workers, work=where) as crew:
        for number in range(workers):
            crew.submit(job(f"camera-{number}"))
        while crew.busy():
            for event in crew.events(5.0):
                assert isinstance(event, Done)
                assert isinstance(event.result, Surveyed)
                told.append(event.result.fault or "")
    return sorted(told)
