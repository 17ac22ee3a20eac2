"""Which reader a spec's source has. A new kind is declared in `pipelines/spec/sources.py` first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import SpecError
from pipelines.spec.sources import FilesSource, HttpSource, PythonSource, SqlSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.settings import Settings
    from pipelines.sources.port import Source
    from pipelines.spec import Spec
    from pipelines.spec.schema import Column


def open_source(
    spec: Spec, settings: Settings, *, with_schema: bool = True, paths: Sequence[str] = ()
) -> Source:
    """Return the source that the spec names; nothing is read yet.

    `paths` are those of the model's environment, for code of its own (see `Context.paths`).
    Each is read in a process of its own, files with the model's schema.yaml where there is one.
    """
    from pipelines.sources.memory_limit import most_memory
    from pipelines.spec.schema import load_schema

    most, own = most_memory(spec.resources, settings.memory), spec.source.timeout
    if isinstance(spec.source, PythonSource):
        from pipelines.sources.python import Function

        timeout = own.total_seconds() if own else settings.user_code_timeout_seconds
        folder = settings.models / spec.name
        return Function(spec.source, folder, timeout, most=most, paths=paths)
    from pipelines.sources.reader_process import ReaderProcess

    schema = load_schema(settings.models / spec.name) if with_schema else None
    return ReaderProcess(
        spec.source,
        spec.raw_event_time,
        settings.home,
        settings.state / "cache" / "http",
        seconds=own.total_seconds() if own else settings.source_timeout_seconds,
        most=most,
        schema=schema.tables.get(spec.source.main) if schema else None,
    )


def open_reader(
    source: FilesSource | HttpSource | SqlSource | PythonSource,
    event_time: str | None,
    home: Path,
    cache: Path,
    limits: tuple[float, int],
    schema: Mapping[str, Column] | None = None,
) -> Source:
    """Return what reads a `files`, `http` or `sql` source within this process.

    `limits`: the seconds that a server may work on one query, and the bytes that a file may unpack
    to. `schema`: the columns of the model's schema.yaml, where there is one.
    """
    seconds, most = limits
    if isinstance(source, FilesSource):
        from pipelines.sources.files import Files

        return Files(source, event_time, home, most=most, schema=schema)
    if isinstance(source, HttpSource):
        from pipelines.sources.http import Http

        return Http(source, event_time, cache, most=most, schema=schema)
    if isinstance(source, SqlSource):
        from pipelines.sources.sql import Sql

        return Sql(source, event_time, seconds=seconds, schema=schema)
    raise SpecError("A `python` source is no business of the reader.")
