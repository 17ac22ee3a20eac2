"""One table in every format, read back with one schema: the same values, or a refusal by name."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import BadData
from pipelines.sources.parsing import Reading, parse
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions

SCHEMA = {
    "whole": Column(type="integer"),
    "number": Column(type="float"),
    "price": Column(type="decimal(14, 2)"),
    "sure": Column(type="boolean"),
    "word": Column(type="text"),
    "size": Column(type="category", order=["S", "M", "L"]),
    "moment": Column(type="time"),
    "day": Column(type="date"),
    "clock": Column(type="time_of_day"),
    "span": Column(type="duration"),
}
# What XML cannot hold is left out, and so are the texts that some format takes for nothing.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(
    lambda word: word.strip() == word
)
# Hypothesis takes bounds without a zone.
MOMENTS = st.datetimes(
    dt.datetime(1, 1, 2),  # noqa: DTZ001
    dt.datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
)
VALUES = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "price": st.decimals(-(10**11), 10**11, places=2),
    "sure": st.booleans(),
    "word": WORDS | st.sampled_from(["NA", "007", "1e5", "true", "2024-01-01", "a\nb", 'a"b']),
    "size": st.sampled_from(["S", "M", "L"]),
    "moment": MOMENTS,
    "day": st.dates(dt.date(1, 1, 2), dt.date(9999, 12, 30)),
    "clock": st.times(),
    "span": st.timedeltas(dt.timedelta(0), dt.timedelta(days=10_000)),
}
ROWS = st.lists(
    # In a workbook a row without any value is none.
    st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}).filter(
        lambda row: any(value is not None for value in row.values())
    ),
    min_size=1,
    max_size=5,
)


def expected(rows):
    """Return the rows as they are kept: dates are midnights in UTC."""

    def value(name, given):
        if name == "day" and given is not None:
            return dt.datetime.combine(given, dt.time(0), dt.UTC)
        return given

    return [{name: value(name, row[name]) for name in SCHEMA} for row in rows]


def as_text(value):
    """Return a value as a file of texts has it."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return pd.Timedelta(value).isoformat()
    return str(value) if not isinstance(value, float) else repr(value)


def as_csv(rows):
    file = io.StringIO()
    writer = csv.DictWriter(file, list(SCHEMA))
    writer.writeheader()
    for row in rows:
        writer.writerow({n: None if v is None else as_text(v) for n, v in row.items()})
    return file.getvalue().encode()


def as_json(rows):
    def value(v):
        return v if v is None or isinstance(v, bool | int | float | str) else as_text(v)

    return b"\n".join(json.dumps({n: value(v) for n, v in r.items()}).encode() for r in rows)


def as_arrow_table(rows):
    kinds = {
        "whole": pa.int64(),
        "number": pa.float64(),
        "price": pa.decimal128(20, 2),
        "sure": pa.bool_(),
        "word": pa.large_string(),
        "size": pa.dictionary(pa.int8(), pa.string()),
        "moment": pa.timestamp("us", "UTC"),
        "day": pa.date32(),
        "clock": pa.time64("us"),
        "span": pa.duration("us"),
    }
    return pa.table({n: pa.array([r[n] for r in rows], kind) for n, kind in kinds.items()})


def as_parquet(rows):
    buffer = io.BytesIO()
    pq.write_table(as_arrow_table(rows), buffer)
    return buffer.getvalue()


def as_feather(rows):
    table, sink = as_arrow_table(rows), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def as_excel(rows):
    """Return a workbook: what a cell cannot hold exactly is a text, as in Excel itself."""
    book = openpyxl.Workbook()
    sheet = book.active
    for place, name in enumerate(SCHEMA, 1):
        sheet.cell(1, place, name)
    for line, row in enumerate(rows, 2):
        for place, value in enumerate((row[name] for name in SCHEMA), 1):
            exact = (
                isinstance(value, bool)
                # openpyxl writes 16 digits of a float.
                or (isinstance(value, float) and float(f"{value:.16g}") == value)
                or (isinstance(value, int) and abs(value) <= 2**53)
            )
            if value is not None:
                cell = sheet.cell(line, place)
                cell.value = value if exact else as_text(value)
                cell.data_type = cell.data_type if exact else "s"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


WRITERS = {
    "csv": as_csv,
    "json": as_json,
    "parquet": as_parquet,
    "arrow": as_feather,
    "excel": as_excel,
}


@pytest.mark.parametrize("kind", list(WRITERS))
@given(ROWS)
@settings(max_examples=40, deadline=None)
def test_every_format_gives_the_same_values(kind, rows):
    data = WRITERS[kind](rows)
    table = parse(data, kind, f"rows.{kind}", Reading(TableOptions(), "UTC", SCHEMA))
    assert table.select(list(SCHEMA)).to_pylist() == expected(rows)


@pytest.mark.parametrize("kind", ["csv", "json", "excel"])
def test_bytes_in_a_file_of_texts_are_refused_by_name(kind):
    rows = [dict.fromkeys(SCHEMA) | {"word": "AB"}]
    schema = SCHEMA | {"word": Column(type="bytes")}
    with pytest.raises(BadData, match=r"the column 'word' \(bytes\) holds 'AB'"):
        parse(WRITERS[kind](rows), kind, f"rows.{kind}", Reading(TableOptions(), "UTC", schema))


def test_a_number_with_more_digits_than_its_decimal_is_refused_in_every_format():
    schema = {"price": Column(type="decimal(14, 2)")}
    for kind, data in (("csv", b"price\n1.005\n"), ("json", b'{"price": 1.005}')):
        with pytest.raises(BadData, match=r"1\.005"):
            parse(data, kind, f"rows.{kind}", Reading(TableOptions(), "UTC", schema))
    assert parse(b'{"price": 1.1}', "json", "rows", Reading(schema=schema)).to_pylist() == [
        {"price": Decimal("1.10")}
    ]
