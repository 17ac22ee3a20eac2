"""Rows that came more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.cause import Break
from pipelines.science.causes.shift import measure_shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks
    from pipelines.science.causes.view import View
    from pipelines.science.changes.facts import Sample

    Array = NDArray[Any]

_MORE = 0.05
_OF_USUAL = 1.5
"""Where rows repeat each other anyway, they do so more in some mixes of rows than in others."""
_SURE = 1e-4
_BY_NATURE = 0.1
"""The share of the past's rows that repeat another one from which on they do so by nature."""
_SINGLE, _USUAL = 0.01, 0.3
"""A feed of which fewer rows than this come once is one that came twice, unless rows of the
reference repeat each other too."""


def find_repeats(view: View, seed: int) -> Iterator[Break]:
    """Give what shows that rows of the feed came again.

    A reference that is a sample holds fewer repeats than the rows it was drawn from. So the window
    is thinned to the reference's rows per day first, and both are counted alike.
    """
    own, other = view.blocks
    names = [n for n in view.window.columns if n in view.reference.columns]
    kept = min(1.0, (view.reference.rows / other.count) / max(view.window.rows / own.count, 1e-9))
    rows = np.random.default_rng(seed).random(view.window.rows) < kept
    again = _again(view.window, names, rows)
    before = _again(view.reference, names, np.ones(view.reference.rows, dtype=bool))
    # A row that was not kept cannot be repeated; shares are those of the rows that were.
    single = _single(view.window, names)
    share = float(again[rows].mean()) if rows.any() else 0.0
    usual = float(before.mean()) if len(before) else 0.0
    if single < _SINGLE and usual < _USUAL:
        words = (
            f"{1 - single:.1%} of the window's rows come more than once with the same values; in"
            f" training {usual:.1%} repeat another"
        )
        yield Break("duplicated", [], words, 1 - usual)
        return
    every = _again(view.window, names, np.ones(view.window.rows, dtype=bool))
    most = _most_usual(before, other, kept)
    if _middle_day(every, own) > _MORE + _OF_USUAL * most:
        words = (
            f"{every.mean():.1%} of the window's rows repeat an earlier one in every value, on most"
            f" of its days; as many rows of training would in {most:.1%} at most"
        )
        yield Break("duplicated", [], words, float(every.mean()) - usual)
        return
    if share - usual < _MORE + _OF_USUAL * usual:
        return
    # Many rows that are alike are a group, and more groups are other rows: of a feed that came
    # twice many more rows have a double.
    doubled = _with_doubles(view.window, names, rows)
    if doubled < _MORE + _OF_USUAL * _with_doubles(
        view.reference, names, np.ones(len(before), bool)
    ):
        return
    blocks = own.__class__(own.ids[rows], own.days, own.stretch), other
    found = measure_shift(again[rows].astype(np.int64), before.astype(np.int64), 2, blocks=blocks)
    if found.p_value < _SURE:
        whole = float(_again(view.window, names, np.ones(len(rows), dtype=bool)).mean())
        words = (
            f"{whole:.1%} of the window's rows repeat an earlier one in every value"
            f" ({share:.1%} at the density of training, where {usual:.1%} do)"
        )
        # Where rows repeat each other by nature, other rows may do so more: a weaker sign.
        by_nature = usual > _BY_NATURE
        yield Break("duplicated", [], words, (share - usual) * (0.5 if by_nature else 1.0))


def _most_usual(before: Array, blocks: Blocks, kept: float) -> float:
    """Return the greatest share of rows that repeat another one where as many come a day as in the
    window, by those of the reference that do (m,).

    Where a part `kept` of the rows is drawn, at least that part of the repeats is left: of two that
    are alike both must be drawn, of more any two.
    """
    sums, sizes = blocks.sums(before.astype(np.float64)), blocks.sums(np.ones(len(before)))
    usual = float(before.mean())
    spread = float(((sums - usual * sizes) ** 2).sum()) ** 0.5 / len(before)
    return float((usual + 3 * spread + 3 / len(before)) / max(kept, 1e-9))


def _middle_day(again: Array, blocks: Blocks) -> float:
    """Return the share of rows that repeat another one on the median day: a day alone may have a
    heap of them.
    """
    sizes = blocks.sums(np.ones(len(again)))
    return float(np.median(blocks.sums(again.astype(np.float64)) / np.maximum(sizes, 1)))


def _with_doubles(sample: Sample, names: list[str], rows: Array) -> float:
    """Return the share of the different rows that come more than once among the chosen (n,)."""
    counts = np.bincount(_alike(sample, names, np.flatnonzero(rows)))
    return float((counts > 1).mean()) if len(counts) else 0.0


def _single(sample: Sample, names: list[str]) -> float:
    """Return the share of the rows that equal no other one."""
    every = np.ones(sample.rows, dtype=bool)
    group = _alike(sample, names, np.flatnonzero(every))
    return float((np.bincount(group)[group] == 1).mean())


def _again(sample: Sample, names: list[str], rows: Array) -> Array:
    """Return which rows (n,) equal an earlier one among the chosen in every value and in time."""
    places = np.flatnonzero(rows)
    _, first = np.unique(_alike(sample, names, places), return_index=True)
    again = np.zeros(len(rows), dtype=bool)
    again[places] = True
    again[places[first]] = False
    return again


def _alike(sample: Sample, names: list[str], places: Array) -> Array:
    """Return a number (k,) for each of the rows at these places: the same for those that are equal
    in every value and in time.
    """
    keys = [sample.columns[n][places] for n in names]
    if sample.times is not None:
        keys.append(sample.times[places].astype(np.int64))
    group = np.zeros(len(places), dtype=np.int64)
    for key in keys:
        if key.dtype == object:
            codes = {v: i for i, v in enumerate(dict.fromkeys(key))}
            coded = np.array([codes[v] for v in key], dtype=np.int64)
        else:
            coded = np.unique(key, return_inverse=True)[1].reshape(-1)
        group = np.unique(group * (coded.max(initial=0) + 1) + coded, return_inverse=True)[1]
        group = group.reshape(-1)
    return group
