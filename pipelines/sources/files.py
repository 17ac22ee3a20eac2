"""The `files` source: any fsspec URI or glob."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pipelines.errors import BadData
from pipelines.sources.archives import member_of, name_within, unpack
from pipelines.sources.event_times import pick_rows, require_times, with_times
from pipelines.sources.formats import format_of
from pipelines.sources.large_files import (
    can_stream,
    is_large,
    large_parts,
    least_bytes,
)
from pipelines.sources.memory_limit import most_bytes
from pipelines.sources.parsing import File, parse_all, reading_of, together
from pipelines.sources.places import folders_of, read_contents
from pipelines.sources.port import Raw, Stream, UnreadableRows
from pipelines.sources.read_delta import read_delta
from pipelines.sources.stored_files import look_up
from pipelines.sources.urls import display_url
from pipelines.tables import problem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.sources.stored_files import StoredFile
    from pipelines.spec.schema import Column
    from pipelines.spec.sources import FilesSource
    from pipelines.spec.table_options import Format


class Files:
    """Reads the files behind a URI; relative paths count from `home`."""

    def __init__(
        self,
        source: FilesSource,
        event_time: str | None,
        home: Path,
        *,
        most: int | None = None,
        schema: Mapping[str, Column] | None = None,
    ) -> None:
        """Remember where to read, the bytes that all files together may have, and the schema.

        Nothing is opened yet.
        """
        self._source = source
        self._event_time = event_time
        self._home = home
        self._most = most or most_bytes()
        self._reading = reading_of(source, schema, self._most)
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

    def stream(self, interval: Interval, folder: Path) -> Stream | None:
        """Return the interval's rows part by part; None where `read` is the way to read them.

        That is so where the files are small, or cannot be read otherwise than whole. What is not on
        this disk, or compressed, is brought into `folder`.
        """
        uri = self._source.uri.format(start=interval.start, end=interval.end)
        uri = uri if "://" in uri else str(self._home / uri)
        files = look_up(self._source, uri, least_bytes(self._most))
        if files is None or not is_large(files, self._most):
            return None
        if not can_stream(files, self._reading):
            return None
        stored = [file.fetch(folder) for file in files]
        only = stored[0] if len(stored) == 1 else None
        subject = display_url(uri).rsplit("/", 1)[-1]
        try:
            paths = [f.unpack(path, folder) for f, path in zip(files, stored, strict=True)]
            within = None if self._source.per_interval else interval
            named = list(zip(files, paths, strict=True))
            parts = large_parts(named, self._reading, self._event_time, within, subject)
        except BadData as error:
            raise UnreadableRows(problem_of(error), only) from error
        if parts is None:
            return None
        return Stream(self._source.main, parts.schema, _refuse_changes(parts.tables, files, only))

    def _parse(self, uri: str) -> pa.Table:
        subject = display_url(uri).rsplit("/", 1)[-1]
        files: dict[Format, list[File]] = {}
        content: bytes | None = None
        try:
            if self._source.format == "delta":
                return self._with_times(read_delta(uri, subject, self._reading), subject)
            contents = read_contents(uri, self._most)
            size = 0
            for path, name, content in contents:
                within = self._source.member or name_within(content, name)
                data = self._unpack(content, name)
                kind = format_of(within, self._source.format)
                files.setdefault(kind, []).append(File(name, data, folders_of(path, uri)))
                size += len(data)
                _check_size(size, subject, self._most)
            content = contents[0][2] if len(contents) == 1 else None
            tables = [parse_all(f, kind, subject, self._reading) for kind, f in files.items()]
            tables = [self._with_times(table, subject) for table in tables]
            return tables[0] if len(tables) == 1 else together(tables, subject)
        except BadData as error:
            raise _UnreadableFile(problem_of(error), content) from error

    def _with_times(self, table: pa.Table, subject: str) -> pa.Table:
        table = with_times(table, self._event_time, subject, self._source.timezone)
        require_times(table, self._event_time, subject)
        return table

    def _unpack(self, raw: bytes, name: str) -> bytes:
        member = self._source.member
        return member_of(raw, member, name, self._most) if member else unpack(raw, name, self._most)


def _refuse_changes(
    tables: Iterator[pa.Table], files: list[StoredFile], only: Path | None
) -> Iterator[pa.Table]:
    """Yield the tables. Raises Unreachable where a file changed meanwhile."""
    try:
        yield from tables
    except BadData as error:
        for file in files:
            file.refuse_changed()
        raise UnreadableRows(problem_of(error), only) from error
    for file in files:
        file.refuse_changed()


class _UnreadableFile(Exception):
    def __init__(self, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.data = data


def _check_size(size: int, subject: str, most: int) -> None:
    if size > most:
        raise BadData(
            f"The files of {subject} have more than {most} bytes.", remedy="split them by interval."
        )
