"""A suite drawn from the batches that are there, with margins for those that are still to come.

It passes every batch that it was drawn from. What it expects of a column: that it is filled, that
its quantiles stay near those of the batches, that its values are those that were seen, in an
encoding that reads well. Of pairs of columns that look alike it expects the order that they have.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.onboarding.figures import ColumnFigures, calendar_part
from pipelines.onboarding.pairs import pair_expectations
from pipelines.onboarding.ranges import FEW_CODES, mean_range, outside_codes, quantile_ranges
from pipelines.science.margins import QUANTILES, bounds_of, novelty, outward, share_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

Expectation = dict[str, Any]

MOST_VALUES = 200
"""Different values up to which a text is held to those that were seen."""
FEWEST = 5
"""Rows with a value that every batch must have had, else nothing is expected of a column."""
MANY_COLUMNS = 120
"""Columns from which on each has fewer expectations, so that a batch is judged in seconds."""
PARTS, ROWS_OF_A_PART = 12, 25
READABLE = r"^[\x20-\x7E\s]*$"
GARBLED = (
    "\\x00|\ufffd|[\u00c2\u00c3\u00d0\u00d1][\u0080-\u00bf\u0152-\u0192\u2013-\u2122]|\u00e2\u20ac"
)
"""What remains of UTF-8 that was read in a Western encoding, and of bytes that were no text."""


def draw_suite(
    batches: Sequence[pd.DataFrame],
    *,
    event_time: str | None,
    key: Sequence[str],
    leave_out: Sequence[str] = (),
) -> list[Expectation]:
    """Return the expectations for the batches, which are in the order of their times.

    `key` are the columns that are unique in each batch (none: rows are told apart by nothing).
    Nothing is expected of the columns in `leave_out`. Without an event time the only batch is a
    snapshot: seeded parts of it say what chance moves, so that the whole lies well within.
    """
    wholes = batches
    if event_time is None and len(batches) == 1:
        batches = _parts(batches[0])
    names = [c for c in batches[0].columns if c not in {event_time, *key, *leave_out}]
    figures = {n: ColumnFigures(n, [b[n] for b in batches if n in b]) for n in names}
    figures = {n: f for n, f in figures.items() if _has_enough(f)}
    whole = pd.concat([b[event_time] for b in batches], ignore_index=True) if event_time else None
    suite = [_row_count(wholes, judged_by_key=bool(key))]
    slow = set()
    for name, column in figures.items():
        part = ""
        if whole is not None and column.kind == "number" and column.is_whole:
            part = calendar_part(pd.concat(column.parts, ignore_index=True), whole)
        if part:
            slow.add(name)
        suite += _of_column(column, part, brief=len(figures) > MANY_COLUMNS)
    numbers = [f for n, f in figures.items() if f.kind == "number" and n not in slow]
    suite += pair_expectations(numbers)
    if not key:
        suite += _duplicates(wholes, names)
    return suite


def _parts(snapshot: pd.DataFrame) -> list[pd.DataFrame]:
    """Return seeded parts of a snapshot, each with rows enough to say something."""
    count = max(1, min(PARTS, len(snapshot) // ROWS_OF_A_PART))
    order = np.random.default_rng(0).permutation(len(snapshot))
    return [snapshot.iloc[part].reset_index(drop=True) for part in np.array_split(order, count)]


def _has_enough(column: ColumnFigures) -> bool:
    """Tell whether each batch has rows enough with a value to say something of the column.

    A batch in which a named column is empty is refused, so a sparse one must not be named.
    """
    low, high = float(np.min(column.filled)), float(np.max(column.filled))
    if low == 1:
        return True
    rows = float(np.min(column.rows))
    return bool(low * rows >= FEWEST and low * low / max(high, low) * rows >= 2 * FEWEST)


def _of_column(column: ColumnFigures, part: str, *, brief: bool) -> list[Expectation]:
    # A quantile of nothing cannot be judged, and is refused: brief suites need no more.
    suite = [] if brief and column.kind == "number" else [_not_null(column)]
    if column.kind == "number":
        if column.is_whole and not brief:
            suite.append(
                _expect("expect_column_values_to_be_in_type_list", column.name, type_list=["int64"])
            )
        suite += _of_numbers(column, part)
    if column.kind == "text":
        suite += _of_texts(column)
    return suite


def _not_null(column: ColumnFigures) -> Expectation:
    least, _ = share_bounds(column.filled, float(np.median(column.rows)))
    return _expect(
        "expect_column_values_to_not_be_null",
        column.name,
        mostly=max(0.001, round(min(least, 0.95) - 0.0005, 3)),
    )


_DOMAINS = {"quarter": (1, 4), "month": (1, 12), "week": (0, 53), "day_of_year": (0, 366)}


def _of_numbers(column: ColumnFigures, part: str) -> list[Expectation]:
    if part == "year":
        return []
    if part:
        low, high = _DOMAINS[part]
        kwargs = {"min_value": low, "max_value": high}
        return [_expect("expect_column_values_to_be_between", column.name, **kwargs)]
    if _grows(column):
        return []
    if len(column.distinct) <= FEW_CODES:
        return _of_codes(column)
    quantiles = {
        "quantiles": list(QUANTILES),
        "value_ranges": [list(r) for r in quantile_ranges(column)],
    }
    kind = "expect_column_quantile_values_to_be_between"
    return [_expect(kind, column.name, quantile_ranges=quantiles)]


def _of_codes(column: ColumnFigures) -> list[Expectation]:
    """Return what to expect of numbers with few values, whose quantiles jump: range and mean."""
    low, high = outside_codes(column)
    least, greatest = outward(*mean_range(column))
    between = "expect_column_values_to_be_between"
    mean = "expect_column_mean_to_be_between"
    bounds = {"min_value": low, "max_value": high, "mostly": 0.99}
    return [
        _expect(between, column.name, **bounds),
        _expect(mean, column.name, min_value=least, max_value=greatest),
    ]


def _grows(column: ColumnFigures) -> bool:
    """Tell whether a column is a number that goes on from batch to batch, as identifiers do."""
    if len(column.parts) < 3:  # noqa: PLR2004 -- two batches have a direction always
        return False
    edges = [(v.min(), v.max()) for v in column.numbers if len(v)]
    return all(
        before[1] <= after[0] and before[0] < after[1] for before, after in pairwise(edges)
    ) and len(column.distinct) > len(column.parts)


def _of_texts(column: ColumnFigures) -> list[Expectation]:
    suite = []
    if len(column.distinct) <= MOST_VALUES:
        new = novelty([set(c) for c in column.counts], column.counts)
        mostly = round(1 - 2 * new - 0.05, 3)
        if mostly >= 0.3:  # noqa: PLR2004 -- below it little is said
            suite.append(
                _expect(
                    "expect_column_values_to_be_in_set",
                    column.name,
                    value_set=sorted(column.distinct),
                    mostly=mostly,
                )
            )
            return suite
    if column.ascii_share > 0.999:  # noqa: PLR2004
        regex = {"regex": READABLE, "mostly": 0.97}
        suite.append(_expect("expect_column_values_to_match_regex", column.name, **regex))
    elif not any(pd.Series(list(column.distinct)).str.contains(GARBLED, regex=True)):
        regex = {"regex": GARBLED, "mostly": 0.97}
        suite.append(_expect("expect_column_values_to_not_match_regex", column.name, **regex))
    lengths = ColumnFigures(column.name, [p.dropna().astype(str).str.len() for p in column.parts])
    low, high = quantile_ranges(lengths)[0][0], quantile_ranges(lengths)[-1][1]
    suite.append(
        _expect(
            "expect_column_value_lengths_to_be_between",
            column.name,
            min_value=max(0, int(np.floor(low))),
            max_value=int(np.ceil(high)),
            mostly=0.95,
        )
    )
    return suite


def _row_count(batches: Sequence[pd.DataFrame], *, judged_by_key: bool) -> Expectation:
    """Return what to expect of the number of rows; a warning where keys find double rows anyway."""
    counts = np.array([len(b) for b in batches], dtype=float)
    low, high = bounds_of(counts, spread=float(np.sqrt(np.median(counts))), rows=1.0)
    return {
        "type": "expect_table_row_count_to_be_between",
        "kwargs": {"min_value": max(1, int(low)), "max_value": int(np.ceil(high))},
        "severity": "warning" if judged_by_key else "critical",
    }


def _duplicates(batches: Sequence[pd.DataFrame], names: Sequence[str]) -> list[Expectation]:
    """Return what to expect of rows that are equal to another, where no key tells rows apart."""
    whole = batches[len(batches) // 2]
    simple = [n for n in names if not _is_nested(whole[n])]
    by_values = sorted(simple, key=lambda n: -whole[n].nunique())[:8]
    if len(by_values) < 2:  # noqa: PLR2004 -- the expectation is one on several columns
        return []
    columns = [n for n in whole.columns if n in by_values]
    shares = np.array([1 - b.duplicated(columns, keep=False).mean() for b in batches])
    least, _ = share_bounds(shares, float(np.median([len(b) for b in batches])))
    if least <= 0.02:  # noqa: PLR2004 -- nearly all rows have a twin
        return []
    kwargs: dict[str, Any] = {"column_list": columns, "mostly": round(least - 0.005, 3)}
    kind = "expect_compound_columns_to_be_unique"
    return [{"type": kind, "kwargs": kwargs, "severity": "critical"}]


def _is_nested(column: pd.Series[Any]) -> bool:
    first = column.dropna().head(1).tolist()
    return bool(first) and isinstance(first[0], dict | list | np.ndarray)


def _expect(kind: str, column: str, **kwargs: Any) -> Expectation:
    return {"type": kind, "kwargs": {"column": column, **kwargs}, "severity": "critical"}
