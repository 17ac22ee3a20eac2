"""Batches in the store.

One immutable manifest per version of an interval, the newest version being the one that counts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pipelines.columns.contract import hold, in_schema
from pipelines.data.manifests import BatchManifest, BatchRef, Plan, TableRef
from pipelines.data.row_keys import with_row_key
from pipelines.errors import BadData
from pipelines.intervals import complete_before, containing, preceding
from pipelines.refs import Ref, canonical
from pipelines.sources import Raw
from pipelines.spec.schema import load_schema
from pipelines.spec.table_options import TableOptions
from pipelines.store.numbered import newest_numbered, publish_next
from pipelines.store.sealing import read_entry
from pipelines.tables import columns_of, from_parquet, problem_of, sorted_rows, to_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.sources import Source
    from pipelines.spec import Spec
    from pipelines.spec.schema import Schema
    from pipelines.store.port import Store

_LOOKED_FOR = 20_000
"""Intervals that are looked for at most: two years of hours."""


def read_source(context: Context, source: Source, interval: Interval) -> Raw:
    """Return what the source has of an interval: in the types of the model's schema, and with the
    rows' key where the spec has it made.

    A file without a byte has no rows, where the spec allows empty batches. Data that do not fit
    the schema are a problem.
    """
    import pyarrow as pa

    spec, schema = context.spec, load_schema(context.folder)
    raw = source.read(interval)
    if spec.empty_batches == "allow" and raw.problem and raw.unread == b"":
        return Raw({spec.source.main: pa.table({})})
    if schema is not None and not raw.problem:
        raw = _in_schema(spec, raw, schema, interval.name)
    main = raw.tables.get(spec.source.main)
    if spec.makes_key and main is not None:
        subject = f"The table {spec.source.main!r}"
        return replace(raw, tables={**raw.tables, spec.source.main: with_row_key(main, subject)})
    return raw


def _in_schema(spec: Spec, raw: Raw, schema: Schema, batch: str) -> Raw:
    """Return the tables as the schema states them, or the problem of what does not fit."""
    tables, notices = {}, list(raw.notices)
    try:
        for name, table in raw.tables.items():
            columns, where = schema.tables.get(name), f"{batch}: {name}"
            if columns is None:
                notices.append(f"{where}: schema.yaml does not know this table")
                tables[name] = table
                continue
            place = partial("{0}, row {1}".format, where)
            typed = in_schema(table, columns, TableOptions(), spec.source.timezone, place)
            tables[name], sentences = hold(typed, columns, where)
            notices += sentences
    except BadData as error:
        return Raw(problem=problem_of(error))
    return Raw(tables, notices=notices)


def manifest_of(store: Store, spec: Spec, interval: Interval, raw: Raw) -> BatchManifest:
    """Store the raw tables and return the batch's manifest.

    The same rows in any order give the same one.
    """
    order = [spec.raw_event_time, *spec.key]
    tables = {}
    for name, table in sorted(raw.tables.items()):
        in_order = sorted_rows(table, order) if name == spec.source.main else table
        tables[name] = TableRef(
            data=store.put(to_parquet(in_order), ".parquet"),
            rows=table.num_rows,
            columns=columns_of(table),
        )
    unread = store.put(raw.unread) if raw.unread is not None else None
    return BatchManifest(
        model=spec.name,
        interval=interval,
        tables=tables,
        problem=raw.problem,
        raw=unread,
        notices=list(raw.notices),
    )


def newest(store: Store, model: str, interval: Interval) -> BatchRef | None:
    """Return the newest version of an interval's batch, or None before the first."""
    entry = newest_numbered(store, _stem(model, interval))
    manifest = read_entry(store, entry.key, Ref) if entry is not None else None
    if entry is None or manifest is None:
        return None
    return BatchRef(interval=interval, version=entry.number, manifest=manifest)


def publish(store: Store, manifest: BatchManifest) -> tuple[BatchRef, bool]:
    """Make the manifest its interval's newest version unless it is so already.

    Tell whether something was written.

    Two writers at once: versions are first come, first served, and neither is lost.
    """
    ref = store.put(canonical(manifest), ".json")
    newest(store, manifest.model, manifest.interval)  # Corrupted: no version follows a damaged one
    entry = publish_next(store, _stem(manifest.model, manifest.interval), canonical(ref))
    batch = BatchRef(interval=manifest.interval, version=entry.number, manifest=ref)
    return batch, entry.is_new


def _stem(model: str, interval: Interval) -> str:
    return f"batches/{model}/{interval.name}/"


def read_manifest(store: Store, batch: BatchRef) -> BatchManifest:
    """Return a batch's manifest, verified."""
    return BatchManifest.model_validate_json(store.get(batch.manifest))


def read_table(store: Store, table: TableRef, columns: list[str] | None = None) -> pa.Table:
    """Return a table's rows, verified; some of its columns where they are named."""
    return from_parquet(store.get(table.data), columns)


def manifests_before(
    store: Store, spec: Spec, moment: datetime, most: int
) -> Iterator[BatchManifest]:
    """Yield the newest manifest of each earlier batch, the latest first.

    The batches are those of the `most` intervals that end by the moment.
    """
    for interval in reversed(complete_before(moment, spec.batch, most, spec.source.first)):
        batch = newest(store, spec.name, interval)
        if batch is not None:
            yield read_manifest(store, batch)


def newest_manifests(
    store: Store, spec: Spec, moment: datetime, most: int
) -> Iterator[BatchManifest]:
    """Yield the newest manifest of each of the `most` newest batches that the store holds, the
    latest first: of intervals that end by the moment, and not before the source's `first`.
    """
    end = min(moment, spec.source.until) if spec.source.until else moment
    interval = preceding(containing(end, spec.batch), spec.batch)
    for _ in range(_LOOKED_FOR):
        if not most or interval.end <= spec.source.first:
            return
        batch = newest(store, spec.name, interval)
        if batch is not None:
            most -= 1
            yield read_manifest(store, batch)
        interval = preceding(interval, spec.batch)


def read_plan(store: Store, ref: Ref) -> Plan:
    """Return a run's plan, verified."""
    return Plan.model_validate_json(store.get(ref))
