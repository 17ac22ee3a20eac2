"""What is looked for, and when a cell, a JSON value or a text holds it.

Cells are compared by type: 4711 is found in a column of integers, 4711.0 in one of numbers, the
text "4711" in one of texts, and none of them in 14711. In running text a value counts where it
stands alone as a word; a short number does not count there, as any date or count may hold it.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines.inference_log.decode import INPUT
from pipelines.inference_log.format import key_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from mmap import mmap

    import pyarrow as pa

LONG_NUMBER = 6
"""Digits from which a number is one that no date or count is likely to be."""

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,18})")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def can_be_sought(value: str) -> bool:
    """Tell whether a value is a text that may stand somewhere: not empty, and no broken bytes, as
    a command line may hand on.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return bool(value.strip())


@dataclass(frozen=True)
class Sought:
    """Values to look for, as they are written; in these columns, or in all where there are none.

    Values that are no numbers are looked for in all columns even so. Where `key` names columns,
    a row is also told by those together, as the inference log writes them.
    """

    values: frozenset[str]
    columns: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()

    def looks_at(self, column: str) -> bool:
        """Tell whether values of any type count in a column of this name."""
        return not self.columns or column.removeprefix(INPUT) in self.columns

    def mask(
        self, name: str, column: pa.ChunkedArray, *, numbers_anywhere: bool = True
    ) -> pa.ChunkedArray | None:
        """Return which cells hold a value; None where none can.

        Without `numbers_anywhere` a long number, too, counts in the named columns alone.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        if pa.types.is_dictionary(kind):
            return self._mask_by_dictionary(name, column, numbers_anywhere=numbers_anywhere)
        if pa.types.is_nested(kind):
            found = [self.in_json(cell, name) for cell in column.to_pylist()]
            return pa.chunked_array([pa.array(found, pa.bool_())])
        words = self._words if numbers_anywhere else self._texts
        values = _values_of_type(self.values if self.looks_at(name) else words, kind)
        if not values:
            return None
        return pc.fill_null(pc.is_in(column, value_set=pa.array(values, kind)), fill_value=False)

    def _mask_by_dictionary(
        self, name: str, column: pa.ChunkedArray, *, numbers_anywhere: bool
    ) -> pa.ChunkedArray | None:
        """Return the same of cells that are places in a dictionary, each value of it once: written
        out they may take any amount of memory.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        found = []
        for chunk in column.chunks:
            values = pa.chunked_array([chunk.dictionary])
            mask = self.mask(name, values, numbers_anywhere=numbers_anywhere)
            if mask is None:
                return None
            cells = pc.take(mask.combine_chunks(), chunk.indices)
            found.append(pc.fill_null(cells, fill_value=False))
        return pa.chunked_array(found, pa.bool_())

    def rows(self, table: pa.Table, *, numbers_anywhere: bool = True) -> pa.ChunkedArray | None:
        """Return which rows of a table hold a value in any column; None where none can.

        Without `numbers_anywhere` a long number, too, counts in the named columns alone: an amount
        or a postcode of another person's row may read as a key.
        """
        import pyarrow.compute as pc

        masks = [
            self.mask(name, column, numbers_anywhere=numbers_anywhere)
            for name, column in zip(table.column_names, table.columns, strict=True)
        ]
        masks.append(self._rows_by_key(table))
        found = None
        for mask in masks:
            if mask is not None:
                found = mask if found is None else pc.or_(found, mask)
        return found

    def _rows_by_key(self, table: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows a key of several columns names; None where the table lacks one."""
        import pyarrow as pa

        if not self.key or not self.values or not set(self.key) <= set(table.column_names):
            return None
        cells = zip(*(table.column(name).to_pylist() for name in self.key), strict=True)
        found = [key_text(values) in self.values for values in cells]
        return pa.chunked_array([pa.array(found, pa.bool_())])

    def in_json(self, value: Any, name: str = "") -> bool:
        """Tell whether a JSON value holds one, at any depth; `name` is the key that it stands
        under.
        """
        if isinstance(value, dict):
            return any(
                self.in_text(key) or self.in_json(inner, key) for key, inner in value.items()
            )
        if isinstance(value, list | tuple):
            return any(self.in_json(inner, name) for inner in value)
        if isinstance(value, str):
            texts = self.values if self.looks_at(name) else self._words
            return value in texts or self.in_text(value)
        if isinstance(value, bool) or value is None or not self.looks_at(name):
            return False
        return value in self._numbers

    def in_text(self, text: str) -> bool:
        """Tell whether a value stands alone in a text."""
        return self.in_bytes(text.encode(errors="replace"))

    def in_bytes(self, data: bytes | mmap) -> bool:
        """Tell whether a value stands alone in the bytes of a text."""
        pattern = self._pattern
        return pattern is not None and pattern.search(data) is not None

    @cached_property
    def _words(self) -> frozenset[str]:
        """The values that are looked for anywhere: a short number is none of them."""
        return frozenset(
            v for v in self.values if not _NUMBER.fullmatch(v) or len(v) >= LONG_NUMBER
        )

    @cached_property
    def _texts(self) -> frozenset[str]:
        """The values that are no numbers."""
        return frozenset(v for v in self.values if not _NUMBER.fullmatch(v))

    @cached_property
    def _numbers(self) -> set[float]:
        return {float(v) for v in self.values if _NUMBER.fullmatch(v)}

    @cached_property
    def _pattern(self) -> re.Pattern[bytes] | None:
        """Return what finds a value as it may be written: plain, in HTML, in JSON, in a URL."""
        spellings = {
            spelling.encode(errors="replace")
            for word in self._words
            for spelling in (
                word,
                html.escape(word),
                json.dumps(word)[1:-1],
                json.dumps(word, ensure_ascii=False)[1:-1],
                quote(word, safe=""),
            )
        }
        if not spellings:
            return None
        either = b"|".join(re.escape(s) for s in sorted(spellings, key=len, reverse=True))
        return re.compile(rb"(?<![\w])(?:" + either + rb")(?![\w])")


def _values_of_type(texts: Iterable[str], kind: pa.DataType) -> list[Any]:
    """Return the texts as values of an Arrow type; those that are none are left out."""
    import pyarrow as pa

    types = pa.types
    readers: list[tuple[Callable[[pa.DataType], bool], Callable[[str], list[Any]]]] = [
        (lambda t: types.is_string(t) or types.is_large_string(t), lambda v: [v, f"k:{v}"]),
        (lambda t: types.is_binary(t) or types.is_large_binary(t), lambda v: [v.encode()]),
        (types.is_integer, lambda v: [int(v)] if _WHOLE.fullmatch(v) else []),
        (types.is_floating, lambda v: [float(v)] if _NUMBER.fullmatch(v) else []),
        (types.is_decimal, lambda v: [Decimal(v)] if _NUMBER.fullmatch(v) else []),
        (types.is_timestamp, lambda v: _moments(v, kind)),
        (types.is_date, lambda v: [m.date() for m in _moments(v, None)]),
    ]
    read = next((read for fits, read in readers if fits(kind)), None)
    if read is None:
        return []
    return [value for text in texts for value in read(text) if _fits(value, kind)]


def _fits(value: Any, kind: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.scalar(value, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return False
    return True


def _moments(text: str, kind: pa.DataType | None) -> list[datetime]:
    if "-" not in text[1:]:  # eight digits are read as a date, and are a key
        return []
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return []
    if kind is not None and kind.tz is None:
        return [moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment]
    return [moment if moment.tzinfo else moment.replace(tzinfo=UTC)]
