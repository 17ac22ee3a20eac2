import contextlib
import datetime as dt
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.columns.from_objects import column_of
from pipelines.errors import BadData
from pipelines.tables import normalise

PLUS_TWO = dt.timezone(dt.timedelta(hours=2))


def kept(values):
    return normalise(pd.DataFrame({"x": pd.Series(values, dtype=object)})).column("x")


@pytest.mark.parametrize(
    ("values", "kind", "right"),
    [
        pytest.param(
            [2**53 + 1, None], "int64", [2**53 + 1, None], id="a whole number beside nothing"
        ),
        pytest.param([-(2**63), 2**63 - 1], "int64", [-(2**63), 2**63 - 1], id="the ends of int64"),
        pytest.param([2**64 - 1], "decimal128(38, 0)", [2**64 - 1], id="beyond int64"),
        pytest.param(
            [2**53 + 1, 2.5],
            "decimal128(38, 1)",
            [2**53 + 1, Decimal("2.5")],
            id="whole numbers that no float is",
        ),
        pytest.param(
            [1, 2.5, float("nan"), pd.NA, pd.NaT],
            "double",
            [1.0, 2.5, None, None, None],
            id="numbers, and what is missing",
        ),
        pytest.param(
            [Decimal("0E-30"), Decimal(12345678901)],
            "decimal128(38, 0)",
            [0, 12345678901],
            id="zeros behind the point",
        ),
        pytest.param(
            [Decimal("1" * 38), Decimal("2.0")],
            "decimal128(38, 0)",
            [Decimal("1" * 38), 2],
            id="38 digits beside a zero behind the point",
        ),
        pytest.param(
            [Decimal("1.10"), 2, None],
            "decimal128(38, 2)",
            [Decimal("1.10"), 2, None],
            id="decimals",
        ),
        pytest.param([True, None], "bool", [True, None], id="booleans beside nothing"),
        pytest.param([np.int64(1), 2, np.float32(0.5)], "double", [1.0, 2.0, 0.5], id="numpy's"),
        pytest.param(
            [uuid.UUID(int=1)], "string", ["00000000-0000-0000-0000-000000000001"], id="uuid"
        ),
        pytest.param([memoryview(b"a"), b"b"], "binary", [b"a", b"b"], id="bytes"),
        pytest.param(
            [dt.timedelta(days=-1)], "duration[us]", [dt.timedelta(days=-1)], id="durations"
        ),
        pytest.param(["007", "None", "a\0b"], "string", ["007", "None", "a\0b"], id="texts"),
        pytest.param([None, float("nan")], "null", [None, None], id="nothing"),
        pytest.param(
            [
                dt.date(2024, 1, 1),
                dt.datetime(2024, 1, 1, 5),  # noqa: DTZ001 -- a time without a zone is the case
                dt.datetime(2024, 1, 1, tzinfo=PLUS_TWO),
            ],
            "timestamp[us, tz=UTC]",
            [
                dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
                dt.datetime(2024, 1, 1, 5, tzinfo=dt.UTC),
                dt.datetime(2023, 12, 31, 22, tzinfo=dt.UTC),
            ],
            id="dates, times, zones",
        ),
        pytest.param(
            [
                pd.Timestamp("9999-12-31"),
                np.datetime64("2024-01-01T00:00:00.123456789"),
                np.datetime64("NaT"),
            ],
            "timestamp[us, tz=UTC]",
            [
                dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
                dt.datetime(2024, 1, 1, 0, 0, 0, 123_456, tzinfo=dt.UTC),
                None,
            ],
            id="pandas' and numpy's times",
        ),
        pytest.param(
            [{"a": 1}, {"b": [float("nan")]}],
            "struct<a: int64, b: list<item: double>>",
            [{"a": 1, "b": None}, {"a": None, "b": [None]}],
            id="objects",
        ),
    ],
)
def test_python_objects_keep_their_values(values, kind, right):
    column = kept(values)
    assert (str(column.type), column.to_pylist()) == (kind, right)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, "a"], "mixes texts and whole numbers"),
        ([True, 1], "mixes booleans and whole numbers"),
        ([10**38], "more than 38 digits"),
        ([Decimal("1" * 32 + ".1234567")], "more than 38 digits"),
        ([Decimal("Infinity")], "infinite"),
        (["\ud800"], "surrogates"),
        ([dt.time(1, tzinfo=dt.UTC)], "times of a day with a zone"),
        ([dt.datetime(1, 1, 1, tzinfo=PLUS_TWO)], "before the year 1"),
        ([object()], "of the type object"),
        ([{"a": 1}, {"a": "x"}], "cannot be kept"),
    ],
)
def test_what_does_not_go_together_is_refused_by_the_column(values, words):
    with pytest.raises(BadData, match="the column 'x'.*" + words):
        kept(values)


@pytest.mark.parametrize(
    ("series", "kind", "right"),
    [
        pytest.param(
            pd.Series([2**53 + 1, None], dtype="Int64"), "int64", [2**53 + 1, None], id="nullable"
        ),
        pytest.param(pd.Series([1.0, float("nan")]), "double", [1.0, None], id="NaN"),
        pytest.param(
            pd.Series(pd.array([1.0, float("nan")], dtype="Float64")),
            "double",
            [1.0, None],
            id="Float64",
        ),
        pytest.param(pd.Series(pd.arrays.SparseArray([0, 1])), "int64", [0, 1], id="sparse"),
        pytest.param(
            pd.Series(["a", None], dtype="category"), "string", ["a", None], id="categories"
        ),
        pytest.param(pd.Series([1.5], dtype="float16"), "float", [1.5], id="half floats"),
        pytest.param(pd.Series([2**64 - 1], dtype="uint64"), "uint64", [2**64 - 1], id="uint64"),
        pytest.param(
            pd.Series(pd.to_timedelta([-1])),
            "duration[us]",
            [dt.timedelta(microseconds=-1)],
            id="nanoseconds of a duration",
        ),
    ],
)
def test_series_of_pandas_keep_their_values(series, kind, right):
    column = normalise(pd.DataFrame({"x": series})).column("x")
    assert (str(column.type), column.to_pylist()) == (kind, right)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            pd.DataFrame({"x": pd.period_range("2024", periods=2)}),
            "the column 'x' has the type pandas.period",
        ),
        (pd.DataFrame({"x": [1j]}), r"the column 'x' \(complex128\) cannot be kept"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "two columns with the name '1'"),
        (pd.DataFrame([[1, 2]], columns=["id", "id"]), "two columns with the name 'id'"),
        ([1, 2], "Rows is a list"),
    ],
)
def test_a_frame_that_cannot_be_kept_is_named(frame, words):
    with pytest.raises(BadData, match=words):
        normalise(frame, "Rows")


def test_what_speaks_arrows_protocol_is_taken():
    batch = pa.record_batch({"x": [1]})
    assert normalise(pa.RecordBatchReader.from_batches(batch.schema, [batch])).to_pylist() == [
        {"x": 1}
    ]


SCALARS = [
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
    st.booleans(),
    st.binary(),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20
    ),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(dt.timedelta(days=-100_000), dt.timedelta(days=100_000)),
    st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
]


@given(st.one_of(*[st.lists(st.one_of(st.none(), scalar), max_size=8) for scalar in SCALARS]))
@settings(max_examples=200, deadline=None)
def test_any_values_come_back_equal_or_are_refused_by_name(values):
    beyond = any(isinstance(v, int) and abs(v) > 2**53 for v in values)
    with contextlib.ExitStack() as stack:
        if beyond:
            stack.enter_context(_refused_by_name())
        column = column_of(values, "x", "rows")
        for given_value, value in zip(values, column.to_pylist(), strict=True):
            if isinstance(given_value, dt.date) and not isinstance(given_value, dt.datetime):
                assert value == dt.datetime(
                    given_value.year, given_value.month, given_value.day, tzinfo=dt.UTC
                )
            elif isinstance(given_value, float) and isinstance(value, Decimal):
                assert float(value) == given_value
            else:
                assert value == given_value


@contextlib.contextmanager
def _refused_by_name():
    """Values may be refused, but not without the column's name."""
    refusal = "the column 'x'"
    try:
        yield
    except BadData as error:
        refusal = error.message
    assert "the column 'x'" in refusal
