"""What none of a gate's metrics sees, so that a bad model could pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.spec.metrics import find_metric, is_known
from pipelines.tasks import classifies, learns_nothing

if TYPE_CHECKING:
    from pipelines.spec.gate import Gate
    from pipelines.tasks import Task


def find_blind_spot(gate: Gate, task: Task) -> str:
    """Return in words what none of the gate's metrics sees, and which guard would.

    Empty where they see all that they should.
    """
    metrics = {*gate.at_least, *gate.at_most, *gate.guards, gate.versus_champion.metric}
    # What a metric of the model's own sees nobody knows.
    views = {find_metric(metric).sees for metric in metrics if is_known(metric)}
    if learns_nothing(task) or task == "quantiles":
        return _find_blind_spot_of_levels(metrics) if task == "quantiles" else ""
    if classifies(task):
        if "probabilities" in views:
            return ""
        blind = (
            "whether the probabilities are true, so a model that is far too sure, or shifted, can"
            " pass"
        )
        return f"the gate does not see {blind}: add `guards: {{log_loss: 0.05}}`"
    if "squares" not in views:
        return (
            "the gate does not see a few great misses, so a model that makes them can pass: add"
            " `guards: {rmse: 0.05}`"
        )
    if "distances" not in views:
        return (
            "the gate sees little but the greatest misses, so a model that is worse on most rows"
            " can pass: add `guards: {mae: 0.05}`"
        )
    return ""


def _find_blind_spot_of_levels(metrics: set[str]) -> str:
    if any(metric.startswith(("pinball", "interval_score")) for metric in metrics):
        return ""
    return (
        "the gate does not see whether the levels are true, so a model whose intervals are wrong"
        " can pass: add `guards: {pinball: 0.05}`"
    )
