"""A CSV that is too large for memory, as tables of its rows one after another.

The parser, its options and the checks are those of `read_csv`; what only the whole text can tell is
said once all of it was read. See docs/decisions/0098-large-batches-stream.md.
"""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

from pipelines.errors import BadData
from pipelines.sources.checked_text import CheckedText
from pipelines.sources.csv_text import (
    decode_text,
    is_utf8,
    refuse_other_mark,
    refuse_web_page,
    rows_of,
)
from pipelines.sources.parsing import ReadWhole
from pipelines.sources.read_csv import Csv, all_finite, parser_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.spec.schema import Column
    from pipelines.spec.table_options import TableOptions

_LONGEST_HEADER = 2**22
"""Bytes within which the header ends."""
_GROWTH = 16
"""How much larger blocks become where a row is longer than one."""


def streams(options: TableOptions) -> bool:
    """Tell whether a CSV of this dialect is read part by part."""
    return is_utf8(options) and options.comment is None and len(options.names or "  ") > 1


class CsvParts(Csv):
    """One CSV on disk, in UTF-8 and without comments."""

    def __init__(self, path: Path, subject: str, options: TableOptions, block: int) -> None:
        """Read the header; `block` are the bytes that are parsed at once.

        Raises BadData where it is no CSV of this dialect, ReadWhole where it begins with one long
        line, or has one column.
        """
        self._path = path
        self._block = block
        self._current: CheckedText | None = None
        self._subject = subject
        with path.open("rb") as file:
            head = file.read(_LONGEST_HEADER)
        refuse_web_page(head, subject)
        refuse_other_mark(head, subject)
        head = head[: head.rfind(b"\n") + 1]
        if not head.strip():
            raise ReadWhole
        try:
            super().__init__(head, subject, options)
        except BadData as error:
            with CheckedText(path) as text:
                raise text.problem(subject) or error from None
        if len(self.names) == 1 or not self._rows.strip():
            raise ReadWhole
        self._begin = len(head) - len(rows_of(decode_text(head, options, subject), options))

    def parts(self, columns: Mapping[str, Column]) -> Iterator[tuple[int, pa.Table]]:
        """Yield each table with the number of rows before it.

        The columns are in their types where the parser reads them exactly, else texts. Raises
        BadData as `texts` does, after the last row.

        A reader with threads ended without its error once, on a busy machine. So what it read is
        believed where it is one row a line. If not (blank lines, breaks in quotes, rows that were
        left out), the text behind its rows is read by one thread.
        """
        import pyarrow as pa

        types, done = self._parsed_types(columns), 0
        is_whole = False
        if any(kind != pa.string() for kind in types.values()):
            with contextlib.suppress(*parser_errors()):
                for table in self._tables(types, 0, threads=True):
                    if self._checked_text.has_hex or not all_finite(table):
                        break  # the parser takes 0x1F for 31, and makes infinities of 1e400
                    yield done, table
                    done += table.num_rows
                else:
                    is_whole = done == self._checked_text.lines - int(self._options.header)
        if not is_whole:
            yield from self._texts(done)
            return
        self._check_end(None)

    def _texts(self, done: int) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows behind the first `done` as texts."""
        import pyarrow as pa

        again: BadData | None = None
        try:
            types = dict.fromkeys(self.names, pa.string())
            for table in self._tables(types, done, threads=False):
                if again is None:
                    try:
                        self._check_rows(table, done)
                        yield done, table
                    except BadData as error:
                        again = error
                done += table.num_rows
        except parser_errors() as error:
            raise self._checked_text.problem(self._subject) or self._unreadable(error) from error
        self._check_end(again)

    def _check_end(self, again: BadData | None) -> None:
        """Raise BadData for what the whole text tells, in the order in which `Csv` would."""
        problem = self._checked_text.problem(self._subject)
        if problem is not None:
            raise problem
        if self._checked_text.quotes % 2:
            self._refuse_open_quote()
        if again is not None:
            raise again

    @property
    def _checked_text(self) -> CheckedText:
        if self._current is None:
            raise RuntimeError("nothing was read yet")
        return self._current

    def _tables(
        self, types: Mapping[str, pa.DataType], row: int, *, threads: bool
    ) -> Iterator[pa.Table]:
        """Yield the rows from `row` on. Raises Arrow's errors, which name a row without threads."""
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        quote = b"" if self._options.quote == "none" else self._options.quote.encode()
        block = self._block
        while True:
            passed = 0
            with CheckedText(self._path, self._begin, quote) as text:
                self._current = text
                try:
                    reader = arrow_csv.open_csv(
                        pa.PythonFile(text, mode="r"),
                        **self._arrow_options(types, block, threads=threads),
                    )
                    for batch in reader:
                        passed += batch.num_rows
                        if passed > row:
                            behind = batch.slice(batch.num_rows - (passed - row))
                            row = passed
                            yield pa.Table.from_batches([behind])
                except parser_errors() as error:
                    if "straddling" not in str(error) or block > text.size:
                        text.problem(self._subject)  # which reads on to the end
                        raise
                    block *= _GROWTH  # a row is longer than a block
                else:
                    text.problem(self._subject)
                    return

    @contextlib.contextmanager
    def _whole_text(self) -> Iterator[IO[str]]:
        """Yield the file for `records`."""
        with self._path.open(encoding="utf-8-sig", errors="ignore", newline="") as file:
            yield file
