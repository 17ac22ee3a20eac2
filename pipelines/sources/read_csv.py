"""CSV to a table of texts, as they stand in the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.columns.storable import check_names
from pipelines.errors import BadData

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = 2**24


def texts_of(data: bytes, subject: str) -> pa.Table:
    """Return the rows as texts: an empty field is null, a quoted empty one a text.

    Raises BadData naming the row.
    """
    import pyarrow as pa

    if not data.strip():
        raise BadData(f"{subject} is empty: not even a header.")
    data = data if data.endswith((b"\n", b"\r")) else data + b"\n"
    try:
        names = _names(data)
        check_names(names, subject)
        if len(names) == 1:
            # an empty line is a row of one empty field, but not before the header and at the end
            data = data.strip(b"\r\n") + b"\n"
        return _read(data, names, min(_BLOCK, len(data) + 1))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        # What follows "got 3" is the row itself, which may be personal.
        message = re.sub(r"(got \d+).*", r"\1", str(error), flags=re.DOTALL).splitlines()[0][:200]
        raise BadData(
            f"{subject} is not readable as csv: {message}.",
            remedy="mend the file; it must be UTF-8 with commas.",
        ) from error


def _names(data: bytes) -> list[str]:
    """Return the header's names."""
    import pyarrow as pa
    from pyarrow import csv

    options = csv.ReadOptions(block_size=min(_BLOCK, len(data) + 1), use_threads=False)
    with csv.open_csv(
        pa.BufferReader(data),
        read_options=options,
        parse_options=csv.ParseOptions(newlines_in_values=True),
    ) as reader:
        return list(reader.schema.names)


def _read(data: bytes, names: list[str], block: int) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    try:
        return csv.read_csv(
            pa.BufferReader(data),
            # with threads, errors name no row
            read_options=csv.ReadOptions(block_size=block, use_threads=False),
            parse_options=csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=len(names) > 1
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error) or block > len(data):
            raise
        return _read(data, names, len(data) + 1)  # a row longer than a block
