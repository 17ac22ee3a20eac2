"""Summer time: may the clocks of people be what moved, and not that of a pipe?

In UTC the rhythm of people's days comes an hour earlier in summer. So an hour is no sign of a wrong
clock where the window lies in summer time and what it is held against does not, or the other way
round, by the rules of any of a few zones.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

ZONES = ("America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Santiago")
"""One zone for each set of rules by which most of those who have a summer time go."""
_HALF = 0.5


def is_of_other_season(window: Array, past: Array) -> bool:
    """Tell whether summer time may have moved a rhythm by an hour between days (n,) and (m,).

    It may where the share of days in summer time differs by a half at least.
    """
    return any(abs(_share(window, zone) - _share(past, zone)) >= _HALF for zone in ZONES)


def _share(days: Array, name: str) -> float:
    """Return the share of days (n,) that are in summer time at noon (UTC)."""
    zone = ZoneInfo(name)
    noons = [
        datetime.fromtimestamp(int(day) * 86_400 + 43_200, UTC).astimezone(zone)
        for day in days.astype("datetime64[D]").astype(np.int64)
    ]
    return float(np.mean([noon.dst() != timedelta(0) for noon in noons])) if noons else 0.0
