"""Both sides of a column as Evidently can compare them: sampled, cut short, moved, apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from pipelines.science.changed_columns import threshold_of
from pipelines.science.distances import distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.spec.drift import Rule

    Array = NDArray[Any]


ROWS = 20_000
"""Rows of either side that Evidently is given at most, for its page alone.

It takes ten times as long, and 2 GB, for a million.
"""


PAGE_THRESHOLD = 0.1
"""That of Evidently's page where neither the test nor the spec has one."""


_CATEGORIES = 300
"""Texts of a column that are told apart; Evidently's time grows with their square."""


_LENGTH = 80
"""Characters of a text that its page shows."""


_MOVED_REACH = 40
"""The logarithm (base 2) of the greatest number that is left where numbers are moved."""


_FEW = 20
"""Evidently compares numbers value by value where the reference has no more than this many
different ones."""


@dataclass(frozen=True)
class Compare:
    """One column to compare.

    Its values on both sides (float64 with NaN, or an object array of texts with None), and its
    rule. `times`: how many times beyond its critical value the test is, so that Evidently's page
    says the same; None where the rule's own threshold is the page's.
    """

    name: str
    rule: Rule
    text: bool
    window: Array
    reference: Array
    times: float | None = None

    @property
    def threshold(self) -> float:
        """At which score Evidently's page shall say that these rows have drifted."""
        if self.times is None:
            return self.rule.threshold or PAGE_THRESHOLD
        score = distance(self.rule.method, self.reference, self.window, text=self.text)
        return threshold_of(score, self.rule.method, self.times) if np.isfinite(score) else 1.0


def sampled(column: Compare, seed: int) -> Compare:
    """Return the column with at most ROWS rows of either side, drawn alike for all columns."""
    sides = []
    for values in (column.window, column.reference):
        if len(values) > ROWS:
            rows = np.random.default_rng(seed).choice(len(values), ROWS, replace=False)
            sides.append(values[np.sort(rows)])
        else:
            sides.append(values)
    return replace(column, window=sides[0], reference=sides[1])


def move_to_zero(column: Compare) -> Compare:
    """Return numbers moved to 0 and, where they are huge, made smaller by a power of two.

    Evidently draws bins of a fixed number between the least and the greatest value, and raises
    where floats that far from 0 lie too far apart for them. The methods compare places and shares
    of values, which stay the same.
    """
    there = np.concatenate([column.window, column.reference])
    least = float(np.nanmin(there))
    reach = float(np.nanmax(there)) - least
    factor = 2.0 ** min(0, _MOVED_REACH - int(np.ceil(np.log2(reach)))) if reach > 0 else 1.0
    return replace(
        column,
        window=(column.window - least) * factor,
        reference=(column.reference - least) * factor,
    )


def data_sets(columns: Sequence[Compare]) -> tuple[Any, Any]:
    """Return both sides as Evidently's data sets.

    Columns shorter than the longest end with missing values, which it drops.
    """
    import pandas as pd
    from evidently import DataDefinition, Dataset

    definition = DataDefinition(
        numerical_columns=[c.name for c in columns if not c.text],
        categorical_columns=[c.name for c in columns if c.text],
    )
    frames = []
    for side in (0, 1):
        pairs = {c.name: (c.window, c.reference)[side] for c in columns}
        rows = max(len(values) for values in pairs.values())
        frames.append(
            pd.DataFrame(
                {
                    name: pd.Series(_pad(values, rows), dtype=values.dtype)
                    for name, values in pairs.items()
                }
            )
        )
    current, reference = (
        Dataset.from_pandas(frame, data_definition=definition) for frame in frames
    )
    return current, reference


def _pad(values: Array, rows: int) -> Array:
    fill = None if values.dtype == object else np.nan
    return np.concatenate([values, np.full(rows - len(values), fill, dtype=values.dtype)])


def grouped(column: Compare) -> Compare:
    """Return the column with its texts as Evidently's page shows them.

    The commonest ones, and the rest as one known and one new value.
    """
    shares: dict[str, float] = {}
    reference_values = {t for t in column.reference if t is not None}
    for side in (column.window, column.reference):
        texts, counts = np.unique(
            np.array([t for t in side if t is not None], dtype=object).astype(str),
            return_counts=True,
        )
        for text, count in zip(texts.tolist(), counts.tolist(), strict=True):
            shares[text] = shares.get(text, 0.0) + count / len(side)
    names = {t: _escape(t) for t in sorted(shares, key=lambda t: (-shares[t], t))[:_CATEGORIES]}
    rest = {True: "(other values, seen in training)", False: "(other values, not seen in training)"}

    def name_values(side: Array) -> Array:
        return np.array(
            [None if t is None else names.get(t) or rest[t in reference_values] for t in side],
            dtype=object,
        )

    window, reference = name_values(column.window), name_values(column.reference)
    return replace(column, window=window, reference=reference)


def _escape(text: str) -> str:
    """Return a text as it may stand in Evidently's page, which writes texts into a script as they
    are.

    A text that held `</script>` would end it and begin what it likes.
    """
    # That they look alike is the point.
    safe = text.replace("<", "‹").replace(">", "›")  # noqa: RUF001
    return (
        safe
        if len(safe) <= _LENGTH and safe == text
        else f"{safe[:_LENGTH]} #{crc32(text.encode()):08x}"
    )


def spread_out(predictions: Compare, seed: int) -> Compare:
    """Return numbers apart by less than anyone can see where the reference has few different ones.

    Evidently would compare them value by value, and a model fitted again gives no value that its
    ancestor gave: a small tree would have drifted for ever. Spread out, they are compared in bins
    like all other predictions.
    """
    if predictions.text or len(np.unique(predictions.reference)) > _FEW:
        return predictions
    both = np.concatenate([predictions.window, predictions.reference])
    reach = 1e-6 * max(float(np.ptp(both)), float(np.abs(both).max()), 1e-6)
    rng = np.random.default_rng(seed)
    apart = [
        values + rng.uniform(-reach, reach, len(values))
        for values in (predictions.window, predictions.reference)
    ]
    return replace(predictions, window=apart[0], reference=apart[1])


def break_ties(column: Compare, seed: int) -> Compare:
    """Return numbers whose ties are broken at random, by less than half of the smallest step
    between two of them.

    The Cramér-von Mises test knows no ties: of two samples of one distribution over 7 values it
    says "drift" each time (at p < 0.05, 800 and 2,000 rows), and with ties broken in 5 % of the
    times, as it should.
    """
    both = np.concatenate([column.window, column.reference])
    kinds = np.unique(both[~np.isnan(both)])
    has_ties = 1 < len(kinds) < len(both)
    if column.rule.method != "cramer_von_mises" or not has_ties:
        return column
    step = float(np.diff(kinds).min()) / 2
    rng = np.random.default_rng(seed)
    window, reference = (
        side + rng.uniform(0, step, len(side)) for side in (column.window, column.reference)
    )
    return replace(column, window=window, reference=reference)
