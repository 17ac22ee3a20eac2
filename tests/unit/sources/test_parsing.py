import datetime as dt
import gzip
import io
import json
import os
import random
import socket
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2 import extensions

from pipelines.columns.storable import say_once
from pipelines.errors import BadData, PerennialError, SpecError
from pipelines.intervals import containing
from pipelines.sources.files import Files
from pipelines.sources.parsing import parse, unpack, with_times
from pipelines.sources.postgres import refuse_changes
from pipelines.sources.python import Function
from pipelines.sources.sql import Sql, _table
from pipelines.spec.sources import FilesSource, PythonSource, SqlSource
from pipelines.tables import normalise

FIRST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAY = containing(FIRST, "day")


def read(tmp_path, uri, **more):
    return Files(
        FilesSource(kind="files", uri=uri, first=FIRST, **more), "at", tmp_path, most=10_000_000
    ).read(DAY)


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
        pytest.param(b'{"a": "\xff"}', "not readable as json: .*utf-8", id="bad UTF-8"),
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
        (b"id,x\n1\n", "Row #2: Expected 2 columns, got 1"),
        (b'id,x\n1,2\n"secret,3\n', "Row #3: Expected 2 columns, got 1"),
        (b"id,x\n1,\xff\n", "invalid UTF8"),
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


# Times


def test_event_times_are_cut_and_what_is_no_time_is_said(caplog):
    say_once.cache_clear()
    texts = [
        "2024-01-01T00:00:00.1234567Z",
        "9999-12-31T23:59:59.999999999",
        "0001-01-01",
        "now",
        "2024-01-01 01:00+01:00",
        None,
        "x",
    ]
    at = with_times(pa.table({"at": texts}), "at", "rows.csv")["at"].to_pylist()
    assert at == [
        FIRST.replace(microsecond=123_456),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
        None,
        FIRST,
        None,
        None,
    ]
    assert "rows.csv: 2 values of 'at' are no times and are read as missing." in caplog.messages
    assert (
        "rows.csv: the column 'at' has times finer than a microsecond; they are cut to"
        " microseconds." in caplog.messages
    )


# SQL


def test_two_columns_of_one_name_are_the_querys_fault(tmp_path):
    query = "select 1 as id, 2 as {} where :start < :end"
    for name, words in {
        "id": "returns two columns with the name 'id'",
        "ID": "'id' and 'ID', whose names differ in case only",
    }.items():
        source = SqlSource(kind="sql", database="shop", query=query.format(name), first=FIRST)
        with pytest.raises(SpecError, match=words) as caught:
            Sql(source, "at", {"PERENNIAL_SQL_SHOP": "sqlite://"}).read(DAY)
        assert "source.query" in caught.value.remedy


def test_values_of_a_database_are_kept_as_they_are():
    rows = [
        (
            2**53 + 1,
            Decimal("1.10"),
            dt.date(2024, 1, 1),
            UUID(int=1),
            b"\0",
            {"a": [1]},
            [1, 2],
            True,
            None,
            float("nan"),
        ),
        (None, None, None, None, None, None, None, None, None, 0.5),
    ]
    table = normalise(_table(list("abcdefghij"), list(rows), "The database"))
    assert [str(t) for t in table.schema.types] == [
        "int64",
        "decimal128(38, 2)",
        "timestamp[us, tz=UTC]",
        "string",
        "binary",
        "string",
        "list<item: int64>",
        "bool",
        "null",
        "double",
    ]
    first = (
        2**53 + 1,
        Decimal("1.10"),
        FIRST,
        str(UUID(int=1)),
        b"\0",
        '{"a": [1]}',
        [1, 2],
        True,
        None,
        None,
    )
    assert tuple(table.to_pylist()[0].values()) == first
    assert list(table.to_pylist()[1].values()) == [None] * 9 + [0.5]


def test_a_column_of_a_database_that_cannot_be_kept_is_a_problem_that_names_it():
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select 1 as x where :start < :end union all select 'a' where :start < :end",
        first=FIRST,
    )
    raw = Sql(source, "at", {"PERENNIAL_SQL_SHOP": "sqlite://"}).read(DAY)
    assert "The database 'shop': the column 'x' mixes texts and whole numbers" in raw.problem


def test_what_psycopg2_would_change_in_silence_is_refused():
    interval, date = refuse_changes(extensions.PYINTERVAL), refuse_changes(extensions.PYDATE)
    assert interval("1 day 02:00:00", None) == dt.timedelta(days=1, hours=2)
    assert date("9999-12-31", None) == dt.date(9999, 12, 31)
    assert interval(None, None) is None
    for read_value, text in (
        (interval, "1 mon"),
        (interval, "2 years"),
        (date, "infinity"),
        (date, "-infinity"),
    ):
        with pytest.raises(ValueError, match="no length"):
            read_value(text, None)


# A function of the model


def test_a_table_of_a_function_that_cannot_be_kept_is_a_problem_that_names_it(tmp_path):
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(
        "import pandas as pd\n"
        "def twice(start, end): return pd.DataFrame([[1, 2]], columns=['id', 'ID'])\n"
        "def large(start, end): return pd.DataFrame({'x': range(1000)})\n"
    )
    twice = Function(PythonSource(kind="python", first=FIRST, function="twice"), folder).read(DAY)
    assert "models/m/source.py: the table 'events' has the columns 'id' and 'ID'" in twice.problem
    large = Function(
        PythonSource(kind="python", first=FIRST, function="large"), folder, most=1_000
    ).read(DAY)
    assert "8000 bytes, more than 1000" in large.problem


# What is no file


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a socket", "a device"])
def test_what_is_no_regular_file_is_refused_by_name_and_never_read(tmp_path, kind):
    path = tmp_path / "x.csv"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    for uri in (
        "x.csv",
        f"file://{path}",
        *([] if kind == "a folder" else ["*.csv"]),
    ):  # a pattern passes folders over
        with pytest.raises(SpecError, match=rf"x\.csv is {kind}.*, no regular file"):
            read(tmp_path, uri)


def test_a_zip_archive_without_a_member_asks_for_one():
    with pytest.raises(BadData, match=r"rows\.csv is a zip archive") as caught:
        unpack(b"PK\x03\x04 and so on", "rows.csv", 1_000)
    assert "member" in caught.value.remedy


# Anything


def originals():
    """Return good files by name."""
    csv = b"at,x,name\n" + b"".join(
        b'2024-01-01T%02d:00:00Z,%d,"a ""b"" %d"\n' % (i % 24, i, i) for i in range(40)
    )
    lines = b"".join(
        b'{"at": "2024-01-01T05:00:00Z", "x": %d, "deep": {"y": [1.5, null]}}\n' % i
        for i in range(40)
    )
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"at": [FIRST] * 40, "x": [1.5, None] * 20, "name": ["a", "b"] * 20}), buffer
    )
    return {
        "a.csv": csv,
        "a.json": lines,
        "a.parquet": buffer.getvalue(),
        "b.csv.gz": gzip.compress(csv, mtime=0),
    }


def damaged(data, chance):
    """Return the bytes with a few of them changed, cut out, repeated or put in."""
    bytes_ = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(bytes_) + 1)
        kind = chance.randrange(5)
        if kind == 0 and place < len(bytes_):
            bytes_[place] = chance.randrange(256)
        elif kind == 1:
            del bytes_[place : place + chance.randint(1, 40)]
        elif kind == 2:
            bytes_[place:place] = bytes_[max(0, place - chance.randint(1, 40)) : place]
        elif kind == 3:
            bytes_[place:place] = chance.choice(
                [
                    b"\0",
                    b'"',
                    b"\xff",
                    b"9" * 50,
                    b"[" * 2_000,
                    b"\r",
                    b",,",
                    b"NaN",
                    b"1e999",
                    b"}{",
                ]
            )
        else:
            del bytes_[place:]
    return bytes(bytes_)


def read_damaged(tmp_path, count, seed):
    chance, files = random.Random(seed), originals()
    readable = 0
    for _ in range(count):
        name = chance.choice(list(files))
        (tmp_path / name).write_bytes(damaged(files[name], chance))
        try:
            raw = read(tmp_path, name)
        except PerennialError as error:
            pytest.fail(f"{name}: {error}")
        assert raw.problem is None or name in raw.problem
        assert (raw.problem is None) == ("events" in raw.tables)
        readable += raw.problem is None
    return readable


def test_damaged_files_are_rows_or_a_problem_that_names_the_file(tmp_path):
    assert 0 < read_damaged(tmp_path, 250, seed=1) < 250


@pytest.mark.long
def test_many_damaged_files_are_rows_or_a_problem_that_names_the_file(tmp_path):
    assert 0 < read_damaged(tmp_path, 30_000, seed=2) < 30_000
