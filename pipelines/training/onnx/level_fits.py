"""How fits of several levels are converted: side by side, sorted, shifted, and widened.

A vote of such is their weighted mean, shifted and widened; a finished model's answers are sorted
behind its own nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.bundle.quantile_fits import MEDIAN
from pipelines.training.onnx.graph import Nodes


def level_shape(operator: Any) -> None:
    """Say what type and shape the answers have: a column for each level."""
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, len(operator.raw_operator.levels)])


def convert_levels(scope: Any, operator: Any, container: Any) -> None:
    """Add the fits and what makes their answers not fall along a row (see `QuantileFits`)."""
    fits, graph = operator.raw_operator, Nodes(scope, container)
    answers = [_ask(scope, graph, fit, operator.inputs) for fit in fits.estimators_]
    joined = graph.add("Concat", *answers, axis=1) if len(answers) > 1 else answers[0]
    if len(answers) > 1:
        joined = _sort(graph, joined, len(answers))
    _spread(graph, joined, fits, operator.outputs[0].full_name)


def convert_vote(scope: Any, operator: Any, container: Any) -> None:
    """Add the members and the mean of their answers (see `QuantileVote`)."""
    vote, graph = operator.raw_operator, Nodes(scope, container)
    weights = vote._weights_not_none or [1.0] * len(vote.estimators_)  # noqa: SLF001 -- its own
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    width = len(vote.levels)
    parts = [
        graph.add("Mul", _ask(scope, graph, member, operator.inputs, width), graph.constant([w]))
        for member, w in zip(vote.estimators_, shares, strict=True)
    ]
    mean = graph.add("Sum", *parts) if len(parts) > 1 else parts[0]
    _spread(graph, mean, vote, operator.outputs[0].full_name)


def finish_levels(data: bytes, fits: Any, output: str) -> bytes:
    """Return a finished ONNX model whose answers at the levels are sorted, shifted and widened."""
    import onnx

    model = onnx.load_model_from_string(data)
    inner = f"{output}_within"
    for node in model.graph.node:
        for nth, name in enumerate(node.output):
            if name == output:
                node.output[nth] = inner
    added = _Added(model)
    graph = Nodes(added, added)
    _spread(graph, _sort(graph, inner, len(fits.levels)), fits, output)
    whole: bytes = model.SerializeToString(deterministic=True)
    return whole


class _Added:
    """Takes nodes and constants into a model that is there already, as skl2onnx's own would."""

    def __init__(self, model: Any) -> None:
        self._model, self._count = model, 0

    def get_unique_variable_name(self, stem: str) -> str:
        self._count += 1
        return f"perennial_level_{stem}_{self._count}"

    get_unique_operator_name = get_unique_variable_name

    def add_initializer(self, name: str, kind: int, shape: list[int], values: list[Any]) -> None:
        import onnx

        self._model.graph.initializer.append(onnx.helper.make_tensor(name, kind, shape, values))

    def add_node(
        self, kind: str, inputs: list[str], outputs: list[str], name: str, **attributes: Any
    ) -> None:
        import onnx

        made = onnx.helper.make_node(kind, inputs, outputs, name=name, **attributes)
        self._model.graph.node.append(made)


def _spread(graph: Nodes, joined: str, fits: Any, to: str) -> None:
    """Add the shifts of the levels, and what lets nothing fall along a row."""
    count = len(fits.levels)
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
    graph.add("Concat", *columns, axis=1, to=to)


def _sort(graph: Nodes, name: str, count: int) -> str:
    """Add what sorts each row, the least value first; return the name of what it gives."""
    most = graph.constant([count], whole=True)
    values, _ = graph.add_many("TopK", name, most, outputs=2, axis=1, largest=0, sorted=1)
    return values


def _ask(scope: Any, graph: Nodes, model: Any, inputs: Any, width: int = 1) -> str:
    """Declare an estimator over the inputs; return the name of its answers (n, width).

    Raises NotImplementedError where there is no converter for it.
    """
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common.data_types import FloatTensorType

    known = sklearn_operator_name_map.get(type(model))
    if known is None:
        msg = f"there is no converter for {type(model).__name__}"
        raise NotImplementedError(msg)
    declared = scope.declare_local_operator(known, model)
    declared.inputs = list(inputs)
    answer = scope.declare_local_variable("level_answer", FloatTensorType())
    declared.outputs.append(answer)
    return graph.add("Reshape", answer.onnx_name, graph.constant([-1, width], whole=True))
