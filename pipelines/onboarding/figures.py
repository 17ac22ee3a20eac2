"""The figures of columns, batch by batch, from which a suite is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from pipelines.science.margins import QUANTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Kind = Literal["number", "boolean", "text", "time", "other"]


def kind_of(column: pd.Series[Any]) -> Kind:
    """Return what a column holds, in the words of this room."""
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "time"
    if pd.api.types.is_string_dtype(column):
        return "text"
    return "other"


def varies(column: pd.Series[Any]) -> bool:
    """Tell whether the column has at least two values."""
    known = column.dropna()
    return bool(len(known)) and bool((known != known.iloc[0]).any())


@dataclass(frozen=True)
class ColumnFigures:
    """One column over the batches: what each batch holds of it."""

    name: str
    parts: list[pd.Series[Any]]

    @cached_property
    def kind(self) -> Kind:
        """What the column holds: that of the first batch with a value."""
        kinds = [kind_of(p) for p in self.parts if p.notna().any()]
        return kinds[0] if kinds else "other"

    @cached_property
    def rows(self) -> Array:
        """The rows of each batch, (b,)."""
        return np.array([len(p) for p in self.parts], dtype=float)

    @cached_property
    def filled(self) -> Array:
        """The share of rows with a value, (b,)."""
        if self.kind == "number":
            return np.array([np.isfinite(v).mean() if len(v) else np.nan for v in self.arrays])
        return np.array([p.notna().mean() if len(p) else np.nan for p in self.parts])

    @cached_property
    def arrays(self) -> list[Array]:
        """The numbers of each batch, NaN where there is none."""
        return [p.to_numpy(dtype=float, na_value=np.nan) for p in self.parts]

    @cached_property
    def numbers(self) -> list[Array]:
        """The numbers of each batch that are there."""
        return [v[np.isfinite(v)] for v in self.arrays]

    @cached_property
    def quantiles(self) -> Array:
        """The quantiles of numbers, (b, len(QUANTILES)); NaN for a batch without a value."""
        nothing = np.full(len(QUANTILES), np.nan)
        return np.array(
            [
                np.quantile(v, QUANTILES, method="nearest") if len(v) else nothing
                for v in self.numbers
            ]
        )

    @cached_property
    def means(self) -> Array:
        """The mean of numbers, (b,)."""
        return np.array([v.mean() if len(v) else np.nan for v in self.numbers])

    @cached_property
    def spread(self) -> float:
        """The standard deviation within a batch, the middle one."""
        spreads = [v.std() for v in self.numbers if len(v) > 1]
        return float(np.median(spreads)) if spreads else 0.0

    @cached_property
    def is_whole(self) -> bool:
        """Whether all numbers are whole numbers by their type."""
        return all(pd.api.types.is_integer_dtype(p) for p in self.parts if p.notna().any())

    @cached_property
    def counts(self) -> list[dict[str, int]]:
        """How often each value of a text stands in each batch."""
        counts = [p.dropna().astype(str).value_counts() for p in self.parts]
        return [{str(v): int(n) for v, n in c.items()} for c in counts]

    @cached_property
    def distinct(self) -> set[Any]:
        """The values of all batches."""
        if self.kind == "number":
            return set(np.unique(np.concatenate(self.numbers)).tolist())
        found: set[Any] = set()
        for part in self.parts:
            found |= set(part.dropna().unique().tolist())
        return found

    @cached_property
    def ascii_share(self) -> float:
        """The least share of a batch's texts that hold plain ASCII alone."""
        shares = [
            sum(n for v, n in c.items() if v.isascii() and v.isprintable()) / sum(c.values())
            for c in self.counts
            if c
        ]
        return min(shares, default=0.0)


NEARLY_ALL = 0.9


def calendar_part(column: pd.Series[Any], event: pd.Series[Any]) -> str:
    """Return which slow part of the event time a whole number tells; "" where none.

    A year may be counted from any year.
    """
    if kind_of(column) != "number":
        return ""
    known = column.notna() & event.notna()
    x = column[known].to_numpy(dtype=float)
    times = event[known].dt
    if not len(x):
        return ""
    year = pd.Series(x - times.year.to_numpy())
    if year.value_counts(normalize=True).iloc[0] > NEARLY_ALL:
        return "year"
    parts = {
        "quarter": (times.quarter, 0),
        "month": (times.month, 0),
        "day_of_year": (times.dayofyear, 1),
        "week": (times.isocalendar().week, 1),
    }
    for name, (part, slack) in parts.items():
        if np.mean(np.abs(x - part.to_numpy(dtype=float)) <= slack) > NEARLY_ALL:
            return name
    return ""
