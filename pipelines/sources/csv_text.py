"""The bytes of a CSV as text: its encoding, and the lines that are no rows of the table."""

from __future__ import annotations

import csv
import io
import re
from typing import IO, TYPE_CHECKING

from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.spec.table_options import TableOptions

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks, by which a file tells its encoding."""

_UTF8_MARK = b"\xef\xbb\xbf"
_HTML = re.compile(rb"^\s*<(!doctype html|html|head|\?xml)", re.IGNORECASE)
_ASCII, _ENOUGH = 0x7F, 16
_TELLING = {
    *("cp932", "shift_jis", "shift_jis_2004", "euc_jp", "cp949", "euc_kr", "johab"),
    *("gb18030", "gb2312", "gbk", "big5", "big5hkscs", "cp1251", "koi8_r", "koi8_u", "cp1253"),
    *("iso8859_5", "iso8859_7", "cp1255", "iso8859_8", "cp1256", "iso8859_6", "tis_620", "cp874"),
}
"""Encodings of other scripts than Latin, which the statistics of the letters tell apart."""

SAMPLE = 200_000
"""Bytes around a wrong one that are looked at in order to guess the encoding."""


def decode_text(data: bytes, options: TableOptions, subject: str) -> bytes:
    """Return the file in UTF-8, without a byte order mark.

    Raises BadData naming the line where it is of another encoding, a web page, or holds NUL.
    """
    refuse_web_page(data, subject)
    if is_utf8(options):
        text = _utf8(data, subject)
    else:
        try:
            text = data.decode(options.encoding).removeprefix("\ufeff").encode()
        except UnicodeError as error:
            raise _not_decoded(data, options.encoding, subject, error) from error
    if b"\x00" in text:
        raise holds_nul(subject, text.count(b"\n", 0, text.index(b"\x00")) + 1)
    return text


def is_utf8(options: TableOptions) -> bool:
    """Tell whether the options say that a file is in UTF-8."""
    return options.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}


def refuse_web_page(data: bytes, subject: str) -> None:
    """Raise BadData where the file begins as a web page does."""
    if _HTML.match(data[:500]):
        raise BadData(
            f"{subject} is a web page (HTML or XML), no table.",
            remedy="a login or an error page may have been saved in place of the file.",
        )


def refuse_other_mark(data: bytes, subject: str) -> None:
    """Raise BadData where the file begins with the byte order mark of another encoding."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise BadData(
                f"{subject} begins with the byte order mark of {encoding}.",
                remedy=f"write `encoding: {encoding}` in the source.",
            )


def holds_nul(subject: str, line: int) -> BadData:
    """Return the error of a file that holds NUL."""
    return BadData(
        f"{subject}, line {line}: holds the character NUL.",
        remedy="write its `encoding` (utf-16-le?), or mend the file: it may be damaged.",
    )


def _utf8(data: bytes, subject: str) -> bytes:
    refuse_other_mark(data, subject)
    data = data.removeprefix(_UTF8_MARK)
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise _not_decoded(data, "utf-8", subject, error) from error
    return data


def _not_decoded(data: bytes, encoding: str, subject: str, error: UnicodeError) -> BadData:
    place = getattr(error, "start", 0)
    line = data.count(b"\n", 0, place) + 1
    found = data[place] if place < len(data) else None
    sample = data[max(0, place - SAMPLE) : place + SAMPLE]
    return not_decoded(found, line, sample, encoding, subject)


def not_decoded(byte: int | None, line: int, sample: bytes, encoding: str, subject: str) -> BadData:
    """Return the error of a byte that the encoding does not know, None for the file's end.

    `sample` are the bytes around it.
    """
    found = "its end" if byte is None else f"the byte 0x{byte:02x}"
    guess = guess_encoding(sample)
    remedy = f"write `encoding: {guess}` in the source" if guess else "write its `encoding`"
    return BadData(
        f"{subject}, line {line}: {found} is no {encoding}.",
        remedy=f"{remedy}, if it reads well then.",
    )


def guess_encoding(sample: bytes) -> str | None:
    """Return the encoding that the bytes are most likely in; None where nothing fits.

    Where the statistics have too little to go by, it is cp1252: what Windows and Excel write in
    the West.
    """
    import charset_normalizer

    if b"\x00" in sample:
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    count = sum(byte > _ASCII for byte in sample)
    best = charset_normalizer.from_bytes(sample).best() if count >= _ENOUGH else None
    if best is not None and best.encoding in _TELLING:
        return best.encoding.replace("_", "-")
    for encoding in ("cp1252", "latin-1"):
        try:
            sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def rows_of(text: bytes, options: TableOptions) -> bytes:
    """Return the text behind `skip`, without the lines that begin with the comment's sign.

    A line within a quoted field is none.
    """
    for _ in range(options.skip):
        text = text[_end_of_line(text) :]
    if options.comment is None:
        return text
    sign, quote = options.comment.encode(), options.quote.encode()
    lines, is_quoted = [], False
    for line in text.splitlines(keepends=True):
        if not is_quoted and line.startswith(sign):
            continue
        if options.quote != "none" and line.count(quote) % 2:
            is_quoted = not is_quoted
        lines.append(line)
    return b"".join(lines)


def _end_of_line(text: bytes) -> int:
    """Return the place behind the first line, whatever its ending."""
    match = re.search(rb"\r\n|\n|\r", text)
    return match.end() if match else len(text)


class OpenQuote(Exception):
    """A quote that has no end; `line` is where its record begins."""

    def __init__(self, line: int) -> None:
        """Keep the line."""
        super().__init__(f"line {line}")
        self.line = line


def records(text: bytes | IO[str], options: TableOptions) -> Iterator[tuple[int, list[str]]]:
    """Yield the line (from 1) and the fields of each record, with the header, without comments.

    Slow: it is for saying where something is wrong. Raises OpenQuote.
    """
    stream: IO[str] = (
        io.StringIO(text.decode(errors="ignore"), newline="")  # a part may end within a sign
        if isinstance(text, bytes)
        else text
    )
    lines = _Lines(stream, options)
    reader = csv.reader(
        lines,
        delimiter=options.delimiter or ",",
        quotechar=None if options.quote == "none" else options.quote,
        quoting=csv.QUOTE_NONE if options.quote == "none" else csv.QUOTE_MINIMAL,
        strict=True,
    )
    csv.field_size_limit(2**31 - 1)
    while True:
        first = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                raise OpenQuote(first) from error
            return  # text behind a closing quote: Arrow takes it, and no line can be told from here
        if fields:
            yield lines.number if "\n" not in "".join(fields) else first, fields


class _Lines:
    """The lines behind `skip`, without comments; `number` counts all lines of the file."""

    def __init__(self, stream: IO[str], options: TableOptions) -> None:
        self._stream = stream
        self._comment = options.comment
        self.number = 0
        for _ in range(options.skip):
            self._stream.readline()
            self.number += 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        while line := self._stream.readline():
            self.number += 1
            if self._comment is None or not line.startswith(self._comment):
                return line
        raise StopIteration


def line_of_row(text: bytes | IO[str], options: TableOptions, row: int) -> int | None:
    """Return the line on which a row (from 0, behind the header) begins; None where unknown."""
    before = 1 if options.header else 0
    try:
        for count, (line, _) in enumerate(records(text, options)):
            if count == row + before:
                return line
    except OpenQuote:
        return None
    return None
