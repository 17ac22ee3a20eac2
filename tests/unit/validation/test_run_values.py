"""Bounds, sets and types of a suite are read as values of the column that they judge."""

from __future__ import annotations

import inspect
import sys

import pytest

from tests.unit.validation.events import BIG, HUGE, TABLE, broken_rows, judge


@pytest.mark.parametrize(
    ("column", "bounds", "rows"),
    [
        pytest.param("id", {"max_value": BIG}, [1], id="a whole number above 2^53 beside a null"),
        pytest.param("id", {"min_value": BIG + 1}, [0, 3, 4], id="a bound above 2^53"),
        pytest.param(
            "whole", {"max_value": float(BIG)}, [1, 2], id="a whole number written as a float"
        ),
        pytest.param(
            "few", {"min_value": 1.5, "max_value": 3.5}, [0, 3], id="bounds with a fraction"
        ),
        pytest.param("huge", {"max_value": HUGE - 1}, [1], id="uint64"),
        pytest.param("huge", {"max_value": 10**30}, [], id="a bound beyond every column"),
        pytest.param(
            "price",
            {"min_value": "1.10", "max_value": 3},
            [4],
            id="decimals, bounds as text and as a number",
        ),
        pytest.param(
            "price",
            {"min_value": 1.1, "strict_min": True, "max_value": "12345678901234567890.11"},
            [0, 4],
            id="exact",
        ),
        pytest.param(
            "share", {"min_value": 0.1, "max_value": 0.4}, [4], id="float32 holds its own 0.1"
        ),
        pytest.param("flag", {"min_value": True}, [2], id="booleans"),
        pytest.param("seen", {"min_value": "2024-01-02"}, [0], id="a date"),
        pytest.param(
            "seen",
            {"min_value": "2024-01-02T06:00:00", "strict_min": True},
            [0, 1],
            id="a time without a zone",
        ),
        pytest.param("seen", {"max_value": "2024-01-02T06:00:00Z"}, [3, 4], id="a time in UTC"),
        pytest.param(
            "seen",
            {"max_value": "2024-01-02T08:00:00+02:00", "strict_max": True},
            [1, 3, 4],
            id="another zone",
        ),
        pytest.param(
            "naive",
            {"max_value": "2024-01-03T00:00:00Z"},
            [3, 4],
            id="times kept without a zone are in UTC",
        ),
        pytest.param(
            "day",
            {"min_value": "2024-01-02", "max_value": "2024-01-04T12:00:00"},
            [0, 4],
            id="dates",
        ),
        pytest.param("void", {"min_value": 3}, [], id="a column without values"),
    ],
)
def test_bounds_are_values_of_the_column(column, bounds, rows):
    assert broken_rows("column_values_to_be_between", column=column, **bounds) == rows


@pytest.mark.parametrize(
    "text",
    ["2024-01-02", "2024-01-02T00:00:00", "2024-01-02T00:00:00Z", "2024-01-02T01:00:00+01:00"],
)
def test_all_ways_to_write_a_moment_mean_the_same(text):
    assert broken_rows("column_values_to_be_between", column="seen", min_value=text) == [0]
    assert broken_rows("column_values_to_be_in_set", column="naive", value_set=[text]) == [
        0,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize(
    ("column", "value_set", "rows"),
    [
        pytest.param("id", [BIG, 5, 7], [1], id="2^53 is not 2^53 + 1"),
        pytest.param(
            "whole",
            [BIG + 1, BIG + 2, 5, 7.0, 2**70],
            [0],
            id="numbers that the column cannot hold change nothing",
        ),
        pytest.param("huge", [HUGE, 2**63, 1], [2], id="uint64"),
        pytest.param(
            "price", ["1.1", 2.5, 3, "12345678901234567890.12"], [], id="decimals of another scale"
        ),
        pytest.param(
            "price", ["1.1001", 2.5, 3], [0, 4], id="a decimal of more digits than the column"
        ),
        pytest.param("share", [0.1, 0.2, 0.4], [4], id="float32"),
        pytest.param("flag", [True], [2], id="booleans"),
        pytest.param("flag", [1], [2], id="1 is true"),
        pytest.param("seen", ["2024-01-02T06:00:00Z", "2024-01-01"], [3, 4], id="times"),
        pytest.param("day", ["2024-01-01", "2024-01-05"], [1, 2, 3], id="dates"),
        pytest.param("name", ["a", "b"], [3, 4], id="texts"),
        pytest.param("code", ["x"], [1, 3], id="a dictionary"),
    ],
)
def test_sets_hold_values_of_the_column(column, value_set, rows):
    assert broken_rows("column_values_to_be_in_set", column=column, value_set=value_set) == rows
    there = [i for i, v in enumerate(TABLE[column].to_pylist()) if v is not None and i not in rows]
    assert (
        broken_rows("column_values_to_not_be_in_set", column=column, value_set=value_set) == there
    )


TIMES = [
    "datetime64[ns]",
    "datetime64[us]",
    "datetime64",
    "datetime64[ns, UTC]",
    "Timestamp",
    "datetime",
    "timestamp[us, tz=UTC]",
]
TYPES = {
    "id": ["int64", "int", "integer", "Int64", "long"],
    "few": ["int16", "int", "integer", "long"],
    "huge": ["uint64", "int", "integer", "long"],
    "price": ["Decimal", "object", "decimal128(22, 2)"],
    "share": ["float32", "float"],
    "flag": ["bool", "boolean"],
    "seen": TIMES,
    "day": ["date", "object", *TIMES],
    "name": ["str", "string", "object", "text"],
    "code": ["str", "string", "object", "text"],
}


@pytest.mark.parametrize("column", TYPES)
def test_types_are_those_that_are_kept_whatever_is_null(column):
    every = {name for names in TYPES.values() for name in names} | {"float64"}
    met = {
        name
        for name in every
        if judge("column_values_to_be_of_type", column=column, type_=name).success
    }
    assert met == set(TYPES[column])
    assert judge(
        "column_values_to_be_in_type_list",
        column=column,
        type_list=["INTEGER_OF_SQL", TYPES[column][0]],
    ).success
    assert judge("column_type_to_be", column=column, type_=TYPES[column][0]).success


def test_a_column_of_nulls_is_of_any_type():
    assert judge("column_values_to_be_of_type", column="void", type_="int64").success
    assert not judge("column_values_to_be_of_type", column="not there", type_="int64").success


def test_for_a_bound_on_decimals_nobody_looks_through_the_call_stack():
    """For its profiler, Great Expectations does: a tenth of a second for each look."""
    called = set()

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename == inspect.__file__:
            called.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        inspect.stack()
        assert "stack" in called, "calls are seen"
        called.clear()
        result = judge("column_values_to_be_between", column="price", min_value="2.5")
    finally:
        sys.setprofile(None)
    assert not result.success
    assert "stack" not in called
