"""What a spec may say about where raw rows come from: a union told apart by `kind`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from pipelines.intervals import Moment
from pipelines.refs import Name, Sha256, Value
from pipelines.spec.table_options import TableOptions, Zone
from pipelines.spec.units import Duration

_TRIAL = datetime(2024, 1, 1, tzinfo=UTC)
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")
"""A parameter as SQLAlchemy reads it: `::date` is a cast, `\\:x` a literal colon."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class SourceBase(Value):
    """What every source says: since when there are data, until when (of a closed data set), and its
    tables.

    `main` names the table of events; `side` names further tables with the column that says when a
    row was known, or null for tables whose rows hold at all times. `event_time` names the raw
    column by which a row belongs to an interval, where that is not the spec's `event_time` (which
    `build` may make more precise).
    """

    first: Moment | None = None
    """Since when there are data; of data without time (see `event_time` of the spec) left out."""
    until: Moment | None = None
    """When a closed data set ends; without it more rows come."""
    event_time: Identifier | None = None
    """The raw column of the event time, where `build` makes a finer one."""
    main: Identifier = "events"
    """The name of the table of events, as `build` sees it."""
    timezone: Zone = "UTC"
    """The zone of times that are written without one."""
    timeout: Duration | None = None
    """How long the read of one interval may take.

    Default: the setting PERENNIAL_SOURCE_TIMEOUT_SECONDS.
    """
    side: dict[Identifier, Identifier | None] = Field(default_factory=dict)
    """Further tables of a `python` source: the column that says when a row was known, or null."""

    @model_validator(mode="after")
    def _check_order(self) -> SourceBase:
        if self.until is not None and self.first is not None and self.until <= self.first:
            msg = "`until` must lie after `first`"
            raise ValueError(msg)
        if self.main in self.side:
            msg = f"`side` must not name the main table {self.main!r} again"
            raise ValueError(msg)
        names = [self.main, *self.side]
        if len({name.lower() for name in names}) < len(names):
            msg = f"the names of the tables must differ in more than case: {', '.join(names)}"
            raise ValueError(msg)
        if self.timeout is not None and not self.timeout:
            msg = "`timeout` must be longer than nothing"
            raise ValueError(msg)
        return self


class OneTable(SourceBase):
    """A source that yields the table of events only."""

    @model_validator(mode="after")
    def _no_side(self) -> OneTable:
        if self.side:
            msg = "only a `python` source can return side tables"
            raise ValueError(msg)
        return self


class FilesSource(OneTable, TableOptions):
    """Files behind any fsspec URI or glob.

    With `{start:…}` or `{end:…}` in the URI (strftime inside) each interval has files of its own,
    and all rows in them must belong to it; without, the interval's rows are picked out by event
    time. A literal brace is written twice.
    """

    kind: Literal["files"]
    """Files."""
    uri: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """A path (from the home folder), a pattern, or a URI such as s3://bucket/*.parquet."""
    member: str | None = None
    """The file within a zip archive, where there are several."""

    @field_validator("uri")
    @classmethod
    def _placeholders(cls, uri: str) -> str:
        for name, spec in _placeholders_of(uri):
            if name not in {"start", "end"}:
                msg = (
                    f"unknown placeholder {{{name}}}; only {{start:…}} and {{end:…}} are filled in,"
                    " and a literal brace is written twice"
                )
                raise ValueError(msg)
            # strftime leaves directives that it does not know as they are.
            if "{" in spec or "%" in format(_TRIAL, spec.replace("%%", "")):
                msg = (
                    f"{{{name}:{spec}}} has no readable format; write strftime's directives, such"
                    " as {start:%Y-%m-%d}"
                )
                raise ValueError(msg)
        return uri

    @property
    def per_interval(self) -> bool:
        """Whether each interval has files of its own."""
        return bool(_placeholders_of(self.uri))


def _placeholders_of(uri: str) -> list[tuple[str, str]]:
    """Return name and format of each placeholder.

    ValueError where the braces do not fit together.
    """
    try:
        parts = list(Formatter().parse(uri))
    except ValueError as error:
        msg = (
            f"the braces do not fit together ({error}); write {{start:%Y-%m-%d}}, and a literal"
            " brace twice"
        )
        raise ValueError(msg) from error
    return [
        (name + (f"!{conversion}" if conversion else ""), spec or "")
        for _, name, spec, conversion in parts
        if name is not None
    ]


class HttpSource(OneTable, TableOptions):
    """One download with a known SHA-256, kept in a cache; of a zip archive, one member."""

    kind: Literal["http"]
    """A download."""
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=1024)]
    """Where it is."""
    sha256: Sha256
    """The SHA-256 of the download."""
    member: str | None = None
    """The file within a zip archive, where there are several."""
    member_sha256: Sha256 | None = None
    """The SHA-256 of that file: with it in the cache, no download is needed."""

    @model_validator(mode="after")
    def _member(self) -> HttpSource:
        if self.member_sha256 is not None and self.member is None:
            msg = "`member_sha256` needs `member`, the name of the file inside the archive"
            raise ValueError(msg)
        return self


class SqlSource(OneTable):
    """A query; with an event time it binds :start and :end, so that one interval is read.

    The setting PERENNIAL_SQL_<database> holds the SQLAlchemy URL of its database.
    """

    kind: Literal["sql"]
    """A query."""
    database: Name
    """PERENNIAL_SQL_<DATABASE> holds the URL."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    """A SELECT that binds :start and :end; without an event time, neither."""

    @field_validator("query")
    @classmethod
    def _check_parameters(cls, query: str) -> str:
        strangers = sorted(_parameters_of(query) - {"start", "end"})
        if strangers:
            msg = (
                f"unknown parameter :{strangers[0]}; only :start and :end are bound, and a literal"
                r" colon is written \: (in double quotes \\:)"
            )
            raise ValueError(msg)
        return query

    @property
    def parameters(self) -> frozenset[str]:
        """Which of `start` and `end` the query binds."""
        return _parameters_of(self.query)

    @property
    def binds_interval(self) -> bool:
        """Whether the query reads one interval."""
        return self.parameters == {"start", "end"}


def _parameters_of(query: str) -> frozenset[str]:
    return frozenset(_PARAMETER.findall(query))


class PythonSource(SourceBase):
    """A function `read(start, end)` in the model's `source.py`; `read()` for data without time.

    It returns a table, or a dict of tables by name.
    """

    kind: Literal["python"]
    """The user's own function."""
    function: Identifier = "read"
    """Its name in source.py."""


Source = Annotated[FilesSource | HttpSource | SqlSource | PythonSource, Field(discriminator="kind")]
