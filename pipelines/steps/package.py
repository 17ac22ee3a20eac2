"""Package a promoted challenger.

Its parameters fitted again on all rows (of a snapshot on those that are not held out), compiled
with proof, with requests that prove it later.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines import approvals
from pipelines.comparison.publish import publish_against_champion
from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.messages import PackageRequest, PackageResult, TrainResult
from pipelines.refs import canonical, digest
from pipelines.signing.keys import SHOWN
from pipelines.signing.packager import key_for_packaging
from pipelines.signing.signatures import sign
from pipelines.store.results import once
from pipelines.tasks import finds_classes
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.bundle.manifest import ClusterNames
    from pipelines.bundle.predictor import Predictor
    from pipelines.bundle.rows import Row
    from pipelines.bundle.schema import InputSchema
    from pipelines.intervals import Interval
    from pipelines.spec import Spec
    from pipelines.training.onnx.export import Compilation
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.predictions import Predictions


GOLDEN_ROWS = 16
"""Held-out rows among the golden requests; edge rows come on top."""
_RANGE_ROWS = 2_000
"""Held-out rows from which the edge rows take their range."""
NOT_SERVED = "it is not to be served"
"""Why a bundle is not compiled of which only the answers are asked."""


def run(context: Context, request: PackageRequest) -> PackageResult:
    """Return the bundle of the promoted challenger.

    Once per run, version, parameters, features version, plan and code.

    The bundle remembers what a watch compares with later (see `reference`).

    The bundle is signed, also one that was built before: signatures follow the packager's key.

    Raises RequestError where the verdict is no promotion, KeyUnusable where a signature is required
    and cannot be made, BadData where the rows do not fit.
    """
    spec, features, gate_result = context.spec, request.features, request.gate
    if gate_result.verdict != "promote":
        raise RequestError(
            f"Version {gate_result.version or '-'} of {spec.name} was refused; only what was"
            " promoted is packaged."
        )
    approvals.expect(context, request.run, gate_result.version)
    best = next((t for t in request.train if t.candidate == gate_result.candidate), None)
    if best is None:
        raise RequestError(f"The request holds no trained candidate {gate_result.candidate!r}.")
    signing_key = key_for_packaging(context.settings, datetime.now(UTC))
    key = digest(
        request.run,
        gate_result.version,
        spec.candidate(best.candidate),
        best.params,
        *([best.threshold] if best.threshold else []),
        *([spec.quantiles] if spec.quantiles else []),
        features.version,
        features.plan,
        iso(features.as_of),
        context.code,
        *([gate_result.window] if gate_result.window else []),
        *([features.most_rows] if features.most_rows else []),
    )
    with limit_threads(context.settings.threads):
        packaged = once(
            context.ports.store,
            "package",
            key,
            PackageResult,
            lambda: make_bundle(context, request, best),
        )
    if signing_key is not None:
        sign(context.ports.store, signing_key, spec.name, packaged.version, packaged.bundle)
        context.log.info("the bundle is signed by the key %s", signing_key.id[:SHOWN])
    publish_against_champion(context, packaged.version, packaged.bundle, features, request.run)
    return packaged


def make_bundle(
    context: Context, request: PackageRequest, best: TrainResult, *, compiles: bool = True
) -> PackageResult:
    """Return the bundle of a candidate, made anew and kept in the store, whatever was published.

    It is not compiled, and answers as it was fitted, where it is not to be served.
    """
    from pipelines.training.own.process import own_code_of

    with own_code_of(context) as own:
        return _build_bundle(context, request, best, own, compiles=compiles)


@dataclass(frozen=True)
class _Fit:
    """The final fit, and what it was fitted on."""

    model: Any
    schema: InputSchema
    rows: pa.Table
    interval: Interval
    clusters: ClusterNames | None = None
    learnt: int = 0
    """How many rows it was fitted on: `rows`, or more where it learnt from all in parts."""
    of: int = 0
    """How many rows `rows` are, or stand for."""


def _build_bundle(
    context: Context,
    request: PackageRequest,
    best: TrainResult,
    own: CodeProcess | None,
    *,
    compiles: bool,
) -> PackageResult:
    from pipelines.bundle.load import write_bundle
    from pipelines.bundle.manifest import BundleManifest, Settings
    from pipelines.bundle.rows import feed_from_table, rows_from_table
    from pipelines.data import labelled_rows
    from pipelines.data.sides import sides_of
    from pipelines.training import estimators
    from pipelines.training.onnx.edges import edge_rows
    from pipelines.training.onnx.export import Compilation
    from pipelines.training.own.candidates import keep_candidate
    from pipelines.training.storing import code_of, compile_model, dump, open_predictor
    from pipelines.watch import reference

    store, features = context.ports.store, request.features
    holdout_rows, _ = labelled_rows.holdout(context, features)
    fit = _name_clusters(context, request, _fit(context, request, best, own), holdout_rows)
    holdout = estimators.give_types(holdout_rows, context.spec.inputs, like=fit.rows)
    sample = rows_from_table(
        fit.schema.columns, _sample_in_order(holdout, context.spec.row_order[0], _RANGE_ROWS)
    )
    whole, single = edge_rows(fit.schema, sample)
    compilation = (
        compile_model(
            fit.model,
            fit.schema,
            feed_from_table(fit.schema.columns, holdout),
            [*whole, *single],
            best.threshold.value if best.threshold else None,
        )
        if compiles
        else Compilation(None, None, NOT_SERVED)
    )
    native, code = dump(fit.model), code_of(fit.model)
    predictor = open_predictor(fit.model, fit.schema, native, compilation.model)
    golden = rows_from_table(
        fit.schema.columns, _sample_in_order(holdout, context.spec.row_order[0], GOLDEN_ROWS)
    )
    manifest = BundleManifest(
        model=context.spec.name,
        version=request.gate.version,
        run=request.run,
        candidate=best.candidate,
        features_revision=features.version.revision,
        fitted_on=fit.interval,
        rows=fit.learnt,
        **({"learnt_of": fit.of} if fit.of > fit.learnt else {}),
        metrics=request.gate.metrics,
        inputs=reference.mark_personal(fit.schema, context.spec),
        compiled=compilation.model is not None,
        parity=compilation.parity,
        decision_gap=compilation.decision_gap if compilation.model else 0.0,
        why_native=compilation.why_not,
        native=store.put(native, ".skops"),
        onnx=store.put(compilation.model, ".onnx") if compilation.model else None,
        golden=store.put(canonical(_golden_requests(predictor, [*golden, *whole])), ".json"),
        code=store.put(canonical(code), ".json") if code else None,
        environment=context.environment,
        sides=sides_of(context.spec) if context.spec.is_snapshot else None,
        settings=Settings(
            estimator=best.estimator,
            params=best.params,
            encode=context.spec.candidate(best.candidate).encode,
            corrected_on=_corrected_on(context.spec),
            made_of=keep_candidate(context.spec.candidate(best.candidate)),
        ),
        threshold=best.threshold,
        reference=reference.write(
            store,
            context.spec,
            fitted=fit.rows,
            held=_held(context, best, fit, predictor, holdout),
            holdout=holdout,
        ),
        clusters=fit.clusters,
    )
    if compiles:
        _log_compilation(context, manifest.candidate, compilation, len(native))
    bundle = write_bundle(store, manifest)
    return PackageResult(
        bundle=bundle,
        version=manifest.version,
        compiled=manifest.compiled,
        parity=compilation.parity,
        why_native=compilation.why_not,
        rows=manifest.rows,
    )


def _corrected_on(spec: Spec) -> float | None:
    """Return the share of the rows on which quantiles are corrected; None where none are."""
    conformal = spec.quantiles.conformal if spec.quantiles else None
    return conformal.share if conformal else None


def _fit(
    context: Context, request: PackageRequest, best: TrainResult, own: CodeProcess | None
) -> _Fit:
    """Fit the winning parameters again: on training and held-out rows, of a snapshot only on the
    former.
    """
    from pipelines.bundle.rows import schema_of
    from pipelines.data import labelled_rows
    from pipelines.training import estimators
    from pipelines.training.fitting import fit_pipeline
    from pipelines.training.in_parts import AllRows, learn_in_parts
    from pipelines.training.preparation import with_nulls, with_series
    from pipelines.training.quantiles import correction_groups
    from pipelines.training.targets import binary_classes, classes_of, refuse_constant, targets
    from pipelines.training.weights import weights_of

    spec = context.spec
    since = request.gate.window.since if request.gate.window else None
    table, interval = labelled_rows.rows_to_fit(context, request.features, since=since)
    parts = labelled_rows.parts_to_fit(context, request.features, since=since)
    table = estimators.give_types(table, spec.inputs)
    classes = classes_of(table, spec)
    y = targets(table, spec, classes)
    refuse_constant(y, spec, "rows")
    schema = schema_of(table, spec.inputs, spec.task, classes, spec.levels)
    schema = schema.model_copy(update={"binary_classes": binary_classes(spec, table)})
    schema = with_series(schema, spec)
    if parts is not None:  # null may be in those rows alone that the sample lacks
        schema = with_nulls(schema, parts.files.with_nulls())
    candidate = spec.candidate(best.candidate)
    pipeline = estimators.build_pipeline(candidate, schema, spec.train.seed, best.params, own)
    model = fit_pipeline(
        pipeline,
        estimators.frame(schema, table),
        y,
        candidate,
        context.log,
        weights=weights_of(table, spec),
        groups=correction_groups(table, spec),
    )
    learnt = of = table.num_rows
    if parts is not None:
        of = parts.count
        everything = AllRows.of(parts, request.features, schema, classes, table)
        if learn_in_parts(context, candidate, model, everything):
            learnt = of
        context.log.info("the final fit has learnt from %s of %s rows", f"{learnt:,}", f"{of:,}")
    return _Fit(model, schema, table, interval, learnt=learnt, of=of)


def _name_clusters(context: Context, request: PackageRequest, fit: _Fit, holdout: pa.Table) -> _Fit:
    """Name the clusters of a fit by the champion's; other tasks have the names of their classes."""
    from pipelines.training import estimators
    from pipelines.training.clusters.names import name_clusters

    if not finds_classes(fit.schema.task):
        return fit
    rows = estimators.give_types(holdout, context.spec.inputs, like=fit.rows)
    named = name_clusters(context, fit.model, fit.schema, rows, request.gate.champion)
    schema = fit.schema.model_copy(update={"classes": named.names})
    return replace(fit, schema=schema, clusters=named)


def _held(
    context: Context, best: TrainResult, fit: _Fit, predictor: Predictor, holdout: pa.Table
) -> Predictions:
    """Return what the version's ancestor answered to the held-out rows.

    Of a clustering what the version itself answers, whose clusters have other names.
    """
    from pipelines.bundle.rows import feed_from_table
    from pipelines.training import predictions

    held = predictions.read(context.ports.store, context.spec, best.predictions, holdout)
    if fit.clusters is None:
        return held
    answers = predictor.predict_feed(feed_from_table(fit.schema.columns, holdout))
    return replace(held, score=answers, classes=fit.clusters.names)


def _sample_in_order(table: pa.Table, column: str, count: int) -> pa.Table:
    """Return up to `count` rows, evenly spread over a column: the time, or a snapshot's key."""
    import numpy as np

    in_order = table.sort_by(column)
    return in_order.take(
        np.unique(
            np.linspace(0, in_order.num_rows - 1, min(count, in_order.num_rows)).astype(np.int64)
        )
    )


def _golden_requests(predictor: Predictor, rows: list[Row]) -> Any:
    """Return the rows with the packaged model's answers, one row at a time.

    Edge rows whose answer is not finite prove nothing.
    """
    import numpy as np

    from pipelines.bundle.manifest import Golden

    examples = []
    for row in rows:
        with contextlib.suppress(ValueError):  # scikit-learn refuses what became infinite
            answer = predictor.predict([row])[0]
            if np.isfinite(answer).all():
                examples.append((row, answer.tolist()))
    return Golden(rows=[row for row, _ in examples], answers=[answer for _, answer in examples])


def _log_compilation(
    context: Context, candidate: str, compilation: Compilation, native: int
) -> None:
    if compilation.model is None:
        context.log.warning(
            "%s is served natively (%d bytes): %s", candidate, native, compilation.why_not
        )
    else:
        context.log.info(
            "%s is compiled: %d bytes (native %d), answers to %d rows differ by at most %.2g%s%s",
            candidate,
            len(compilation.model),
            native,
            compilation.rows,
            compilation.parity,
            f"; asked at {compilation.asked:,} of {compilation.thresholds:,} thresholds"
            if compilation.thresholds
            else "",
            f"; {compilation.apart:,} of them are decided otherwise, within"
            f" {compilation.decision_gap:.1g} of the threshold or of a tie"
            if compilation.apart
            else "",
        )
