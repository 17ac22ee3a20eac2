"""The two sides of each input, and of the predictions, as they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.plurals import how_many
from pipelines.tasks import has_named_classes
from pipelines.watch.evidently_run import LEAST, UNDEFINED_ON_A_CONSTANT
from pipelines.watch.evidently_samples import ROWS, Compare, sample_positions
from pipelines.watch.preconditions import (
    numbers,
    rule_of,
    textual,
    watched_inputs,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.bundle.schema import Column
    from pipelines.science.drift_facts import DriftFacts
    from pipelines.spec.drift import Drift
    from pipelines.watch.sides import ChampionReference, Rows

    Array = NDArray[Any]


def input_pairs(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> tuple[list[Compare], DriftFacts]:
    """Return the inputs of both sides, sampled where there are too many rows; a note says so."""
    tables = []
    for what, table in (
        ("the window", window.inputs),
        ("the champion's training data", champion.reference.inputs),
    ):
        rows = sample_positions(table.num_rows, seed)
        tables.append(table if rows is None else table.take(rows))
        if rows is not None:
            facts = facts.with_note(
                f"Evidently saw a sample of {ROWS:,} of the {table.num_rows:,} rows of {what};"
                " missing values are of all",
            )
    reference = champion.reference.inputs.num_rows
    if facts.columns and reference < rules.min_rows:
        facts = facts.with_note(
            f"the champion's training data are {reference:,} rows only: scores vary more than the"
            " thresholds expect",
        )
    by_name = {c.name: c for c in watched_inputs(champion.schema)}
    names = [c.name for c in facts.columns]
    return [
        Compare(
            n,
            rule_of(rules, by_name[n]),
            textual(by_name[n].kind),
            *(_values(by_name[n], t) for t in tables),
        )
        for n in names
    ], facts


def prediction_pair(
    facts: DriftFacts, rules: Drift, window: Rows, champion: ChampionReference, *, seed: int
) -> tuple[Compare | None, DriftFacts]:
    """Return the predictions of both sides under a name that no input has.

    None, with a note, where the bundle holds none.
    """
    if not len(champion.reference.predictions):
        return None, facts.with_note(
            "the predictions are not compared: the champion's bundle holds none of its holdout",
        )
    if len(window.predictions) < rules.min_rows:
        few = (
            f"{len(window.predictions):,} of the window's rows were answered by the champion,"
            f" {rules.min_rows:,} are needed (min_rows)"
        )
        return None, facts.with_note(f"the predictions are not compared: {few}")
    text = has_named_classes(champion.task)
    sides = []
    for predictions in (window.predictions, champion.reference.predictions):
        rows = sample_positions(len(predictions), seed)
        sides.append(
            np.asarray(
                predictions if rows is None else predictions[rows],
                dtype=object if text else np.float64,
            )
        )
    name = "predictions"
    while any(c.name == name for c in facts.columns):
        name += "_"
    return Compare(name, rules.predictions, text, *sides), facts


def _values(column: Column, table: pa.Table) -> Array:
    """Return an input as it is compared.

    Float64 with NaN, or an object array of texts with None.
    """
    import pyarrow as pa

    values = table[column.name]
    if not textual(column.kind):
        return numbers(values)
    texts = np.empty(len(values), dtype=object)
    texts[:] = values.cast(pa.string()).to_pylist()
    return texts


def _known_values(values: Array) -> Array:
    return (
        values[[v is not None for v in values]]
        if values.dtype == object
        else values[~np.isnan(values)]
    )


def why_too_few(pair: Compare, rules: Drift) -> str:
    """Return why an input cannot be compared: on one side hardly any row has a value.

    "" where it can.

    Half of what a verdict needs is enough, or a window of just that many rows would lose an input
    with its first null.
    """
    least = LEAST.get(pair.rule.method, 1)
    for values, where in (
        (pair.window, "the window"),
        (pair.reference, "the champion's training data"),
    ):
        present = len(_known_values(values))
        if not present:
            return f"no value in {where}"
        if 2 * present < min(rules.min_rows, len(values)):
            return f"{present:,} of {len(values):,} rows of {where} have a value"
        if present < least:
            return f"{how_many(present, 'value')} in {where}, and {pair.rule.method} needs {least}"
    return ""


def is_constant(pair: Compare) -> bool:
    """Tell whether both sides hold one value only, and the same, and the method says nothing of
    that.

    Asked before Evidently is: of such sides some methods give no score, and one of them raises.
    """
    if pair.rule.method not in UNDEFINED_ON_A_CONSTANT:
        return False
    first = _known_values(pair.reference)[0]
    return all(bool((_known_values(side) == first).all()) for side in (pair.window, pair.reference))
