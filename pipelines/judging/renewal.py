"""The recipe of a challenger on the held-out rows: fitted again from part to part, as time goes on.

After a change a model that was fitted before it is as wrong as the champion: what is asked is
whether the same recipe, fitted on what is known by now, does better on what comes next. So the
held-out rows are cut into parts by their time. Each part is answered by a fit on all rows whose
label was known when it began; the first one by the challenger itself, which knows none of them.
Settings and threshold are those that training has found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.classes import widen
from pipelines.data import labelled_rows
from pipelines.judging.recipe import CANNOT_FIT, Recipe
from pipelines.judging.window import edges_of, probe_start
from pipelines.plurals import how_many
from pipelines.science.rolling import origins_of, parts_of
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.training.own.process import own_code_of
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.messages import GateRequest, TrainResult
    from pipelines.science.gate.facts import Judging

    Array = np.ndarray[Any, Any]

FEW = "the held-out rows are of one day, or whatever the spec calls alike, and make no parts"


def renew(
    context: Context,
    request: GateRequest,
    best: TrainResult,
    answers: Answers,
    holdout: pa.Table,
    judging: Judging,
) -> tuple[Answers, Judging]:
    """Return what the recipe answers to the held-out rows, and how it is judged.

    The challenger's own answers where its recipe is not asked for, or cannot be fitted again; how
    it is judged says why then.
    """
    spec = context.spec
    why = why_no_renewal(spec.gate.versus_champion.metric, spec.task, is_snapshot=spec.is_snapshot)
    if spec.candidate(best.candidate).onnx:
        why = "it is a finished model, which is never fitted again"
    if not judging.asks_renewal and (judging.rule == "better" or not why):
        return answers, judging
    if why:
        return answers, judging.without_renewal(why)
    times = labelled_rows.times(holdout, spec)
    parts = parts_of(times, spec.alike.span)
    if not parts.max():
        return answers, judging.without_renewal(FEW)
    try:
        with limit_threads(context.settings.threads), own_code_of(context) as own:
            everything, _ = labelled_rows.rows_to_fit(context, request.features)
            recipe = Recipe.of(context, best, everything, own)
            edges = edges_of(context, request.features) if spec.train.is_probed else None
            renewed = _answer(recipe, answers, holdout, parts, edges)
    except CANNOT_FIT as error:
        return answers, judging.without_renewal(f"it could not be fitted again: {error}"[:500])
    context.log.info(
        "%s is fitted again before %s", best.candidate, how_many(renewed.parts - 1, "part")
    )
    return renewed, replace(judging, parts=renewed.parts)


def _answer(
    recipe: Recipe, first: Answers, holdout: pa.Table, parts: Array, edges: Array | None
) -> Answers:
    """Return the answers to the held-out rows (m,), each of which is of a part (m,).

    `first` are the challenger's, which stand for the first part. `edges` are where the window may
    begin; None where it is fixed.
    """
    own, constant = first.own, first.constant
    if recipe.classes is not None and first.classes is not None:
        own, constant = (widen(a, first.classes, recipe.classes) for a in (own, constant))
    found = np.array(own, dtype=np.float64)
    frame, origins = recipe.frame(holdout), origins_of(_times(recipe, holdout), parts)
    for part, origin in enumerate(origins):
        since = None if edges is None else probe_start(recipe, edges, origin)[0]
        if part or since is not None:
            mine = parts == part
            found[mine] = recipe.fit_and_ask(recipe.known_at(origin, since), frame[mine])
    return replace(first, own=found, constant=constant, classes=recipe.classes, parts=len(origins))


def _times(recipe: Recipe, rows: pa.Table) -> Array:
    return labelled_rows.times(rows, recipe.context.spec)
