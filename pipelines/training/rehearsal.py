"""What `train` would refuse, found out on a sample by the code of `train` itself.

Everything that does not depend on the number of rows is refused here as it is there. What might be
another matter with all rows (one class only, too few for the folds) is refused where the sample is
the whole, and else told as a warning. The fits are small ones: some hundred rows, few trees or
rounds, and every value of a search tried once, as long as there is time.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.rows import feed_from_table
from pipelines.errors import BadData, PerennialError
from pipelines.plurals import how_many
from pipelines.science.cluster_metrics import random_assignment
from pipelines.science.gate.rows import LEAST_HELD_OUT
from pipelines.science.metrics import score, why_undefined
from pipelines.science.own_metrics import RowMetric
from pipelines.science.usable_rows import UNLABELLED
from pipelines.tasks import classifies, finds_classes, learns_named_classes, learns_nothing
from pipelines.training import estimators
from pipelines.training.contract import ROWS, check_contract, some_rows
from pipelines.training.fitting import fit_pipeline, label_errors
from pipelines.training.folds import search_folds, usable_folds
from pipelines.training.inspection import new_estimator
from pipelines.training.own_metrics import measure_rows
from pipelines.training.preparation import Prepared, prepare, unseen_classes
from pipelines.training.quantiles import UNWEIGHTED, refuse_too_few
from pipelines.training.storing import dump, prove_stored
from pipelines.training.targets import targets
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.rows import Feed
    from pipelines.context import Context
    from pipelines.data.sample import Sample
    from pipelines.science.own_metrics import Measures
    from pipelines.spec import Candidate, Range, Spec
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]

SECONDS = 2.5
"""After so long no further setting is fitted."""

_AT_MOST = {"n_estimators": 5, "iterations": 5, "max_iter": 20, "hidden_layer_sizes": 10}
"""What a small fit lowers: sizes that cost time, and are right at any size."""

_QUIET = logging.getLogger("perennial.rehearsal")
_QUIET.propagate = False
_QUIET.addHandler(logging.NullHandler())


@dataclass
class Rehearsal:
    """What was tried, and what to warn of."""

    fits: int = 0
    skipped: int = 0
    warnings: list[str] = field(default_factory=list)


def rehearse(context: Context, sample: Sample, own: CodeProcess | None = None) -> Rehearsal:
    """Do what `train` would do, on a sample; own pipelines in the process `own`.

    Raises what `train` would raise, with the place in model.yaml.
    """
    spec, found = context.spec, Rehearsal()
    rows = _prepare(spec, sample, found)
    if rows is None:
        return found
    learn = measure_rows(context, rows.train, rows.y, rows.classes)
    judge = measure_rows(context, rows.holdout, rows.truth, rows.classes)
    if unseen := unseen_classes(rows, spec):
        found.warnings.append(f"{unseen}; they count as wrong answers")
    if rows.weights is not None and spec.quantiles and spec.quantiles.conformal:
        found.warnings.append(UNWEIGHTED)
    _look_at_folds(spec, sample, rows, found, learn)
    _look_at_metrics(spec, sample, rows, found, judge)
    small = _small(spec, rows)
    began, stored = time.monotonic(), set[str]()
    for setting, candidate in _settings(spec):
        if found.fits >= len(spec.candidates) and time.monotonic() - began > SECONDS:
            found.skipped += 1
            continue
        model = _fit(spec, candidate, setting, small, own)
        if candidate.fenced and candidate.name not in stored:
            stored.add(candidate.name)
            prove_stored(model, small.schema, dump(model), _held_out_feed(small))
        found.fits += 1
    return found


def _prepare(spec: Spec, sample: Sample, found: Rehearsal) -> Prepared | None:
    """Return the rows as a fit takes them; None where the sample shows one value of the target and
    may not be all there is.
    """
    try:
        return prepare(sample.train, sample.holdout, spec)
    except BadData as error:
        if sample.whole or not spec.has_target or not _may_differ(spec, sample):
            raise
        found.warnings.append(f"in the {sample.rows:,} rows that were looked at: {error.message}")
        return None


def _may_differ(spec: Spec, sample: Sample) -> bool:
    """Tell whether more rows may show what the sample lacks: a second value of the target."""
    if not spec.has_target:
        return False
    table = pa.concat_tables([sample.train, sample.holdout], promote_options="default")
    values = table.column(spec.target.column).unique().drop_null().length()
    return bool(values == 1 or (learns_nothing(spec.task) and values == 0))


def _look_at_folds(
    spec: Spec, sample: Sample, rows: Prepared, found: Rehearsal, measures: Measures
) -> None:
    try:
        folds = search_folds(spec, rows.train, rows.y)
        usable = usable_folds(folds, rows.y, spec, _QUIET, measures)
        for train, _ in usable:
            groups = None if rows.groups is None else rows.groups[train]
            refuse_too_few(spec.candidates[0], len(train), groups)
    except BadData as error:
        if sample.whole:
            raise
        found.warnings.append(f"in the {sample.rows:,} rows that were looked at: {error.message}")
        return
    if len(usable) < len(folds):
        left_out = len(folds) - len(usable)
        found.warnings.append(
            f"{left_out} of {len(folds)} folds hold one value of {spec.target.column} only and"
            " would be left out"
        )


def _look_at_metrics(
    spec: Spec, sample: Sample, rows: Prepared, found: Rehearsal, measures: Measures
) -> None:
    """Refuse a holdout on which a metric of the gate is not defined: nothing could be promoted.

    The model's own metrics are all asked, named by the gate or not.
    """
    guesses = _guesses(spec, rows)
    for own in measures.own.values():
        score(own, rows.truth, guesses)
    gate = spec.gate
    if spec.is_snapshot and len(rows.truth) < max(gate.min_rows, LEAST_HELD_OUT):
        return  # the gate looks at folds of all rows instead
    reasons = {metric: _why_undefined(metric, measures, rows, guesses) for metric in gate.metrics}
    undefined = [f"{metric} ({why})" for metric, why in reasons.items() if why]
    if not undefined:
        return
    truth, which = rows.truth, "held-out rows"
    if learns_nothing(spec.task):
        truth, which = truth[truth != UNLABELLED], "held-out rows with a label"
    values = len(np.unique(truth))
    held = f"the {len(truth):,} {which} show {how_many(values, 'value')}"
    why = (
        f"{held} of {spec.target.column}, so {', '.join(undefined)} cannot be computed there and"
        " the gate would refuse every challenger"
    )
    if sample.held_out is not None:
        raise BadData(
            f"train.holdout: {why}.",
            remedy="use a longer train.holdout, or another metric.",
            at=("train", "holdout"),
        )
    found.warnings.append(f"in the rows that were looked at, {why}")


def _why_undefined(metric: str, measures: Measures, rows: Prepared, guesses: Array) -> str:
    """Return in words why a metric has no value on the held-out rows; empty where it has one."""
    measure = measures.find(metric)
    if not isinstance(measure, RowMetric):
        return why_undefined(measure, rows.truth, guesses)
    defined = np.isfinite(score(measure, rows.truth, guesses))
    return "" if defined else "there are no rows"


def _guesses(spec: Spec, rows: Prepared) -> Array:
    """Return answers that differ from row to row, as a model's do: (n,), or (n, k) by class or
    level.
    """
    count = len(rows.truth)
    if finds_classes(spec.task):
        return random_assignment(count, 2, spec.train.seed)
    ramp = np.linspace(0.1, 0.9, max(count, 1))[:count]
    if spec.levels:
        return np.asarray(np.add.outer(ramp, np.asarray(spec.levels)))
    if not learns_named_classes(spec.task):
        return ramp
    width = len(rows.classes or [])
    wide = np.ones((count, width)) + np.outer(ramp, np.arange(width))
    shares: Array = wide / wide.sum(axis=1, keepdims=True)
    return shares


def _small(spec: Spec, rows: Prepared) -> Prepared:
    """Return some hundred of the rows, evenly over time, with some of each class."""
    train = rows.train.take(pa.array(some_rows(rows.y, classify=classifies(spec.task))))
    holdout = rows.holdout.slice(0, ROWS)
    return Prepared(
        train=train,
        holdout=holdout,
        y=targets(train, spec, rows.classes),
        truth=rows.truth[:ROWS],
        classes=rows.classes,
        schema=rows.schema,
        inputs=estimators.frame(rows.schema, train),
        weights=weights_of(train, spec),
    )


def _settings(spec: Spec) -> Iterator[tuple[dict[str, Any], Candidate]]:
    """Yield the first setting of every candidate, then one for each further value of a search."""
    firsts = {}
    for candidate in spec.candidates:
        values = {name: _ends(space) for name, space in candidate.search.items()}
        first = {name: ends[0] for name, ends in values.items()}
        firsts[candidate.name] = (first, values)
        yield {**candidate.params, **first}, candidate
    for candidate in spec.candidates:
        first, values = firsts[candidate.name]
        for name, ends in values.items():
            for value in ends[1:]:
                yield {**candidate.params, **first, name: value}, candidate


def _ends(space: list[Any] | Range) -> list[Any]:
    """Return the values of a list, or the ends of a range as the search draws them."""
    if isinstance(space, list):
        return list(space)
    ends: list[Any] = [space.low, space.high]
    return [int(e) for e in ends] if all(float(e).is_integer() for e in ends) else ends


def _held_out_feed(rows: Prepared) -> Feed:
    return feed_from_table(rows.schema.columns, rows.holdout)


def _fit(
    spec: Spec,
    candidate: Candidate,
    setting: dict[str, Any],
    rows: Prepared,
    own: CodeProcess | None,
) -> Any:
    """Fit one setting on the small rows, ask it of the held-out ones, and return it."""
    lowered = _lower(candidate, setting)
    pipeline = estimators.build_pipeline(candidate, rows.schema, spec.train.seed, lowered, own)
    try:
        check_contract(
            candidate,
            lambda: estimators.build_pipeline(
                candidate, rows.schema, spec.train.seed, lowered, own
            ),
            rows.inputs,
            rows.y,
            task=spec.task,
            log=_QUIET,
        )
        few = candidate.without_correction()
        model = fit_pipeline(pipeline, rows.inputs, rows.y, few, _QUIET, weights=rows.weights)
        with label_errors(candidate, "asked"):
            estimators.answers(
                model, estimators.frame(rows.schema, rows.holdout), spec.task, rows.classes
            )
    except PerennialError as error:
        if candidate.search and error.at[2:] == ():
            error.message += f" (with {_describe(setting)})"
        raise
    return model


def _describe(setting: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in setting.items())


def _lower(candidate: Candidate, setting: dict[str, Any]) -> dict[str, Any]:
    """Return the setting with sizes that cost time lowered, those that it leaves out too."""
    lowered = {
        name: min(value, _AT_MOST[name])
        if name in _AT_MOST and isinstance(value, int) and not isinstance(value, bool)
        else value
        for name, value in setting.items()
    }
    if candidate.vote or candidate.onnx or candidate.fenced:
        return lowered
    defaults = new_estimator(candidate).get_params()
    for name, most in _AT_MOST.items():
        value = defaults.get(name, 0)
        few = isinstance(value, int | tuple) or (value is None and name == "n_estimators")
        if name not in lowered and name in defaults and few:
            lowered[name] = most
    return lowered
