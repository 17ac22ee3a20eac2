"""The judged challenger as a bundle and a release in a store of its own, for a server to take.

It is the model as it was judged; the bundle that will serve is made later, of a fit on more rows.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden, Release, release_key, served_key
from pipelines.bundle.rows import rows_from_table
from pipelines.errors import BadData
from pipelines.intervals import SNAPSHOT
from pipelines.refs import canonical

if TYPE_CHECKING:
    from pipelines.bundle.rows import Row
    from pipelines.context import Context
    from pipelines.judging.served_model import ServedModel
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.refs import Ref
    from pipelines.store.port import Store

GOLDEN_ROWS = 16
"""Held-out rows by which the server proves the model before it serves it."""


def write_served(
    context: Context,
    features: FeaturesResult,
    best: TrainResult,
    model: ServedModel,
    store: Store,
) -> Ref:
    """Write the model into the store as a bundle, and return the bundle's reference.

    Raises BadData where it answers no held-out row with a number.
    """
    rows, answers = _golden(model)
    if not rows:
        raise BadData("The model answers none of the held-out rows with a number.")
    environment = context.environment
    if environment is not None:
        store.put(context.ports.store.get(environment.lock), Path(environment.lock.uri).suffix)
    manifest = BundleManifest(
        model=context.spec.name,
        version=best.run_id or best.candidate,
        run=best.run_id,
        candidate=best.candidate,
        features_revision=features.version.revision,
        fitted_on=best.fitted_on or SNAPSHOT,
        rows=best.rows_train,
        metrics={},
        inputs=model.predictor.schema,
        compiled=model.compiled is not None,
        parity=None,
        why_native=model.why_native,
        native=store.put(model.stored, ".skops"),
        onnx=None if model.compiled is None else store.put(model.compiled, ".onnx"),
        golden=store.put(canonical(Golden(rows=rows, answers=answers)), ".json"),
        code=store.put(model.code, ".json") if model.code else None,
        environment=environment,
        threshold=best.threshold,
    )
    return write_bundle(store, manifest)


def release_served(store: Store, manifest: Ref, model: str, version: str, number: int) -> None:
    """Let a server that follows the store serve the bundle, as the release of that number."""
    release = Release(
        model=model, number=number, version=version, bundle=manifest, reason="the gate measures it"
    )
    store.publish(release_key(model, number), canonical(release))
    store.publish(served_key(model), b"1")


def _golden(model: ServedModel) -> tuple[list[Row], list[list[float]]]:
    """Return rows and the model's answers, one row at a time; what is not finite proves nothing."""
    rows, answers = [], []
    some = model.rows.slice(0, GOLDEN_ROWS)
    for row in rows_from_table(model.predictor.schema.columns, some):
        with contextlib.suppress(ValueError):  # scikit-learn refuses what became infinite
            answer = model.predictor.predict([row])[0]
            if np.isfinite(answer).all():
                rows.append(row)
                answers.append(answer.tolist())
    return rows, answers
