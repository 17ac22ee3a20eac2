"""Two versions of a model beside each other: what they are made of, how good, where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import feed_from_table
from pipelines.classes import translate_classes, widen
from pipelines.comparison.common_rows import CommonRows, common_rows
from pipelines.comparison.contingency import Contingency, count_moves
from pipelines.comparison.differences import Differences, find_differences
from pipelines.comparison.judged import hidden_columns
from pipelines.comparison.version_facts import VersionFacts, read_version
from pipelines.data import labelled_rows
from pipelines.data.sides import alike_groups, groups_of
from pipelines.errors import BadData, RequestError
from pipelines.ledger import SchemaChange
from pipelines.levels import level_names, pick_levels
from pipelines.plurals import how_many
from pipelines.science.bootstrap import compare, spread
from pipelines.science.metrics import score
from pipelines.spec.metrics import metrics_for
from pipelines.tasks import finds_classes, has_named_classes, is_wide
from pipelines.training.own_metrics import measure_rows
from pipelines.training.targets import targets

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.context import Context
    from pipelines.refs import FeaturesVersion, Ref
    from pipelines.science.bootstrap import Spread

    Array = np.ndarray[Any, Any]

CONFIDENCE = 0.95
"""Of each end of an interval, so that both ends together hold 90 %."""
_LEAST = 20
"""Fresh rows from which metrics are compared."""


@dataclass(frozen=True)
class MetricPair:
    """A metric of both versions on the same rows.

    `gain` is positive where the later is better, and lies between `low` and `high` with 90 %.
    """

    metric: str
    before: Spread
    after: Spread
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class VersionComparison:
    """Two versions; `differences` is None and `why` says so where they cannot be asked alike."""

    model: str
    before: VersionFacts
    after: VersionFacts
    rows: CommonRows | None
    metrics: list[MetricPair] = field(default_factory=list)
    metric_words: str = ""
    differences: Differences | None = None
    why: str = ""
    schema_changes: list[str] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    contingency: Contingency | None = None
    """Of two clusterings: which rows went from which cluster to which."""


def compare_versions(
    context: Context,
    before: tuple[str, Ref],
    after: tuple[str, Ref],
    *,
    now: datetime,
    features: FeaturesVersion | None = None,
) -> VersionComparison:
    """Return two versions, each with its bundle, beside each other.

    Raises RequestError where they are one and the same, or do different tasks.
    """
    if before[0] == after[0]:
        raise RequestError(
            f"Version {before[0]} of {context.spec.name} is named twice.",
            remedy=f"name two versions; `perennial history {context.spec.name}` lists them.",
        )
    one, other = (read_version(context, *pair) for pair in (before, after))
    tasks = [v.manifest.inputs.task for v in (one, other)]
    if tasks[0] != tasks[1]:
        raise RequestError(
            f"Version {one.version} does a {tasks[0]} task, version {other.version} a {tasks[1]}"
            " task; their answers cannot be compared.",
            remedy="compare versions of one task.",
        )
    found = VersionComparison(
        context.spec.name, one, other, None, schema_changes=_schema_changes(context, one, other)
    )
    try:
        rows = common_rows(context, [one.manifest, other.manifest], now=now, version=features)
        if rows is None:
            return _without_answers(found, "there are no rows of features")
        answers = _answers(context, rows, one, other)
    except (BadData, ValueError) as error:
        return _without_answers(found, str(error))
    return _with_answers(context, found, rows, *answers)


def _without_answers(found: VersionComparison, why: str) -> VersionComparison:
    return replace(found, why=why, metric_words=why)


def _answers(
    context: Context, rows: CommonRows, one: VersionFacts, other: VersionFacts
) -> tuple[Array, Array, list[str] | None]:
    """Return both versions' answers: (n,) values or probabilities of 1, or (n, k) by class."""
    first, second = (
        v.bundle.predictor.predict_feed(feed_from_table(v.manifest.inputs.columns, rows.table))
        for v in (one, other)
    )
    if not has_named_classes(one.manifest.inputs.task):
        if is_wide(one.manifest.inputs.task):
            levels = context.spec.levels
            return _at_levels(first, one, levels), _at_levels(second, other, levels), None
        return first[:, 0], second[:, 0], None
    newer, older = other.manifest.inputs.classes or [], one.manifest.inputs.classes or []
    if finds_classes(one.manifest.inputs.task):
        classes = sorted({*older, *newer}, key=int)
        return widen(first, older, classes), widen(second, newer, classes), classes
    kind = rows.table.schema.field(context.spec.target.column).type
    older = translate_classes(older, newer, kind)
    classes = sorted({*older, *newer})
    return widen(first, older, classes), widen(second, newer, classes), classes


def _at_levels(answers: Array, facts: VersionFacts, wanted: tuple[float, ...]) -> Array:
    """Return a version's answers at the spec's levels. Raises BadData where it lacks one."""
    own = facts.manifest.inputs.levels or []
    found = pick_levels(answers, own, wanted)
    if found is None:
        names = ", ".join(level_names(own))
        raise BadData(f"version {facts.version} answers at other levels: {names}")
    return found


def _with_answers(
    context: Context,
    found: VersionComparison,
    rows: CommonRows,
    one: Array,
    other: Array,
    classes: list[str] | None,
) -> VersionComparison:
    hidden = hidden_columns(rows.table, context.spec)
    thresholds = (
        found.before.manifest.threshold_value,
        found.after.manifest.threshold_value,
    )
    pairs, words = _metrics(context, rows, one, other, classes, thresholds)
    names = [c.name for v in (found.after, found.before) for c in v.manifest.inputs.columns]
    return replace(
        found,
        rows=rows,
        metrics=pairs,
        metric_words=words,
        hidden=hidden,
        contingency=(
            count_moves(one, other, classes, _chance(context, rows.table))
            if classes and finds_classes(context.spec.task)
            else None
        ),
        differences=find_differences(
            context.spec,
            rows.table,
            one,
            other,
            classes,
            list(dict.fromkeys(names)),
            hidden,
            thresholds=thresholds,
        ),
    )


def _metrics(
    context: Context,
    rows: CommonRows,
    one: Array,
    other: Array,
    classes: list[str] | None,
    thresholds: tuple[float, float],
) -> tuple[list[MetricPair], str]:
    """Return the metrics of both on the rows that are fresh to both, and what is to be said."""
    import pyarrow as pa

    spec, count = context.spec, int(rows.fresh.sum())
    if count < _LEAST:
        few = f"only {how_many(count, 'row is', 'rows are')} new to both versions"
        return [], few if count else rows.fresh_words
    table = rows.table.filter(pa.array(rows.fresh))
    y = targets(table, spec, classes)
    first, second = one[rows.fresh], other[rows.fresh]
    chance = _chance(context, table)
    pairs, measures = [], measure_rows(context, table, y, classes)
    early, late = thresholds
    names = (*metrics_for(spec.task, spec.levels), *spec.metrics, *measures.own)
    for name in dict.fromkeys(names):
        metric = measures.find(name)
        both = (
            score(metric, y, first, threshold=early),
            score(metric, y, second, threshold=late),
        )
        if not np.isfinite(both).all():
            continue
        up = compare(
            metric,
            y,
            challenger=second,
            opponent=first,
            challenger_threshold=late,
            opponent_threshold=early,
            **chance,
        )
        down = compare(
            metric,
            y,
            challenger=first,
            opponent=second,
            challenger_threshold=early,
            opponent_threshold=late,
            **chance,
        )
        pairs.append(
            MetricPair(
                name,
                before=spread(metric, y, first, threshold=early, **chance),
                after=spread(metric, y, second, threshold=late, **chance),
                gain=up.difference,
                low=up.lower,
                high=-down.lower,
            )
        )
    return pairs, rows.fresh_words


def _chance(context: Context, table: pa.Table) -> dict[str, Any]:
    """Return by which blocks of the rows intervals are drawn."""
    spec = context.spec
    return {
        "event_times": None if spec.is_snapshot else labelled_rows.times(table, spec),
        "groups": groups_of(table, spec) if spec.is_snapshot else alike_groups(table, spec),
        "span": spec.alike.span,
        "confidence": CONFIDENCE,
        "seed": spec.train.seed,
    }


def _schema_changes(context: Context, one: VersionFacts, other: VersionFacts) -> list[str]:
    """Return what changed in schema.yaml between the two versions' verdicts."""
    if one.verdict is None or other.verdict is None:
        return []
    first, last = sorted((one.verdict.as_of, other.verdict.as_of))
    entries = context.ports.ledger.entries(context.spec.name, "schema")
    changes = [
        change
        for e in entries
        if isinstance(e.decision, SchemaChange) and first <= e.at <= last
        for change in e.decision.changes
    ]
    return changes[-20:]


def parameters(manifest: BundleManifest) -> dict[str, Any]:
    """Return the parameters of a version; empty of bundles that did not keep them."""
    return dict(manifest.settings.params) if manifest.settings else {}
