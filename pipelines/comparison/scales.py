"""From values to places in a drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOG_FROM = 50.0
"""Values of which the greatest is so many times the least are drawn by their logarithm."""
_TICKS = 5
_PLAIN = 1e5
"""From here on numbers are written with an exponent."""


@dataclass(frozen=True)
class Scale:
    """Places of values between two ends; texts have the values 0, 1, 2 and so on, and `names`."""

    low: float
    high: float
    log: bool = False
    names: tuple[str, ...] = ()

    def share(self, value: float) -> float:
        """Return where a value lies, from 0 at the lower end to 1 at the upper one."""
        low, high, at = (self._place(v) for v in (self.low, self.high, value))
        return 0.5 if high == low else min(max((at - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the values that are written beside the axis, with their texts."""
        if self.names:
            return [(float(i), name) for i, name in enumerate(self.names)]
        if self.high == self.low:
            return [(self.low, tick_text(self.low))]
        values = self._log_ticks() if self.log else nice_values(self.low, self.high)
        return [(v, tick_text(v)) for v in values]

    def _log_ticks(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        step = max(1, math.ceil((last - first + 1) / _TICKS))
        found = [10.0**e for e in range(first, last + 1, step)]
        return found if len(found) > 1 else [self.low, *found, self.high]

    def _place(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value


def scale_of(values: Sequence[float], *, margin: float = 0.05, may_log: bool = False) -> Scale:
    """Return the scale that holds the values; 0 to 1 where there are none."""
    found = [v for v in values if math.isfinite(v)]
    if not found:
        return Scale(0.0, 1.0)
    low, high = min(found), max(found)
    if may_log and low > 0 and high / low >= _LOG_FROM:
        return Scale(low, high, log=True)
    room = (high - low) * margin or abs(high) * margin or margin
    return Scale(low - room, high + room)


def nice_values(low: float, high: float) -> list[float]:
    """Return round values between two ends, about five."""
    raw = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * s for s in (1, 2, 2.5, 5, 10) if size * s >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def number_text(value: float) -> str:
    """Return a number as it stands in a table: four digits, or all whole ones."""
    if value == int(value) and abs(value) < 1e9:  # noqa: PLR2004 -- up to here every digit is read
        return f"{int(value):,}"
    whole = 1_000 <= abs(value) < 1e9  # noqa: PLR2004 -- as above
    return f"{value:,.0f}" if whole else f"{value:,.4g}"


def tick_text(value: float) -> str:
    """Return a value as it stands beside an axis."""
    if value == 0:
        return "0"
    if abs(value) >= _PLAIN or abs(value) < 1e-3:  # noqa: PLR2004 -- longer would not fit
        return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"  # noqa: PLR2004
