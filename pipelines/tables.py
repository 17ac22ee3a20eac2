"""Tables: Arrow in memory, Parquet at rest with the same bytes for the same rows, and the engine that runs `build`."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, SpecError
from pipelines.refs import digest, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    import pyarrow as pa

FEATURES_FORMAT = 1
"""Part of every features key: raise it when the engine would build other rows from the same code and data."""


def normalised(data: Any) -> pa.Table:
    """Return a pandas frame or Arrow table in the few types that we keep: no index, no metadata, times in UTC microseconds."""
    import pyarrow as pa

    table = data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
    fields = [pa.field(f.name, _plain(f.type)) for f in table.schema]
    return table.cast(pa.schema(fields)).replace_schema_metadata(None)


def _plain(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC")
    if pa.types.is_date(kind):
        return pa.timestamp("us", tz="UTC")
    return kind


def to_parquet(table: pa.Table) -> bytes:
    """Return the table as Parquet; the same table gives the same bytes."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=1_000_000)
    return buffer.getvalue()


def from_parquet(source: bytes | Path, columns: list[str] | None = None) -> pa.Table:
    """Return the table in Parquet bytes or in a file. Raises BadData where it is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(source) if isinstance(source, bytes) else source, columns=columns)
    except pa.ArrowInvalid as error:
        raise BadData(f"Not readable as Parquet: {error}.") from error


def columns_of(table: pa.Table) -> dict[str, str]:
    """Return the columns with their Arrow types in words."""
    return {f.name: str(f.type) for f in table.schema}


def sorted_rows(table: pa.Table, columns: list[str]) -> pa.Table:
    """Return the table sorted by those of the columns that it has, so that a source's row order does not matter."""
    present = [(c, "ascending") for c in columns if c in table.column_names]
    return table.sort_by(present) if present and table.num_rows else table


def user_module(path: Path, purpose: str) -> ModuleType:
    """Load a Python file of a model's folder. Raises SpecError naming the file and what is wrong with it."""
    shown = f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
    if not path.is_file():
        raise SpecError(f"There is no {shown}.", remedy=f"write it; {purpose}. See docs/add-a-model.md.")
    spec = importlib.util.spec_from_file_location(f"perennial_model_{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SpecError(f"{shown} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(f"{shown}: {type(error).__name__}: {error}.", remedy="mend the file.") from error
    return module


def user_function(path: Path, name: str, purpose: str) -> Any:
    """Return a function of a file in a model's folder. Raises SpecError where it is not there."""
    function = getattr(user_module(path, purpose), name, None)
    if not callable(function):
        raise SpecError(f"{path.parent.parent.name}/{path.parent.name}/{path.name} has no function {name!r}.", remedy=f"add it; {purpose}.")
    return function


def features_key(raw: list[str], code: str, features: Mapping[str, Any]) -> str:
    """Return the key of one features file: its raw batches (own and within the lookback), the code, what the spec says."""
    return digest(FEATURES_FORMAT, raw, code, dict(features))


def code_hash(folder: Path) -> str:
    """Return the hash of the model's feature code."""
    path = folder / "features.py"
    return sha256(path.read_bytes()) if path.is_file() else sha256(b"")


def run_build(build: Any, tables: Mapping[str, pa.Table], shown: str) -> pa.Table:
    """Run a model's `build` on DuckDB through Ibis and return what it built as an Arrow table.

    One thread, so that sums of floats do not depend on the machine. Raises SpecError naming the file when `build` fails.
    """
    import ibis

    connection = ibis.duckdb.connect(":memory:", threads=1)
    try:
        # Registered in DuckDB itself: Ibis 12's create_table sends DuckDB 2.0 a statement that it cannot parse.
        for name, table in tables.items():
            connection.con.register(name, table)
        built = build({name: connection.table(name) for name in tables})
        return normalised(connection.to_pyarrow(built))
    except Exception as error:
        raise SpecError(
            f"{shown}: build failed: {type(error).__name__}: {error}.", remedy="run `perennial check` after mending it."
        ) from error
    finally:
        connection.disconnect()
