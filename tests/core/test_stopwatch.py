"""Where time goes: a stage within another counts once, in every thread."""

from __future__ import annotations

import contextlib
import threading
import time

from detector.core.stopwatch import Lap, Stopwatch


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_stage_within_another_is_not_counted_twice() -> None:
    watch = Stopwatch()
    with watch.stage("outer"):
        burn(0.02)
        with watch.stage("inner"):
            burn(0.05)
        burn(0.02)
    laps = watch.laps
    assert 0.04 <= laps["outer"].cpu_s < 0.085
    assert 0.05 <= laps["inner"].cpu_s < 0.085
    assert (laps["outer"].count, laps["inner"].count) == (1, 1)


def test_calls_are_timed_and_waiting_costs_nothing() -> None:
    watch = Stopwatch()

    def make(number: int) -> int:
        burn(0.01)
        time.sleep(0.03)
        return number

    timed = watch.calls("make", make)
    assert [timed(number) for number in range(3)] == [0, 1, 2]
    assert 0.03 <= watch.laps["make"].cpu_s < 0.09
    assert watch.laps["make"].count == 3


def test_a_stage_that_fails_is_counted_and_threads_do_not_mix() -> None:
    watch = Stopwatch()

    def fail() -> None:
        with contextlib.suppress(ValueError), watch.stage("fails"):
            burn(0.02)
            raise ValueError

    with watch.stage("other"):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert watch.laps["fails"].count == 1
    assert watch.laps["fails"].cpu_s >= 0.02
    assert watch.laps["other"].cpu_s < 0.02


def test_laps_add_up() -> None:
    assert Lap(1, 0.5) + Lap(2, 0.25) == Lap(3, 0.75)
