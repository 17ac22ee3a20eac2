"""What the clusters of a fitted model are called: by the champion's, so that a name keeps its
meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.load import open_bundle
from pipelines.bundle.manifest import ClusterNames
from pipelines.bundle.rows import feed_from_table
from pipelines.errors import TryAgain
from pipelines.ledger import Crown
from pipelines.science.cluster_names import first_names, match_names, order_of
from pipelines.science.formulas.clusters import contingency
from pipelines.tasks import finds_classes
from pipelines.training.answers import frame
from pipelines.training.parameters import ESTIMATOR

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.refs import Ref

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ChampionClusters:
    """The champion's bundle, and its clusters (n,) of some rows; None where it cannot answer."""

    manifest: BundleManifest
    places: Array | None


def found_classes(model: Any, task: str) -> list[str] | None:
    """Return what the classes of a fit are called that finds them itself; None for other tasks."""
    if not finds_classes(task):
        return None
    return [str(place) for place in model.named_steps[ESTIMATOR].classes_]


def ask_champion(context: Context, bundle: Ref, rows: pa.Table) -> ChampionClusters | None:
    """Return the champion's clusters of the rows.

    None where it is no clustering or cannot be opened; a service that is away is an error.
    """
    try:
        opened = open_bundle(context.ports.store, bundle, context.settings)
    except (TryAgain, MemoryError):
        raise
    except Exception:
        context.log.exception("the champion's bundle cannot be opened")
        return None
    manifest = opened.manifest
    if not finds_classes(manifest.inputs.task):
        return None
    try:
        answers = opened.predictor.predict_feed(feed_from_table(manifest.inputs.columns, rows))
    except (TryAgain, MemoryError):
        raise
    except Exception:
        context.log.exception("the champion cannot answer")
        return ChampionClusters(manifest, None)
    fit = np.isfinite(answers).all()
    return ChampionClusters(manifest, answers.argmax(axis=1) if fit else None)


def name_clusters(
    context: Context, model: Any, schema: InputSchema, rows: pa.Table, champion: str | None
) -> ClusterNames:
    """Name the clusters of a fitted pipeline by those of the champion of that version, and let them
    stand in the order of their names.

    `rows` are those on which both are laid upon each other. A champion that cannot answer gives no
    name away: then all names are new.
    """
    estimator = model.named_steps[ESTIMATOR]
    clusters = len(estimator.classes_)
    bundle = _bundle_of(context, champion)
    theirs = None if bundle is None else ask_champion(context, bundle, rows)
    if theirs is None:
        matching, used = first_names(clusters), clusters
    else:
        names = list(theirs.manifest.inputs.classes or [])
        used = theirs.manifest.clusters.used if theirs.manifest.clusters else len(names)
        table = np.zeros((clusters, len(names)), dtype=np.int64)
        if theirs.places is not None:
            ours = estimator_places(model, schema, rows)
            table = contingency(ours, theirs.places, table.shape)
        matching = match_names(table, names, used)
    order = order_of(matching.names)
    estimator.arrange(order)
    named = [matching.names[place] for place in order]
    return ClusterNames(
        names=named,
        used=max(used, 1 + max(int(name) for name in named)),
        champion=None if theirs is None else champion,
        kept=None if theirs is None else matching.kept,
        new=list(matching.new),
        gone=list(matching.gone),
    )


def estimator_places(model: Any, schema: InputSchema, rows: pa.Table) -> Array:
    """Return the place of each row's cluster (n,) by a fitted pipeline."""
    places: Array = model.predict_proba(frame(schema, rows)).argmax(axis=1)
    return places


def _bundle_of(context: Context, version: str | None) -> Ref | None:
    """Return the bundle of a version that was champion; None where there was none."""
    if version is None:
        return None
    entries = context.ports.ledger.entries(context.spec.name, "champion")
    crowns = [entry.read(Crown) for entry in entries]
    return next((crown.bundle for crown in reversed(crowns) if crown.version == version), None)
