"""What is wrong with a suite is named; what goes wrong on the data is a finding."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.errors import BadData, SpecError
from pipelines.validation.run import check_table
from tests.unit.validation.events import TABLE, judge

SPOILT = [
    pytest.param(
        "column_values_to_be_between",
        {"column": "id", "min_value": "five"},
        "min_value",
        id="a text for a number",
    ),
    pytest.param(
        "column_values_to_be_between",
        {"column": "id", "min_value": "5"},
        "'5', and the column holds numbers",
        id="a number as text",
    ),
    pytest.param(
        "column_values_to_be_in_set",
        {"column": "id", "value_set": [1, "2"]},
        "holds numbers",
        id="a text in a set",
    ),
    pytest.param(
        "column_values_to_be_in_set",
        {"column": "price", "value_set": ["1,10"]},
        "no decimal number",
        id="no decimal",
    ),
    pytest.param(
        "column_values_to_be_in_set",
        {"column": "seen", "value_set": ["yesterday"]},
        "write 2020-01-01",
        id="no time",
    ),
    pytest.param(
        "column_values_to_be_between",
        {"column": "seen", "min_value": 1_700_000_000},
        "write 2020-01-01",
        id="a number for a time",
    ),
    pytest.param(
        "column_values_to_be_between",
        {"column": "id", "min_value": 2, "max_value": 1},
        "is greater than",
        id="reversed",
    ),
    pytest.param(
        "column_values_to_be_between",
        {"column": "id", "min_value": float("inf")},
        "no number",
        id="infinity",
    ),
    pytest.param(
        "column_values_to_be_between",
        {"column": "id", "min_value": {"$PARAMETER": "x"}},
        "PARAMETER",
        id="a parameter",
    ),
    pytest.param("column_values_to_be_between", {"column": "id"}, "min_value", id="no bound"),
    pytest.param(
        "column_values_to_be_betwen",
        {"column": "id"},
        "expect_column_values_to_be_between?",
        id="a typo",
    ),
    pytest.param(
        "column_values_to_not_be_null",
        {"colum": "id"},
        "it takes no `colum`",
        id="an unknown argument",
    ),
    pytest.param(
        "column_values_to_not_be_null", {}, "`column` is missing", id="a missing argument"
    ),
    pytest.param(
        "column_values_to_not_be_null",
        {"column": "id", "mostly": "0.5"},
        "write a number",
        id="a number as text for mostly",
    ),
    pytest.param(
        "column_values_to_not_be_null",
        {"column": "id", "mostly": 7},
        "a number from 0 to 1",
        id="mostly above 1",
    ),
    pytest.param(
        "column_values_to_be_of_type",
        {"column": "id", "type_": "int46"},
        "no type is called",
        id="an unknown type",
    ),
    pytest.param(
        "column_values_to_match_regex",
        {"column": "name", "regex": "("},
        "no regular expression",
        id="no regular expression",
    ),
    pytest.param(
        "column_values_to_match_like_pattern",
        {"column": "name", "like_pattern": "a%"},
        "database only",
        id="for SQL",
    ),
    pytest.param(
        "column_stdev_to_be_between",
        {"column": "id", "min_value": "1"},
        "write a number",
        id="a text for a figure",
    ),
    pytest.param(
        "column_values_to_not_be_null",
        {"column": "id", "row_condition": "@x > 3", "condition_parser": "pandas"},
        "row_condition",
        id="names of Python",
    ),
]


@pytest.mark.parametrize(("kind", "kwargs", "words"), SPOILT)
def test_what_a_suite_has_wrong_is_named_with_the_suite_and_the_expectation(kind, kwargs, words):
    with pytest.raises(SpecError) as caught:
        judge(kind, **kwargs)
    assert words in caught.value.message
    assert f"expectations/x.json: expect_{kind}" in caught.value.message
    assert "validation error" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("severity", ["loud", None, 3, ["critical"]])
def test_a_severity_that_there_is_not_is_refused(severity):
    spoilt = {"type": "expect_column_to_exist", "kwargs": {"column": "id"}, "severity": severity}
    with pytest.raises(SpecError, match="it takes critical, warning or info"):
        check_table("events", TABLE, [spoilt], "expectations/x.json")


def test_everything_that_a_suite_has_wrong_is_said_at_once():
    spoilt = [
        {"type": f"expect_{p.values[0]}", "kwargs": p.values[1], "meta": {"place": i}}
        for i, p in enumerate(SPOILT[:6])
    ]
    with pytest.raises(SpecError) as caught:
        check_table("events", TABLE, spoilt, "expectations/x.json")
    lines = caught.value.message.splitlines()
    assert [line.split(":")[1] for line in lines] == [f" expectations[{i}]" for i in range(6)]


def test_what_goes_wrong_on_the_data_is_a_finding_of_that_expectation_alone():
    expectations = [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "name", "min_value": 3},
            "severity": "warning",
        },
        {
            "type": "expect_column_values_to_be_unique",
            "kwargs": {"column": "id"},
            "severity": "warning",
        },
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "lost"}},
        {"type": "expect_column_stdev_to_be_between", "kwargs": {"column": "name", "min_value": 3}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "whole"}},
    ]
    results = check_table("events", TABLE, expectations, "expectations/x.json")
    assert [f.success for f in results] == [False, True, False, False, True]
    assert [f.critical for f in results] == [True, False, True, True, False]
    assert all("cannot be judged" in f.observed for f in results if not f.success)
    assert [f.expectation.partition(":")[0] for f in results] == [
        e["kwargs"]["column"] for e in expectations
    ]


def test_an_exception_of_the_library_itself_is_a_finding_too(monkeypatch):
    """Nothing that we know of raises there.

    But what it raises must not take the other expectations with it.
    """
    from pipelines.validation import run

    asked = run._validate

    def raising(name, frame, expectations):
        if any(e.column == "price" for e in expectations.values()):
            raise KeyError("boom")
        return asked(name, frame, expectations)

    monkeypatch.setattr(run, "_validate", raising)
    suite = [
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": c}}
        for c in ("id", "price", "name")
    ]
    results = check_table("events", TABLE, suite, "expectations/x.json")
    assert [f.success for f in results] == [True, False, False]
    assert "KeyError: 'boom'" in results[1].observed
    assert results[2].rows == [3, 4]


def test_ids_and_arguments_of_the_runner_in_a_saved_suite_change_nothing():
    saved = {
        "type": "expect_column_values_to_be_in_set",
        "id": "03ef6bca-2929-4b81-b044-c753a9871a66",
        "severity": "critical",
    }
    kwargs = {
        "column": "whole",
        "value_set": [1],
        "batch_id": "x",
        "result_format": "BOOLEAN_ONLY",
        "catch_exceptions": False,
    }
    for _ in range(2):
        [results] = check_table(
            "events", TABLE, [{**saved, "kwargs": kwargs}], "expectations/x.json"
        )
        assert results.rows == [0, 1, 2, 3, 4]


def test_two_columns_of_one_name_are_refused():
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(BadData, match="more than one column 'a'"):
        judge("column_values_to_be_unique", twice, column="a")
