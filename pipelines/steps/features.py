"""`features`: run the model's `build` over every batch of the plan and keep the result as a
features version.

Each batch's file is keyed by its own raw batches, those within the lookback, and the code; so late
rows rebuild the files that they reach and nothing else.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.data.batches import read_manifest, read_plan
from pipelines.data.feature_files import DUCKDB, build_file
from pipelines.data.feature_rows import batches_behind
from pipelines.data.plan_types import plan_types
from pipelines.data.row_limit import most_rows, states_memory
from pipelines.engine import work_folder
from pipelines.intervals import iso
from pipelines.ledger import Features, record_step
from pipelines.messages import FeaturesRequest, FeaturesResult
from pipelines.profiling.publish import publish_run_profile
from pipelines.refs import Value, sha256_of_file
from pipelines.tables import code_hash, features_key
from pipelines.versions.port import FeatureFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.context import Context
    from pipelines.data.manifests import BatchManifest, BatchRef
    from pipelines.data.plan_types import PlanTypes
    from pipelines.refs import FeaturesVersion


def run(context: Context, request: FeaturesRequest) -> FeaturesResult:
    """Build what is missing, commit it, open the run in the registry, and return the features
    version.
    """
    spec, versions, force = context.spec, context.ports.versions, request.ingest.force
    plan = read_plan(context.ports.store, request.ingest.plan)
    earlier = {} if force else versions.files(spec.name)
    new_files: dict[str, tuple[FeatureFile, Path]] = {}
    engines: set[str] = set()
    batches = [*plan.train, *plan.holdout]
    types = plan_types(context.ports.store, spec, plan)
    # A batch's manifest is asked for by every batch that its rows reach.
    read = lru_cache(maxsize=None)(partial(read_manifest, context.ports.store))
    with work_folder(context.settings.spill) as folder:
        for batch in batches:
            key = file_key(context, batches_behind(spec, plan, batch), types, read)
            name = batch.interval.name
            if name in earlier and earlier[name].key == key:
                context.log.info("features %s: unchanged (%d rows)", name, earlier[name].rows)
                continue
            built = build_file(context, plan, batch, types, folder)
            file = FeatureFile(key=key, sha256=sha256_of_file(built.path), rows=built.rows)
            new_files[name] = (file, built.path)
            engines.add(built.engine)
            context.log.info("features %s: %s built %d rows", name, built.engine, built.rows)
        version = versions.commit(spec.name, new_files, f"{spec.name} as of {iso(plan.as_of)}")
    files = versions.files(spec.name, version.revision)
    publish_run_profile(context, batches, version, request.run)
    context.log.info("features version %s (%s)", version.revision[:12], version.sha256[:12])
    rows = sum(files[b.interval.name].rows for b in batches)
    entry = Features(
        run=request.run,
        plan=request.ingest.plan,
        revision=version.revision,
        sha256=version.sha256,
        rows=rows,
        **({"engines": sorted(engines)} if engines - {DUCKDB} else {}),
    )
    record_step(context.ports.ledger, spec.name, entry)
    return FeaturesResult(
        version=version,
        plan=request.ingest.plan,
        as_of=plan.as_of,
        reason=request.ingest.reason,
        force=force,
        rebuilt=len(new_files),
        reused=len(batches) - len(new_files),
        rows=rows,
        parent_run=_open_run(context, request, version.revision, engines),
        **_held_at_once(context, version, batches, rows),
    )


def _held_at_once(
    context: Context, version: FeaturesVersion, batches: list[BatchRef], rows: int
) -> dict[str, int]:
    """Return, as a field of the answer, how many rows are held at once where there are more."""
    import pyarrow.parquet as pq

    spec = context.spec
    if not rows or not states_memory(context):
        return {}
    (path,) = context.ports.versions.fetch(spec.name, version, [batches[0].interval.name])
    schema = pq.read_schema(path)
    kinds = [schema.field(c).type for c in spec.feature_columns if c in schema.names]
    most = most_rows(context, kinds)
    if most is None or rows <= most:
        return {}
    context.log.info("%d rows are more than %d, which memory holds at once", rows, most)
    return {"most_rows": most}


def file_key(
    context: Context,
    raw: list[BatchRef],
    types: PlanTypes,
    read: Callable[[BatchRef], BatchManifest] | None = None,
) -> str:
    """Return the key of a features file.

    Columns that are read in another type than their batch holds are part of it. `read` gives a
    batch's manifest, where somebody knows a shorter way than the store.
    """
    spec = context.spec
    read = read or partial(read_manifest, context.ports.store)
    says = {
        "features": spec.features,
        "event_time": spec.event_time,
        "key": spec.key,
        **({"forecast": spec.forecast} if spec.forecast else {}),
        **({"group": spec.train.group} if spec.train.group else {}),
        **({"environment": context.environment.sha256} if context.environment else {}),
        **({"target": spec.target.built()} if spec.has_target else {}),
        "source": spec.source,
    }
    fields = {
        k: v.model_dump(mode="json", exclude={"timeout"}) if isinstance(v, Value) else v
        for k, v in says.items()
    }
    tables = [(b.interval.name, n, t) for b in raw for n, t in sorted(read(b).tables.items())]
    changes_by_table = {
        f"{batch} {name}": types.changes(name, t.columns, t.rows) for batch, name, t in tables
    }
    type_changes = {name: columns for name, columns in changes_by_table.items() if columns}
    return features_key(
        [b.manifest.sha256 for b in raw],
        code_hash(context.folder),
        fields | ({"types": type_changes} if type_changes else {}),
    )


def _open_run(context: Context, request: FeaturesRequest, revision: str, engines: set[str]) -> str:
    """Open the DAG run's parent run in the registry, with the validation's page on it."""
    registry, store = context.ports.registry, context.ports.store
    tags = {
        "perennial.as_of": iso(request.ingest.as_of),
        "perennial.reason": request.ingest.reason,
        "perennial.features": revision,
        **({"perennial.engine": ", ".join(sorted(engines))} if engines else {}),
    }
    parent = registry.parent(context.spec.name, request.run, {**tags, **context.image})
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "validation.html"
        page.write_bytes(store.get(request.validate_.page))
        registry.attach(parent, page, "validation")
    return parent
