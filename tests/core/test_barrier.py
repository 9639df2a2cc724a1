"""The error barrier: what it turns into an error of the tree, what passes, and what the log gets."""

from __future__ import annotations

import errno
import json
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.barrier import LONGEST_MESSAGE, barrier, tracebacks_in
from detector.core.errors import (
    BadInput,
    DamagedObservations,
    KerbwatchError,
    StorageFull,
    UnexpectedFault,
    UnreadableRecording,
)

UNEXPECTED = st.sampled_from(
    [ValueError, KeyError, TypeError, IndexError, MemoryError, RecursionError, EOFError]
)


@given(UNEXPECTED, st.text(max_size=400))
def test_any_unexpected_error_becomes_one_short_sentence_that_names_its_kind(
    kind: type[Exception], message: str
) -> None:
    with pytest.raises(UnreadableRecording) as raised, barrier("a", partial(UnreadableRecording, "a.mp4")):
        raise kind(message)
    assert kind.__name__ in raised.value.reason
    assert "\n" not in raised.value.reason
    assert len(raised.value.reason) < LONGEST_MESSAGE + 80
    assert isinstance(raised.value.__cause__, kind)


@pytest.mark.parametrize(
    "passing", [BadInput("x"), StorageFull(), DamagedObservations("f", "x"), BrokenPipeError()]
)
def test_errors_of_the_tree_and_a_closed_pipe_pass_unchanged(passing: Exception) -> None:
    with pytest.raises(type(passing)) as raised, barrier("a", UnexpectedFault):
        raise passing
    assert raised.value is passing


@pytest.mark.parametrize("passing", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_request_to_end_passes(passing: type[BaseException]) -> None:
    with pytest.raises(passing), barrier("a", UnexpectedFault):
        raise passing


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_the_run_and_is_no_fault_of_a_recording(number: int) -> None:
    with pytest.raises(StorageFull), barrier("a", UnexpectedFault):
        raise OSError(number, "no space")


def test_the_log_gets_the_traceback_and_the_sentence_says_where(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with (
        tracebacks_in(folder),
        pytest.raises(UnexpectedFault) as raised,
        barrier("camera p1", UnexpectedFault),
    ):
        raise ValueError("shapes (50,160) (73,160)")
    assert (
        str(raised.value) == f"unexpected error ValueError: shapes (50,160) (73,160) (traceback in {folder})"
    )
    (file,) = folder.glob("*.jsonl")
    line = json.loads(file.read_text(encoding="utf-8"))
    assert line["event"] == "unexpected error: camera p1"
    assert line["level"] == "error"
    assert 'raise ValueError("shapes' in line["traceback"]


def test_without_a_log_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnexpectedFault), barrier("a", UnexpectedFault):
        raise ValueError("x")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error", [UnreadableRecording("a.mp4", "x", unexpected=True), DamagedObservations("f.parquet", "x")]
)
def test_the_errors_of_a_recording_cross_from_a_worker_process_whole(error: KerbwatchError) -> None:
    import pickle

    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))
