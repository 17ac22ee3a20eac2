"""From the target's column to what is learnt: texts, booleans, numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import BadData
from pipelines.spec import parse_spec
from pipelines.training.targets import binary_classes, refuse_constant, targets
from tests.worlds import SPEC

POSITIVE, COLUMN = ("target", "positive"), ("target", "column")


def spec(positive: str = "", task: str = "binary"):
    said = f", positive: {positive}" if positive else ""
    text = SPEC.replace("{column: bought, known_after: 1h}", f"{{column: bought{said}}}")
    if task == "regression":
        text = (
            text.replace("task: binary", "task: regression")
            .replace("roc_auc", "rmse")
            .replace("at_least", "at_most")
            .replace("DummyClassifier", "DummyRegressor")
            .replace("LogisticRegression, search: {C: [0.1, 1.0]}", "Ridge")
        )
    return parse_spec(text.encode(), "models/sales/model.yaml")


def table(*values: object, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"bought": pa.array(values, kind)})


@pytest.mark.parametrize(
    ("values", "positive", "learnt", "names"),
    [
        pytest.param(("yes", "no", "no"), '"yes"', [1, 0, 0], ("no", "yes"), id="texts"),
        pytest.param(("yes", "no", "no"), '"no"', [0, 1, 1], ("yes", "no"), id="the other one"),
        pytest.param((2, 1, 2), "2", [1, 0, 1], ("1", "2"), id="numbers"),
        pytest.param((2.0, 1.0), "2", [1, 0], ("1", "2"), id="floats"),
        pytest.param(("2", "1"), "2", [1, 0], ("1", "2"), id="numbers in texts"),
        pytest.param((True, False), "true", [1, 0], ("False", "True"), id="booleans"),
        pytest.param((True, False), "false", [0, 1], ("True", "False"), id="false is positive"),
        pytest.param((0, 1), "0", [1, 0], ("1", "0"), id="zero is positive"),
    ],
)
def test_the_positive_class_is_learnt_as_one(values, positive, learnt, names):
    rows, said = table(*values), spec(positive)
    assert targets(rows, said, None).tolist() == learnt
    assert binary_classes(said, rows) == names


@pytest.mark.parametrize("values", [(True, False), (1, 0), (1.0, 0.0)])
def test_booleans_and_0_and_1_need_no_positive(values):
    rows = table(*values)
    assert targets(rows, spec(), None).tolist() == [1, 0]
    assert binary_classes(spec(), rows) is None


@pytest.mark.parametrize(
    ("values", "positive", "words", "remedy"),
    [
        (("no", "Yes"), '"yes"', "'yes' is none of the values of bought: 'Yes', 'no'", '"Yes"'),
        (("no", "yes"), "yes", "'True' is none of the values", "YAML reads yes as true"),
        (("yes", "no", "maybe"), '"yes"', "holds 3 values", "derive the target"),
        (("yes", "yes"), '"yes"', "holds 1 value, a binary task needs two: 'yes'", "window"),
        (tuple("abcdefgh"), '"a"', "'a', 'b', 'c', 'd', 'e' and 3 more", "multiclass"),
    ],
)
def test_anything_but_two_classes_is_refused_by_their_values(values, positive, words, remedy):
    with pytest.raises(BadData) as caught:
        binary_classes(spec(positive), table(*values))
    assert words in caught.value.message
    assert remedy in caught.value.remedy
    assert caught.value.at == POSITIVE


def test_a_class_of_the_held_out_rows_alone_is_refused_too():
    with pytest.raises(BadData, match="holds 3 values"):
        binary_classes(spec('"yes"'), table("yes", "no"), table("no", "maybe"))


def test_a_null_is_never_a_negative():
    with pytest.raises(BadData, match="unknown in 1 of these rows"):
        targets(table("yes", None, "no"), spec('"yes"'), None)


@pytest.mark.parametrize(
    ("values", "task", "words", "remedy"),
    [
        (
            ("no", "yes"),
            "binary",
            "holds texts, which a binary",
            '{column: bought, positive: "yes"',
        ),
        ((1, 2), "binary", "values besides 0 and 1: '1', '2'", "positive: 1}"),
        ((0, 1, 2), "binary", "'0', '1', '2'", "it has 3 values"),
        (("a", "b"), "regression", "holds texts, which a regression", "multiclass"),
        ((1.0, float("inf")), "regression", "infinite", "features.py"),
    ],
)
def test_a_target_that_does_not_fit_says_what_to_write(values, task, words, remedy):
    with pytest.raises(BadData) as caught:
        targets(table(*values), spec(task=task), None)
    assert words in caught.value.message
    assert remedy in caught.value.remedy
    assert caught.value.at == COLUMN


def test_times_are_no_target():
    column = pa.array([0, 1], pa.timestamp("us", tz="UTC"))
    with pytest.raises(BadData, match="holds times, which a binary task cannot learn"):
        targets(pa.table({"bought": column}), spec(), None)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_value_is_refused_and_one_of_ten_thousand_is_not(value):
    with pytest.raises(BadData, match="is the same") as caught:
        refuse_constant(np.full(500, value), spec(task="regression"), "training rows")
    assert caught.value.at == COLUMN
    rare = np.zeros(10_000)
    rare[17] = 1
    refuse_constant(rare, spec(), "training rows")
