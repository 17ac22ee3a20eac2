"""What was observed in a window.

The served traffic with its labels, or, of a model that nobody asks, its ingested batches.

A model is one with traffic as soon as its inference log holds anything at all: a window without
traffic is then an empty one, and is never filled with batches in silence.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.bundle.manifest import BundleManifest
from pipelines.classes import class_of
from pipelines.columns.widening import together, widen, with_types
from pipelines.data import labelled_rows as labelled
from pipelines.data.feature_rows import build_batch
from pipelines.data.plan_types import plan_types
from pipelines.errors import PerennialError, TryAgain
from pipelines.inference_log.decode import INPUT
from pipelines.inference_log.format import identity
from pipelines.inference_log.join import Counts, join_labels
from pipelines.inference_log.label_index import Index
from pipelines.inference_log.personal_data import PersonalKey
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.rotated_entries import segments_of
from pipelines.inference_log.rotation import rotate
from pipelines.ledger import Crown
from pipelines.tasks import answers_scores, finds_classes, has_named_classes, is_wide
from pipelines.watch.labels import keys_of, of_known_class, source_labels, truth_of
from pipelines.watch.reference import best_labels
from pipelines.watch.sides import Labelled, Rows

if TYPE_CHECKING:
    from pipelines.bundle.load import OpenBundle
    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.inference_log.reader import Log
    from pipelines.intervals import Interval
    from pipelines.refs import Ref
    from pipelines.store.port import Store

    Array = np.ndarray[Any, Any]

WindowSource = Literal["traffic", "batches"]

_ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}
"""The types in which the log holds an input of a kind."""


@dataclass(frozen=True)
class WindowRows:
    """A window's rows, its labelled ones, what was counted on the way, and what a reader must know.

    `problem` says why the champion could not answer the rows; then `window` has no predictions.
    """

    window: Rows
    labelled: Labelled | None
    counts: Counts
    notes: list[str] = field(default_factory=list)
    problem: str = ""


def source_of(store: Store, model: str, *, snapshot: bool = False) -> WindowSource:
    """Return where a model's windows come from.

    Its traffic if its inference log holds anything, else its batches. A snapshot has no batches in
    time, so there it is the traffic, if any.
    """
    return (
        "traffic"
        if snapshot
        or segments_of(store, model, "predictions")
        or store.keys(f"inference/{model}/rotated")
        else "batches"
    )


def traffic(context: Context, plan: Plan, window: Interval, bundle: OpenBundle) -> WindowRows:
    """Return the window's answered rows, one per event, with their labels.

    From feedback, else from the model's source.

    The log's closed segments are rotated first. Predictions and live performance are the champion's
    own: of rows that another version answered only the inputs count, and those only where all
    versions logged them alike.
    """
    spec, store, schema = context.spec, context.ports.store, bundle.manifest.inputs
    rotate(store, spec.name, catch_up=Index(context.settings, store).catch_up)
    log = read_log(store, spec.name, since=window.start, until=window.end)
    asks = log.rows.num_rows and spec.has_target
    source = _source_labels(context, plan, schema, log) if asks else None
    labels = read_labels(store, spec.name)
    matches = join_labels(
        log,
        labels,
        source=source,
        known_by=window.end,
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
    answers = _predictions(own, schema)
    times = own["event_time"].to_numpy().astype("datetime64[us]")
    return WindowRows(
        window=(
            Rows(_as_learnt(own, schema), answers, event_times=times)
            if odd
            else Rows(_inputs(matches.rows, schema), answers, own.num_rows, times)
        ),
        labelled=_make_labelled(own, schema, list(log.classes)),
        counts=matches.counts,
        notes=notes,
    )


def batches(context: Context, plan: Plan, window: Interval, bundle: OpenBundle) -> WindowRows:
    """Return the built rows of the window's batches as the champion answers them.

    Their labels are the target, where known.
    """
    spec, schema = context.spec, bundle.manifest.inputs
    table = _build_table(context, plan)
    personal = {c.name for c in schema.columns if c.personal} | set(spec.features.personal)
    inputs = _in_kinds(table.select([c for c in spec.inputs if c not in personal]), schema)
    visible = (
        labelled.label_known(table, spec, window.end)
        if answers_scores(spec.task)
        else labelled.visible(table, spec, window.end)
    )
    known = of_known_class(table, spec, schema) if spec.has_target else True
    has_label = np.asarray(visible & known)
    notes = _foreign_labels(int((visible & ~has_label).sum()), schema)
    counts = Counts(
        predicted=table.num_rows,
        rows=table.num_rows,
        duplicates=0,
        labelled=int(has_label.sum()),
        after_label=0,
        ahead=0,
        contradicting=0,
        torn=0,
        damaged=0,
    )
    if not table.num_rows:
        return WindowRows(
            Rows(inputs, np.empty(0)), None, counts, notes=["no batch of the window holds a row"]
        )
    try:
        answers = _answers(bundle, table)
    except (TryAgain, MemoryError):
        raise
    except Exception as error:  # what a champion cannot answer is an alarm, whatever the reason
        context.log.warning("the champion cannot answer the window's rows", exc_info=True)
        return WindowRows(
            Rows(inputs, np.empty(0)),
            None,
            counts,
            problem=f"the champion cannot answer the window's rows: {error}",
        )
    rows = table.filter(pa.array(has_label))
    return WindowRows(
        window=Rows(
            inputs,
            best_labels(answers, schema.classes) if schema.classes else answers,
            event_times=labelled.times(table, spec),
        ),
        labelled=Labelled(
            truth_of(rows, spec, schema),
            answers[has_label],
            labelled.times(rows, spec),
            inputs.filter(pa.array(has_label)),
            schema.classes,
        ),
        counts=counts,
        notes=notes,
    )


def _foreign_labels(count: int, schema: InputSchema) -> list[str]:
    """Return in words how many labels are none of a binary champion's classes."""
    if not count or not schema.binary_classes:
        return []
    names = " and ".join(map(repr, schema.binary_classes))
    return [f"{count:,} labels are neither of the classes {names}; they do not count as labelled"]


def _in_kinds(inputs: pa.Table, schema: InputSchema) -> pa.Table:
    """Return the inputs in the champion's types where no value changes by it.

    What does not fit is seen by the look.
    """
    for column in schema.columns:
        wide = (
            widen(inputs[column.name], _ARROW[column.kind])
            if column.name in inputs.column_names
            else None
        )
        if wide is not None:
            inputs = inputs.set_column(inputs.column_names.index(column.name), column.name, wide)
    return inputs


def _answers(bundle: OpenBundle, table: pa.Table) -> Array:
    """Return the champion's answers: (n,), or (n, k) by class."""
    from pipelines.bundle.rows import feed_from_table

    schema = bundle.manifest.inputs
    answers = bundle.predictor.predict_feed(feed_from_table(schema.columns, table))
    return answers if is_wide(schema.task) else answers[:, 0]


def _build_table(context: Context, plan: Plan) -> pa.Table:
    """Return the features of the window's batches."""
    spec = context.spec
    types = plan_types(context.ports.store, spec, plan)
    tables = {b.interval.name: build_batch(context, plan, b, types) for b in plan.holdout}
    return with_types(together(tables, "The features of the window", whole=spec.key))


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
    table = _build_table(context, plan)
    labels = source_labels(table[spec.target.column], schema)
    tables = []
    for spelt in keys_of(table, spec):
        keys = spelt
        if schema.key_personal == "hash":
            key = PersonalKey(context.settings.personal_key)
            keys = [key.hash_of(k) for k in spelt]
        tables.append(pa.table({"identity": [identity(k, "", 0) for k in keys], "label": labels}))
    return pa.concat_tables(tables)


def _inputs(rows: pa.Table, schema: InputSchema) -> pa.Table:
    """Return the logged inputs by name, without personal ones."""
    personal = {c.name for c in schema.columns if c.personal}
    names = [n.removeprefix(INPUT) for n in rows.column_names if n.startswith(INPUT)]
    return pa.table({n: rows[INPUT + n] for n in names if n not in personal})


def _as_learnt(own: pa.Table, schema: InputSchema) -> pa.Table:
    """Return the champion's inputs of its own rows in the types that it logged.

    Other releases' may have made texts of them.
    """
    columns = {}
    for column in schema.columns:
        if column.personal is None and INPUT + column.name in own.column_names:
            values = own[INPUT + column.name]
            with contextlib.suppress(
                pa.ArrowInvalid
            ):  # what does not fit is seen by the look, which names it
                values = values.cast(_ARROW[column.kind])
            columns[column.name] = values
    return pa.table(columns)


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
        if v not in bundles or not inputs <= _logged_inputs(context.ports.store, bundles[v])
    ]
    return ", ".join(f"version {v}" for v in odd)


def _watched_rows(schema: InputSchema) -> set[tuple[str, str]]:
    return {(c.name, c.kind) for c in schema.columns if c.personal is None}


def _logged_inputs(store: Store, bundle: Ref) -> set[tuple[str, str]]:
    """Return the inputs of a bundle with their kinds; none where it cannot be read any more."""
    try:
        return _watched_rows(BundleManifest.model_validate_json(store.get(bundle)).inputs)
    except TryAgain:
        raise
    except (PerennialError, ValueError):
        return set()


def _predictions(rows: pa.Table, schema: InputSchema) -> Array:
    column = rows["prediction"]
    if has_named_classes(schema.task):
        return np.array(column.to_pylist(), dtype=object)
    values: Array = column.cast(pa.float64()).to_numpy()
    return values


def _make_labelled(rows: pa.Table, schema: InputSchema, classes: list[str]) -> Labelled:
    """Return the labelled rows of the log as metrics take them; of clusters all rows."""
    if not finds_classes(schema.task):
        rows = rows.filter(pc.is_valid(rows["label"]))
    times = rows["event_time"].to_numpy().astype("datetime64[us]")
    if not has_named_classes(schema.task):
        return Labelled(
            rows["label"].cast(pa.float64()).to_numpy(),
            rows["prediction"].cast(pa.float64()).to_numpy(),
            times,
            _as_learnt(rows, schema),
        )
    if finds_classes(schema.task):
        return Labelled(
            np.zeros(len(times)), _by_class(rows, classes), times, _as_learnt(rows, schema), classes
        )
    position = {name: i for i, name in enumerate(classes)}
    own = (
        schema.classes or []
    )  # a label may be told in the name that an earlier version had for its class
    y = np.array(
        [position.get(class_of(label, own) or label, -1) for label in rows["label"].to_pylist()],
        dtype=np.int64,
    )
    return Labelled(
        y,
        _by_class(rows, classes),
        times,
        _as_learnt(rows, schema),
        classes,
    )


def _by_class(rows: pa.Table, classes: list[str]) -> Array:
    """Return the logged probabilities (n, k)."""
    values = np.array(rows["probabilities"].to_pylist(), dtype=np.float64)
    return values.reshape(rows.num_rows, len(classes))


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
