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
    there `past` is how many times the window's rows the reference has. Of a past day at most `kept`
    rows are at hand.
    """

    alike: Alike
    rows: int
    columns: int
    days: int
    past: int
    kept: int = 400

    @property
    def size(self) -> int:
        """About how many values a world has."""
        if self.alike == "independent":
            return self.rows * (self.past + 1) * self.columns
        a_day = self.rows // self.days
        kept = a_day if self.alike == "rows" else min(a_day, self.kept)
        return (self.rows + kept * self.past) * self.columns


def make(shape: Shape, seed: int) -> tuple[Sample, Sample]:
    """Return the window and the reference of one quiet world."""
    rng = np.random.default_rng([seed, shape.rows, shape.columns])
    times, day, before = lay_days(shape)
    latent = draw_latent(rng, shape, day)
    columns = {f"x{i}": _column(rng, latent[:, i], i) for i in range(shape.columns)}
    answers = latent[:, : min(3, shape.columns)].sum(axis=1)
    everything = Sample(columns, times, answers, np.abs(latent[:, -1]))
    return take(everything, slice(before, None)), take(everything, slice(0, before))


def lay_days(shape: Shape) -> tuple[Array | None, Array, int]:
    """Return the rows' times and days, and how many rows are the reference's."""
    if shape.alike == "independent":
        before = shape.rows * shape.past
        return None, np.zeros(before + shape.rows, dtype=int), before
    a_day = shape.rows // shape.days
    # Rows that are alike one by one are all at hand: without their neighbours they are less so.
    kept = a_day if shape.alike == "rows" else min(a_day, shape.kept)
    counts = np.repeat([kept, a_day], [shape.past, shape.days])
    day = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(day)) - np.repeat(np.cumsum(counts) - counts, counts)
    within = place * (DAY // counts[day])
    times = BEGINNING + (day * DAY + within).astype("timedelta64[us]")
    return times, day, shape.past * kept


def take(sample: Sample, rows: Any) -> Sample:
    """Return some of a sample's rows."""
    return sample.take(rows)


def draw_latent(rng: np.random.Generator, shape: Shape, day: Array) -> Array:
    """Return normal values (rows, columns + 1), the last for the losses, with variance 1."""
    count, width = len(day), shape.columns + 1
    if shape.alike == "independent":
        return rng.normal(size=(count, width))
    if shape.alike == "rows":
        return remember(rng, count, width)
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
