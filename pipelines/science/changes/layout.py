"""Which rows are compared, and in which pieces: days or hours of both sides, or rows.

Both sides must be equally noisy, or the noise alone would tell them apart. So pieces of time hold
as many rows on average on either side: the fuller side is thinned at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.pieces import Span

    Array = NDArray[Any]

MOST_PIECES = 2_048
"""As many pieces are weighed at most; of more, neighbours are put together."""
_TIMES_AS_MANY = 20
"""A side with more rows than this many times the other's tells nothing more by them."""
_FEW = 2_000
_NEARLY_ALL = 0.9
_CODES = {"day": "D", "hour": "h"}


@dataclass(frozen=True)
class Layout:
    """Rows in pieces: the reference's are 0..before-1, the window's follow, `within` of them.

    `window` and `reference` are the places of the rows that are kept, `pieces` those of the
    window's rows, then of the reference's. `timed`: pieces are in the order of time. `apart`: about
    so many pieces would lie between the reference and the window, were they as dense as before.
    """

    window: Array
    reference: Array
    pieces: Array
    before: int
    within: int
    unit: str
    timed: bool
    apart: int = 0

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return self.before + self.within


def why_too_few(window: int, reference: int, least: int, what: str) -> str:
    """Return why so few rows say nothing; "" where they are enough."""
    least = max(least, 2)
    few = [
        f"the {side} has {rows:,} {what}"
        for side, rows in (("window", window), ("reference", reference))
        if rows < least
    ]
    return f"{' and '.join(few)}; at least {least:,} are needed" if few else ""


def tell_compared(layout: Layout, window: int, reference: int) -> str:
    """Return of how many rows of each side the comparison is made; "" where it is of nearly all."""
    sides = [("window", layout.window, window), ("reference", layout.reference, reference)]
    thinned = [
        f"{len(kept):,} of {rows:,} rows of the {side}"
        for side, kept, rows in sides
        if len(kept) < _NEARLY_ALL * rows
    ]
    if not thinned:
        return ""
    return f"compared by {' and '.join(thinned)}, so that both sides are equally noisy"


def lay_out(
    window: Array | None, reference: Array | None, rows: tuple[int, int], span: Span, seed: int
) -> Layout:
    """Return how rows with these event times are compared; `rows` are how many each side has.

    Rows without a time on one of the sides are pieces in any order. NaT is left out.
    """
    rng = np.random.default_rng(seed)
    if window is None or reference is None or np.isnat(window).all() or np.isnat(reference).all():
        return _any_order(*rows, rng)
    if span == "row":
        return _row_by_row(window, reference)
    return _by_time(window, reference, span, rng)


def _any_order(window: int, reference: int, rng: np.random.Generator) -> Layout:
    most = [max(_TIMES_AS_MANY * other, _FEW) for other in (reference, window)]
    kept = [
        rng.permutation(rows)[:limit] for rows, limit in zip((window, reference), most, strict=True)
    ]
    return _cut(kept[0], kept[1], "rows", timed=False)


def _row_by_row(window: Array, reference: Array) -> Layout:
    order = [np.argsort(times, kind="stable") for times in (window, reference)]
    first, second = (
        places[~np.isnat(times[places])]
        for places, times in zip(order, (window, reference), strict=True)
    )
    # What is thinned would be less alike than what is not: the newest rows are taken whole.
    most = [max(_TIMES_AS_MANY * len(other), _FEW) for other in (second, first)]
    return _cut(first[-most[0] :], second[-most[1] :], "rows", timed=True)


def _cut(first: Array, second: Array, unit: str, *, timed: bool) -> Layout:
    """Return rows in this order in pieces of equal size; those left over, the oldest, are out."""
    size = max(1, -(-(len(first) + len(second)) // MOST_PIECES))
    within, before = len(first) // size, len(second) // size
    first, second = first[len(first) - within * size :], second[len(second) - before * size :]
    pieces = np.concatenate(
        [before + np.arange(within * size) // size, np.arange(before * size) // size]
    )
    words = unit if size == 1 else f"groups of {size} {unit}"
    return Layout(first, second, pieces, before, within, words, timed)


def _by_time(window: Array, reference: Array, span: Span, rng: np.random.Generator) -> Layout:
    sides = []
    for times in (window, reference):
        kept = np.flatnonzero(~np.isnat(times))
        values, piece = np.unique(
            times[kept].astype(f"datetime64[{_CODES[span]}]"), return_inverse=True
        )
        sides.append((kept, piece, values))
    (first, of_first, mine), (second, of_second, others) = sides
    within, before = len(mine), len(others)
    size = max(1, min(-(-(within + before) // MOST_PIECES), within, before))
    # Groups are counted from the newest piece back, and what is left over is the oldest.
    of_first = (of_first - within % size) // size
    of_second = (of_second - before % size) // size
    within, before = within // size, before // size
    newest = max(0, before - MOST_PIECES)
    of_second, before = of_second - newest, before - newest
    first, of_first = first[of_first >= 0], of_first[of_first >= 0]
    second, of_second = second[of_second >= 0], of_second[of_second >= 0]
    dense = [len(first) / within, len(second) / before]
    keep = [min(1.0, dense[1] / dense[0]), min(1.0, dense[0] / dense[1])]
    chosen = [
        rng.random(len(rows)) < share for rows, share in zip((first, second), keep, strict=True)
    ]
    pieces = np.concatenate([before + of_first[chosen[0]], of_second[chosen[1]]])
    words = f"{span}s" if size == 1 else f"groups of {size} {span}s"
    return Layout(
        first[chosen[0]],
        second[chosen[1]],
        pieces,
        before,
        within,
        words,
        timed=not _is_scattered(mine, others),
        apart=_count_between(mine, others) // size,
    )


def _count_between(window: Array, reference: Array) -> int:
    """Return about how many pieces lie between the reference and the window, by how dense the
    reference is.
    """
    newest, past = window[0].astype(np.int64), reference.astype(np.int64)
    between = max(float(newest - past[-1] - 1), 0.0)
    return int(between * len(past) / float(past[-1] - past[0] + 1))


def _is_scattered(window: Array, reference: Array) -> bool:
    """Tell whether more pieces of the reference lie between the window's than the window has.

    Then the window is no stretch of time, and no stretch of the past is like it.
    """
    between = (reference > window[0]) & (reference < window[-1]) & ~np.isin(reference, window)
    return int(between.sum()) > len(window)
