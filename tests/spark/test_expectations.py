"""Expectations have the same findings on Spark as in memory, for odd values and large files too."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine import Engine
from pipelines.errors import GiveUp
from pipelines.validation.build import build_expectation, describe_expectation
from pipelines.validation.file_figures import FileFigures
from pipelines.validation.large import FileRows
from pipelines.validation.on_spark import check_on_spark, refuse_other_version
from pipelines.validation.results import MOST_POSITIONS
from pipelines.validation.run import TableRows, check_rows, check_table
from pipelines.validation.spark_alike import ALIKE, last_digit_is_free, why_not_on_spark

pytestmark = [pytest.mark.slow]

START = datetime(2024, 1, 1, tzinfo=UTC)
SUBJECT = "expectations/odd.json"


def odd_rows() -> pa.Table:
    """Rows with null, NaN, infinity, numbers beyond 2^53, odd texts, and rows that stand twice."""
    texts = ["a", "", None, "Ärger", " x ", "AB12", "x\n", "日本", "a'b`c", "AB12", "AB\n", "ab"]
    numbers = [0, 1, -1, 7, None, -7, 2**53 + 1, 7, 3, -3, 10, 2**53]
    floats = [0.0, -0.0, 1.5, -2.5, None, math.nan, 1e300, -1e-300, 0.1, 3.0, 1e16, 2.5]
    moments = [START + timedelta(hours=i * 7, microseconds=i) for i in range(12)]
    moments[5], moments[7] = None, moments[3]
    days = [date(2024, 1, 1) + timedelta(days=i % 9) for i in range(12)]
    days[2] = None
    return pa.table(
        {
            "id": pa.array(range(12), pa.int64()),
            "n": pa.array(numbers, pa.int64()),
            "small": pa.array([i % 4 for i in range(12)], pa.int16()),
            "f": pa.array(floats, pa.float64()),
            "small_floats": pa.array([*[0.1, 0.7, None] * 3, 2.5, -1.0, math.nan], pa.float64()),
            "narrow": pa.array([0.1, 0.2, None, *[1.5] * 9], pa.float32()),
            "inf": pa.array([math.inf, 1.0, -math.inf, *[2.0] * 9], pa.float64()),
            "s": pa.array(texts, pa.string()),
            "kind": pa.array(["x", "y", "x", None] * 3).dictionary_encode(),
            "t": pa.array(moments, pa.timestamp("us", "UTC")),
            "d": pa.array(days, pa.date32()),
            "b": pa.array([True, False, None] * 4, pa.bool_()),
            "m": pa.array([Decimal("1.10"), None, Decimal("-3.25")] * 4, pa.decimal128(12, 2)),
            "none": pa.array([None] * 12, pa.float64()),
            "with.dot": pa.array([1, 2, 3] * 4, pa.int64()),
            "big": pa.array([2**63 - 1, 2**63 - 1, 2] * 4, pa.int64()),
        }
    )


def expect(kind, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": "critical"}


COLUMNS = odd_rows().column_names
BETWEEN = "column_values_to_be_between"
ON_SPARK = [
    expect("table_row_count_to_be_between", min_value=1, max_value=11),
    expect("table_row_count_to_equal", value=12),
    *[expect("column_values_to_not_be_null", column=c) for c in ("f", "s", "none", "with.dot")],
    *[expect("column_values_to_not_be_null", column=c, mostly=0.5) for c in COLUMNS],
    *[expect("column_values_to_be_null", column=c) for c in ("n", "none")],
    expect("column_proportion_of_non_null_values_to_be_between", column="f", min_value=0.95),
    expect(BETWEEN, column="n", min_value=0, max_value=2**53),
    expect(BETWEEN, column="n", min_value=-0.5, max_value=9007199254740993.0, mostly=0.5),
    expect(BETWEEN, column="n", min_value=1, strict_min=True),
    expect(BETWEEN, column="small", max_value=3, strict_max=True),
    expect(BETWEEN, column="f", min_value=0, max_value=2.5),
    expect(BETWEEN, column="narrow", min_value=0.1, max_value=0.2),
    expect(BETWEEN, column="inf", min_value=0, max_value=5),
    expect(BETWEEN, column="none", min_value=0),
    expect(BETWEEN, column="t", min_value="2024-01-01T07:00:00.000001", max_value="2024-01-03"),
    expect(BETWEEN, column="d", min_value="2024-01-02", max_value="2024-01-07", strict_max=True),
    expect(BETWEEN, column="m", min_value="-1.00", max_value="1.10"),
    expect(BETWEEN, column="with.dot", min_value=2),
    expect("column_values_to_be_in_set", column="n", value_set=[0, 1, 7, 2**53 + 1]),
    expect("column_values_to_be_in_set", column="s", value_set=["a", "", "日本", "a'b`c"]),
    expect("column_values_to_be_in_set", column="kind", value_set=["x"], mostly=0.1),
    expect("column_values_to_be_in_set", column="f", value_set=[0.0, 0.1]),
    expect("column_values_to_be_in_set", column="b", value_set=[True]),
    expect("column_values_to_be_in_set", column="m", value_set=["1.1"]),
    expect("column_values_to_be_in_set", column="t", value_set=["2024-01-01T00:00:00Z"]),
    expect("column_values_to_be_in_set", column="d", value_set=["2024-01-01"]),
    expect("column_values_to_be_in_set", column="s", value_set=[]),
    expect("column_values_to_not_be_in_set", column="n", value_set=[0, 7]),
    expect("column_values_to_not_be_in_set", column="s", value_set=["AB12"]),
    expect("column_values_to_not_be_in_set", column="f", value_set=[0.0]),
    expect("column_value_lengths_to_be_between", column="s", min_value=1, max_value=3),
    expect("column_value_lengths_to_equal", column="s", value=2),
    expect("column_values_to_match_regex", column="s", regex="^[A-Z]{2}[0-9]*$"),
    expect("column_values_to_match_regex", column="s", regex="^.$"),
    expect("column_values_to_match_regex", column="s", regex="(?:a|x)+", mostly=0.1),
    expect("column_values_to_not_match_regex", column="s", regex="b|^$"),
    *[expect("column_values_to_be_unique", column=c) for c in ("n", "s", "t", "kind")],
    expect("column_values_to_be_unique", column="n", mostly=0.5),
    expect("compound_columns_to_be_unique", column_list=["id", "s"]),
    expect("compound_columns_to_be_unique", column_list=["small", "kind"]),
    expect("compound_columns_to_be_unique", column_list=["n", "t"]),
    *[expect(f"column_{end}_to_be_between", column=c, min_value=1)
      for end in ("min", "max") for c in ("n", "f", "inf", "small", "none", "narrow")],
    *[expect(f"column_{end}_to_be_between", column=c, min_value="2024-01-02")
      for end in ("min", "max") for c in ("t", "d")],
    *[expect(f"column_{end}_to_be_between", column="m", min_value="1.10")
      for end in ("min", "max", "sum", "mean")],
    *[expect(f"column_{what}_to_be_between", column=c, min_value=2)
      for what in ("sum", "mean", "stdev")
      for c in ("n", "small", "small_floats", "narrow", "none", "big")],
    *[expect(f"column_{what}_to_be_between", column=c, max_value=0.4)
      for what in ("unique_value_count", "proportion_of_unique_values")
      for c in ("n", "t", "kind")],
    *[expect(f"column_distinct_values_to_{what}_set", column="kind", value_set=values)
      for what in ("be_in", "contain", "equal") for values in (["x"], ["x", "y"], ["x", "y", "z"])],
    expect("column_distinct_values_to_be_in_set", column="n", value_set=[0, 1, 7]),
    expect("column_distinct_values_to_contain_set", column="t", value_set=["2024-01-01"]),
    expect("column_most_common_value_to_be_in_set", column="n", value_set=[7]),
    expect("column_most_common_value_to_be_in_set", column="s", value_set=["a"]),
    expect("column_most_common_value_to_be_in_set", column="kind", value_set=["y"]),
    expect("column_most_common_value_to_be_in_set", column="small", value_set=[1], ties_okay=True),
]  # fmt: skip
"""What Spark judges: every type, and every kind of column that it was tried with."""
HERE = [
    expect("column_median_to_be_between", column="n", min_value=1),
    expect("column_values_to_be_in_set", column="s", value_set=["a", None]),
    expect("column_values_to_match_regex", column="s", regex=r"^\w+$"),
    expect("column_values_to_be_increasing", column="id"),
    expect("column_pair_values_to_be_equal", column_A="n", column_B="small"),
    expect(BETWEEN, column="s", min_value=1),
    expect(BETWEEN, column="absent", min_value=1),
    expect("table_columns_to_match_set", column_set=["id"], exact_match=True),
    expect("column_values_to_be_of_type", column="n", type_="int64"),
]  # fmt: skip
"""What is judged here, whatever the engine."""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    path = tmp_path_factory.mktemp("odd") / "odd.parquet"
    pq.write_table(odd_rows(), path)
    return path


@pytest.fixture(scope="module")
def found(odd, local_place):
    """The findings in memory and on Spark, of one question each."""
    rows, asked = odd_rows(), [*ON_SPARK, *HERE]
    in_memory = check_table("odd", rows, asked, SUBJECT)
    on_spark = check_on_spark("odd", odd, asked, SUBJECT, local_place, TableRows("odd", rows))
    return list(zip(in_memory, on_spark, strict=True))


def text_of(expectation):
    return describe_expectation(expectation)


@pytest.mark.parametrize("number", range(len(ON_SPARK)), ids=map(text_of, ON_SPARK))
def test_a_finding_is_the_same_on_spark(found, number):
    here, there = found[number]
    if here.observed != there.observed and last_digit_is_free(ON_SPARK[number], odd_rows().schema):
        assert float(there.observed) == pytest.approx(float(here.observed), rel=1e-12)
        there = there.model_copy(update={"observed": here.observed})
    assert there == here


@pytest.mark.parametrize("number", range(len(HERE)), ids=map(text_of, HERE))
def test_what_spark_does_not_judge_is_judged_here(found, number):
    here, there = found[len(ON_SPARK) + number]
    assert there == here


def test_what_is_listed_is_tried_and_asked_of_spark():
    schema = odd_rows().schema
    assert {e["type"] for e in ON_SPARK} == set(ALIKE)
    for one in ON_SPARK:
        assert why_not_on_spark(one, schema, build_expectation(one, schema)) == ""
    for one in HERE:
        assert why_not_on_spark(one, schema, build_expectation(one, schema))


def test_counts_are_complete_and_the_first_positions_are_kept(tmp_path, local_place):
    """A file of several row groups, whose rows are judged by DuckDB and part by part beside it."""
    path, rows = tmp_path / "large.parquet", 60_000
    values = pa.array([i // 3 if i % 2 else None for i in range(rows)], pa.int64())
    table = pa.table({"n": values, "k": pa.array(range(rows), pa.int64())})
    pq.write_table(table, path, row_group_size=7_000)
    asked = [
        expect("column_values_to_not_be_null", column="n"),
        expect(BETWEEN, column="n", min_value=100, max_value=10_000),
        expect("column_values_to_be_unique", column="n"),
        expect("column_sum_to_be_between", column="n", min_value=1),
        expect("column_unique_value_count_to_be_between", column="k", min_value=1),
    ]
    engine = Engine(memory=2**28, threads=2, spill=tmp_path)
    few_bytes = FileRows("large", FileFigures(path, engine, tmp_path), 2**16, 10_000)
    there = check_on_spark("large", path, asked, SUBJECT, local_place, few_bytes)
    in_memory = check_table("large", table, asked, SUBJECT)
    assert there == in_memory
    assert [len(f.rows) for f in there[:3]] == [MOST_POSITIONS] * 3
    assert there[0].rows == list(range(0, 2 * MOST_POSITIONS, 2))
    in_parts = check_rows("large", few_bytes, asked, SUBJECT)
    assert in_parts[:3] == there[:3]
    assert [f.observed.partition(":")[0] for f in in_parts[3:]] == ["it cannot be judged"] * 2


def test_great_expectations_of_another_version_is_named(local_place):
    with pytest.raises(GiveUp, match=r"has Great Expectations 0\.1, and this is") as caught:
        refuse_other_version("0.1", local_place)
    assert "make spark" in caught.value.remedy
