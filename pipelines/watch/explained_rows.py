"""Both sides of a window as the naming of a cause takes them: rows with times, answers, losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.rows import feed_from_values
from pipelines.science.changes.facts import Sample
from pipelines.tables import from_parquet
from pipelines.tasks import has_named_classes, is_wide
from pipelines.watch.labels import as_binary
from pipelines.watch.preconditions import numbers, textual, watched_inputs
from pipelines.watch.reference import EVENT_TIME, PREDICTION, TARGET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.bundle.load import OpenBundle
    from pipelines.bundle.schema import InputSchema
    from pipelines.store.port import Store
    from pipelines.watch.window_rows import WindowRows

    Array = NDArray[Any]


def window_sample(sample: WindowRows, schema: InputSchema) -> Sample:
    """Return the rows of the window whose answers are all the champion's own, else the inputs.

    The losses of the labelled rows are matched by `labelled_sample`, which are other rows.
    """
    rows = sample.window
    columns = read_columns(rows.inputs, schema)
    count = rows.inputs.num_rows
    matched = rows.event_times is not None and len(rows.event_times) == count
    answered = matched and len(rows.predictions) == count and not has_named_classes(schema.task)
    return Sample(
        columns,
        rows.event_times if matched else None,
        np.asarray(rows.predictions, dtype=np.float64) if answered else None,
    )


def labelled_sample(sample: WindowRows, schema: InputSchema) -> Sample | None:
    """Return the window's labelled rows with their losses; None where none can be had."""
    labelled = sample.labelled
    if labelled is None or not len(labelled.y) or not tells_losses(schema):
        return None
    inputs = labelled.inputs
    columns = read_columns(inputs, schema) if inputs is not None else {}
    losses = row_losses(schema, labelled.y, labelled.p)
    return Sample(columns, labelled.event_times, None, losses)


def reference_sample(store: Store, bundle: OpenBundle, *, event_time: str | None) -> Sample:
    """Return the sample of the rows that the champion learnt from."""
    reference = bundle.manifest.reference
    assert reference is not None  # noqa: S101 -- without one there was no look
    rows = from_parquet(store.get(reference.rows))
    times = _moments(rows[event_time]) if event_time in rows.column_names else None
    return Sample(read_columns(rows, bundle.manifest.inputs), times)


def held_sample(store: Store, bundle: OpenBundle) -> Sample | None:
    """Return the held-out rows with the losses of the champion's ancestor; None without a loss.

    They have no columns: a bundle holds their answers alone.
    """
    reference, schema = bundle.manifest.reference, bundle.manifest.inputs
    if reference is None or not tells_losses(schema):
        return None
    held = from_parquet(store.get(reference.holdout))
    if TARGET not in held.column_names:
        return None
    target = held[TARGET]
    target = as_binary(target, schema.binary_classes) if schema.binary_classes else target
    truth = target.cast(pa.float64()).to_numpy()
    losses = row_losses(schema, truth, held[PREDICTION].to_numpy())
    times = _moments(held[EVENT_TIME]) if EVENT_TIME in held.column_names else None
    return Sample({}, times, None, losses) if times is not None else None


def tells_losses(schema: InputSchema) -> bool:
    """Tell whether an answer is one number that is more or less wrong."""
    return not is_wide(schema.task) and schema.task in {"regression", "binary", "forecast"}


def row_losses(schema: InputSchema, truth: Array, answers: Array) -> Array:
    """Return how wrong each answer is (n,): of a probability its squared error, of a value the size
    of its error.
    """
    off = np.asarray(truth, dtype=np.float64) - np.asarray(answers, dtype=np.float64)
    return off**2 if schema.binary_classes else np.abs(off)


def read_columns(inputs: pa.Table, schema: InputSchema) -> dict[str, Array]:
    """Return the watched inputs by name: float64 with NaN, or an object array of texts and None."""
    columns: dict[str, Array] = {}
    for column in watched_inputs(schema):
        if column.name not in inputs.column_names:
            continue
        values = inputs[column.name]
        if not textual(column.kind):
            try:
                columns[column.name] = np.asarray(numbers(values), dtype=np.float64)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, TypeError):
                continue  # of another kind than it was: the look itself says so
            continue
        texts = np.empty(len(values), dtype=object)
        texts[:] = values.cast(pa.string()).to_pylist()
        columns[column.name] = texts
    return columns


def asker(bundle: OpenBundle) -> Any:
    """Return what answers rows given by columns; None where the champion needs more than is watched
    or gives more than one number.
    """
    schema = bundle.manifest.inputs
    if len(watched_inputs(schema)) < len(schema.columns) or is_wide(schema.task):
        return None

    def answer(columns: Mapping[str, Array]) -> Array:
        names = [c.name for c in schema.columns]
        rows = zip(*(_plain(columns[n]) for n in names), strict=True)
        feed = feed_from_values(schema.columns, [list(row) for row in rows])
        return np.asarray(bundle.predictor.predict_feed(feed)[:, 0])

    return answer


def _plain(values: Array) -> list[Any]:
    if values.dtype == object:
        return list(values)
    return [None if np.isnan(v) else float(v) for v in values]


def _moments(times: pa.ChunkedArray) -> Array:
    return np.asarray(times.to_numpy(zero_copy_only=False)).astype("datetime64[us]")
