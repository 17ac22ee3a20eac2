"""Whether the bytes of a file hold what is sought, whatever kind of file it is."""

from __future__ import annotations

import bz2
import contextlib
import io
import json
import lzma
import mmap
import sqlite3
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from pipelines.ops.traces.table_program import PARQUET
from pipelines.ops.traces.tables import ARROW, table_holds
from pipelines.store.page_parts import MOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pipelines.ops.traces.sought import Sought

SQLITE, ZIP = b"SQLite format 3\x00", b"PK"
GZIP, XZ = b"\x1f\x8b\x08", b"\xfd7zXZ\x00"
BZIP2, ZSTD = b"BZh", b"\x28\xb5\x2f\xfd"
LINES = 1 << 23
"""Bytes of a text of any length that are looked at together."""
NESTED = 8
"""So many times over a thing may be packed; what unpacks to itself would never end."""
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a ZIP file's member may be packed: of the others Python unpacks as much as comes at once, and
of a kilobyte of bzip2 a gigabyte may come."""

DAMAGED = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError,
)  # fmt: skip
"""What unpacking raises where something is damaged, encrypted, or no such file."""


def holds(data: bytes, sought: Sequence[Sought], most: int = MOST) -> bool | None:
    """Tell whether a file's bytes hold any of it.

    Tables are compared by type, JSON by its values, what is packed is unpacked; all else is a text.
    What cannot be read as what it seems to be is looked at as a text.

    None where it is packed and was not looked at whole, because more than `most` bytes (and more
    than it has itself) would come of it, or because it is packed more than NESTED times over, or
    in a way of which nobody can unpack a part (BOUNDED): of a megabyte, which a source may have
    delivered, seven gigabytes may come. None too where a part is damaged or encrypted, and of a
    Parquet or Arrow file of which so much would be in memory at a time.
    """
    try:
        return _Unpacking(sought, max(most, len(data))).holds(data)
    except _UnseenError:
        return True if any(s.in_bytes(data) for s in sought) else None


class _UnseenError(Exception):
    """A part of what is packed was not looked at: too much comes of it, or it is damaged."""


class _Unpacking:
    """A look at one thing, and how many bytes may still be unpacked of it, all parts together."""

    def __init__(self, sought: Sequence[Sought], left: int) -> None:
        self._sought = sought
        self._most = left
        self._left = left

    def holds(self, data: bytes, deep: int = 0) -> bool:
        """Tell whether bytes, packed in `deep` others, hold it. Raises _UnseenError."""
        sought = self._sought
        if data.startswith((PARQUET, ARROW)):
            found = table_holds(data, sought, self._most)
            if found is None and not any(s.in_bytes(data) for s in sought):
                raise _UnseenError
            return found is not False
        if parts := self._parts(data):
            if deep == NESTED:
                raise _UnseenError
            with contextlib.suppress(*DAMAGED):
                return any(self.holds(part, deep + 1) for part in parts)
        if data[:1] in {b"{", b"["} and (found := _json_holds(data, sought)) is not None:
            return found
        return any(s.in_bytes(data) for s in sought)

    def _parts(self, data: bytes) -> Iterator[bytes] | None:
        """Return what is packed in the bytes, unpacked one by one; None where nothing is."""
        if data.startswith(ZIP):
            return self._members(data)
        if data.startswith(GZIP):
            return self._stream(data, lambda: zlib.decompressobj(wbits=31))
        if data.startswith(XZ):
            return self._stream(data, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST))
        if data.startswith(BZIP2) and data[4:10] == b"1AY&SY":
            return self._stream(data, bz2.BZ2Decompressor)
        if data.startswith(ZSTD):
            return self._by_arrow(data)
        return None

    def _by_arrow(self, data: bytes) -> Iterator[bytes]:
        import pyarrow as pa

        try:
            with pa.input_stream(pa.BufferReader(data), compression="zstd") as file:
                yield self._count(file.read(self._left + 1))
        except DAMAGED:
            raise _UnseenError from None

    def _members(self, data: bytes) -> Iterator[bytes]:
        is_whole = True
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                part = None
                if member.compress_type in BOUNDED:
                    with contextlib.suppress(*DAMAGED), archive.open(member) as file:
                        part = file.read(self._left + 1)
                if part is None:
                    is_whole = False
                else:
                    yield self._count(part)
        if not is_whole:
            raise _UnseenError

    def _stream(self, data: bytes, start: Callable[[], Any]) -> Iterator[bytes]:
        """Yield the one text that is packed, perhaps in several pieces one after the other."""
        pieces: list[bytes] = []
        while data:
            unpacking = start()
            try:
                pieces.append(self._count(unpacking.decompress(data, self._left + 1)))
            except DAMAGED:
                raise _UnseenError from None
            if not unpacking.eof:
                raise _UnseenError
            data = unpacking.unused_data.lstrip(b"\0")
        yield b"".join(pieces)

    def _count(self, part: bytes) -> bytes:
        self._left -= len(part)
        if self._left < 0:
            raise _UnseenError
        return part


def lines_hold(file: IO[bytes], sought: Sequence[Sought]) -> bool:
    """Tell whether a text of lines holds any of it: some of them are in memory at a time."""
    rest = b""
    while block := file.read(LINES):
        lines, end, rest = (rest + block).rpartition(b"\n")
        if any(s.in_bytes(lines + end) for s in sought):
            return True
    return any(s.in_bytes(rest) for s in sought)


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


def database_holds(path: Path, sought: Sequence[Sought], *, is_copy: bool = False) -> bool:
    """Tell whether an SQLite file holds any of it: in a cell, or as text anywhere, so that what
    was deleted and not overwritten is found too.

    A copy, which nobody else shortens meanwhile, need not fit into memory.
    """
    if _text_holds(path, sought, is_copy=is_copy):
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


def _text_holds(path: Path, sought: Sequence[Sought], *, is_copy: bool) -> bool:
    if not is_copy or not path.stat().st_size:
        data = path.read_bytes()
        return any(s.in_bytes(data) for s in sought)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return any(s.in_bytes(mapped) for s in sought)


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
