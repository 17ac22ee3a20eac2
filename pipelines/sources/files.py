"""The `files` source: any fsspec URI or glob."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, Unreachable
from pipelines.sources.port import Raw
from pipelines.sources.reading import content_of, format_of, member_of, parse, picked, shown_url, with_times, without_secrets

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.sources import FilesSource


class Files:
    """Reads the files behind a URI; relative paths count from `home`."""

    def __init__(self, source: FilesSource, event_time: str, home: Path) -> None:
        """Remember where to read; nothing is opened yet."""
        self._source = source
        self._event_time = event_time
        self._home = home
        self._whole = lru_cache(maxsize=1)(self._parsed)

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows: all rows of its own files, or those of its time in files of all times."""
        own = self._source.per_interval
        uri = self._source.uri.format(start=interval.start, end=interval.end)
        try:
            table = self._whole(uri if "://" in uri else str(self._home / uri))
        except _Unparsed as error:
            return Raw(problem=str(error), unread=error.data)
        return Raw({self._source.main: table if own else picked(table, self._event_time, interval)})

    def _parsed(self, uri: str) -> pa.Table:
        import pyarrow as pa

        tables = []
        try:
            files = _bytes_of(uri)
        except BadData as error:
            raise _Unparsed(error.message, None) from error
        for name, data in files:
            try:
                data_of = member_of(data, self._source.member, name) if self._source.member else data
                tables.append(
                    with_times(parse(data_of, format_of(self._source.member or name, self._source.format), name), self._event_time)
                )
            except BadData as error:
                raise _Unparsed(error.message, data) from error
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise _Unparsed(f"The files of {shown_url(uri)} do not fit together: {error}.", None) from error


class _Unparsed(Exception):
    def __init__(self, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.data = data


def _bytes_of(uri: str) -> list[tuple[str, bytes]]:
    """Return name and (decompressed) content of every file behind the URI, sorted by name."""
    import fsspec

    shown = shown_url(uri)
    try:
        files = fsspec.open_files(uri, mode="rb", compression=None if ".zip" in uri else "infer")
        found = sorted(files, key=lambda f: f.path)
        if not found:
            raise Unreachable(f"No file matches {shown}.", remedy="check `source.uri`; for a batch that is still to come, wait.")
        return [_named_content(f) for f in found]
    except (OSError, ImportError, ValueError) as error:
        why = f"{type(error).__name__}: {without_secrets(str(error), uri)}"
        # Without the cause: a library's message may hold the URL with its password or its signature.
        raise Unreachable(f"{shown} cannot be read: {why}.", remedy="check `source.uri` and the access to it.") from None


def _named_content(file: Any) -> tuple[str, bytes]:
    name = shown_url(file.path).rsplit("/", 1)[-1]
    with file as opened:
        return name, content_of(opened, name)
