"""What was seen and decided of clips, kept between runs, so that another rule set is scored in seconds.

Everything is named by the contents of the clip, the model, the moments looked at and the program's own code; what
fits nothing any more is never read again. The whole folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from detector.config.rules import RuleSet
from detector.config.violations import Pictures, with_pictures
from detector.core.barrier import barrier
from detector.core.errors import DamagedObservations, UnexpectedFault
from detector.core.times import Interval
from detector.core.values import Incident, Proof, Recording
from detector.inference.detector import Detector
from detector.inference.second import SecondModels
from detector.inference.weights import sha256_of
from detector.observing.observe import Failed, Observed
from detector.observing.store import ObservationStore
from detector.proving.explain import explanation, explanation_zh
from detector.proving.looker import Looker
from detector.proving.prove import Dropped
from detector.proving.verdict import Decide, verdict_on
from detector.sampling.plan import Look

PICTURED = (Pictures.SLOW, Pictures.DECODED)
SEEING = ("core", "decoding", "inference", "observing", "sampling")
DECIDING = (*SEEING, "proving")
"""The rooms whose code decides what is seen, and what a closer look makes of it."""


class Kept:
    """A folder of observations and verdicts. Without `reuse` it is only written, never read."""

    def __init__(self, root: Path, *, reuse: bool) -> None:
        self._root = root
        self._reuse = reuse
        self._store = ObservationStore(root / "observations")

    def observed(
        self,
        recording: Recording,
        plan: Sequence[Look],
        rules: RuleSet,
        model_id: str,
        look: Callable[[], Observed],
    ) -> Observed:
        """What `look` sees of one recording at these moments, or what it saw before.

        Of the rules only those that need pictures decide what is seen: how many pictures are kept.
        """
        content, start = sha256_of(Path(recording.path)), recording.interval.start
        looks = [((seen.at - start).total_seconds(), seen.tolerance_s) for seen in plan]
        kept = repr([rules.rules.get(v) for kind in PICTURED for v in with_pictures(kind)])
        key = _key("seen", content, start, looks, kept, model_id, code_digest(SEEING))
        index = self._root / "seen" / f"{key}.json"
        if self._reuse and index.is_file() and (seen := self._seen_before(index, recording)):
            return seen
        seen_now = look()
        file = self._store.write(recording.camera_id, key[:16], key[16:26], start, seen_now.seen)
        failed = [[f.offset_s, f.reason, f.recording_id] for f in seen_now.failed]
        _write(index, {"file": file, "failed": failed})
        return seen_now

    def _seen_before(self, index: Path, recording: Recording) -> Observed | None:
        """What is kept of a recording; None where that is damaged, so that it is looked at again."""
        try:
            with barrier(f"kept observations {index}", UnexpectedFault):
                known = json.loads(index.read_text(encoding="utf-8"))
                seen = self._store.read(known["file"], recording.camera_id, recording.id)
                return Observed(tuple(seen), tuple(Failed(*failed) for failed in known["failed"]))
        except (DamagedObservations, UnexpectedFault):
            return None

    def decide(self, files: Sequence[Path], model_id: str) -> Decide:
        """A closer look at a suspicion of these files that remembers.

        A verdict serves under another limit too where that changes nothing but the comparison with the dwell: a
        proven stay is proven up to its own length, and what was dropped is dropped under a longer limit as well.
        """
        clip = [sha256_of(file) for file in files]

        def decided(
            incident: Incident, looker: Looker, detector: Detector, second: SecondModels
        ) -> Proof | Dropped:
            key = _key("verdict", clip, _suspicion(incident), model_id, code_digest(DECIDING))
            file = self._root / "verdicts" / f"{key}.json"
            if self._reuse and file.is_file():
                verdict = _verdict_before(incident, file)
                if verdict is not None:
                    return verdict
            verdict = verdict_on(incident, looker, detector, second)
            _write(file, _told(verdict, incident.limit_s))
            return verdict

        return decided


def _verdict_before(incident: Incident, file: Path) -> Proof | Dropped | None:
    """What is kept of a suspicion; None where that is damaged or of another limit, so that it is looked at again."""
    try:
        with barrier(f"kept verdict {file}", UnexpectedFault):
            return _remembered(incident, json.loads(file.read_text(encoding="utf-8")))
    except UnexpectedFault:
        return None


def _suspicion(incident: Incident) -> str:
    """All that an incident says but its limit; a moment is the same in whatever time zone it was stored."""
    return json.dumps(replace(incident, limit_s=0.0), default=_plain)


def _plain(value: Any) -> object:  # noqa: ANN401  # what JSON has no form for
    if isinstance(value, datetime):
        return value.timestamp()
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return float(value)


def _told(verdict: Proof | Dropped, limit_s: float) -> dict[str, Any]:
    if isinstance(verdict, Dropped):
        return {"limit_s": limit_s, "dropped": verdict.reason}
    incident = verdict.incident
    return {
        "limit_s": limit_s,
        "start": incident.interval.start.isoformat(),
        "end": incident.interval.end.isoformat(),
        "box": incident.box,
        "share": incident.share,
        "note": incident.note,
        "note_zh": incident.note_zh,
        "uncertainties_s": [verdict.start_uncertainty_s, verdict.end_uncertainty_s],
        "similarity": verdict.similarity,
    }


def _remembered(incident: Incident, told: dict[str, Any]) -> Proof | Dropped | None:
    """The verdict told of a suspicion, under the suspicion's own limit; None where that needs another look."""
    if "dropped" in told:
        return Dropped(incident, told["dropped"]) if incident.limit_s >= told["limit_s"] else None
    interval = Interval(datetime.fromisoformat(told["start"]), datetime.fromisoformat(told["end"]))
    stood_s = incident.counted_s(interval)
    if told["box"] is not None and stood_s <= incident.limit_s:
        return Dropped(
            incident, f"the same object stood for {stood_s:.0f} s, the limit is {incident.limit_s:.0f} s"
        )
    box = told["box"]
    refined = replace(
        incident,
        interval=interval,
        box=(box[0], box[1], box[2], box[3]) if box else None,
        share=told["share"],
        note=told["note"],
        note_zh=told["note_zh"],
    )
    return Proof(
        incident=refined,
        stills=(),
        start_uncertainty_s=told["uncertainties_s"][0],
        end_uncertainty_s=told["uncertainties_s"][1],
        similarity=told["similarity"],
        explanation=explanation(refined),
        explanation_zh=explanation_zh(refined),
    )


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=4)
def code_digest(rooms: tuple[str, ...]) -> str:
    """Of the source of some rooms: what another version of them saw or decided serves no more."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(file for room in rooms for file in (package / room).glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _write(file: Path, content: dict[str, Any]) -> None:
    """Whole or not at all; another process may write the same."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    scratch.write_text(json.dumps(content), encoding="utf-8")
    scratch.replace(file)
