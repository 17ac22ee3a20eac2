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
from pipelines.errors import BadData, RequestError
from pipelines.intervals import SNAPSHOT, Moment, complete_before, containing, iso, preceding
from pipelines.refs import Ref, Value, canonical
from pipelines.sources import Raw
from pipelines.spec.schema import load_schema
from pipelines.spec.table_options import TableOptions
from pipelines.store.numbered import DIGITS, newest_numbered, publish_next
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
    return in_model_terms(context, source.read(interval), interval)


def in_model_terms(context: Context, raw: Raw, interval: Interval) -> Raw:
    """Return what a source read as `read_source` does."""
    import pyarrow as pa

    spec, schema = context.spec, load_schema(context.folder)
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
    order = [*([spec.raw_event_time] if spec.raw_event_time else []), *spec.key]
    tables = {}
    for name, table in sorted(raw.tables.items()):
        in_order = sorted_rows(table, order) if name == spec.source.main else table
        tables[name] = TableRef(
            data=store.put(to_parquet(in_order), ".parquet"),
            rows=table.num_rows,
            columns=columns_of(table),
        )
    unread = store.put(raw.unread) if raw.unread is not None else None
    if raw.unread_file is not None:
        unread = store.put_file(raw.unread_file)
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


def mark_known(store: Store, model: str, batch: BatchRef, now: datetime) -> None:
    """Remember that a snapshot's version was known at a moment, where no earlier one is marked."""
    store.publish(_mark(model, batch.version), canonical({"known": iso(now)}))


def snapshot_known_by(store: Store, model: str, moment: datetime) -> BatchRef:
    """Return the newest snapshot that was known at a moment.

    Raises RequestError where none was.
    """
    keys = store.keys(_stem(model, SNAPSHOT).rstrip("/"))
    known: dict[int, datetime] = {}
    for key in keys:
        version = int(key.rpartition("/")[2])
        mark = read_entry(store, _mark(model, version), _Known)
        if mark is not None:
            known[version] = mark.known
    versions = [version for version, since in known.items() if since <= moment]
    if not versions:
        first = f"the first one is known since {iso(min(known.values()))}" if known else "none yet"
        raise RequestError(
            f"conf: as_of: no snapshot of {model} was known at {iso(moment)}: {first}.",
            remedy="leave as_of out: the source is read as it is now.",
        )
    version = max(versions)
    key = f"{_stem(model, SNAPSHOT)}{version:0{DIGITS}d}"
    manifest = read_entry(store, key, Ref)
    if manifest is None:
        raise RequestError(f"The store holds no {key} any more.", remedy="leave as_of out.")
    return BatchRef(interval=SNAPSHOT, version=version, manifest=manifest)


class _Known(Value):
    known: Moment


def _mark(model: str, version: int) -> str:
    return f"snapshots/{model}/{version:0{DIGITS}d}"


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

    The batches are those of the `most` intervals that end by the moment; of a snapshot none.
    """
    if spec.is_snapshot:
        return
    timing = spec.timing
    for interval in reversed(complete_before(moment, timing.batch, most, timing.first)):
        batch = newest(store, spec.name, interval)
        if batch is not None:
            yield read_manifest(store, batch)


def newest_batches(store: Store, spec: Spec, moment: datetime, most: int) -> Iterator[BatchRef]:
    """Yield the `most` newest batches that the store holds, each in its newest version, the latest
    first: of intervals that end by the moment, and not before the source's `first`.

    Of data without time they are the newest snapshots.
    """
    if spec.is_snapshot:
        yield from newest_snapshots(store, spec.name, most)
        return
    timing = spec.timing
    end = min(moment, timing.until) if timing.until else moment
    interval = preceding(containing(end, timing.batch), timing.batch)
    for _ in range(_LOOKED_FOR):
        if not most or interval.end <= timing.first:
            return
        batch = newest(store, spec.name, interval)
        if batch is not None:
            most -= 1
            yield batch
        interval = preceding(interval, timing.batch)


def newest_snapshots(store: Store, model: str, most: int) -> Iterator[BatchRef]:
    """Yield the `most` newest snapshots of a model, the latest first."""
    keys = store.keys(_stem(model, SNAPSHOT).rstrip("/"))
    for key in reversed(keys[-most:]):
        manifest = read_entry(store, key, Ref)
        if manifest is not None:
            version = int(key.rpartition("/")[2])
            yield BatchRef(interval=SNAPSHOT, version=version, manifest=manifest)


def read_plan(store: Store, ref: Ref) -> Plan:
    """Return a run's plan, verified."""
    return Plan.model_validate_json(store.get(ref))
