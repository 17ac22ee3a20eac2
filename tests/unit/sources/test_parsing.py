import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.columns.storable import say_once
from pipelines.errors import BadData
from pipelines.sources.parsing import parse
from tests.unit.sources.days import read

# JSON


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        pytest.param(
            b'[{"a": 1}, {"b": 2.5}]',
            [{"a": 1, "b": None}, {"a": None, "b": 2.5}],
            id="keys that come and go",
        ),
        pytest.param(
            b'{"a": 9007199254740993}\n{"a": null}\n',
            [{"a": 2**53 + 1}, {"a": None}],
            id="a whole number beside null",
        ),
        pytest.param(b'{"a": 18446744073709551615}', [{"a": 2**64 - 1}], id="2^64 - 1"),
        pytest.param(
            b'{"a": 12345678901234567.89}',
            [{"a": Decimal("12345678901234567.89")}],
            id="a decimal that no float is",
        ),
        pytest.param(b'{"a": 0.30000000000000004}', [{"a": 0.1 + 0.2}], id="all digits of a float"),
        pytest.param(
            b'{"a": NaN} {"a": 0.5}', [{"a": None}, {"a": 0.5}], id="NaN, as Python writes it"
        ),
        pytest.param(
            b'{"a": "007"}\n{"a": "2024-01-01"}',
            [{"a": "007"}, {"a": "2024-01-01"}],
            id="texts that look like more",
        ),
        pytest.param(
            b'\xef\xbb\xbf{"a": "\\u0000"}', [{"a": "\0"}], id="a byte order mark, and NUL"
        ),
        pytest.param(b'{"a": {"x": [1, null]}}', [{"a": {"x": [1, None]}}], id="nested"),
        pytest.param(b"[]", [], id="an empty list"),
    ],
)
def test_json_keeps_its_values(data, rows):
    assert parse(data, "json", "rows.json").to_pylist() == rows


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(
            b'{"a": 1}\n{"a": 1, "b": {"c": 1, "c": 2}}',
            "line 2: the key 'c' is there twice",
            id="a key twice",
        ),
        pytest.param(b'{"a": 1, "A": 2}', "differ in case only", id="keys that differ in case"),
        pytest.param(b'{"": 1}', "the name ''", id="no key"),
        pytest.param(b'[{"a": 1}', "the list has no end", id="cut short"),
        pytest.param(b'[{"a": 1}] 2', "something follows the list", id="more behind the list"),
        pytest.param(b'{"a": 1}\n7', "line 2 holds no object", id="no object"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="brackets"),
        pytest.param(b'{"a":' * 100_000, "nested too deeply", id="braces"),
        pytest.param(
            b'{"a": ' + b"1" * 5_000 + b"}", "line 1: .*4300 digits", id="a number of 5,000 digits"
        ),
        pytest.param(
            b'{"a": 1e400}',
            "the column 'a' has numbers of more than 38 digits",
            id="beyond the floats",
        ),
        pytest.param(
            b'{"a": "\\ud800"}',
            "the column 'a' cannot be kept: .*surrogates",
            id="half a character",
        ),
        pytest.param(
            b'{"a": 1}\n{"a": "x"}', "the column 'a' mixes texts and whole numbers", id="mixed"
        ),
        pytest.param(b'{"a": {}}', "structs without any field", id="an empty object"),
        pytest.param(b'{"a": "\xff"}', ", line 1: the byte 0xff is no utf-8", id="bad UTF-8"),
        pytest.param(
            json.dumps({f"k{i}": 1 for i in range(10_001)}).encode(),
            "more than 10000 columns",
            id="too many keys",
        ),
    ],
)
def test_json_that_cannot_be_kept_is_named_with_its_place(data, words):
    with pytest.raises(BadData, match=r"rows\.json.*" + words):
        parse(data, "json", "rows.json")


JSON_COLUMNS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False))),
    st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8")))),
    st.lists(st.one_of(st.none(), st.booleans())),
)


@given(JSON_COLUMNS)
@settings(max_examples=150, deadline=None)
def test_what_json_and_parquet_hold_comes_back(values):
    lines = "\n".join(json.dumps({"x": value}) for value in [*values, None]).encode()
    assert parse(lines, "json", "rows.json")["x"].to_pylist() == [*values, None]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": values}), buffer)
    assert parse(buffer.getvalue(), "parquet", "rows.parquet")["x"].to_pylist() == values


# Parquet


def test_times_of_96_bits_do_not_wrap_around(caplog):
    say_once.cache_clear()
    buffer = io.BytesIO()
    times = [
        dt.datetime(2400, 1, 1, tzinfo=dt.UTC),
        dt.datetime(1600, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
    ]
    pq.write_table(
        pa.table({"at": pa.array(times, pa.timestamp("us", "UTC"))}),
        buffer,
        use_deprecated_int96_timestamps=True,
    )
    assert parse(buffer.getvalue(), "parquet", "rows.parquet")["at"].to_pylist() == times
    assert "96 bits in 'at'" in caplog.text


@pytest.mark.parametrize("names", [["id", "id"], ["id", "Id"]])
def test_a_parquet_with_two_columns_of_one_name_is_refused(names):
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 2, names=names), buffer)
    with pytest.raises(BadData, match="'id'"):
        parse(buffer.getvalue(), "parquet", "rows.parquet")


# CSV


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"id,x,id\n1,2,3\n", "two columns with the name 'id'"),
        (b"id,x,ID\n1,2,3\n", "differ in case only"),
        (b"id,\n1,2\n", "the name ''"),
        (b"id,x\n1\n", "rows.csv, line 2: 1 fields, where the header has 2"),
        (b'id,x\n1,2\n"secret,3\n', "rows.csv, line 3: a quote begins there and has no end"),
        (b"id,x\n1,\xff\n", "rows.csv, line 2: the byte 0xff is no utf-8"),
    ],
)
def test_a_csv_that_cannot_be_kept_is_named_with_its_place_and_without_its_row(data, words):
    with pytest.raises(BadData, match=words) as caught:
        parse(data, "csv", "rows.csv")
    assert "secret" not in str(caught.value)


def test_files_of_one_source_decide_a_columns_type_together(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"at,x,y\n2024-01-01T05:00:00Z,7,\n")
    (tmp_path / "b.csv").write_bytes(b"at,x,y\n2024-01-01T06:00:00Z,007,2\n")
    assert [
        (row["x"], row["y"]) for row in read(tmp_path, "*.csv").tables["events"].to_pylist()
    ] == [("7", None), ("007", 2)]


def test_files_that_do_not_fit_together_are_a_problem_that_names_the_column(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"at": "2024-01-01", "x": 12345678901234567.89}')
    (tmp_path / "b.json").write_bytes(b'{"at": "2024-01-01", "x": 0.5}')
    assert (
        "the column 'x' holds decimals in one file and floats in another"
        in read(tmp_path, "*.json").problem
    )
