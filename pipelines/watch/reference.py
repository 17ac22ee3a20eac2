"""What a watch compares with later.

A sample of the rows that a version was fitted on, and its ancestor's answers of the holdout.

`package` writes it into the bundle, because nothing else remembers for certain what a version has
seen. Personal inputs are left out of it, and are marked in the bundle's schema for whoever logs
requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.manifest import Reference
from pipelines.errors import BadData
from pipelines.levels import middle
from pipelines.science.row_losses import has_losses
from pipelines.tables import from_parquet, to_parquet
from pipelines.tasks import classifies, is_wide
from pipelines.training.targets import targets
from pipelines.watch.labels import as_binary
from pipelines.watch.sides import Labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.bundle.schema import InputSchema, Personal
    from pipelines.refs import Ref
    from pipelines.spec import Spec
    from pipelines.store.port import Store
    from pipelines.training.predictions import Predictions

    Array = np.ndarray[Any, Any]

ROWS = 200_000
"""Fitted rows that are kept at most: of every day the same share, so that each stays as it was.

A window is compared by as many of its rows in a day as the reference has in one: with fewer kept,
a single day beside a year was compared by 137 rows, however many it had.
"""
JUDGED = 50_000
"""Held-out rows whose inputs are kept at most."""

EVENT_TIME, PREDICTION, TARGET = "event_time", "prediction", "target"
TRUTH, ANSWERS = "truth", "answers"
"""The columns of the held-out rows; the last two as metrics take them, with one answer or more."""
INPUT = "input:"
"""Before the name of a held-out row's input, so that it is none of the columns above."""


@dataclass(frozen=True)
class ChampionSample:
    """A version's reference, read back.

    `inputs` of the sampled rows by name, `predictions` (m,) of the held-out rows.

    Predictions are floats (of quantiles the medians), or labels (an object array) of a multiclass
    model. `times` (n,) are the sampled rows', `held_times` (m,) the held-out ones'; None where the
    data have none. `held` are the held-out rows as metrics take them; None in bundles that were
    made before these were kept (but where an answer is one number), and of models without a target.
    """

    inputs: pa.Table
    predictions: Array
    times: Array | None = None
    held_times: Array | None = None
    held: Labelled | None = None
    judged: Labelled | None = None
    """Held-out rows with their inputs, or a sample of them; None in earlier bundles."""


def mark_personal(schema: InputSchema, spec: Spec) -> InputSchema:
    """Return the schema with the spec's personal inputs marked (their examples left out), and the
    keys as their strictest column.
    """
    personal = spec.features.personal
    columns = [
        (
            c.model_copy(update={"personal": personal[c.name], "example": None})
            if c.name in personal
            else c
        )
        for c in schema.columns
    ]
    keys = {personal[c] for c in spec.key if c in personal}
    strictest: Personal | None = "drop" if "drop" in keys else "hash" if keys else None
    return schema.model_copy(update={"columns": columns, "key_personal": strictest})


def write(
    store: Store,
    spec: Spec,
    *,
    fitted: pa.Table,
    held: Predictions,
    holdout: pa.Table | None = None,
) -> Reference:
    """Store the sample of the fitted rows (seeded, in their order) and the held-out rows' answers.

    `holdout` are those rows with their inputs, of which a sample is kept too.
    """
    inputs = [c for c in spec.inputs if c not in spec.features.personal]
    times = [spec.event_time] if spec.event_time else []
    rows = _sample(fitted.select([*times, *inputs]), ROWS, spec.train.seed)
    answers = {
        **({EVENT_TIME: held.rows[spec.event_time]} if spec.event_time else {}),
        PREDICTION: pa.array(watched_answers(held.score, held.classes, spec.levels)),
        **({TARGET: held.rows[spec.target.column]} if spec.has_target else {}),
        **(_as_metrics_take_them(spec, held) if has_losses(spec.task) else {}),
    }
    judged = None
    if holdout is not None and has_losses(spec.task):
        kept = {name: answers[name] for name in (EVENT_TIME, TRUTH, ANSWERS) if name in answers}
        known = pa.table({**kept, **{INPUT + name: holdout[name] for name in inputs}})
        judged = _put(store, _sample(known, JUDGED, spec.train.seed))
    return Reference(
        judged=judged,
        rows=_put(store, rows),
        holdout=_put(store, pa.table(answers)),
    )


def _sample(rows: pa.Table, most: int, seed: int) -> pa.Table:
    if rows.num_rows <= most:
        return rows
    picks = np.random.default_rng(seed).choice(rows.num_rows, most, replace=False)
    return rows.take(pa.array(np.sort(picks)))


def _put(store: Store, rows: pa.Table) -> Ref:
    return store.put(to_parquet(rows.replace_schema_metadata(None)), ".parquet")


def _as_metrics_take_them(spec: Spec, held: Predictions) -> dict[str, Any]:
    """Return the columns of the truth and of the answers, a list of one or more for each row."""
    truth = targets(held.rows, spec, held.classes).astype(np.float64)
    answers = np.asarray(held.score, dtype=np.float64).reshape(len(truth), -1)
    return {TRUTH: pa.array(truth), ANSWERS: pa.array(list(answers))}


def read(store: Store, reference: Reference, schema: InputSchema) -> ChampionSample:
    """Return the reference, verified.

    Raises BadData where it lacks an input that the schema names.
    """
    rows = from_parquet(store.get(reference.rows))
    names = [c.name for c in schema.columns if c.personal is None]
    absent = [n for n in names if n not in rows.column_names]
    if absent:
        raise BadData(
            f"The champion's reference {reference.rows.uri} lacks {', '.join(absent)}.",
            remedy="retrain the model.",
        )
    times = [n for n in rows.column_names if pa.types.is_timestamp(rows.schema.field(n).type)]
    first = next((n for n in times if n not in names), None)
    held = from_parquet(store.get(reference.holdout))
    return ChampionSample(
        rows.select(names),
        held[PREDICTION].to_numpy(),
        None if first is None else as_moments(rows[first]),
        as_moments(held[EVENT_TIME]) if EVENT_TIME in held.column_names else None,
        _held(held, schema),
        None if reference.judged is None else _judged(store, reference.judged, schema, names),
    )


def _judged(store: Store, ref: Ref, schema: InputSchema, names: list[str]) -> Labelled | None:
    """Return held-out rows with their inputs by name."""
    rows = from_parquet(store.get(ref))
    found = _held(rows, schema)
    inputs = rows.select([INPUT + name for name in names]).rename_columns(names)
    return None if found is None else replace(found, inputs=inputs)


def _held(held: pa.Table, schema: InputSchema) -> Labelled | None:
    """Return the held-out rows as metrics take them.

    Of an earlier bundle from its targets, where an answer is one number; else None.
    """
    wide = is_wide(schema.task)
    if TRUTH in held.column_names:
        truth = held[TRUTH].to_numpy()
        answers = np.array(held[ANSWERS].to_pylist(), dtype=np.float64)
        answers = answers if wide else answers.reshape(-1)
    elif TARGET in held.column_names and has_losses(schema.task) and not wide:
        target = held[TARGET]
        target = as_binary(target, schema.binary_classes) if schema.binary_classes else target
        truth, answers = target.cast(pa.float64()).to_numpy(), held[PREDICTION].to_numpy()
        known = np.isfinite(truth)
        held, truth, answers = held.filter(pa.array(known)), truth[known], answers[known]
    else:
        return None
    times = (
        as_moments(held[EVENT_TIME])
        if EVENT_TIME in held.column_names
        else np.full(len(truth), np.datetime64("NaT"), "datetime64[us]")
    )
    return Labelled(truth.astype(np.int64) if classifies(schema.task) else truth, answers, times)


def as_moments(times: pa.ChunkedArray) -> Array:
    """Return a column of times as datetime64[us] (n,)."""
    return np.asarray(times.to_numpy(zero_copy_only=False)).astype("datetime64[us]")


def watched_answers(
    answers: Array, classes: list[str] | None, levels: Sequence[float] | None
) -> Array:
    """Return the one number or label (n,) of each answer that is watched for drift.

    Of several classes the best label, of quantiles the median.
    """
    if classes:
        return best_labels(answers, classes)
    return middle(answers, levels) if levels else answers


def best_labels(probabilities: Array, classes: list[str]) -> Array:
    """Return the label with the highest probability of each row: (n, k) to an object array (n,).

    Of equals the first class.
    """
    best: Array = np.array(classes, dtype=object)[np.asarray(probabilities).argmax(axis=1)]
    return best
