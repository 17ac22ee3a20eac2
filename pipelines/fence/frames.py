"""What parent and child send each other.

One JSON header, then the tables that it names as Arrow streams. Nothing is unpickled.
"""

from __future__ import annotations

import json
import struct
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

LENGTH = struct.Struct(">Q")
TABLES = "tables"
"""The header's field with the names of the tables that follow."""

PROBLEM = "problem"
"""An answer's field for data that cannot be read: a batch's problem, which `validate` judges."""

LAST = "last"
"""An answer's field that says whether the child ends with it."""

LONGEST = 10_000_000
"""Bytes that a header may have."""


class Torn(Exception):
    """The other side has ended, or what it sent is no frame."""


def send(
    pipe: IO[bytes], header: Mapping[str, Any], tables: Mapping[str, pa.Table] | None = None
) -> None:
    """Write one frame. Raises OSError where the other side has ended."""
    whole = tables or {}
    body = json.dumps({**header, TABLES: list(whole)}).encode()
    pipe.write(LENGTH.pack(len(body)) + body)
    for table in whole.values():
        _write(pipe, table)
    pipe.flush()


def _write(pipe: IO[bytes], table: pa.Table) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(pipe, table.schema) as stream:
        stream.write_table(table)


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Read one frame. Raises Torn where there is none."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size or LENGTH.unpack(head)[0] > LONGEST:
        raise Torn
    try:
        header = json.loads(pipe.read(LENGTH.unpack(head)[0]))
        return header, {name: _read(pipe) for name in header[TABLES]}
    except (
        ValueError,
        KeyError,
        TypeError,
        OSError,
    ) as error:  # Arrow's errors are ValueErrors and OSErrors
        raise Torn from error


def _read(pipe: IO[bytes]) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_stream(pipe).read_all()
