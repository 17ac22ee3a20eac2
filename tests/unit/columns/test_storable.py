import datetime as dt
import uuid
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.building.rows import run_build
from pipelines.columns import storable as columns
from pipelines.columns.storable import check_names, storable_column
from pipelines.errors import BadData
from pipelines.tables import from_parquet, normalise, to_parquet

NAN = float("nan")
FINE = 1_700_000_000_123_456_789


def kept(array):
    column = storable_column(pa.chunked_array([array]), "x", "rows")
    column.validate(full=True)
    return column


@pytest.mark.parametrize(
    ("array", "kind", "values"),
    [
        pytest.param(
            pa.nulls(2), "null", [None, None], id="null stays null: batches are widened later"
        ),
        pytest.param(pa.array([1.5, NAN], pa.float16()), "float", [1.5, None], id="half floats"),
        pytest.param(pa.array([NAN, None, 1.0]), "double", [None, None, 1.0], id="NaN"),
        pytest.param(pa.array([2**64 - 1], pa.uint64()), "uint64", [2**64 - 1], id="uint64"),
        pytest.param(
            pa.array([Decimal("1.5")], pa.decimal256(50, 3)),
            "decimal128(38, 3)",
            [Decimal("1.500")],
            id="decimal256",
        ),
        pytest.param(
            pa.array([Decimal(1500)], pa.decimal128(5, -2)),
            "decimal128(7, 0)",
            [Decimal(1500)],
            id="a negative scale",
        ),
        pytest.param(pa.array(["a"]).dictionary_encode(), "string", ["a"], id="dictionary"),
        pytest.param(pa.array(["a"], pa.large_string()), "string", ["a"], id="large string"),
        pytest.param(
            pa.array(["a\0b"], pa.string_view()), "string", ["a\0b"], id="string view, NUL"
        ),
        pytest.param(pa.array([b"ab"], pa.binary(2)), "binary", [b"ab"], id="bytes of one width"),
        pytest.param(
            pa.RunEndEncodedArray.from_arrays([2], ["a"]), "string", ["a", "a"], id="runs"
        ),
        pytest.param(
            pa.array([dt.time(1)], pa.time32("s")), "time64[us]", [dt.time(1)], id="time of a day"
        ),
        pytest.param(
            pa.array([-1], pa.duration("ns")),
            "duration[us]",
            [dt.timedelta(microseconds=-1)],
            id="durations are cut",
        ),
        pytest.param(
            pa.array([(0, 2, 3_000), None], pa.month_day_nano_interval()),
            "duration[us]",
            [dt.timedelta(days=2, microseconds=3), None],
            id="DuckDB's intervals",
        ),
        pytest.param(
            pa.array([[0.0], [1.0, NAN], None], pa.large_list(pa.float16()))[1:],
            "list<item: float>",
            [[1.0, None], None],
            id="lists",
        ),
        pytest.param(
            pa.array([[("a", 1), ("a", 2)], None], pa.map_(pa.string(), pa.int64())),
            "list<item: struct<key: string, value: int64>>",
            [[{"key": "a", "value": 1}, {"key": "a", "value": 2}], None],
            id="a map with a key twice",
        ),
        pytest.param(
            pa.array([[], [None]]), "list<item: null>", [[], [None]], id="lists without values"
        ),
        pytest.param(
            pa.array([{"d": dt.timedelta(1)}]),
            "struct<d: duration[us]>",
            [{"d": dt.timedelta(1)}],
            id="durations within a struct",
        ),
        pytest.param(
            pa.array([{"a": 0.0}, {"a": NAN}, None])[1:],
            "struct<a: double>",
            [{"a": None}, None],
            id="NaN within a struct",
        ),
        pytest.param(
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"\1" * 16], pa.binary(16))),
            "string",
            [str(uuid.UUID(bytes=b"\1" * 16))],
            id="uuid",
        ),
        pytest.param(
            pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
            "bool",
            [True],
            id="bool8",
        ),
    ],
)
def test_types_are_kept_or_converted_without_changing_a_value_and_the_next_parts_hold_them(
    array, kind, values
):
    column = kept(array)
    assert (str(column.type), column.to_pylist()) == (kind, values)
    table = pa.table({"x": column})
    assert from_parquet(to_parquet(table)).equals(table)
    assert (
        run_build(lambda tables: tables["t"], {"t": table}, "features.py").to_pylist()
        == table.to_pylist()
    )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        pytest.param(
            pa.array([Decimal("1" * 40)]),
            r"\(decimal256\(40, 0\)\) cannot be kept: .*38",
            id="a decimal of 40 digits",
        ),
        pytest.param(
            pa.UnionArray.from_sparse(
                pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
            ),
            "has the type sparse_union",
            id="union",
        ),
        pytest.param(
            pa.array([(1, 0, 0)], pa.month_day_nano_interval()), "intervals of months", id="months"
        ),
        pytest.param(
            pa.array([{}], pa.struct([])), "structs without any field", id="an empty struct"
        ),
        pytest.param(
            pa.array([{"a": 1, "A": 2}]),
            "'a' and 'A', whose names differ in case only",
            id="fields that differ in case",
        ),
        pytest.param(
            pa.array([2**31 - 1], pa.date32()),
            "cannot be kept",
            id="a date that microseconds do not reach",
        ),
        pytest.param(
            pa.array([2**62], pa.timestamp("s")),
            "cannot be kept",
            id="a time that microseconds do not reach",
        ),
        pytest.param(
            pa.array([2**62], pa.timestamp("us")),
            "after the year 9999",
            id="a time that Python does not reach",
        ),
    ],
)
def test_a_type_that_no_next_part_holds_is_named_with_its_column(array, words):
    with pytest.raises(BadData, match=r"rows: the column 'x'.*" + words) as caught:
        kept(array)
    assert caught.value.remedy


@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1),
    st.sampled_from([None, "UTC", "Europe/Berlin", "No/Where"]),
)
@settings(max_examples=60, deadline=None)
def test_times_finer_than_a_microsecond_are_cut_towards_the_past(nanoseconds, zone):
    column = kept(pa.array(nanoseconds, pa.int64()).cast(pa.timestamp("ns", zone)))
    assert str(column.type) == "timestamp[us, tz=UTC]"
    assert column.cast(pa.int64()).to_pylist() == [
        n if n is None else n // 1_000 for n in nanoseconds
    ]


def test_a_cut_is_said_once_and_names_the_column(caplog):
    columns.say_once.cache_clear()
    for _ in range(2):
        kept(pa.array([FINE], pa.timestamp("ns")))
        kept(pa.array([FINE // 1_000 * 1_000], pa.timestamp("ns", "UTC")))
    assert caplog.messages == [
        "rows: the column 'x' has times finer than a microsecond; they are cut to microseconds."
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_first_and_the_last_moment_are_kept(unit):
    ends = [
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
    ]
    assert kept(pa.array(ends, pa.timestamp(unit, "UTC"))).to_pylist() == ends
    assert kept(pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31)])).to_pylist() == [
        ends[0],
        dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Amount", "amount"], "'Amount' and 'amount', whose names differ in case only"),
        (["Ä", "ä"], "differ in case only"),
        (["id", "x", "id"], "two columns with the name 'id'"),
        ([""], "the name ''"),
        ([" "], "the name ' '"),
        (["a\0b"], r"the name 'a\\x00b'"),
    ],
)
def test_names_that_the_engine_would_change_are_refused(names, words):
    with pytest.raises(BadData, match=words):
        check_names(names, "rows")
    with pytest.raises(BadData, match=words):
        normalise(pa.Table.from_arrays([pa.array([1])] * len(names), names=names))


def test_names_that_the_engine_leaves_alone_are_taken():
    names = ["rowid", "a.b", 'a"b', " a", "a", "é", "select", "a\nb"]
    table = normalise(pa.Table.from_arrays([pa.array([i]) for i in range(len(names))], names=names))
    assert run_build(lambda tables: tables["t"], {"t": table}, "features.py").equals(table)


def test_a_parquet_of_nanoseconds_is_no_obstacle(tmp_path):
    pq.write_table(
        pa.table({"noted": pa.array([FINE], pa.timestamp("ns"))}), tmp_path / "x.parquet"
    )
    assert normalise(pq.read_table(tmp_path / "x.parquet")).to_pylist() == [
        {"noted": dt.datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=dt.UTC)}
    ]
