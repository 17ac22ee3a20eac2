"""How long a million rows of a CSV take to read, against DuckDB's own `read_csv`.

`python -m benchmarks.ingest`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.intervals import Interval
from pipelines.sources.files import Files
from pipelines.sources.reader_process import ReaderProcess
from pipelines.spec.schema import Column
from pipelines.spec.sources import FilesSource
from pipelines.tables import sorted_rows, to_parquet

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

ROWS, RUNS, ASKED = 1_000_000, 5, 2.0
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
MOST = 4 * 2**30
KINDS = (
    {"id": "integer", "at": "time", "paid": "boolean", "late": "integer"}
    | {f"amount_{i}": "float" for i in range(8)}
    | {f"count_{i}": "integer" for i in range(4)}
    | {f"word_{i}": "text" for i in range(4)}
)
"""The 20 columns and their types."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it takes longer than asked."""
    tiny = is_tiny(__doc__, argv)
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        home = Path(folder)
        span = _write_rows(home / "rows.csv", 1_000 if tiny else ROWS)
        seconds: dict[str, list[float]] = {}
        for _ in range(1 if tiny else RUNS):
            _measure(home, span, seconds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [_row(f"{name}, seconds", value, "s") for name, value in medians.items()]
    own = medians["DuckDB's read_csv"]
    ratio = medians["files with a schema"] / own
    rows.append(_row("files with a schema, against DuckDB", ratio, "times", f"<= {ASKED}"))
    child = medians["the same in a process of its own, handed over"] / own
    rows.append(_row("the same in a process of its own, against DuckDB", child, "times"))
    show("ingest", rows)
    if tiny:
        return 0
    write("ingest", rows)
    return int(ratio > ASKED)


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


def _measure(home: Path, span: Interval, seconds: dict[str, list[float]]) -> None:
    """Read the file in each way, side by side."""
    source = FilesSource(kind="files", uri="rows.csv", first=FIRST)
    schema = {name: Column.model_validate({"type": kind}) for name, kind in KINDS.items()}

    def time_reading(name: str, read: Callable[[], pa.Table]) -> pa.Table:
        begin = time.perf_counter()
        table = read()
        seconds.setdefault(name, []).append(time.perf_counter() - begin)
        return table

    query = f"select * from read_csv('{home / 'rows.csv'}')"
    expected = time_reading(
        "DuckDB's read_csv", lambda: duckdb.connect().sql(query).to_arrow_table()
    )
    reader = Files(source, "at", home, most=MOST, schema=schema)
    table = time_reading("files with a schema", lambda: reader.read(span).tables["events"])
    guessed = Files(source, "at", home, most=MOST)
    time_reading("files without a schema", lambda: guessed.read(span).tables["events"])
    child = ReaderProcess(source, "at", home, home, seconds=600, most=MOST, schema=schema)
    time_reading(
        "the same in a process of its own, handed over",
        lambda: child.read(span).tables["events"],
    )
    time_reading("kept as Parquet", lambda: _keep(table))
    if table.num_rows != expected.num_rows or table.num_columns != len(KINDS):
        msg = f"{table.num_rows} rows of {table.num_columns} columns were read"
        raise AssertionError(msg)


def _keep(table: pa.Table) -> pa.Table:
    to_parquet(sorted_rows(table, ["at", "id"]))
    return table


def _write_rows(path: Path, count: int) -> Interval:
    """Write rows of every usual type; return the span of their times."""
    chance = np.random.default_rng(0)
    times = pd.date_range(FIRST, periods=count, freq="30s")
    columns: dict[str, object] = {
        "id": np.arange(count),
        "at": times.strftime("%Y-%m-%d %H:%M:%S"),
        "paid": chance.choice(["true", "false"], count),
        "late": chance.integers(0, 2, count),
    }
    for name, kind in KINDS.items():
        if name.startswith("amount"):
            columns[name] = chance.normal(size=count).round(4)
        elif name.startswith("count"):
            columns[name] = chance.integers(0, 1000, count)
        elif kind == "text":
            columns[name] = chance.choice(["red", "green", "blue", "a longer text"], count)
    pd.DataFrame(columns).to_csv(path, index=False)
    return Interval(start=FIRST, end=times[-1].to_pydatetime() + pd.Timedelta(seconds=1))


if __name__ == "__main__":
    raise SystemExit(main())
