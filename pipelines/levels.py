"""The levels of quantiles: what they are called, and which answer lies in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

MEDIAN = 0.5


def level_name(level: float) -> str:
    """Return what the answer at a level is called: `0.05`."""
    return f"{level:.12g}"


def level_names(levels: Sequence[float]) -> list[str]:
    """Return what the answers at the levels are called, in their order."""
    return [level_name(level) for level in levels]


def take_levels(answers: Array, own: Sequence[float], wanted: Sequence[float]) -> Array:
    """Return the answers (n, m) at the wanted levels, as they are where none is wanted.

    Raises BadData where a model, an earlier version perhaps, does not answer at one of them.
    """
    if not wanted:
        return answers
    found = pick_levels(answers, own, wanted)
    if found is None:
        raise BadData(f"it answers at the levels {', '.join(level_names(own))} only")
    return found


def pick_levels(answers: Array, own: Sequence[float], wanted: Sequence[float]) -> Array | None:
    """Return the answers (n, m) at the wanted levels, of answers (n, k) at a model's own.

    None where one of them is not among these.
    """
    names = level_names(own)
    places = [names.index(name) for name in level_names(wanted) if name in names]
    return None if len(places) < len(wanted) else np.asarray(answers)[:, places]


def middle(answers: Array, levels: Sequence[float]) -> Array:
    """Return the answers at the median (n,), of answers (n, k) at k increasing levels.

    Where 0.5 is no level, the line between its neighbours; where all levels lie on one side of it,
    the nearest of them. What is drawn, and watched for drift, is this one number.
    """
    wide = np.asarray(answers, dtype=np.float64)
    above = int(np.searchsorted(np.asarray(levels), MEDIAN))
    if above == 0 or above == len(levels) or levels[above] == MEDIAN:
        return np.asarray(wide[:, min(above, len(levels) - 1)])
    low, high = levels[above - 1], levels[above]
    share = (MEDIAN - low) / (high - low)
    return np.asarray(wide[:, above - 1] * (1 - share) + wide[:, above] * share)
