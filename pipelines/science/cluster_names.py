"""Which cluster of a new version is which of the champion's, so that a name keeps its meaning.

A clustering numbers its clusters as chance will have it. The two clusterings of the same rows are
laid upon each other so that as many rows as possible keep their cluster (Kuhn 1955, "The Hungarian
method for the assignment problem"; here SciPy's). What has no counterpart gets a name that no
version has had before, and the name of what is gone is not given away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Matching:
    """The names (k) of a clustering's clusters, in the order of its own places.

    `kept` is the share of rows that keep their cluster; `new` are names that the champion does not
    have, `gone` those that only the champion has.
    """

    names: tuple[str, ...]
    kept: float
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def first_names(clusters: int) -> Matching:
    """Return the names where there is no champion: their numbers."""
    return Matching(tuple(str(place) for place in range(clusters)), 1.0)


def match_names(table: Array, names: Sequence[str], used: int) -> Matching:
    """Return the names of a clustering by the champion's.

    `table` (k, l) counts the rows by their new cluster and by the champion's, called `names`
    (l). `used` is how many names any version has had so far. A pair that shares no row is none. Of
    equally good matchings the same one is chosen each time.
    """
    from scipy.optimize import linear_sum_assignment

    ours, theirs = linear_sum_assignment(table, maximize=True)
    pairs = {int(a): int(b) for a, b in zip(ours, theirs, strict=True) if table[a, b] > 0}
    count = max(used, 1 + max((int(n) for n in names), default=-1))
    found, new = [], []
    for place in range(len(table)):
        if place in pairs:
            found.append(names[pairs[place]])
            continue
        new.append(str(count))
        found.append(str(count))
        count += 1
    kept = sum(table[a, b] for a, b in pairs.items()) / max(table.sum(), 1)
    gone = tuple(n for place, n in enumerate(names) if place not in pairs.values())
    return Matching(tuple(found), float(kept), tuple(new), gone)


def order_of(names: Sequence[str]) -> Array:
    """Return the places (k,) in which the clusters stand by the number of their name."""
    return np.argsort([int(name) for name in names], kind="stable")
