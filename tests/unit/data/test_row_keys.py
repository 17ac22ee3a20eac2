"""The key that is made of a row's content."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.data.row_keys import with_row_key
from pipelines.errors import SpecError

AT = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in range(4)]


def keys(table: pa.Table) -> list[str]:
    return with_row_key(table, "The table 'events'")["row_key"].to_pylist()


def table() -> pa.Table:
    return pa.table({"at": AT, "heat": [1.5, 2.0, None, 2.0], "mode": ["day", None, "day", "x"]})


def test_a_key_is_the_same_in_whatever_order_a_batch_is_read():
    rows, order = table(), [2, 0, 3, 1]
    assert keys(rows.take(order)) == [keys(rows)[i] for i in order]
    assert keys(rows.select(["mode", "at", "heat"])) == keys(rows)
    assert len(set(keys(rows))) == rows.num_rows


def test_rows_that_come_late_rename_no_other():
    rows = table()
    late = pa.table({"at": [AT[1]], "heat": [9.0], "mode": ["late"]}, schema=rows.schema)
    assert keys(pa.concat_tables([late, rows]))[1:] == keys(rows)


def test_equal_rows_are_counted():
    rows = pa.concat_tables([table(), table(), table()])
    names = keys(rows)
    assert len(set(names)) == 12
    assert {name.split("-")[1] for name in names} == {"1", "2", "3"}
    assert names[:4] == keys(table())


def test_a_row_that_changes_gets_another_key():
    changed = table().set_column(1, "heat", pa.array([1.5, 2.0, 7.0, 2.0]))
    assert [a == b for a, b in zip(keys(table()), keys(changed), strict=True)] == [
        *(True, True, False, True)
    ]


@pytest.mark.parametrize("kind", [pa.int8(), pa.float64(), pa.decimal128(9, 2)])
def test_a_number_is_hashed_as_it_reads_and_not_as_it_is_typed(kind):
    values = [Decimal(1), Decimal(100), None]
    plain = pa.table({"n": pa.array([1, 100, None], pa.int64())})
    column = pa.array(values, pa.decimal128(9, 2)).cast(kind)
    assert keys(pa.table({"n": column})) == keys(plain)


def test_a_moment_is_the_same_in_every_zone_and_a_column_of_nulls_changes_nothing():
    rows = table()
    other = rows.set_column(0, "at", rows["at"].cast(pa.timestamp("us", tz="Asia/Tokyo")))
    assert keys(other.append_column("new", pa.nulls(4, pa.int64()))) == keys(rows)


def test_values_of_neighbours_cannot_be_mistaken_for_one_another():
    one = pa.table({"a": ['x;"b":1:y', "1"], "b": [None, "23"]})
    other = pa.table({"a": ["x", "12"], "b": ["y", "3"]})
    assert not set(keys(one)) & set(keys(other))


def test_lists_and_bytes_have_keys_too():
    rows = pa.table({"l": [[1, 2], [1], None], "b": [b"\x00", b"\xff", None]})
    assert len(set(keys(rows))) == 3


def test_a_column_of_that_name_is_an_error_with_the_line_to_write():
    with pytest.raises(SpecError, match="has a column 'Row_Key' already") as caught:
        keys(pa.table({"Row_Key": [1]}))
    assert (caught.value.at, "key: [Row_Key]" in caught.value.remedy) == (("key",), True)


def test_no_rows_have_no_keys():
    empty = with_row_key(pa.table({"a": pa.array([], pa.int64())}), "x")
    assert (empty.column_names, empty.num_rows) == (["a", "row_key"], 0)
    assert with_row_key(pa.table({}), "x").column_names == ["row_key"]


def test_many_rows_have_as_many_keys():
    rng = np.random.default_rng(3)
    start = np.datetime64("2024-01-01", "us")
    at = pa.array(start + rng.integers(0, 10**9, 20_000), pa.timestamp("us", tz="UTC"))
    rows = pa.table({"at": at, "v": rng.normal(size=20_000)})
    assert len(set(keys(rows))) == 20_000
