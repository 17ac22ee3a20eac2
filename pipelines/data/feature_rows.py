"""From raw batches to rows of features.

The model's `build`, run over a batch with what the lookback reaches before it.

Training, watching and a client with raw rows all come through here, so that their rows are the
same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pipelines import user_code
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
    from collections.abc import Mapping, Sequence
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
    since = batch.interval.start - spec.lookback
    return [
        b for b in plan.batches if b.interval.end > since and b.interval.start < batch.interval.end
    ]


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
            m.interval.name: read_table(store, m.tables[name]) for m in _parts(spec, name, raw)
        }
        tables[name] = _join(spec, name, parts, types)
    return build_rows(
        context.folder, spec, tables, batch.interval, _timeout(context), context.paths
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
    spec, batches = context.spec, intervals_behind(context.spec, interval)
    types = raw_types(context.ports.store, spec, raws, batches)
    tables = {}
    for name in raws[-1].tables:
        parts = {
            b.name: r.tables[name]
            for b, r in _parts(spec, name, list(zip(batches, raws, strict=True)))
        }
        tables[name] = _join(spec, name, parts, types)
    return build_rows(context.folder, spec, tables, interval, _timeout(context), context.paths)


def _timeout(context: Context) -> float:
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

    subject = f"{folder.parent.name}/{folder.name}/features.py"
    since = interval.start - spec.lookback  # nothing before a snapshot
    tables_before = {
        name: _between(table, _time_of(spec, name), since, interval.end)
        for name, table in tables.items()
    }
    columns = spec.built_columns
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
    absent = [c for c in columns if c not in result.column_names]
    if absent:
        pass_on = (
            f"the main table has {ROW_KEY}, which build must pass on; "
            if spec.makes_key and ROW_KEY in absent
            else ""
        )
        raise SpecError(
            f"{subject}: build returned no column {', '.join(absent)}.",
            remedy=f"{pass_on}it returned: {', '.join(result.column_names)}.",
            at=spec.gate.place_of(absent[0]),
        )
    whole = add_series_columns(result.select(columns), spec, subject)
    rows = _between(
        whole.select(spec.feature_columns), spec.event_time, interval.start, interval.end
    )
    _check(rows, spec, subject)
    return sorted_rows(rows, spec.row_order)


def _run(
    code: tuple[Path, Sequence[str]],
    tables: Mapping[str, pa.Table],
    subject: str,
    timeout: float,
    target: Target,
) -> pa.Table:
    """Run `build`, and derive the target from what it returns where the spec says how.

    `code` is its file and the paths of its environment.

    Where it fails and nobody knows the type of some columns, the error says so too.
    """
    import pyarrow as pa

    try:
        derived = (target.column, target.derivation.sql) if target.derivation else None
        path, paths = code
        return user_code.call_build(path, tables, subject, timeout, derived, paths)
    except SpecError as error:
        empty_columns = [
            f"{name}.{f.name}"
            for name, table in tables.items()
            for f in table.schema
            if pa.types.is_null(f.type)
        ]
        if not empty_columns:
            raise
        names = ", ".join(empty_columns[:5])
        hint = (
            f"no batch at hand has a value in {names}, which is therefore taken for a number; try a"
            " batch that has, or cast it."
        )
        raise SpecError(
            error.message, remedy=f"{error.remedy.removesuffix('.')}; {hint}", at=error.at
        ) from error


def _parts(spec: Spec, table: str, batches: list[T]) -> list[T]:
    """Return the batches that a table is put together from.

    Of one that holds at all times the newest is the whole.
    """
    return batches if _time_of(spec, table) else batches[-1:]


def _time_of(spec: Spec, table: str) -> str | None:
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


def _check(rows: pa.Table, spec: Spec, subject: str) -> None:
    """Raise BadData where a built table has no rows, repeated keys or infinite inputs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if rows.num_rows == 0:
        raise BadData(
            f"{subject}: build returned no row of the interval.",
            remedy="check its filters and joins.",
        )
    if rows.group_by(spec.key).aggregate([]).num_rows != rows.num_rows:
        raise BadData(
            f"{subject}: build returned some keys ({', '.join(spec.key)}) more than once.",
            remedy="a join multiplies rows; make it unique.",
        )
    for name in spec.features.inputs:
        column = rows.column(name)
        if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
            raise BadData(
                f"{subject}: the input {name!r} has infinite values.",
                remedy="guard the division or clip it.",
            )
