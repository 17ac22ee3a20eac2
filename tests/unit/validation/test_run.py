"""What is judged is what is kept.

Every expectation on columns that float64 or pandas' objects would change.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.validation.results import MOST_POSITIONS
from pipelines.validation.run import check_table
from tests.unit.validation.events import BIG, TABLE, broken_rows, judge


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
    result = judge(kind, **kwargs)
    assert (result.success, "cannot be judged" in result.observed) == (met, False), result.observed


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
        result = judge(
            "column_quantile_values_to_be_between", column=column, quantile_ranges=ranges
        )
        assert result.success, (column, result.observed)


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
    assert broken_rows(kind, **kwargs) == rows


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


def test_of_many_bad_rows_all_are_counted_and_the_first_are_kept():
    rows = MOST_POSITIONS + 5
    table = pa.table({"n": pa.array([0] * 3 + [9] * rows)})
    suite = [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "max_value": 1}}
    ]
    [found] = check_table("t", table, suite, "suite.json")
    assert (found.bad, found.success) == (rows, False)
    assert found.rows == list(range(3, MOST_POSITIONS + 3))
    assert f"{rows} bad rows" in found.observed
    assert f"the first {MOST_POSITIONS} of which are kept" in found.observed
