"""Shares of rows, and differences of two shares, as pieces of evidence tell them.

By the jackknife and Student's t (see `student`), counted as everywhere in days that are alike or
not (see `dependence`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class ShareOfPieces:
    """The rows of a share, by pieces: `sizes` (k,), of which `hits` (k,) are decided positive."""

    hits: Array
    sizes: Array

    @property
    def touched(self) -> int:
        """How many pieces its rows are of."""
        return int(np.count_nonzero(self.sizes))

    def take(self, pieces: Array) -> ShareOfPieces:
        """Return it of some of the pieces, by a mask (k,)."""
        return ShareOfPieces(self.hits[pieces], self.sizes[pieces])

    def of(self, weights: Array) -> Array:
        """Return the share (b,) as it follows from pieces' weights (b, k)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((weights @ self.hits) / (weights @ self.sizes))


def share_by_pieces(positive: Array, inside: Array, way: Pieces) -> ShareOfPieces:
    """Return the share of the rows `inside` (n,) that are decided positive (n,), by pieces."""
    of_row = way.of_row[inside]
    sizes = np.bincount(of_row, minlength=way.count).astype(np.float64)
    hits = np.bincount(of_row, positive[inside].astype(np.float64), minlength=way.count)
    return ShareOfPieces(hits, sizes)


def weigh_shares(
    pieces: Sequence[Pieces],
    shares: Callable[[Pieces], list[ShareOfPieces]],
    scale: Scale = PLAIN,
) -> Student:
    """Return what the pieces say of a share, or of the first less the second; the less sure way.

    Of a difference the share of fewer pieces says how well its error is known.
    """
    found = [_ask(shares(way), scale, in_order=way.in_order) for way in pieces]
    return max(found, key=lambda s: s.error if isfinite(s.error) else float("inf"))


def _ask(shares: list[ShareOfPieces], scale: Scale, *, in_order: bool) -> Student:
    # Pieces without a row of any of them say nothing, and are no evidence.
    held = np.any([share.sizes > 0 for share in shares], axis=0)
    parts, count = [share.take(held) for share in shares], int(held.sum())

    def number(weights: Array) -> Array:
        first = parts[0].of(weights)
        return first - parts[1].of(weights) if len(parts) > 1 else first

    whole = float(number(np.ones((1, count)))[0])
    without = number(np.ones((count, count)) - np.eye(count))
    known = in_order and bool(np.isfinite(without).all())
    alike = known and are_alike(without)
    wider = widening(without) if known and not alike else 1.0
    student = by_student(whole, without, scale, alike=alike, wider=wider)
    fewest = min(part.touched for part in parts)
    return replace(student, freedom=max(min(student.freedom, fewest - 1), 1))
