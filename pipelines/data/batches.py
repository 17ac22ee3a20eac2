"""Batches in the store.

One immutable manifest per version of an interval, the newest version being the one that counts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipelines.columns.contract import hold, in_schema
from pipelines.data.manifests import BatchManifest, BatchRef, Plan, TableRef
from pipelines.errors import BadData
from pipelines.intervals import complete_before
from pipelines.refs import Ref, canonical
from pipelines.sources import Raw
from pipelines.spec.table_options import TableOptions
from pipelines.store.numbered import newest_numbered, publish_next
from pipelines.store.sealing import read_entry
from pipelines.tables import columns_of, from_parquet, problem_of, sorted_rows, to_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.sources import Source
    from pipelines.spec import Spec
    from pipelines.spec.schema import Schema
    from pipelines.store.port import Store


def read_source(
    spec: Spec, source: Source, interval: Interval, schema: Schema | None = None
) -> Raw:
    """Return what the source has of an interval, in the types of the model's schema.

    A file without a byte has no rows, where the spec allows empty batches. Data that do not fit
    the schema are a problem.
    """
    import pyarrow as pa

    raw = source.read(interval)
    if spec.empty_batches == "allow" and raw.problem and raw.unread == b"":
        raw = Raw({spec.source.main: pa.table({})})
    if schema is None or raw.problem:
        return raw
    tables, notices = {}, list(raw.notices)
    try:
        for name, table in raw.tables.items():
            columns, where = schema.tables.get(name), f"{interval.name}: {name}"
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


def read_plan(store: Store, ref: Ref) -> Plan:
    """Return a run's plan, verified."""
    return Plan.model_validate_json(store.get(ref))
