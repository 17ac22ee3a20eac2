"""The inner nodes of a fitted tree or of an ensemble of trees, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Nodes:
    """The inner nodes of all trees of a model, arrays of shape (n,)."""

    feature: Array
    """The position in the encoded row."""
    threshold: Array
    """float64: a row goes left where its value is not above this."""
    parent: Array
    """The position of the node above in these arrays, -1 for a root."""
    left: Array
    """Whether the node is its parent's left child."""
    asks_null: Array
    """Whether the node sends null a way of its own."""
    null_left: Array
    """Whether that way is the left one."""
    by_category: Array
    """Whether the node asks for membership in a set of categories.

    Its threshold then means nothing.
    """


def join(trees: list[Nodes]) -> Nodes:
    """Return the nodes of all trees as one."""
    starts = np.cumsum([0, *(len(t.feature) for t in trees)])
    columns = {f.name: np.concatenate([getattr(t, f.name) for t in trees]) for f in fields(Nodes)}
    columns["parent"] = np.concatenate(
        [np.where(t.parent < 0, -1, t.parent + s) for t, s in zip(trees, starts, strict=False)]
    )
    return Nodes(**columns)


def round_down(values: Array) -> Array:
    """Return the greatest float32 that is not above each value.

    `x <= value` means the same with it, for every float32 x.
    """
    with np.errstate(over="ignore"):
        near = np.asarray(values).astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
