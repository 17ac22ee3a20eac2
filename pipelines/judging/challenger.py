"""Which candidate becomes the challenger, and what all of them scored."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.science.choice import Contender, choose
from pipelines.verdicts.words import with_unit

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import GateResult, TrainResult


def choose_challenger(
    context: Context, candidates: list[TrainResult]
) -> tuple[TrainResult | None, str]:
    """Return the candidate that cross-validation chooses by the spec's rule, no dummy, and why in
    words; None where there is none.
    """
    spec = context.spec
    order = {c.name: i for i, c in enumerate(spec.candidates)}
    unknown = [t.candidate for t in candidates if t.candidate not in order]
    if unknown:
        raise RequestError(f"{spec.name} has no candidate {', '.join(unknown)}.")
    by_name = {t.candidate: t for t in sorted(candidates, key=lambda t: order[t.candidate])}
    contenders = [
        Contender(name, t.cv_score, tuple(t.fold_scores), spec.candidate(name).rank)
        for name, t in by_name.items()
        if t.cv_score is not None
        and isfinite(t.cv_score)
        and not spec.candidate(name).declaration.dummy
    ]
    tested = max((t.tested or 0.0 for t in candidates), default=0.0)
    decision = choose(
        spec.train.metric,
        contenders,
        greater_is_better=spec.metric_named(spec.train.metric).greater_is_better,
        tested=tested,
        rule=spec.train.choice,
    )
    return (by_name[decision.name], decision.words) if decision else (None, "")


def log_candidates(context: Context, candidates: list[TrainResult], result: GateResult) -> None:
    """Log what each candidate scored, and which one cross-validation has chosen.

    The model's own metrics stand beside the one that has chosen.
    """
    metric = context.spec.train.metric
    lines = [f"Candidates by {metric} (cross-validation chooses, the held-out rows judge):"]
    for each in candidates:
        mark = "  <- chosen" if each.candidate == result.candidate else ""
        lines.append(f"  {_write_scores(context, each)}{mark}")
    if result.choice:
        lines.append(f"  {result.choice}.")
    context.log.info("%s", "\n".join(lines))


def _write_scores(context: Context, candidate: TrainResult) -> str:
    spec = context.spec
    metric = spec.train.metric
    chosen_by, held_out = (
        "not finite" if value is None else f"{value:.4f}"
        for value in (candidate.cv_score, candidate.metrics.get(metric))
    )
    own = "".join(
        f", {name} {with_unit(candidate.metrics.get(name), spec.unit_of(name))}"
        for name in spec.own_metrics
        if name != metric
    )
    unit = f" {text}" if (text := spec.unit_of(metric)) else ""
    at = f", threshold {candidate.threshold.value:g}" if candidate.threshold else ""
    return (
        f"{candidate.candidate}: {chosen_by}{unit} in cross-validation, {held_out}{unit} held out"
        f"{own}{at}"
    )
