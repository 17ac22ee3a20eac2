import datetime as dt

import ibis
import pyarrow as pa
import pytest

from pipelines.building.rows import run_build
from pipelines.errors import BadData, SpecError

FINE = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))


def test_build_never_sees_a_column_under_another_name():
    table = pa.table({"Amount": [1.0], "amount": [2.0], "amount_1": [9.0]})
    with pytest.raises(
        BadData,
        match=(
            "The table 'events' has the columns 'Amount' and 'amount', whose names differ in case"
            " only"
        ),
    ):
        run_build(
            lambda tables: tables["events"].select("amount_1"), {"events": table}, "features.py"
        )


def test_build_sees_null_where_a_value_is_missing_so_that_nothing_is_larger_than_nan():
    table = pa.table({"x": [float("nan"), 4.0, 1.0]})
    assert run_build(
        lambda tables: tables["events"].filter(tables["events"].x > 3),
        {"events": table},
        "features.py",
    ).to_pylist() == [{"x": 4.0}]


def test_build_can_count_with_a_column_that_has_no_values_in_any_batch():
    table = pa.table({"id": [1], "late": pa.nulls(1)})
    built = run_build(
        lambda tables: tables["events"].mutate(more=tables["events"].late + 1),
        {"events": table},
        "features.py",
    )
    assert built.to_pylist() == [{"id": 1, "late": None, "more": None}]


def test_what_build_returns_passes_the_same_border():
    table = pa.table({"x": [0.0], "at": FINE})

    def build(tables):
        t = tables["events"]
        return t.mutate(
            nothing=t.x / t.x, half=ibis.literal(None).cast("float64"), taken=t["at"] - t["at"]
        )

    [row] = run_build(build, {"events": table}, "features.py").to_pylist()
    assert row == {
        "x": 0.0,
        "at": dt.datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=dt.UTC),
        "nothing": None,
        "half": None,
        "taken": dt.timedelta(0),
    }


def test_what_build_returns_is_named_where_it_cannot_be_kept():
    table = pa.table({"x": [1.0]})
    with pytest.raises(
        SpecError, match=r"features.py: what build returned has the columns 'x' and 'X'"
    ):
        run_build(lambda tables: tables["events"].mutate(X=1), {"events": table}, "features.py")
