"""What the process that runs `build` from files to a file is asked: a small value, sent as JSON."""

from __future__ import annotations

from pydantic import Field

from pipelines.intervals import Moment
from pipelines.refs import Value
from pipelines.spark.place import SparkPlace, SparkVersions


class RawTable(Value):
    """One raw table: the Parquet files that it is put together from, in their order.

    `floats` are the columns in which NaN means null. Of a table with a `time` the rows of the
    span alone are seen.
    """

    files: list[str]
    columns: list[str]
    floats: list[str]
    time: str | None


class BuildQuestion(Value):
    """Which rows of features are wanted, and with what.

    The rows whose `event_time` lies in the interval (all where there is none), sorted by `order`,
    with these `columns`; of the raw tables, the rows `since` the lookback's beginning.
    `derived` is as in `run_build`. `memory` in bytes.
    """

    tables: dict[str, RawTable]
    since: Moment
    start: Moment
    end: Moment
    event_time: str | None
    order: list[str]
    columns: list[str]
    inputs: list[str]
    derived: tuple[str, str] | None
    memory: int
    threads: int
    folder: str
    target: str
    any_order: bool
    """Whether to go on, on one thread, where the rows may depend on the order."""
    spark: SparkPlace | None = None
    """The Spark that builds the rows; None: DuckDB does."""


class BuildAnswer(Value):
    """What was built: its rows, the names of all that `build` returned.

    `unfit` says in words why nothing was written, "" where it was. `infinite` names an input with
    infinite values. `one_thread` says why one thread was taken.
    """

    unfit: str = ""
    rows: int = 0
    names: list[str] = Field(default_factory=list)
    infinite: str = ""
    one_thread: str = ""
    spark: SparkVersions | None = None
    may_differ: str = ""
