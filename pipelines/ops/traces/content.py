"""Whether the bytes of a file hold what is sought, whatever kind of file it is."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import lzma
import sqlite3
import zipfile
import zlib
from typing import TYPE_CHECKING

from pipelines.store.page_parts import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipelines.ops.traces.sought import Sought

PARQUET, ARROW, SQLITE, ZIP, GZIP = b"PAR1", b"ARROW1", b"SQLite format 3\x00", b"PK", b"\x1f\x8b"
XZ = b"\xfd7zXZ\x00"


def holds(data: bytes, sought: Sequence[Sought]) -> bool:
    """Tell whether a file's bytes hold any of it.

    Tables are compared by type, JSON by its values, what is packed is unpacked; all else is a text.
    What cannot be read as what it seems to be is looked at as a text.
    """
    if data.startswith(PARQUET):
        with contextlib.suppress(Exception):  # whatever a damaged file makes Arrow raise
            return _parquet_holds(data, sought)
    if data.startswith(ARROW):
        with contextlib.suppress(Exception):
            return _arrow_holds(data, sought)
    if data.startswith(ZIP):
        with contextlib.suppress(zipfile.BadZipFile, zlib.error, RuntimeError, ValueError):
            return any(holds(part, sought) for part in _members(data))
    if data.startswith((GZIP, XZ)):
        unpack = gzip.decompress if data.startswith(GZIP) else _unpack_xz
        with contextlib.suppress(OSError, EOFError, zlib.error, lzma.LZMAError):
            return holds(unpack(data), sought)
    if data[:1] in {b"{", b"["} and (found := _json_holds(data, sought)) is not None:
        return found
    return any(s.in_bytes(data) for s in sought)


def _unpack_xz(data: bytes) -> bytes:
    """Return what is packed. Raises LZMAError where it is more than any page has: of a megabyte of
    xz, which a source may have delivered, seven gigabytes may come.
    """
    parts: list[bytes] = []
    rest = data
    while rest:
        unpacking = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        parts.append(unpacking.decompress(rest, MOST - sum(len(part) for part in parts)))
        if not unpacking.eof:
            raise lzma.LZMAError("it is cut off, or too large")
        rest = unpacking.unused_data
    return b"".join(parts)


def _json_holds(data: bytes, sought: Sequence[Sought]) -> bool | None:
    """Tell whether JSON, or lines of which each may be JSON as in a log, hold what is sought; None
    where only the text can tell.
    """
    for part in (data, *data.splitlines()):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(part)
            if any(s.in_json(value) for s in sought):
                return True
            if part is data:
                return False
    return None


def _parquet_holds(data: bytes, sought: Sequence[Sought]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    return any(
        _table_holds(pa.Table.from_batches([batch]), sought) for batch in file.iter_batches()
    )


def _arrow_holds(data: bytes, sought: Sequence[Sought]) -> bool:
    import pyarrow as pa

    return _table_holds(pa.ipc.open_file(pa.BufferReader(data)).read_all(), sought)


def _table_holds(table: object, sought: Sequence[Sought]) -> bool:
    import pyarrow.compute as pc

    for one in sought:
        mask = one.rows(table)
        if mask is not None and pc.any(mask).as_py():
            return True
    return False


def _members(data: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            yield archive.read(name)


def database_holds(path: Path, sought: Sequence[Sought]) -> bool:
    """Tell whether an SQLite file holds any of it: in a cell, or as text anywhere, so that what
    was deleted and not overwritten is found too.
    """
    if any(s.in_bytes(path.read_bytes()) for s in sought):
        return True
    uri = f"file:{path.resolve().as_posix().replace('%', '%25').replace('?', '%3f')}?mode=ro"
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(uri, uri=True)) as db,
    ):
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return any(_cells_hold(db, name, sought) for name in names)
    return False


def _cells_hold(db: sqlite3.Connection, table: str, sought: Sequence[Sought]) -> bool:
    """Tell whether a cell of a table equals a value; names are quoted, values are parameters."""
    columns = [row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    for column in columns:
        for one in sought:
            if not one.looks_at(column):
                continue
            for value in (*one.values, *(f"k:{value}" for value in one.values)):
                place = f"{_quote(table)} WHERE {_quote(column)} = ?"
                query = f"SELECT 1 FROM {place} LIMIT 1"  # noqa: S608 -- quoted
                if db.execute(query, (value,)).fetchone():
                    return True
    return False


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
