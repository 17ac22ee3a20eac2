"""Shares of rows, and differences of two shares, as pieces of evidence tell them.

By the jackknife and Student's t (see `student`), counted as everywhere in days that are alike or
not (see `dependence`).
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.dependence import are_alike, widening
from pipelines.science.student import PLAIN, Student, by_student, scale_between

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipelines.science.pieces import Pieces
    from pipelines.science.student import Scale

    Array = NDArray[Any]

UNIT = scale_between(0.0, 1.0)
"""The scale of a share."""


def share_by_pieces(positive: Array, inside: Array, way: Pieces) -> Callable[[Array], Array]:
    """Return the share of rows decided positive (b,) as it follows from pieces' weights (b, k)."""
    of_row = way.of_row[inside]
    sizes = np.bincount(of_row, minlength=way.count).astype(np.float64)
    hits = np.bincount(of_row, positive[inside].astype(np.float64), minlength=way.count)

    def share(weights: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((weights @ hits) / (weights @ sizes))

    return share


def weigh_shares(
    pieces: Sequence[Pieces],
    shares: Callable[[Pieces], list[Callable[[Array], Array]]],
    scale: Scale = PLAIN,
) -> Student:
    """Return what the pieces say of a share, or of the first less the second; the less sure way."""
    found = [_ask(way, shares(way), scale) for way in pieces]
    return max(found, key=lambda s: s.error if isfinite(s.error) else float("inf"))


def _ask(way: Pieces, parts: list[Callable[[Array], Array]], scale: Scale) -> Student:
    def number(weights: Array) -> Array:
        first = parts[0](weights)
        return first - parts[1](weights) if len(parts) > 1 else first

    whole = float(number(np.ones((1, way.count)))[0])
    without = number(np.ones((way.count, way.count)) - np.eye(way.count))
    known = way.in_order and bool(np.isfinite(without).all())
    alike = known and are_alike(without)
    wider = widening(without) if known and not alike else 1.0
    return by_student(whole, without, scale, alike=alike, wider=wider)
