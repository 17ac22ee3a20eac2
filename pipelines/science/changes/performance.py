"""Whether answers are as right as they were: their losses, and what they claim of outcomes.

Both are means of labelled rows, tested together: one level, one null, the greatest decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.changes.families import Question, say_nothing, with_compared
from pipelines.science.changes.layout import lay_out, tell_compared, why_too_few
from pipelines.science.changes.summing import Summing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.changes.facts import Claim, ColumnChange, FamilyChange, Sample
    from pipelines.science.pieces import Span

    Array = NDArray[Any]

LOSS, MEAN = "loss", "mean"
"""The name and the method of the statistic of the losses."""


def compare_answers(
    window: Sample, reference: Sample, share: float, span: Span, seed: int, least: int
) -> FamilyChange:
    """Return whether answers are as wrong, and claim as truly, as those of the reference.

    `share` is the level. Claims are left out that only one side makes.
    """
    sides = [_labelled(side) for side in (window, reference)]
    few = why_too_few(sides[0].rows, sides[1].rows, least, "labelled rows")
    if few:
        return say_nothing("performance", share, few)
    layout = lay_out(sides[0].times, sides[1].times, (sides[0].rows, sides[1].rows), span, seed)
    few = why_too_few(len(layout.window), len(layout.reference), least, "labelled rows to compare")
    compared = tell_compared(layout, sides[0].rows, sides[1].rows)
    if few:
        few = "; ".join(filter(None, [few, compared]))
        return say_nothing("performance", share, few)
    summing = Summing(layout.pieces, layout.count)

    def join(first: Array, second: Array) -> Array:
        return np.concatenate([first[layout.window], second[layout.reference]])

    own, past = (_claims(side) for side in sides)
    losses = join(*(np.asarray(side.losses) for side in sides))
    summing.add_means("performance", MEAN, {LOSS: losses})
    for method, name in own:
        if (method, name) in past:
            values = join(own[method, name].values, past[method, name].values)
            summing.add_means("performance", method, {name: values})
    question = Question("performance", summing.end(), layout, share, span != "row", seed)
    found = with_compared(question.answer(), compared)
    return replace(found, columns=[_with_sides(c, sides[0], sides[1]) for c in found.columns])


def _labelled(side: Sample) -> Sample:
    """Return the rows of which both the loss and every claim is known."""
    losses = np.asarray(side.losses, dtype=float)
    known = np.isfinite(losses)
    for claim in side.claims:
        known &= np.isfinite(claim.values)
    return replace(side, columns={}, predictions=None, losses=losses).take(known)


def _claims(side: Sample) -> dict[tuple[str, str], Claim]:
    return {(claim.method, claim.name): claim for claim in side.claims}


def _with_sides(change: ColumnChange, window: Sample, reference: Sample) -> ColumnChange:
    """Return the change with what people read of both sides, and what is claimed."""
    own, past = (_claims(side).get((change.method, change.name)) for side in (window, reference))
    if own is None or past is None:
        now, before = (float(np.asarray(side.losses).mean()) for side in (window, reference))
        return replace(change, now=now, before=before)
    found = [value if np.isfinite(value) else None for value in (own.measure(), past.measure())]
    return replace(change, now=found[0], before=found[1], nominal=own.nominal)
