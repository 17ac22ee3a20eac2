"""Which expectations are left to Spark, and why the others are not: found without Spark."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.validation.build import build_expectation
from pipelines.validation.spark_alike import (
    kind_of,
    last_digit_is_free,
    spark_regex,
    why_not_on_spark,
)

SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("wide", pa.uint64()),
        ("f", pa.float64()),
        ("s", pa.string()),
        ("t", pa.timestamp("us", "UTC")),
        ("fine", pa.timestamp("ns", "UTC")),
        ("list", pa.list_(pa.int64())),
    ]
)


SCORES = {"threshold": 3, "double_sided": True}


def why(kind, **kwargs):
    expectation = {"type": f"expect_{kind}", "kwargs": kwargs}
    return why_not_on_spark(expectation, SCHEMA, build_expectation(expectation, SCHEMA))


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        ("column_values_to_be_between", {"column": "n", "min_value": 1}, ""),
        ("column_values_to_be_between", {"column": "s", "min_value": 1}, "s is string"),
        ("column_values_to_be_between", {"column": "gone", "min_value": 1}, "no such column"),
        ("column_values_to_be_between", {"column": "n", "max_value": 2**64}, "64 bits"),
        ("column_values_to_not_be_null", {"column": "wide"}, "wide is uint64"),
        ("column_values_to_not_be_null", {"column": "fine"}, "fine is timestamp[ns"),
        ("column_values_to_not_be_null", {"column": "list"}, "list is list<"),
        ("column_values_to_be_unique", {"column": "f"}, "f is double"),
        ("column_values_to_be_in_set", {"column": "s", "value_set": ["a", None]}, "null is in no"),
        ("column_median_to_be_between", {"column": "n"}, "whole column to Spark's driver"),
        ("column_values_to_be_json_parseable", {"column": "s"}, "Python on the workers"),
        ("column_values_to_be_increasing", {"column": "n"}, "no order of their own"),
        ("column_value_z_scores_to_be_less_than", {"column": "n", **SCORES}, "not tried on Spark"),
    ],
)
def test_why_an_expectation_is_not_judged_on_spark(kind, kwargs, words):
    found = why(kind, **kwargs)
    assert words in found
    assert bool(words) == bool(found)


@pytest.mark.parametrize(
    "regex", [r"\d+", r"\w", r"(?P<a>b)", r"a\$", "a$|b", "(?=a)", "[[:alpha:]]", "a*+", "é"]
)
def test_one_that_java_reads_otherwise_is_not(regex):
    expectation = {
        "type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "s", "regex": regex},
    }
    assert "in a way of its own" in why_not_on_spark(expectation, SCHEMA)


def test_the_end_of_a_text_is_its_very_end():
    assert spark_regex("^a$") == r"(?d)^a\z"
    assert spark_regex("a") == "(?d)a"


def test_sums_of_floats_and_deviations_may_differ_in_their_last_digit():
    def free(kind, column):
        kwargs = {"column": column}
        return last_digit_is_free({"type": f"expect_column_{kind}", "kwargs": kwargs}, SCHEMA)

    assert free("mean_to_be_between", "f")
    assert not free("mean_to_be_between", "n")
    assert free("stdev_to_be_between", "n")
    assert not free("max_to_be_between", "f")


def test_what_spark_reads_otherwise_is_of_no_kind():
    assert kind_of(pa.dictionary(pa.int32(), pa.string())) == "text"
    assert kind_of(pa.decimal128(38, 2)) == "decimal"
    assert kind_of(pa.decimal256(60, 2)) == ""
    assert kind_of(pa.date32()) == "date"
    assert kind_of(pa.time64("us")) == ""
