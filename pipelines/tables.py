"""Tables: Arrow in memory, Parquet at rest with the same bytes for the same rows, and the loading
of a model's own code.
"""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING, Any

from pipelines.columns.from_objects import column_of
from pipelines.columns.storable import check_names, storable_column
from pipelines.errors import BadData, SpecError
from pipelines.refs import digest, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    import pandas as pd
    import pyarrow as pa

FEATURES_FORMAT = 2
"""Part of every features key.

Raise it when the engine would build other rows from the same code and data.
"""


def normalise(data: Any, subject: str = "The table") -> pa.Table:
    """Return a pandas frame, an Arrow table, or what else speaks Arrow's stream protocol, as a
    table that is kept.

    No index, no metadata; names and types as `pipelines.columns.storable` says.

    Raises BadData naming the column; `subject` names the table in it.
    """
    import pyarrow as pa

    if not isinstance(data, pa.Table):
        data = _arrow_of(data, subject)
    check_names(data.column_names, subject)
    columns = [
        storable_column(c, n, subject) for n, c in zip(data.column_names, data.columns, strict=True)
    ]
    fields = [pa.field(n, c.type) for n, c in zip(data.column_names, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(fields))


def _arrow_of(data: Any, subject: str) -> pa.Table:
    """Return a pandas frame, or what else speaks Arrow's stream protocol, as an Arrow table."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pd.DataFrame):
        return _table_of(data, subject)
    if not hasattr(data, "__arrow_c_stream__"):
        raise BadData(
            f"{subject} is a {type(data).__name__}.",
            remedy="return a pandas frame or an Arrow table.",
        )
    return pa.table(data)


def storable_tables(
    tables: Mapping[str, Any], subject: str, most: int | None
) -> dict[str, pa.Table]:
    """Return what a model's own function read as tables that are kept.

    Raises BadData naming the table and its column, and where together they have more than `most`
    bytes.
    """
    tables_by_name = {
        name: normalise(table, f"{subject}: the table {name!r}") for name, table in tables.items()
    }
    size = sum(table.nbytes for table in tables_by_name.values())
    if most is not None and size > most:
        raise BadData(
            f"{subject}: the tables have {size} bytes, more than {most}.",
            remedy=(
                "return fewer rows or columns, or give the step more memory (resources.memory in"
                " model.yaml, or the machine)."
            ),
        )
    return tables_by_name


def problem_of(error: BadData) -> str:
    """Return an error of the data as a batch's problem, without a full stop.

    Who shows it ends the sentence.
    """
    message = error.message.removesuffix(".")
    return f"{message} ({error.remedy.removesuffix('.')})" if error.remedy else message


def _table_of(frame: pd.DataFrame, subject: str) -> pa.Table:
    """Return a frame's columns as Arrow's, without changing a value.

    Raises BadData naming the column.
    """
    import pyarrow as pa

    names = [str(c) for c in frame.columns]
    check_names(names, subject)
    columns = [_column_of(frame.iloc[:, i], name, subject) for i, name in enumerate(names)]
    return pa.table(columns, names=names)


def _column_of(series: pd.Series[Any], name: str, subject: str) -> pa.Array | pa.ChunkedArray:
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.SparseDtype):
        series = pd.Series(series.array.to_dense())
    if series.dtype == object:
        return column_of(series.tolist(), name, subject)
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        message = str(error).splitlines()[0][:200]
        raise BadData(
            f"{subject}: the column {name!r} ({series.dtype}) cannot be kept: {message}.",
            remedy="convert the column in the source, or leave it out.",
        ) from error


GROUP_ROWS = 1_000_000
"""Rows of one group of a Parquet file: what a reader or a writer holds at least."""
COMPRESSION = "zstd"


def rows_at(path: Path, positions: list[int]) -> pa.Table:
    """Return the rows of a Parquet file at these positions, which are in order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        picked, before = [file.schema_arrow.empty_table()], 0
        for number in range(file.metadata.num_row_groups):
            end = before + file.metadata.row_group(number).num_rows
            within = [p - before for p in positions if before <= p < end]
            if within:
                picked.append(file.read_row_group(number).take(pa.array(within)))
            before = end
    return pa.concat_tables(picked)


def sorts_alike(kind: pa.DataType) -> bool:
    """Tell whether DuckDB gives back values of this type as they are, in the order of Arrow."""
    from pyarrow import types

    return bool(types.is_null(kind) or is_read_alike(kind))


def is_read_alike(kind: pa.DataType) -> bool:
    """Tell whether DuckDB reads values of this type from Parquet as it does from Arrow."""
    from pyarrow import types

    return bool(
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_decimal128(kind)
        or types.is_string(kind)
        or types.is_binary(kind)
        or (types.is_timestamp(kind) and kind.unit == "us" and kind.tz == "UTC")
    )


def to_parquet(table: pa.Table) -> bytes:
    """Return the table as Parquet; the same table gives the same bytes."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=COMPRESSION, row_group_size=GROUP_ROWS)
    return buffer.getvalue()


def from_parquet(source: bytes | Path, columns: list[str] | None = None) -> pa.Table:
    """Return the table in Parquet bytes or in a file. Raises BadData where it is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(
            io.BytesIO(source) if isinstance(source, bytes) else source, columns=columns
        )
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadData(f"Not readable as Parquet: {error}.") from error


def columns_of(table: pa.Table) -> dict[str, str]:
    """Return the columns with their Arrow types in words."""
    return {f.name: str(f.type) for f in table.schema}


def sorted_rows(table: pa.Table, columns: list[str]) -> pa.Table:
    """Return the table sorted by those of the columns that it has, so that a source's row order
    does not matter.
    """
    present = [(c, "ascending") for c in dict.fromkeys(columns) if c in table.column_names]
    return table.sort_by(present) if present and table.num_rows else table


def user_module(path: Path, purpose: str) -> ModuleType:
    """Load a Python file of a model's folder.

    Raises SpecError naming the file and what is wrong with it.
    """
    subject = f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
    if not path.is_file():
        raise SpecError(
            f"There is no {subject}.", remedy=f"write it; {purpose}. See docs/add-a-model.md."
        )
    spec = importlib.util.spec_from_file_location(
        f"perennial_model_{path.parent.name}_{path.stem}", path
    )
    if spec is None or spec.loader is None:
        raise SpecError(f"{subject} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(
            f"{subject}: {type(error).__name__}: {error}.", remedy="mend the file."
        ) from error
    return module


def user_function(path: Path, name: str, purpose: str) -> Any:
    """Return a function of a file in a model's folder. Raises SpecError where it is not there."""
    function = getattr(user_module(path, purpose), name, None)
    if not callable(function):
        raise SpecError(
            f"{path.parent.parent.name}/{path.parent.name}/{path.name} has no function {name!r}.",
            remedy=f"add it; {purpose}.",
        )
    return function


def features_key(raw: list[str], code: str, features: Mapping[str, Any]) -> str:
    """Return the key of one features file.

    Its raw batches (own and within the lookback), the code, what the spec says.
    """
    return digest(FEATURES_FORMAT, raw, code, dict(features))


def code_hash(folder: Path) -> str:
    """Return the hash of the model's feature code."""
    path = folder / "features.py"
    return sha256(path.read_bytes()) if path.is_file() else sha256(b"")
