"""From positions of an encoded row back to inputs.

Which input each position comes from, and which values of it lie on the two sides of a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import FLOAT32_MAX
from pipelines.training.onnx.nodes import round_down

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.bundle.schema import InputSchema
    from pipelines.training.onnx.nodes import Nodes

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Places:
    """What each position of the encoded row stands for: arrays (m,) of the input and, where it is
    one-hot, of the category. Also what is known of the inputs.
    """

    column: Array
    """The position of the input in the schema, or UNKNOWN."""
    category: Array
    """The code of the category that a one-hot position stands for.

    -1 for numbers and ordinal codes.
    """
    text: Array
    """By input: whether it is text."""
    nullable: Array
    """By input: whether it is a number that may be null."""
    categories: dict[int, tuple[str, ...]]
    """By input: the categories of a text, in the order of their codes."""
    transformers: dict[int, tuple[Any, list[str], int]]
    """The fitted transformer that changes the size of a number, by input.

    With the columns that it takes, and which of them the input is.
    """


UNKNOWN = -1
"""The input of a position that cannot be traced back to one."""


def find_places(before: Sequence[Any], schema: InputSchema) -> Places:
    """Return what each position of the encoded row comes from, after the transformers `before`.

    A position of which that cannot be said (of a text's words, of a combination of numbers) has
    the input UNKNOWN.
    """
    text = np.array([c.kind == "string" for c in schema.columns])
    nullable = np.array([c.nullable for c in schema.columns]) & ~text
    found = Places(np.array([]), np.array([]), text, nullable, {}, {})
    if not before:
        origins = {i: (i, -1) for i in range(len(schema.columns))}
    elif len(before) == 1 and hasattr(before[0], "output_indices_"):
        origins = _trace(before[0], schema, found)
    else:
        origins = {}
    width = max(origins, default=-1) + 1
    pairs = np.array([origins.get(i, (UNKNOWN, -1)) for i in range(width)], np.int64)
    pairs = pairs.reshape(-1, 2)
    return replace(found, column=pairs[:, 0], category=pairs[:, 1])


def _trace(encoder: Any, schema: InputSchema, found: Places) -> dict[int, tuple[int, int]]:
    """Return input and category by position of what a ColumnTransformer gives."""
    position = {c.name: i for i, c in enumerate(schema.columns)}
    origins: dict[int, tuple[int, int]] = {}
    for name, transformer, columns in encoder.transformers_:
        if transformer == "drop":  # inputs that the model does not look at
            continue
        names = _names_of(columns, encoder)
        inputs, where = [position.get(n, UNKNOWN) for n in names], encoder.output_indices_[name]
        sources = [] if UNKNOWN in inputs else _sources(transformer, names, inputs, found)
        origins.update(dict.fromkeys(range(where.start, where.stop), (UNKNOWN, -1)))
        if len(sources) <= where.stop - where.start:
            origins.update({where.start + nth: source for nth, source in enumerate(sources)})
    return origins


def _names_of(columns: Any, encoder: Any) -> list[str]:
    """Return the names of the inputs that a transformer takes: one, or several in their order."""
    if isinstance(columns, str):
        return [columns]
    named = np.asarray(encoder.feature_names_in_, dtype=object)
    if isinstance(columns, slice):
        return [str(n) for n in named[columns]]
    return [c if isinstance(c, str) else str(named[c]) for c in np.asarray(columns, object)]


def _sources(
    transformer: Any, names: list[str], inputs: list[int], found: Places
) -> list[tuple[int, int]]:
    """Return input and category of the first positions of a transformer; none where unknown."""
    coder = _coder(transformer)
    if coder is not None:
        by_input = {i: tuple(map(str, c)) for i, c in zip(inputs, coder.categories_, strict=True)}
        found.categories.update(by_input)
        if type(coder).__name__ == "OrdinalEncoder":
            return [(i, -1) for i in inputs]
        return [(i, code) for i in inputs for code in range(len(by_input[i]))]
    if found.text[inputs].any():
        return []
    if not _keeps_numbers(transformer):
        if not _is_monotone(transformer):
            return []
        found.transformers.update({i: (transformer, names, nth) for nth, i in enumerate(inputs)})
    return [(i, -1) for i in inputs]


def _coder(transformer: Any) -> Any:
    """Return the encoder of categories that a transformer is, or ends with after imputing.

    None where it is none, or where some categories share a code.
    """
    steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
    last = steps[-1]
    if type(last).__name__ not in {"OneHotEncoder", "OrdinalEncoder"}:
        return None
    if any(type(step).__name__ != "SimpleImputer" for step in steps[:-1]):
        return None
    shared = any(
        infrequent is not None for infrequent in getattr(last, "infrequent_categories_", [])
    )
    dropped = getattr(last, "drop_idx_", None) is not None
    return None if shared or dropped else last


_MONOTONE = frozenset(
    {
        "FunctionTransformer",
        "MaxAbsScaler",
        "MinMaxScaler",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    }
)
_IMPUTERS = frozenset({"IterativeImputer", "SimpleImputer"})


def _is_monotone(transformer: Any) -> bool:
    """Tell whether each number comes out as one number, which does not fall as it grows."""
    steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
    return all(
        _keeps_numbers(step)
        or (type(step).__name__ in _MONOTONE and getattr(step, "func", None) is None)
        for step in steps
    )


def _keeps_numbers(transformer: Any) -> bool:
    """Tell whether numbers come out as they went in (null aside): passed through or imputed.

    Indicators of null may follow.
    """
    if isinstance(transformer, str):
        return transformer == "passthrough"
    # what "passthrough" is once it is fitted
    kind = type(transformer).__name__
    passes_through = kind == "FunctionTransformer" and transformer.func is None
    return passes_through or (kind in _IMPUTERS and not _drops_empty(transformer))


def _drops_empty(imputer: Any) -> bool:
    """Tell whether inputs without a value are left out, so that positions do not tell inputs."""
    statistics = getattr(imputer, "statistics_", None)
    if statistics is None:
        statistics = imputer.initial_imputer_.statistics_
    empty = np.array([isinstance(s, float) and np.isnan(s) for s in statistics])
    return bool(empty.any() and not imputer.keep_empty_features)


def find_edges(nodes: Nodes, places: Places) -> tuple[Array, Array]:
    """Return by node the greatest value of its input that goes left, and the least that goes right.

    Float32 numbers or codes.

    Of a one-hot position the two mean nothing.
    """
    own = places.column[nodes.feature]
    at = np.floor(nodes.threshold)
    numbers = ~places.text[own] | (own == UNKNOWN)
    at[numbers] = round_down(nodes.threshold[numbers])
    for column, (transformer, names, nth) in places.transformers.items():
        here = own == column
        if here.any():
            at[here] = _bisect(nodes.threshold[here], transformer, names, nth)
    with np.errstate(over="ignore", invalid="ignore"):
        above = np.where(numbers, np.nextafter(at.astype(np.float32), np.float32(np.inf)), at + 1)
    return at, above.astype(np.float64)


def _bisect(thresholds: Array, transformer: Any, names: list[str], nth: int) -> Array:
    """Return the greatest float32 input whose encoded number is not above each threshold.

    Found by bisection; encoding must not fall as the input grows.
    """
    import pandas as pd

    low, high = (
        np.full(len(thresholds), _rank_of(-FLOAT32_MAX)),
        np.full(len(thresholds), _rank_of(FLOAT32_MAX)),
    )
    while (high - low > 1).any():
        middle = (low + high) // 2
        value = _float_at(middle)
        with np.errstate(over="ignore"):
            is_below = (
                np.asarray(transformer.transform(pd.DataFrame(dict.fromkeys(names, value))))[:, nth]
                <= thresholds
            )
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return _float_at(low)


def _rank_of(value: float) -> int:
    """Return the float32's place in the order of all float32, 0 for zero."""
    bits = int(np.float32(abs(value)).view(np.int32))
    return bits if value >= 0 else -bits


def _float_at(ranks: Array) -> Array:
    """Return the float32 at these places in the order of all float32."""
    size = np.abs(ranks).astype(np.int32).view(np.float32)
    return np.where(ranks < 0, -size, size).astype(np.float32)
