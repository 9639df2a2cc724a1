"""Observations as Parquet files, one per recording under `camera=*/date=*/`, written whole or not at all."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from detector.core.barrier import barrier
from detector.core.errors import DamagedObservations
from detector.core.values import EDGES_WH, SIGNATURE_WH, CardSigns, Detections, Observation, ViewState
from detector.observing.gate import Memory, Remembered
from detector.storage import Root, open_store

SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("offset_s", pa.float64()),
        ("labels", pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        ("confidences", pa.list_(pa.float32())),
        ("boxes", pa.list_(pa.float32())),
        ("brightness", pa.float32()),
        ("sharpness", pa.float32()),
        ("signature", pa.binary(SIGNATURE_WH[0] * SIGNATURE_WH[1])),
        ("picture", pa.binary()),
        ("edges", pa.binary()),
        ("sketch", pa.binary()),
        ("reused", pa.bool_()),
        ("spared", pa.bool_()),
        ("card", pa.list_(pa.float32())),
    ]
)
"""`boxes` holds xyxy in [0, 1], four numbers a detection; `card` the fields of CardSigns in their order. A file that an
earlier version wrote lacks the last columns: they are read as null."""

DAMAGED = "damaged"
"""The folder, below the observations' root, of files that could not be read."""

MEMORY = b"gate"
"""The entry of a file's metadata that holds what the gate remembered at the recording's end, as JSON."""

NATIVE_MEMORY = b"native"
"""The entry that holds what was known of the view then; see `kept_state`."""


class ObservationStore:
    """The place of observations. A file's name says camera, local day, recording and plan."""

    def __init__(self, root: Root) -> None:
        self._files = open_store(root)

    def write(
        self,
        camera_id: str,
        recording_id: str,
        plan_key: str,
        start: datetime,
        seen: Sequence[Observation],
        memory: Memory = (),
        native_memory: str = "",
    ) -> str:
        """Store one recording's observations; returns the file's path relative to the root.

        `start` is the recording's, in the camera's time zone: its date names the folder. `memory` is the gate's at
        its end, `native_memory` what is known of the view there (`kept_state`). The file appears whole and to stay, so a reader sees all of it or nothing. Raises StorageFull,
        StoreAway.
        """
        name = f"camera={camera_id}/date={start:%Y-%m-%d}/{start:%H%M%S}-{recording_id}-{plan_key}.parquet"
        parquet = pa.BufferOutputStream()
        known = {NATIVE_MEMORY: native_memory.encode("ascii")} if native_memory else {}
        table = _table(seen).replace_schema_metadata({MEMORY: _told(memory), **known})
        pq.write_table(table, parquet, compression="zstd")
        self._files.write(name, parquet.getvalue().to_pybytes())
        return name

    def read(self, name: str, camera_id: str, recording_id: str) -> list[Observation]:
        """One recording's observations, in order of time. Raises DamagedObservations, StoreAway."""
        with self._damage_told(name):
            table = pq.read_table(pa.BufferReader(self._files.read(name)), schema=SCHEMA)
            return list(_rows(table, camera_id, recording_id))

    def memory(self, name: str) -> Memory:
        """What the gate remembered at the recording's end; nothing of a file of before that was kept.

        Raises DamagedObservations, StoreAway.
        """
        with self._damage_told(name):
            told = pq.read_schema(pa.BufferReader(self._files.read(name))).metadata or {}
            return _heard(told.get(MEMORY, b"[]"))

    @contextmanager
    def _damage_told(self, name: str) -> Iterator[None]:
        """Whatever the reader raises at a damaged file becomes DamagedObservations."""
        try:
            with barrier(f"observations {name}", partial(DamagedObservations, name)):
                yield
        except DamagedObservations as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise DamagedObservations(name, "the file is missing") from error
            raise

    def set_aside(self, name: str) -> str:
        """Keep a damaged file under another name, which no scan reads; returns that name, or '' where it is missing.

        Raises StorageFull, StoreAway.
        """
        try:
            content = self._files.read(name)
        except OSError:
            return ""
        aside = f"{DAMAGED}/{name}"
        self._files.write(aside, content)
        self._files.remove(name)
        return aside

    def native_memory(self, name: str) -> str:
        """What was known of the view at the recording's end (`kept_state`); empty where nothing was kept."""
        told = pq.read_schema(pa.BufferReader(self._files.read(name))).metadata or {}
        return str(told.get(NATIVE_MEMORY, b"").decode("ascii"))

    def remove(self, name: str) -> None:
        self._files.remove(name)


def _table(seen: Iterable[Observation]) -> pa.Table:
    seen = list(seen)
    columns = {
        "at": [o.at.astimezone(UTC) for o in seen],
        "offset_s": [o.offset_s for o in seen],
        "labels": [list(o.detections.labels) for o in seen],
        "confidences": [o.detections.confidences.astype(np.float32) for o in seen],
        "boxes": [o.detections.boxes.astype(np.float32).ravel() for o in seen],
        "brightness": [o.view.brightness for o in seen],
        "sharpness": [o.view.sharpness for o in seen],
        "signature": [o.view.signature.tobytes() for o in seen],
        "picture": [o.picture for o in seen],
        "edges": [np.packbits(o.view.edges).tobytes() for o in seen],
        "sketch": [o.view.sketch.astype(np.float32).tobytes() for o in seen],
        "reused": [o.reused for o in seen],
        "spared": [o.spared for o in seen],
        "card": [astuple(o.view.card) for o in seen],
    }
    return pa.table(columns, schema=SCHEMA)


def _rows(table: pa.Table, camera_id: str, recording_id: str) -> Iterator[Observation]:
    for row in table.to_pylist():
        detections = _detections(row)
        signature = np.frombuffer(row["signature"], np.uint8).reshape(SIGNATURE_WH[::-1])
        yield Observation(
            camera_id,
            row["at"],
            recording_id,
            row["offset_s"],
            detections,
            ViewState(
                row["brightness"],
                row["sharpness"],
                signature,
                _edges(row["edges"]),
                _floats(row["sketch"]),
                CardSigns(*row["card"] or ()),
            ),
            row["picture"],
            bool(row["reused"]),
            bool(row["spared"]),
        )


def _detections(told: Mapping[str, Any]) -> Detections:
    """What a row, or a remembered answer, holds of them; boxes one after another or each by itself."""
    return Detections(
        tuple(told["labels"]),
        np.array(told["confidences"], np.float32),
        np.array(told["boxes"], np.float32).reshape(-1, 4),
    )


def _told(memory: Memory) -> bytes:
    told = [
        {
            "shape": one.picture.shape,
            "picture": b64encode(zlib.compress(one.picture.tobytes())).decode("ascii"),
            "reused": one.reused,
            "answers": [
                {"labels": a.labels, "confidences": a.confidences.tolist(), "boxes": a.boxes.tolist()}
                for a in one.answers
            ],
        }
        for one in memory
    ]
    return json.dumps(told).encode("utf-8")


def _heard(told: bytes) -> Memory:
    return tuple(
        Remembered(
            np.frombuffer(zlib.decompress(b64decode(one["picture"])), np.uint8).reshape(one["shape"]),
            tuple(_detections(answer) for answer in one["answers"]),
            one["reused"],
        )
        for one in json.loads(told)
    )


def _edges(packed: bytes | None) -> npt.NDArray[np.bool_]:
    """Empty for an observation of before they were measured."""
    if not packed:
        return np.zeros((0, 0), np.bool_)
    cells = EDGES_WH[0] * EDGES_WH[1]
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=cells)
    return bits.reshape(EDGES_WH[::-1]).astype(np.bool_)


def _floats(packed: bytes | None) -> npt.NDArray[np.float32]:
    return np.frombuffer(packed or b"", np.float32)
