"""What Arrow proves is what Great Expectations finds, to the letter."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from pipelines.validation.run import check_table

AT = [dt.datetime(2024, 1, 1, h, tzinfo=dt.UTC) for h in range(6)]
TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5, 6]),
        "twice": pa.array([1, 1, 2, 2, 3, 3]),
        "some": pa.array([1, None, 3, None, 5, 6]),
        "none": pa.array([None] * 6, pa.float64()),
        "x": pa.array([0.5, 1.5, np.nan, -1.0, 3.0, None]),
        "name": pa.array(["a", "b", "a", None, "c", "b"]),
        "at": pa.array(AT, pa.timestamp("us", tz="UTC")),
    }
)
NULL, BETWEEN = "expect_column_values_to_not_be_null", "expect_column_values_to_be_between"
SET, UNIQUE = "expect_column_values_to_be_in_set", "expect_column_values_to_be_unique"
TOGETHER, COUNT = "expect_compound_columns_to_be_unique", "expect_table_row_count_to_be_between"
CASES = [
    (NULL, {"column": "id"}),
    (NULL, {"column": "some"}),
    (NULL, {"column": "some", "mostly": 1e-9}),
    (NULL, {"column": "some", "mostly": 2 / 3}),
    (NULL, {"column": "some", "mostly": 0.9}),
    (NULL, {"column": "x", "mostly": 0.5}),
    (NULL, {"column": "none", "mostly": 1e-9}),
    (NULL, {"column": "absent"}),
    (BETWEEN, {"column": "id", "min_value": 1, "max_value": 6}),
    (BETWEEN, {"column": "id", "min_value": 1, "max_value": 6, "strict_max": True}),
    (BETWEEN, {"column": "some", "min_value": 0.5}),
    (BETWEEN, {"column": "x", "min_value": -1, "max_value": 3}),
    (BETWEEN, {"column": "x", "min_value": -1, "strict_min": True, "mostly": 0.5}),
    (BETWEEN, {"column": "none", "min_value": 0}),
    (BETWEEN, {"column": "at", "min_value": "2024-01-01", "max_value": "2024-01-02"}),
    (BETWEEN, {"column": "at", "min_value": "2024-01-01T01:00:00"}),
    (SET, {"column": "name", "value_set": ["a", "b", "c"]}),
    (SET, {"column": "name", "value_set": ["a", "b"], "mostly": 0.5}),
    (SET, {"column": "some", "value_set": [1, 3, 5, 6]}),
    (SET, {"column": "none", "value_set": [1]}),
    (UNIQUE, {"column": "id"}),
    (UNIQUE, {"column": "twice"}),
    (UNIQUE, {"column": "name"}),
    (UNIQUE, {"column": "at"}),
    (TOGETHER, {"column_list": ["twice", "id"]}),
    (TOGETHER, {"column_list": ["twice", "name"]}),
    (COUNT, {"min_value": 1}),
    (COUNT, {"min_value": 1, "max_value": 5}),
    (COUNT, {"max_value": 6}),
]


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_a_proof_says_what_great_expectations_says(severity):
    suite = [{"type": kind, "kwargs": kwargs, "severity": severity} for kind, kwargs in CASES]
    for table in (TABLE, TABLE.slice(0, 0)):
        proven = check_table("t", table, suite, "suite.json")
        asked = check_table("t", table, suite, "suite.json", proofs=False)
        for one, other in zip(proven, asked, strict=True):
            assert one == other


def test_a_clean_table_is_not_shown_to_great_expectations(monkeypatch):
    from pipelines.validation import run

    suite = [
        {"type": NULL, "kwargs": {"column": "id"}},
        {"type": BETWEEN, "kwargs": {"column": "at", "min_value": "2024-01-01"}},
        {"type": UNIQUE, "kwargs": {"column": "id"}},
        {"type": COUNT, "kwargs": {"min_value": 1}},
    ]
    monkeypatch.setattr(run, "_validate", None)
    assert all(f.success for f in check_table("t", TABLE, suite, "suite.json"))
