"""What `check` advises though nothing is wrong.

One sentence for each thing that will not do what its owner wants.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.plurals import how_many
from pipelines.science.gate.blind_spots import find_blind_spot
from pipelines.science.pieces import LEAST_FOR_INTERVAL, LEAST_TO_COMPARE
from pipelines.science.row_losses import has_losses
from pipelines.spec.anomaly import needs_truth
from pipelines.watch.window import never_judged

if TYPE_CHECKING:
    from pipelines.spec import Spec

LONGEST = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
}
"""How long a batch is at most."""
_SPANS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}


def advice(spec: Spec) -> list[str]:
    """Return the advice for a spec, each as one sentence without its full stop.

    Nothing where all is well.
    """
    texts = (
        _performance(spec),
        find_blind_spot(spec.gate, spec.task),
        _few_to_compare(spec),
        _few_to_watch(spec),
        _without_a_rule(spec),
    )
    return [text for text in texts if text]


def _performance(spec: Spec) -> str:
    """Return what to say where the outcomes of a window come too late to be judged."""
    if spec.drift is None or spec.batch is None or not isinstance(spec.drift.window, int):
        return ""
    return never_judged(spec, spec.drift.window * LONGEST[spec.batch])


def _without_a_rule(spec: Spec) -> str:
    """Return what to say where a policy waits for a worse metric that nothing tests."""
    if spec.drift is None or spec.retrain is None or spec.retrain.by != "performance":
        return ""
    if has_losses(spec.task) or spec.drift.performance.tolerance is not None:
        return ""
    return (
        f"`retrain: {{by: performance}}` never starts: no test stands for {spec.train.metric} of"
        f" a model of the task {spec.task}; say how much worse it may become, as a share, by"
        " `drift: {performance: {tolerance: 0.1}}`"
    )


def _few_to_compare(spec: Spec) -> str:
    """Return what to say where too few days are held out to tell which of two models is better."""
    if not isinstance(spec.train.holdout, int) or not needs_truth(spec.gate.versus_champion.metric):
        return ""
    found = _pieces(spec, spec.train.holdout)
    if found is None or found >= LEAST_TO_COMPARE:
        return ""
    span = spec.alike.span
    return (
        f"`train.holdout` holds at most {how_many(found, span)}, and of fewer than"
        f" {LEAST_TO_COMPARE} the gate cannot tell whether a challenger is better, so it refuses"
        f" all: hold more batches out, or, where what happens within a {span} is independent, say"
        f" so by `alike: {{span: {'hour' if span == 'day' else 'row'}}}`"
    )


def _few_to_watch(spec: Spec) -> str:
    """Return what to say where a window has too few days for an interval of the live metric."""
    if spec.drift is None or not isinstance(spec.drift.window, int):
        return ""
    found = _pieces(spec, spec.drift.window)
    if found is None or found >= LEAST_FOR_INTERVAL:
        return ""
    span = spec.alike.span
    return (
        f"`drift.window` holds at most {how_many(found, span)}, and of fewer than"
        f" {LEAST_FOR_INTERVAL} nobody can tell how well the champion does, so drift of the inputs"
        " alone is seen: widen it, or change `alike.span`"
    )


def _pieces(spec: Spec, batches: int) -> int | None:
    """Return of how many pieces of evidence so many batches are at most; None where each row may
    be one.
    """
    if spec.batch is None or spec.alike.span == "row":
        return None
    return max(1, int(batches * LONGEST[spec.batch] / _SPANS[spec.alike.span]))
