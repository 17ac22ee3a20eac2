"""CatBoost, which only models with `requires:` have: its trees as flat arrays, and its converter.

Its trees are oblivious: all nodes of one depth ask the same.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.training.onnx.nodes import Nodes

Array = np.ndarray[Any, Any]

_NULL_IS_GREAT = "AsTrue"
"""What CatBoost writes of an input whose null is above every number (`nan_mode: Max`)."""


def is_catboost(estimator: Any) -> bool:
    """Tell whether this is a fitted estimator of CatBoost."""
    return type(estimator).__module__.startswith("catboost.") and hasattr(estimator, "save_model")


def read_catboost(estimator: Any) -> list[Nodes] | None:
    """Return the trees of a fitted estimator: `x > border` in float32, right where it is true.

    None of those that grow another way (`grow_policy`), which its own exporter refuses.
    """
    with tempfile.TemporaryDirectory(prefix="perennial-catboost-") as folder:
        file = Path(folder) / "model.json"
        estimator.save_model(str(file), format="json")
        model = json.loads(file.read_text(encoding="utf-8"))
    inputs = {f["feature_index"]: f for f in model["features_info"].get("float_features", ())}
    trees = model.get("oblivious_trees")
    return [_read_tree(t.get("splits") or [], inputs) for t in trees] if trees else None


def _read_tree(splits: list[dict[str, Any]], inputs: dict[int, dict[str, Any]]) -> Nodes:
    """Return one tree, node by node from the root down, each depth from left to right."""
    depth = np.repeat(np.arange(len(splits)), [2**d for d in range(len(splits))])
    numbers = np.arange(len(depth))
    asked = [inputs[s["float_feature_index"]] for s in splits]
    feature = np.array([f["flat_feature_index"] for f in asked], dtype=np.int64)
    border = np.array([np.float32(s["border"]) for s in splits], dtype=np.float64)
    great = np.array([f["nan_value_treatment"] == _NULL_IS_GREAT for f in asked], dtype=bool)
    return Nodes(
        feature=feature[depth],
        threshold=border[depth],
        parent=np.where(numbers, (numbers - 1) // 2, -1),
        left=numbers % 2 == 1,
        asks_null=np.ones(len(depth), dtype=bool),
        null_left=~great[depth],
        by_category=np.zeros(len(depth), dtype=bool),
    )


def register_catboost(ways: dict[str, tuple[Any, Any]]) -> None:
    """Tell skl2onnx of CatBoost's own exporter, where CatBoost was imported.

    `ways`: the shape calculator and the options of each kind of estimator.
    """
    library: Any = sys.modules.get("catboost")
    if library is None:
        return
    from skl2onnx import update_registered_converter

    for kind, (shape, options) in ways.items():
        estimator = getattr(library, f"CatBoost{kind}")
        update_registered_converter(
            estimator,
            f"PerennialCatBoost{kind}",
            shape,
            _convert,
            parser=_parse_classifier if kind == "Classifier" else None,
            options=options,
        )


def _parse_classifier(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> Any:
    """Declare what the converter gives: labels and probabilities.

    skl2onnx takes for classifiers what inherits from scikit-learn's.
    """
    del custom_parsers
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    operator = scope.declare_local_operator("PerennialCatBoostClassifier", model)
    operator.inputs = inputs
    kinds = {"label": Int64TensorType(), "probabilities": FloatTensorType()}
    for name, kind in kinds.items():
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return operator.outputs


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the one node of trees that CatBoost's exporter writes."""
    from catboost.utils import (  # type: ignore[import-not-found]
        convert_to_onnx_object,
    )
    from onnx.helper import get_attribute_value

    model = convert_to_onnx_object(operator.raw_operator)
    (node,) = [n for n in model.graph.node if n.op_type.startswith("TreeEnsemble")]
    container.add_node(
        node.op_type,
        [operator.inputs[0].full_name],
        [output.full_name for output in operator.outputs],
        op_domain="ai.onnx.ml",
        op_version=1,
        name=scope.get_unique_operator_name(node.op_type),
        **{attribute.name: get_attribute_value(attribute) for attribute in node.attribute},
    )
