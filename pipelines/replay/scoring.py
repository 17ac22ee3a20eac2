"""What a version is worth on each batch that came after it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from pipelines.bundle.load import open_bundle
from pipelines.bundle.rows import feed_from_table
from pipelines.data.labelled_rows import known_rows
from pipelines.errors import BadData, GiveUp, TryAgain
from pipelines.intervals import iso
from pipelines.refs import Ref, Value, digest
from pipelines.replay.features import build_features, feature_keys
from pipelines.science.metrics import score
from pipelines.store.results import once
from pipelines.tables import from_parquet, to_parquet
from pipelines.tasks import is_wide
from pipelines.training.own_metrics import measure_rows
from pipelines.watch.labels import of_known_class, truth_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.bundle.load import OpenBundle
    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.replay.batches import Past
    from pipelines.replay.versions import Version

_SHOWN = 300


class JudgedRows(Value):
    """A batch's rows with an outcome; none where `why_none` says why."""

    data: Ref | None
    rows: int = 0
    why_none: str = ""


class Scores(Value):
    """What a version scores on batches, by their names; null where the metric is not defined."""

    by_batch: dict[str, float | None]


def judged_rows(context: Context, past: Past, interval: Interval) -> JudgedRows:
    """Return the rows of a batch whose outcome was known by the end of the replay.

    A batch is scored in hindsight, so every outcome counts that has come in by then.
    """
    if interval.name in past.broken:
        return JudgedRows(data=None, why_none=past.broken[interval.name])
    spec, store = context.spec, context.ports.store
    plan = past.window(spec, interval.end, 1)
    if plan is None:
        return JudgedRows(data=None, why_none="the batch is not there")
    try:
        built = feature_keys(context, plan)[interval.name]
    except GiveUp as error:
        return JudgedRows(data=None, why_none=str(error)[:_SHOWN])
    key = digest(built, iso(past.end), spec.target)

    def read() -> JudgedRows:
        try:
            features = build_features(context, plan)
            batches = [b for b in plan.holdout if b.interval == interval]
            paths = context.ports.versions.fetch(spec.name, features.version, [interval.name])
            table = from_parquet(paths[0]).select(spec.feature_columns)
            rows = known_rows(table, spec, batches, by=past.end)
        except TryAgain:
            raise
        except GiveUp as error:
            return JudgedRows(data=None, why_none=str(error)[:_SHOWN])
        return JudgedRows(data=store.put(to_parquet(rows), ".parquet"), rows=rows.num_rows)

    return once(store, "replay-rows", key, JudgedRows, read)


def score_version(context: Context, version: Version, rows: dict[str, JudgedRows]) -> Scores:
    """Return what a version scores in train.metric on the rows of batches, by their names."""
    store, bundle_ref = context.ports.store, version.bundle
    if bundle_ref is None:
        return Scores(by_batch=dict.fromkeys(rows))
    metric = context.spec.train.metric
    objects = {name: each.data for name, each in rows.items()}
    key = digest(version.key, metric, {n: r.sha256 for n, r in objects.items() if r is not None})

    def ask() -> Scores:
        bundle = open_bundle(store, bundle_ref, context.settings)
        try:
            found = {
                name: None if ref is None else _score(context, bundle, from_parquet(store.get(ref)))
                for name, ref in objects.items()
            }
        finally:
            getattr(bundle.predictor, "close", lambda: None)()
        return Scores(by_batch=found)

    return once(store, "replay-scores", key, Scores, ask)


def _score(context: Context, bundle: OpenBundle, table: pa.Table) -> float | None:
    import pyarrow as pa

    spec, schema = context.spec, bundle.manifest.inputs
    rows = table.filter(pa.array(of_known_class(table, spec, schema)))
    if not rows.num_rows:
        return None
    try:
        answers = bundle.predictor.predict_feed(feed_from_table(schema.columns, rows))
    except BadData:  # what it cannot answer counts as no answer
        return None
    values = answers if is_wide(schema.task) else answers[:, 0]
    truth = truth_of(rows, spec, schema)
    measures = measure_rows(context, rows, truth, schema.classes, tuple(schema.levels or ()))
    found = score(
        measures.find(spec.train.metric),
        truth,
        values,
        threshold=bundle.manifest.threshold_value,
    )
    return float(found) if isfinite(found) else None
