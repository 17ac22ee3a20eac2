"""What float32, in which a model is fed, cannot keep apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE_NUMBERS = 2**24
"""Up to here float32 holds every whole number; beyond, neighbours are one and the same."""


def merged_inputs(table: pa.Table, inputs: Iterable[str]) -> str:
    """Return a warning that names the inputs of whole numbers of which some become the same.

    Empty where there is none. Seconds since 1970, for example, are told apart by 128 s only.
    """
    names = [name for name in inputs if _merges(table.column(name))]
    if not names:
        return ""
    return (
        f"a model is fed float32, in which different whole numbers beyond {WHOLE_NUMBERS:,} of"
        f" {', '.join(names)} become the same; subtract a base in features.py, or make them texts"
    )


def _merges(column: pa.ChunkedArray) -> bool:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return False
    ends = pc.min_max(column)
    if max((abs(end.as_py()) for end in ends.values() if end.is_valid), default=0) <= WHOLE_NUMBERS:
        return False
    if pa.types.is_floating(column.type) and not pc.all(pc.equal(pc.trunc(column), column)).as_py():
        return False
    narrow = pc.cast(column, pa.float32(), safe=False)
    return bool(pc.count_distinct(narrow).as_py() < pc.count_distinct(column).as_py())
