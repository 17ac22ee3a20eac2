"""Decode the body of a prediction request strictly, into rows of values in the order of the model's input schema.

A struct is made of the schema, so that types, nulls, ranges and unknown fields are checked while the bytes are read.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
from msgspec import UNSET, Meta

from pipelines.bundle.rows import FLOAT32_MAX
from serving.problems import Problem

if TYPE_CHECKING:
    from pipelines.bundle.schema import Column, InputSchema

_TYPES: dict[str, Any] = {
    "number": Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)],
    "integer": Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX, multiple_of=1)],  # 3.0 is whole too: clients with nulls send it
    "boolean": bool,
    "string": str,
}
_PLACE = re.compile(r" - at `\$\.(?:row|rows\[(?P<row>\d+)\])(?:\.(?P<field>.+))?`$", re.DOTALL)
_FIELD = re.compile(r"^Object (?P<what>contains unknown|missing required) field `(?P<field>.*?)`(?: - at |$)", re.DOTALL)
_GOT = re.compile(r"got `(\w+)`")


class RequestDecoder:
    """Decodes `{"rows": [{…}, …]}` or `{"row": {…}}` for one schema."""

    def __init__(self, schema: InputSchema, max_rows: int) -> None:
        """Make the structs; attributes are numbered, because a column may have any name."""
        self._columns = {c.name: c for c in schema.columns}
        self._max_rows = max_rows
        fields = [(f"f{i}", _TYPES[c.kind] | None if c.nullable else _TYPES[c.kind]) for i, c in enumerate(schema.columns)]
        names = {f"f{i}": c.name for i, c in enumerate(schema.columns)}
        row: Any = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, frozen=True)
        body = [("rows", list[row] | msgspec.UnsetType, UNSET), ("row", row | msgspec.UnsetType, UNSET)]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Body", body, forbid_unknown_fields=True)).decode
        self._texts = sum(c.kind == "string" for c in schema.columns)
        self._null_texts = [i for i, c in enumerate(schema.columns) if c.kind == "string" and c.nullable]

    def decode(self, body: bytes) -> list[tuple[Any, ...]]:
        """Return the rows' values in the schema's order. Raises Problem (400, 413, 422) naming row and field."""
        try:
            found: Any = self._decode(body)
        except msgspec.ValidationError as error:
            self._refuse(str(error))
        except msgspec.DecodeError as error:
            raise Problem(400, "bad_json", f"The body is no JSON: {error}. NaN and Infinity are no JSON either.") from None
        except UnicodeDecodeError as error:
            raise Problem(400, "bad_json", f"The body is no UTF-8: byte {error.start} of a text.") from None
        except RecursionError:
            raise Problem(400, "bad_json", "The body is nested too deeply.") from None
        rows = [msgspec.structs.astuple(row) for row in self._one_of(found)]
        if not self._plain(body, rows):
            _refuse_repeated_keys(body)
        return rows

    def _one_of(self, found: Any) -> list[Any]:
        if (found.rows is UNSET) == (found.row is UNSET):
            raise Problem(422, "invalid_input", 'Send exactly one of "rows" and "row".', field="rows")
        rows: list[Any] = [found.row] if found.rows is UNSET else found.rows
        if not rows:
            raise Problem(422, "invalid_input", "Send at least one row.", field="rows")
        if len(rows) > self._max_rows:
            raise Problem(413, "too_many_rows", f"{len(rows)} rows are more than the {self._max_rows} that one request may have.")
        return rows

    def _plain(self, body: bytes, rows: list[tuple[Any, ...]]) -> bool:
        """Tell at once, for nearly every body, that no key stands twice: there are exactly as many quotes as needed.

        Keys and texts have two quotes each; a repeated key or an escaped quote can only add to them.
        """
        texts = len(rows) * self._texts - sum(row[i] is None for i in self._null_texts for row in rows)
        return body.count(b'"') == 2 * (1 + len(rows) * len(self._columns) + texts)

    def _refuse(self, message: str) -> NoReturn:
        """Raise the problem for msgspec's message, in words that name row and field."""
        place = _PLACE.search(message)
        row = int(place["row"] or 0) if place else None
        key = _FIELD.match(message)
        if key:
            words = "is missing" if key["what"] == "missing required" else "is no input of this model"
            raise Problem(422, "invalid_input", f"The field {key['field']} {words}.", row=row, field=key["field"])
        column = self._columns.get(place["field"] or "") if place else None
        if column is None:
            raise Problem(422, "invalid_input", f"The body does not have the right form: {message}.", row=row)
        raise Problem(422, "invalid_input", f"{column.name} {_must(column, message)}.", row=row, field=column.name)


def _must(column: Column, message: str) -> str:
    if "multiple of" in message:
        return "must be a whole number"
    if "out of range" in message or "<=" in message or ">=" in message:
        return f"must be finite and within ±{FLOAT32_MAX:.7g}"
    got = _GOT.search(message)
    kind = {"integer": "a whole number"}.get(column.kind, f"a {column.kind}") + (" or null" if column.nullable else "")
    return f"must be {kind}, not {got[1] if got else 'this'}"


def _refuse_repeated_keys(body: bytes) -> None:
    """Raise where a key stands twice; the body is known to have the right form, so this is no deeper than a row."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise Problem(422, "invalid_input", f"The field {twice} stands twice.", field=twice)

    json.loads(body, object_pairs_hook=once, parse_int=str, parse_float=str)
