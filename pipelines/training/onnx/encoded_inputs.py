"""From positions of an encoded row back to inputs.

Which input each position comes from, and which values of it lie on the two sides of a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import FLOAT32_MAX
from pipelines.errors import BadData
from pipelines.training.onnx.tree_nodes import round_down

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema
    from pipelines.training.onnx.tree_nodes import Nodes

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Places:
    """What each position of the encoded row stands for: arrays (m,) of the input and, where it is
    one-hot, of the category. Also what is known of the inputs.
    """

    column: Array
    """The position of the input in the schema."""
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


def find_places(pipeline: Any, schema: InputSchema) -> Places:
    """Return what each position of the encoded row comes from.

    Raises BadData where that cannot be said.
    """
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    encoder = pipeline.steps[0][1]
    # The encoder and the estimator.
    if len(pipeline.steps) != 2 or not hasattr(encoder, "output_indices_"):  # noqa: PLR2004
        raise BadData(
            "The model's thresholds cannot be traced back to its inputs: it is more than one"
            " ColumnTransformer and an estimator."
        )
    position = {c.name: i for i, c in enumerate(schema.columns)}
    origins: dict[int, tuple[int, int]] = {}
    categories: dict[int, tuple[str, ...]] = {}
    transformers: dict[int, tuple[Any, list[str], int]] = {}
    for name, transformer, columns in encoder.transformers_:
        if isinstance(transformer, str):  # "drop": inputs that the model does not look at
            continue
        names = [str(c) for c in columns]
        inputs, where = [position[n] for n in names], encoder.output_indices_[name]
        sources = [(i, -1) for i in inputs]
        if isinstance(transformer, OrdinalEncoder | OneHotEncoder):
            categories_by_input = {
                i: tuple(map(str, c)) for i, c in zip(inputs, transformer.categories_, strict=True)
            }
            categories.update(categories_by_input)
            if isinstance(transformer, OneHotEncoder):
                sources = [(i, code) for i in inputs for code in range(len(categories_by_input[i]))]
        elif not _keeps_numbers(transformer):
            transformers.update({i: (transformer, names, nth) for nth, i in enumerate(inputs)})
        if len(sources) != where.stop - where.start:
            raise BadData(
                "The model's thresholds cannot be traced back to its inputs through"
                f" {type(transformer).__name__}."
            )
        origins.update(zip(range(where.start, where.stop), sources, strict=True))
    pairs = np.array([origins[i] for i in range(len(origins))], dtype=np.int64).reshape(-1, 2)
    text = np.array([c.kind == "string" for c in schema.columns])
    nullable = np.array([c.nullable for c in schema.columns]) & ~text
    return Places(pairs[:, 0], pairs[:, 1], text, nullable, categories, transformers)


def _keeps_numbers(transformer: Any) -> bool:
    """Tell whether numbers come out as they went in (null aside): passed through or imputed."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer

    # what "passthrough" is once it is fitted
    passes_through = isinstance(transformer, FunctionTransformer) and transformer.func is None
    return passes_through or isinstance(transformer, SimpleImputer)


def find_edges(nodes: Nodes, places: Places) -> tuple[Array, Array]:
    """Return by node the greatest value of its input that goes left, and the least that goes right.

    Float32 numbers or codes.

    Of a one-hot position the two mean nothing.
    """
    own = places.column[nodes.feature]
    at = np.floor(nodes.threshold)
    numbers = ~places.text[own]
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
