"""How fits of several levels are converted: side by side, sorted, shifted, and widened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.quantile_fits import MEDIAN

if TYPE_CHECKING:
    from pipelines.training.onnx.graph import Nodes


def level_shape(operator: Any) -> None:
    """Say what type and shape the answers have: a column for each level."""
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, len(operator.raw_operator.levels)])


def convert_levels(scope: Any, operator: Any, container: Any) -> None:
    """Add the fits and what makes their answers not fall along a row (see `QuantileFits`)."""
    from pipelines.training.onnx.graph import Nodes

    fits, graph = operator.raw_operator, Nodes(scope, container)
    count = len(fits.levels)
    answers = [_ask(scope, graph, fit, operator.inputs) for fit in fits.estimators_]
    joined = graph.add("Concat", *answers, axis=1) if len(answers) > 1 else answers[0]
    if len(answers) > 1:
        joined = _sort(graph, joined, len(answers))
    shifts = graph.constant(np.asarray(fits.shifts_, dtype=np.float32).reshape(1, -1))
    shifted = graph.add("Add", joined, shifts)
    columns = [
        graph.add("Gather", shifted, graph.constant([i], whole=True), axis=1) for i in range(count)
    ]
    start = int(np.argmin(np.abs(np.asarray(fits.levels) - MEDIAN)))
    for i in range(start + 1, count):
        columns[i] = graph.add("Max", columns[i - 1], columns[i])
    for i in range(start - 1, -1, -1):
        columns[i] = graph.add("Min", columns[i + 1], columns[i])
    graph.add("Concat", *columns, axis=1, to=operator.outputs[0].full_name)


def _sort(graph: Nodes, name: str, count: int) -> str:
    """Add what sorts each row, the least value first; return the name of what it gives."""
    most = graph.constant([count], whole=True)
    values, _ = graph.add_many("TopK", name, most, outputs=2, axis=1, largest=0, sorted=1)
    return values


def _ask(scope: Any, graph: Nodes, model: Any, inputs: Any) -> str:
    """Declare an estimator over the inputs; return the name of its answers (n, 1)."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common.data_types import FloatTensorType

    declared = scope.declare_local_operator(sklearn_operator_name_map[type(model)], model)
    declared.inputs = list(inputs)
    answer = scope.declare_local_variable("level_answer", FloatTensorType())
    declared.outputs.append(answer)
    return graph.add("Reshape", answer.onnx_name, graph.constant([-1, 1], whole=True))
