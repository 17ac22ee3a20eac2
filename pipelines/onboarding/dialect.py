"""How a CSV is written: its encoding, its signs (by DuckDB's sniffer), where its table begins."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

from pipelines.errors import BadData
from pipelines.plurals import how_many

SAMPLE = 2_000_000
"""Bytes of a file that are looked at for its signs."""
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
MOST_TITLES = 50
_FULL = 0.8
"""The share of the fields of a table's header that are filled at least."""

_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def dialect_of(data: bytes, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the options of a CSV that differ from the defaults, and what was found, in words.

    Raises BadData where it is no table.
    """
    _refuse_what_is_no_table(data, name)
    encoding = encoding_of(data, name)
    text = _sample(data).decode(encoding, errors="ignore").removeprefix("\ufeff")
    options: dict[str, Any] = {} if encoding in {"utf-8", "ascii"} else {"encoding": encoding}
    delimiter, quote, skip, header, comment = _signs(text, name)
    titles = _title_lines(text, delimiter, quote or '"', skip) if header else 0
    skip += titles
    if delimiter != ",":
        options["delimiter"] = delimiter
    if quote not in {'"', ""}:
        options["quote"] = quote
    if skip:
        options["skip"] = skip
    if comment:
        options["comment"] = comment
    found = [
        f"{name}: a CSV with {_WORDS.get(delimiter, repr(delimiter))}, {encoding}"
        + (f", {how_many(skip, 'line')} before the table" if skip else "")
    ]
    if not header:
        width = _width(text, delimiter, quote or '"', skip)
        options |= {"header": False, "names": [f"column_{i + 1}" for i in range(width)]}
        found.append(f"{name}: no header; the columns are called column_1 to column_{width}")
    return options, found


def encoding_of(data: bytes, name: str) -> str:
    """Return the encoding: by its mark, UTF-8 where all bytes are, else the likeliest one.

    Raises BadData where none reads well.
    """
    from pipelines.sources.csv_text import guess_encoding

    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        around = data[max(0, error.start - SAMPLE // 8) : error.start + SAMPLE // 8]
        guess = guess_encoding(around)
        if guess is None:
            raise BadData(
                f"{name} is written in no encoding that is known: byte {error.start} is no UTF-8.",
                remedy="save it as UTF-8, or pass --encoding.",
            ) from error
        return guess
    return "utf-8"


def _refuse_what_is_no_table(data: bytes, name: str) -> None:
    if not data.strip():
        raise BadData(f"{name} is empty.", remedy="name a file with rows.")
    start = data[:500].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise BadData(
            f"{name} is a web page (HTML or XML), no table.",
            remedy="a login or an error page may have been saved in place of the file.",
        )
    if b"\x00" in data[:10_000] and not data.startswith(
        (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe")
    ):
        raise BadData(
            f"{name} holds bytes that are no text.",
            remedy="pass --format where it is Parquet, Arrow or Excel under another name.",
        )


def _sample(data: bytes) -> bytes:
    """Return the first bytes, up to the end of a line: one that is cut looks like another line."""
    if len(data) <= SAMPLE:
        return data
    end = data.rfind(b"\n", 0, SAMPLE)
    return data[: end + 1] if end > 0 else data[:SAMPLE]


def _signs(text: str, name: str) -> tuple[str, str, int, bool, str]:
    """Return delimiter, quote, lines before the table, whether it has a header, comment's sign."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.csv"
        path.write_text(text, encoding="utf-8", newline="")
        connection = duckdb.connect(":memory:")
        try:
            row = connection.execute(
                "SELECT Delimiter, Quote, SkipRows, HasHeader, Comment"
                " FROM sniff_csv(?, sample_size = 10000)",
                [str(path)],
            ).fetchone()
        except duckdb.Error as error:
            raise BadData(
                f"{name} is no table that could be understood: {str(error).splitlines()[0][:200]}.",
                remedy="pass --delimiter, --skip or --format; a table has the same number of fields"
                " in each line.",
            ) from error
        finally:
            connection.close()
    delimiter, quote, skip, header, comment = row or (",", '"', 0, True, "")
    clean = ["" if s in {"(empty)", "\0", None} else str(s) for s in (delimiter, quote, comment)]
    return clean[0] or ",", clean[1], int(skip), bool(header), clean[2]


def _title_lines(text: str, delimiter: str, quote: str, skip: int) -> int:
    """Return the lines of titles before the header that a spreadsheet has filled up with signs.

    They have as many fields as the table, and most of those are empty.
    """
    lines = text.splitlines()[skip : skip + MOST_TITLES]
    rows = [next(csv.reader([line], delimiter=delimiter, quotechar=quote), []) for line in lines]
    full = [sum(bool(field.strip()) for field in row) for row in rows]
    width = max(full, default=0)
    if not full or full[0] >= max(2, _FULL * width):
        return 0
    return next((i for i, count in enumerate(full) if count >= max(2, _FULL * width)), 0)


def _width(text: str, delimiter: str, quote: str, skip: int) -> int:
    lines = io.StringIO("".join(text.splitlines(keepends=True)[skip : skip + 50]))
    return len(next(csv.reader(lines, delimiter=delimiter, quotechar=quote)))
