"""What is judged is what is kept.

Every expectation on columns that float64 or pandas' objects would change.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import BadData, SpecError
from pipelines.validation.run import check_table

BIG = 2**53
HUGE = 2**64 - 1


def at(day, hour=0):
    return dt.datetime(2024, 1, day, hour, tzinfo=dt.UTC)


TABLE = pa.table(
    {
        "id": pa.array([BIG, BIG + 1, None, 5, 7]),
        "whole": pa.array([BIG, BIG + 1, BIG + 2, 5, 7]),
        "few": pa.array([1, 2, None, 4, 3], pa.int16()),
        "huge": pa.array([1, HUGE, 3, 2**63, None], pa.uint64()),
        "price": pa.array(
            [
                Decimal("1.10"),
                Decimal("2.50"),
                None,
                Decimal("3.00"),
                Decimal("12345678901234567890.12"),
            ]
        ),
        "share": pa.array([0.1, 0.2, None, 0.4, 0.5], pa.float32()),
        "flag": pa.array([True, None, False, True, True]),
        "seen": pa.array([at(1), at(2, 6), None, at(3), at(4)], pa.timestamp("us", tz="UTC")),
        "naive": pa.array(
            [at(d).replace(tzinfo=None) for d in (1, 2, 3, 4, 5)], pa.timestamp("ms")
        ),
        "day": pa.array([dt.date(2024, 1, d) for d in (1, 2, 3, 4, 5)]),
        "name": pa.array(["a", "b", None, "c", "c"]),
        "code": pa.array(["x", "y", "x", "y", "x"]).dictionary_encode(),
        "void": pa.nulls(5),
    }
)


def judge(kind, table=TABLE, **kwargs):
    [found] = check_table(
        "events", table, [{"type": f"expect_{kind}", "kwargs": kwargs}], "expectations/x.json"
    )
    return found


def broken(kind, **kwargs):
    """Return the rows that broke the expectation."""
    found = judge(kind, **kwargs)
    assert not found.observed.startswith("it cannot be judged"), found.observed
    assert found.success == (not found.rows)
    return found.rows


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
    assert broken("column_values_to_be_between", column=column, **bounds) == rows


@pytest.mark.parametrize(
    "text",
    ["2024-01-02", "2024-01-02T00:00:00", "2024-01-02T00:00:00Z", "2024-01-02T01:00:00+01:00"],
)
def test_all_ways_to_write_a_moment_mean_the_same(text):
    assert broken("column_values_to_be_between", column="seen", min_value=text) == [0]
    assert broken("column_values_to_be_in_set", column="naive", value_set=[text]) == [0, 2, 3, 4]


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
    assert broken("column_values_to_be_in_set", column=column, value_set=value_set) == rows
    there = [i for i, v in enumerate(TABLE[column].to_pylist()) if v is not None and i not in rows]
    assert broken("column_values_to_not_be_in_set", column=column, value_set=value_set) == there


@pytest.mark.parametrize(
    ("kind", "kwargs", "met"),
    [
        (
            "column_max_to_be_between",
            {"column": "id", "min_value": BIG + 1, "max_value": BIG + 1},
            True,
        ),
        ("column_min_to_be_between", {"column": "price", "max_value": "1.1"}, True),
        ("column_max_to_be_between", {"column": "seen", "max_value": "2024-01-04"}, True),
        (
            "column_sum_to_be_between",
            {"column": "whole", "min_value": 3 * BIG + 15, "max_value": 3 * BIG + 15},
            True,
        ),
        (
            "column_sum_to_be_between",
            {"column": "huge", "min_value": 2**64 + 2**63 + 3, "max_value": 2**64 + 2**63 + 3},
            True,
        ),
        (
            "column_sum_to_be_between",
            {
                "column": "price",
                "min_value": "12345678901234567896.72",
                "max_value": "12345678901234567896.72",
            },
            True,
        ),
        ("column_mean_to_be_between", {"column": "few", "min_value": 2.5, "max_value": 2.5}, True),
        (
            "column_mean_to_be_between",
            {
                "column": "price",
                "min_value": "3086419725308641974.18",
                "max_value": "3086419725308641974.18",
            },
            True,
        ),
        (
            "column_mean_to_be_between",
            {"column": "seen", "min_value": "2024-01-02", "max_value": "2024-01-03T00:00:00Z"},
            True,
        ),
        (
            "column_median_to_be_between",
            {"column": "whole", "min_value": BIG, "max_value": BIG},
            True,
        ),
        (
            "column_median_to_be_between",
            {"column": "price", "min_value": "2.75", "max_value": "2.75"},
            True,
        ),
        (
            "column_stdev_to_be_between",
            {"column": "few", "min_value": 1.29, "max_value": 1.3},
            True,
        ),
        (
            "column_stdev_to_be_between",
            {"column": "price", "min_value": 6e18, "max_value": 6.2e18},
            True,
        ),
        ("column_most_common_value_to_be_in_set", {"column": "name", "value_set": ["c"]}, True),
        (
            "column_most_common_value_to_be_in_set",
            {
                "column": "naive",
                "value_set": [f"2024-01-0{d}" for d in range(1, 6)],
                "ties_okay": True,
            },
            True,
        ),
        (
            "column_distinct_values_to_equal_set",
            {"column": "id", "value_set": [5, 7, BIG, BIG + 1]},
            True,
        ),
        ("column_distinct_values_to_be_in_set", {"column": "id", "value_set": [5, 7, BIG]}, False),
        (
            "column_distinct_values_to_contain_set",
            {"column": "price", "value_set": ["1.1", 2.5]},
            True,
        ),
        (
            "column_distinct_values_to_equal_set",
            {"column": "day", "value_set": [f"2024-01-0{d}" for d in range(1, 6)]},
            True,
        ),
        (
            "column_unique_value_count_to_be_between",
            {"column": "id", "min_value": 4, "max_value": 4},
            True,
        ),
        (
            "column_proportion_of_unique_values_to_be_between",
            {"column": "price", "min_value": 1},
            True,
        ),
        (
            "column_proportion_of_non_null_values_to_be_between",
            {"column": "flag", "min_value": 0.8, "max_value": 0.8},
            True,
        ),
        (
            "column_value_z_scores_to_be_less_than",
            {"column": "id", "threshold": 2, "double_sided": True},
            True,
        ),
        (
            "column_value_z_scores_to_be_less_than",
            {"column": "price", "threshold": 1, "double_sided": True},
            False,
        ),
        ("column_values_to_not_be_outliers", {"column": "few"}, True),
        ("column_values_to_not_be_outliers", {"column": "price"}, False),
        ("column_to_exist", {"column": "price"}, True),
        ("table_row_count_to_equal", {"value": 5}, True),
        ("table_column_count_to_equal", {"value": 13}, True),
    ],
)
def test_figures_of_a_column_are_exact(kind, kwargs, met):
    found = judge(kind, **kwargs)
    assert (found.success, "cannot be judged" in found.observed) == (met, False), found.observed


def test_quantiles_are_values_of_the_column():
    for column, low, middle, high in (
        ("id", 5, BIG, BIG + 1),
        ("whole", 5, BIG, BIG + 2),
        ("price", "1.10", "3.00", "12345678901234567890.12"),
        ("seen", "2024-01-01", "2024-01-03", "2024-01-04"),
    ):
        ranges = {
            "quantiles": [0.0, 0.6, 1.0],
            "value_ranges": [[low, low], [middle, middle], [high, high]],
        }
        found = judge("column_quantile_values_to_be_between", column=column, quantile_ranges=ranges)
        assert found.success, (column, found.observed)


def test_distributions_are_compared_beside_nulls():
    bins = {"bins": [0, 2.5, 5], "weights": [0.5, 0.5]}
    assert judge(
        "column_kl_divergence_to_be_less_than", column="few", partition_object=bins, threshold=0.01
    ).success
    values = {"values": [1, 2, 3, 4], "weights": [0.25] * 4}
    assert judge(
        "column_kl_divergence_to_be_less_than",
        column="few",
        partition_object=values,
        threshold=0.01,
    ).success


@pytest.mark.parametrize(
    ("kind", "kwargs", "rows"),
    [
        ("column_values_to_be_unique", {"column": "id"}, []),
        ("column_values_to_be_unique", {"column": "name"}, [3, 4]),
        ("compound_columns_to_be_unique", {"column_list": ["id", "name"]}, []),
        ("compound_columns_to_be_unique", {"column_list": ["flag", "code"]}, [0, 4]),
        ("column_values_to_not_be_null", {"column": "price"}, [2]),
        ("column_values_to_be_null", {"column": "flag"}, [0, 2, 3, 4]),
        ("column_values_to_be_increasing", {"column": "id", "strictly": True}, [3]),
        ("column_values_to_be_increasing", {"column": "whole", "strictly": True}, [3]),
        ("column_values_to_be_increasing", {"column": "huge"}, [2]),
        ("column_values_to_be_decreasing", {"column": "huge"}, [1, 3]),
        ("column_values_to_be_increasing", {"column": "price", "strictly": True}, []),
        ("column_values_to_be_increasing", {"column": "seen", "strictly": True}, []),
        ("column_values_to_be_increasing", {"column": "name"}, []),
        ("column_values_to_match_regex", {"column": "few", "regex": "^[0-9]$"}, []),
        ("column_values_to_not_match_regex", {"column": "name", "regex": "^c"}, [3, 4]),
        ("column_value_lengths_to_equal", {"column": "few", "value": 1}, []),
        ("column_value_lengths_to_be_between", {"column": "id", "max_value": 2}, [0, 1]),
        ("column_values_to_be_json_parseable", {"column": "name"}, [0, 1, 3, 4]),
        ("column_pair_values_to_be_equal", {"column_A": "id", "column_B": "whole"}, [2]),
        (
            "column_pair_values_to_be_equal",
            {"column_A": "id", "column_B": "whole", "ignore_row_if": "either_value_is_missing"},
            [],
        ),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "whole", "column_B": "id", "or_equal": True},
            [2],
        ),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "price", "column_B": "few"},
            [3],
        ),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "seen", "column_B": "naive"},
            [0, 2, 3, 4],
        ),
        (
            "column_pair_values_to_be_in_set",
            {
                "column_A": "id",
                "column_B": "few",
                "value_pairs_set": [[BIG, 1], [BIG, 2], [5, 4], [7, 3]],
            },
            [1],
        ),
        (
            "multicolumn_sum_to_equal",
            {"column_list": ["whole", "few"], "sum_total": BIG + 3},
            [0, 2, 3, 4],
        ),
        ("multicolumn_values_to_be_equal", {"column_list": ["whole", "id"]}, [2]),
        (
            "select_column_values_to_be_unique_within_record",
            {"column_list": ["whole", "id"]},
            [0, 1, 3, 4],
        ),
    ],
)
def test_rows_that_break_an_expectation_are_found_as_they_are_kept(kind, kwargs, rows):
    assert broken(kind, **kwargs) == rows


@pytest.mark.parametrize("rows", [0, 1])
def test_tables_of_no_row_and_of_one_are_judged(rows):
    kinds = (
        "column_values_to_be_increasing",
        "column_values_to_be_unique",
        "column_values_to_not_be_null",
    )
    table = TABLE.slice(0, rows)
    assert all(
        judge(kind, table, column=c).success
        for kind in kinds
        for c in ("id", "price", "seen", "name", "whole")
    )
    assert judge("column_mean_to_be_between", table, column="price", min_value=1).success == (
        rows == 1
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
    asked = [
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
    found = check_table("events", TABLE, asked, "expectations/x.json")
    assert [f.success for f in found] == [False, True, False, False, True]
    assert [f.critical for f in found] == [True, False, True, True, False]
    assert all("cannot be judged" in f.observed for f in found if not f.success)
    assert [f.expectation.partition(":")[0] for f in found] == [
        e["kwargs"]["column"] for e in asked
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
    found = check_table("events", TABLE, suite, "expectations/x.json")
    assert [f.success for f in found] == [True, False, False]
    assert "KeyError: 'boom'" in found[1].observed
    assert found[2].rows == [3, 4]


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
        [found] = check_table("events", TABLE, [{**saved, "kwargs": kwargs}], "expectations/x.json")
        assert found.rows == [0, 1, 2, 3, 4]


def test_two_columns_of_one_name_are_refused():
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(BadData, match="more than one column 'a'"):
        judge("column_values_to_be_unique", twice, column="a")


def test_a_long_column_of_decimals_is_judged_in_no_time():
    """Great Expectations' own way takes a minute here; the test run's time limit would end it."""
    table = pa.table({"price": pa.array([Decimal(i) / 100 for i in range(30_000)])})
    assert judge(
        "column_mean_to_be_between", table, column="price", min_value="149.995", max_value="149.995"
    ).success


def test_floats_are_judged_as_before():
    table = pa.table({"x": pa.array(np.r_[np.nan, np.arange(9.0)], from_pandas=True)})
    assert judge(
        "column_values_to_be_between", table, column="x", min_value=0, max_value=7
    ).rows == [9]
    assert judge("column_mean_to_be_between", table, column="x", min_value=4, max_value=4).success
