"""Rhythms of a series of events: of the day, of the week, of the year."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rhythm = Literal["day", "week", "year"]
STRONG = 0.15
"""Share of the spread that the phases must say (adjusted for their number) to be a rhythm."""
FEWEST = 3
"""Whole turns of a rhythm that must be there to see it."""


def rhythms_of(times: pd.Series[Any], amounts: pd.Series[Any] | None = None) -> list[Rhythm]:
    """Return the rhythms in how many rows there are, or in the mean of an amount.

    `times` (n,) without a zone, `amounts` (n,) numbers. A rhythm is there where the phase (the hour
    of the day, the day of the week, the month) says at least `STRONG` of the spread between hours,
    days, months: the adjusted R² of their means.
    """
    found: list[Rhythm] = []
    span = times.max() - times.min()
    has_hours = bool((times.dt.hour != times.iloc[0].hour).any())
    choices: list[tuple[Rhythm, str, pd.Timedelta, str, bool]] = [
        ("day", "h", pd.Timedelta(days=1), "hour", has_hours),
        ("week", "D", pd.Timedelta(days=7), "dayofweek", True),
        ("year", "MS", pd.Timedelta(days=365), "month", True),
    ]
    for name, unit, turn, phase, possible in choices:
        if not possible or span < (FEWEST if name != "year" else 2) * turn:
            continue
        if any(_adjust(s, phase) >= STRONG for s in _series(times, amounts, unit)):
            found.append(name)
    return found


def _series(
    times: pd.Series[Any], amounts: pd.Series[Any] | None, unit: str
) -> list[pd.Series[Any]]:
    """Return the rows, and the mean amount, of each hour, day or month."""
    ones = pd.Series(1.0, index=pd.DatetimeIndex(times))
    series = [ones.resample(unit).sum()]
    if amounts is not None:
        by_time = pd.Series(amounts.to_numpy(dtype=float), index=pd.DatetimeIndex(times))
        series.append(by_time.resample(unit).mean().dropna())
    return series


def _adjust(values: pd.Series[Any], phase: str) -> float:
    """Return the adjusted R² of the phases' means."""
    phases: NDArray[Any] = getattr(values.index, phase).to_numpy()
    # What a trend says is no rhythm: each value is held against those around it.
    trend = values.rolling(max(3, len(np.unique(phases))), center=True, min_periods=2).mean()
    y = (values - trend).to_numpy()
    known = np.isfinite(y)
    y, phases = y[known], phases[known]
    count, groups = len(y), len(np.unique(phases))
    spread = float(((y - y.mean()) ** 2).sum()) if count else 0.0
    if count <= groups + 1 or spread <= 1e-9 * max(1.0, float((values**2).sum())):
        return 0.0
    means = pd.Series(y).groupby(phases).transform("mean").to_numpy()
    r2 = 1 - float(((y - means) ** 2).sum()) / spread
    return 1 - (1 - r2) * (count - 1) / (count - groups)
