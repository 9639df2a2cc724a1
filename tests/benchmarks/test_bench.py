"""The benchmark and the rehearsal, on small and few pictures: the same flow, the same commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detector.benchmarks import bench as benching
from detector.benchmarks import footage, rehearsal
from detector.benchmarks.bench import Size, bench
from detector.benchmarks.county import write_folder
from detector.benchmarks.footage import Plot, Street
from detector.benchmarks.measure import CommandFailed, measured
from detector.benchmarks.others import DwellRule, Method
from detector.benchmarks.plot import draw
from detector.config.manifest import cache_folder
from detector.core.values import Zone, ZoneKind
from detector.demo.scene import Actor, Scene

WHOLE = Zone("z", ZoneKind.NO_PARKING, ((0, 0), (1, 0), (1, 1), (0, 1)), {})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "RESOLUTION_WH", (640, 360))
    monkeypatch.setattr(footage, "FPS", 2)
    monkeypatch.setattr(footage, "KBIT_S", 200)
    monkeypatch.setattr(benching, "LIMIT_PICTURES", 8)


@pytest.mark.soak
@pytest.mark.slow
def test_the_benchmark_measures_itself_the_others_and_the_limits_on_the_same_pictures(
    cache: Path, weights: Path, tmp_path: Path
) -> None:
    size = Size(
        10,
        10,
        dict.fromkeys((Street.BUSY, Street.QUIET), 1),
        dict.fromkeys((Street.BUSY, Street.QUIET), 1),
        {Street.BUSY: (Plot.EVENT,), Street.QUIET: ()},
    )
    done = bench(
        cache, weights, cache_folder(), size=size, workers=1, methods=(Method.CV2_SEEK,), say=lambda _: None
    )
    rows = {(row.street, row.method): row for row in done.rows}
    assert len(rows) == 5
    for row in done.rows:
        assert row.score is not None
        assert (row.score.recall, row.score.false_alarms) == (1.0, 0), row
        assert row.cost.cpu_s > 0
        assert 0 < row.cost.peak_mb <= row.cost.peak_rss_mb
    assert "reused" in rows[Street.QUIET, "kerbwatch"].note
    limits = {(limit.street, method): limit for method, limit in done.limits}
    gated, plain = limits[Street.QUIET, "kerbwatch"], limits[Street.QUIET, "kerbwatch, no gate"]
    assert gated.looks.decoded < plain.looks.decoded == plain.looks.inferred
    assert gated.looks.inferred < plain.looks.inferred
    for limit in limits.values():
        assert limit.closer.decoded > 0
        assert limit.closer.inferred >= 0
        assert limit.forward > 0
        assert min(*limit.alone.decode_s, limit.alone.infer_s) > 0
        assert limit.whole_rate < limit.rate
    json.dumps(done.to_json(), default=str)
    draw(done, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 10_000


@pytest.mark.soak
def test_a_rehearsal_knows_every_recording_and_scans_a_slice_whose_violations_it_knows(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rehearsal.CHANCES, Street.BUSY, {Plot.EVENT: 1.0})
    done = rehearsal.rehearse(
        cache, size=rehearsal.Size(3, 2, range(6, 9), 1, 1), workers=1, say=lambda _: None
    )
    assert (done.recordings, done.camera_hours, done.scanned_hours) == (18, 18.0, 3.0)
    assert done.looks >= 3 * 60
    assert done.score.events >= 2
    assert (done.score.recall, done.score.false_alarms) == (1.0, 0)
    assert done.whole_core_hours > done.scan.cpu_s / 3600


def test_what_a_command_read_and_held_is_measured_and_its_failure_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(4_000_000))
    script = f"import time; data = open('{tmp_path}/file', 'rb').read(); held = b'x' * 80_000_000; time.sleep(0.6); print(len(data))"
    said, cost = measured(["python3", "-c", script])
    assert said == "4000000\n"
    assert cost.read_mb >= 4
    assert cost.peak_rss_mb >= cost.peak_mb > 76
    with pytest.raises(CommandFailed, match="nothing here"):
        measured(["python3", "-c", "raise SystemExit('nothing here')"])


def test_the_others_rule_forgives_a_hidden_look_and_no_second_vehicle() -> None:
    def found(seen: dict[float, bool]) -> int:
        rule = DwellRule([WHOLE], 180.0, 54.0)
        for at_s, there in seen.items():
            rule.look(at_s, ["car"] * there, [(0.4, 0.4, 0.6, 0.6)] * there)  # type: ignore[arg-type]
        return len(rule.end())

    looks = [54.0 * k for k in range(8)]
    assert found(dict.fromkeys(looks, True)) == 1
    assert found({at: at != 108.0 for at in looks}) == 1
    assert found({at: at > 300 for at in looks}) == 0


def test_vehicles_of_the_far_street_are_60_to_150_pixels_wide_at_1080p(tmp_path: Path) -> None:
    camera = write_folder(tmp_path / "sample", 1, gate=True).points[0].cameras[0]
    width = 1920 * np.ptp(np.array(footage._box(camera, Street.FAR, benching.SEED))[[0, 2]])
    assert 60 <= width <= 150
    scene = footage._scene(camera, Street.FAR, footage.Segment.STANDS_1, benching.SEED)
    wide = [box_of(scene, actor) for actor in scene.actors if actor.sprite.startswith(("van", "minibus"))]
    assert all(40 <= width <= 160 for width in wide)


def box_of(scene: Scene, actor: Actor) -> float:
    """Width in pixels of 1080p where the actor is nearest the middle of its way."""
    way = actor.path[len(actor.path) // 2]
    box = scene.box_of(actor, way.x, way.y)
    return 1920 * (box[2] - box[0])
