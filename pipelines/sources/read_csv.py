"""CSV to a table: all columns as texts, or at once in the types that a schema states."""

from __future__ import annotations

import contextlib
import re
from typing import IO, TYPE_CHECKING, Any

from pipelines.columns.contract import arrow_type
from pipelines.columns.storable import check_names
from pipelines.columns.texts import FALSE, TRUE
from pipelines.errors import BadData
from pipelines.sources.csv_text import OpenQuote, decode_text, line_of_row, records, rows_of
from pipelines.spec.table_options import TableOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from pipelines.spec.schema import Column

_BLOCK = 2**22
_LONGEST_HEADER = 2**22
"""Bytes within which the header ends."""

_PLAIN = TableOptions()
_DELIMITERS = {";": ";", "\t": "\\t", "|": "|", ",": ","}
_VALUE = re.compile(r"^\s*([+-]?[0-9][0-9.,]*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*)?\s*$")
"""What no column is called: a number, a date, nothing."""


_HOW = 'mend the line; or write `delimiter`, `quote` (such as `quote: "none"`) or `skip`.'


class Csv:
    """One CSV, with the way to say on which line something stands."""

    def __init__(self, data: bytes, subject: str, options: TableOptions = _PLAIN) -> None:
        """Decode the file and read its header.

        Raises BadData where it is no CSV of this dialect.
        """
        if not data[:_BLOCK].strip() and not data.strip():
            raise BadData(f"{subject} is empty: not even a header.")
        self._subject = subject
        self._options = options
        self._text = decode_text(data, options, subject)
        self._rows = rows_of(self._text, options)
        if not self._rows.endswith((b"\n", b"\r")):
            self._rows += b"\n"
        try:
            self.names = options.names or self._header()
            self._check_header()
            if len(self.names) == 1:
                # an empty line is a row of one empty field, but not around the table
                self._rows = self._rows.strip(b"\r\n") + b"\n"
        except parser_errors() as error:
            raise self._unreadable(error) from error

    def texts(self) -> pa.Table:
        """Return the rows as texts: an empty field is null, a quoted empty one a text.

        Raises BadData naming the line.
        """
        import pyarrow as pa

        try:
            table = self._read(dict.fromkeys(self.names, pa.string()), threads=False)
        except parser_errors() as error:
            raise self._unreadable(error) from error
        self._check_quotes()
        self._check_rows(table)
        return table

    def values(self, columns: Mapping[str, Column]) -> pa.Table | None:
        """Return the rows, those columns in their types that the parser itself reads exactly.

        The other columns are texts. None where a value is written in another way: `texts` and the
        schema then say more.
        """
        import pyarrow as pa

        if b"0x" in self._rows or b"0X" in self._rows:
            return None  # the parser takes 0x1F for 31
        types = self._parsed_types(columns)
        try:
            table = self._read(types, threads=True)
        except parser_errors():
            return None
        if not all_finite(table):
            return None
        self._check_quotes()
        if all(kind == pa.string() for kind in types.values()):
            self._check_rows(table)
        return table

    def place(self, row: int) -> str:
        """Return where a row stands, for an error."""
        with self._whole_text() as text:
            line = line_of_row(text, self._options, row)
        return f"{self._subject}, line {line}" if line else f"{self._subject}, row {row + 1}"

    @contextlib.contextmanager
    def _whole_text(self) -> Iterator[bytes | IO[str]]:
        """Yield the text for `records`."""
        yield self._text

    def _parsed_types(self, columns: Mapping[str, Column]) -> dict[str, pa.DataType]:
        """Return the type in which the parser reads each column."""
        return {name: _parsed_type(columns.get(name), self._options) for name in self.names}

    def _header(self) -> list[str]:
        """Return the header's names."""
        first = next(records(self._text[:_LONGEST_HEADER], self._options), (0, []))[1]
        if not first:
            raise BadData(f"{self._subject} is empty: not even a header.")
        return first

    def _check_header(self) -> None:
        names, options = self.names, self._options
        if len(names) == 1:
            others = [s for s in _DELIMITERS if s in names[0] and s != (options.delimiter or ",")]
            if others:
                sign = max(others, key=names[0].count)
                raise BadData(
                    f"{self._subject}, line {options.skip + 1}: the header is one field,"
                    f" {names[0][:80]!r}.",
                    remedy=f'write `delimiter: "{_DELIMITERS[sign]}"` in the source.',
                )
        if options.header and options.names is None and all(map(_VALUE.match, names)):
            raise BadData(
                f"{self._subject}, line {options.skip + 1}: the header holds values"
                f" ({', '.join(names[:4])[:80]}), no names.",
                remedy="write `header: false` and `names: […]`, or `skip`, in the source.",
            )
        check_names(names, self._subject)

    def _check_quotes(self) -> None:
        """Raise BadData where a quote has no end: the parser makes one field of all behind it."""
        quote = self._options.quote
        if quote != "none" and self._rows.count(quote.encode()) % 2:
            self._refuse_open_quote()

    def _refuse_open_quote(self) -> None:
        try:
            with self._whole_text() as text:
                for _ in records(text, self._options):
                    pass
        except OpenQuote as error:
            raise self._open_quote(error) from error

    def _open_quote(self, quote: OpenQuote) -> BadData:
        return BadData(
            f"{self._subject}, line {quote.line}: a quote begins there and has no end.",
            remedy=_HOW,
        )

    def _check_rows(self, table: pa.Table, before: int = 0) -> None:
        """Raise BadData where a row repeats the header, as where two files are put together.

        `before` the table's first row so many others stand in the file.
        """
        import pyarrow.compute as pc

        if not table.num_columns or not self._options.header or self._options.names:
            return
        first, *others = table.column_names
        rows: Any = pc.equal(table[first], first)
        for name in others:
            if not pc.any(rows).as_py():
                return
            rows = pc.and_(rows, pc.equal(table[name], name))
        row = pc.index(pc.fill_null(rows, fill_value=False), True).as_py()
        if row >= 0:
            raise BadData(
                f"{self.place(before + row)}: the header stands there again.",
                remedy="remove the line: two files may have been put together.",
            )

    def _read(self, types: Mapping[str, pa.DataType], *, threads: bool) -> pa.Table:
        block = min(_BLOCK, len(self._rows) + 1)
        try:
            return self._read_in_blocks(types, block, threads=threads)
        except parser_errors() as error:
            if "straddling" not in str(error) or block > len(self._rows):
                raise
        # a row longer than a block
        return self._read_in_blocks(types, len(self._rows) + 1, threads=threads)

    def _read_in_blocks(
        self, types: Mapping[str, pa.DataType], block: int, *, threads: bool
    ) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        options = self._arrow_options(types, block, threads=threads)
        return arrow_csv.read_csv(pa.BufferReader(self._rows), **options)

    def _arrow_options(
        self, types: Mapping[str, pa.DataType], block: int, *, threads: bool
    ) -> dict[str, Any]:
        """Return what Arrow's parser is told."""
        from pyarrow import csv as arrow_csv

        options = self._options
        nulls = [""] if options.missing is None else ["", *options.missing]
        return {
            # with threads, errors name no row
            "read_options": arrow_csv.ReadOptions(
                block_size=block,
                use_threads=threads,
                column_names=self.names,
                skip_rows_after_names=1 if options.header else 0,
            ),
            "parse_options": self._parse_options(len(self.names)),
            "convert_options": arrow_csv.ConvertOptions(
                column_types=dict(types),
                null_values=nulls,
                true_values=[w for word in TRUE for w in {word, word.upper(), word.title()}],
                false_values=[w for word in FALSE for w in {word, word.upper(), word.title()}],
                strings_can_be_null=True,
                quoted_strings_can_be_null=options.missing is not None,
                decimal_point=options.decimal,
            ),
        }

    def _parse_options(self, columns: int) -> Any:
        from pyarrow import csv as arrow_csv

        options = self._options
        return arrow_csv.ParseOptions(
            delimiter=options.delimiter or ",",
            quote_char=False if options.quote == "none" else options.quote,
            newlines_in_values=options.quote != "none",
            ignore_empty_lines=columns > 1,
        )

    def _unreadable(self, error: Exception) -> BadData:
        """Return the error of a file that the parser does not take: its line, and what is wrong."""
        count = len(self._options.names or [])
        try:
            with self._whole_text() as text:
                for line, fields in records(text, self._options):
                    count = count or len(fields)
                    if len(fields) != count:
                        return BadData(
                            f"{self._subject}, line {line}: {len(fields)} fields, where the header"
                            f" has {count}.",
                            remedy=_HOW,
                        )
        except OpenQuote as quote:
            return self._open_quote(quote)
        # What follows "got 3" is the row itself, which may be personal.
        message = re.sub(r"(got \d+).*", r"\1", str(error), flags=re.DOTALL).splitlines()[0][:200]
        return BadData(f"{self._subject} is not readable as csv: {message}.", remedy=_HOW)


def parser_errors() -> tuple[type[Exception], ...]:
    """Return what Arrow's parser raises on bytes that it does not take."""
    import pyarrow as pa

    return (pa.ArrowException, UnicodeDecodeError)


def _parsed_type(column: Column | None, options: TableOptions) -> pa.DataType:
    """Return the type in which the parser reads a column: its own, or text."""
    import pyarrow as pa

    if column is None:
        return pa.string()
    # Not decimals: the parser takes one digit too many where its last places are none.
    is_number = column.type in {"integer", "float"}
    if column.type == "boolean" or (is_number and options.thousands is None):
        return arrow_type(column.type)
    return pa.string()


def all_finite(table: pa.Table) -> bool:
    """Tell whether all floats of a table are finite."""
    return all(_is_finite(table[name]) for name in table.column_names)


def _is_finite(values: pa.ChunkedArray) -> bool:
    """Tell whether floats are all finite: the parser makes infinities of 1e400, and takes nan."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return (
        not pa.types.is_floating(values.type) or pc.all(pc.is_finite(values)).as_py() is not False
    )
