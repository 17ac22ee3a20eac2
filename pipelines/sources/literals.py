"""What the texts of a CSV column are: whole numbers, floats, decimals, booleans, or just texts.

The whole column decides, and a value is never changed: `007`, `+49` and `1e5` are texts where
reading them as numbers would lose how they are written, a number that no float64 holds is a
decimal, and `NA` means missing only where all else in the column are numbers or booleans. See
docs/decisions/0020-what-a-csv-means.md.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from pipelines.columns.from_objects import column_of
from pipelines.columns.storable import DIGITS, say_once
from pipelines.columns.text_numbers import NARROW_SPACES
from pipelines.columns.texts import MISSING, values_of
from pipelines.columns.writing import Misfit, Writing
from pipelines.errors import BadData
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_PLAIN = TableOptions()
_WHOLE = "^(0|-?[1-9][0-9]*)$"
_NUMBER = r"^-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INFINITE = "^-?(?i:inf|infinity)$"
_BARE_EXPONENT = "^-?[0-9]+[eE][0-9]+$"
_FLOAT = r"\.|[eE][+-]"
_LIKE_A_NUMBER = r"^[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$"

_EXACT_DIGITS = 15
"""A decimal of so many digits comes back from a float64 as it was (IEEE 754: DBL_DIG)."""


def in_own_types(
    table: pa.Table,
    subject: str,
    options: TableOptions = _PLAIN,
    zone: str = "UTC",
) -> pa.Table:
    """Return a table of texts with each column in the type that its texts have.

    What is not obvious is said once.
    """
    import pyarrow as pa

    columns_with_na: list[str] = []
    columns = {}
    for name, texts in zip(table.column_names, table.columns, strict=True):
        plain = _in_plain_digits(_without_words(texts, options), options)
        values = _in_own_type(plain, name, subject, columns_with_na)
        columns[name] = _by_format(texts, name, options, zone) if values is plain else values
    if columns_with_na:
        say_once(
            f"{subject}: NA, NULL and the like are read as missing in the columns of numbers"
            f" {', '.join(columns_with_na)}."
        )
    return pa.table(columns)


def _without_words(texts: pa.ChunkedArray, options: TableOptions) -> pa.ChunkedArray:
    """Return the texts without those that the source says stand for no value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if options.missing is None:
        return texts
    words = pa.array(["", *options.missing], pa.string())
    return pc.if_else(
        pc.is_in(pc.utf8_trim_whitespace(texts), words), pa.scalar(None, pa.string()), texts
    )


def _in_plain_digits(texts: pa.ChunkedArray, options: TableOptions) -> pa.ChunkedArray:
    """Return numbers with a point and without groups; a column that holds others as it is."""
    import pyarrow.compute as pc

    if options.decimal == "." and options.thousands is None:
        return texts
    if options.thousands == " ":
        texts = pc.replace_substring_regex(texts, pattern=NARROW_SPACES, replacement=" ")
    sign, group = re.escape(options.decimal), re.escape(options.thousands or "")
    whole = f"[0-9]{{1,3}}({group}[0-9]{{3}})+|[0-9]+" if group else "[0-9]+"
    pattern = rf"^\s*[+-]?({whole})?({sign}[0-9]*)?([eE][+-]?[0-9]+)?\s*$"
    values = texts.filter(
        pc.invert(pc.is_in(pc.utf8_trim_whitespace(texts), _array(MISSING)))
    ).drop_null()
    if not pc.all(pc.match_substring_regex(values, pattern)).as_py():
        return texts
    if options.thousands:
        texts = pc.replace_substring(texts, pattern=options.thousands, replacement="")
    return pc.replace_substring(texts, pattern=options.decimal, replacement=".")


def _array(words: Sequence[str]) -> pa.Array:
    """Return an array of texts."""
    import pyarrow as pa

    return pa.array(words, pa.string())


def _by_format(
    texts: pa.ChunkedArray, name: str, options: TableOptions, zone: str
) -> pa.ChunkedArray:
    """Return times, where all of a column's texts are written in the format of `dates`."""
    texts = _without_words(texts, options)
    if not isinstance(options.dates, str) or texts.null_count == len(texts):
        return texts
    try:
        return values_of(texts, Writing(name, Column(type="time"), options, zone))
    except Misfit:
        return texts


def _in_own_type(
    texts: pa.ChunkedArray, name: str, subject: str, columns_with_na: list[str]
) -> pa.ChunkedArray | pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    stripped_texts = pc.utf8_trim_whitespace(texts)
    is_na = pc.is_in(stripped_texts, pa.array(MISSING))
    values = pc.if_else(is_na, pa.scalar(None, pa.string()), stripped_texts)
    if texts.null_count == len(texts):
        return pa.chunked_array([pa.nulls(len(texts))])
    if values.null_count == len(values):
        if pc.any(pc.not_equal(stripped_texts, "")).as_py():
            say_once(
                f"{subject}: the column {name!r} holds nothing but NA, NULL or the like; they are"
                " kept as texts."
            )
        return texts
    numbers = _numbers(values, name, subject)
    if numbers is None:
        return texts
    if pc.any(pc.and_(is_na, pc.not_equal(stripped_texts, ""))).as_py():
        columns_with_na.append(name)
    return numbers


def _numbers(values: pa.ChunkedArray, name: str, subject: str) -> pa.ChunkedArray | pa.Array | None:
    """Return the values as numbers or booleans; None where they are texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def all_match(pattern: str) -> bool:
        return pc.all(pc.match_substring_regex(values, pattern)).as_py() is True

    def any_matches(pattern: str) -> bool:
        return pc.any(pc.match_substring_regex(values, pattern)).as_py() is True

    if all_match(_WHOLE):
        return _whole(values, name, subject)
    if all_match("^(?i:true|false)$"):
        return pc.equal(pc.utf8_lower(values), pa.scalar("true"))
    if (
        all_match(f"{_NUMBER}|{_INFINITE}")
        and any_matches("[0-9]")
        and (any_matches(_FLOAT) or not any_matches(_BARE_EXPONENT))
    ):
        return _floats(values, name, subject)
    if all_match(_LIKE_A_NUMBER):
        say_once(
            f"{subject}: the column {name!r} is kept as texts: as numbers, its leading zeros, plus"
            " signs or exponents would be lost."
        )
    return None


def _whole(values: pa.ChunkedArray, name: str, subject: str) -> pa.ChunkedArray | None:
    """Return whole numbers as int64, or as decimals beyond it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(values, pa.int64())
    except pa.ArrowInvalid:
        if pc.max(pc.utf8_length(pc.utf8_ltrim(values, "-"))).as_py() <= DIGITS:
            return pc.cast(values, pa.decimal128(DIGITS, 0))
    say_once(
        f"{subject}: the column {name!r} is kept as texts: it has whole numbers of more than"
        f" {DIGITS} digits."
    )
    return None


def _floats(values: pa.ChunkedArray, name: str, subject: str) -> pa.ChunkedArray | pa.Array | None:
    """Return numbers as float64 where each of them is one, else as decimals.

    None where they are too long even for those.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    long = pc.or_(
        pc.greater(pc.utf8_length(values), _EXACT_DIGITS), pc.match_substring_regex(values, "[eE]")
    )
    if all(
        is_float(text) for text in values.filter(pc.fill_null(long, fill_value=False)).to_pylist()
    ):
        return pc.cast(values, pa.float64())
    try:
        decimals = column_of(
            [None if text is None else Decimal(text) for text in values.to_pylist()], name, subject
        )
    except BadData:
        say_once(
            f"{subject}: the column {name!r} is kept as texts: it has numbers that neither a"
            f" float64 nor {DIGITS} digits hold."
        )
        return None
    say_once(
        f"{subject}: the column {name!r} is read as decimals, since it has numbers that no float64"
        " holds."
    )
    return decimals


def is_float(text: str) -> bool:
    """Tell whether a float64, written with as many digits, is the same number as the text."""
    number = float(text)
    if repr(number) == text:
        return True
    exact = Decimal(text)
    if not exact.is_finite():
        return True
    digits = max(len(exact.as_tuple().digits), 1)
    return Decimal(f"{number:.{digits - 1}e}") == exact
