"""From a segment's bytes to an Arrow table, and what of them could not be read.

The table has the *stored form*: what the lines say, one row per predicted row (or per label), and
nothing that the header says for all of them. Rotated Parquet holds the same form, so there is one
way from either to the log's table.
"""

from __future__ import annotations

import contextlib
import gc
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from pipelines.classes import class_name
from pipelines.inference_log.format import AnswerRecord, Header, LabelRecord, header_in, payload
from pipelines.tasks import has_named_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

INPUT = "input."
"""Before the name of an input in a table's columns, so that it is never one of ours."""

MOMENT = pa.timestamp("us", tz="UTC")
LINES_AT_ONCE = 4_000
"""Lines that become Python objects at the same time.

Few enough for the processor's cache (50,000 take twice as long).
"""

_VALUES: Final[dict[str, Any]] = {"number": float, "integer": float, "boolean": bool, "string": str}
_ARROW: Final = {
    "number": pa.float64(),
    "integer": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}


@dataclass(frozen=True)
class DecodedSegment:
    """What a segment holds: `rows` are None where its header, and so all of it, could not be
    read.

    `torn` counts a last line that was never finished (0 or 1). `damage` names each line that is not
    what was written, with the segment and the line's byte offset there.
    """

    header: Header | None = None
    rows: pa.Table | None = None
    torn: int = 0
    damage: list[str] = field(default_factory=list)


def decode(name: str, data: bytes, *, is_growing: bool = False) -> DecodedSegment:
    """Return what the bytes of the segment `name` say.

    `is_growing` tells that its writer may be in the middle of a line.
    """
    lines = data.split(b"\n")
    torn = int(bool(lines.pop()) and not is_growing)
    if not lines:
        return DecodedSegment(torn=torn)
    header, header_lines, damaged_lines = header_in(lines)
    problem = (
        "its header is damaged or of a format that is not known"
        if header is None
        else _unfit(header, name)
    )
    if header is None or problem:
        return DecodedSegment(
            torn=torn,
            damage=[
                f"segment {name}, byte 0: {problem}; nothing of its {len(data)} bytes was read"
            ],
        )
    records = Records(header, name)
    records.damage += [_damage(name, 0, "damaged") for _ in damaged_lines]
    place = sum(len(line) + 1 for line in lines[:header_lines])
    with _without_collector():
        for start in range(header_lines, len(lines), LINES_AT_ONCE):
            place = records.add(lines[start : start + LINES_AT_ONCE], place)
    return DecodedSegment(
        header=header,
        rows=together(records.tables) if records.tables else records.empty(),
        torn=torn,
        damage=records.damage,
    )


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Switch Python's collector of cycles off.

    Decoding makes no cycles, and the collector would look at every row again and again (40 % of the
    time).
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _unfit(header: Header, name: str) -> str:
    """Return why the header cannot be this segment's, or "" where it can."""
    if name.split("/")[1:3] != [header.model, header.kind]:
        return f"its header is one of {header.kind} of {header.model!r}"
    unknown = sorted({c.kind for c in header.columns} - set(_VALUES))
    return f"its header has columns of unknown kinds: {', '.join(unknown)}" if unknown else ""


class Records:
    """The records of one segment, decoded some at a time."""

    def __init__(self, header: Header, name: str) -> None:
        """Make the decoder that the header asks for."""
        self.tables: list[pa.Table] = []
        self.damage: list[str] = []
        self._header = header
        self._name = name
        record = _answered_type(header) if header.kind == "predictions" else LabelRecord
        self._decode_one: Callable[[bytes], Any] = msgspec.json.Decoder(record).decode
        records: Any = list[record]  # type: ignore[valid-type]
        self._decode_all: Callable[[bytes], list[Any]] = msgspec.json.Decoder(records).decode

    def add(self, lines: list[bytes], place: int) -> int:
        """Add lines of which the first stands at the byte `place`.

        Return the place after the last.
        """
        payloads = [payload(line) for line in lines]
        places = accumulate((len(line) + 1 for line in lines), initial=place)
        if None in payloads:
            *starts, place = places
            self.damage += [
                _damage(self._name, s, "damaged")
                for s, p in zip(starts, payloads, strict=True)
                if p is None
            ]
            readable = [(s, p) for s, p in zip(starts, payloads, strict=True) if p is not None]
        else:
            readable, place = [], place + sum(map(len, lines)) + len(lines)
        whole = [p for p in payloads if p is not None]
        try:
            records = self._decode_all(b"[" + b",".join(whole) + b"]")
            fine = len(records) == len(whole) and self._fits(records)
        except (msgspec.DecodeError, UnicodeDecodeError):
            fine = False
        if not fine:
            records = self._one_by_one(readable or list(zip(places, whole, strict=False)))
        if records:
            self.tables.append(self._table(records))
        return place

    def _one_by_one(self, payloads: Iterable[tuple[int, bytes]]) -> list[Any]:
        """Return the readable records; note as damage the lines that are none of this segment."""
        records = []
        for place, text in payloads:
            try:
                record = self._decode_one(text)
                problem = (
                    ""
                    if self._fits([record])
                    else "rows, predictions, keys and times differ in number"
                )
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problem = str(error)
            if problem:
                self.damage.append(
                    _damage(self._name, place, f"no record of this segment ({problem})")
                )
            else:
                records.append(record)
        return records

    def _fits(self, records: Sequence[Any]) -> bool:
        """Tell whether each record has as many predictions, keys and event times as rows."""
        if self._header.kind == "labels":
            return True
        counts = _lengths(records, "rows")
        lists = [_lengths(records, "predictions")]
        for optional in ("keys", "event_times"):
            values = map(attrgetter(optional), records)
            lists.append([n if v is None else len(v) for v, n in zip(values, counts, strict=True)])
        return all(lengths == counts for lengths in lists)

    def _table(self, records: Sequence[Any]) -> pa.Table:
        return (
            _predictions(self._header, records)
            if self._header.kind == "predictions"
            else _labels(records)
        )

    def empty(self) -> pa.Table:
        """Return the table of no records."""
        return self._table([])


def _damage(name: str, place: int, what: str) -> str:
    return f"segment {name}, byte {place}: the line there is {what}"


def _answered_type(header: Header) -> type[msgspec.Struct]:
    """Return `AnswerRecord` with the types of this header's rows and predictions.

    Decoding then checks width and kinds.
    """
    kinds = tuple(_VALUES[c.kind] | None for c in header.columns)
    row: Any = tuple[kinds] if kinds else tuple[()]  # type: ignore[valid-type]
    answer: Any = float
    if has_named_classes(header.task):
        answer = tuple[tuple(float for _ in header.classes)]  # type: ignore[misc]
    exact: dict[str, Any] = {"rows": list[row], "predictions": list[answer]}
    fields: list[Any] = [
        (f.name, exact.get(f.name, f.type)) if f.required else (f.name, f.type, f.default)
        for f in msgspec.structs.fields(AnswerRecord)
    ]
    return msgspec.defstruct("AnswerRecord", fields, array_like=True, gc=False)


def _lengths(records: Sequence[Any], name: str) -> list[int]:
    return list(map(len, map(attrgetter(name), records)))


def _flat(records: Sequence[Any], name: str) -> list[Any]:
    return list(chain.from_iterable(map(attrgetter(name), records)))


def _predictions(header: Header, records: Sequence[Any]) -> pa.Table:
    """Return the table of answered requests: one row per predicted row, in their order."""
    counts = np.array(_lengths(records, "rows"), dtype=np.int64)
    total = int(counts.sum())
    request = np.repeat(np.arange(len(records)), counts)
    starts = np.cumsum(counts) - counts

    def each(name: str, kind: pa.DataType) -> pa.Array:
        values = pa.array(list(map(attrgetter(name), records)), kind)
        return (
            values
            if total == len(records) and (counts == 1).all()
            else values.take(pa.array(request))
        )

    keys = chain.from_iterable(
        r.keys if r.keys is not None else repeat(None, len(r.rows)) for r in records
    )
    times = chain.from_iterable(
        r.event_times if r.event_times is not None else repeat(r.at, len(r.rows)) for r in records
    )
    columns = {
        "request_id": each("request_id", pa.string()),
        "row": pa.array((np.arange(total) - starts[request]).astype(np.int32)),
        "at": each("at", MOMENT),
        "key": pa.array(list(keys), pa.string()),
        "event_time": pa.array(list(times), MOMENT),
        "seconds": each("seconds", pa.float64()),
        **_answers(header, _flat(records, "predictions")),
    }
    values = zip(*_flat(records, "rows"), strict=True) if total else repeat((), len(header.columns))
    for column, cells in zip(header.columns, values, strict=True):
        columns[INPUT + column.name] = _values(column.kind, cells)
    return pa.table(columns)


def _answers(header: Header, answers: list[Any]) -> dict[str, pa.Array]:
    if not has_named_classes(header.task):
        return {
            "prediction": pa.array(answers, pa.float64()),
            "probabilities": pa.nulls(len(answers), pa.list_(pa.float64())),
        }
    wide = np.array(answers, dtype=np.float64).reshape(len(answers), len(header.classes))
    best = pa.array(wide.argmax(axis=1)) if len(answers) else pa.array([], pa.int64())
    return {
        "prediction": pa.array(header.classes, pa.string()).take(best),
        "probabilities": pa.array(answers, pa.list_(pa.float64())),
    }


def _values(kind: str, cells: Sequence[Any]) -> pa.Array:
    """Return one input's values.

    A whole number beyond 64 bits, which a caller may send, makes the column one of numbers.
    """
    values = pa.array(cells, _ARROW[kind])
    if kind == "integer":
        with contextlib.suppress(pa.ArrowInvalid):
            return values.cast(pa.int64())
    return values


def _labels(records: Sequence[LabelRecord]) -> pa.Table:
    """Return the table of labels, one row each, in their order.

    Numbers beside texts become texts.
    """
    labels = [r.label for r in records]
    texts = any(isinstance(v, str) for v in labels)
    return pa.table(
        {
            "identity": pa.array([r.identity for r in records], pa.string()),
            "label": pa.array(
                [class_name(v) for v in labels] if texts else labels,
                pa.string() if texts else pa.float64(),
            ),
            "at": pa.array([r.at for r in records], MOMENT),
            "request_id": pa.array([r.request_id for r in records], pa.string()),
        }
    )


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the tables as one. A column that one of them lacks is null there.

    Where two of them hold a column in different types (a release changed it), integers and numbers
    meet as numbers, and anything else as text: nothing is lost, and whoever compares with a schema
    sees that the column has another kind.
    """
    first = tables[0].schema
    if all(t.schema == first for t in tables):
        return pa.concat_tables(tables)
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for column in table.schema:
            types[column.name] = _common(types.get(column.name, column.type), column.type)
    return pa.concat_tables([_with_types(t, types) for t in tables])


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


def _with_types(table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    present = set(table.column_names)
    columns = [
        table[n].cast(kind, safe=False) if n in present else pa.nulls(table.num_rows, kind)
        for n, kind in types.items()
    ]
    return pa.table(columns, schema=pa.schema(list(types.items())))
