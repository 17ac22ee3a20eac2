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
        given = _ask_mixture(scope, model.estimator_, operator.inputs)
    else:
        given = _ask_nearest(graph, model, operator.inputs[0].full_name)
    order = graph.constant(np.asarray(model.order_, dtype=np.int64))
    graph.add("Gather", given, order, to=answers, axis=1)
    graph.add("ArgMax", answers, to=places, axis=1, keepdims=0)


def _ask_mixture(scope: Any, mixture: Any, inputs: Any) -> str:
    """Declare the mixture over the inputs, which skl2onnx converts; return its probabilities."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    declared = scope.declare_local_operator(sklearn_operator_name_map[type(mixture)], mixture)
    declared.inputs = list(inputs)
    declared.outputs.append(scope.declare_local_variable("cluster_label", Int64TensorType()))
    probabilities = scope.declare_local_variable("cluster_probabilities", FloatTensorType())
    declared.outputs.append(probabilities)
    name: str = probabilities.onnx_name
    return name


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
