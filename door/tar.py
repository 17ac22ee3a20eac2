"""Reads a tar strictly.

Plain files and folders, by headers of a fixed length, and long names in at most one short header
more.

`tarfile` reads more than that: headers as long as the archive, sizes below zero, sparse files'
lists, headers of headers without end. Each of them is a way to take the door's memory or its time,
so here none of them has code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from door.rules import Denied

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
EXTENDED_BYTES = 65_536
NAME = 1_024
MEMBERS = 30_000
"""The most files and folders of an archive.

A release has some twenty, the packages that a model requires some ten thousand.
"""

FILE, OLD_FILE, FOLDER, PAX, LONG_NAME = b"0", b"\0", b"5", b"x", b"L"
OCTAL = re.compile(rb" *([0-7]{1,12})[ \0]*")
RECORD = re.compile(rb"([0-9]{1,6}) ([A-Za-z]{1,32})=")
IGNORED = frozenset({b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"comment"})
"""What an extended header may say beside the name, and what the engine is not told."""


@dataclass(frozen=True)
class Member:
    """A file or folder; its data stand in the archive from `start` on."""

    name: str
    folder: bool
    mode: int
    start: int
    size: int


def members(archive: IO[bytes]) -> Iterator[Member]:
    """Yield what the archive holds.

    Raises Denied where it is no plain tar, ends too early or holds too much; UnicodeError.
    """
    length = archive.seek(0, 2)
    position, count = 0, 0
    longer: bytes | None = None
    while any(header := _read(archive, position, BLOCK)):
        size, kind = _size(header), header[156:157]
        start, position = position + BLOCK, position + BLOCK + size + -size % BLOCK
        if position > length:
            raise Denied("The context is torn.")
        if kind in {PAX, LONG_NAME}:
            if longer is not None or not 0 < size <= EXTENDED_BYTES:
                raise Denied(
                    f"The context has an extended header that is empty, beyond {EXTENDED_BYTES}"
                    " bytes, or follows another."
                )
            data = _read(archive, start, size)
            longer = _extended_name(data) if kind == PAX else data.rstrip(b"\0")
            continue
        if kind not in {FILE, OLD_FILE, FOLDER} or (kind == FOLDER and size):
            raise Denied("The context holds what is neither file nor folder.")
        name = (longer or _name(header)).decode("ascii")
        if len(name) > NAME or count >= MEMBERS:
            raise Denied(
                f"The context has a name of more than {NAME} letters, or more than {MEMBERS} files"
                " and folders."
            )
        yield Member(
            name.removesuffix("/") if kind == FOLDER else name,
            kind == FOLDER,
            _octal(header[100:108]) & 0o777,
            start,
            size,
        )
        longer, count = None, count + 1


def _read(archive: IO[bytes], start: int, size: int) -> bytes:
    archive.seek(start)
    data = archive.read(size)
    if len(data) < size:
        raise Denied("The context is torn, or no tar; it must not be compressed.")
    return data


def _size(header: bytes) -> int:
    """Return the size that the header tells, where it is one."""
    if _octal(header[148:156]) != sum(header[:148]) + 8 * ord(" ") + sum(header[156:]):
        raise Denied("The context is no tar; it must not be compressed.")
    return _octal(header[124:136])


def _octal(text: bytes) -> int:
    """Return the number.

    There is another way to write one, which knows numbers below zero; no file here needs it.
    """
    match = OCTAL.fullmatch(text)
    if match is None:
        raise Denied("The context has a number that is none.")
    return int(match[1], 8)


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    return prefix + b"/" + name if header[257:263] == b"ustar\0" and prefix else name


def _extended_name(data: bytes) -> bytes:
    """Return the name that an extended header tells, b"" for none.

    Raises Denied where it tells what changes the member otherwise.
    """
    position, name = 0, b""
    while position < len(data):
        record = RECORD.match(data, position)
        end = position + int(record[1]) if record else 0
        if record is None or not record.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise Denied("The context has an extended header that cannot be read.")
        if record[2] == b"path":
            name = data[record.end() : end - 1]
        elif record[2] not in IGNORED:
            raise Denied(f"The context has an extended header with {record[2].decode()!r}.")
        position = end
    return name
