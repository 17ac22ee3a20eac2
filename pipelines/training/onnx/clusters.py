"""How a clustering is converted: the nearest of its points, or the probabilities of a mixture."""

from __future__ import annotations

from typing import Any

import numpy as np


def parse_clusters(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare a clustering with two outputs: the place of its cluster, and its memberships."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    del custom_parsers  # those of the parts, of which there are none here
    declared = scope.declare_local_operator("PerennialClusters", model)
    declared.inputs = list(inputs)
    declared.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    declared.outputs.append(scope.declare_local_variable("probabilities", FloatTensorType()))
    return declared.outputs


def clusters_shape(operator: Any) -> None:
    """Say which types and shapes a clustering gives: places of clusters, and memberships."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    operator.outputs[0].type = Int64TensorType([None])
    operator.outputs[1].type = FloatTensorType([None, len(operator.raw_operator.classes_)])


def convert_clusters(scope: Any, operator: Any, container: Any) -> None:
    """Add what gives the memberships (n, k), in the clusters' order, and the greatest one's place.

    Raises NotImplementedError for an estimator that decides in another way.
    """
    model = operator.raw_operator
    graph = Graph(scope, container)
    places, answers = (output.full_name for output in operator.outputs)
    if model.is_mixture:
        given = _ask_mixture(graph, model.estimator_, operator.inputs[0].full_name)
    else:
        given = _ask_nearest(graph, model, operator.inputs[0].full_name)
    order = graph.constant(np.asarray(model.order_, dtype=np.int64))
    graph.add("Gather", given, order, to=answers, axis=1)
    graph.add("ArgMax", answers, to=places, axis=1, keepdims=0)


def _ask_mixture(graph: Graph, mixture: Any, inputs: str) -> str:
    """Add the probabilities of a mixture of normal distributions (n, k), found in float64.

    skl2onnx computes them in float32, where a row far away has none. The logarithm of each density
    is half of a squared distance below a constant, which is read off at one point.
    """
    from onnx import TensorProto

    whitening, means = _whitening(mixture), mixture.means_
    k, m = means.shape
    centred = np.einsum("km,kmj->kj", means, whitening)
    at = means[:1]
    squares = ((np.einsum("m,kmj->kj", at[0], whitening) - centred) ** 2).sum(axis=1)
    log_densities = mixture._estimate_weighted_log_prob(at)[0]  # noqa: SLF001 -- weights included
    constants = log_densities + squares / 2
    rows = graph.add("Cast", inputs, to_type=TensorProto.DOUBLE)
    stacked = graph.constant(whitening.transpose(1, 0, 2).reshape(m, k * m))
    white = graph.add("MatMul", rows, stacked)
    apart = graph.add("Sub", white, graph.constant(centred.reshape(1, k * m)))
    square = graph.add("Mul", apart, apart)
    by_component = graph.add("Reshape", square, graph.constant(np.array([-1, k, m])))
    far = graph.add("ReduceSum", by_component, graph.constant(np.array([2])), keepdims=0)
    half = graph.add("Mul", far, graph.constant(np.array([-0.5])))
    logs = graph.add("Add", half, graph.constant(constants[None, :]))
    shares = graph.add("Softmax", logs, axis=1)
    return graph.add("Cast", shares, to_type=TensorProto.FLOAT)


def _whitening(mixture: Any) -> Any:
    """Return by component what makes a row's distance one in standard deviations (k, m, m)."""
    k, m = mixture.means_.shape
    factors = mixture.precisions_cholesky_
    if mixture.covariance_type == "full":
        return factors
    if mixture.covariance_type == "tied":
        return np.broadcast_to(factors, (k, m, m))
    scales = factors if mixture.covariance_type == "diag" else factors[:, None]
    return np.eye(m) * np.broadcast_to(scales, (k, m))[:, None, :]


def _ask_nearest(graph: Graph, model: Any, inputs: str) -> str:
    """Add the cluster of the nearest point, 1 in its place (n, k); distances are in float64.

    |x - p|² without |x|², which is the same for all points.
    """
    from onnx import TensorProto

    found = model.centres()
    if found is None:
        msg = f"{type(model.estimator_).__name__} does not go by the nearest of its points"
        raise NotImplementedError(msg)
    points, places = (np.asarray(side) for side in found)
    points = points.astype(np.float64)
    rows = graph.add("Cast", inputs, to_type=TensorProto.DOUBLE)
    product = graph.add("MatMul", rows, graph.constant(-2 * points.T))
    far = graph.add("Add", product, graph.constant((points**2).sum(axis=1)[None, :]))
    nearest = graph.add("ArgMin", far, axis=1, keepdims=0)
    own = graph.add("Gather", graph.constant(places.astype(np.int64)), nearest, axis=0)
    depth = graph.constant(np.array([len(model.classes_)], dtype=np.int64))
    return graph.add("OneHot", own, depth, graph.constant(np.array([0, 1], np.float32)), axis=1)


class Graph:
    """Adds nodes with names of their own to the model that is being made."""

    def __init__(self, scope: Any, container: Any) -> None:
        """Add to the container, with names of the scope."""
        self._scope, self._container = scope, container

    def constant(self, values: Any) -> str:
        """Add an array in its own type and return its name."""
        from onnx import TensorProto

        kinds = {
            np.dtype(np.float32): TensorProto.FLOAT,
            np.dtype(np.float64): TensorProto.DOUBLE,
            np.dtype(np.int64): TensorProto.INT64,
        }
        name: str = self._scope.get_unique_variable_name("clusters_constant")
        kind = kinds[values.dtype]
        self._container.add_initializer(name, kind, list(values.shape), values.ravel().tolist())
        return name

    def add(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Add a node and return the name of what it gives."""
        if "to_type" in attributes:  # what ONNX calls the type that a cast gives
            attributes["to"] = attributes.pop("to_type")
        name = self._scope.get_unique_operator_name(f"Clusters{kind}")
        output = to or self._scope.get_unique_variable_name(f"clusters_{kind.lower()}")
        self._container.add_node(kind, list(inputs), output, name=name, **attributes)
        return output
