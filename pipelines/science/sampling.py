"""Which rows make a sample: by a seeded hash of their key, of each stratum its share.

A row's hash follows from its key and the seed alone. So a sample is the same on any number of
threads and in whatever parts the rows come, and a smaller one lies within a larger one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

_HASH_KEY = 16
"""Bytes of the key that pandas' hash takes."""
_DEVIATIONS, _SPARE = 6, 10
"""How far beyond its share a stratum's candidates reach, so that chance leaves none too few."""


def hashes_of(columns: Sequence[Array], seed: int) -> Array:
    """Return the seeded hashes (n,) uint64 of rows with these columns, each (n,): whole numbers or
    texts.
    """
    import pandas as pd

    frame = pd.DataFrame(dict(enumerate(columns)))
    hashed = pd.util.hash_pandas_object(frame, index=False, hash_key=f"{seed:0{_HASH_KEY}d}"[-16:])
    return np.asarray(hashed.to_numpy(), dtype=np.uint64)


def quotas_of(counts: Array, most: int, *, least: int = 0) -> Array:
    """Return how many rows of each stratum (k,) a sample of `most` rows has: in proportion, by
    largest remainders, and at least `least` (or all that there are).
    """
    total = int(counts.sum())
    if total <= most:
        return counts.copy()
    exact = counts * (most / total)
    quotas = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - quotas), kind="stable")
    quotas[order[: most - int(quotas.sum())]] += 1
    return np.maximum(quotas, np.minimum(counts, least))


def limits_of(quotas: Array, counts: Array) -> Array:
    """Return below which hash (k,) the candidates of each stratum lie."""
    wanted = quotas + _DEVIATIONS * np.sqrt(quotas) + _SPARE
    share = np.minimum(wanted / np.maximum(counts, 1), 1.0)
    whole = share >= 1.0
    part = np.where(whole, 0.0, share) * 2.0**64
    return np.where(whole, np.uint64(2**64 - 1), part.astype(np.uint64))


def lowest(hashes: Array, strata: Array, quotas: Array) -> Array:
    """Return the positions, in order, of the rows of each stratum with the lowest hashes."""
    order = np.lexsort((hashes, strata))
    ranked = strata[order]
    first = np.searchsorted(ranked, np.arange(len(quotas)))
    rank = np.arange(len(order)) - first[ranked]
    return np.sort(order[rank < quotas[ranked]])


def whole_units(hashes: Array, counts: Array, most: int) -> Array:
    """Return the hashes of the units that are taken whole, the lowest first while they fit.

    `counts` (m,) are the rows of the units with these hashes (m,). Empty where none fits.
    """
    order = np.argsort(hashes, kind="stable")
    units, rows = [], 0
    for place in order:
        if rows + int(counts[place]) <= most:
            units.append(hashes[place])
            rows += int(counts[place])
        if rows == most:
            break
    return np.sort(np.array(units, dtype=np.uint64))
