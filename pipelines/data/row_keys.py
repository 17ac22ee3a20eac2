"""The key that Perennial makes of a row's content, where the spec says `key: row`.

The key is a hash of the row's values and the number of the row among the equal rows of its batch,
such as `3f0c…a1-1`. So it is the same however often and in whatever order the batch is read, and
rows that come late rename no other. A row whose values change gets another key: it is another row.

A value is hashed as it reads, not as it is typed: 1, 1.0 and 1.00 are the same, and so is a moment
in any zone. Null is left out, so that a column without values changes no key.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

from pipelines.errors import SpecError
from pipelines.spec.facts import ROW_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

DIGITS = 32
"""Hex digits of a hash: 128 bits, so that no two contents share one by chance."""


def with_row_key(table: pa.Table, subject: str) -> pa.Table:
    """Return the table with the column `row_key` at its end.

    Raises SpecError where it has one already; `subject` names the table in it.
    """
    import pyarrow as pa

    refuse_taken(table.column_names, subject)
    seen: Counter[str] = Counter()
    keys: list[str] = []
    for name in content_names(table):
        seen[name] += 1
        keys.append(f"{name}-{seen[name]}")
    return table.append_column(ROW_KEY, pa.array(keys, pa.string()))


def refuse_taken(names: Sequence[str], subject: str) -> None:
    """Raise SpecError where a column is called `row_key` already."""
    taken = next((c for c in names if c.lower() == ROW_KEY), None)
    if taken is not None:
        raise SpecError(
            f"{subject} has a column {taken!r} already, which `key: row` would make.",
            remedy=f"write `key: [{taken}]`, or rename the column.",
            at=("key",),
        )


def content_names(table: pa.Table) -> list[str]:
    """Return the hash of each row's content: what its key begins with."""
    return [hashlib.sha256(c.encode()).hexdigest()[:DIGITS] for c in _contents(table)]


def _contents(table: pa.Table) -> list[str]:
    """Return the content of each row as one text, from which its values can be told apart."""
    import pyarrow.compute as pc

    parts = []
    for name in sorted(table.column_names):
        texts = _as_read(table.column(name))
        lengths = pc.cast(pc.binary_length(texts), texts.type)
        label = json.dumps(name)
        parts.append(pc.binary_join_element_wise(f"{label}:", lengths, ":", texts, ";", ""))
    if not parts:
        return [""] * table.num_rows
    joined = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    return [text or "" for text in joined.to_pylist()]


def _as_read(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column's values as texts that do not depend on the type that holds them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _as_read(column.cast(kind.value_type))
    if types.is_date(kind) or types.is_timestamp(kind):
        moments = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)))
        return moments.cast(pa.int64()).cast(pa.string())
    if types.is_floating(kind):
        wide = column.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.trunc(wide), wide), pc.less(pc.abs(wide), 2.0**53))
        as_whole = pc.if_else(whole, wide, 0.0).cast(pa.int64()).cast(pa.string())
        return pc.if_else(whole, as_whole, wide.cast(pa.string()))
    if types.is_decimal(kind):
        texts = column.cast(pa.string())
        plain = pc.replace_substring_regex(texts, r"(\.\d*?)0+$", r"\1")
        return pc.replace_substring_regex(plain, r"\.$", "")
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_string(kind):
        return column.cast(pa.string())
    values = [None if v is None else json.dumps(v, default=str) for v in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())])
