"""What is true of the made clip of `spot_fixture`."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

STARTS = datetime(2026, 1, 8, 8, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
STANDS_S = (12.0, 92.0)
LIMIT_S = 60.0
LENGTH_S = 105.0
