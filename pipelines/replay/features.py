"""The features of a plan's batches in a replay: each built once, whatever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.data.feature_rows import batches_behind, build_batch
from pipelines.data.plan_types import plan_types
from pipelines.messages import FeaturesResult
from pipelines.refs import Ref, Value, canonical
from pipelines.steps.features import file_key
from pipelines.store.results import once
from pipelines.tables import to_parquet
from pipelines.versions.port import FeatureFile

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef, Plan

RUN = "replay"


class BuiltBatch(Value):
    """The features of one batch: a Parquet object, and its rows."""

    data: Ref
    rows: int


def feature_keys(context: Context, plan: Plan) -> dict[str, str]:
    """Return the key of each batch's features by its name; nothing is built."""
    spec = context.spec
    types = plan_types(context.ports.store, spec, plan)
    return {
        batch.interval.name: file_key(context, batches_behind(spec, plan, batch), types)
        for batch in (*plan.train, *plan.holdout)
    }


def build_features(context: Context, plan: Plan) -> FeaturesResult:
    """Return the features version of a plan, in the context's own versions.

    Raises what `build_batch` raises.
    """
    store, spec = context.ports.store, context.spec
    types = plan_types(store, spec, plan)
    files: dict[str, tuple[FeatureFile, bytes]] = {}
    for batch in (*plan.train, *plan.holdout):
        key = file_key(context, batches_behind(spec, plan, batch), types)

        def build(batch: BatchRef = batch) -> BuiltBatch:
            table = build_batch(context, plan, batch, types)
            return BuiltBatch(data=store.put(to_parquet(table), ".parquet"), rows=table.num_rows)

        built = once(store, "replay-features", key, BuiltBatch, build)
        file = FeatureFile(key=key, sha256=built.data.sha256, rows=built.rows)
        files[batch.interval.name] = (file, store.get(built.data))
    version = context.ports.versions.commit(spec.name, files, f"{spec.name} as of {plan.as_of}")
    return FeaturesResult(
        version=version,
        plan=store.put(canonical(plan), ".json"),
        as_of=plan.as_of,
        reason="replay",
        force=False,
        rebuilt=len(files),
        reused=0,
        rows=sum(file.rows for file, _ in files.values()),
        parent_run=context.ports.registry.parent(spec.name, RUN, {}),
    )
