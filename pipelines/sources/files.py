"""The `files` source: any fsspec URI or glob."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pipelines.errors import BadData
from pipelines.sources.archives import member_of, name_within, unpack
from pipelines.sources.event_times import pick_rows, require_times, with_times
from pipelines.sources.formats import format_of
from pipelines.sources.memory_limit import most_bytes
from pipelines.sources.parsing import File, parse_all, reading_of, together
from pipelines.sources.places import folders_of, read_contents
from pipelines.sources.port import Raw
from pipelines.sources.read_delta import read_delta
from pipelines.sources.urls import display_url
from pipelines.tables import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
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


class _UnreadableFile(Exception):
    def __init__(self, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.data = data


def _check_size(size: int, subject: str, most: int) -> None:
    if size > most:
        raise BadData(
            f"The files of {subject} have more than {most} bytes.", remedy="split them by interval."
        )
