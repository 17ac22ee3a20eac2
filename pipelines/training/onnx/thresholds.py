"""Requests at the thresholds of a fitted model.

Where one step of float32 changes the answer, and a proof must look.

A tree asks `x <= threshold` with a float64 threshold; compiled, it asks with a float32 one. Both
may agree on all random rows and differ at the threshold. So for each inner node of each tree this
module builds rows that reach the node, with the node's input at the threshold (the greatest float32
that is not above it), one float32 below it and one above it, and null where null has a way of its
own. Thresholds live in the encoded row; what is built are rows of inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import FLOAT32_MAX
from pipelines.training.onnx.encoded_inputs import UNKNOWN, find_edges, find_places
from pipelines.training.onnx.nested import answering_parts
from pipelines.training.onnx.nodes import join
from pipelines.training.onnx.tree_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.rows import Feed
    from pipelines.bundle.schema import InputSchema
    from pipelines.training.onnx.encoded_inputs import Places
    from pipelines.training.onnx.nodes import Nodes

Array = np.ndarray[Any, Any]

LIMIT = 100_000
"""Nodes that are asked at.

Of a model with more, a seeded sample that takes one per threshold before a second of the same.
"""
BASES = 4
"""Held-out rows that a node's rows are made of, in models with few nodes.

Below a node, two rows may meet by chance.
"""
_WORK = 60_000_000
"""Rows times trees that are asked at most: a forest of many deep trees takes about a minute."""
_CELLS = 2_000_000
"""Rows times inputs of one feed.

A wide model or a deep forest takes no more memory than a small one.
"""
_UNKNOWN = "no category of any training row"


@dataclass(frozen=True)
class Traced:
    """The nodes of trees that see the same encoded row, and what its positions stand for."""

    nodes: Nodes
    places: Places
    trees: int

    @property
    def askable(self) -> Array:
        """The positions of the nodes that can be asked at: their input is known."""
        known = self.places.column[self.nodes.feature] != UNKNOWN
        return np.flatnonzero(known & ~self.nodes.by_category)


def trace(pipeline: Any, schema: InputSchema) -> list[Traced]:
    """Return the trees of a fitted pipeline, by what the row went through before it came to them.

    None for a pipeline whose answers are not made by trees.
    """
    by_encoding: dict[tuple[int, ...], tuple[tuple[Any, ...], list[Nodes]]] = {}
    for part in answering_parts(pipeline):
        nodes = read_nodes(part.estimator)
        if nodes is None or not len(nodes.feature):
            continue
        if part.columns is not None:
            nodes = replace(nodes, feature=part.columns[nodes.feature])
        key = tuple(id(step) for step in part.before)
        by_encoding.setdefault(key, (part.before, []))[1].append(nodes)
    found = []
    for before, trees in by_encoding.values():
        nodes = join(trees)
        places = _widen(find_places(before, schema), int(nodes.feature.max()) + 1)
        found.append(Traced(nodes, places, int((nodes.parent < 0).sum())))
    return found


def _widen(places: Places, width: int) -> Places:
    """Return the places with unknown ones behind, where a tree looks at more than is known."""
    more = max(width - len(places.column), 0)
    column = np.append(places.column, np.full(more, UNKNOWN)).astype(np.int64)
    return replace(places, column=column, category=np.append(places.category, np.full(more, -1)))


def count_asked(traced: Traced, limit: int = LIMIT) -> int:
    """Return at how many nodes is asked: as many as can be, within what may be computed."""
    most = max(_WORK // (3 * max(traced.trees, 1)), 1)
    return min(len(traced.askable), limit, most)


def build_rows(
    pipeline: Any, schema: InputSchema, base: Feed, limit: int = LIMIT
) -> Iterator[Feed]:
    """Yield feeds with rows at, just below and just above the thresholds of a pipeline's trees.

    Nothing is yielded where it has none, or none that can be traced back to an input.

    `base` gives the values of the inputs that a node's path leaves open.
    """
    for traced in trace(pipeline, schema):
        yield from _build_rows(traced, schema, base, limit)


def _build_rows(traced: Traced, schema: InputSchema, base: Feed, limit: int) -> Iterator[Feed]:
    nodes, places = traced.nodes, _keep_texts(traced.places, schema, base)
    at, above = find_edges(nodes, places)
    rng = np.random.default_rng(0)
    most = count_asked(traced, limit)
    picks = _choose(nodes, traced.askable, rng, most)
    if not len(picks):
        return
    within = _WORK // (3 * max(traced.trees, 1) * len(picks))
    picks = np.tile(picks, max(min(BASES, limit // (5 * len(picks)), within), 1))
    values = _encode(schema, places, base)
    size = max(_CELLS // (4 * len(schema.columns)), 1)
    for start in range(0, len(picks), size):
        some = picks[start : start + size]
        rows = _ask_at(
            nodes, some, (at, above), places, values[rng.integers(0, len(values), len(some))]
        )
        yield _decode(schema, places, rows)


def _keep_texts(places: Places, schema: InputSchema, base: Feed) -> Places:
    """Return the places with codes for texts of which no node asks for a category.

    They stay what they are in `base`.
    """
    own = {
        i: tuple(dict.fromkeys(base[column.name][:, 0].tolist()))
        for i, column in enumerate(schema.columns)
        if column.kind == "string" and i not in places.categories
    }
    return replace(places, categories={**places.categories, **own})


def _choose(nodes: Nodes, askable: Array, rng: np.random.Generator, limit: int) -> Array:
    """Return the positions of up to `limit` of the askable nodes, in order.

    First one per threshold, then others of the same.
    """
    order = rng.permutation(askable)
    if len(order) > limit:
        feature, threshold = nodes.feature[order], nodes.threshold[order]
        alike = np.lexsort((threshold, feature))
        again = np.zeros(len(order), dtype=bool)
        again[alike[1:]] = (np.diff(feature[alike]) == 0) & (
            threshold[alike[1:]] == threshold[alike[:-1]]
        )
        order = order[np.argsort(again, kind="stable")][:limit]
    return np.sort(order)


def _encode(schema: InputSchema, places: Places, base: Feed) -> Array:
    """Return the feed as numbers (rows, inputs).

    Float32 values, and codes of categories (-1 for one that is not known).
    """
    numbers = []
    for i, column in enumerate(schema.columns):
        array = base[column.name][:, 0]
        if column.kind == "string":
            codes = {name: code for code, name in enumerate(places.categories.get(i, ()))}
            array = np.array([codes.get(text, -1) for text in array])
        numbers.append(array.astype(np.float64))
    return np.column_stack(numbers)


def _ask_at(
    nodes: Nodes, some: Array, edges: tuple[Array, Array], places: Places, values: Array
) -> Array:
    """Return rows of values that reach the nodes `some`.

    Each below, at and above its threshold, and null where it comes so far.
    """
    at, above = edges[0][some], edges[1][some]
    values, null_arrives = _follow_paths(nodes, some, edges, places, values)
    row, own = np.arange(len(some)), places.column[nodes.feature[some]]
    text, category = places.text[own], places.category[nodes.feature[some]]
    with np.errstate(over="ignore", invalid="ignore"):
        below = np.where(
            text, np.maximum(at - 1, -1), np.nextafter(at.astype(np.float32), np.float32(-np.inf))
        )
    other = np.where(values[row, own] == category, -1, values[row, own])
    requests = []
    for number, one_hot in ((below, other), (at, other), (above, category)):
        request = values.copy()
        request[row, own] = np.where(category >= 0, one_hot, number)
        requests.append(request)
    nulls = values[null_arrives]
    nulls[np.arange(len(nulls)), own[null_arrives]] = np.nan
    return np.concatenate([*requests, nulls])


def _follow_paths(
    nodes: Nodes, some: Array, edges: tuple[Array, Array], places: Places, values: Array
) -> tuple[Array, Array]:
    """Return the values changed as little as it takes to reach each node.

    Also return whether a null of the node's own input reaches it.

    Walks from all nodes up to their roots at once, and collects the bounds of every input on the
    way.
    """
    values = values.copy()
    low, high, must = (
        np.full(values.shape, -np.inf),
        np.full(values.shape, np.inf),
        np.full(values.shape, -1),
    )
    own = places.column[nodes.feature[some]]
    null_arrives = places.nullable[own] & nodes.asks_null[some]
    node, row = some, np.arange(len(some))
    while len(node):
        goes_left, node = nodes.left[node], nodes.parent[node]
        goes_left, row, node = goes_left[node >= 0], row[node >= 0], node[node >= 0]
        known = places.column[nodes.feature[node]] != UNKNOWN
        column, category = places.column[nodes.feature[node]], places.category[nodes.feature[node]]
        null_arrives[row] &= (own[row] != column) | (nodes.null_left[node] == goes_left)
        plain = (category < 0) & ~nodes.by_category[node] & known
        one, other = plain & goes_left, plain & ~goes_left
        high[row[one], column[one]] = np.minimum(high[row[one], column[one]], edges[0][node[one]])
        low[row[other], column[other]] = np.maximum(
            low[row[other], column[other]], edges[1][node[other]]
        )
        one, other = (
            (category >= 0) & ~goes_left,
            (category >= 0) & goes_left & (values[row, column] == category),
        )
        must[row[one], column[one]] = category[one]
        values[row[other], column[other]] = -1
    has_bound = np.isfinite(low) | np.isfinite(high)
    outside = (values < low) | (values > high) | (np.isnan(values) & has_bound)
    values = np.where(outside, np.where(np.isfinite(high), high, low), values)
    values[np.isposinf(low)] = np.nan  # to the right of an infinite threshold there is null alone
    return np.where(must >= 0, must, values), null_arrives


def _decode(schema: InputSchema, places: Places, rows: Array) -> Feed:
    """Return rows of values as a feed; numbers stay within what a caller may send."""
    feed: Feed = {}
    for i, column in enumerate(schema.columns):
        if places.text[i]:
            categories = np.array([*places.categories.get(i, ()), _UNKNOWN], dtype=object)
            # -1, not known, is the last one
            codes = np.minimum(rows[:, i], len(categories) - 2).astype(np.int64)
            array = categories[codes]
        else:
            array = np.clip(rows[:, i], -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
        feed[column.name] = array.reshape(-1, 1)
    return feed
