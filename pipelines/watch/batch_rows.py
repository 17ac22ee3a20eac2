"""The rows of a window of batches, as the champion answers them: of a model that nobody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.columns.widening import widen
from pipelines.data import labelled_rows as labelled
from pipelines.errors import TryAgain
from pipelines.inference_log.join import Counts
from pipelines.plurals import how_many
from pipelines.tasks import answers_scores, is_wide
from pipelines.verdicts import words
from pipelines.watch.labels import of_known_class, truth_of
from pipelines.watch.reference import watched_answers
from pipelines.watch.sides import Labelled, Rows
from pipelines.watch.window_rows import ARROW, WindowRows, sample_table

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.bundle.load import OpenBundle
    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.intervals import Interval

    Array = np.ndarray[Any, Any]


def batch_rows(
    context: Context,
    plan: Plan,
    window: Interval,
    bundle: OpenBundle,
    *,
    known_by: datetime | None = None,
) -> WindowRows:
    """Return the built rows of the window's batches as the champion answers them.

    Their labels are the target, where known by `known_by` (default: the window's end).
    """
    spec, schema = context.spec, bundle.manifest.inputs
    by = known_by or window.end
    table, of, missing = sample_table(context, plan)
    personal = {c.name for c in schema.columns if c.personal} | set(spec.features.personal)
    inputs = _in_kinds(table.select([c for c in spec.inputs if c not in personal]), schema)
    visible = (
        labelled.label_known(table, spec, by)
        if answers_scores(spec.task)
        else labelled.visible(table, spec, by)
    )
    known = of_known_class(table, spec, schema) if spec.has_target else True
    has_label = np.asarray(visible & known)
    notes = _foreign_labels(int((visible & ~has_label).sum()), schema)
    is_sample = of > table.num_rows
    if is_sample:
        notes.insert(0, words.looked_at(table.num_rows, of))
    counts = Counts(
        predicted=table.num_rows,
        rows=table.num_rows,
        duplicates=0,
        labelled=int(has_label.sum()) if spec.has_target else 0,
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
    rows, times = table.filter(pa.array(has_label)), labelled.times(table, spec)
    return WindowRows(
        window=Rows(
            inputs,
            watched_answers(answers, schema.classes, schema.levels),
            event_times=times,
            times=times,
            chances=answers if schema.classes else None,
            missing=missing,
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
        of=of if is_sample else None,
    )


def _foreign_labels(count: int, schema: InputSchema) -> list[str]:
    """Return in words how many labels are none of a binary champion's classes."""
    if not count or not schema.binary_classes:
        return []
    names = " and ".join(map(repr, schema.binary_classes))
    many = how_many(count, "label is", "labels are")
    consequence = f"{'it does' if count == 1 else 'they do'} not count as labelled"
    return [f"{many} neither of the classes {names}; {consequence}"]


def _in_kinds(inputs: pa.Table, schema: InputSchema) -> pa.Table:
    """Return the inputs in the champion's types where no value changes by it.

    What does not fit is seen by the look.
    """
    for column in schema.columns:
        wide = (
            widen(inputs[column.name], ARROW[column.kind])
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
