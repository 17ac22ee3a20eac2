"""Requests on the boundary between two classes.

There a smooth classifier is steepest, and float32's rounding shows most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.rows import Feed

    Array = np.ndarray[Any, Any]

PAIRS = 256
"""Pairs of rows that are looked at; those that fall into two classes are bisected."""
_STEPS = 26
"""Halvings: float32 has 24 bits between one row and the other."""


def find_boundary(base: Feed, classes: Callable[[Feed], Array]) -> Feed:
    """Return rows on both sides of a boundary between two classes, as near to it as float32 goes.

    Perhaps none.

    `base` gives the rows between whose numbers is bisected (texts stay those of the first row);
    `classes` gives the class of each row of a feed.
    """
    rng = np.random.default_rng(0)
    count = len(next(iter(base.values())))
    first, second = rng.integers(0, count, PAIRS), rng.integers(0, count, PAIRS)
    ends = [{name: a[rows] for name, a in base.items()} for rows in (first, second)]
    numbers = [name for name, a in base.items() if a.dtype != object]
    two = classes(_mix(ends, numbers, np.zeros(PAIRS))) != classes(
        _mix(ends, numbers, np.ones(PAIRS))
    )
    ends = [{name: a[two] for name, a in end.items()} for end in ends]
    near, far = np.zeros(int(two.sum())), np.ones(int(two.sum()))
    if not len(near):
        return ends[0]
    here = classes(_mix(ends, numbers, near))
    for _ in range(_STEPS):
        middle = (near + far) / 2
        same = classes(_mix(ends, numbers, middle)) == here
        near, far = np.where(same, middle, near), np.where(same, far, middle)
    sides = [_mix(ends, numbers, side) for side in (near, far)]
    return {name: np.concatenate([side[name] for side in sides]) for name in base}


def _mix(ends: list[Feed], numbers: list[str], share: Array) -> Feed:
    """Return the first ends' rows with that share of the way to the second ends' numbers.

    Null goes to null at once.
    """
    feed = dict(ends[0])
    for name in numbers:
        one, other = ends[0][name].astype(np.float64), ends[1][name].astype(np.float64)
        feed[name] = (one + (other - one) * share[:, None]).astype(np.float32)
    return feed
