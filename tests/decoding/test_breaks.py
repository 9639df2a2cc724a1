"""Where the clock of a stream jumps: found in an index, by samples, or by reading the whole."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timelines_fixture import joined, remade
from video_fixture import Maker

from detector.decoding import reader
from detector.decoding.breaks import LEAST_S, Jump, find_jumps, find_jumps_in_index
from detector.decoding.edits import has_edit_list
from detector.decoding.reader import Reader, probe, study

ROUNDED_S = 1e-6
"""Differences of sums of up to 300,000 s are exact to less than this."""


@given(
    steps=st.lists(st.floats(0.03, 0.05), min_size=40, max_size=400),
    places=st.lists(st.integers(0, 39), max_size=3, unique=True),
    size_s=st.floats(2.5, 1e5),
)
def test_an_index_shows_the_jumps_that_all_its_times_show(
    steps: list[float], places: list[int], size_s: float
) -> None:
    for place in places:
        steps[place] += size_s
    times_s = list(accumulate(steps, initial=0.0))
    jumps, usual_s = find_jumps_in_index(times_s.__getitem__, len(times_s))
    assert [jump.number for jump in jumps] == sorted(place + 1 for place in places)
    assert jumps == find_jumps(times_s)[0]
    assert 0.03 - ROUNDED_S <= usual_s <= 0.05 + ROUNDED_S


def test_a_steady_index_is_read_at_few_places() -> None:
    read: list[int] = []

    def time_at(number: int) -> float:
        read.append(number)
        return number * 0.04

    assert find_jumps_in_index(time_at, 90_000)[0] == []
    assert len(set(read)) < 100


def test_times_that_go_back_are_a_jump_and_pictures_out_of_order_are_none() -> None:
    assert find_jumps([0.0, 0.1, 0.3, 0.2, 0.4, 0.5])[0] == []
    assert find_jumps([0.0, 0.1, 8.0, 8.1, 0.0, 0.1])[0] == [
        Jump(2, pytest.approx(7.9)),
        Jump(4, pytest.approx(-8.1)),
    ]
    assert find_jumps([0.0, 10.0, 20.0, 30.0])[0] == []


def test_a_restart_in_a_large_stream_is_found_by_samples(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make("libx264", "ts", pictures=240)
    parts = [
        remade(made, tmp_path / "1.ts", until_s=10.0),
        remade(made, tmp_path / "2.ts", lambda t: t - 10.0, from_s=10.0),
    ]
    whole = joined(parts, tmp_path / "c.ts")
    monkeypatch.setattr(reader, "READ_WHOLE_BYTES", 0)
    (found,) = probe(whole).breaks
    assert found.media_s == pytest.approx(10.0, abs=0.2)
    assert found.jump_s == pytest.approx(-10.0, abs=LEAST_S / 4)


def test_a_large_stream_whose_times_rise_evenly_is_not_read_whole(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make("libx264", "ts", pictures=240)
    scanned: list[Path] = []
    real = Reader._scan_packets
    monkeypatch.setattr(Reader, "_scan_packets", lambda self: scanned.append(self.path) or real(self))
    monkeypatch.setattr(reader, "READ_WHOLE_BYTES", 0)
    assert probe(made.path).breaks == ()
    assert scanned == []
    assert study(made.path).breaks == ()
    assert scanned == [made.path]


def test_an_edit_list_is_told_apart_from_none(make: Maker, tmp_path: Path) -> None:
    late = remade(make(), tmp_path / "late.mp4", lambda t: t + 8.0)
    assert has_edit_list(late)
    assert not has_edit_list(make("libx264", "mkv").path)
    assert not has_edit_list(tmp_path / "gone.mp4")
