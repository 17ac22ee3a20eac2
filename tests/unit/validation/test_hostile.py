"""Whatever a suite holds, and whatever it is asked of.

A finding for each expectation, or a SpecError that names the suite.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.errors import SpecError
from pipelines.validation.run import check_table
from pipelines.validation.suites import read_suite

KINDS = [
    *(
        "column_values_to_be_between",
        "column_values_to_be_in_set",
        "column_values_to_be_unique",
        "column_values_to_be_of_type",
    ),
    *(
        "column_values_to_be_in_type_list",
        "column_values_to_match_regex",
        "column_values_to_be_increasing",
        "column_mean_to_be_between",
    ),
    *(
        "column_quantile_values_to_be_between",
        "column_median_to_be_between",
        "column_stdev_to_be_between",
        "column_sum_to_be_between",
    ),
    *(
        "column_value_z_scores_to_be_less_than",
        "column_values_to_not_be_outliers",
        "column_kl_divergence_to_be_less_than",
    ),
    *(
        "column_pair_values_to_be_in_set",
        "column_pair_values_a_to_be_greater_than_b",
        "compound_columns_to_be_unique",
    ),
    *(
        "multicolumn_sum_to_equal",
        "column_distinct_values_to_equal_set",
        "column_most_common_value_to_be_in_set",
    ),
    *(
        "column_value_lengths_to_be_between",
        "table_row_count_to_equal",
        "table_columns_to_match_set",
        "column_values_to_be_json_parseable",
    ),
    *(
        "column_values_to_match_strftime_format",
        "column_values_to_match_json_schema",
        "miracles",
        "query_results_to_match_comparison",
    ),
]
NAMES = [
    *(
        "column",
        "column_A",
        "column_B",
        "column_list",
        "column_set",
        "value_set",
        "min_value",
        "max_value",
        "strict_min",
        "type_",
    ),
    *(
        "type_list",
        "regex",
        "mostly",
        "threshold",
        "double_sided",
        "quantile_ranges",
        "value_pairs_set",
        "sum_total",
        "value",
    ),
    *(
        "partition_object",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
        "strftime_format",
        "json_schema",
        "windows",
        "method",
    ),
]
VALUES = [
    *(
        None,
        True,
        0,
        1,
        -1,
        0.5,
        2**53 + 1,
        10**40,
        1e308,
        "",
        "a",
        "1.10",
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
    ),
    *(
        "int64",
        "pandas",
        "x > 1",
        "x >",
        "(",
        "%Y",
        "{}",
        "never",
        [],
        [1, 2],
        ["a", None],
        [[1, 2], ["a", "b"]],
        ["x", "y"],
        {},
    ),
    *(
        {"$PARAMETER": "a"},
        {"quantiles": [0.5], "value_ranges": [[1, None]]},
        {"quantiles": [2], "value_ranges": [["a"]]},
    ),
    *(
        {"bins": [0, 1], "weights": [1.0]},
        {"values": ["a"], "weights": [1]},
        {"type": "object"},
        "iqr",
        "std",
    ),
]
COLUMNS = {
    "x": lambda rng, n: pa.array(
        [rng.choice([None, 1, 2**53 + 1, -(2**63), 7]) for _ in range(n)], pa.int64()
    ),
    "y": lambda rng, n: pa.array(
        [rng.choice([None, 0.5, 1e308, -1e308, float("inf")]) for _ in range(n)], pa.float64()
    ),
    "d": lambda rng, n: pa.array(
        [rng.choice([None, Decimal("1.10"), Decimal("-3.00")]) for _ in range(n)],
        pa.decimal128(5, 2),
    ),
    "b": lambda rng, n: pa.array([rng.choice([None, True, False]) for _ in range(n)], pa.bool_()),
    "s": lambda rng, n: pa.array(
        [rng.choice([None, "", "a", "\x00", "ü"]) for _ in range(n)], pa.string()
    ),
    "t": lambda rng, n: pa.array(
        [rng.choice([None, dt.datetime(1, 1, 1, tzinfo=dt.UTC)]) for _ in range(n)],
        pa.timestamp("us", tz="UTC"),
    ),
    "v": lambda rng, n: pa.nulls(n),  # noqa: ARG005 -- as the others
    "l": lambda rng, n: pa.array(
        [rng.choice([None, [1], []]) for _ in range(n)], pa.list_(pa.int64())
    ),
    "z": lambda rng, n: pa.array([rng.choice([None, b"\xff"]) for _ in range(n)], pa.binary()),
}


def expectation(rng):
    kwargs = {name: rng.choice(VALUES) for name in rng.sample(NAMES, rng.randrange(5))}
    for name in ("column", "column_A", "column_B"):
        if rng.random() < 0.8:
            kwargs[name] = rng.choice([*COLUMNS, "not there"])
    return {
        "type": f"expect_{rng.choice(KINDS)}",
        "kwargs": kwargs,
        "severity": rng.choice(["critical", "warning", "loud"]),
    }


def sensible(rng):
    """Return an expectation that is well formed, of a column that may not fit it.

    Most of these are judged.
    """
    kind = rng.choice(
        [k for k in KINDS if k.startswith("column_values_to_be_") or k.endswith("_between")]
    )
    kwargs = {"column": rng.choice(list(COLUMNS))}
    if kind.endswith("_between"):
        kwargs |= {"min_value": rng.choice(VALUES[:12]), "max_value": rng.choice([None, 10**40])}
    if kind.endswith("in_set"):
        kwargs["value_set"] = rng.choice(
            [[1, 2**53], ["a"], [True], [0.5, None], [], ["2024-01-01"]]
        )
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def answer(table, path):
    """Return the findings, or None and what the suite was refused for.

    Anything else that is raised fails the test.
    """
    try:
        return check_table("sales", table, read_suite(path), "expectations/sales.json"), ""
    except SpecError as error:
        return None, error.message


def judge_whatever(folder, seed, rounds):
    rng = random.Random(seed)
    judged = 0
    for _ in range(rounds):
        table = pa.table(
            {
                name: make(rng, rows)
                for rows in [rng.choice([0, 1, 2, 9])]
                for name, make in COLUMNS.items()
            }
        )
        path = folder / "expectations" / "sales.json"
        path.parent.mkdir(exist_ok=True)
        expectations = [
            rng.choice([expectation, sensible, sensible])(rng) for _ in range(rng.randrange(1, 3))
        ]
        path.write_text(json.dumps({"expectations": expectations}))
        results, refused = answer(table, path)
        assert results is not None or (
            "expectations/sales.json" in refused and "validation error" not in refused
        )
        judged += len(results or [])
        assert results is None or len(results) == len(expectations)
        assert all(0 <= row < table.num_rows for f in results or [] for row in f.rows)
    return judged


def test_no_suite_ends_with_anything_but_a_finding_or_a_spec_error(tmp_path):
    assert judge_whatever(tmp_path, 1, 40) > 10


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_no_suite_of_thousands_does(tmp_path, seed):
    assert judge_whatever(tmp_path, seed, 400) > 100
