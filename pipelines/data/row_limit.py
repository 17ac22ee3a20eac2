"""How many rows of features a step may hold at once, where the memory of a step is stated.

The rule looks at nothing but what is stated and at the types of the columns, so that the same spec
samples the same rows on every machine. A run keeps the number (`FeaturesResult.most_rows`), and
whoever builds its version again takes it from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.byte_sizes import bytes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.context import Context

SHARE = 16
"""One part of the stated memory is that of the rows as they come; a fit holds them several times:
typed, as a frame, encoded, by fold, and in the estimator's own form.
"""
NUMBER, TEXT = 8, 64
"""Bytes that a value takes: of a number, a time or a boolean, and of all else."""
LEAST = 1_000
"""Rows that are held in any case: of fewer nothing is learnt."""


def states_memory(context: Context) -> bool:
    """Tell whether the spec or the settings say what memory a step has."""
    return _stated_memory(context) is not None


def most_rows(context: Context, kinds: Sequence[pa.DataType]) -> int | None:
    """Return how many rows with columns of these types are held at once; None where no memory is
    stated.
    """
    stated = _stated_memory(context)
    if stated is None:
        return None
    return max(bytes_of(stated) // SHARE // max(sum(map(_width, kinds)), 1), LEAST)


def _stated_memory(context: Context) -> str | None:
    return context.spec.resources.memory or context.settings.memory or None


def _width(kind: pa.DataType) -> int:
    from pyarrow import types

    fixed = (types.is_integer, types.is_floating, types.is_boolean, types.is_temporal)
    return NUMBER if types.is_null(kind) or any(test(kind) for test in fixed) else TEXT
