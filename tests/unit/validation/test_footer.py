"""What a footer says of a column is what its rows say, or it says nothing."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.validation.footer import Footer
from pipelines.validation.proofs import TableFigures

TIME = pa.timestamp("us", "UTC")
TABLE = pa.table(
    {
        "small": pa.array([3, -128, None, 127, 0, None], pa.int8()),
        "large": pa.array([2**63 - 1, -(2**63), 0, 1, 2, 3]),
        "gone": pa.nulls(6, pa.int64()),
        "partly gone": pa.array([None, None, None, 5, 4, 6]),
        "at": pa.array(
            [dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1, 9999, 1970, 1969, 2024, 2024)],
            TIME,
        ),
        "text": pa.array(["b", None, "", "ä" * 100, "a", None]),
        "flag": pa.array([True, None, False, None, None, True]),
        "a.b": pa.array([None, 1, 2, 3, 4, 5]),
    }
)
READ = {
    "x": pa.array([0.5, float("nan"), None, -0.0, float("inf"), 1]),
    "unsigned": pa.array([2**63, 0, 1, 2, None, 3], pa.uint64()),
}
"""Columns whose rows must be read for their ends, or for both."""


@pytest.fixture
def footer(tmp_path):
    def write(table, **options):
        path = tmp_path / "table.parquet"
        pq.write_table(table, path, row_group_size=3, **options)
        return Footer(pq.read_metadata(path), pq.read_schema(path))

    return write


def test_what_is_said_is_what_the_rows_say(footer):
    said, rows = footer(TABLE), TableFigures(TABLE)
    for name in TABLE.column_names:
        assert said.missing(name) == rows.missing(name), name
    for name in ("small", "large", "gone", "partly gone", "at", "a.b"):
        assert said.ends(name) == rows.ends(name), name


def test_what_may_differ_from_the_rows_is_not_said(footer):
    said = footer(pa.table(READ))
    assert said.missing("x") is None
    assert said.ends("x") is None
    assert said.missing("unsigned") == 1
    assert said.ends("unsigned") is None


def test_nothing_is_said_without_figures_or_of_columns_that_have_parts(footer):
    for said in (
        footer(TABLE, write_statistics=False),
        footer(TABLE.append_column("a", pa.array([{"b": n} for n in range(6)]))),
    ):
        assert [said.missing(name) for name in TABLE.column_names] == [None] * 8
        assert [said.ends(name) for name in TABLE.column_names] == [None] * 8


def test_a_type_that_hides_its_parts_moves_no_column_s_figures_to_another(footer):
    spans = pd.arrays.IntervalArray.from_breaks([1, 2, 3, 4])
    frame = pd.DataFrame({"span": spans, "k": pd.array([5, None, 7], "Int64")})
    said = footer(pa.Table.from_pandas(frame))
    assert said.missing("k") in {1, None}
    assert said.ends("k") in {(5, 7), None}
