"""How a segment of the inference log is written.

A header line, its copy, then one line per answered request or accepted label.

A line is eight hex digits (CRC-32 of the payload), the payload as JSON (which holds no newline),
and a newline. So a torn last line and a damaged byte are both found, and everything else can still
be read; without a header nothing could be, which is why there are two (a segment with one is read
all the same). A segment holds one kind of record of one model, and, for predictions, of one
release: its header says which columns the rows have. Payloads after the header are JSON arrays,
because they are written on the way of every request.

Stored format, version 1. To evolve it: add fields at the end of a record with a default; for
anything else raise FORMAT and let the reader know both.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from pipelines.intervals import iso

FORMAT: Final = 1
CHECKSUM = 8
"""Hex digits before the payload."""

NEWLINE = b"\n"
KEY_LIMIT = 200
"""Characters of a row's key, and of a text label."""


class LoggedColumn(msgspec.Struct, frozen=True, array_like=True):
    """One input as it stands in the log: its name, and its kind as in the bundle's schema.

    "string" where it is hashed.
    """

    name: str
    kind: str


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment's first two lines.

    `columns` name the values of each row in order; columns that are left out are not among them.
    """

    kind: Literal["predictions", "labels"]
    model: str
    version: str = ""
    release: int = 0
    task: str = ""
    columns: tuple[LoggedColumn, ...] = ()
    classes: tuple[str, ...] = ()
    """Of a multiclass model the labels in the order of its probabilities, of quantiles the levels.
    """
    format: int = FORMAT


class AnswerRecord(msgspec.Struct, frozen=True, array_like=True):
    """One answered request.

    `at` is when the request was answered, `event_times` when each row's event is (both microseconds
    since 1970, UTC; without event times a row's event is when it was answered). `keys` are the
    caller's names of the rows, None where it gave none. `predictions` hold one number per row
    (binary: the probability of true; regression: the value), or for multiclass one list of
    probabilities per row in the header's order of classes, for quantiles one of values.
    """

    request_id: str
    at: int
    seconds: float
    """From the request's head to the writing of this line."""
    rows: list[list[Any]]
    predictions: list[Any]
    keys: list[str | None] | None = None
    event_times: list[int] | None = None


class LabelRecord(msgspec.Struct, frozen=True, array_like=True):
    """One accepted label of one row.

    By `identity` (see below), given at `at` (microseconds since 1970, UTC).
    """

    identity: str
    label: float | str
    at: int
    request_id: str
    """Of the feedback request."""


def identity(key: str | None, request_id: str, row: int) -> str:
    """Return the text that identifies a predicted row.

    It is made of the row's key, or without one of its request and its place there.

    Rows of one identity are one event that was asked about several times.
    """
    return f"k:{key}" if key is not None else f"r:{request_id}#{row}"


def key_text(values: list[Any] | tuple[Any, ...]) -> str:
    """Return the key of a row as one text.

    The value of a single key column, else the values joined by `/` (escaped). A time is written in
    UTC as `2013-04-01T00:00:00Z`, with six digits behind the second where it has a fraction; it is
    never escaped.
    """
    texts = [_part(v, alone=len(values) == 1) for v in values]
    return "/".join(texts)


def _part(value: Any, *, alone: bool) -> str:
    if isinstance(value, datetime):
        return iso(value if value.tzinfo else value.replace(tzinfo=UTC))
    return str(value) if alone else quote(str(value), safe="")


def earlier_key_text(values: list[Any] | tuple[Any, ...]) -> str:
    """Return the key of a row as it was written before times had the spelling of `key_text`.

    The log may hold rows from then.
    """
    texts = [str(v) for v in values]
    return texts[0] if len(texts) == 1 else "/".join(quote(t, safe="") for t in texts)


_encode = msgspec.json.Encoder().encode
_header = msgspec.json.Decoder(Header).decode


def entry_key(folder: str, number: int) -> str:
    """Return the key of an entry of the rotated log: they are numbered from 1, without a gap."""
    return f"{folder}/{number:08d}"


def line(record: Header | AnswerRecord | LabelRecord) -> bytes:
    """Return the record as a line."""
    payload = _encode(record)
    return b"%08x%b\n" % (zlib.crc32(payload), payload)


def header_lines(header: Header) -> bytes:
    """Return what a segment begins with: its header as two equal lines."""
    return 2 * line(header)


def payload(text: bytes) -> bytes | None:
    """Return the payload of a line (without its newline), or None where it is damaged."""
    body = text[CHECKSUM:]
    try:
        whole = int(text[:CHECKSUM], 16) == zlib.crc32(body)
    except ValueError:
        return None
    return body if whole and len(text) > CHECKSUM else None


def header_of(text: bytes) -> Header | None:
    """Return the header in a line, or None where it is damaged or of a format that is not known."""
    body = payload(text)
    if body is None:
        return None
    try:
        header = _header(body)
    except msgspec.DecodeError:
        return None
    return header if header.format == FORMAT else None


def header_in(lines: list[bytes]) -> tuple[Header | None, int, list[int]]:
    """Return a segment's header, how many of its first lines it takes, and which are damaged.

    Damaged lines are named by number (0, 1).

    Where the newline between header and copy is damaged, both stand in one line.
    """
    first = header_of(lines[0]) if lines else None
    second = header_of(lines[1]) if len(lines) > 1 else None
    if first is not None:
        return first, 1 + int(second is not None), []
    if second is not None:
        return second, 2, [0]
    half = len(lines[0]) // 2 if lines else 0
    return (header_of(lines[0][:half]), 1, [0]) if lines else (None, 0, [])
