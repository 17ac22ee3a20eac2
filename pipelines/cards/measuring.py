"""From the look at a run's candidates to what the challenger's card shows of it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from pipelines.cards.figures import (
    MOST_INPUTS,
    Amount,
    Attributed,
    CardFigures,
    LossByInput,
    Measured,
    MeasuredSlice,
    Shuffled,
)
from pipelines.comparison.answer_plots import attributions, importances
from pipelines.comparison.attribution import Attribution, NoAttribution
from pipelines.comparison.retraining import CONFIDENCE
from pipelines.profiling.words import short

if TYPE_CHECKING:
    from pipelines.comparison.error_slices import ErrorSlice
    from pipelines.comparison.permutation import Importance
    from pipelines.comparison.retraining import CandidateLook, Retraining
    from pipelines.science.bootstrap import Spread
    from pipelines.store.port import Store

NOT_MEASURED = "not measured: comparisons are turned off (PERENNIAL_COMPARISON_SECONDS is 0)"
NOT_POSSIBLE = "not measured: the comparison could not be made (the log of the task gate says why)"
_NAME = 60


def figures_of(
    store: Store, version: str, candidate: str, found: Retraining | None, why_none: str
) -> CardFigures:
    """Return what was measured of the challenger.

    Where there is no look at the run, or the challenger is not in it, `why_none` stands there.
    """
    look = next((c for c in found.candidates if c.name == candidate), None) if found else None
    if found is None or look is None:
        return CardFigures(version=version, candidate=candidate, nothing=why_none)
    judged = found.judged
    slices = look.slices
    not_attributed = look.attribution.why if isinstance(look.attribution, NoAttribution) else ""
    return CardFigures(
        version=version,
        candidate=candidate,
        confidence=round(2 * CONFIDENCE - 1, 6),
        rows=len(judged.truth),
        evidence=judged.pieces.words,
        metrics={name: _value_and_ends(look, name) for name in look.metrics},
        slices=[_slice(s) for s in slices.slices] if slices else [],
        slices_looked_at=slices.looked_at if slices else 0,
        slice_loss=slices.loss if slices else "",
        slice_unit=slices.unit if slices else "",
        slice_metric=judged.spec.train.metric,
        shuffled=_losses_by_input(store, look.importance, judged.spec.train.metric),
        attributed=_amounts_by_input(store, look),
        not_attributed=not_attributed,
        hidden={short(name, _NAME): why for name, why in judged.hidden.items()},
        failed=look.failed,
    )


def _value_and_ends(look: CandidateLook, name: str) -> Measured:
    value, spread = look.metrics[name], look.intervals.get(name)
    if value is None or spread is None:
        return Measured(value=value, untold="the metric is not defined on these rows")
    return Measured(value=value, **_ends(spread))


def _ends(spread: Spread) -> dict[str, float | str]:
    low, high = sorted((spread.bad_end, spread.good_end))
    if isfinite(low) and isfinite(high):
        return {"low": low, "high": high}
    return {"untold": spread.untold or "its ends could not be found"}


def _slice(found: ErrorSlice) -> MeasuredSlice:
    loss = found.found
    return MeasuredSlice(
        name=found.name,
        rows=loss.rows,
        metric=found.metric,
        loss=loss.loss,
        low=loss.low,
        high=loss.high,
        difference=loss.difference,
        p=loss.p_holm,
        is_worse=loss.p_holm <= 0.05 and loss.difference > 0,  # noqa: PLR2004 -- 5 %
    )


def _losses_by_input(store: Store, found: Importance | None, metric: str) -> Shuffled | None:
    if found is None or not found.losses:
        return None
    return Shuffled(
        drawing=store.put(importances(found, metric).encode(), ".svg"),
        metric=metric,
        rows=found.rows,
        repeats=found.repeats,
        left_out=found.left_out,
        evidence=found.evidence,
        losses=[_loss(found, name) for name in list(found.losses)[:MOST_INPUTS]],
    )


def _loss(found: Importance, name: str) -> LossByInput:
    low, high = found.ends.get(name, (None, None))
    return LossByInput(
        name=short(name, _NAME),
        loss=found.losses[name][0],
        low=low,
        high=high,
        untold=found.untold.get(name, ""),
    )


def _amounts_by_input(store: Store, look: CandidateLook) -> Attributed | None:
    found = look.attribution
    if not isinstance(found, Attribution) or not np.isfinite(found.amounts).all():
        return None
    means = np.abs(found.amounts).mean(axis=0)
    total = float(means.sum()) or 1.0
    order = np.argsort(-means, kind="stable")[:MOST_INPUTS]
    svg = attributions(found, look.attribution_rows)
    return Attributed(
        method=found.method,
        rows=len(found.amounts),
        off=found.off,
        amounts=[
            Amount(
                name=short(found.inputs[i], _NAME),
                mean=float(means[i]),
                share=float(means[i]) / total,
            )
            for i in order
        ],
        drawing=store.put(svg.encode(), ".svg") if svg else None,
    )
