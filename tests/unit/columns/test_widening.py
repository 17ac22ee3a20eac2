"""The one type that holds the values of several columns, or none where a value would change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.columns.widening import agree, common_type, in_types, together
from pipelines.errors import BadData

UTC_TIME = pa.timestamp("us", tz="UTC")
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


FLOATS, WHOLES = column([1.5, None]), column([1, 2])


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        pytest.param([FLOATS, column([None, None])], pa.float64(), id="null goes with numbers"),
        pytest.param(
            [FLOATS, pa.chunked_array([pa.nulls(2, pa.string())])],
            pa.float64(),
            id="texts without a value are null",
        ),
        pytest.param([column([None]), column(["a"])], pa.string(), id="null goes with texts"),
        pytest.param(
            [column([None]), column([MOMENT], UTC_TIME)], UTC_TIME, id="null goes with times"
        ),
        pytest.param([WHOLES, FLOATS], pa.float64(), id="whole numbers and floats"),
        pytest.param(
            [column([2**53]), FLOATS], pa.float64(), id="the last whole number that a float holds"
        ),
        pytest.param([column([1], pa.int32()), WHOLES], pa.int64(), id="two widths"),
        pytest.param(
            [column([1], pa.uint64()), column([-1], pa.int32())],
            pa.int64(),
            id="with and without a sign",
        ),
        pytest.param(
            [column([2**63], pa.uint64()), column([1], pa.int32())],
            pa.uint64(),
            id="large without a sign",
        ),
        pytest.param([column([0.5], pa.float32()), FLOATS], pa.float64(), id="two floats"),
        pytest.param(
            [column([True, None]), column([0, 1])], pa.int64(), id="booleans beside 0 and 1"
        ),
        pytest.param(
            [column([True]), column([0.0, float("nan")])],
            pa.float64(),
            id="booleans beside 0.0 and NaN",
        ),
        pytest.param(
            [
                column([Decimal("1.10")], pa.decimal128(5, 2)),
                column([Decimal("1.001")], pa.decimal128(9, 3)),
            ],
            pa.decimal128(9, 3),
            id="decimals of two scales",
        ),
        pytest.param(
            [column([Decimal("1.10")], pa.decimal128(5, 2)), column([2**60])],
            pa.decimal128(22, 2),
            id="decimals and wholes",
        ),
        pytest.param(
            [column([Decimal("1.10")], pa.decimal128(5, 2)), FLOATS],
            pa.float64(),
            id="short decimals and floats",
        ),
        pytest.param(
            [column([date(2024, 1, 1)]), column([MOMENT], UTC_TIME)], UTC_TIME, id="dates and times"
        ),
        pytest.param(
            [column([MOMENT.replace(tzinfo=None)], pa.timestamp("us")), column([MOMENT], UTC_TIME)],
            UTC_TIME,
            id="with and without a zone",
        ),
        pytest.param(
            [column(["a"]).dictionary_encode(), column(["b"], pa.large_string())],
            pa.string(),
            id="forms of text",
        ),
        pytest.param(
            [column([[1]]), column([[None]], pa.list_(pa.null()))],
            pa.list_(pa.int64()),
            id="lists of nulls",
        ),
    ],
)
def test_what_loses_nothing_meets(columns, kind):
    assert common_type(columns) == kind
    assert common_type(columns[::-1]) == kind


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param([column([2**53 + 1]), FLOATS], id="a whole number that no float holds"),
        pytest.param([WHOLES, column(["1"])], id="texts beside whole numbers"),
        pytest.param([FLOATS, column(["1.5"])], id="texts beside floats"),
        pytest.param([column([True]), column(["True"])], id="texts beside booleans"),
        pytest.param([column([True]), column([0, 2])], id="booleans beside other numbers"),
        pytest.param(
            [column([Decimal("1.1000000000000000001")], pa.decimal128(30, 19)), FLOATS],
            id="a decimal that no float holds",
        ),
        pytest.param(
            [column([2**63], pa.uint64()), column([-1])], id="no whole number type holds both"
        ),
        pytest.param([column([date(2024, 1, 1)]), WHOLES], id="dates beside numbers"),
        pytest.param([column([[1]]), WHOLES], id="lists beside numbers"),
        pytest.param([column([MOMENT], UTC_TIME), column(["2024-01-01"])], id="times beside texts"),
    ],
)
def test_what_would_change_a_value_does_not_meet(columns):
    assert common_type(columns) is None
    assert common_type(columns[::-1]) is None


def test_keys_stay_whole_where_the_floats_are_whole_too():
    assert common_type([WHOLES, column([10001.0, None])], whole=True) == pa.int64()
    assert common_type([WHOLES, FLOATS], whole=True) == pa.float64()


def test_most_batches_say_what_is_right_and_the_others_are_named():
    agreement = agree(
        {
            "may": column(["n/a"]),
            "june": FLOATS,
            "july": WHOLES,
            "august": FLOATS,
            "may 2": column([None]),
        }
    )
    assert (agreement.kind, agreement.most) == (pa.float64(), pa.float64())
    assert agreement.faults == {
        "may": (
            "holds texts (string), other batches hold floating numbers (double): these do not go"
            " together"
        )
    }


def test_of_one_type_only_the_batch_with_too_large_a_number_is_refused():
    agreement = agree(
        {"june": FLOATS, "july": FLOATS, "may": column([7]), "april": column([2**53 + 1])}
    )
    assert list(agreement.faults) == ["april"]
    assert "too large or too fine" in agreement.faults["april"]


def test_tables_are_put_together_without_a_change():
    tables = {
        "may": pa.table({"id": [1.0, 2.0], "x": pa.nulls(2, pa.string())}),
        "june": pa.table({"x": [1.5], "id": [3]}),
        "july": pa.table({"id": [4]}),
    }
    table = together(tables, "The features", whole=["id"])
    assert table.to_pydict() == {"id": [1, 2, 3, 4], "x": [None, None, 1.5, None]}
    assert [str(t) for t in table.schema.types] == ["int64", "double"]


def test_tables_that_do_not_fit_are_named_with_batch_and_column():
    with pytest.raises(
        BadData,
        match=r"The features do not fit together: in june, x holds texts \(string\), .* \(double\)",
    ):
        together({"may": pa.table({"x": [1.5]}), "june": pa.table({"x": ["1.5"]})}, "The features")


def test_a_table_is_never_cast_at_a_loss():
    with pytest.raises(
        BadData,
        match=r"The column x holds floating numbers \(double\) that are no whole numbers \(int64\)",
    ):
        in_types(pa.table({"x": [1.5]}), {"x": pa.int64()})
