"""What is known of the challenger as it would be served: its size, its robustness, and what a real
server shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, ModelFailed, Refused, SpecError
from pipelines.judging.in_server import measure_in_server
from pipelines.judging.robustness import measure_robustness
from pipelines.judging.served_model import served_model
from pipelines.science.gate.robustness import RobustnessFacts
from pipelines.science.gate.served_check import ServedFacts
from pipelines.training.decision_threshold import threshold_of

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.judging.trial_server import Servers
    from pipelines.messages import FeaturesResult, TrainResult


def measure_served(
    context: Context, features: FeaturesResult, best: TrainResult, servers: Servers
) -> dict[str, Any]:
    """Return what the checks are told of it, by the fields of their facts.

    The model is compiled only where a check asks for it, a server is started only where one asks
    for its latency, memory or golden requests.
    """
    gate = context.spec.gate
    if not any((gate.size, gate.latency, gate.memory, gate.golden, gate.robustness)):
        return {}
    try:
        with served_model(context, features, best) as model:
            return {
                "served": ServedFacts(
                    bundle_bytes=model.bundle_bytes,
                    compiled=model.compiled is not None,
                    why_native=model.why_native,
                    server=measure_in_server(context, features, best, model, servers),
                ),
                "robustness": measure_robustness(context.spec, model, threshold_of(best.threshold)),
            }
    except (BadData, SpecError, Refused, ModelFailed) as error:
        words = str(error)
        return {"served": ServedFacts(error=words), "robustness": RobustnessFacts(error=words)}
