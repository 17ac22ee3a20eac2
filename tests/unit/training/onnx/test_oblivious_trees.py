"""CatBoost's trees as its own JSON tells them: which way numbers and nulls go."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.training.onnx.oblivious_trees import is_catboost
from pipelines.training.onnx.tree_nodes import read_nodes

ROWS = [[np.nan, 0.1, 1], [0.5, -0.3, 3], [-1.2, 2.0, 2], [0.1, 0.0, 0]]
LOW, MIDDLE, HIGH, GREATEST = (
    -0.7222073674201965,
    -0.3466665744781494,
    -0.05730173736810684,
    3.4028234663852886e38,
)


def model_of(treatment, *trees):
    inputs = [treatment, "AsIs", "AsIs"]
    floats = [
        {"feature_index": i, "flat_feature_index": i, "nan_value_treatment": way}
        for i, way in enumerate(inputs)
    ]
    body = [
        {
            "splits": [{"float_feature_index": i, "border": b} for i, b in splits],
            "leaf_values": leaves,
        }
        for splits, leaves in trees
    ]
    return {"features_info": {"float_features": floats}, "oblivious_trees": body}


RECORDED = {
    # What CatBoost 1.2.10 wrote of two fits on the same rows, and its raw answers to ROWS.
    "null is below all (Min)": (
        model_of(
            "AsFalse",
            (
                [(0, HIGH), (0, LOW)],
                [-0.8387096774193549, 0, -0.4666666666666667, 0.635036496350365],
            ),
            (
                [(0, MIDDLE), (2, 1.5)],
                [
                    -0.6201379890667343,
                    0.24631253051832072,
                    -0.37052783630363645,
                    0.25310285144847805,
                ],
            ),
            (
                [(0, HIGH), (2, 1.5)],
                [
                    -0.5768611553245337,
                    0.43169026796903853,
                    -0.178786053439368,
                    0.16456909037585468,
                ],
            ),
        ),
        [-2.0357088218106227, 1.0527084381746978, -1.3880235671623593, 1.3130392948377243],
    ),
    "null is above all (Max)": (
        model_of(
            "AsTrue",
            (
                [(0, HIGH), (0, GREATEST)],
                [-0.6934306569343066, 0.635036496350365, 0, -0.7096774193548387],
            ),
            (
                [(0, HIGH), (0, GREATEST)],
                [-0.43312202250015425, 0.3881214811435737, 0, -0.47986102431762095],
            ),
            (
                [(1, 0.7284897565841675), (2, 1.5)],
                [
                    -0.1592307211400617,
                    -0.22602041447523016,
                    -0.25106747141630453,
                    0.5251339442857271,
                ],
            ),
        ),
        [-1.3487691648125213, 0.772090506077634, -0.6014187351487338, 0.8639272563538769],
    ),
}


def estimator_of(model):
    """A fitted estimator as CatBoost's are asked for their trees."""

    class CatBoostClassifier:
        def save_model(self, path, format):  # noqa: A002 -- theirs
            assert format == "json"
            Path(path).write_text(json.dumps(model))

    CatBoostClassifier.__module__ = "catboost.core"
    return CatBoostClassifier()


def answer(nodes, model, row):
    """The sum of the leaves that a row reaches by the nodes: right is the higher half."""
    total, start = 0.0, 0
    for tree in model["oblivious_trees"]:
        count = 2 ** len(tree["splits"]) - 1
        node, leaf = 0, 0
        for depth in range(len(tree["splits"])):
            at = start + node
            value = row[nodes.feature[at]]
            left = nodes.null_left[at] if np.isnan(value) else value <= nodes.threshold[at]
            assert nodes.parent[at] == (start + (node - 1) // 2 if node else -1)
            leaf |= (not left) << depth
            node = 2 * node + (1 if left else 2)
        total, start = total + tree["leaf_values"][leaf], start + count
    assert start == len(nodes.feature)
    return total


@pytest.mark.parametrize("case", RECORDED)
def test_the_nodes_answer_as_catboost_did(case):
    model, raw = RECORDED[case]
    estimator = estimator_of(model)
    assert is_catboost(estimator)
    nodes = read_nodes(estimator)
    given = [answer(nodes, model, np.float32(row)) for row in ROWS]
    assert np.allclose(given, raw, atol=1e-12)


def test_trees_that_grow_another_way_have_no_nodes():
    assert (
        read_nodes(estimator_of({"features_info": {"float_features": []}, "trees": [{}]})) is None
    )
