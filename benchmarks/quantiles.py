"""How many outcomes lie within the intervals that are promised, where rows are alike and where not.

`python -m benchmarks.quantiles` from the checkout.

In each world a model learns from some rows, is corrected on others (`science.conformal`) and asked
about fresh ones; the errors are skewed and grow with the input, which the model of one value does
not know. Of rows that are exchangeable the coverage must be at least the promised one and at most
2 / (n + 1) more, within three standard errors over the worlds. What happens where rows are not
exchangeable is measured and not asked for: days that hang together, a level that rises, groups
whose rows are taken for independent. The last lines are hours of a real bike sharing system, month
by month, where its file is at hand (PERENNIAL_DATA, or ../shared/data).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, QuantileRegressor

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.quantile_fits import QuantileFits
from pipelines.science.conformal import conformal_shifts

WORLDS = 1_000
LEVELS = (0.05, 0.5, 0.95)
PROMISED = 0.9
SIZES = (19, 50, 500, 5_000)
"""Rows that correct."""
LEARNT, ASKED = 100, 200
IN_A_GROUP = 10
KEPT = 0.95
"""How much of a day's shift the next day keeps, where days hang together."""
RISE = 3.0
"""By how much the level rises over all rows of a world, where it does."""

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    worlds, sizes = (3, SIZES[:1]) if tiny else (WORLDS, SIZES)
    rows: list[Measure] = []
    for size in sizes:
        for name, per_level in (("one value, split conformal", False), ("each level", True)):
            if per_level and size > SIZES[-2]:
                continue  # the linear programs of so many rows tell nothing new
            found = [_coverage(size, per_level, "alike", s) for s in range(worlds)]
            rows.append(_coverage_row(f"{name}, {size} rows correct", found, size))
    for kind, words in (
        ("uncorrected", "each level, not corrected"),
        ("days", "one value, days hang together"),
        ("rise", "one value, the level rises"),
        ("groups", "one value, groups counted once"),
        ("torn", "one value, groups taken for single rows"),
    ):
        found = [_coverage(sizes[-1] if tiny else 500, kind == "uncorrected", kind, s)
                 for s in range(worlds)]  # fmt: skip
        asked = _bounds(found, 50) if kind == "groups" else ""
        rows.append(_measure(f"{words}, 500 rows correct", float(np.mean(found)), asked))
        if kind == "days":
            rows.append(_measure("the same, in one world of ten at most", _tenth(found), ""))
    rows += [] if tiny else _bikes()
    show("Quantiles", rows)
    if tiny:
        return 0
    write("quantiles", rows)
    return int(any(not _holds(row) for row in rows))


def _measure(measure: str, value: float, asked: str) -> Measure:
    return {"measure": measure, "value": round(value, 4), "unit": "share", "asked": asked}


def _coverage_row(measure: str, found: list[float], size: int) -> Measure:
    return _measure(measure, float(np.mean(found)), _bounds(found, size))


def _bounds(found: list[float], size: int) -> str:
    """Return between which ends the mean coverage must lie: three standard errors around."""
    error = 3 * float(np.std(found, ddof=1)) / len(found) ** 0.5
    return f"{PROMISED - error:.4f} to {PROMISED + 2 / (size + 1) + error:.4f}"


def _holds(row: Measure) -> bool:
    if not row["asked"]:
        return True
    low, high = map(float, row["asked"].split(" to "))
    return low <= row["value"] <= high


def _tenth(found: list[float]) -> float:
    return float(np.quantile(found, 0.1))


def _coverage(size: int, per_level: bool, kind: str, seed: int) -> float:  # noqa: FBT001
    """Return the share of fresh rows between the outermost levels in one world."""
    rng = np.random.default_rng([seed, size, len(kind)])
    learnt = LEARNT
    count = learnt + size + ASKED
    x = rng.uniform(0, 2, count)
    y = x + (rng.gamma(2, 0.5, count) - 1) * (0.3 + x)
    groups = None
    if kind == "days":
        y += _days(rng, count)
    if kind == "rise":
        y += RISE * np.arange(count) / count
    if kind in {"groups", "torn"}:
        groups = np.arange(count) // IN_A_GROUP
        y += rng.normal(size=groups[-1] + 1)[groups]
    learn, correct, fresh = np.split(np.arange(count), [learnt, learnt + size])
    estimator = QuantileRegressor(alpha=0) if per_level else LinearRegression()
    fits = QuantileFits(estimator, LEVELS, "quantile" if per_level else "")
    fits.fit(x[learn, None], y[learn])
    if kind != "uncorrected":
        scores = y[correct, None] - fits.predict(x[correct, None])
        own = groups[correct] if groups is not None and kind == "groups" else None
        fits.shifts_ = conformal_shifts(scores, LEVELS, own)
    if groups is not None:  # the promise is of a row of a new group: one of each is asked
        fresh = fresh[::IN_A_GROUP]
    return _share(y[fresh], fits.predict(x[fresh, None]))


def _share(y: Array, answers: Array) -> float:
    return float(np.mean((y >= answers[:, 0]) & (y <= answers[:, -1])))


def _days(rng: np.random.Generator, count: int) -> Array:
    """Return what each row's day adds: ten rows a day, each day much like the one before."""
    days = np.zeros(count // IN_A_GROUP + 1)
    for day in range(1, len(days)):
        days[day] = KEPT * days[day - 1] + rng.normal() * (1 - KEPT**2) ** 0.5
    return days[np.arange(count) // IN_A_GROUP]


def _bikes() -> list[Measure]:
    """Return the coverage of 18 months of real hours, each after a fit on the six before it."""
    folder = Path(os.environ.get("PERENNIAL_DATA") or Path(__file__).parents[2] / "shared" / "data")
    file = folder / "bike_sharing" / "hour.csv"
    if not file.is_file():
        print(f"{file} is not here: no real data are measured.")
        return []
    table = _hours(file)
    months = pd.date_range("2011-07-01", "2012-12-01", freq="MS")
    found = [_month(table, month) for month in months]
    plain, kept = (np.array(side) for side in zip(*found, strict=True))
    return [
        _measure("bikes, 18 months, each level, not corrected", float(plain.mean()), ""),
        _measure("bikes, 18 months, each level, corrected", float(kept.mean()), ""),
        _measure("bikes, the worst month, not corrected", float(plain.min()), ""),
        _measure("bikes, the worst month, corrected", float(kept.min()), ""),
        _measure("bikes, the best month, corrected", float(kept.max()), ""),
    ]


def _hours(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, parse_dates=["dteday"])
    table.index = table["dteday"] + pd.to_timedelta(table["hr"], unit="h")
    for name, hours in (("day_before", 24), ("week_before", 168)):
        table[name] = table["cnt"].reindex(table.index - pd.Timedelta(hours=hours)).to_numpy()
    return table.drop(columns=["dteday", "instant", "casual", "registered", "yr", "mnth", "atemp"])


def _month(table: pd.DataFrame, month: pd.Timestamp) -> tuple[float, float]:
    """Return the coverage of one month without and with the correction by the newest fifth."""
    import lightgbm

    first, end = month - pd.DateOffset(months=6), month + pd.DateOffset(months=1)
    learnt = table[(table.index >= first) & (table.index < month)]
    asked = table[(table.index >= month) & (table.index < end)]
    y, x = learnt.pop("cnt").to_numpy(), learnt
    truth, inputs = asked.pop("cnt").to_numpy(), asked
    cut = len(y) - round(0.2 * len(y))
    booster = lightgbm.LGBMRegressor(
        objective="quantile", n_estimators=60, num_leaves=15, min_child_samples=30,
        verbosity=-1, n_jobs=1, deterministic=True, force_row_wise=True,
    )  # fmt: skip
    fits = QuantileFits(booster, LEVELS, "alpha").fit(x[:cut], y[:cut])
    plain = _share(truth, fits.predict(inputs))
    fits.shifts_ = conformal_shifts(y[cut:, None] - fits.predict(x[cut:]), LEVELS)
    return plain, _share(truth, fits.predict(inputs))


if __name__ == "__main__":
    sys.exit(main())
