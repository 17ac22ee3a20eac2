"""Slices that nobody has named: where a small tree finds the challenger worse than its opponent.

The tree sees one half of the pieces of evidence, and what it finds is judged on the other half
alone: judged where it was found, the worst of many leaves would look bad by chance.

Source: Chung, Kraska, Polyzotis, Tae & Whang (2019), "Slice Finder: Automated Data Slicing for
Model Validation", ICDE (trees on the errors of a model); the halves are those of a sample split
(Cox 1975, "A note on data-splitting for the evaluation of significance levels", Biometrika 62).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.gate.slices import SliceRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.science.pieces import Pieces

    Array = NDArray[Any]

DEPTH = 3
MOST_LEAVES = 8
LEAST_SHARE = 0.02
"""The share of the rows that a leaf must hold."""


def _finding_half(pieces: Pieces, seed: int) -> Array:
    """Return the rows (n,) of one half of the pieces: the earlier ones, or where these have no
    order as many at random.
    """
    half = pieces.count // 2
    if pieces.in_order:
        return np.asarray(pieces.of_row < half)
    chosen = np.random.default_rng(seed).permutation(pieces.count) < half
    return np.asarray(chosen[pieces.of_row])


def finding_rows(ways: Sequence[Pieces], seed: int) -> tuple[Array, Array]:
    """Return the rows (n,) on which slices are looked for, and those (n,) that judge.

    Rows that are alike in two ways are halved in both, and no day or group is on both sides: what
    is left over is in neither.
    """
    halves = np.array([_finding_half(way, seed) for way in ways])
    return np.asarray(halves.all(axis=0)), np.asarray(~halves.any(axis=0))


def find_slices(
    columns: Mapping[str, Array],
    worse: Array,
    half: Array,
    judging: Array,
    *,
    least_rows: int,
    seed: int,
) -> list[SliceRows]:
    """Return the leaves in which the challenger is worse on the rows of the half (n,), each with
    its rows among the `judging` ones (n,).

    `columns` are (n,) numbers, NaN where there is none; their names say what a number is. `worse`
    (n,) is by how much the challenger's loss is greater than its opponent's, row by row.
    """
    from sklearn.tree import DecisionTreeRegressor

    usable = half & np.isfinite(worse)
    least = max(least_rows, int(LEAST_SHARE * usable.sum()))
    if not columns or usable.sum() < 2 * least:
        return []
    names = list(columns)
    x = np.column_stack([_without_gaps(columns[name]) for name in names])
    tree = DecisionTreeRegressor(
        max_depth=DEPTH, max_leaf_nodes=MOST_LEAVES, min_samples_leaf=least, random_state=seed
    ).fit(x[usable], worse[usable])
    leaves = tree.apply(x)
    found = []
    for leaf, words in _paths(tree.tree_, names).items():
        inside = leaves == leaf
        if words and worse[inside & usable].mean() > 0:
            found.append(SliceRows(f"found: {words}", inside & judging))
    return found


def _without_gaps(values: Array) -> Array:
    """Return numbers in which what is missing lies below all others; a tree counts in float32."""
    most = float(np.finfo(np.float32).max)
    there = np.isfinite(values)
    values = np.clip(values, -most, most)
    known = values[there]
    low = max(float(known.min()) - 1.0, -most) if len(known) else 0.0
    return np.where(there, values, low)


def _paths(tree: Any, names: list[str]) -> dict[int, str]:
    """Return by leaf the conditions that lead to it, in words; empty where nothing was split."""
    paths: dict[int, str] = {}

    def follow(node: int, conditions: tuple[str, ...]) -> None:
        if tree.children_left[node] < 0:
            paths[node] = " and ".join(conditions)
            return
        name, at = names[tree.feature[node]], f"{tree.threshold[node]:.4g}"
        # A column of a category is 0 or 1, and its name says which.
        low, high = (
            (f"not {name}", name) if " = " in name else (f"{name} <= {at}", f"{name} > {at}")
        )
        follow(int(tree.children_left[node]), (*conditions, low))
        follow(int(tree.children_right[node]), (*conditions, high))

    follow(0, ())
    return paths
