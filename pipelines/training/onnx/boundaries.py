"""Requests found by search: where a model's answer changes from one float32 to the next.

Between two classes a smooth classifier is steepest, and float32's rounding shows most. A model that
cuts its inputs anywhere (trees behind a projection, bins) answers otherwise on the two sides of a
cut, and the search finds some of its cuts without knowing where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.rows import Feed

    Array = np.ndarray[Any, Any]

PAIRS = 256
"""Pairs of rows that are looked at; those with two different answers are bisected."""
_STEPS = 26
"""Halvings: float32 has 24 bits between one row and the other."""


def find_boundary(base: Feed, answer: Callable[[Feed], Array], *, one_input: bool = False) -> Feed:
    """Return rows on both sides of a change of the answer, as near to it as float32 goes.

    Perhaps none.

    `base` gives the rows between whose numbers is bisected (texts stay those of the first row), all
    numbers at once, or with `one_input` one of them by turns; `answer` gives the class of each row
    of a feed, or anything else (n,) that is compared for equality.
    """
    rng = np.random.default_rng(0)
    count = len(next(iter(base.values())))
    first, second = rng.integers(0, count, PAIRS), rng.integers(0, count, PAIRS)
    ends = [{name: a[rows] for name, a in base.items()} for rows in (first, second)]
    numbers = [name for name, a in base.items() if a.dtype != object]
    if one_input and numbers:
        _keep_all_but_one(ends, numbers)
    two = answer(_mix(ends, numbers, np.zeros(PAIRS))) != answer(
        _mix(ends, numbers, np.ones(PAIRS))
    )
    ends = [{name: a[two] for name, a in end.items()} for end in ends]
    near, far = np.zeros(int(two.sum())), np.ones(int(two.sum()))
    if not len(near):
        return ends[0]
    here = answer(_mix(ends, numbers, near))
    for _ in range(_STEPS):
        middle = (near + far) / 2
        same = answer(_mix(ends, numbers, middle)) == here
        near, far = np.where(same, middle, near), np.where(same, far, middle)
    sides = [_mix(ends, numbers, side) for side in (near, far)]
    return {name: np.concatenate([side[name] for side in sides]) for name in base}


def _keep_all_but_one(ends: list[Feed], numbers: list[str]) -> None:
    """Let the second ends differ from the first in one number only, each in its turn."""
    turn = np.arange(PAIRS) % len(numbers)
    for nth, name in enumerate(numbers):
        keep = (turn != nth)[:, None]
        ends[1][name] = np.where(keep, ends[0][name], ends[1][name])


def _mix(ends: list[Feed], numbers: list[str], share: Array) -> Feed:
    """Return the first ends' rows with that share of the way to the second ends' numbers.

    Null goes to null at once.
    """
    feed = dict(ends[0])
    for name in numbers:
        one, other = ends[0][name].astype(np.float64), ends[1][name].astype(np.float64)
        # Where both are the same number, rounding must not make another one of it.
        way = np.where(one == other, 0.0, (other - one) * share[:, None])
        feed[name] = (one + way).astype(np.float32)
    return feed
