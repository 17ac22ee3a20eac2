"""The dialect of a CSV is found by looking."""

import pytest

from pipelines.errors import BadData
from pipelines.onboarding.dialect import dialect_of, encoding_of

ROWS = "\n".join(f"{i};Köln;{i},5" for i in range(40))


def test_semicolons_in_an_encoding_of_windows():
    options, found = dialect_of(f"id;city;price\n{ROWS}\n".encode("cp1252"), "x.csv")
    assert options == {"delimiter": ";", "encoding": "cp1252"}
    assert found == ["x.csv: a CSV with semicolons, cp1252"]


def test_plain_csv_needs_no_option():
    rows = "\n".join(f'{i},"a, b",{i}.5' for i in range(40))
    assert dialect_of(f"id,note,price\n{rows}\n".encode(), "x.csv")[0] == {}


def test_lines_before_the_table_are_left_out():
    text = "Report of 2023\n\nid;city;price\n" + ROWS
    options, found = dialect_of(text.encode(), "x.csv")
    assert options == {"delimiter": ";", "skip": 2}
    assert "2 lines before the table" in found[0]


def test_columns_without_a_header_get_names():
    options, _ = dialect_of(("\n".join(f"{i},{i}.5,x{i}" for i in range(40))).encode(), "x.csv")
    assert options == {"header": False, "names": ["column_1", "column_2", "column_3"]}


def test_a_wide_file_is_not_cut_in_the_middle_of_a_line():
    names = ",".join(f"s{i}" for i in range(600))
    rows = "\n".join(",".join(f"{i}.{j:05d}" for j in range(600)) for i in range(900))
    data = f"{names}\n{rows}\n".encode()
    assert len(data) > 2_000_000
    assert dialect_of(data, "x.csv")[0] == {}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_decides(encoding):
    found = encoding_of("id,city\n1,Köln\n".encode(encoding), "x.csv")
    assert found == {"utf-16": "utf-16", "utf-8-sig": "utf-8"}[encoding]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
        (b"PAR1\x00\x00\x00\x01\x02" * 20, "no text"),
    ],
)
def test_what_is_no_table_is_named(data, words):
    with pytest.raises(BadData, match=words) as caught:
        dialect_of(data, "x.csv")
    assert caught.value.remedy


def test_titles_that_a_spreadsheet_fills_up_with_signs_are_no_header():
    text = (
        "Sales of 2024;;\nmade by Ann;;\n;;\nday;shop;amount\n2024-01-01;1;2,5\n2024-01-02;1;3,5\n"
    )
    options, found = dialect_of(text.encode(), "sales.csv")
    assert options == {"delimiter": ";", "skip": 3}
    assert "3 lines before the table" in found[0]
