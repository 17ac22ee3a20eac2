"""Worlds in which nothing changes, or exactly one thing does: the truth of what is found is known.

A world is a reference and a window of the same process. Columns are normal; every fifth is cut
into six categories and every third lacks 3 % of its values. A model answers by the first columns,
and its losses are as much alike as the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.signal import lfilter

from pipelines.science.changes.facts import Sample

Array = np.ndarray[Any, Any]
Alike = Literal["independent", "rows", "days"]
MEMORY = 0.9
"""The correlation of a row, or of a day's level, with the one before."""
DAY = 86_400_000_000
"""Microseconds."""
BEGINNING = np.datetime64("2020-01-01", "us")
CATEGORIES = np.array([f"c{i}" for i in range(6)], dtype=object)
_CUTS = np.array([-1.0, -0.4, 0.2, 0.8, 1.5])


@dataclass(frozen=True)
class Shape:
    """How many rows and columns there are, how alike rows are, and how they lie in days.

    `days` are those of the window and `past` those of the reference; independent rows have none:
    there `past` is how many times the window's rows the reference has.
    """

    alike: Alike
    rows: int
    columns: int
    days: int
    past: int


def make(shape: Shape, seed: int) -> tuple[Sample, Sample]:
    """Return the window and the reference of one quiet world."""
    rng = np.random.default_rng([seed, shape.rows, shape.columns])
    before = shape.rows * shape.past // (1 if shape.alike == "independent" else shape.days)
    count = before + shape.rows
    latent = _latent(rng, shape, count)
    columns = {f"x{i}": _column(rng, latent[:, i], i) for i in range(shape.columns)}
    answers = latent[:, : min(3, shape.columns)].sum(axis=1)
    losses = np.abs(latent[:, -1])
    times = None
    if shape.alike != "independent":
        a_day = shape.rows // shape.days
        times = BEGINNING + (np.arange(count) * (DAY // a_day)).astype("timedelta64[us]")
    everything = Sample(columns, times, answers, losses)
    return take(everything, slice(before, None)), take(everything, slice(0, before))


def take(sample: Sample, rows: Any) -> Sample:
    """Return some of a sample's rows."""
    return Sample(
        {name: values[rows] for name, values in sample.columns.items()},
        *(
            None if values is None else values[rows]
            for values in (sample.times, sample.predictions, sample.losses)
        ),
    )


def _latent(rng: np.random.Generator, shape: Shape, count: int) -> Array:
    """Return normal values (count, columns + 1), the last for the losses, with variance 1."""
    width = shape.columns + 1
    if shape.alike == "independent":
        return rng.normal(size=(count, width))
    if shape.alike == "rows":
        return remember(rng, count, width)
    day = np.arange(count) // (shape.rows // shape.days)
    levels = remember(rng, int(day[-1]) + 1, width)
    return np.asarray((levels[day] + rng.normal(size=(count, width))) / 2**0.5)


def remember(rng: np.random.Generator, count: int, width: int) -> Array:
    """Return normal series (count, width) with variance 1, each value like the one before."""
    shocks = rng.normal(size=(count, width)) * (1 - MEMORY**2) ** 0.5
    shocks[0] /= (1 - MEMORY**2) ** 0.5
    return np.asarray(lfilter([1.0], [1.0, -MEMORY], shocks, axis=0))


def _column(rng: np.random.Generator, values: Array, place: int) -> Array:
    if place % 5 == 4:
        return CATEGORIES[np.searchsorted(_CUTS, values)]
    if place % 3 == 2:
        return np.where(rng.random(len(values)) < 0.03, np.nan, values)
    return values
