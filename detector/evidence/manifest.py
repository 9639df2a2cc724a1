"""manifest.json: what an incident's evidence says and consists of, in one byte-exact form; and its check."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from detector.core.geometry import Box
from detector.core.values import EvidenceFile, Proof, Still
from detector.evidence.captions import Scene
from detector.signing import PublicKey
from detector.storage import BadName, Store, open_store

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
"""The signature of the bytes of MANIFEST by the county's key, 64 bytes; not every folder has one."""


def canonical(value: object) -> bytes:
    """JSON in one form only: sorted keys, UTF-8, two spaces, a newline at the end. Raises ValueError on NaN or inf."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False)
    return f"{text}\n".encode()


def file_of(path: Path) -> EvidenceFile:
    """The file as it lies on the disk. Raises OSError."""
    return file_with(path.name, path.read_bytes())


def file_with(name: str, content: bytes) -> EvidenceFile:
    return EvidenceFile(name, hashlib.sha256(content).hexdigest(), len(content))


def moment_json(at: datetime, scene: Scene) -> str:
    """Local time to the millisecond, with its offset."""
    return scene.local(at).isoformat(timespec="milliseconds")


def box_json(box: Box | None) -> list[float] | None:
    return [round(float(side), 5) for side in box] if box else None


def manifest_of(proof: Proof, scene: Scene, files: Iterable[EvidenceFile]) -> dict[str, object]:
    """What manifest.json holds. An uncertainty is null where nothing shows how long before or after it was.

    Moments are by the county's clock, which the key `camera.timezone` names; only what begins with `recorder` is by the
    recorder's.
    """
    incident = proof.incident
    return {
        "format": 1,
        "kerbwatch": scene.kerbwatch_version,
        "rules_version": scene.rules_version,
        "model": {"id": scene.model_id, "sha256": scene.model_sha256},
        "fingerprint": incident.fingerprint,
        "point": {"id": scene.point.id, "name": scene.point.name, "name_en": scene.point.name_en},
        "camera": {"id": scene.camera.id, "timezone": str(scene.camera.timezone)},
        "recorder": {
            "timezone": str(scene.camera.recorder_clock),
            "clock_offset_s": _finite(scene.camera.clock_offset_s),
        },
        "zone": {"id": incident.zone_id, "name": scene.zone_name} if incident.zone_id is not None else None,
        "violation": {
            "id": incident.violation.value,
            "code": scene.code,
            "zh": scene.violation_zh,
            "en": scene.violation_en,
        },
        "interval": {
            "start": moment_json(incident.interval.start, scene),
            "end": moment_json(incident.interval.end, scene),
            "start_uncertainty_s": _finite(proof.start_uncertainty_s),
            "end_uncertainty_s": _finite(proof.end_uncertainty_s),
        },
        "dwell_s": _finite(incident.dwell_s),
        "limit_s": _finite(incident.limit_s),
        "share": _finite(incident.share),
        "confidence": _finite(incident.confidence),
        "similarity": _finite(proof.similarity),
        "box": box_json(incident.box),
        "explanation": {"zh": proof.explanation_zh, "en": proof.explanation},
        "stills": [_still_json(still, scene) for still in proof.stills],
        "files": {f.name: {"sha256": f.sha256, "size_bytes": f.size_bytes} for f in files},
    }


def listed_files(manifest: bytes) -> tuple[EvidenceFile, ...]:
    """The files that a manifest names. Raises ValueError where it is no such manifest."""
    try:
        files = json.loads(manifest)["files"]
        return tuple(EvidenceFile(name, f["sha256"], f["size_bytes"]) for name, f in sorted(files.items()))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a manifest: {error!r}") from error


@dataclass(frozen=True, slots=True)
class KnownStill:
    """What a manifest says of a still; None where it does not say, or nothing that makes sense."""

    at: datetime | None
    box: Box | None


def manifest_in(content: bytes | None) -> Mapping[str, Any]:
    """What a manifest says; nothing where it is missing or damaged."""
    try:
        read = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def stills_in(content: bytes | None) -> list[KnownStill]:
    """The stills of a manifest, in their order; none where it is missing or damaged."""
    stills = manifest_in(content).get("stills")
    told = stills if isinstance(stills, list) else []
    return [KnownStill(_moment_of(one), _box_of(one)) for one in told if isinstance(one, dict)]


def _moment_of(still: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(still["at"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo else None


def _box_of(still: Mapping[str, Any]) -> Box | None:
    try:
        x1, y1, x2, y2 = (float(side) for side in still["box"])
    except (KeyError, TypeError, ValueError):
        return None
    return (x1, y1, x2, y2) if 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 else None


def verify_evidence(folder: Path) -> list[str]:
    """What is wrong with an incident's folder, one line a fault; empty where every file is as its manifest says."""
    folder = folder.resolve()
    return verify_stored(open_store(folder.parent), folder.name)


def verify_signed(folder: Path, keys: Iterable[PublicKey]) -> list[str]:
    """What is wrong with a folder that was handed over, without the database: its files, or who signed its manifest.

    `keys` are those of whom the receiver trusts; one of them must have signed.
    """
    faults = verify_evidence(folder)
    try:
        content, signature = (folder / MANIFEST).read_bytes(), (folder / SIGNATURE).read_bytes()
    except OSError as error:
        return [*faults, f"{SIGNATURE}: {error.strerror}: nobody says who made this evidence"]
    if not manifest_in(content).get("fingerprint"):
        faults.append(f"{MANIFEST}: is no manifest of evidence")
    if not any(key.verifies(signature, content) for key in keys):
        faults.append(f"{SIGNATURE}: none of the keys given has signed the manifest")
    return faults


def verify_stored(store: Store, folder: str) -> list[str]:
    """The same, of a folder in a store. Raises StoreAway."""
    try:
        present = set(store.names(folder)) - {MANIFEST, SIGNATURE}
        listed = listed_files(store.read(f"{folder}/{MANIFEST}"))
    except FileNotFoundError:
        return [f"{MANIFEST}: missing"]
    except BadName as error:
        return [str(error)]
    except (OSError, ValueError) as error:
        return [f"{MANIFEST}: unreadable ({error})"]
    faults = [f"{name}: not in the manifest" for name in sorted(present - {file.name for file in listed})]
    for file in listed:
        fault = _fault(store, folder, file) if file.name in present else "missing"
        faults += [f"{file.name}: {fault}"] if fault else []
    return faults


def _fault(store: Store, folder: str, file: EvidenceFile) -> str | None:
    try:
        found = file_with(file.name, store.read(f"{folder}/{file.name}"))
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if found.size_bytes != file.size_bytes:
        return f"changed: {found.size_bytes} bytes, the manifest says {file.size_bytes}"
    return None if found == file else "changed: its SHA-256 is not the manifest's"


def _still_json(still: Still, scene: Scene) -> dict[str, object]:
    return {
        "at": moment_json(still.at, scene),
        "recorder_at": scene.camera.recorder_time(still.at).isoformat(timespec="milliseconds"),
        "recording": {
            "path": still.recording.path,
            "size_bytes": still.recording.size_bytes,
            # How its pictures got their times, where that is not by its own clock alone.
            **({"clock": still.recording.reason} if still.recording.reason else {}),
        },
        "offset_s": round(float(still.frame.offset_s), 6),
        "source_sha256": still.frame.source_sha256,
        "box": box_json(still.box),
    }


def _finite(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
