"""One class has one name, whatever holds it."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.classes import class_name, class_names, class_of, translate_classes


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (1, "1"),
        (1.0, "1"),
        (Decimal("1.00"), "1"),
        (Decimal("-0"), "0"),
        (2.5, "2.5"),
        (Decimal("2.50"), "2.5"),
        (2**53 + 1, "9007199254740993"),
        (1e22, "10000000000000000000000"),
        (True, "True"),
        ("1", "1"),
        (" Late ", " Late "),
        ("", ""),
        ("01", "01"),
        (None, None),
        (float("nan"), None),
    ],
)
def test_a_label_names_its_class(label, name):
    assert class_name(label) == name


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        pytest.param(pa.array([1, 2, None, 10]), ["1", "2", None, "10"], id="whole numbers"),
        pytest.param(
            pa.array([1.0, None, float("nan"), 10.0]),
            ["1", None, None, "10"],
            id="floats with unknown labels",
        ),
        pytest.param(pa.array([0.1, 2.0], pa.float32()), ["0.1", "2"], id="narrow floats"),
        pytest.param(pa.array([1, None], pa.decimal128(5, 2)), ["1", None], id="decimals"),
        pytest.param(pa.array([True, None]), ["True", None], id="booleans"),
        pytest.param(
            pa.array(["1.0", " a", None]), ["1.0", " a", None], id="texts are their own names"
        ),
        pytest.param(pa.nulls(2), [None, None], id="no label at all"),
    ],
)
def test_columns_of_every_type_name_their_classes_alike(labels, names):
    assert class_names(pa.chunked_array([labels.slice(0, 1), labels.slice(1)])).to_pylist() == names


@pytest.mark.parametrize("label", [1, 1.0, Decimal(1), "1", "1.0", True])
@pytest.mark.parametrize("classes", [["0", "1"], ["0.0", "1.0"], ["False", "True"]])
def test_a_label_finds_the_class_of_its_value(label, classes):
    assert class_of(label, classes) == classes[1]


def test_an_exact_name_goes_before_an_equal_value():
    assert [class_of(label, ["1", "1.0"]) for label in ("1", "1.0", 1.0)] == ["1", "1.0", "1"]


@pytest.mark.parametrize(
    "label", ["banana", "01", "1e0", " 1", "true", 3, 0.5, float("inf"), float("nan"), None]
)
def test_a_label_of_no_class_finds_none(label):
    assert class_of(label, ["0", "1", "late"]) is None


def test_another_models_classes_are_recognised_by_value_where_labels_are_numbers():
    assert translate_classes(["1.0", "10.0", "7.0"], ["1", "10", "2"], pa.int64()) == [
        "1",
        "10",
        "7",
    ]
    assert translate_classes(["False", "True"], ["0", "1"], pa.int64()) == ["0", "1"]
    assert translate_classes(["0", "1"], ["False", "True"], pa.bool_()) == ["False", "True"]


def test_texts_stay_as_they_are():
    assert translate_classes(["1.0", "a"], ["1", "a"], pa.string()) == ["1.0", "a"]
