"""The two sides of each input, and of the predictions, as they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.plurals import how_many
from pipelines.tasks import has_named_classes
from pipelines.watch.evidently_run import LEAST, UNDEFINED_ON_A_CONSTANT
from pipelines.watch.evidently_samples import Compare
from pipelines.watch.preconditions import rule_of, textual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.spec.drift import Drift
    from pipelines.watch.families import Tested
    from pipelines.watch.sides import ChampionReference

    Array = NDArray[Any]


def input_pairs(rules: Drift, tested: Tested) -> list[Compare]:
    """Return the inputs of both sides, over all rows."""
    if tested.inputs is None:
        return []
    window, reference = tested.inputs
    return [
        Compare(
            c.name,
            rule_of(rules, c),
            textual(c.kind),
            window.columns[c.name],
            reference.columns[c.name],
        )
        for c in tested.columns
    ]


def prediction_pair(
    rules: Drift, tested: Tested, champion: ChampionReference, names: list[str]
) -> Compare | None:
    """Return the predictions of both sides under a name that none of the inputs' `names` is.

    None where they are not tested.
    """
    if tested.predictions is None:
        return None
    text = has_named_classes(champion.task)
    window, reference = (
        np.asarray(side.predictions, dtype=object if text else np.float64)
        for side in tested.predictions
    )
    name = "predictions"
    while name in names:
        name += "_"
    return Compare(name, rules.predictions, text, window, reference)


def _known_values(values: Array) -> Array:
    there = (
        np.not_equal(values, np.array(None, dtype=object))
        if values.dtype == object
        else ~np.isnan(values)
    )
    return np.asarray(values[np.asarray(there, dtype=bool)])


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

    Asked before they are compared: of such sides some methods give no score, and one raises.
    """
    if pair.rule.method not in UNDEFINED_ON_A_CONSTANT:
        return False
    first = _known_values(pair.reference)[0]
    return all(bool((_known_values(side) == first).all()) for side in (pair.window, pair.reference))
