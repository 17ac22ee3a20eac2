"""The `files` source: any fsspec URI or glob."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, GiveUp, SpecError, Unreachable
from pipelines.sources.memory_limit import most_bytes
from pipelines.sources.parsing import (
    content_of,
    format_of,
    member_of,
    parse_all,
    pick_rows,
    together,
    unpack,
    with_times,
)
from pipelines.sources.port import Raw
from pipelines.sources.urls import display_url, without_secrets
from pipelines.tables import problem_of

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.sources import FilesSource
    from pipelines.spec.table_options import Format

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe (FIFO)",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


class Files:
    """Reads the files behind a URI; relative paths count from `home`."""

    def __init__(
        self, source: FilesSource, event_time: str | None, home: Path, *, most: int | None = None
    ) -> None:
        """Remember where to read, and the bytes that all files together may have.

        Nothing is opened yet.
        """
        self._source = source
        self._event_time = event_time
        self._home = home
        self._most = most or most_bytes()
        self._whole = lru_cache(maxsize=1)(self._parse)

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows.

        All rows of its own files, or those of its time in files of all times.

        Raises SpecError where the URI names what is no regular file, Unreachable where there is
        nothing to read.
        """
        own = self._source.per_interval
        uri = self._source.uri.format(start=interval.start, end=interval.end)
        try:
            table = self._whole(uri if "://" in uri else str(self._home / uri))
        except _UnreadableFile as error:
            return Raw(problem=str(error), unread=error.data)
        return Raw(
            {self._source.main: table if own else pick_rows(table, self._event_time, interval)}
        )

    def _parse(self, uri: str) -> pa.Table:
        subject = display_url(uri).rsplit("/", 1)[-1]
        files: dict[Format, list[tuple[str, bytes]]] = {}
        content: bytes | None = None
        try:
            contents = _bytes_of(uri, self._most)
            for name, content in contents:
                kind = format_of(self._source.member or name, self._source.format)
                data = self._unpack(content, name)
                files.setdefault(kind, []).append((name, data))
                _check_size(
                    sum(len(d) for several in files.values() for _, d in several),
                    subject,
                    self._most,
                )
            content = contents[0][1] if len(contents) == 1 else None
            tables = [
                with_times(parse_all(f, kind, subject, self._most), self._event_time, subject)
                for kind, f in files.items()
            ]
            return tables[0] if len(tables) == 1 else together(tables, subject)
        except BadData as error:
            raise _UnreadableFile(problem_of(error), content) from error

    def _unpack(self, raw: bytes, name: str) -> bytes:
        member = self._source.member
        return member_of(raw, member, name, self._most) if member else unpack(raw, name, self._most)


class _UnreadableFile(Exception):
    def __init__(self, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.data = data


def _bytes_of(uri: str, most: int) -> list[tuple[str, bytes]]:
    """Return name and content, as it is stored, of every file behind the URI, sorted by name."""
    import fsspec

    subject = display_url(uri)
    try:
        files = sorted(fsspec.open_files(uri, mode="rb", compression=None), key=lambda f: f.path)
        for file in files:
            _check_regular(file)
        contents = [_read_content(f, most) for f in files]
    except GiveUp:
        raise
    # Each of fsspec's file systems has errors of its own; the place alone is their cause.
    except Exception as error:  # noqa: BLE001 -- see above
        why = f"{type(error).__name__}: {without_secrets(str(error), uri)}"
        # Without the cause: a library's message may hold the URL with its password or its
        # signature.

        raise Unreachable(
            f"{subject} cannot be read: {why}.", remedy="check `source.uri` and the access to it."
        ) from None
    if not contents:
        raise Unreachable(
            f"No file matches {subject}.",
            remedy="check `source.uri`; for a batch that is still to come, wait.",
        )
    return contents


def _check_size(size: int, subject: str, most: int) -> None:
    if size > most:
        raise BadData(
            f"The files of {subject} have more than {most} bytes.", remedy="split them by interval."
        )


def _check_regular(file: Any) -> None:
    """Raise SpecError where a local path is there but no regular file.

    Reading it might never end.
    """
    if "file" not in {
        file.fs.protocol,
        *([] if isinstance(file.fs.protocol, str) else file.fs.protocol),
    }:
        return
    try:
        mode = os.stat(file.path).st_mode  # noqa: PTH116 -- fsspec's paths are texts
    except OSError:
        return  # opening it says why
    for is_kind, kind in _KINDS.items():
        if is_kind(mode):
            raise SpecError(
                f"{file.path} is {kind}, no regular file.", remedy="name files in `source.uri`."
            )


def _read_content(file: Any, most: int) -> tuple[str, bytes]:
    name = display_url(file.path).rsplit("/", 1)[-1]
    with file as stream:
        return name, content_of(stream, name, most)
