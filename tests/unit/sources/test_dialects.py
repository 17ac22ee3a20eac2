"""CSV files as people have them: their dialect in options, and what is said where it is another."""

import gzip
import io
import zipfile

import pytest

from tests.unit.sources.days import read

PLAIN = "at,x,name\n2024-01-01T05:00:00Z,1.5,Köln\n2024-01-01T06:00:00Z,1234.5,a b\n"
ROWS = [(1.5, "Köln"), (1234.5, "a b")]


def rows(raw):
    """Return the rows' values without their times."""
    assert raw.problem is None, raw.problem
    table = raw.tables["events"].sort_by("at")
    return list(zip(table["x"].to_pylist(), table["name"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param(PLAIN.encode(), {}, id="plain"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN.encode(), {}, id="byte order mark"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), {}, id="CRLF"),
        pytest.param(PLAIN.replace("\n", "\r").encode(), {}, id="CR"),
        pytest.param(PLAIN.encode("cp1252"), {"encoding": "cp1252"}, id="cp1252"),
        pytest.param(PLAIN.encode("utf-16"), {"encoding": "utf-16"}, id="utf-16"),
        pytest.param(PLAIN.replace(",", "\t").encode(), {"delimiter": "\t"}, id="tab"),
        pytest.param(
            PLAIN.replace(",", ";").replace("1.5", "1,5").replace("1234.5", "1.234,5").encode(),
            {"delimiter": ";", "decimal": ",", "thousands": "."},
            id="German numbers",
        ),
        pytest.param(PLAIN.replace("a b", "'a b'").encode(), {"quote": "'"}, id="another quote"),
        pytest.param(
            PLAIN.split("\n", 1)[1].encode(),
            {"header": False, "names": ["at", "x", "name"]},
            id="no header",
        ),
        pytest.param(
            PLAIN.replace("at,x,name", "A,B,C").encode(),
            {"names": ["at", "x", "name"]},
            id="other names",
        ),
        pytest.param(f"Export\n\n{PLAIN}".encode(), {"skip": 2}, id="lines before the header"),
        pytest.param(
            PLAIN.replace("\n2024", "\n# noon\n2024").encode(), {"comment": "#"}, id="comments"
        ),
        pytest.param(
            PLAIN.replace("2024-01-01T05:00:00Z", "01.01.2024 06:00")
            .replace("2024-01-01T06:00:00Z", "01.01.2024 07:00")
            .encode(),
            {"dates": "%d.%m.%Y %H:%M", "timezone": "Europe/Berlin"},
            id="text dates of a zone",
        ),
        pytest.param(gzip.compress(PLAIN.encode()), {}, id="gzip that its name hides"),
    ],
)
def test_a_dialect_is_read_as_it_is_written(tmp_path, text, options):
    (tmp_path / "a.csv").write_bytes(text)
    assert rows(read(tmp_path, "a.csv", **options)) == ROWS


def test_what_stands_for_a_missing_value_is_missing_in_texts_too(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN.replace("a b", "-").replace("1.5", "-"))
    assert rows(read(tmp_path, "a.csv", missing=["-"])) == [(None, "Köln"), (1234.5, None)]
    assert [name for _, name in rows(read(tmp_path, "a.csv"))] == ["Köln", "-"]


def test_a_type_can_be_stated_where_the_values_look_like_another_one(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN.replace("Köln", "50667").replace("a b", "04109"))
    (tmp_path / "b.csv").write_text(PLAIN.replace("Köln", "50667").replace("a b", "10115"))
    raw = read(tmp_path, "b.csv", types={"name": "text", "x": "decimal(6, 1)"})
    assert [str(v) for v in rows(raw)[1]] == ["1234.5", "10115"]


def test_a_zip_archive_of_one_file_is_that_file(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", PLAIN)
        archive.writestr("__MACOSX/._data.csv", "what macOS adds")
    (tmp_path / "a.zip").write_bytes(packed.getvalue())
    assert rows(read(tmp_path, "a.zip")) == ROWS


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        pytest.param(
            PLAIN.replace(",", ";").encode(), {}, ["line 1", "one field", 'delimiter: ";"'], id=";"
        ),
        pytest.param(
            PLAIN.replace(",", "\t").encode(), {}, ["line 1", 'delimiter: "\\t"'], id="tab"
        ),
        pytest.param(
            PLAIN.encode(), {"delimiter": ";"}, ["line 1", 'delimiter: ","'], id="declared another"
        ),
        pytest.param(
            PLAIN.encode("cp1252"), {}, ["line 2", "no utf-8", "encoding: cp1252"], id="encoding"
        ),
        pytest.param(PLAIN.encode("utf-16"), {}, ["encoding: utf-16"], id="utf-16"),
        pytest.param(
            b"2024-01-01,1.5,7\n2024-01-02,2.5,8\n", {}, ["line 1", "header: false"], id="no header"
        ),
        pytest.param(
            (PLAIN + PLAIN).encode(), {}, ["line 4", "header stands there again"], id="twice"
        ),
        pytest.param(
            PLAIN.encode() + b"2024-01-01T07:00:00Z,1\n", {}, ["line 4", "2 fields"], id="ragged"
        ),
        pytest.param(
            PLAIN.encode() + b'2024-01-01T07:00:00Z,1,"a\n', {}, ["line 4", "no end"], id="quote"
        ),
        pytest.param(PLAIN.replace("a b", "a\0b").encode(), {}, ["line 3", "NUL"], id="NUL"),
        pytest.param(b"", {}, ["empty"], id="empty"),
        pytest.param(b"<!DOCTYPE html>\n<html>", {}, ["web page"], id="HTML"),
        pytest.param(
            PLAIN.replace("2024-01-01T0", "01.01.2024 0").encode(),
            {},
            ["'at' holds no times", "dates"],
            id="text dates",
        ),
        pytest.param(
            PLAIN.replace("1234.5", "?").encode(),
            {"types": {"x": "float"}},
            ["a.csv, line 3", "'x' (float)", "'?'", "missing"],
            id="mixed types",
        ),
        pytest.param(
            PLAIN.replace("1.5", "18446744073709551616").replace("1234.5", "7").encode(),
            {"types": {"x": "integer"}},
            ["a.csv, line 2", "beyond the whole numbers", "decimal(38, 0)"],
            id="beyond 64 bits",
        ),
        pytest.param(
            b'at,x,name\n2024-01-01T05:00:00Z,1,"two\nlines"\n2024-01-01T05:00:00Z,?,b\n',
            {"types": {"x": "integer"}},
            ["a.csv, line 4", "'?'"],
            id="behind a quoted newline",
        ),
    ],
)
def test_another_dialect_is_named_with_its_line_and_the_option_for_it(
    tmp_path, text, options, words
):
    (tmp_path / "a.csv").write_bytes(text)
    raw = read(tmp_path, "a.csv", **options)
    assert raw.tables == {}
    assert "a.csv" in raw.problem
    assert [word for word in words if word not in raw.problem] == []
