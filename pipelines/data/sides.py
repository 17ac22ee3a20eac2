"""On which side of a snapshot a row is: held out, or learnt from.

A row has no time by which what is judged could be the future. So a seeded hash of its key (or of
its group, so that rows which belong together stay together) puts it on a side, and nothing else: a
row is on the same side in every snapshot, and rows that come or go move no other one. The share of
a class on a side is therefore what chance makes of it; strata that are filled up by rank would move
rows. No version is ever fitted on the held-out side, so any two can be compared there.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.messages import Sides

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]

_BYTES = 8


def sides_of(spec: Spec) -> Sides:
    """Return what the sides of the spec's rows hang on."""
    return Sides(seed=spec.train.seed, columns=spec.side_columns, share=spec.holdout_share)


def held_out(table: pa.Table, sides: Sides, key: list[str]) -> Array:
    """Return (n,) booleans: which built rows are on the held-out side.

    A row without a group counts by its `key`.
    """
    seed = str(sides.seed).encode()
    limit = int(sides.share * 2 ** (8 * _BYTES))
    texts = _unit_texts(table, sides.columns, key)
    return np.fromiter((_position(seed, text) < limit for text in texts), bool, len(texts))


def groups_of(table: pa.Table, spec: Spec) -> Array:
    """Return the rows' groups (n,) as 0..groups-1 in the order of their first row; without
    `train.group` each row is its own.
    """
    places: dict[str, int] = {}
    texts = _unit_texts(table, spec.side_columns, spec.key)
    return np.array([places.setdefault(text, len(places)) for text in texts], dtype=np.int64)


def alike_groups(table: pa.Table, spec: Spec) -> Array | None:
    """Return the groups (n,) of rows with a time that `alike.group` names, numbered from 0; None
    where it names none, or the rows lack the column.

    A row without a group is its own.
    """
    column = spec.alike.group
    if column is None or column not in table.column_names:
        return None
    places: dict[str, int] = {}
    texts = _unit_texts(table, [column], spec.key)
    return np.array([places.setdefault(text, len(places)) for text in texts], dtype=np.int64)


def _position(seed: bytes, text: str) -> int:
    """Return where a text lies among all hashes, from 0 to 2^64."""
    whole = hashlib.blake2b(text.encode(), digest_size=_BYTES, key=seed)
    return int.from_bytes(whole.digest(), "big")


def _unit_texts(table: pa.Table, columns: list[str], key: list[str]) -> list[str]:
    """Return what each row's side hangs on, as one text."""
    units = zip(*(table[c].to_pylist() for c in columns), strict=True)
    if columns == key:
        return [_text(values) for values in units]
    # The mark keeps a group apart from a key of the same text.
    keys = zip(*(table[c].to_pylist() for c in key), strict=True)
    return [
        _text(own) if all(v is None for v in unit) else "group\x1e" + _text(unit)
        for unit, own in zip(units, keys, strict=True)
    ]


def _text(values: tuple[Any, ...]) -> str:
    """Return values as one text; a whole number is the same as a float and as an integer."""
    return "\x1f".join(
        str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values
    )
