"""One encoding on every way.

What is learnt from and what is asked are the same values, bit for bit.
"""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.rows import (
    feed_from_rows,
    feed_from_table,
    frame_from_feed,
    frame_from_table,
    rows_from_table,
    schema_of,
)
from pipelines.bundle.schema import Column
from pipelines.errors import BadData

TABLE = pa.table(
    {
        "price": pa.array([0.1, None, float("nan"), -0.0, 1e-46, 16777217.0]),
        "seconds": pa.array(
            [2**24 + 1, 2**53 + 1, -(2**62) - 3, 0, 1, 9007199797366785], pa.int64()
        ),
        "big": pa.array([2**64 - 1, 0, 1, 2, 3, 4], pa.uint64()),
        "narrow": pa.array([0.1, None, 3.4e38, 1, 2, 3], pa.float32()),
        "money": pa.array(
            [Decimal("0.10"), None, Decimal("7.30"), Decimal(1), Decimal(2), Decimal(3)]
        ),
        "open": pa.array([True, None, False, True, True, False]),
        "code": pa.array(["a", None, "", "Ünï ✈", "\x00", " b "]).dictionary_encode(),
        "name": pa.array(["x"] * 6, pa.large_string()),
    }
)
SCHEMA = schema_of(TABLE, TABLE.column_names, "binary", None)


def bits(feed):
    return {
        name: a.view(np.uint32).tolist() if a.dtype == np.float32 else a.tolist()
        for name, a in feed.items()
    }


def test_rows_sent_as_json_become_the_table_s_values_bit_for_bit():
    rows = json.loads(json.dumps(rows_from_table(SCHEMA.columns, TABLE), allow_nan=False))
    assert bits(feed_from_rows(SCHEMA.columns, rows)) == bits(
        feed_from_table(SCHEMA.columns, TABLE)
    )


def test_single_rows_are_encoded_like_all_at_once():
    rows = rows_from_table(SCHEMA.columns, TABLE)
    whole = bits(feed_from_rows(SCHEMA.columns, rows))
    single = [bits(feed_from_rows(SCHEMA.columns, [row])) for row in rows]
    assert {name: [s[name][0] for s in single] for name in whole} == whole


def test_a_pandas_frame_is_encoded_like_its_table():
    columns = [c for c in SCHEMA.columns if c.name not in {"money", "open"}]
    assert bits(feed_from_table(columns, TABLE.to_pandas())) == bits(
        feed_from_table(columns, TABLE)
    )


def test_the_frame_that_is_fitted_holds_the_very_values_of_the_feed():
    frame = frame_from_table(SCHEMA.columns, TABLE)
    feed = feed_from_table(SCHEMA.columns, TABLE)
    assert list(frame.columns) == TABLE.column_names
    assert {str(t) for t in frame.dtypes} == {"float32", "object"}
    assert bits({name: frame[name].to_numpy().reshape(-1, 1) for name in frame}) == bits(feed)


def test_feeds_have_one_column_per_input_and_nulls_as_agreed():
    feed = feed_from_rows(SCHEMA.columns, rows_from_table(SCHEMA.columns, TABLE))
    assert {a.shape for a in feed.values()} == {(6, 1)}
    assert np.isnan(feed["price"][:3, 0]).tolist() == [False, True, True]
    assert feed["code"][:3, 0].tolist() == ["a", "", ""]
    assert feed["open"][:, 0].tolist()[0] == 1.0


def test_no_rows_make_an_empty_feed():
    assert {a.shape for a in feed_from_rows(SCHEMA.columns, []).values()} == {(0, 1)}
    assert len(frame_from_feed(feed_from_table(SCHEMA.columns, TABLE.slice(0, 0)))) == 0


def test_the_schema_says_kind_nullable_and_an_example():
    by_name = {c.name: (c.kind, c.nullable, c.example) for c in SCHEMA.columns}
    assert by_name["price"] == ("number", True, 0.1)
    assert by_name["seconds"] == ("integer", False, 2**24 + 1)
    assert by_name["money"] == ("number", True, 0.1)
    assert by_name["open"] == ("boolean", True, True)
    assert by_name["code"] == ("string", True, "a")
    assert by_name["name"] == ("string", False, "x")


def test_the_schema_says_the_range_of_numbers_and_of_nothing_else():
    by_name = {c.name: (c.low, c.high) for c in SCHEMA.columns}
    assert by_name["price"] == (-0.0, 16777217.0)
    assert by_name["seconds"] == (float(-(2**62) - 3), 9007199797366784.0)
    assert by_name["money"] == (0.1, 7.3)
    assert by_name["open"] == by_name["code"] == by_name["name"] == (None, None)
    (empty,) = schema_of(
        pa.table({"x": pa.array([None], pa.float64())}), ["x"], "binary", None
    ).columns
    assert (empty.low, empty.high) == (None, None)


def test_a_schema_written_without_ranges_is_read():
    assert (
        Column.model_validate_json('{"name": "x", "kind": "number", "nullable": false}').low is None
    )


def test_the_schema_keeps_the_order_that_was_asked_for():
    assert [c.name for c in schema_of(TABLE, ["open", "price"], "regression", None).columns] == [
        "open",
        "price",
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param(pa.table({"other": [1.0]}), "no column price", id="missing"),
        pytest.param(
            pa.table([pa.array([1.0]), pa.array([2.0])], names=["price", "price"]),
            "twice",
            id="twice",
        ),
        pytest.param(pa.table({"price": ["1.0"]}), "text where numbers", id="text"),
        pytest.param(pa.table({"price": [1e39]}), "beyond float32", id="too large"),
        pytest.param(pa.table({"price": [float("-inf")]}), "beyond float32", id="infinite"),
        pytest.param(
            pa.table({"price": pa.array([0], pa.timestamp("us"))}),
            "holds times, which are no input",
            id="a moment",
        ),
        pytest.param(
            pa.table({"price": pa.nulls(2)}),
            "holds values, which are no input",
            id="nulls without a type",
        ),
    ],
)
def test_what_does_not_fit_names_the_column(table, words):
    with pytest.raises(BadData, match=words) as caught:
        feed_from_table(SCHEMA.columns[:1], table)
    assert "price" in caught.value.message


def test_numbers_where_text_was_learnt_from_are_refused():
    with pytest.raises(BadData, match="name holds int64 where text"):
        feed_from_table(SCHEMA.columns[-1:], pa.table({"name": [1]}))


def test_a_frame_with_mixed_types_is_refused():
    import pandas as pd

    frame = pd.DataFrame({"name": pd.Series([1, "a"], dtype=object)})
    with pytest.raises(BadData, match="mixes types"):
        feed_from_table(SCHEMA.columns[-1:], frame)


def test_a_row_that_lacks_a_column_is_refused():
    with pytest.raises(BadData, match="lacks the column price"):
        feed_from_rows(SCHEMA.columns, [{}])
