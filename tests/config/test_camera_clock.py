"""A camera goes by the county's clock in all but the names of its recordings."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from made_archive import write_folder

from detector.config.settings import Settings, load_settings
from detector.core.times import Interval
from detector.core.values import Camera
from detector.footage.archive import true_times
from detector.footage.templates import NamedTimes
from detector.pipeline.flow import stretches_of

ONLY_KERB = "illegal_parking: {dwell_s: 60, zones: [no_parking], exempt_zones: [parking_bay]}\n"
SHANGHAI, ZONES = ZoneInfo("Asia/Shanghai"), (None, "UTC", "America/New_York")


@pytest.fixture(params=ZONES, ids=str)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A county in Asia/Shanghai whose one recorder goes by another clock; parking is allowed from 7 to 9."""
    write_folder(tmp_path / "county", ("p001",), ONLY_KERB)
    file = tmp_path / "county/points/p001.yaml"
    text = file.read_text(encoding="utf-8")
    if request.param:
        text = text.replace("recordings:\n", f"recordings:\n  timezone: {request.param}\n")
        assert request.param in text
    kerb = "kind: no_parking  # 禁停区\n"
    assert kerb in text
    text = text.replace(kerb, kerb + '    permitted: ["07:00-09:00"]\n')
    file.write_text(text, encoding="utf-8")
    return load_settings(tmp_path / "county")


@pytest.fixture
def camera(settings: Settings) -> Camera:
    return settings.point("p001").cameras[0]


def test_only_names_go_by_the_recorders_clock(camera: Camera) -> None:
    assert camera.timezone == SHANGHAI
    named = NamedTimes(datetime(2026, 1, 8, 0, 5), datetime(2026, 1, 8, 0, 9))  # noqa: DTZ001  # a name has no zone
    start, _ = true_times(camera, named)
    assert start == datetime(2026, 1, 8, 0, 5, tzinfo=camera.recorder_timezone or SHANGHAI)
    assert camera.recorder_time(start).replace(tzinfo=None) == named.start


@pytest.mark.parametrize(("hour", "allowed"), [(0, False), (8, True), (10, False), (16, False)])
def test_permitted_hours_are_the_countys_whatever_the_recorders_clock(
    settings: Settings, camera: Camera, hour: int, allowed: bool
) -> None:
    at = datetime(2026, 1, 8, hour, 5, tzinfo=SHANGHAI)
    part = Interval(at, at + timedelta(minutes=30))
    (stretch,) = stretches_of(settings.point("p001"), camera, settings.rules, part)
    assert (stretch.limit_s is None) is allowed
