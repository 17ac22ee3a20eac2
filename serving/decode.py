"""Decode the body of a prediction request strictly, into rows of values in the order of the model's
input schema.

A struct is made of the schema, so that types, nulls, ranges and unknown fields are checked while
the bytes are read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, NoReturn

import msgspec
from msgspec import UNSET, Meta

from pipelines.bundle.rows import FLOAT32_MAX
from pipelines.inference_log.format import KEY_LIMIT
from serving.body_problems import (
    KEY,
    TIME,
    describe_value,
    explain_json_error,
    quotes_hint,
    row_example,
)
from serving.problems import Problem

if TYPE_CHECKING:
    from pipelines.bundle.schema import Column, InputSchema

_TYPES: dict[str, Any] = {
    "number": Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)],
    "integer": Annotated[
        float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX, multiple_of=1)
    ],  # 3.0 is whole too: clients with nulls send it
    "boolean": bool,
    "string": str,
}
Key = Annotated[str, Meta(min_length=1, max_length=KEY_LIMIT)]
"""A caller's name of a row."""

Time = Annotated[datetime, Meta(tz=True)]
_BESIDE: Final[dict[str, Any]] = {
    "keys": list[Key | None],
    "event_times": list[Time],
    "key": Key,
    "event_time": Time,
}
"""What may stand beside the rows, and beside a row that comes alone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Event times outside are refused: every reader of the log can hold what lies within."""

_NAMED = re.compile(r" - at `\$\.(?P<field>keys?|event_times?)(?:\[(?P<row>\d+)\])?`$")
_PLACE = re.compile(r" - at `\$\.(?:row|rows\[(?P<row>\d+)\])(?:\.(?P<field>.+))?`$", re.DOTALL)
_FIELD = re.compile(
    r"^Object (?P<what>contains unknown|missing required) field `(?P<field>.*?)`(?: - at |$)",
    re.DOTALL,
)


class PredictionRequest(NamedTuple):
    """One request: each row's values in the schema's order, and by row the caller's key and the
    event time, where they were given.

    Event times are microseconds since 1970, UTC.
    """

    rows: list[tuple[Any, ...]]
    keys: list[str | None] | None = None
    event_times: list[int] | None = None


class RequestDecoder:
    """Decodes `{"rows": [{…}, …], "keys": […], "event_times": […]}` or `{"row": {…}, "key": …,
    "event_time": …}` for one schema.
    """

    def __init__(self, schema: InputSchema, max_rows: int) -> None:
        """Make the structs; attributes are numbered, because a column may have any name."""
        self._columns = {c.name: c for c in schema.columns}
        self._example = row_example(schema)
        self._max_rows = max_rows
        fields = [
            (f"f{i}", _TYPES[c.kind] | None if c.nullable else _TYPES[c.kind])
            for i, c in enumerate(schema.columns)
        ]
        names = {f"f{i}": c.name for i, c in enumerate(schema.columns)}
        row: Any = msgspec.defstruct(
            "Row", fields, rename=names, forbid_unknown_fields=True, frozen=True
        )
        parts = {"rows": list[row], "row": row, **_BESIDE}
        body = [(name, kind | msgspec.UnsetType, UNSET) for name, kind in parts.items()]
        self._decode = msgspec.json.Decoder(
            msgspec.defstruct("Body", body, forbid_unknown_fields=True)
        ).decode
        self._texts = sum(c.kind == "string" for c in schema.columns)
        self._null_texts = [
            i for i, c in enumerate(schema.columns) if c.kind == "string" and c.nullable
        ]

    def decode(self, body: bytes) -> PredictionRequest:
        """Return what is asked. Raises Problem (400, 413, 422) naming row and field."""
        try:
            fields: Any = self._decode(body)
        except msgspec.ValidationError as error:
            self._refuse(str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise make_json_problem(error, body) from None
        rows = [msgspec.structs.astuple(row) for row in self._read_rows(fields)]
        request = PredictionRequest(rows, *_keys_and_times(fields, len(rows)))
        if not self._plain(body, request):
            refuse_repeated_keys(body)
        return request

    def _read_rows(self, fields: Any) -> list[Any]:
        if (fields.rows is UNSET) == (fields.row is UNSET):
            one = f'{{"row": {self._example}}}'
            words = (
                f'A body needs "row" or "rows", like {one}.'
                if fields.row is UNSET
                else 'Send either "row" or "rows", not both.'
            )
            raise Problem(422, "invalid_input", words, field="rows")
        rows: list[Any] = [fields.row] if fields.rows is UNSET else fields.rows
        if not rows:
            raise Problem(422, "invalid_input", "Send at least one row.", field="rows")
        if len(rows) > self._max_rows:
            raise Problem(
                413,
                "too_many_rows",
                f"{len(rows)} rows are more than the {self._max_rows} that one request may have.",
            )
        return rows

    def _plain(self, body: bytes, request: PredictionRequest) -> bool:
        """Tell at once, for nearly every body, that no key stands twice.

        There are exactly as many quotes as needed.

        Keys and texts have two quotes each; a repeated key or an escaped quote can only add to
        them.
        """
        rows, keys, times = request
        texts = (
            1
            + len(rows) * (len(self._columns) + self._texts)
            - sum(row[i] is None for i in self._null_texts for row in rows)
        )
        if keys is not None:
            texts += 1 + len(keys) - keys.count(None)
        if times is not None:
            texts += 1 + len(times)
        return body.count(b'"') == 2 * texts

    def _refuse(self, message: str) -> NoReturn:
        """Raise the problem for msgspec's message, in words that name row and field."""
        beside = _NAMED.search(message)
        if beside:
            field, row = beside["field"], int(beside["row"]) if beside["row"] else None
            must = (
                _MUST[field]
                if row is None
                else (
                    f"must be {TIME if field == 'event_times' else f'{KEY}, or null'} for row {row}"
                )
            )
            hint = quotes_hint(message) if field.startswith("key") else ""
            words = f"{field} {must}{describe_value(message)}{hint}."
            raise Problem(422, "invalid_input", words, row=row, field=field)
        place = _PLACE.search(message)
        row = int(place["row"] or 0) if place else None
        key = _FIELD.match(message)
        if key:
            raise Problem(
                422,
                "invalid_input",
                self._wrong_field(key["what"], key["field"], in_row=place is not None),
                row=row,
                field=key["field"],
            )
        column = self._columns.get(place["field"] or "") if place else None
        if column is not None:
            raise Problem(
                422,
                "invalid_input",
                f"{column.name} {_requirement(column, message)}.",
                row=row,
                field=column.name,
            )
        if place is not None:
            raise Problem(
                422,
                "invalid_input",
                f"A row must be an object like {self._example}{describe_value(message)}.",
                row=row,
                field="row",
            )
        if message.endswith(" - at `$.rows`"):
            raise Problem(
                422,
                "invalid_input",
                f"rows must be a list of rows, each like {self._example}{describe_value(message)}.",
                field="rows",
            )
        raise Problem(
            422,
            "invalid_input",
            f'The body must be an object like {{"row": {self._example}}}{describe_value(message)}.',
        )

    def _wrong_field(self, requirement: str, field: str, *, in_row: bool) -> str:
        """Return in words that a field is missing, or that there is none of this name in a row or
        in the body.
        """
        if requirement == "missing required":
            return f"The field {field} is missing."
        if in_row:
            return f"The field {field} is no input of this model."
        if field in self._columns:
            return f'The field {field} belongs into a row, like {{"row": {self._example}}}.'
        return (
            f'The field {field} is no part of a body, which is like {{"row": {self._example}}} or'
            ' {"rows": [ … ]}.'
        )


_KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "a text",
}


def _requirement(column: Column, message: str) -> str:
    if "multiple of" in message:
        return "must be a whole number"
    if "out of range" in message or "<=" in message or ">=" in message:
        return f"must be finite and within ±{FLOAT32_MAX:.7g}"
    or_null = " or null" if column.nullable else ""
    return f"must be {_KINDS[column.kind]}{or_null}{describe_value(message)}"


_MUST = {
    "keys": f"must be a list with {KEY}, or null, for each row",
    "key": f"must be {KEY}",
    "event_times": f"must be a list with {TIME} for each row",
    "event_time": f"must be {TIME}",
}


def _keys_and_times(fields: Any, count: int) -> tuple[list[str | None] | None, list[int] | None]:
    """Return the keys and the event times of `count` rows, None for what was not given.

    Raises Problem 422 naming the field.
    """
    if fields.rows is UNSET:
        unfit = (
            "keys"
            if fields.keys is not UNSET
            else "event_times"
            if fields.event_times is not UNSET
            else ""
        )
        keys, times = (
            ([fields.key] if fields.key is not UNSET else UNSET),
            ([fields.event_time] if fields.event_time is not UNSET else UNSET),
        )
    else:
        unfit = (
            "key"
            if fields.key is not UNSET
            else "event_time"
            if fields.event_time is not UNSET
            else ""
        )
        keys, times = fields.keys, fields.event_times
    if unfit:
        words = 'belongs beside "rows"' if unfit.endswith("s") else 'belongs beside "row"'
        raise Problem(422, "invalid_input", f"The field {unfit} {words}.", field=unfit)
    for name, values in (("keys", keys), ("event_times", times)):
        if values is not UNSET and len(values) != count:
            raise Problem(
                422,
                "invalid_input",
                f"There are {len(values)} {name} and {count} rows.",
                field=name,
            )
    return (None if keys is UNSET else keys), (
        None if times is UNSET else _microseconds(times, alone=fields.rows is UNSET)
    )


def _microseconds(times: list[datetime], *, alone: bool) -> list[int]:
    for row, moment in enumerate(times):
        if not EARLIEST <= moment < LATEST:
            field = "event_time" if alone else "event_times"
            raise Problem(
                422,
                "invalid_input",
                f"{field} {_MUST[field]}.",
                row=None if alone else row,
                field=field,
            )
    return [to_microseconds(moment) for moment in times]


def to_microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def make_json_problem(error: Exception, body: bytes | None = None) -> Problem:
    """Return the problem 400 for what a decoder said of a body that is no JSON, or of a part of
    one.
    """
    return Problem(400, "bad_json", explain_json_error(error, body))


def refuse_repeated_keys(body: bytes) -> None:
    """Raise Problem 422 where a key stands twice in an object of the body, Problem 400 where a part
    that was left undecoded is no JSON.
    """

    def refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
        twice = next(
            (name for name, count in Counter(name for name, _ in pairs).items() if count > 1), None
        )
        if twice is not None:
            raise Problem(422, "invalid_input", f"The field {twice} stands twice.", field=twice)

    try:
        json.loads(body, object_pairs_hook=refuse_repeated, parse_int=str, parse_float=str)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise make_json_problem(error, body) from None
