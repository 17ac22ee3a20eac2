"""Converters beside skl2onnx's own: XGBoost, LightGBM, stacks, isotonic calibration, our steps."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from pipelines.bundle.clusters import Clusters
from pipelines.bundle.quantile_fits import QuantileFits, QuantileVote
from pipelines.training.onnx.clusters import clusters_shape, convert_clusters, parse_clusters
from pipelines.training.onnx.graph import Nodes
from pipelines.training.onnx.level_fits import convert_levels, convert_vote, level_shape
from pipelines.training.onnx.oblivious_trees import register_catboost
from pipelines.training.onnx.stacks import convert_stack, stack_shape
from pipelines.transformers.numbers import Cycles, SignedLog


def register_converters() -> None:
    """Tell skl2onnx what it does not convert by itself, or converts wrong."""
    _register_locked()
    register_catboost(_ways())


def _ways() -> dict[str, tuple[Any, Any]]:
    """Return the shape calculator and the options of classifiers and regressors."""
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    return {
        "Classifier": (
            calculate_linear_classifier_output_shapes,
            {
                "nocl": [True, False],
                "raw_scores": [True, False],
                "zipmap": [True, False, "columns"],
            },
        ),
        "Regressor": (calculate_linear_regressor_output_shapes, None),
    }


@functools.cache
def _register_locked() -> None:
    """Register what the lock has; once per process."""
    import lightgbm
    import xgboost
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.operator_converters import calibrated_classifier_cv
    from sklearn.ensemble import StackingClassifier, StackingRegressor

    ways = _ways()
    for stack in (StackingClassifier, StackingRegressor):
        update_registered_converter(
            stack,
            f"Perennial{stack.__name__}",
            stack_shape,
            convert_stack,
            options=ways["Classifier" if stack is StackingClassifier else "Regressor"][1],
        )
    update_registered_converter(
        Clusters,
        "PerennialClusters",
        clusters_shape,
        convert_clusters,
        parser=parse_clusters,
        options={"zipmap": [False]},
    )
    for library, stem, convert in (
        (xgboost, "XGB", convert_xgboost),
        (xgboost, "XGBRF", convert_xgboost),
        (lightgbm, "LGBM", _convert_lightgbm),
    ):
        for kind, (shape, options) in ways.items():
            estimator = getattr(library, stem + kind)
            update_registered_converter(
                estimator, f"Perennial{stem}{kind}", shape, convert, options=options
            )
    for numbers, shape, convert in (
        (Cycles, _cycles_shape, _convert_cycles),
        (SignedLog, _signed_log_shape, _convert_signed_log),
    ):
        update_registered_converter(numbers, f"Perennial{numbers.__name__}", shape, convert)
    for levels, convert in ((QuantileFits, convert_levels), (QuantileVote, convert_vote)):
        update_registered_converter(levels, f"Perennial{levels.__name__}", level_shape, convert)
    # skl2onnx 1.20 takes the nearest learnt point, and scikit-learn the line between two.
    calibrated_classifier_cv._transform_isotonic = convert_isotonic  # noqa: SLF001


def _convert_lightgbm(scope: Any, operator: Any, container: Any) -> None:
    """Convert by onnxmltools; with the option `raw_scores` give log-odds, as calibration needs."""
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    options = {"raw_scores": False}
    if hasattr(operator.raw_operator, "classes_"):
        options = container.get_options(operator.raw_operator, options)
    before = len(container.nodes)
    convert_lightgbm(scope, operator, container)
    if not options["raw_scores"]:
        return
    for node in container.nodes[before:]:
        for attribute in node.attribute:
            if node.op_type == "TreeEnsembleClassifier" and attribute.name == "post_transform":
                attribute.s = b"NONE"


def convert_isotonic(
    scope: Any, container: Any, model: Any, scores: str, k: int, dtype: Any, proto_type: Any
) -> str:
    """Add the lines between the learnt points of a fold's k-th isotonic calibrator.

    Returns the name of the probabilities (n, 1): the first learnt one, and what each stretch
    between two points adds up to the score. Raises NotImplementedError where two points are one
    float32.
    """
    del dtype, proto_type  # skl2onnx hands them to its own function
    x, y = (np.asarray(a, np.float64) for a in _points(model.calibrators[k]))
    x32 = x.astype(np.float32)
    if len(x) > 1 and (np.diff(x32) <= 0).any():
        msg = "two learnt points of an isotonic calibration are one in float32"
        raise NotImplementedError(msg)
    if len(x) == 1:  # a constant: a line without slope
        x32, y = np.array([x32[0], x32[0] + 1], np.float32), np.array([y[0], y[0]])
    slopes = (np.diff(y) / np.diff(x32.astype(np.float64))).astype(np.float32)
    graph = Nodes(scope, container)
    column = graph.add("Reshape", scores, graph.constant([-1, 1], whole=True))
    low, high = (graph.constant(side[None, :]) for side in (x32[:-1], x32[1:]))
    reached = graph.add("Min", graph.add("Max", column, low), high)
    gained = graph.add("MatMul", graph.add("Sub", reached, low), graph.constant(slopes[:, None]))
    return graph.add("Add", gained, graph.constant([y[0]]))


def _points(calibrator: Any) -> tuple[Any, Any]:
    return calibrator.X_thresholds_, calibrator.y_thresholds_


def _cycles_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    width = operator.raw_operator.n_features_in_
    operator.outputs[0].type = FloatTensorType([None, 2 * width])


def _convert_cycles(scope: Any, operator: Any, container: Any) -> None:
    """Add the sine and the cosine of each number, side by side, in float32 as they are fitted."""
    graph, step = Nodes(scope, container), operator.raw_operator
    factor = graph.constant([np.float32(2 * np.pi / step.period)])
    angles = graph.add("Mul", operator.inputs[0].full_name, factor)
    axis = graph.constant([2], whole=True)
    waves = [graph.add("Unsqueeze", graph.add(w, angles), axis) for w in ("Sin", "Cos")]
    shape = graph.constant([-1, 2 * step.n_features_in_], whole=True)
    both = graph.add("Concat", *waves, axis=2)
    graph.add("Reshape", both, shape, to=operator.outputs[0].full_name)


def _signed_log_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, operator.raw_operator.n_features_in_])


def _convert_signed_log(scope: Any, operator: Any, container: Any) -> None:
    """Add sign(x) · log(1 + |x|)."""
    graph = Nodes(scope, container)
    x = operator.inputs[0].full_name
    log = graph.add("Log", graph.add("Add", graph.add("Abs", x), graph.constant([1.0])))
    graph.add("Mul", graph.add("Sign", x), log, to=operator.outputs[0].full_name)
