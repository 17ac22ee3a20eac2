"""From raw batches to rows of features.

The model's `build`, run over a batch with what the lookback reaches before it.

Training, watching and a client with raw rows all come through here, so that their rows are the
same.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines import user_code
from pipelines.building.files import infinite_input
from pipelines.columns.widening import in_types, together
from pipelines.data.batches import read_manifest, read_source, read_table
from pipelines.data.plan_types import plan_types, raw_types
from pipelines.data.series import add_series_columns
from pipelines.errors import BadData, SpecError
from pipelines.intervals import SNAPSHOT, covering, floor
from pipelines.settings import Settings
from pipelines.sources import open_source
from pipelines.spec.facts import ROW_KEY
from pipelines.tables import sorted_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef, Plan
    from pipelines.data.plan_types import PlanTypes
    from pipelines.intervals import Interval
    from pipelines.sources import Raw, Source
    from pipelines.spec import Spec
    from pipelines.spec.target import Target

T = TypeVar("T")

DEFAULT_TIMEOUT: float = Settings.model_fields["user_code_timeout_seconds"].default


def batches_behind(spec: Spec, plan: Plan, batch: BatchRef) -> list[BatchRef]:
    """Return the raw batches that a batch's features are built from.

    Its own, and those within the lookback.
    """
    first = bisect_right(plan.ends, batch.interval.start - spec.lookback)
    return plan.in_order[first : bisect_left(plan.starts, batch.interval.end)]


def build_batch(
    context: Context, plan: Plan, batch: BatchRef, types: PlanTypes | None = None
) -> pa.Table:
    """Return the features of one batch: key, event time, inputs, target.

    Sorted by event time and key.

    `types` are those of the whole plan (see `plan_types`), worked out here where they are not
    given.
    """
    spec, store = context.spec, context.ports.store
    types = types or plan_types(store, spec, plan)
    raw = [read_manifest(store, b) for b in batches_behind(spec, plan, batch)]
    tables = {}
    for name in (spec.source.main, *spec.source.side):
        parts = {
            m.interval.name: read_table(store, m.tables[name]) for m in parts_of(spec, name, raw)
        }
        tables[name] = _join(spec, name, parts, types)
    return build_rows(
        context.folder, spec, tables, batch.interval, build_timeout(context), context.paths
    )


def read_raw(context: Context, interval: Interval, source: Source | None = None) -> list[Raw]:
    """Return what the source has for the interval and the lookback before it, oldest batch first.

    Nothing is kept. The source is opened where none is given.

    With `build_from` this is the way of a client that wants rows to predict. Raises BadData where a
    batch cannot be read.
    """
    spec = context.spec
    source = source or open_source(spec, context.settings, paths=context.paths)
    raws = [read_source(context, source, i) for i in intervals_behind(spec, interval)]
    for raw in raws:
        if raw.problem:
            raise BadData(
                f"The source of {spec.name}: {raw.problem}.",
                remedy="mend the source, or `source` in the spec.",
            )
    return raws


def intervals_behind(spec: Spec, interval: Interval) -> list[Interval]:
    """Return the batches that the interval and the lookback before it touch, oldest first."""
    if spec.is_snapshot:
        return [SNAPSHOT]
    timing = spec.timing
    return covering(
        interval.start - spec.lookback,
        interval.end,
        timing.batch,
        floor(timing.first, timing.batch),
    )


def build_from(context: Context, raws: list[Raw], interval: Interval) -> pa.Table:
    """Return the features of the interval's rows from what `read_raw` returned."""
    tables = tables_of(context, raws, interval)
    return build_rows(
        context.folder, context.spec, tables, interval, build_timeout(context), context.paths
    )


def tables_of(context: Context, raws: list[Raw], interval: Interval) -> dict[str, pa.Table]:
    """Return the raw tables of what `read_raw` returned, each put together."""
    spec, batches = context.spec, intervals_behind(context.spec, interval)
    types = raw_types(context.ports.store, spec, raws, batches)
    tables = {}
    for name in raws[-1].tables:
        parts = {
            b.name: r.tables[name]
            for b, r in parts_of(spec, name, list(zip(batches, raws, strict=True)))
        }
        tables[name] = _join(spec, name, parts, types)
    return tables


def build_timeout(context: Context) -> float:
    """Return the seconds that `build` may take for one batch."""
    return context.spec.features.seconds(context.settings.user_code_timeout_seconds)


def build_rows(
    folder: Path,
    spec: Spec,
    tables: Mapping[str, pa.Table],
    interval: Interval,
    timeout: float = DEFAULT_TIMEOUT,
    paths: Sequence[str] = (),
) -> pa.Table:
    """Return the features of the rows within the interval.

    The raw tables reach back as far as the lookback.

    `build` runs in a process of its own, which is ended after `timeout` seconds; `paths` are those
    of the model's environment (see `Context.paths`).

    This is what a client calls too that has raw rows and wants predictions. Where the spec allows
    empty batches, an interval without raw rows has none here either; its columns but the time
    are of no type. Raises SpecError or BadData naming the column.
    """
    import pyarrow as pa

    subject = subject_of(folder)
    since = interval.start - spec.lookback  # nothing before a snapshot
    tables_before = {
        name: _between(table, time_of(spec, name), since, interval.end)
        for name, table in tables.items()
    }
    if (
        spec.event_time
        and spec.empty_batches == "allow"
        and not _between(
            tables_before[spec.source.main], spec.raw_event_time, interval.start, interval.end
        ).num_rows
    ):
        return in_types(
            pa.table({}),
            dict.fromkeys(spec.feature_columns, pa.null())
            | {spec.event_time: pa.timestamp("us", tz="UTC")},
        )
    result = _run((folder / "features.py", paths), tables_before, subject, timeout, spec.target)
    refuse_absent(result.column_names, spec, subject)
    return rows_of_interval(result.select(spec.built_columns), spec, interval, subject)


def rows_of_interval(built: pa.Table, spec: Spec, interval: Interval, subject: str) -> pa.Table:
    """Return the interval's rows of what `build` returned, with the columns of a series, sorted.

    Raises BadData as `refuse_unusable`.
    """
    whole = add_series_columns(built, spec, subject)
    rows = _between(
        whole.select(spec.feature_columns), spec.event_time, interval.start, interval.end
    )
    refuse_unusable(
        rows.num_rows,
        spec,
        subject,
        repeated=rows.group_by(spec.key).aggregate([]).num_rows != rows.num_rows,
        infinite=infinite_input(rows, spec.features.inputs),
    )
    return sorted_rows(rows, spec.row_order)


def subject_of(folder: Path) -> str:
    """Return how messages name a model's `features.py`."""
    return f"{folder.parent.name}/{folder.name}/features.py"


def refuse_absent(names: Sequence[str], spec: Spec, subject: str) -> None:
    """Raise SpecError where `build`, which returned these columns, left one out."""
    absent = [c for c in spec.built_columns if c not in names]
    if not absent:
        return
    pass_on = (
        f"the main table has {ROW_KEY}, which build must pass on; "
        if spec.makes_key and ROW_KEY in absent
        else ""
    )
    raise SpecError(
        f"{subject}: build returned no column {', '.join(absent)}.",
        remedy=f"{pass_on}it returned: {', '.join(names)}.",
        at=spec.gate.place_of(absent[0]),
    )


def _run(
    code: tuple[Path, Sequence[str]],
    tables: Mapping[str, pa.Table],
    subject: str,
    timeout: float,
    target: Target,
) -> pa.Table:
    """Run `build`, and derive the target from what it returns where the spec says how.

    `code` is its file and the paths of its environment.
    """
    import pyarrow as pa

    empty_columns = [
        f"{name}.{f.name}"
        for name, table in tables.items()
        for f in table.schema
        if pa.types.is_null(f.type)
    ]
    path, paths = code
    with name_empty_columns(empty_columns):
        return user_code.call_build(path, tables, subject, timeout, derived_column(target), paths)


def derived_column(target: Target) -> tuple[str, str] | None:
    """Return the name of a derived target and the SQL that computes it; None of any other."""
    return (target.column, target.derivation.sql) if target.derivation else None


@contextlib.contextmanager
def name_empty_columns(columns: Sequence[str]) -> Iterator[None]:
    """Let an error of `build` name the columns too whose type nobody knows, where there are any."""
    try:
        yield
    except SpecError as error:
        if not columns:
            raise
        hint = (
            f"no batch at hand has a value in {', '.join(columns[:5])}, which is therefore taken"
            " for a number; try a batch that has, or cast it."
        )
        raise SpecError(
            error.message, remedy=f"{error.remedy.removesuffix('.')}; {hint}", at=error.at
        ) from error


def parts_of(spec: Spec, table: str, batches: list[T]) -> list[T]:
    """Return the batches that a table is put together from.

    Of one that holds at all times the newest is the whole.
    """
    return batches if time_of(spec, table) else batches[-1:]


def time_of(spec: Spec, table: str) -> str | None:
    """Return the column of a raw table's times; None of one that holds at all times."""
    return spec.raw_event_time if table == spec.source.main else spec.source.side[table]


def _join(spec: Spec, name: str, parts: Mapping[str, pa.Table], types: PlanTypes) -> pa.Table:
    """Return a raw table put together from its batches.

    Raises BadData naming batch and column where they do not fit.
    """
    typed_parts = {batch: types.read(name, batch, table) for batch, table in parts.items()}
    return together(typed_parts, f"The raw batches of {spec.name}", whole=spec.key)


def _between(table: pa.Table, column: str | None, start: datetime, end: datetime) -> pa.Table:
    """Return the rows whose time lies in [start, end); all rows where there is no time column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None:
        return table
    if not table.num_rows:  # what holds nothing may lack the column, or its type
        return in_types(table, {column: pa.timestamp("us", tz="UTC")})
    if column not in table.column_names or not pa.types.is_timestamp(
        table.schema.field(column).type
    ):
        raise SpecError(
            f"The column {column!r} is missing or holds no times.",
            remedy="check `event_time` and `source` in the spec.",
        )
    kind = table.schema.field(column).type
    low, high = pa.scalar(start, type=kind), pa.scalar(end, type=kind)
    times: Any = table.column(column)
    return table.filter(pc.and_(pc.greater_equal(times, low), pc.less(times, high)))


def refuse_unusable(rows: int, spec: Spec, subject: str, *, repeated: bool, infinite: str) -> None:
    """Raise BadData where a built table has no rows, repeated keys or an infinite input."""
    if rows == 0:
        raise BadData(
            f"{subject}: build returned no row of the interval.",
            remedy="check its filters and joins.",
        )
    if repeated:
        raise BadData(
            f"{subject}: build returned some keys ({', '.join(spec.key)}) more than once.",
            remedy="a join multiplies rows; make it unique.",
        )
    if infinite:
        raise BadData(
            f"{subject}: the input {infinite!r} has infinite values.",
            remedy="guard the division or clip it.",
        )
