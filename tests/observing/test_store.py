"""The store of observations: whole files or none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_disk import small_disk
from sync_spy import synced

from detector.core.errors import DamagedObservations, StorageFull
from detector.core.values import NO_CARD, SIGNATURE_WH, CardSigns, Detections, Observation, ViewState
from detector.observing.gate import Remembered
from detector.observing.store import ObservationStore
from detector.storage import folder as room

START = datetime(2026, 1, 8, 23, 30, tzinfo=UTC)
LABELS = st.sampled_from(["car", "bus", "person", "rubbish", "塑料袋"])


@st.composite
def observations(draw: st.DrawFn, index: int = 0) -> Observation:
    labels = tuple(draw(st.lists(LABELS, max_size=4)))
    chance = np.random.default_rng(draw(st.integers(0, 1000)))
    return Observation(
        "p001", START + timedelta(seconds=index * 54, microseconds=draw(st.integers(0, 999_999))), "rec", index * 54.0,
        Detections(labels, chance.random(len(labels), np.float32), chance.random((len(labels), 4), np.float32)),
        ViewState(
            float(np.float32(chance.random() * 255)), float(np.float32(chance.random())),
            chance.integers(0, 255, SIGNATURE_WH[::-1], np.uint8),
            card=CardSigns(*(float(sign) for sign in chance.random(4, np.float32))),
        ),
        draw(st.none() | st.binary(max_size=20)),
    )  # fmt: skip


def series(data: st.DataObject, count: int) -> list[Observation]:
    return [data.draw(observations(index)) for index in range(count)]


def plain(observation: Observation) -> tuple[object, ...]:
    """Every field, comparable with ==."""
    seen, view = observation.detections, observation.view
    return (
        observation.camera_id, observation.at, observation.recording_id, observation.offset_s, observation.picture,
        seen.labels, seen.confidences.tolist(), seen.boxes.tolist(),
        view.brightness, view.sharpness, view.signature.tolist(), view.card,
    )  # fmt: skip


def one(index: int = 0) -> Observation:
    nothing = Detections((), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))
    view = ViewState(1.0, 1.0, np.zeros(SIGNATURE_WH[::-1], np.uint8))
    return Observation("p001", START + timedelta(seconds=index), "rec", float(index), nothing, view)


@settings(max_examples=15)
@given(st.data(), st.integers(0, 5))
def test_what_is_read_is_what_was_written_in_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    seen = series(data, count)
    store = ObservationStore(tmp_path_factory.mktemp("store"))
    name = store.write("p001", "rec", "plan", START, seen)
    assert [plain(o) for o in store.read(name, "p001", "rec")] == [plain(o) for o in seen]


def test_a_file_of_before_cards_were_told_is_still_read(tmp_path: Path) -> None:
    store = ObservationStore(tmp_path)
    name = store.write("p001", "rec", "plan", START, [one(), one(1)])
    old = pq.read_table(tmp_path / name).drop_columns(["card", "spared", "reused"])
    pq.write_table(old, tmp_path / name)
    assert [o.view.card for o in store.read(name, "p001", "rec")] == [NO_CARD, NO_CARD]


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["cut", "flipped", "random", "empty"]))
def test_a_damaged_file_is_said_to_be_damaged_or_reads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, seed: int, how: str
) -> None:
    root, chance = tmp_path_factory.mktemp("store"), np.random.default_rng(seed)
    store, seen = ObservationStore(root), [one(k) for k in range(5)]
    name = store.write("p001", "rec", "plan", START, seen)
    content = bytearray((root / name).read_bytes())
    at = int(chance.integers(len(content)))
    content[at] ^= 0xFF if how == "flipped" else 0
    damaged = {"cut": content[:at], "flipped": content, "random": chance.bytes(len(content)), "empty": b""}
    (root / name).write_bytes(damaged[how])
    for read in (lambda: store.read(name, "p001", "rec"), lambda: store.memory(name)):
        # A flipped byte may lie where nothing depends on it.
        with suppress(DamagedObservations) if how == "flipped" else pytest.raises(DamagedObservations):
            read()


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DamagedObservations, match="the file is missing"):
        ObservationStore(tmp_path).read("camera=p/date=2026-01-08/x.parquet", "p", "rec")
    assert ObservationStore(tmp_path).set_aside("camera=p/date=2026-01-08/x.parquet") == ""


def test_a_file_that_is_set_aside_is_kept_elsewhere(tmp_path: Path) -> None:
    store = ObservationStore(tmp_path)
    name = store.write("p001", "rec", "plan", START, [one()])
    content = (tmp_path / name).read_bytes()
    aside = store.set_aside(name)
    assert not (tmp_path / name).exists()
    assert (tmp_path / aside).read_bytes() == content


@settings(max_examples=15)
@given(st.data(), st.integers(0, 3))
def test_what_the_gate_remembers_is_kept_beside_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, scenes: int
) -> None:
    chance = np.random.default_rng(scenes)
    memory = tuple(
        Remembered(
            chance.integers(0, 255, (90 - number, 160), np.uint8),
            tuple(o.detections for o in series(data, data.draw(st.integers(0, 3)))),
            number,
        )
        for number in range(scenes)
    )
    store = ObservationStore(tmp_path_factory.mktemp("store"))
    name = store.write("p001", "rec", "plan", START, [one()], memory)
    assert [known(r) for r in store.memory(name)] == [known(r) for r in memory]
    assert store.memory(store.write("p001", "rec", "other", START, [one()])) == ()


def known(scene: Remembered) -> tuple[object, ...]:
    answers = [(a.labels, a.confidences.tolist(), a.boxes.tolist()) for a in scene.answers]
    return scene.picture.tolist(), answers, scene.reused


def test_a_file_lies_under_its_camera_and_its_local_day(tmp_path: Path) -> None:
    local = START.astimezone(ZoneInfo("Asia/Shanghai"))
    name = ObservationStore(tmp_path).write("p001", "rec", "plan", local, [one()])
    assert name == "camera=p001/date=2026-01-09/073000-rec-plan.parquet"
    assert (tmp_path / name).is_file()


def test_writing_again_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    store = ObservationStore(tmp_path)
    name = store.write("p001", "rec", "plan", START, [one()])
    assert store.write("p001", "rec", "plan", START, [one(), one(1)]) == name
    assert len(store.read(name, "p001", "rec")) == 2
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / name]


def test_a_write_that_breaks_off_shows_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> None:
        names = [p.name for p in tmp_path.rglob("*") if p.is_file()]
        assert all(name.startswith(".") for name in names), "a half file must not bear its name"
        raise OSError(5, "input/output error")

    monkeypatch.setattr(room.os, "fsync", broken)
    with pytest.raises(OSError, match="input/output"):
        ObservationStore(tmp_path).write("p001", "rec", "plan", START, [one()])
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_broken_write_leaves_the_file_before_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObservationStore(tmp_path)
    name = store.write("p001", "rec", "plan", START, [one()])
    with monkeypatch.context() as patch:
        patch.setattr(room.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "input/output error")))
        with pytest.raises(OSError, match="input/output"):
            store.write("p001", "rec", "plan", START, [one(), one(1)])
    assert len(store.read(name, "p001", "rec")) == 1


def test_a_power_cut_loses_nothing_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is synced before it has its name, and every folder that is new or changed after that."""
    with synced(monkeypatch) as told:
        name = ObservationStore(tmp_path / "observations").write("p001", "rec", "plan", START, [one()])
    target = tmp_path / "observations" / name
    assert told(target) == [False], "its own name is not there yet when it is synced"
    for folder in (target.parent, target.parent.parent, tmp_path / "observations", tmp_path):
        assert told(folder), f"{folder} has a new name in it"
    assert told(target.parent)[-1:] == [True]


def test_what_is_removed_may_be_removed_again(tmp_path: Path) -> None:
    store = ObservationStore(tmp_path)
    name = store.write("p001", "rec", "plan", START, [one()])
    store.remove(name)
    store.remove(name)
    assert not (tmp_path / name).exists()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 64 kB."""
    with small_disk(tmp_path / "disk", "64k") as folder:
        yield folder


def test_a_full_disk_is_said_and_leaves_no_half_file(tiny_disk: Path) -> None:
    store = ObservationStore(tiny_disk)
    name = store.write("p001", "rec", "plan", START, [one()])
    chance = np.random.default_rng(1)
    noise = [
        Observation("p001", START, "rec", 0.0, o.detections, o.view, chance.bytes(20_000))
        for o in (one(i) for i in range(10))
    ]
    with pytest.raises(StorageFull, match="no space left"):
        store.write("p001", "other", "plan", START, noise)
    assert [p for p in tiny_disk.rglob("*") if p.is_file()] == [tiny_disk / name]
    assert len(store.read(name, "p001", "rec")) == 1


def test_a_full_disk_without_a_disk_of_ones_own_is_said_too(tmp_path: Path) -> None:
    """The same by the kernel's own full device, for those who may not mount."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    folder = tmp_path / "camera=p001" / f"date={START:%Y-%m-%d}"
    folder.mkdir(parents=True)
    (folder / f".{START:%H%M%S}-rec-plan.parquet.{os.getpid()}.{socket.gethostname()}").symlink_to(
        "/dev/full"
    )
    with pytest.raises(StorageFull):
        ObservationStore(tmp_path).write("p001", "rec", "plan", START, [one()])
    assert not list(folder.iterdir())
