"""The inner nodes of the trees of any estimator, and thresholds rounded for the converter."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from pipelines.training.onnx.boosters import read_lightgbm, read_xgboost, round_lightgbm
from pipelines.training.onnx.nested import replace_estimators
from pipelines.training.onnx.nodes import Nodes, join, round_down
from pipelines.training.onnx.oblivious_trees import is_catboost, read_catboost

Array = np.ndarray[Any, Any]


def read_nodes(estimator: Any) -> Nodes | None:
    """Return the inner nodes of a fitted tree or an ensemble of trees.

    None for an estimator without trees.
    """
    trees = _read_trees(estimator)
    return None if trees is None else join(trees)


def _read_trees(estimator: Any) -> list[Nodes] | None:
    if hasattr(estimator, "_predictors"):
        # It shows its trees nowhere else.
        rounds = estimator._predictors  # noqa: SLF001
        return [_read_boosted(p.nodes) for of_round in rounds for p in of_round]
    if hasattr(getattr(estimator, "tree_", None), "children_left"):  # none for finding neighbours
        return [_read_grown(estimator.tree_)]
    if hasattr(estimator, "estimators_"):
        members = np.ravel(np.array(estimator.estimators_, dtype=object))
        if all(hasattr(member, "tree_") for member in members):
            return [_read_grown(tree.tree_) for tree in members]
    return _read_library(estimator)


def _read_library(estimator: Any) -> list[Nodes] | None:
    if hasattr(estimator, "get_booster") and hasattr(estimator, "_Booster"):
        return read_xgboost(estimator)
    if hasattr(estimator, "booster_"):
        return read_lightgbm(estimator)
    return read_catboost(estimator) if is_catboost(estimator) else None


def round_thresholds(pipeline: Any) -> Any:
    """Return the pipeline with thresholds that are float32, for the converter.

    The fitted one is left as it is.

    skl2onnx 1.20 rounds the thresholds of scikit-learn's own trees down, and those of
    HistGradientBoosting to the nearest float32, half of them upwards: then `x <= threshold` is true
    for an x where it was false. onnxmltools does the latter with LightGBM; XGBoost's are float32.
    """

    def change(estimator: Any) -> Any:
        if hasattr(estimator, "_predictors"):
            twin = copy.copy(estimator)
            # It shows its trees nowhere else.
            rounds = estimator._predictors  # noqa: SLF001
            twin._predictors = [  # noqa: SLF001
                [_round_tree(p) for p in of_round] for of_round in rounds
            ]
            return twin
        if type(estimator).__module__.startswith("lightgbm.") and hasattr(estimator, "booster_"):
            return round_lightgbm(estimator)
        return estimator

    return replace_estimators(pipeline, change)


def _round_tree(predictor: Any) -> Any:
    twin = copy.copy(predictor)
    twin.nodes = predictor.nodes.copy()
    twin.nodes["num_threshold"] = round_down(predictor.nodes["num_threshold"])
    return twin


def _read_boosted(nodes: Array) -> Nodes:
    """Return one tree of HistGradientBoosting."""
    inner = nodes["is_leaf"] == 0
    parent, is_left = _find_parents(
        nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), inner
    )
    splits = nodes[inner]
    return Nodes(
        feature=splits["feature_idx"].astype(np.int64),
        threshold=splits["num_threshold"].astype(np.float64),
        parent=parent,
        left=is_left,
        asks_null=np.ones(len(splits), dtype=bool),
        null_left=splits["missing_go_to_left"].astype(bool),
        by_category=splits["is_categorical"].astype(bool),
    )


def _read_grown(tree: Any) -> Nodes:
    """Return one of scikit-learn's own trees.

    It sends null a way of its own where it learnt from nulls; where null is imputed before it, a
    row with null merely takes another path.
    """
    inner = tree.children_left >= 0
    parent, is_left = _find_parents(tree.children_left, tree.children_right, inner)
    return Nodes(
        tree.feature[inner],
        tree.threshold[inner],
        parent,
        is_left,
        asks_null=np.ones(int(inner.sum()), dtype=bool),
        null_left=tree.missing_go_to_left[inner].astype(bool),
        by_category=np.zeros(int(inner.sum()), dtype=bool),
    )


def _find_parents(left_children: Array, right_children: Array, inner: Array) -> tuple[Array, Array]:
    """Return the parents of the inner nodes, and whether a node is a left child.

    A parent is its position among the inner nodes.
    """
    places = np.flatnonzero(inner)
    numbers = np.cumsum(inner) - 1
    parent, is_left = np.full(len(inner), -1, dtype=np.int64), np.zeros(len(inner), dtype=bool)
    parent[left_children[places]] = parent[right_children[places]] = numbers[places]
    is_left[left_children[places]] = True
    return parent[places], is_left[places]
