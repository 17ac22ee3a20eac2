"""Columns as bins that both sides share: numbers by quantiles, texts by their categories.

Bins come from the rows of both sides together. So a row keeps its bin whichever side it is put on,
and every statistic of a split is a function of sums of counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Kind = Literal["number", "text"]
MIDDLE_BINS = 32
"""Bins of numbers with about equally many rows; the outermost ones are cut further."""
CATEGORIES = 100
"""As many of the commonest categories have a bin of their own; all others share one."""
_SORTED = 100_000
"""Quantiles are those of at most as many rows, taken at equal steps."""


@dataclass(frozen=True)
class Coded:
    """A column of both sides (the window's rows first) as bins 0..count-1; -1 where missing.

    `scores` (count,) are the bins' places on a scale of mean 0 and standard deviation 1: normal
    scores of numbers, of texts the rank of how common a category is.
    """

    name: str
    kind: Kind
    codes: Array
    count: int
    scores: Array
    infinite: Array | None = None
    """Which rows hold an infinite number (n,); None where none does."""


def kind_of(values: Array) -> Kind | None:
    """Return what a column holds; None where all is missing, which goes with either."""
    values = np.asarray(values)
    if values.dtype.kind in "fiub":
        whole = values.dtype.kind != "f"
        return "number" if whole or not np.isnan(values).all() else None
    return None if pd.isna(values).all() else "text"


def code(name: str, window: Array, reference: Array) -> Coded | None:
    """Return a column in bins; None where both sides hold nothing, or are of different kinds."""
    kinds = {kind_of(window), kind_of(reference)} - {None}
    if len(kinds) != 1:
        return None
    if kinds == {"number"}:
        return _code_numbers(name, np.concatenate([_numbers(window), _numbers(reference)]))
    return _code_texts(name, np.concatenate([_texts(window), _texts(reference)]))


def _numbers(values: Array) -> Array:
    values = np.asarray(values)
    return (
        values.astype(float) if values.dtype.kind in "fiub" else np.full(len(values), float("nan"))
    )


def _texts(values: Array) -> Array:
    return np.asarray(values).astype(object)


def _code_numbers(name: str, values: Array) -> Coded:
    known = ~np.isnan(values)
    infinite = np.isinf(values)
    found = values[known]
    some = np.sort(found[:: max(1, -(-len(found) // _SORTED))])
    edges = np.unique(some[_places(len(some))])
    # A bin ends with its edge, so that a value many rows share has a bin of its own.
    codes = np.searchsorted(edges, values, side="left").astype(np.int16)
    codes[~known] = -1
    return Coded(
        name,
        "number",
        codes,
        len(edges) + 1,
        _normal_scores(codes, len(edges) + 1),
        infinite if infinite.any() else None,
    )


def _places(count: int) -> Array:
    """Return where the edges stand among `count` sorted values: finer and finer at both ends."""
    inner = np.arange(1, MIDDLE_BINS) / MIDDLE_BINS
    tails = 1 / MIDDLE_BINS / 2.0 ** np.arange(1, 12)
    tails = tails[tails * count >= 2]  # noqa: PLR2004 -- a bin of fewer than two rows says nothing
    shares = np.concatenate([tails, inner, 1 - tails])
    # The least value has a bin of its own too: what many rows share at the lower end is seen.
    return np.unique(np.concatenate([[0], np.floor(shares * (count - 1))])).astype(int)


def _code_texts(name: str, values: Array) -> Coded:
    try:
        codes, found = pd.factorize(values)
    except TypeError:  # what has no hash, a list, is known by how it is written
        written = np.array([None if v is None else repr(v) for v in values], dtype=object)
        codes, found = pd.factorize(written)
    counts = np.bincount(codes[codes >= 0], minlength=len(found))
    # Of equally common ones the hash decides: by their order, those of the window would come first.
    order = np.lexsort((pd.util.hash_array(found, categorize=False), -counts))
    place = np.empty(len(found) + 1, dtype=np.int16)
    place[order] = np.minimum(np.arange(len(found)), CATEGORIES)
    place[-1] = -1
    count = min(len(found), CATEGORIES + 1)
    binned = place[codes]
    return Coded(name, "text", binned, count, _normal_scores(binned, count))


def _normal_scores(codes: Array, count: int) -> Array:
    """Return the normal score of each bin's middle rank, with mean 0 and deviation 1 over rows."""
    from scipy.special import ndtri

    weights = np.bincount(codes[codes >= 0], minlength=count).astype(float)
    total = weights.sum()
    scores: Array = ndtri((np.cumsum(weights) - weights / 2 + 1e-9) / (total + 2e-9))
    scores -= weights @ scores / total
    spread = float(weights @ scores**2 / total) ** 0.5
    return scores / spread if spread > 1e-9 else np.zeros(count)  # noqa: PLR2004 -- constant
