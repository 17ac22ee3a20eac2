"""How far back the final fit learns, where `train.window` is `auto`: a probe says it.

A fit on all rows and fits on the newest of them are asked for rows that came after: where a shorter
window is proven better, the older rows mislead.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.data import labelled_rows
from pipelines.data.batches import read_plan
from pipelines.intervals import iso
from pipelines.judging.draws import draws_of
from pipelines.judging.recipe import CANNOT_FIT, Recipe
from pipelines.messages import LearntWindow
from pipelines.science.bootstrap import compare
from pipelines.science.window_probe import choose_start, plan_probe
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.training.own.process import own_code_of
from pipelines.training.own_metrics import measure_rows
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.judging.draws import Draws
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.science.bootstrap import Comparison

    Array = np.ndarray[Any, Any]

_ALL = "The final fit learns from all rows of the run"


def edges_of(context: Context, features: FeaturesResult) -> Array:
    """Return where the window may begin, sorted: with the run's first batch, and as many batches
    apart as are held out, counted back from where the held-out ones begin.
    """
    plan = read_plan(context.ports.store, features.plan)
    begins = sorted(batch.interval.start for batch in [*plan.train, *plan.holdout])
    last, apart = len(begins) - len(plan.holdout), len(plan.holdout)
    chosen = sorted({begins[0], *(begins[place] for place in range(last, 0, -apart))})
    return np.array([b.replace(tzinfo=None) for b in chosen], dtype="datetime64[us]")


def choose_window(
    context: Context, features: FeaturesResult, best: TrainResult
) -> LearntWindow | None:
    """Return what the final fit of a candidate learns from; None where the spec says it."""
    spec = context.spec
    if not spec.train.is_probed:
        return None
    why = why_no_renewal(spec.train.metric, spec.task, is_snapshot=spec.is_snapshot)
    if spec.candidate(best.candidate).onnx:
        why = "it is a finished model, which is never fitted"
    if why:
        return LearntWindow(because=f"{_ALL}: {why}.")
    end = np.datetime64(features.as_of.replace(tzinfo=None), "us")
    try:
        with limit_threads(context.settings.threads), own_code_of(context) as own:
            rows, _ = labelled_rows.rows_to_fit(context, features)
            recipe = Recipe.of(context, best, rows, own)
            since, found = probe_start(recipe, edges_of(context, features), end)
    except CANNOT_FIT as error:
        return LearntWindow(because=f"{_ALL}: the probe could not be fitted ({error})."[:500])
    return _say(spec.train.metric, since, found)


def probe_start(
    recipe: Recipe, edges: Array, origin: Any
) -> tuple[np.datetime64 | None, Comparison | None]:
    """Return from when on rows are learnt from that were known at an origin; None for all of them.

    With it, where it is proven, the comparison of that fit with the one on all rows. A beginning
    after which the recipe cannot be fitted is none. Raises BadData where it cannot on all rows.
    """
    spec = recipe.context.spec
    known = recipe.known_at(origin)
    probe = plan_probe(recipe.times[known], edges[edges < origin], spec.alike.span)
    if probe is None:
        return None, None
    asked = known[recipe.times[known] >= probe.asked_from]
    table, frame = recipe.rows.take(asked), recipe.inputs.iloc[asked]
    answers = {}
    for start in probe.starts:
        try:
            learn = recipe.known_at(probe.asked_from, start)
            answers[start] = recipe.fit_and_ask(learn, frame)
        except CANNOT_FIT:  # of one class, say: rows too few to learn from are no window
            if start == probe.starts[0]:
                raise
    measures = measure_rows(recipe.context, table, recipe.y[asked], recipe.classes)
    draws = draws_of(table, spec)
    threshold = recipe.best.threshold.value if recipe.best.threshold else 0.5

    def compare_with_all(start: np.datetime64, confidence: float) -> Comparison:
        surely: Draws = {**draws, "confidence": confidence}
        return compare(
            measures.find(spec.train.metric),
            recipe.y[asked],
            challenger=answers[start],
            opponent=answers[probe.starts[0]],
            challenger_threshold=threshold,
            opponent_threshold=threshold,
            **surely,
        )

    return choose_start(tuple(answers), compare_with_all, draws["confidence"])


def _say(metric: str, since: np.datetime64 | None, found: Comparison | None) -> LearntWindow:
    if since is None or found is None:
        return LearntWindow(because=f"{_ALL}: no shorter window is proven better on the newest.")
    begin = since.astype("datetime64[us]").item()
    moment = begin.replace(tzinfo=UTC)
    return LearntWindow(
        since=moment,
        because=(
            f"The final fit learns from {iso(moment)} on, because older rows mislead: without them"
            f" {metric} is {found.challenger:.4g}, with them {found.opponent:.4g}, on the newest"
            f" rows that neither fit has seen (better by {found.difference:.3g}, at least"
            f" {found.lower:.3g})."
        ),
    )
