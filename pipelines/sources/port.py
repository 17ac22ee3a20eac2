"""What a source promises, and which one a spec asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipelines.spec.sources import FilesSource, HttpSource, PythonSource

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.settings import Settings
    from pipelines.spec import Spec


@dataclass(frozen=True)
class Raw:
    """What a source had for an interval: tables by name, or the problem and the bytes that could not be read.

    Data that cannot be read are not an error of the source: they become a batch that `validate` refuses and quarantines.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    problem: str | None = None
    unread: bytes | None = None


class Source(Protocol):
    """Reads the raw rows of one interval."""

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows. Raises Unreachable where the source is away (a retry may help)."""
        ...


def open_source(spec: Spec, settings: Settings) -> Source:
    """Return the source that the spec names; nothing is read yet."""
    source, folder = spec.source, settings.models / spec.name
    if isinstance(source, FilesSource):
        from pipelines.sources.files import Files

        return Files(source, spec.raw_event_time, settings.home)
    if isinstance(source, HttpSource):
        from pipelines.sources.http import Http

        return Http(source, spec.raw_event_time, _cache(settings))
    if isinstance(source, PythonSource):
        from pipelines.sources.python import Function

        return Function(source, folder)
    from pipelines.sources.sql import Sql

    return Sql(source, spec.raw_event_time)


def _cache(settings: Settings) -> Path:
    return settings.state_dir / "cache" / "http"
