"""The rows of a window of served traffic: one for each event, with its label where it has one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.bundle.manifest import BundleManifest
from pipelines.errors import PerennialError, TryAgain
from pipelines.inference_log.format import identity
from pipelines.inference_log.join import Counts, join_labels
from pipelines.inference_log.label_index import Index
from pipelines.inference_log.personal_data import PersonalKey
from pipelines.inference_log.reader import read_log
from pipelines.inference_log.request_labels import names_of
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.inference_log.window_labels import read_labels_of
from pipelines.ledger import Crown
from pipelines.watch.labels import keys_of, source_labels
from pipelines.watch.logged_answers import (
    as_learnt,
    labelled_answers,
    logged_chances,
    logged_inputs,
    logged_predictions,
)
from pipelines.watch.reference import as_moments
from pipelines.watch.sides import Rows
from pipelines.watch.window_rows import WindowRows, build_table

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np

    from pipelines.bundle.load import OpenBundle
    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.inference_log.reader import Log
    from pipelines.intervals import Interval
    from pipelines.refs import Ref
    from pipelines.store.port import Store

    Array = np.ndarray[Any, Any]


def traffic_rows(
    context: Context,
    plan: Plan,
    window: Interval,
    bundle: OpenBundle,
    *,
    known_by: datetime | None = None,
) -> WindowRows:
    """Return the window's answered rows, one per event, with their labels.

    From feedback, else from the model's source, as known by `known_by` (default: its end).

    The log's closed segments are rotated first. Predictions and live performance are the champion's
    own: of rows that another version answered only the inputs count, and those only where all
    versions logged them alike.
    """
    spec, store, schema = context.spec, context.ports.store, bundle.manifest.inputs
    index = RotatedIndex(context.settings, store, spec.name)
    rotate(
        store,
        spec.name,
        catch_up=Index(context.settings, store).prepare_rotation,
        read_rotated=index.read_rotated,
    )
    log = read_log(
        store,
        spec.name,
        since=window.start,
        until=window.end,
        rotated=partial(index.answers, window.start, window.end),
    )
    asks = log.rows.num_rows and spec.has_target
    source = _source_labels(context, plan, schema, log) if asks else None
    # The window's labels alone, whenever they were told: the log may hold years of others
    labels = read_labels_of(
        store, spec.name, log.rows["identity"].unique(), index, partial(names_of, log.rows)
    )
    matches = join_labels(
        log,
        labels,
        source=source,
        known_by=known_by or window.end,
        known_after=spec.target.known_after,
        horizon=spec.horizon,
    )
    version = bundle.manifest.version
    own = matches.rows.filter(pc.equal(matches.rows["version"], version))
    notes = _notes(
        matches.counts, matches.rows.num_rows - own.num_rows, [*log.damage, *labels.damage]
    )
    odd = _find_partial_versions(context, matches.rows, schema, version)
    if odd:
        notes.append(
            f"only the {own.num_rows:,} rows that version {version} answered itself are compared:"
            f" other inputs were logged by {odd}"
        )
    answers = logged_predictions(own, schema)
    chances = logged_chances(own, schema, list(log.classes))
    times = as_moments(own["event_time"])
    return WindowRows(
        window=(
            Rows(
                as_learnt(own, schema),
                answers,
                event_times=times,
                times=times,
                chances=chances,
            )
            if odd
            else Rows(
                logged_inputs(matches.rows, schema),
                answers,
                own.num_rows,
                times,
                as_moments(matches.rows["event_time"]),
                chances,
            )
        ),
        labelled=labelled_answers(own, schema, list(log.classes)),
        counts=matches.counts,
        notes=notes,
    )


def _source_labels(context: Context, plan: Plan, schema: InputSchema, log: Log) -> pa.Table | None:
    """Return what the model's source says of the window's events: `identity` and `label`.

    None where no row could be found again.
    """
    spec = context.spec
    if (
        not spec.has_target
        or schema.key_personal == "drop"
        or log.rows["key"].null_count == log.rows.num_rows
    ):
        return None
    table = build_table(context, plan)
    labels = source_labels(table[spec.target.column], schema)
    tables = []
    for spelt in keys_of(table, spec):
        keys = spelt
        if schema.key_personal == "hash":
            key = PersonalKey(context.settings.personal_key)
            keys = [key.hash_of(k) for k in spelt]
        tables.append(pa.table({"identity": [identity(k, "", 0) for k in keys], "label": labels}))
    return pa.concat_tables(tables)


def _find_partial_versions(
    context: Context, rows: pa.Table, schema: InputSchema, version: str
) -> str:
    """Return the versions among the rows that did not log every input of the champion in its kind.

    "" where all did.
    """
    others = sorted(set(rows["version"].unique().to_pylist()) - {version})
    if not others:
        return ""
    champions = context.ports.ledger.entries(context.spec.name, "champion")
    bundles = {crown.version: crown.bundle for crown in (e.read(Crown) for e in champions)}
    inputs = _watched_rows(schema)
    odd = [
        v
        for v in others
        if v not in bundles or not inputs <= _inputs_of(context.ports.store, bundles[v])
    ]
    return ", ".join(f"version {v}" for v in odd)


def _watched_rows(schema: InputSchema) -> set[tuple[str, str]]:
    return {(c.name, c.kind) for c in schema.columns if c.personal is None}


def _inputs_of(store: Store, bundle: Ref) -> set[tuple[str, str]]:
    """Return the inputs of a bundle with their kinds; none where it cannot be read any more."""
    try:
        return _watched_rows(BundleManifest.model_validate_json(store.get(bundle)).inputs)
    except TryAgain:
        raise
    except (PerennialError, ValueError):
        return set()


def _notes(counts: Counts, others: int, damage: list[str]) -> list[str]:
    """Return in words what is odd about the window's traffic; figures that are 0 say nothing."""
    first = f", the first is {damage[0]}" if damage else ""
    sentences = [
        (counts.duplicates, "predictions were asked for again; each event counts once"),
        (
            others,
            "rows were answered by another version; they say nothing of the champion's performance",
        ),
        (
            counts.after_label,
            "predictions were answered after their label was known; they do not count as labelled",
        ),
        (
            counts.ahead,
            (
                "rows are of events more than a day after their answer: forecasts, or a clock that"
                " is wrong"
            ),
        ),
        (counts.contradicting, "labels of the source contradict the feedback, which counts"),
        (counts.torn, "lines of the log were torn off when a process died"),
        (counts.damaged, f"places in the log are damaged{first}"),
    ]
    return [f"{number:,} {words}" for number, words in sentences if number]
