"""The trees of XGBoost and LightGBM as flat arrays, and LightGBM's with float32 thresholds."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

from pipelines.training.onnx.nodes import Nodes, round_down

Array = np.ndarray[Any, Any]


def read_xgboost(estimator: Any) -> list[Nodes]:
    """Return the trees of a fitted estimator of XGBoost.

    It asks `x < threshold` in float32, which is `x <= the float32 below`.
    """
    dumps = estimator.get_booster().get_dump(dump_format="json")
    names = estimator.get_booster().feature_names
    position = {name: i for i, name in enumerate(names)} if names else None
    return [_collect(_xgboost_rows(json.loads(dump), position)) for dump in dumps]


def _xgboost_rows(tree: Any, position: dict[str, int] | None) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    waiting = [(tree, -1, False)]
    while waiting:
        node, parent, is_left = waiting.pop()
        if "children" not in node:
            continue
        split, at = node["split"], node["split_condition"]
        feature = position[split] if position else int(str(split).removeprefix("f"))
        sets = isinstance(at, list)
        threshold = 0.0 if sets else float(np.nextafter(np.float32(at), np.float32(-np.inf)))
        rows.append(
            (feature, threshold, parent, is_left, True, node["missing"] == node["yes"], sets)
        )
        here, yes = len(rows) - 1, node["yes"]
        waiting += [(child, here, child["nodeid"] == yes) for child in node["children"]]
    return rows


def read_lightgbm(estimator: Any) -> list[Nodes]:
    """Return the trees of a fitted estimator of LightGBM: `x <= threshold` in float64."""
    trees = estimator.booster_.dump_model()["tree_info"]
    return [_collect(_lightgbm_rows(tree["tree_structure"])) for tree in trees]


def _lightgbm_rows(tree: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    waiting = [(tree, -1, False)]
    while waiting:
        node, parent, is_left = waiting.pop()
        if "left_child" not in node:
            continue
        sets = node["decision_type"] != "<="
        threshold = 0.0 if sets else _past_zero(float(node["threshold"]))
        rows.append(
            (node["split_feature"], threshold, parent, is_left, True, _null_left(node), sets)
        )
        here = len(rows) - 1
        waiting += [(node["left_child"], here, True), (node["right_child"], here, False)]
    return rows


_ZERO = float(np.float32(1e-35))
"""LightGBM takes a number for zero whose size is not above this."""


def _past_zero(threshold: float) -> float:
    """Return the threshold that splits numbers as LightGBM does, which takes tiny ones for zero."""
    if -_ZERO <= threshold < 0:
        return float(np.nextafter(np.float32(-_ZERO), np.float32(-np.inf)))
    return _ZERO if 0 <= threshold <= _ZERO else threshold


def _null_left(node: Any) -> bool:
    """Tell whether null goes left at a node of LightGBM.

    Where no null was learnt from (`missing_type` None) null is taken for zero.
    """
    if node["missing_type"] == "None":
        return node["decision_type"] == "<=" and float(node["threshold"]) >= 0
    return bool(node["default_left"])


def _collect(rows: list[tuple[Any, ...]]) -> Nodes:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 7
    kinds = (np.int64, np.float64, np.int64, bool, bool, bool, bool)
    return Nodes(*(np.array(c, dtype=k) for c, k in zip(columns, kinds, strict=True)))


def asks_for_zero(estimator: Any) -> bool:
    """Tell whether a fitted estimator of LightGBM takes zero for null (`zero_as_missing`)."""
    return '"missing_type":"Zero"' in json.dumps(
        estimator.booster_.dump_model()["tree_info"], separators=(",", ":")
    )


class RoundedBooster:
    """A booster of LightGBM as the converter reads it, its thresholds rounded down to float32.

    onnxmltools 1.16 rounds them to the nearest float32, half of them upwards. It does not know that
    LightGBM takes numbers below 1e-35 for zero, nor that it takes null for zero where no null was
    learnt from.
    """

    is_mock = True
    """The converter's own word for: ask `dump_model`, not the library."""

    def __init__(self, booster: Any) -> None:
        """Keep the trees; of early stopping, those up to the best round."""
        self._trees = booster.dump_model()
        for tree in self._trees["tree_info"]:
            _round_tree(tree["tree_structure"])

    def dump_model(self) -> Any:
        """Return the trees as LightGBM's own `dump_model` does."""
        return copy.deepcopy(self._trees)


def _round_tree(tree: Any) -> None:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if "left_child" not in node:
            continue
        if node["decision_type"] == "<=":
            left = _null_left(node)
            threshold = _past_zero(float(node["threshold"]))
            node["threshold"] = float(round_down(np.array([threshold]))[0])
            node["default_left"], node["missing_type"] = left, "NaN"
        waiting += [node["left_child"], node["right_child"]]


def round_lightgbm(estimator: Any) -> Any:
    """Return a twin of a fitted estimator of LightGBM for the converter."""
    twin = copy.copy(estimator)
    twin._Booster = RoundedBooster(estimator.booster_)  # noqa: SLF001 -- `booster_` reads it
    return twin
